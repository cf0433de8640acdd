//! From the start of a session to its end.

use std::error::Error;
use std::io;
use std::sync::Arc;

use pcm_middleware::AuditLog;
use pcm_runtime_api::{ErrorKind, Executor, HostError, Namespace};
use pcm_session::{Host, Session, SessionError};
use pcm_storage::MemoryStorage;
use serde_json::json;

use super::support::{Puppet, TestResult, World, Written, call, gather, kind, object, tools};

fn executor(puppet: Puppet) -> Arc<dyn Executor> {
    Arc::new(puppet)
}

#[tokio::test]
async fn start_and_close_are_in_the_log_once() -> TestResult {
    let written = Written::default();
    let storage = MemoryStorage::new().workspace(&"client_a".parse()?);
    let host = Host::new().audit(AuditLog::writer(written.clone())).storage(Arc::new(storage));
    let world = World::start(host).await?;
    for _ in 0..3 {
        world.session.clone().close().await;
    }
    let lines = written.lines()?;
    assert_eq!(written.events()?, ["session.start", "session.close"]);
    for line in lines {
        assert_eq!(line["session_id"], world.session.id());
        assert_eq!(line["backend"], "puppet");
        assert_eq!(line["workspace"], "client_a");
    }
    Ok(())
}

#[tokio::test]
async fn a_closed_session_runs_nothing_and_says_why() -> TestResult {
    let (tools, _) = tools()?;
    let world = World::start(Host::new().own_tools(tools)).await?;
    world.session.close().await;
    world.session.close().await;
    let result = world.session.run("[]").await;
    assert_eq!(result.error.map(|error| error.kind), Some(ErrorKind::Closed));
    assert!(matches!(world.session.reset().await, Err(SessionError::Executor(_))));
    assert!(world.session.call_tool("anything", object(&json!({}))).await.is_err());
    Ok(())
}

#[tokio::test]
async fn ids_of_sessions_do_not_repeat_and_say_nothing() -> TestResult {
    let one = World::start(Host::new()).await?;
    let other = World::start(Host::new()).await?;
    assert_ne!(one.session.id(), other.session.id());
    assert_eq!(one.session.id().len(), 32);
    assert!(one.session.id().bytes().all(|byte| byte.is_ascii_hexdigit()));
    Ok(())
}

#[tokio::test]
async fn a_start_that_fails_is_followed_by_an_end_in_the_log() -> TestResult {
    let written = Written::default();
    let host = Host::new().audit(AuditLog::writer(written.clone()));
    let broken = executor(Puppet::broken());
    let error = Session::start(broken, host.clone()).await.err();
    assert!(matches!(error, Some(SessionError::Executor(_))), "{error:?}");
    assert_eq!(written.events()?, ["session.start", "session.close"]);
    // The same where the wall stood, and what the session requires is not to be had.
    let start = Session::start(executor(Puppet::default()), host.requires(["missing"]));
    assert!(start.await.is_err());
    assert_eq!(written.events()?[2..], ["session.start", "session.close"]);
    Ok(())
}

#[tokio::test]
async fn a_start_that_cannot_be_written_down_does_not_happen() -> TestResult {
    let log = AuditLog::callback(|_| Err(io::Error::other("the disk is full")));
    let puppet = Arc::new(Puppet::default());
    let wall: Arc<dyn Executor> = Arc::<Puppet>::clone(&puppet);
    let error = Session::start(wall, Host::new().audit(log).requires(["one"])).await.err();
    assert!(matches!(error, Some(SessionError::Audit(_))), "{error:?}");
    assert_eq!(puppet.installed(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn a_fork_is_a_session_of_its_own() -> TestResult {
    let (tools, _) = tools()?;
    let written = Written::default();
    let host = Host::new().own_tools(tools).audit(AuditLog::writer(written.clone()));
    let world = World::start(host.requires(["one"])).await?;
    let fork = world.session.fork().await?;
    assert_ne!(fork.id(), world.session.id());
    assert_eq!(written.events()?, ["session.start", "session.start"]);

    // Workflows and artifacts are shared.
    let save = call(Namespace::Artifacts, "save", json!({"name": "a", "data": "x"}));
    gather(&fork, &[save]).await.remove(0)?;
    let load = json!({"name": "a"});
    assert_eq!(world.ask(Namespace::Artifacts, "load", load).await?, json!("x"));

    // The packages go to the wall that asked for them.
    let add = call(Namespace::Deps, "add", json!({"package": "two"}));
    let added = gather(&fork, &[add]).await.remove(0)?;
    assert_eq!(added.value["installed"], json!(["two"]));
    assert_eq!(world.puppet.installed(), ["one"]);
    Ok(())
}

#[tokio::test]
async fn the_end_of_a_fork_is_not_the_end_of_the_tools() -> TestResult {
    let (tools, _) = tools()?;
    let world = World::start(Host::new().own_tools(tools)).await?;
    let fork = world.session.fork().await?;
    let args = json!({"name": "anything", "args": {}});
    let one = [call(Namespace::Tools, "call", args)];

    fork.close().await;
    assert_eq!(kind(&world.call(one[0].clone()).await), "ok", "the first session goes on");

    let fork = world.session.fork().await?;
    world.session.close().await;
    assert_eq!(kind(&gather(&fork, &one).await[0]), "ok", "and so does a fork");
    fork.close().await;
    assert!(fork.list_tools().is_empty(), "with the last one they end");
    Ok(())
}

#[tokio::test]
async fn a_fork_forgets_what_the_session_has_forgotten() -> TestResult {
    let world = World::start(Host::new().requires(["one", "two"])).await?;
    world.session.remove_dep("one").await?;
    let fork = world.session.fork().await?;
    assert_eq!(fork.list_deps().await?, ["two"]);
    fork.remove_dep("two").await?;
    assert_eq!(world.session.list_deps().await?, ["two"]);
    Ok(())
}

#[tokio::test]
async fn a_port_that_answers_in_place_of_the_host_is_still_behind_the_layers() -> TestResult {
    #[derive(Debug)]
    struct Parrot;

    #[async_trait::async_trait]
    impl pcm_runtime_api::HostPort for Parrot {
        async fn call(
            &self,
            call: pcm_runtime_api::HostCall,
        ) -> Result<pcm_runtime_api::Payload, HostError> {
            Ok(call.args)
        }
    }

    let deny = pcm_middleware::layer_fn(|_, _| {
        Box::pin(async { Err(HostError::new("PermissionError", "no")) })
    });
    let host = Host::new().port(Arc::new(Parrot));
    let world = World::start(host.clone()).await?;
    assert_eq!(world.ask(Namespace::Network, "x", json!([1])).await?, json!([1]));
    let world = World::start(host.layers([deny])).await?;
    assert_eq!(kind(&world.ask(Namespace::Network, "x", json!([1])).await), "PermissionError");
    Ok(())
}

#[tokio::test]
async fn a_session_ends_with_its_last_clone() -> Result<(), Box<dyn Error>> {
    let (registry, _) = tools()?;
    let written = Written::default();
    let host = Host::new().own_tools(registry).audit(AuditLog::writer(written.clone()));
    let world = World::start(host).await?;
    let clone = world.session.clone();
    drop(world);
    assert_eq!(written.events()?, ["session.start"]);
    drop(clone);
    assert_eq!(written.events()?, ["session.start", "session.close"]);
    Ok(())
}
