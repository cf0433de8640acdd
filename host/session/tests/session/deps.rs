//! The packages of a session.

use std::sync::{Arc, Mutex, PoisonError};

use pcm_runtime_api::{Executor, Namespace};
use pcm_session::{Host, Session, SessionError};
use pcm_storage::{DepSpec, MemoryStorage, Storage};
use serde_json::json;

use super::support::{Puppet, TestResult, World, kind};

const DEPS: Namespace = Namespace::Deps;

#[tokio::test]
async fn a_list_begins_with_what_is_configured_and_shows_specs_in_one_spelling() -> TestResult {
    let world = World::start(Host::new().requires(["jinja2>=3"])).await?;
    assert_eq!(world.puppet.asked(), [["jinja2>=3"]], "installed at the start");
    assert_eq!(world.ask(DEPS, "list", json!({})).await?, json!(["jinja2>=3"]));
    let added = world.ask(DEPS, "add", json!({"package": "My_Pkg>=1"})).await?;
    assert_eq!(added["installed"], json!(["my-pkg>=1"]));
    assert_eq!(added["failed"], json!([]));
    assert_eq!(world.ask(DEPS, "list", json!({})).await?, json!(["jinja2>=3", "my-pkg>=1"]));
    // Another version takes the place of the first one, configured or not.
    world.ask(DEPS, "add", json!({"package": "my-pkg==2"})).await?;
    world.ask(DEPS, "add", json!({"package": "Jinja2==3.1"})).await?;
    assert_eq!(world.session.list_deps().await?, ["jinja2==3.1", "my-pkg==2"]);
    Ok(())
}

#[tokio::test]
async fn specs_that_a_shell_or_an_installer_would_obey_are_refused() -> TestResult {
    let world = World::start(Host::new()).await?;
    let long = "a".repeat(257);
    for spec in [
        "",
        " ",
        "pandas; rm -rf /",
        "$(whoami)",
        "`id`",
        "a|b",
        "a&b",
        "x @ https://example.org/x.whl",
        "numpy; sys_platform == 'linux'",
        "--index-url=https://example.org",
        "-r/etc/passwd",
        "-e.",
        "./folder",
        "../x",
        "/etc/passwd",
        "file:///etc/passwd",
        "a --pre",
        "a\n--pre",
        "a\r",
        "a\0",
        "ä",
        &long,
    ] {
        let answer = world.ask(DEPS, "add", json!({"package": spec})).await;
        assert_eq!(kind(&answer), "ValueError", "{spec:?} {answer:?}");
        assert!(world.session.add_dep(spec).await.is_err(), "{spec:?}");
    }
    assert_eq!(world.puppet.asked(), Vec::<Vec<String>>::new(), "no installer heard of them");
    Ok(())
}

#[tokio::test]
async fn what_could_not_be_installed_is_an_error_and_not_remembered() -> TestResult {
    let world = World::start(Host::new()).await?;
    let answer = world.ask(DEPS, "add", json!({"package": "missing"})).await;
    assert_eq!(kind(&answer), "InstallError");
    assert_eq!(world.session.list_deps().await?, Vec::<String>::new());
    // The host gets the same as a report.
    let change = world.session.add_dep("missing").await?;
    assert_eq!(
        serde_json::to_value(change)?,
        json!({"installed": [], "already_present": [], "failed": ["missing"],
               "reasons": {"missing": "missing is nowhere"}})
    );
    Ok(())
}

#[tokio::test]
async fn a_package_that_nobody_knows_is_not_found() -> TestResult {
    let world = World::start(Host::new()).await?;
    let removal = world.session.remove_dep("unknown>=1").await?;
    assert_eq!(
        serde_json::to_value(removal)?,
        json!({"removed": [], "not_found": ["unknown"], "failed": [],
               "removed_from_config": false})
    );
    assert_eq!(world.ask(DEPS, "remove", json!({"package": "unknown"})).await?, json!(false));
    Ok(())
}

#[tokio::test]
async fn the_host_removes_what_is_installed_and_code_only_what_is_wanted() -> TestResult {
    let world = World::start(Host::new().requires(["one", "two"])).await?;
    let removal = world.session.remove_dep("one").await?;
    assert_eq!(removal.removed, ["one"]);
    assert!(removal.removed_from_config);
    assert_eq!(world.puppet.installed(), ["two"]);
    assert_eq!(world.ask(DEPS, "remove", json!({"package": "TWO"})).await?, json!(true));
    assert_eq!(world.puppet.installed(), ["two"]);
    assert_eq!(world.session.list_deps().await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn a_package_has_one_name_however_it_is_spelled() -> TestResult {
    let world = World::start(Host::new().requires(["zope.event"])).await?;
    world.session.add_dep("zope.interface").await?;
    world.session.add_dep("Zope-Interface>=5").await?;
    world.session.add_dep("zope_event>=4").await?;
    assert_eq!(world.session.list_deps().await?, ["zope-event>=4", "zope-interface>=5"]);
    world.session.add_dep("zope.interface==6").await?;
    assert_eq!(world.session.list_deps().await?, ["zope-event>=4", "zope.interface==6"]);
    for name in ["zope.interface", "ZOPE__event"] {
        assert!(world.session.remove_dep(name).await?.removed_from_config, "{name}");
    }
    assert_eq!(world.session.list_deps().await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn without_runtime_deps_nothing_is_added_or_removed_and_the_rest_works() -> TestResult {
    let storage = MemoryStorage::new();
    storage.deps().add(&"stored".parse::<DepSpec>()?).await?;
    let host = Host::new().storage(Arc::new(storage)).requires(["one"]).without_runtime_deps();
    let world = World::start(host).await?;
    assert_eq!(world.puppet.installed(), ["one"], "what is configured is installed all the same");
    for op in ["add", "remove"] {
        let answer = world.ask(DEPS, op, json!({"package": "one"})).await;
        assert_eq!(kind(&answer), "RuntimeDepsDisabledError", "{op}");
    }
    for op in ["_add", "_DepsStore__add", "__class__", "install"] {
        let answer = world.ask(DEPS, op, json!({"package": "x"})).await;
        assert_eq!(kind(&answer), "UnknownOperation", "{op}");
    }
    let refused = world.session.add_dep("x").await.err();
    assert!(matches!(refused, Some(SessionError::Host(_))), "{refused:?}");
    assert!(world.session.remove_dep("one").await.is_err());
    // The program itself may, and it is not stored.
    let change = world.session.install_deps(&["own".to_owned(), "missing".to_owned()]).await?;
    assert_eq!((change.installed, change.failed.len()), (vec!["own".to_owned()], 1));
    let removal = world.session.uninstall_deps(&["own".to_owned(), "two".to_owned()]).await?;
    assert_eq!(removal.removed, ["own"]);
    assert_eq!((removal.not_found, removal.removed_from_config), (vec!["two".to_owned()], false));
    assert_eq!(world.ask(DEPS, "list", json!({})).await?, json!(["one", "stored"]));
    let change = world.ask(DEPS, "sync", json!({})).await?;
    assert_eq!(change["installed"], json!(["stored"]));
    assert_eq!(change["already_present"], json!(["one"]));
    Ok(())
}

#[tokio::test]
async fn stored_packages_are_installed_at_the_start_where_the_host_says_so() -> TestResult {
    let storage = Arc::new(MemoryStorage::new());
    storage.deps().add(&"stored".parse::<DepSpec>()?).await?;
    let host = Host::new().storage(storage);
    assert_eq!(World::start(host.clone()).await?.puppet.installed(), Vec::<String>::new());
    assert_eq!(World::start(host.sync_deps_on_start()).await?.puppet.installed(), ["stored"]);
    Ok(())
}

#[tokio::test]
async fn a_session_does_not_start_without_what_it_requires() -> TestResult {
    let puppet = Arc::new(Puppet::default());
    let executor: Arc<dyn Executor> = Arc::<Puppet>::clone(&puppet);
    let error = Session::start(executor, Host::new().requires(["one", "missing"])).await.err();
    assert!(
        matches!(&error, Some(SessionError::Package { spec, .. }) if spec == "missing"),
        "{error:?}"
    );
    Ok(())
}

#[tokio::test]
async fn progress_is_heard() -> TestResult {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&heard);
    let host = Host::new().requires(["one"]).on_progress(move |line| {
        lines.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
    });
    World::start(host).await?;
    assert_eq!(*heard.lock().unwrap_or_else(PoisonError::into_inner), ["Installing one"]);
    Ok(())
}

#[tokio::test]
async fn a_session_whose_wall_is_gone_says_that_it_is_closed() -> TestResult {
    let world = World::start(Host::new()).await?;
    world.session.close().await;
    let error = world.session.add_dep("one").await.err();
    assert!(
        matches!(&error, Some(SessionError::Host(error)) if error.error_type == "ClosedError"),
        "{error:?}"
    );
    assert_eq!(world.session.list_deps().await?, Vec::<String>::new(), "nothing was remembered");
    Ok(())
}

#[tokio::test]
async fn many_additions_at_once_are_all_remembered() -> TestResult {
    let world = World::start(Host::new()).await?;
    let calls: Vec<_> = (0..100)
        .map(|number| super::support::call(DEPS, "add", json!({"package": format!("p{number}")})))
        .collect();
    for answer in world.gather(&calls).await {
        answer?;
    }
    assert_eq!(world.session.list_deps().await?.len(), 100);
    Ok(())
}

#[tokio::test]
async fn packages_cannot_be_added_for_ever() -> TestResult {
    let world = World::start(Host::new()).await?;
    for number in 0..100 {
        world.ask(DEPS, "add", json!({"package": format!("package-{number}")})).await?;
    }
    let answer = world.ask(DEPS, "add", json!({"package": "one-more"})).await;
    assert_eq!(kind(&answer), "LimitExceeded", "{answer:?}");
    assert_eq!(world.session.list_deps().await?.len(), 100);
    Ok(())
}
