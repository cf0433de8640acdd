//! Packages: of the session that is named, or of the next one that is made without a workspace.
//!
//! A client that wants packages before it has a session gets one that is made ready for it: the next
//! request to run code without a session takes that.

use std::collections::BTreeMap;

use pcm_runtime_api::{Capability, ExecutorError, package_name};
use pcm_session::{DepsChange, DepsRemoval};
use pcm_storage::DepSpec;
use serde::Deserialize;
use serde_json::json;

use super::sessions::here;
use crate::answer::{Answer, Refusal, json};
use crate::live::InUse;
use crate::request::{Call, Scope};

/// How many packages one request may name.
const MOST: usize = 100;

#[derive(Deserialize)]
struct Package {
    package: String,
}

#[derive(Deserialize)]
struct Packages {
    packages: Vec<String>,
}

pub(super) async fn list(call: Call) -> Result<Answer, Refusal> {
    if let Scope::Here(session) = call.scope().await? {
        return Ok(json(&session.session.list_deps().await?));
    }
    let specs = call.state.sessions.storage(None)?.deps().list().await?;
    Ok(json(&specs.iter().map(DepSpec::as_str).collect::<Vec<_>>()))
}

pub(super) async fn add(mut call: Call) -> Result<Answer, Refusal> {
    let Package { package } = call.json()?;
    let spec: DepSpec = package.parse()?;
    let session = able(&call, Capability::DepsInstall).await?;
    Ok(json(&session.session.add_dep(spec.as_str()).await?))
}

pub(super) async fn remove(mut call: Call) -> Result<Answer, Refusal> {
    let Package { package } = call.json()?;
    let spec: DepSpec = package.parse()?;
    let session = able(&call, Capability::DepsUninstall).await?;
    Ok(json(&session.session.remove_dep(spec.as_str()).await?))
}

pub(super) async fn sync(call: Call) -> Result<Answer, Refusal> {
    let session = session(&call).await?;
    Ok(json(&session.session.sync_deps().await?))
}

pub(super) async fn install(mut call: Call) -> Result<Answer, Refusal> {
    let (specs, refused) = specs(&mut call)?;
    let session = able(&call, Capability::DepsInstall).await?;
    let change = if specs.is_empty() {
        DepsChange::default()
    } else {
        session.session.install_deps(&specs).await?
    };
    let failed = change.failed.iter().map(|each| (each.spec.clone(), each.reason.clone()));
    let failed = refused.into_iter().chain(failed).collect();
    let DepsChange { installed, already_present, .. } = change;
    Ok(changed([installed, already_present, Vec::new(), Vec::new()], &failed))
}

pub(super) async fn uninstall(mut call: Call) -> Result<Answer, Refusal> {
    let (specs, refused) = specs(&mut call)?;
    let session = able(&call, Capability::DepsUninstall).await?;
    let removal = if specs.is_empty() {
        DepsRemoval::default()
    } else {
        let names: Vec<String> = specs.iter().map(|spec| package_name(spec)).collect();
        session.session.uninstall_deps(&names).await?
    };
    let kept = removal.failed.into_iter().map(|name| (name, "it could not be removed".to_owned()));
    let failed = refused.into_iter().chain(kept).collect();
    Ok(changed([Vec::new(), Vec::new(), removal.removed, removal.not_found], &failed))
}

/// What a request names as far as it can be installed at all, and why the rest cannot: options of an
/// installer, URLs, commands.
fn specs(call: &mut Call) -> Result<(Vec<String>, BTreeMap<String, String>), Refusal> {
    let Packages { packages } = call.json()?;
    if packages.len() > MOST {
        return Err(Refusal::unprocessable(format!("one request names up to {MOST} packages")));
    }
    let (mut specs, mut refused) = (Vec::new(), BTreeMap::new());
    for package in packages {
        match package.parse::<DepSpec>() {
            Ok(spec) => specs.push(spec.to_string()),
            Err(error) => {
                refused.insert(package, error.to_string());
            }
        }
    }
    Ok((specs, refused))
}

fn changed(lists: [Vec<String>; 4], reasons: &BTreeMap<String, String>) -> Answer {
    let [installed, already_present, removed, not_found] = lists;
    let failed: Vec<&String> = reasons.keys().collect();
    json(&json!({
        "installed": installed,
        "already_present": already_present,
        "removed": removed,
        "not_found": not_found,
        "failed": failed,
        "reasons": reasons,
    }))
}

/// The same, where its backend can do this.
async fn able(call: &Call, capability: Capability) -> Result<InUse, Refusal> {
    let session = session(call).await?;
    if session.session.supports(capability) {
        return Ok(session);
    }
    Err(ExecutorError::unsupported(session.session.backend_key(), capability).into())
}

/// The session of the request, or the one that is made ready for the next.
async fn session(call: &Call) -> Result<InUse, Refusal> {
    if let Some(session) = here(call).await? {
        return Ok(session);
    }
    let live = &call.state.live;
    if let Some(session) = live.prepared(&call.principal, false) {
        return Ok(session);
    }
    let session = live.open(&*call.state.sessions, &call.principal, None).await?;
    live.prepare(&session);
    Ok(session)
}
