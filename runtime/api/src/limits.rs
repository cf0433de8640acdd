//! What a run may use.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The bounds of a session. The defaults are safe for code that nobody has read.
///
/// ```
/// use pcm_runtime_api::Limits;
/// use std::time::Duration;
///
/// let limits = Limits { timeout: Some(Duration::from_secs(2)), ..Limits::default() };
/// assert_eq!(limits.memory_bytes, 256 << 20);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The longest that a run may take, waiting included. None is for ever.
    pub timeout: Option<Duration>,
    /// The processor time that a run may take, waiting for the host left out. None is unlimited.
    pub cpu: Option<Duration>,
    /// The work that a run may do, counted in instructions: the same program always uses the same.
    /// None does not count, which is faster.
    pub fuel: Option<u64>,
    /// The memory that a session may hold.
    pub memory_bytes: u64,
    /// The output that a run keeps, standard output and error together; what comes after is dropped
    /// and a marker says so. A run that writes 64 times as much is stopped.
    pub output_bytes: u64,
    /// The calls to the host that a run may make.
    pub tool_calls: u64,
    /// The longest request, reply or value that crosses the wall, and the most that all rich results
    /// of a run may take.
    pub host_call_bytes: u64,
    /// The most that `sys.setrecursionlimit` grants.
    pub recursion: u32,
    /// The content of all files that a session may hold in its own file system.
    pub vfs_bytes: u64,
    /// The files and folders that a session may hold in its own file system.
    pub vfs_entries: u64,
    /// The deepest path in a session's own file system.
    pub vfs_depth: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Some(Duration::from_secs(30)),
            cpu: None,
            fuel: None,
            memory_bytes: 256 << 20,
            output_bytes: 1 << 20,
            tool_calls: 10_000,
            host_call_bytes: 8 << 20,
            recursion: 10_000,
            vfs_bytes: 64 << 20,
            vfs_entries: 10_000,
            vfs_depth: 64,
        }
    }
}

/// How much more than `output_bytes` a run may write before it is stopped.
pub(crate) const OUTPUT_STOP_FACTOR: u64 = 64;

impl Limits {
    /// The number of output bytes after which a run is stopped.
    pub fn output_stop_bytes(&self) -> u64 {
        self.output_bytes.saturating_mul(OUTPUT_STOP_FACTOR)
    }

    /// The value of one limit, as people read it.
    pub fn describe(&self, name: LimitName) -> String {
        let duration = |limit: Option<Duration>| match limit {
            Some(limit) => humantime::format_duration(limit).to_string(),
            None => "none".to_owned(),
        };
        match name {
            LimitName::Timeout => duration(self.timeout),
            LimitName::Cpu => duration(self.cpu),
            LimitName::Fuel => self.fuel.map_or_else(|| "none".to_owned(), |fuel| fuel.to_string()),
            LimitName::Memory => bytes(self.memory_bytes),
            LimitName::Output => bytes(self.output_bytes),
            LimitName::ToolCalls => self.tool_calls.to_string(),
            LimitName::HostCall => bytes(self.host_call_bytes),
            LimitName::Recursion => self.recursion.to_string(),
            LimitName::VfsBytes => bytes(self.vfs_bytes),
            LimitName::VfsEntries => self.vfs_entries.to_string(),
            LimitName::VfsDepth => self.vfs_depth.to_string(),
        }
    }
}

/// The name of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LimitName {
    /// [`Limits::timeout`].
    Timeout,
    /// [`Limits::cpu`].
    Cpu,
    /// [`Limits::fuel`].
    Fuel,
    /// [`Limits::memory_bytes`].
    Memory,
    /// [`Limits::output_bytes`].
    Output,
    /// [`Limits::tool_calls`].
    ToolCalls,
    /// [`Limits::host_call_bytes`].
    HostCall,
    /// [`Limits::recursion`].
    Recursion,
    /// [`Limits::vfs_bytes`].
    VfsBytes,
    /// [`Limits::vfs_entries`].
    VfsEntries,
    /// [`Limits::vfs_depth`].
    VfsDepth,
}

impl LimitName {
    /// All of them, in the order of [`Limits`].
    pub const ALL: [Self; 11] = [
        Self::Timeout,
        Self::Cpu,
        Self::Fuel,
        Self::Memory,
        Self::Output,
        Self::ToolCalls,
        Self::HostCall,
        Self::Recursion,
        Self::VfsBytes,
        Self::VfsEntries,
        Self::VfsDepth,
    ];

    /// What it bounds, in a few words.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Timeout => "the longest that a run may take, waiting included",
            Self::Cpu => "the processor time of a run, waiting for the host left out",
            Self::Fuel => "the instructions of a run, counted where a limit is set",
            Self::Memory => "the memory of a session",
            Self::Output => "the output that a run keeps; 64 times as much stops it",
            Self::ToolCalls => "the calls to the host that a run may make",
            Self::HostCall => "the longest request, reply or value, and all rich results of a run",
            Self::Recursion => "the most that sys.setrecursionlimit grants",
            Self::VfsBytes => "the content of all files in a session's own file system",
            Self::VfsEntries => "the files and folders in a session's own file system",
            Self::VfsDepth => "the deepest path in a session's own file system",
        }
    }

    /// The field of [`Limits`] that holds it.
    pub fn field(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Cpu => "cpu",
            Self::Fuel => "fuel",
            Self::Memory => "memory_bytes",
            Self::Output => "output_bytes",
            Self::ToolCalls => "tool_calls",
            Self::HostCall => "host_call_bytes",
            Self::Recursion => "recursion",
            Self::VfsBytes => "vfs_bytes",
            Self::VfsEntries => "vfs_entries",
            Self::VfsDepth => "vfs_depth",
        }
    }

    /// The option of the command line that sets it, if there is one.
    pub fn flag(self) -> Option<&'static str> {
        match self {
            Self::Timeout => Some("--timeout"),
            Self::Memory => Some("--memory"),
            Self::Output => Some("--output-limit"),
            Self::Cpu => Some("--cpu"),
            Self::Fuel => Some("--fuel"),
            Self::VfsBytes => Some("--vfs"),
            Self::ToolCalls => Some("--calls"),
            Self::HostCall => Some("--call-size"),
            Self::Recursion | Self::VfsEntries | Self::VfsDepth => None,
        }
    }
}

impl fmt::Display for LimitName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(formatter)
    }
}

/// A size in the largest unit that divides it.
fn bytes(size: u64) -> String {
    for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)] {
        if size >= 1 << shift && size.is_multiple_of(1 << shift) {
            return format!("{} {unit}", size >> shift);
        }
    }
    format!("{size} bytes")
}
