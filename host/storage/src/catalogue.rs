//! The workflows of one store at one moment, and the index over them.

use std::sync::{Arc, OnceLock};

use crate::{RankedWorkflows, Ranker, Workflow};

/// Sorted by name. The index is made by the first search.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    workflows: Vec<Arc<Workflow>>,
    index: OnceLock<Box<dyn RankedWorkflows>>,
}

impl Catalogue {
    /// The workflows are sorted by name already.
    pub(crate) fn new(workflows: Vec<Arc<Workflow>>) -> Self {
        Self { workflows, index: OnceLock::new() }
    }

    pub(crate) fn list(&self) -> Vec<Arc<Workflow>> {
        self.workflows.clone()
    }

    pub(crate) fn search(
        &self,
        ranker: &dyn Ranker,
        query: &str,
        limit: usize,
    ) -> Vec<Arc<Workflow>> {
        let index = self.index.get_or_init(|| ranker.index(&self.workflows));
        let found = index.search(query, limit);
        found.into_iter().filter_map(|at| self.workflows.get(at).cloned()).take(limit).collect()
    }
}
