//! The limits of a run as they travel.

use std::time::Duration;

use pcm_runtime_api::Limits;
use serde::{Deserialize, Serialize};

/// Every field of [`Limits`]: one that is added there and not here does not compile.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Limits")]
pub(crate) struct WireLimits {
    timeout: Option<Duration>,
    cpu: Option<Duration>,
    fuel: Option<u64>,
    memory_bytes: u64,
    output_bytes: u64,
    tool_calls: u64,
    host_call_bytes: u64,
    recursion: u32,
    vfs_bytes: u64,
    vfs_entries: u64,
    vfs_depth: u32,
}
