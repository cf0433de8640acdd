//! One call on its way through the layers.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use pcm_runtime_api::{HostCall, Namespace, Payload, ValueType};
use serde_json::{Map, Value};

use crate::Caller;
use crate::canonical::{ArgsDigest, digest};
use crate::extensions::Extensions;

/// The operation of the namespace `tools` whose frame wraps the name of a tool and its arguments.
const CALL: &str = "call";
/// A longer name is no tool's; the bound keeps the matching of names cheap.
const MAX_TOOL_NAME: usize = 512;
/// Where the frame of `tools.call` has the tool's own arguments.
const ARGS_POINTER: &str = "/args";

/// One call on its way to the port. Layers may rewrite it; what they leave is what the port gets.
///
/// A `tools.call` is unwrapped: [`args`](Self::args) are the tool's own keyword arguments, and
/// [`target`](Self::target) is the tool. A frame of another shape than `{"name", "args"}` stays as it
/// is and has no target; [`is_malformed`](Self::is_malformed) says so, and a policy refuses it.
///
/// Its `Debug` shows no arguments: they may hold secrets.
pub struct CallContext {
    caller: Arc<Caller>,
    call_id: u64,
    /// What is used.
    pub namespace: Namespace,
    /// The operation.
    pub op: String,
    /// The arguments by name. Once the call has gone on to the port they are with the port: a layer
    /// that needs them after [`Next::run`](crate::Next::run) keeps a copy.
    pub args: Payload,
    /// How long the call may take, where a layer says so.
    pub timeout: Option<Duration>,
    tool: Option<String>,
    extensions: Extensions,
}

impl CallContext {
    /// A call of `caller`. `call_id` is the call's own among those of its session.
    pub fn new(caller: Arc<Caller>, call_id: u64, call: HostCall) -> Self {
        let HostCall { namespace, op, args } = call;
        let (tool, args) = match namespace {
            Namespace::Tools if op == CALL => unwrap_tool_call(args),
            _ => (None, args),
        };
        Self {
            caller,
            call_id,
            namespace,
            op,
            args,
            timeout: None,
            tool,
            extensions: Extensions::default(),
        }
    }

    /// The call as the port takes it.
    #[must_use]
    pub fn into_call(mut self) -> HostCall {
        self.take_call()
    }

    /// The call as the port takes it; the arguments leave the context.
    pub(crate) fn take_call(&mut self) -> HostCall {
        let args = mem::take(&mut self.args);
        let args = match self.tool() {
            Some(tool) => wrap_tool_call(tool.to_owned(), args),
            None => args,
        };
        HostCall { namespace: self.namespace, op: self.op.clone(), args }
    }

    /// Who is calling.
    pub fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    /// The number of the call, which no other call of the chain has.
    pub fn call_id(&self) -> u64 {
        self.call_id
    }

    /// What the call is about: the tool as `echo.say`, or the name of the artifact or workflow.
    pub fn target(&self) -> Option<&str> {
        match self.namespace {
            Namespace::Tools => self.tool(),
            Namespace::Artifacts | Namespace::Workflows => self.args.value.get("name")?.as_str(),
            Namespace::Deps | Namespace::Network => None,
        }
    }

    /// Names another tool, artifact or workflow. Calls without a target stay as they are.
    pub fn set_target(&mut self, target: impl Into<String>) {
        if self.target().is_none() {
            return;
        }
        match self.namespace {
            Namespace::Tools => self.tool = Some(target.into()),
            _ => {
                if let Some(name) = self.args.value.get_mut("name") {
                    *name = Value::String(target.into());
                }
            }
        }
    }

    /// The tool without its recipe: `echo` of `echo.say`.
    pub fn tool_name(&self) -> Option<&str> {
        let tool = self.tool()?;
        Some(tool.split_once('.').map_or(tool, |(name, _)| name))
    }

    /// The recipe: `say` of `echo.say`. None where the tool itself is called.
    pub fn callable_name(&self) -> Option<&str> {
        Some(self.tool()?.split_once('.')?.1)
    }

    /// The tool with its recipe, `echo.say`; for everything that is no tool, [`name`](Self::name).
    pub fn full_name(&self) -> String {
        self.tool().map_or_else(|| self.name(), ToOwned::to_owned)
    }

    /// The name that policies match: `tools.echo.say`, `tools.list`, `artifacts.save`.
    pub fn name(&self) -> String {
        let last = self.tool().unwrap_or(&self.op);
        format!("{}.{last}", self.namespace)
    }

    /// Whether this is a `tools.call` that does not say in the one known shape which tool it means, or
    /// an operation whose name is more than a word, as `echo.say`, which would look like a tool.
    ///
    /// No rule must let such a call through: the port may read it otherwise than the rule did.
    pub fn is_malformed(&self) -> bool {
        let is_word = !self.op.is_empty()
            && self.op.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let is_nameless =
            self.namespace == Namespace::Tools && self.op == CALL && self.tool.is_none();
        is_nameless || !is_word
    }

    /// Whether the call is one of a tool.
    pub fn is_tool_call(&self) -> bool {
        self.tool().is_some()
    }

    /// The hash of the name and the arguments; see [`ArgsDigest`].
    pub fn args_digest(&self) -> ArgsDigest {
        digest(&self.name(), &self.op, &self.args)
    }

    /// Leaves a value for other layers, in place of an earlier one of its type.
    pub fn insert_extension<T: Any + Send + Sync>(&mut self, value: T) {
        self.extensions.insert(value);
    }

    /// The value of this type that a layer left.
    pub fn extension<T: Any>(&self) -> Option<&T> {
        self.extensions.get()
    }

    /// The value of this type that a layer left, to change it.
    pub fn extension_mut<T: Any>(&mut self) -> Option<&mut T> {
        self.extensions.get_mut()
    }

    fn tool(&self) -> Option<&str> {
        // A layer may have made another operation of it.
        let is_call = self.namespace == Namespace::Tools && self.op == CALL;
        self.tool.as_deref().filter(|_| is_call)
    }
}

impl fmt::Debug for CallContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.args.value.as_object().map_or(0, Map::len);
        formatter
            .debug_struct("CallContext")
            .field("caller", &self.caller)
            .field("call_id", &self.call_id)
            .field("name", &self.name())
            .field("args", &format_args!("{count} arguments"))
            .field("timeout", &self.timeout)
            .field("extensions", &self.extensions)
            .finish_non_exhaustive()
    }
}

/// The tool and its own arguments, where the frame has exactly the known shape.
fn unwrap_tool_call(mut frame: Payload) -> (Option<String>, Payload) {
    let Value::Object(fields) = &mut frame.value else { return (None, frame) };
    let is_known = fields.len() == 2
        && matches!(fields.get("name"), Some(Value::String(name)) if name.len() <= MAX_TOOL_NAME)
        && matches!(fields.get("args"), Some(Value::Object(_)))
        && frame.types.keys().all(|pointer| below_args(pointer).is_some());
    if !is_known {
        return (None, frame);
    }
    let Some(Value::String(tool)) = fields.swap_remove("name") else { return (None, frame) };
    let value = fields.swap_remove("args").unwrap_or_default();
    let types = mem::take(&mut frame.types);
    (Some(tool), Payload { value, types: move_types(types, below_args) })
}

fn wrap_tool_call(tool: String, args: Payload) -> Payload {
    let types = move_types(args.types, |pointer| Some(format!("{ARGS_POINTER}{pointer}")));
    let mut fields = Map::with_capacity(2);
    fields.insert("name".to_owned(), Value::String(tool));
    fields.insert("args".to_owned(), args.value);
    Payload { value: Value::Object(fields), types }
}

/// A pointer into the frame as a pointer into the arguments, where it is one.
fn below_args(pointer: &str) -> Option<String> {
    let rest = pointer.strip_prefix(ARGS_POINTER)?;
    rest.starts_with('/').then(|| rest.to_owned())
}

fn move_types(
    types: BTreeMap<String, ValueType>,
    to: impl Fn(&str) -> Option<String>,
) -> BTreeMap<String, ValueType> {
    types.into_iter().filter_map(|(pointer, kind)| Some((to(&pointer)?, kind))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn context(call: HostCall) -> CallContext {
        CallContext::new(Arc::new(Caller::sandbox("s", "test")), 1, call)
    }

    fn tool_call(frame: Value) -> HostCall {
        HostCall { namespace: Namespace::Tools, op: CALL.to_owned(), args: frame.into() }
    }

    #[test]
    fn a_tool_call_is_unwrapped_and_wrapped_again() {
        let mut call = tool_call(json!({"name": "echo.say.twice", "args": {"data": "aGk="}}));
        call.args.types.insert("/args/data".to_owned(), ValueType::Bytes);
        let context = context(call.clone());
        assert_eq!(context.name(), "tools.echo.say.twice");
        assert_eq!(context.full_name(), "echo.say.twice");
        assert_eq!(context.tool_name(), Some("echo"));
        assert_eq!(context.callable_name(), Some("say.twice"));
        assert_eq!(context.args.value, json!({"data": "aGk="}));
        assert_eq!(context.args.types["/data"], ValueType::Bytes);
        assert_eq!(context.into_call(), call);
    }

    #[test]
    fn other_operations_are_what_they_are() {
        let args = json!({"name": "report", "data": 1});
        let call =
            HostCall { namespace: Namespace::Artifacts, op: "save".to_owned(), args: args.into() };
        let mut context = context(call);
        assert_eq!(context.name(), "artifacts.save");
        assert_eq!(context.target(), Some("report"));
        assert_eq!(context.tool_name(), None);
        context.set_target("other");
        assert_eq!(context.into_call().args.value, json!({"name": "other", "data": 1}));
    }

    #[test]
    fn a_frame_of_another_shape_goes_through_untouched() {
        for frame in [
            json!(null),
            json!([]),
            json!({"name": "echo"}),
            json!({"name": "echo", "args": null}),
            json!({"name": "echo", "args": []}),
            json!({"name": 1, "args": {}}),
            json!({"name": "echo", "args": {}, "more": 1}),
            json!({"name": "x".repeat(MAX_TOOL_NAME + 1), "args": {}}),
        ] {
            let call = tool_call(frame);
            let context = context(call.clone());
            assert!(context.is_malformed(), "{call:?}");
            assert_eq!(context.target(), None);
            assert_eq!(context.name(), "tools.call");
            assert_eq!(context.into_call(), call);
        }
    }

    #[test]
    fn a_type_outside_of_the_arguments_is_malformed() {
        for pointer in ["", "/name", "/args", "/argsx", "args/x"] {
            let mut call = tool_call(json!({"name": "echo", "args": {"x": "1"}}));
            call.args.types.insert(pointer.to_owned(), ValueType::Int);
            let context = context(call.clone());
            assert!(context.is_malformed(), "{pointer}");
            assert_eq!(context.into_call(), call);
        }
    }

    #[test]
    fn the_debug_form_has_no_arguments() {
        let context = context(tool_call(json!({"name": "echo", "args": {"token": "hunter22"}})));
        assert!(!format!("{context:?}").contains("hunter22"));
    }

    proptest! {
        #[test]
        fn every_call_comes_out_as_it_went_in(
            name in "[a-z.]{0,8}",
            key in "name|args|[a-z~/]{0,3}",
            text in ".{0,8}",
            pointers in proptest::collection::vec("(/args|/name)?(/[a-z~0-9]{0,3}){0,2}", 0..3),
            shape in 0..5,
        ) {
            let frame = match shape {
                0 => json!({"name": name, "args": {key: text}}),
                1 => json!({"name": name, key: {"x": text}}),
                2 => json!({"args": {key: text}, "name": name}),
                3 => json!([name, {key: text}]),
                _ => json!({key: text}),
            };
            let mut call = tool_call(frame);
            call.args.types.extend(pointers.into_iter().map(|at| (at, ValueType::Int)));
            prop_assert_eq!(context(call.clone()).into_call(), call);
        }
    }
}
