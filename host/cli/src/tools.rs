//! Closures as tools: the port of a session that was given some.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use async_trait::async_trait;
use pcm_runtime_api::{HostCall, HostError, HostPort, Namespace, NoHost, Payload};
use serde_json::{Value, json};

use crate::Error;

type Reply = Pin<Box<dyn Future<Output = Result<Value, HostError>> + Send>>;

/// A closure that code in the sandbox can call.
pub(crate) struct Tool {
    description: String,
    call: Box<dyn Fn(Value) -> Reply + Send + Sync>,
}

impl Tool {
    pub(crate) fn new<Call, Answer>(description: String, call: Call) -> Self
    where
        Call: Fn(Value) -> Answer + Send + Sync + 'static,
        Answer: Future<Output = Result<Value, HostError>> + Send + 'static,
    {
        Self { description, call: Box::new(move |args| Box::pin(call(args))) }
    }
}

impl fmt::Debug for Tool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Tool")
            .field("description", &self.description)
            .finish_non_exhaustive()
    }
}

/// Answers the namespace `tools` from closures; the other namespaces are not connected.
#[derive(Debug)]
pub(crate) struct ClosureTools {
    tools: BTreeMap<String, Tool>,
}

impl ClosureTools {
    pub(crate) fn new(named: Vec<(String, Tool)>) -> Result<Self, Error> {
        let mut tools = BTreeMap::new();
        for (name, tool) in named {
            if !is_callable(&name) {
                return Err(Error::ToolName { name });
            }
            if tools.contains_key(&name) {
                return Err(Error::DuplicateTool { name });
            }
            tools.insert(name, tool);
        }
        Ok(Self { tools })
    }

    async fn invoke(&self, args: &mut Value) -> Result<Value, HostError> {
        let named = args.get_mut("args").map_or_else(|| json!({}), Value::take);
        let name = text(args, "name")?;
        let tool = self.tools.get(name).ok_or_else(|| self.not_found(name))?;
        if !named.is_object() {
            return Err(HostError::new("TypeError", "a tool takes keyword arguments only"));
        }
        (tool.call)(named).await
    }

    fn list(&self) -> Value {
        self.tools.iter().map(|(name, tool)| record(name, tool)).collect()
    }

    /// The tools of a group, by the rest of their names.
    fn list_group(&self, group: &str) -> Result<Value, HostError> {
        let members: Vec<Value> = self
            .tools
            .iter()
            .filter_map(|(name, tool)| {
                Some(record(name.strip_prefix(group)?.strip_prefix('.')?, tool))
            })
            .collect();
        if members.is_empty() && !self.tools.contains_key(group) {
            return Err(self.not_found(group));
        }
        Ok(members.into())
    }

    /// The tools that the words of `query` occur in, the best match first.
    fn search(&self, query: &str, limit: usize) -> Value {
        let query = query.to_lowercase();
        let score = |text: &str, of_name: usize| {
            let text = text.to_lowercase();
            query.split_whitespace().filter(|word| text.contains(word)).count() * of_name
        };
        let mut found: Vec<(usize, Value)> = self
            .tools
            .iter()
            .map(|(name, tool)| (score(name, 2) + score(&tool.description, 1), record(name, tool)))
            .filter(|(score, _)| *score > 0)
            .collect();
        found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        found.into_iter().take(limit).map(|(_, record)| record).collect()
    }

    fn not_found(&self, name: &str) -> HostError {
        let names: Vec<&str> = self.tools.keys().map(String::as_str).collect();
        let there_are = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let message = format!("there is no tool {name:?}; there are: {there_are}");
        HostError::new("ToolNotFoundError", message)
    }
}

#[async_trait]
impl HostPort for ClosureTools {
    async fn call(&self, mut call: HostCall) -> Result<Payload, HostError> {
        if call.namespace != Namespace::Tools {
            return NoHost.call(call).await;
        }
        let args = &mut call.args.value;
        let value = match call.op.as_str() {
            "call" => self.invoke(args).await?,
            "list" => self.list(),
            "list_recipes" => self.list_group(text(args, "name")?)?,
            "search" => {
                let limit = args["limit"].as_u64().ok_or_else(|| {
                    HostError::new("ValueError", "limit is not a whole number of at least 0")
                })?;
                self.search(text(args, "query")?, usize::try_from(limit).unwrap_or(usize::MAX))
            }
            _ => return Err(HostError::unknown_operation(&call)),
        };
        Ok(value.into())
    }
}

fn record(name: &str, tool: &Tool) -> Value {
    json!({"name": name, "description": tool.description})
}

fn text<'a>(args: &'a Value, name: &str) -> Result<&'a str, HostError> {
    args[name]
        .as_str()
        .ok_or_else(|| HostError::new("ValueError", format!("{name} is not a string")))
}

/// What `tools` and the tools have of their own.
const RESERVED: [&str; 4] = ["list", "search", "call_sync", "call_async"];

/// Whether `tools.<name>(…)` reaches the host under that name.
fn is_callable(name: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_alphabetic())
            && word.chars().all(|each| each.is_ascii_alphanumeric() || each == '_')
    };
    name.split('.').all(|word| is_word(word) && !RESERVED.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools(names: &[&str]) -> Result<ClosureTools, Error> {
        let tool = |name: &str| {
            (name.to_owned(), Tool::new(format!("About {name}"), |args| async { Ok(args) }))
        };
        ClosureTools::new(names.iter().map(|name| tool(name)).collect())
    }

    async fn ask(port: &ClosureTools, op: &str, args: Value) -> Result<Value, HostError> {
        let call = HostCall { namespace: Namespace::Tools, op: op.to_owned(), args: args.into() };
        port.call(call).await.map(|payload| payload.value)
    }

    #[tokio::test]
    async fn a_call_gets_its_arguments() -> Result<(), Box<dyn std::error::Error>> {
        let port = tools(&["echo"])?;
        let reply = ask(&port, "call", json!({"name": "echo", "args": {"a": [1]}})).await?;
        assert_eq!(reply, json!({"a": [1]}));
        assert_eq!(ask(&port, "call", json!({"name": "echo"})).await?, json!({}));
        Ok(())
    }

    #[tokio::test]
    async fn the_sorted_names_are_told() -> Result<(), Error> {
        let port = tools(&["web.get", "echo"])?;
        let not_found = |message| Err(HostError::new("ToolNotFoundError", message));
        assert_eq!(
            ask(&port, "call", json!({"name": "web"})).await,
            not_found("there is no tool \"web\"; there are: echo, web.get")
        );
        assert_eq!(
            ask(&tools(&[])?, "call", json!({"name": "x"})).await,
            not_found("there is no tool \"x\"; there are: none")
        );
        Ok(())
    }

    #[tokio::test]
    async fn groups_list_their_members() -> Result<(), Box<dyn std::error::Error>> {
        let port = tools(&["web.get", "web.put", "webbing"])?;
        let members = ask(&port, "list_recipes", json!({"name": "web"})).await?;
        assert_eq!(
            members,
            json!([
                {"name": "get", "description": "About web.get"},
                {"name": "put", "description": "About web.put"},
            ])
        );
        assert_eq!(ask(&port, "list_recipes", json!({"name": "webbing"})).await?, json!([]));
        assert!(ask(&port, "list_recipes", json!({"name": "we"})).await.is_err());
        Ok(())
    }

    #[tokio::test]
    async fn search_puts_names_before_descriptions() -> Result<(), Error> {
        let about = [("b", "Reads a file"), ("file.read", "Opens"), ("c", "Adds")];
        let tool = |(name, about): (&str, &str)| {
            (name.to_owned(), Tool::new(about.to_owned(), |args| async { Ok(args) }))
        };
        let port = ClosureTools::new(about.into_iter().map(tool).collect())?;
        let names = |found: Value| -> Vec<Value> {
            found.as_array().into_iter().flatten().map(|record| record["name"].clone()).collect()
        };
        assert_eq!(names(port.search("READ file", 10)), ["file.read", "b"]);
        assert_eq!(names(port.search("READ file", 1)), ["file.read"]);
        assert_eq!(port.search("", 10), json!([]));
        Ok(())
    }

    #[tokio::test]
    async fn made_up_requests_are_refused() -> Result<(), Error> {
        let port = tools(&["echo"])?;
        for (op, args) in [
            ("call", json!(null)),
            ("call", json!({"name": 1})),
            ("call", json!({"name": "echo", "args": [1]})),
            ("call", json!([{"name": "echo"}])),
            ("search", json!({"query": "x", "limit": -1})),
            ("search", json!({"limit": 1})),
            ("list_recipes", json!({})),
            ("delete", json!({})),
        ] {
            assert!(ask(&port, op, args.clone()).await.is_err(), "{op} {args}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn the_other_namespaces_are_not_connected() -> Result<(), Error> {
        let call = HostCall {
            namespace: Namespace::Artifacts,
            op: "list".to_owned(),
            args: Payload::default(),
        };
        let error = tools(&[])?.call(call).await.err();
        assert_eq!(error.map(|error| error.error_type).as_deref(), Some("NotConnected"));
        Ok(())
    }

    #[test]
    fn names_that_code_cannot_call_are_refused() {
        for name in ["", "a.", ".a", "_a", "a._b", "1a", "a-b", "a b", "list", "a.list", "ä"] {
            assert!(matches!(tools(&[name]), Err(Error::ToolName { .. })), "{name}");
        }
        assert!(tools(&["a1_b.c"]).is_ok());
        assert!(matches!(tools(&["a", "a"]), Err(Error::DuplicateTool { .. })));
    }
}
