//! Closures as tools.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use pcm_runtime_api::{HostError, Payload};
use serde_json::Value;

use crate::error::Names;
use crate::{
    Adapter, Arguments, CallOptions, Callable, Parameter, ParameterType, Tool, ToolError,
    ToolsError, arguments, name,
};

type Reply = Pin<Box<dyn Future<Output = Result<Value, HostError>> + Send>>;
type Call = Arc<dyn Fn(Value) -> Reply + Send + Sync>;

/// Closures that code in the sandbox can call.
///
/// ```
/// use pcm_tools::{Function, Functions, Parameter, ParameterType};
/// use serde_json::json;
///
/// let mut functions = Functions::new();
/// functions.add(
///     Function::new("math.add", "Adds two numbers", |args| async move {
///         Ok(json!(args["a"].as_i64().unwrap_or(0) + args["b"].as_i64().unwrap_or(0)))
///     })
///     .parameter(Parameter::new("a", ParameterType::Integer).required())
///     .parameter(Parameter::new("b", ParameterType::Integer).required()),
/// )?;
/// # Ok::<(), pcm_tools::ToolsError>(())
/// ```
#[derive(Debug, Default)]
pub struct Functions {
    functions: BTreeMap<String, Arc<Function>>,
}

/// A closure that code in the sandbox can call.
///
/// It gets the arguments as the guest gave them: where parameters are declared, only those and of
/// the declared types, otherwise anything. Its own error reaches the guest unchanged.
#[derive(Clone)]
pub struct Function {
    tool: Arc<Tool>,
    declared: bool,
    call: Call,
}

impl Function {
    /// A closure under a name. Dots in the name make groups: `math.add` is `tools.math.add(…)`.
    pub fn new<Closure, Answer>(
        name: impl Into<String>,
        description: impl Into<String>,
        call: Closure,
    ) -> Self
    where
        Closure: Fn(Value) -> Answer + Send + Sync + 'static,
        Answer: Future<Output = Result<Value, HostError>> + Send + 'static,
    {
        let (name, description) = (name.into(), description.into());
        let callable = Callable {
            name: name.rsplit('.').next().unwrap_or_default().to_owned(),
            description: description.clone(),
            ..Callable::default()
        };
        let tool = Tool { name, description, callables: vec![callable], ..Tool::default() };
        Self {
            tool: Arc::new(tool),
            declared: false,
            call: Arc::new(move |args| Box::pin(call(args))),
        }
    }

    /// Declares a parameter. From the first on, others are refused.
    #[must_use]
    pub fn parameter(mut self, parameter: Parameter) -> Self {
        self.declared = true;
        if let Some(callable) = Arc::make_mut(&mut self.tool).callables.first_mut() {
            callable.parameters.push(parameter);
        }
        self
    }

    /// Says what it is about.
    #[must_use]
    pub fn tags<Tag: Into<String>>(mut self, tags: impl IntoIterator<Item = Tag>) -> Self {
        Arc::make_mut(&mut self.tool).tags = tags.into_iter().map(Into::into).collect();
        self
    }

    /// Says what comes back.
    #[must_use]
    pub fn returns(mut self, kind: ParameterType) -> Self {
        if let Some(callable) = Arc::make_mut(&mut self.tool).callables.first_mut() {
            callable.returns = kind;
        }
        self
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Function").field("tool", &self.tool).finish_non_exhaustive()
    }
}

impl Functions {
    /// No closures yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn add(&mut self, function: Function) -> Result<(), ToolsError> {
        let name = function.tool.name.clone();
        name::check(&name)?;
        if self.functions.contains_key(&name) {
            let origin = || "functions".to_owned();
            return Err(ToolsError::Duplicate { name, first: origin(), second: origin() });
        }
        self.functions.insert(name, Arc::new(function));
        Ok(())
    }
}

#[async_trait]
impl Adapter for Functions {
    fn kind(&self) -> &'static str {
        "functions"
    }

    fn tools(&self) -> Vec<Arc<Tool>> {
        self.functions.values().map(|function| Arc::clone(&function.tool)).collect()
    }

    async fn call(
        &self,
        tool: &str,
        callable: Option<&str>,
        args: Arguments,
        options: CallOptions,
    ) -> Result<Payload, ToolError> {
        let Some(function) = self.functions.get(tool) else {
            let available = Names::new(self.functions.keys());
            return Err(ToolError::NotFound { tool: tool.to_owned(), available });
        };
        let own = function.tool.callables.first();
        if let (Some(own), Some(called)) = (own, callable)
            && own.name != called
        {
            return Err(ToolError::UnknownRecipe {
                tool: tool.to_owned(),
                recipe: called.to_owned(),
                available: Names::new([&own.name]),
            });
        }
        let mut args = args.values;
        if let Some(own) = own
            && function.declared
        {
            arguments::complete(tool, &own.parameters, &mut args)?;
        }
        let reply = (function.call)(Value::Object(args));
        let answer = match options.timeout {
            None => reply.await,
            Some(timeout) => tokio::time::timeout(timeout, reply).await.map_err(|_| {
                ToolError::Timeout { tool: tool.to_owned(), seconds: timeout.as_secs_f64() }
            })?,
        };
        answer.map(Payload::from).map_err(ToolError::Host)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn echo(name: &str) -> Function {
        Function::new(name, format!("About {name}"), |args| async { Ok(args) })
    }

    async fn call(functions: &Functions, tool: &str, args: Value) -> Result<Value, ToolError> {
        let args = Arguments::from(args.as_object().cloned().unwrap_or_default());
        let options = CallOptions::default();
        functions.call(tool, None, args, options).await.map(|payload| payload.value)
    }

    #[tokio::test]
    async fn a_call_gets_its_arguments() -> Result<(), Box<dyn std::error::Error>> {
        let mut functions = Functions::new();
        functions.add(echo("web.echo"))?;
        let args = json!({"a": [1], "b": null});
        assert_eq!(call(&functions, "web.echo", args.clone()).await?, args);
        Ok(())
    }

    #[tokio::test]
    async fn declared_parameters_are_held_to() -> Result<(), Box<dyn std::error::Error>> {
        let mut functions = Functions::new();
        functions.add(
            echo("add")
                .parameter(Parameter::new("a", ParameterType::Integer).required())
                .parameter(Parameter::new("b", ParameterType::Integer).default_value(1)),
        )?;
        assert_eq!(call(&functions, "add", json!({"a": 2})).await?, json!({"a": 2, "b": 1}));
        for args in [json!({}), json!({"a": "x"}), json!({"a": null}), json!({"a": 1, "c": 1})] {
            let error = call(&functions, "add", args.clone()).await.err();
            assert!(matches!(error, Some(ToolError::Arguments { .. })), "{args} {error:?}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn the_error_of_a_closure_is_its_own() -> Result<(), Box<dyn std::error::Error>> {
        let mut functions = Functions::new();
        let fail = |_| async { Err(HostError::new("KeyError", "no such key")) };
        functions.add(Function::new("fail", "", fail))?;
        let error = call(&functions, "fail", json!({})).await.err().map(HostError::from);
        assert_eq!(error, Some(HostError::new("KeyError", "no such key")));
        Ok(())
    }

    #[test]
    fn names_are_checked_and_are_one_function_s() -> Result<(), ToolsError> {
        let mut functions = Functions::new();
        functions.add(echo("a"))?;
        assert!(matches!(functions.add(echo("a")), Err(ToolsError::Duplicate { .. })));
        assert!(matches!(functions.add(echo("a-b")), Err(ToolsError::Name { .. })));
        Ok(())
    }
}
