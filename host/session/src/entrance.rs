//! Where calls come in, before any layer sees them.

use std::sync::Arc;

use async_trait::async_trait;
use pcm_fences::{Fence, holds};
use pcm_middleware::{Caller, Chain};
use pcm_runtime_api::{HostCall, HostError, HostPort, Namespace, Payload};
use pcm_tools::Registry;
use serde_json::Value;

/// The port of a session: its layers, which see every tool under one name.
///
/// What a tool does when it is itself called can have a name of its own, too: `echo.say` is also
/// `echo.say.say`. A rule that is about one of them must not be passed by calling the other, so the
/// longer one is made the shorter one here.
#[derive(Debug)]
pub(crate) struct Entrance {
    pub(crate) tools: Arc<Registry>,
    pub(crate) chain: Arc<Chain>,
}

impl Entrance {
    /// A call on behalf of somebody else than code in the sandbox.
    pub(crate) async fn call_as(
        &self,
        caller: Arc<Caller>,
        mut call: HostCall,
    ) -> Result<Payload, HostError> {
        self.unify(&mut call);
        self.chain.call_as(caller, call).await
    }

    fn unify(&self, call: &mut HostCall) {
        if call.namespace != Namespace::Tools || call.op != "call" {
            return;
        }
        let Some(Value::String(name)) = call.args.value.get_mut("name") else { return };
        let Some((tool, last)) = name.rsplit_once('.') else { return };
        let is_twice = tool.rsplit('.').next() == Some(last) && self.tools.tool(name).is_none();
        if is_twice
            && holds(Fence::Aliases)
            && self.tools.tool(tool).is_some_and(|tool| tool.default_callable().is_some())
        {
            name.truncate(tool.len());
        }
    }
}

#[async_trait]
impl HostPort for Entrance {
    async fn call(&self, mut call: HostCall) -> Result<Payload, HostError> {
        self.unify(&mut call);
        self.chain.call(call).await
    }
}
