//! Workflows, artifacts and dependencies that outlive sessions, in files, in Redis or in memory.
//!
//! A [`Storage`] hands out three stores: a [`WorkflowStore`], an [`ArtifactStore`] and a
//! [`DepsStore`]. Names, specs and sources come from agents and are hostile until they are a
//! [`WorkflowName`], an [`ArtifactName`], a [`DepSpec`] or a [`Workflow`]; nothing here runs a
//! workflow's source, it is only parsed. What comes back is data, or a [`StorageError`] whose
//! message a guest may read and whose source is the host's.
//!
//! 1. `name`, `dep`, `python`, `workflow`, `artifact`: what is taken, decided once for all stores.
//! 2. `file`: folders that several processes may use at once; `redis`: hashes, sets and strings;
//!    `memory`: for sessions without a folder. One test-suite runs over all three.
//! 3. `records`: small values of a session server that expire, in the same three places.
//! 4. `sync`: between a folder of files and a store, for the command line.
//!
//! The layouts are those of the system that this one replaces, so that both can share a store; see
//! `docs/storage.md`.
//!
//! What must never live here: sandbox walls, sessions, middleware, and how tools run.

mod artifact;
mod catalogue;
mod dep;
mod error;
mod file;
mod json;
mod memory;
mod name;
mod python;
mod ranking;
mod records;
mod redis;
mod store;
mod sync;
mod tools;
mod workflow;

pub use artifact::{ArtifactData, ArtifactInfo, MAX_ARTIFACT_BYTES};
pub use dep::{DepSpec, read_requirements_file};
pub use error::{Details, StorageError};
pub use file::FileStorage;
pub use memory::MemoryStorage;
pub use name::{ArtifactName, WorkflowName, WorkspaceId};
pub use python::MAX_SOURCE_BYTES;
pub use ranking::{Lexical, RankedWorkflows, Ranker};
pub use records::{
    FileRecords, MAX_RECORD_BYTES, MemoryRecords, RecordKey, RecordKind, Records, RedisRecords,
};
pub use redis::{RedisDeps, RedisServer, RedisStorage, RedisWorkflows};
pub use store::{ArtifactStore, DepsStore, Problem, Storage, WorkflowStore};
pub use sync::{
    Change, ChangeKind, Listed, Report, Skipped, bootstrap_deps, bootstrap_tools,
    bootstrap_workflows, diff_deps, diff_tools, diff_workflows, list_deps, list_tools,
    list_workflows, pull_deps, pull_tools, pull_workflows,
};
pub use tools::{StoredTool, StoredTools};
pub use workflow::{Parameter, Workflow, WorkflowSummary};
