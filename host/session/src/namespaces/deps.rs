//! `deps`: the packages of the session.

use pcm_runtime_api::{HostCall, HostError, Payload};

use super::reply;
use crate::arguments::Arguments;
use crate::deps::Deps;

pub(super) async fn answer(deps: &Deps, call: HostCall) -> Result<Payload, HostError> {
    match call.op.as_str() {
        "list" => reply(deps.list().await?),
        "sync" => reply(deps.sync().await?),
        "add" => {
            let spec = Arguments::of(call)?.text("package")?;
            deps.check_runtime()?;
            let change = deps.add(&spec).await?;
            match change.failed.first() {
                // Code that goes on would only find out when it imports.
                Some(failed) => Err(HostError::new("InstallError", failed.reason.clone())),
                None => reply(change),
            }
        }
        "remove" => {
            let spec = Arguments::of(call)?.text("package")?;
            deps.check_runtime()?;
            reply(deps.forget(&spec).await?)
        }
        _ => Err(HostError::unknown_operation(&call)),
    }
}
