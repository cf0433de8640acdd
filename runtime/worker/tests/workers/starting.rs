//! Workers that do not start, and how many there may be.

use std::env;
use std::fs;
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::exit;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use futures_util::FutureExt as _;
use libtest_mimic::{Failed, Trial};
use pcm_runtime_api::{ErrorKind, Executor as _, Limits, RunRequest, SandboxConfig};
use pcm_runtime_jail::JailMode;
use pcm_runtime_wire::{News, encode};
use pcm_runtime_worker::{Pool, WorkerSandbox};
use tokio::runtime::Builder;

use crate::act::Act;
use crate::engine::KIND;
use crate::fixture::{Check, Fixture, Session, check, pool, until};
use crate::probe::Probe;
use crate::system;

pub(crate) fn trials(fixture: &Arc<Fixture>) -> Vec<Trial> {
    vec![
        fixture.trial("a_worker_that_cannot_start_is_an_error", cannot_start),
        fixture.trial("a_worker_of_another_version_is_refused", other_version),
        fixture.trial("a_program_that_is_no_worker_is_an_error", no_worker),
        fixture.trial("a_session_that_cannot_start_is_a_result", no_session),
        fixture.trial("what_engines_need_is_made_in_a_process_of_its_own", prepares),
        fixture.trial("there_are_as_many_sessions_as_there_may_be", most),
        fixture.trial("sessions_have_as_much_memory_as_there_is_for_them", memory),
        fixture.trial("workers_that_fail_are_not_started_over_and_over", backs_off),
        fixture.trial("a_pool_outlives_a_runtime", two_runtimes),
        fixture.trial("spares_that_died_are_replaced", dead_spares),
        fixture.trial("a_jail_may_be_off", no_jail),
    ]
}

/// What this program does in the place of a worker, for some engines that are none.
pub(crate) fn pose() {
    let mut arguments = env::args().skip(1);
    if arguments.next().as_deref() != Some("--pcm-sandbox-worker") {
        return;
    }
    let start = arguments.next().unwrap_or_default();
    let hello = |version: &str| {
        let jail = serde_json::Value::Null;
        encode(&News::Hello { version: version.to_owned(), jail }, &[]).unwrap_or_default()
    };
    let said = if start.contains("pose-old-version") {
        hello("0.0.1")
    } else if start.contains("pose-old-protocol") {
        let mut said = hello(env!("CARGO_PKG_VERSION"));
        said[3] = said[3].wrapping_add(1);
        said
    } else {
        return;
    };
    let _ = rustix::io::write(std::io::stdin().as_fd(), &said);
    // As long as there is a host, and no longer: nothing surrounds it that would end it.
    while rustix::io::read(std::io::stdin().as_fd(), &mut [0_u8; 64]).is_ok_and(|count| count > 0) {
    }
    exit(0);
}

/// What a pool says of a worker that does not start.
async fn refusal(pool: &Pool) -> Result<String, Failed> {
    match pool.warm().await {
        Ok(()) => Err("it started".into()),
        Err(error) => Ok(error.to_string()),
    }
}

async fn cannot_start(_: Arc<Fixture>) -> Check {
    let engines = [
        ("unloadable", "the sandbox's process failed: no image"),
        ("unwarmable", "the sandbox's process failed: no fire"),
        ("panics-loading", "the sandbox's process failed: the engine burst while loading"),
        ("panics-warming", "the sandbox's process failed: the engine burst while warming"),
        ("unknown", "the sandbox's process failed: this program has no engine \"unknown\""),
    ];
    for (engine, expected) in engines {
        let said = refusal(&pool(|config| config.engine = engine.into())?).await?;
        check(said == expected, || format!("{engine}: {said}"))?;
    }
    Ok(())
}

async fn other_version(_: Arc<Fixture>) -> Check {
    let said = refusal(&pool(|config| config.engine = "pose-old-version".into())?).await?;
    check(said.contains("0.0.1"), || said.clone())?;
    let said = refusal(&pool(|config| config.engine = "pose-old-protocol".into())?).await?;
    check(said.contains("version"), || said.clone())
}

async fn no_worker(_: Arc<Fixture>) -> Check {
    let programs = [
        ("/bin/true", "ended"),
        ("/bin/cat", "ended"),
        ("/no/such/program", "could not be started"),
    ];
    for (program, expected) in programs {
        let said = refusal(&pool(|config| config.program = Some(program.into()))?).await?;
        check(said.contains(expected), || format!("{program}: {said}"))?;
    }
    Ok(())
}

async fn no_session(_: Arc<Fixture>) -> Check {
    let pool = pool(|config| config.engine = "unwarmable".into())?;
    let sandbox = WorkerSandbox::new(pool, KIND, Limits::default());
    let result = sandbox.run(RunRequest::new(Act::Recall.code())).await;
    let error = result.error.as_ref();
    check(error.is_some_and(|error| error.kind == ErrorKind::Startup), || format!("{result:?}"))?;
    check(error.is_some_and(|error| error.message.contains("no fire")), || format!("{result:?}"))
}

async fn prepares(_: Arc<Fixture>) -> Check {
    let lines = Mutex::new(Vec::new());
    let hears =
        |line: &str| lines.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
    pool(|config| config.engine = "made".into())?.prepare(&hears).await?;
    let said = lines.lock().unwrap_or_else(PoisonError::into_inner).clone();
    check(said == ["making", "keeping"], || format!("{said:?}"))?;
    let pool = pool(|config| config.engine = "panics-warming".into())?;
    let failed = pool.prepare(&|_| {}).await.err().map(|error| error.to_string());
    let expected = "the sandbox's process failed: nothing to make it of";
    check(failed.as_deref() == Some(expected), || format!("{failed:?}"))
}

async fn most(_: Arc<Fixture>) -> Check {
    let pool = pool(|config| {
        (config.most, config.warm, config.patience) = (1, 0, Duration::from_millis(20));
    })?;
    let first = Session::start(&pool, SandboxConfig::default()).await?;
    check(pool.status().busy == 1, || format!("{:?}", pool.status()))?;
    let said = Session::start(&pool, SandboxConfig::default()).await.err();
    let said = said.and_then(|failed| failed.message().map(str::to_owned)).unwrap_or_default();
    check(said.contains("there are 1 sandboxes already") && said.contains("`most`"), || {
        said.clone()
    })?;
    // Its own place is enough for a session that needs another worker.
    first.sandbox.reset().await?;
    first.run(&Act::Probe(Probe::Abort)).await;
    first.works().await?;
    first.sandbox.close().await;
    Session::start(&pool, SandboxConfig::default()).await?.works().await
}

async fn memory(_: Arc<Fixture>) -> Check {
    let patient = Arc::new(pool(|config| {
        (config.memory_bytes, config.warm) = (300 << 20, 0);
    })?);
    let impatient = pool(|config| {
        config.memory_bytes = 300 << 20;
        (config.warm, config.patience) = (0, Duration::from_millis(20));
    })?;
    let config = |mib: u64| {
        let limits = Limits { memory_bytes: mib << 20, ..Limits::default() };
        SandboxConfig::from(limits)
    };
    let refused = async |pool: &Pool, mib| {
        let said = Session::start(pool, config(mib)).await.err();
        let said = said.and_then(|failed| failed.message().map(str::to_owned)).unwrap_or_default();
        check(said.contains("300 MiB") && said.contains("`memory_bytes`"), || said.clone())
    };
    // More than there ever is: nobody waits for that.
    refused(&patient, 301).await?;
    let first = Session::start(&impatient, config(200)).await?;
    refused(&impatient, 101).await?;
    Session::start(&impatient, config(100)).await?.works().await?;
    first.works().await?;
    // Who is patient gets what another one gives back.
    let first = Session::start(&patient, config(200)).await?;
    let waits = Arc::clone(&patient);
    let second = tokio::spawn(async move { Session::start(&waits, config(200)).await });
    tokio::task::yield_now().await;
    check(!second.is_finished(), || "it did not wait".to_owned())?;
    first.sandbox.close().await;
    second.await??.works().await
}

/// A program that takes note of its starts, and fails while there is a file.
struct Script {
    folder: tempfile::TempDir,
    program: PathBuf,
}

impl Script {
    fn new() -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        let program = folder.path().join("program");
        let (path, this) = (folder.path().display(), env::current_exe()?);
        let script = format!(
            "#!/bin/sh\necho started >> {path}/log\n[ -e {path}/broken ] && exit 3\nexec {} \"$@\"\n",
            this.display()
        );
        fs::write(&program, script)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        Ok(Self { folder, program })
    }

    fn starts(&self) -> usize {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        log.lines().count()
    }
}

async fn backs_off(_: Arc<Fixture>) -> Check {
    let script = Script::new()?;
    let pool = pool(|config| config.program = Some(script.program.clone()))?;
    pool.warm().await?;
    let broken = script.folder.path().join("broken");
    fs::write(&broken, "")?;
    // The spare lives; the one that shall replace it fails, and nobody tries that again by himself.
    let session = Session::start(&pool, SandboxConfig::default()).await?;
    until(|| pool.status().starting == 0 && script.starts() == 2).await;
    session.works().await?;
    let refused = Session::start(&pool, SandboxConfig::default()).await.err();
    let said = refused.and_then(|failed| failed.message().map(str::to_owned)).unwrap_or_default();
    check(said.contains("status 3"), || said.clone())?;
    check(script.starts() == 3, || format!("{} starts", script.starts()))?;
    // Who asks is served at once when it works again, and there is a spare again after a while.
    fs::remove_file(broken)?;
    Session::start(&pool, SandboxConfig::default()).await?.works().await?;
    until(|| pool.status().warm == 1).await;
    session.works().await
}

async fn two_runtimes(_: Arc<Fixture>) -> Check {
    let pool = pool(|config| config.warm = 2)?;
    for _ in 0..3 {
        let pool = pool.clone();
        let lived = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            // It ends while spares are being started.
            runtime.block_on(async {
                let session = Session::start(&pool, SandboxConfig::default()).await?;
                session.works().await
            })
        });
        lived.join().map_err(|_| Failed::from("it panicked"))??;
    }
    check(pool.status().starting == 0, || format!("{:?}", pool.status()))
}

async fn dead_spares(_: Arc<Fixture>) -> Check {
    let host = std::process::id();
    let others = system::descendants(host);
    let pool = pool(|config| config.warm = 3)?;
    pool.warm().await?;
    until(|| pool.status().warm == 3).await;
    let mut spares = system::descendants(host);
    spares.retain(|process| others.iter().all(|other| other.id != process.id));
    // Workers are taken from the other end; so those that died would be found late.
    spares.sort_by_key(|process| process.id);
    spares.truncate(spares.len() / 3 * 2);
    for process in &spares {
        // SAFETY: a process that this one has started.
        unsafe { libc::kill(process.id.cast_signed(), libc::SIGKILL) };
    }
    until(|| spares.iter().all(|process| !system::lives(process.id))).await;
    let session = Session::start(&pool, SandboxConfig::default()).await?;
    until(|| pool.status().warm == 3).await;
    until(|| spares.iter().all(|process| !system::is_known(process.id))).await;
    session.works().await
}

async fn no_jail(_: Arc<Fixture>) -> Check {
    let pool = pool(|config| (config.jail, config.warm) = (JailMode::Off, 0))?;
    let session = Session::start(&pool, SandboxConfig::default()).await?;
    session.works().await?;
    check(pool.jail().is_some_and(|jail| !jail.is_complete()), || format!("{:?}", pool.jail()))?;
    let process = session.process().await?;
    // Nothing surrounds it: it is killed.
    let mut run = session.sandbox.run(RunRequest::new(Act::Probe(Probe::Deaf).code()));
    check((&mut run).now_or_never().is_none(), || "it was too fast".to_owned())?;
    drop(run);
    until(|| !system::lives(process)).await;
    session.works().await
}
