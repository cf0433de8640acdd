//! How workflows are found.

use std::fmt;
use std::sync::Arc;

use pcm_search::{Entry, Index};

use crate::Workflow;

/// Makes workflows searchable. [`Lexical`] is what stores use unless they are given another, as one
/// that compares embeddings.
pub trait Ranker: fmt::Debug + Send + Sync {
    /// Prepares these workflows. Stores call it again only when something changed.
    fn index(&self, workflows: &[Arc<Workflow>]) -> Box<dyn RankedWorkflows>;
}

/// Workflows that were prepared.
pub trait RankedWorkflows: fmt::Debug + Send + Sync {
    /// The positions of what has to do with a query, best first, at most `limit`.
    fn search(&self, query: &str, limit: usize) -> Vec<usize>;
}

/// Words: the same query over the same workflows always gives the same order, and what has nothing
/// to do with it is left out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lexical;

impl Ranker for Lexical {
    fn index(&self, workflows: &[Arc<Workflow>]) -> Box<dyn RankedWorkflows> {
        Box::new(Words(Index::new(workflows.iter().map(|workflow| entry(workflow)))))
    }
}

fn entry(workflow: &Workflow) -> Entry<'_> {
    let Workflow { name, description, source, .. } = workflow;
    Entry { name: name.as_str(), tags: &[], description, text: source }
}

struct Words(Index);

impl fmt::Debug for Words {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Words")
    }
}

impl RankedWorkflows for Words {
    fn search(&self, query: &str, limit: usize) -> Vec<usize> {
        self.0.search(query, limit).into_iter().map(|hit| hit.position).collect()
    }
}
