//! All tools of a session, by name.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pcm_runtime_api::Payload;
use pcm_search::{Entry, Index};

use crate::error::Names;
use crate::name::full_name;
use crate::{
    Adapter, Arguments, CallOptions, Callable, Tool, ToolError, ToolPath, ToolsError, stubs,
};

/// The tools of any number of adapters, found by name or by search, and called.
///
/// Clones and scoped views share the tools. Nothing here waits for anything else: calls run
/// concurrently, as many as there are.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    shared: Arc<Shared>,
    /// A tool is seen where it has one of these; without, all are.
    scope: Option<Arc<[String]>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    searched: Mutex<Option<Searched>>,
}

#[derive(Debug, Default)]
struct State {
    adapters: Vec<Arc<dyn Adapter>>,
    /// From the name of a tool to the place of its adapter.
    names: BTreeMap<String, usize>,
    closed: bool,
}

/// The index over the tools as they were when last somebody searched.
#[derive(Debug)]
struct Searched {
    tools: Vec<Arc<Tool>>,
    index: Arc<Index>,
}

/// What a dotted name means: a tool, and perhaps what is called of it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Resolved {
    /// The tool.
    pub tool: Arc<Tool>,
    /// What is called of it; none for the tool itself.
    pub callable: Option<String>,
    /// The kind of its adapter.
    pub kind: &'static str,
    adapter: Arc<dyn Adapter>,
}

impl Registry {
    /// A registry without tools.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the tools of an adapter, all or none.
    pub fn add(&self, adapter: Arc<dyn Adapter>) -> Result<(), ToolsError> {
        let tools = adapter.tools();
        let mut state = self.state();
        if state.closed {
            return Err(ToolsError::Closed);
        }
        let place = state.adapters.len();
        let mut names = BTreeMap::new();
        for tool in &tools {
            crate::name::check(&tool.name)?;
            let there = state.names.get(&tool.name).and_then(|place| state.adapters.get(*place));
            let twice = names.insert(tool.name.clone(), place).is_some();
            if there.is_some() || twice {
                let second = adapter.origin();
                return Err(ToolsError::Duplicate {
                    name: tool.name.clone(),
                    first: there.map_or_else(|| second.clone(), |there| there.origin()),
                    second,
                });
            }
        }
        state.names.append(&mut names);
        state.adapters.push(adapter);
        Ok(())
    }

    /// The tools, by name.
    pub fn list(&self) -> Vec<Arc<Tool>> {
        let adapters = self.state().adapters.clone();
        let mut tools: Vec<_> = adapters
            .iter()
            .flat_map(|adapter| adapter.tools())
            .filter(|tool| self.sees(tool))
            .collect();
        tools.sort_by(|one, other| one.name.cmp(&other.name));
        tools
    }

    /// The tool of that name.
    pub fn tool(&self, name: &str) -> Option<Arc<Tool>> {
        Some(self.find(name)?.0)
    }

    /// The callables of a tool, and the tools of a group by the rest of their names.
    pub fn callables(&self, name: &ToolPath) -> Result<Vec<Callable>, ToolError> {
        let name = name.as_str();
        let mut callables = self.tool(name).map(|tool| tool.callables.clone());
        for tool in self.list() {
            let Some(rest) = tool.name.strip_prefix(name).and_then(|rest| rest.strip_prefix('.'))
            else {
                continue;
            };
            let parameters = tool.default_callable().map(|callable| callable.parameters.clone());
            callables.get_or_insert_default().push(Callable {
                name: rest.to_owned(),
                description: tool.description.clone(),
                parameters: parameters.unwrap_or_default(),
                ..Callable::default()
            });
        }
        callables.ok_or_else(|| self.not_found(name))
    }

    /// The tools that a query is about, the best match first.
    pub fn search(&self, query: &str, limit: usize) -> Vec<Arc<Tool>> {
        let tools = self.list();
        let index = self.index(&tools);
        let hits = index.search(query, limit);
        hits.iter().filter_map(|hit| tools.get(hit.position).cloned()).collect()
    }

    /// What a dotted name means. The longest name that a tool has counts.
    pub fn resolve(&self, path: &ToolPath) -> Result<Resolved, ToolError> {
        for (name, callable) in path.splits() {
            let Some((tool, adapter)) = self.find(name) else { continue };
            let unknown = callable.is_some_and(|callable| tool.callable(callable).is_none());
            if let (Some(recipe), true) = (callable, unknown) {
                return Err(ToolError::UnknownRecipe {
                    tool: tool.name.clone(),
                    recipe: recipe.to_owned(),
                    available: Names::new(tool.callables.iter().map(|each| each.name.clone())),
                });
            }
            let callable = callable.map(str::to_owned);
            return Ok(Resolved { kind: adapter.kind(), tool, callable, adapter });
        }
        Err(self.not_found(path.as_str()))
    }

    /// Calls what a dotted name means.
    pub async fn call(
        &self,
        path: &ToolPath,
        args: impl Into<Arguments>,
        options: CallOptions,
    ) -> Result<Payload, ToolError> {
        self.resolve(path)?.call(args.into(), options).await
    }

    /// The tools as Python declarations with docstrings, to put into a model's prompt. It is what
    /// Python can parse, whatever the descriptions hold.
    pub fn stubs(&self) -> String {
        stubs::write(&self.list())
    }

    /// A view of the tools that have one of the tags.
    #[must_use]
    pub fn scoped(&self, tags: &[String]) -> Self {
        let narrowed = match &self.scope {
            None => tags.to_vec(),
            Some(scope) => tags.iter().filter(|tag| scope.contains(tag)).cloned().collect(),
        };
        Self { shared: Arc::clone(&self.shared), scope: Some(narrowed.into()) }
    }

    /// Closes the adapters, the last one first. There are no tools from then on.
    pub async fn close(&self) {
        let adapters = {
            let mut state = self.state();
            state.closed = true;
            state.names.clear();
            std::mem::take(&mut state.adapters)
        };
        for adapter in adapters.into_iter().rev() {
            adapter.close().await;
        }
    }

    fn find(&self, name: &str) -> Option<(Arc<Tool>, Arc<dyn Adapter>)> {
        let adapter = {
            let state = self.state();
            Arc::clone(state.adapters.get(*state.names.get(name)?)?)
        };
        let tool = adapter.tools().into_iter().find(|tool| tool.name == name)?;
        self.sees(&tool).then_some((tool, adapter))
    }

    fn sees(&self, tool: &Tool) -> bool {
        let Some(scope) = &self.scope else { return true };
        tool.tags.iter().any(|tag| scope.contains(tag))
    }

    fn not_found(&self, tool: &str) -> ToolError {
        let available = Names::new(self.list().iter().map(|tool| tool.name.clone()));
        ToolError::NotFound { tool: tool.to_owned(), available }
    }

    fn index(&self, tools: &[Arc<Tool>]) -> Arc<Index> {
        let mut searched = lock(&self.shared.searched);
        if let Some(last) = &*searched
            && last.tools.len() == tools.len()
            && last.tools.iter().zip(tools).all(|(one, other)| Arc::ptr_eq(one, other))
        {
            return Arc::clone(&last.index);
        }
        let words: Vec<String> = tools.iter().map(|tool| tool.words()).collect();
        let entries = tools.iter().zip(&words).map(|(tool, text)| Entry {
            name: &tool.name,
            tags: &tool.tags,
            description: &tool.description,
            text,
        });
        let index = Arc::new(Index::new(entries));
        *searched = Some(Searched { tools: tools.to_vec(), index: Arc::clone(&index) });
        index
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.shared.state)
    }
}

impl Resolved {
    /// The tool with what is called of it: `curl.get`.
    pub fn full_name(&self) -> String {
        full_name(&self.tool.name, self.callable.as_deref())
    }

    /// Calls it.
    pub async fn call(&self, args: Arguments, options: CallOptions) -> Result<Payload, ToolError> {
        self.adapter.call(&self.tool.name, self.callable.as_deref(), args, options).await
    }
}

/// Nothing that holds one of these locks can panic half-way through a change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
