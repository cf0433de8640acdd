//! Many tools together: found by name, by search, by tag.

use std::error::Error;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use pcm_runtime_api::{HostError, Payload};
use pcm_tools::{
    Adapter, Arguments, CallOptions, Callable, Function, Functions, Parameter, ParameterType,
    Registry, Tool, ToolError, ToolsError,
};
use serde_json::json;

use crate::{TestResult, call};

fn functions(named: &[(&str, &str, &[&str])]) -> Result<Arc<Functions>, ToolsError> {
    let mut functions = Functions::new();
    for (name, description, tags) in named {
        let echo = |args| async move { Ok(args) };
        functions.add(Function::new(*name, *description, echo).tags(tags.iter().copied()))?;
    }
    Ok(Arc::new(functions))
}

fn names(tools: &[Arc<Tool>]) -> Vec<&str> {
    tools.iter().map(|tool| tool.name.as_str()).collect()
}

#[tokio::test]
async fn the_longest_name_that_is_a_tool_is_called() -> TestResult {
    let registry = Registry::new();
    registry.add(functions(&[("math", "", &[]), ("math.add", "", &[]), ("web.get", "", &[])])?)?;
    let resolve = |name: &str| {
        let resolved = registry.resolve(&name.parse()?)?;
        Ok::<_, Box<dyn Error>>((resolved.tool.name.clone(), resolved.callable))
    };
    assert_eq!(resolve("math.add")?, ("math.add".to_owned(), None));
    assert_eq!(resolve("math")?, ("math".to_owned(), None));
    assert_eq!(resolve("math.math")?, ("math".to_owned(), Some("math".to_owned())));
    assert_eq!(resolve("math.add.add")?, ("math.add".to_owned(), Some("add".to_owned())));
    let unknown = registry.resolve(&"math.sub".parse()?);
    assert!(matches!(unknown, Err(ToolError::UnknownRecipe { .. })));
    let group = registry.resolve(&"web".parse()?);
    assert!(matches!(group, Err(ToolError::NotFound { .. })));
    assert_eq!(call(&registry, "math.add", json!({"a": 1})).await?, json!({"a": 1}).into());
    Ok(())
}

#[tokio::test]
async fn what_is_not_found_is_told_with_five_names() -> TestResult {
    let registry = Registry::new();
    for name in ["", "a..b", "a.__class__", &"x".repeat(10_000)] {
        let error = HostError::from(call(&registry, name, json!({})).await.err().ok_or("there")?);
        assert_eq!(error.error_type, "ToolNotFoundError");
        assert!(error.message.len() < 400, "{}", error.message);
    }
    let error = call(&registry, "x", json!({})).await.err().map(HostError::from);
    let expected = HostError::new("ToolNotFoundError", "Tool \"x\" not found; there are none");
    assert_eq!(error, Some(expected));
    let named = ["g", "f", "e", "d", "c", "b", "a"].map(|name| (name, "", &[] as &[&str]));
    registry.add(functions(&named)?)?;
    let error = call(&registry, "x", json!({})).await.err().map(|error| error.to_string());
    let expected = "Tool \"x\" not found; there are: a, b, c, d, e (and 2 more)";
    assert_eq!(error.as_deref(), Some(expected));
    Ok(())
}

#[tokio::test]
async fn the_tools_of_an_adapter_are_added_all_or_none() -> TestResult {
    let registry = Registry::new();
    registry.add(functions(&[("a", "", &[])])?)?;
    let refused = registry.add(functions(&[("b", "", &[]), ("a", "", &[])])?);
    assert!(matches!(refused, Err(ToolsError::Duplicate { .. })));
    assert_eq!(names(&registry.list()), ["a"]);
    Ok(())
}

#[tokio::test]
async fn groups_list_their_members() -> TestResult {
    let registry = Registry::new();
    registry.add(functions(&[
        ("web.get", "Gets", &[]),
        ("web.put", "Puts", &[]),
        ("webbing", "", &[]),
    ])?)?;
    let listed = |name: &str| {
        let callables = registry.callables(&name.parse()?)?;
        let pairs = callables.into_iter().map(|each| (each.name, each.description));
        Ok::<Vec<_>, Box<dyn Error>>(pairs.collect())
    };
    let pair = |name: &str, about: &str| (name.to_owned(), about.to_owned());
    assert_eq!(listed("web")?, [pair("get", "Gets"), pair("put", "Puts")]);
    assert_eq!(listed("webbing")?, [pair("webbing", "")]);
    assert!(listed("we").is_err());
    Ok(())
}

#[tokio::test]
async fn search_puts_names_before_tags_before_descriptions() -> TestResult {
    let registry = Registry::new();
    registry.add(functions(&[
        ("note", "Writes to a file", &[]),
        ("file", "Anything", &[]),
        ("file_read", "Opens", &[]),
        ("store", "Keeps", &["file"]),
        ("ping", "Asks", &[]),
    ])?)?;
    assert_eq!(names(&registry.search("file", 10)), ["file", "file_read", "store", "note"]);
    assert_eq!(names(&registry.search("file", 2)), ["file", "file_read"]);
    assert!(registry.search("unrelated", 10).is_empty());
    // What is added later is found too.
    registry.add(functions(&[("file_write", "", &[])])?)?;
    assert_eq!(registry.search("file", 10).len(), 5);
    Ok(())
}

#[tokio::test]
async fn a_scope_hides_what_has_none_of_its_tags() -> TestResult {
    let registry = Registry::new();
    registry.add(functions(&[
        ("a", "x", &["one"]),
        ("b", "x", &["one", "two"]),
        ("c", "x", &[]),
    ])?)?;
    let view = registry.scoped(&["one".to_owned()]);
    assert_eq!(names(&view.list()), ["a", "b"]);
    assert_eq!(view.search("x", 10).len(), 2);
    assert!(matches!(call(&view, "c", json!({})).await, Err(ToolError::NotFound { .. })));
    assert!(call(&view, "a", json!({})).await.is_ok());
    // A scope within a scope cannot see more.
    assert!(view.scoped(&["two".to_owned()]).list().is_empty());
    assert!(registry.scoped(&[]).list().is_empty());
    assert!(view.stubs().contains("def a") && !view.stubs().contains("def c"));
    Ok(())
}

#[derive(Debug)]
struct Closing(&'static str, Arc<Mutex<Vec<&'static str>>>);

#[async_trait]
impl Adapter for Closing {
    fn kind(&self) -> &'static str {
        "test"
    }

    fn tools(&self) -> Vec<Arc<Tool>> {
        vec![Arc::new(Tool { name: self.0.to_owned(), ..Tool::default() })]
    }

    async fn call(
        &self,
        tool: &str,
        _callable: Option<&str>,
        _args: Arguments,
        _options: CallOptions,
    ) -> Result<Payload, ToolError> {
        Ok(json!(tool).into())
    }

    async fn close(&self) {
        if let Ok(mut closed) = self.1.lock() {
            closed.push(self.0);
        }
    }
}

#[tokio::test]
async fn adapters_close_in_reverse_and_once() -> TestResult {
    let closed = Arc::default();
    let registry = Registry::new();
    for name in ["a", "b", "c"] {
        registry.add(Arc::new(Closing(name, Arc::clone(&closed))))?;
    }
    assert_eq!(call(&registry, "b", json!({})).await?, json!("b").into());
    registry.close().await;
    registry.close().await;
    assert_eq!(*closed.lock().map_err(|_| "poisoned")?, ["c", "b", "a"]);
    assert!(call(&registry, "b", json!({})).await.is_err());
    let added = registry.add(Arc::new(Closing("d", closed)));
    assert!(matches!(added, Err(ToolsError::Closed)));
    Ok(())
}

/// What a tool of a hostile server may look like.
#[derive(Debug)]
struct Hostile;

#[async_trait]
impl Adapter for Hostile {
    fn kind(&self) -> &'static str {
        "test"
    }

    fn tools(&self) -> Vec<Arc<Tool>> {
        let nasty = "\"\"\"\nimport os\\\n'''\r\u{2028}\0end\"";
        let parameter = |name: &str, kind: ParameterType| {
            Parameter::new(name, kind).about(nasty).default_value(json!({"a": [nasty, null, 1.5]}))
        };
        let callable = |name: &str| Callable {
            name: name.to_owned(),
            description: nasty.to_owned(),
            parameters: vec![
                parameter("plain", ParameterType::Text),
                parameter("class", ParameterType::Any),
                parameter("a-b", ParameterType::Integer),
                parameter(nasty, ParameterType::list()),
                Parameter::new("must", ParameterType::Object).required(),
            ],
            ..Callable::default()
        };
        let tool = |name: &str, callables: Vec<Callable>| {
            let (name, description) = (name.to_owned(), nasty.to_owned());
            Arc::new(Tool { name, description, callables, ..Tool::default() })
        };
        vec![
            tool("one", vec![callable("one")]),
            tool("one.two", vec![callable("two"), callable("three")]),
            tool("none", vec![]),
            tool("deep.er.still", vec![callable("still")]),
        ]
    }

    async fn call(
        &self,
        tool: &str,
        _callable: Option<&str>,
        _args: Arguments,
        _options: CallOptions,
    ) -> Result<Payload, ToolError> {
        Ok(json!(tool).into())
    }
}

fn python(program: &str, input: &str) -> Result<String, Box<dyn Error>> {
    let mut child = Command::new("python3")
        .args(["-c", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    child.stdin.take().ok_or("no pipe")?.write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    assert!(output.status.success(), "python does not take:\n{input}");
    Ok(String::from_utf8(output.stdout)?)
}

#[tokio::test]
async fn stubs_are_python_whatever_the_descriptions_hold() -> TestResult {
    let registry = Registry::new();
    registry.add(Arc::new(Hostile))?;
    // Nothing but classes, functions and docstrings may be in it.
    let program = "
import ast, sys
tree = ast.parse(sys.stdin.read())
kinds = {type(node).__name__ for node in ast.walk(tree) if isinstance(node, ast.stmt)}
print(sorted(kinds), [n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)])";
    let kinds = python(program, &registry.stubs())?;
    assert_eq!(kinds.trim(), "['ClassDef', 'Expr', 'FunctionDef', 'ImportFrom'] ['typing']");
    Ok(())
}

#[tokio::test]
async fn stubs_read_like_this() -> TestResult {
    let registry = Registry::new();
    let mut functions = Functions::new();
    let nothing = |_| async { Ok(json!(null)) };
    functions.add(
        Function::new("math.add", "Adds two numbers.", nothing)
            .parameter(Parameter::new("b", ParameterType::Integer).default_value(1))
            .parameter(Parameter::new("a", ParameterType::Integer).required().about("The first"))
            .returns(ParameterType::Integer),
    )?;
    functions.add(Function::new("ping", "", nothing))?;
    registry.add(Arc::new(functions))?;
    let expected = r#"from typing import Any


class tools:
    """Tools of the host."""

    @staticmethod
    def ping() -> Any: ...

    class math:
        @staticmethod
        def add(*, a: int, b: int = 1) -> int:
            """Adds two numbers.

            a: The first"""
"#;
    assert_eq!(registry.stubs(), expected);
    python("import ast, sys; ast.parse(sys.stdin.read())", &registry.stubs())?;
    Ok(())
}
