//! WASI's part of a saved session.

use pcm_runtime_api::{Limits, SandboxConfig};
use pcm_runtime_files::{Files, FilesError, LONGEST_NAME, MOST_DESCRIPTORS, Quota};

use super::Wasi;
use super::clocks::Clock;
use super::random::Random;
use super::streams::Streams;

/// The time that passed, the random bytes that were taken, the streams that are closed.
const HEAD: usize = 8 + 8 + 3;
/// What is said of a file or a descriptor besides its name and its content.
const PER_ENTRY: u64 = 128;

impl Wasi {
    /// What [`from_bytes`](Self::from_bytes) takes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD);
        bytes.extend(self.clock.passed().to_le_bytes());
        bytes.extend(self.random.taken().to_le_bytes());
        bytes.extend(self.streams.0.map(u8::from));
        bytes.extend(self.files.to_bytes());
        bytes
    }

    /// That of a session that was saved, for one with these settings.
    pub(crate) fn from_bytes(saved: &[u8], config: &SandboxConfig) -> Result<Self, FilesError> {
        let short = || FilesError::Saved("they end too early".to_owned());
        let (passed, rest) = saved.split_first_chunk().ok_or_else(short)?;
        let (taken, rest) = rest.split_first_chunk().ok_or_else(short)?;
        let (streams, files) = rest.split_first_chunk().ok_or_else(short)?;
        let clock = Clock::after(config.deterministic, u64::from_le_bytes(*passed));
        let quota = Quota::from(&config.limits);
        let files = Files::from_bytes(files, quota, &config.mounts, clock.now())?;
        let random = Random::after(config.deterministic, u64::from_le_bytes(*taken));
        let streams = Streams(streams.map(|closed: u8| closed != 0));
        Ok(Self { files, clock, random, streams })
    }

    /// The most that [`to_bytes`](Self::to_bytes) gives for a session with these limits.
    pub(crate) fn longest_saved(limits: &Limits) -> u64 {
        let entries = limits.vfs_entries.saturating_add(2 * MOST_DESCRIPTORS as u64);
        let names = entries.saturating_mul(PER_ENTRY + LONGEST_NAME as u64);
        // Each chunk of 64 KiB has 16 bytes of its own.
        limits.vfs_bytes.saturating_add(limits.vfs_bytes / 4096).saturating_add(names)
    }
}
