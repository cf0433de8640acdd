//! What a session in a container does as every other.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pcm_runtime_api::{
    Capability, ErrorKind, Executor as _, Limits, Mount, MountAccess, OutputStream, RunEvent,
    RunRequest, SandboxConfig, SessionState,
};
use pcm_runtime_subprocess::EnvironmentPackages;
use serde_json::json;

use crate::fixture::{
    Check, Test, check, containers, engine, kind, run, same, session, started, until, value,
};

pub(crate) const TESTS: [(&str, Test); 7] = [
    ("a_session_runs_calls_and_remembers", || Box::pin(runs())),
    ("a_run_is_stopped_in_time_and_the_next_one_works", || Box::pin(stops())),
    ("files_are_put_and_got", || Box::pin(files())),
    ("folders_of_the_host_are_read_and_written", || Box::pin(folders())),
    ("what_cannot_be_mounted_is_refused", || Box::pin(refused_folders())),
    ("packages_come_while_a_session_lives", || Box::pin(packages())),
    ("a_container_that_waits_is_taken_and_another_one_comes", || Box::pin(waits())),
];

async fn runs() -> Check {
    let session = session().await?;
    same(value(&session, "x = 40\nx + 2").await?, json!(42))?;
    same(value(&session, "x").await?, json!(40))?;
    let called = value(&session, "tools.echo(a=1)").await?;
    same(called, json!({"name": "echo", "args": {"a": 1}}))?;
    let several = "import asyncio\n[it['args']['i'] for it in await asyncio.gather(*[tools.echo(i=i) for i in range(20)])]";
    same(value(&session, several).await?, json!((0..20).collect::<Vec<_>>()))?;
    let heard = Arc::new(Mutex::new(String::new()));
    let list = Arc::clone(&heard);
    let request = RunRequest::new("print('out')\nimport sys; print('err', file=sys.stderr)\n1 / 0");
    let request = request.on_event(move |event| {
        if let RunEvent::Output { stream: OutputStream::Stdout, text } = event {
            list.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
        }
    });
    let result = session.run(request).await;
    same((result.stdout.as_str(), result.stderr.as_str()), ("out\n", "err\n"))?;
    same(heard.lock().unwrap_or_else(PoisonError::into_inner).as_str(), "out\n")?;
    same(result.error.map(|error| error.error_type).as_deref(), Some("ZeroDivisionError"))?;
    same(result.backend.as_str(), "container")?;
    session.reset().await?;
    same(value(&session, "'x' in globals()").await?, json!(false))?;
    session.close().await;
    same(kind(&session, "1").await?, ErrorKind::Closed)
}

async fn stops() -> Check {
    let limits = Limits { timeout: Some(Duration::from_millis(500)), ..Limits::default() };
    let session = started(&engine(|settings| settings.warm = 1), limits).await?;
    value(&session, "x = 1").await?;
    let result = run(&session, "while True: pass").await;
    same(result.error.map(|error| error.kind), Some(ErrorKind::Timeout))?;
    same(result.session, SessionState::Kept)?;
    same(value(&session, "x").await?, json!(1))?;
    // One function in C, which looks for no signal.
    let stubborn = "import hashlib; hashlib.pbkdf2_hmac('sha256', b'', b'', 10 ** 9)";
    let result = run(&session, stubborn).await;
    same(result.error.map(|error| error.kind), Some(ErrorKind::Timeout))?;
    same(result.session, SessionState::Reset)?;
    same(value(&session, "'x' in globals()").await?, json!(false))?;
    session.close().await;
    Ok(())
}

async fn files() -> Check {
    let session = session().await?;
    session.put_file("data/in.txt", b"text".to_vec()).await?;
    value(&session, "open('out.txt', 'w').write(open('data/in.txt').read() * 2)").await?;
    same(session.get_file("/work/out.txt", 100).await?, b"texttext".to_vec())?;
    check(session.get_file("../../../etc/passwd", 1 << 20).await.is_err(), || {
        "it leads out".to_owned()
    })?;
    session.close().await;
    Ok(())
}

async fn folders() -> Check {
    let folder = tempfile::tempdir()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777))?;
    fs::write(folder.path().join("in.txt"), "text")?;
    let mount =
        |guest: &str, access| Mount { host: folder.path().into(), guest: guest.to_owned(), access };
    let mounts = vec![mount("/data", MountAccess::ReadOnly), mount("/out", MountAccess::ReadWrite)];
    let config = SandboxConfig { mounts, ..SandboxConfig::default() };
    let session = started(&engine(|_| {}), config).await?;
    same(value(&session, "open('/data/in.txt').read()").await?, json!("text"))?;
    let write = "
try:
    open('/data/new.txt', 'w')
except OSError as error:
    caught = error.strerror
open('/out/new.txt', 'w').write('written')
caught";
    same(value(&session, write).await?, json!("Read-only file system"))?;
    session.close().await;
    same(fs::read_to_string(folder.path().join("new.txt"))?.as_str(), "written")
}

async fn refused_folders() -> Check {
    let folder = tempfile::tempdir()?;
    let engine = engine(|_| {});
    for (guest, access) in [
        ("/", MountAccess::ReadOnly),
        ("/opt/pcm/x", MountAccess::ReadOnly),
        ("/run/pcm", MountAccess::ReadOnly),
        ("/usr", MountAccess::ReadWrite),
        ("data", MountAccess::ReadOnly),
        ("/data", MountAccess::Overlay),
    ] {
        let mounts = vec![Mount { host: folder.path().into(), guest: guest.to_owned(), access }];
        let config = SandboxConfig { mounts, ..SandboxConfig::default() };
        let refused = started(&engine, config).await.is_err();
        check(refused, || format!("{guest} was mounted"))?;
    }
    Ok(())
}

async fn packages() -> Check {
    let engine = engine(|_| {});
    let version = engine.python(&|_| {}).await?;
    let source = Arc::new(EnvironmentPackages::of_version(version));
    let config = SandboxConfig { packages: Some(source), ..SandboxConfig::default() };
    let session = started(&engine, config).await?;
    check(session.capabilities().contains(&Capability::DepsInstall), || "no packages".to_owned())?;
    let missing = run(&session, "import tabulate").await.error.map(|error| error.error_type);
    same(missing.as_deref(), Some("ModuleNotFoundError"))?;
    let report = session.install_deps(&["tabulate".to_owned()], &|_| {}).await?;
    same(report.changed, vec!["tabulate".to_owned()])?;
    let code =
        "import importlib; importlib.invalidate_caches()\nimport tabulate\ntabulate.__file__";
    let place = value(&session, code).await?;
    check(place.as_str().is_some_and(|place| place.starts_with("/run/pcm/")), || {
        place.to_string()
    })?;
    session.reset().await?;
    value(&session, "import tabulate").await?;
    session.close().await;
    Ok(())
}

async fn waits() -> Check {
    const NAME: &str = "pcm-test-waits";
    let engine = engine(|settings| {
        settings.warm = 1;
        settings.name = Some(NAME.to_owned());
    });
    engine.warm().await?;
    let waiting = containers(NAME)?;
    same(waiting.len(), 1)?;
    let session = started(&engine, SandboxConfig::default()).await?;
    value(&session, "1").await?;
    until("another one waits", || Ok(containers(NAME)?.len() == 2)).await?;
    check(containers(NAME)?.contains(&waiting[0]), || "the session did not take it".to_owned())?;
    session.close().await;
    check(!containers(NAME)?.contains(&waiting[0]), || "it is not removed".to_owned())?;
    // It may be on its way still.
    tokio::time::sleep(Duration::from_secs(2)).await;
    drop((session, engine));
    until("what waited is gone", || Ok(containers(NAME)?.is_empty())).await
}
