//! Whoever asks, and what it may.

use std::sync::Arc;

use pcm_storage::WorkspaceId;
use serde::Deserialize;

use super::gate::{Bounds, Gate};

/// Something that a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Right {
    /// Sessions: make them, run code, interrupt, reset, put and get their files.
    Execute,
    /// See tools, workflows, artifacts and packages.
    Read,
    /// Store and delete workflows and artifacts.
    Write,
    /// Install and remove packages.
    Deps,
    /// See calls that wait for an approval, and decide about them.
    Approve,
    /// See the server's figures.
    Metrics,
}

impl Right {
    pub(crate) const ALL: [Self; 6] =
        [Self::Execute, Self::Read, Self::Write, Self::Deps, Self::Approve, Self::Metrics];

    /// The right as a file of tokens has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Execute => "execute",
            Self::Read => "read",
            Self::Write => "write",
            Self::Deps => "deps",
            Self::Approve => "approve",
            Self::Metrics => "metrics",
        }
    }
}

/// The workspaces that a token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Workspaces {
    All,
    Listed(Vec<WorkspaceId>),
}

/// Whoever asks, once it is known who that is.
#[derive(Debug)]
pub(crate) struct Principal {
    pub(crate) name: String,
    pub(crate) workspaces: Workspaces,
    /// Whether it may use the space outside of all workspaces.
    pub(crate) unscoped: bool,
    pub(crate) rights: Vec<Right>,
    pub(crate) gate: Arc<Gate>,
}

impl Principal {
    /// One that may everything.
    pub(super) fn whole(name: &str, bounds: Bounds) -> Self {
        Self {
            name: name.to_owned(),
            workspaces: Workspaces::All,
            unscoped: true,
            rights: Right::ALL.to_vec(),
            gate: Arc::new(Gate::new(bounds)),
        }
    }

    /// One that may nothing, for what nobody is asked a token for.
    pub(crate) fn nobody() -> Self {
        let bounds = Bounds { per_second: 1, requests: 0, sessions: 0 };
        let (rights, unscoped) = (Vec::new(), false);
        let workspaces = Workspaces::Listed(Vec::new());
        Self { workspaces, unscoped, rights, ..Self::whole("", bounds) }
    }

    pub(crate) fn may(&self, right: Right) -> bool {
        self.rights.contains(&right)
    }

    /// Whether it may use a workspace, or the space outside of all.
    pub(crate) fn may_use(&self, workspace: Option<&WorkspaceId>) -> bool {
        match (workspace, &self.workspaces) {
            (None, _) => self.unscoped,
            (Some(_), Workspaces::All) => true,
            (Some(id), Workspaces::Listed(listed)) => listed.contains(id),
        }
    }
}
