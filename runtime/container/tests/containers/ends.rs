//! How containers, hosts and engines end, and what is left of them: nothing.

use std::io::{BufRead as _, BufReader};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use pcm_runtime_api::{ErrorKind, Executor as _, Limits, SandboxConfig, SessionState};
use pcm_runtime_container::Images;
use serde_json::json;

use crate::fixture::{
    Check, Test, check, containers, docker, engine, run, same, started, until, value,
};

pub(crate) const TESTS: [(&str, Test); 6] = [
    ("whatever_ends_a_kernel_the_next_run_has_another", || Box::pin(kernels())),
    ("code_that_stops_its_own_worker_costs_itself_only", || Box::pin(workers())),
    ("a_container_that_somebody_kills_is_a_crash", || Box::pin(killed())),
    ("an_engine_that_stops_is_a_crash_and_one_that_comes_back_is_used", || Box::pin(engines())),
    ("an_engine_that_is_not_there_is_told_at_the_start", || Box::pin(absent())),
    ("a_host_that_is_killed_leaves_nothing", || Box::pin(hosts())),
];

async fn kernels() -> Check {
    let engine = engine(|settings| settings.warm = 1);
    let session = started(&engine, SandboxConfig::default()).await?;
    for (code, fate) in [
        ("import os; os._exit(3)", "status 3"),
        ("import os; os.kill(os.getpid(), 9)", "killed"),
        ("import ctypes; ctypes.string_at(0)", "crashed"),
        ("import os; os.kill(-1, 9)", ""),
    ] {
        let result = run(&session, &format!("x = 1\nprint('before', flush=True)\n{code}")).await;
        let error = result.error.ok_or("no error")?;
        same((error.kind, result.session), (ErrorKind::Crashed, SessionState::Reset))?;
        check(error.message.contains(fate), || format!("{code}: {}", error.message))?;
        same(value(&session, "'x' in globals()").await?, json!(false))?;
    }
    session.close().await;
    Ok(())
}

async fn workers() -> Check {
    const NAME: &str = "pcm-test-stops";
    let limits = Limits { timeout: Some(Duration::from_secs(2)), ..Limits::default() };
    let engine = engine(|settings| settings.name = Some(NAME.to_owned()));
    let session = started(&engine, limits).await?;
    let result = run(
        &session,
        "import os, signal, time; os.kill(os.getppid(), signal.SIGSTOP); time.sleep(100)",
    )
    .await;
    same(result.session, SessionState::Reset)?;
    same(value(&session, "1").await?, json!(1))?;
    until("the stopped one is removed", || Ok(containers(NAME)?.len() == 1)).await?;
    session.close().await;
    until("all are removed", || Ok(containers(NAME)?.is_empty())).await
}

async fn killed() -> Check {
    const NAME: &str = "pcm-test-killed";
    let engine = engine(|settings| settings.name = Some(NAME.to_owned()));
    let session = started(&engine, SandboxConfig::default()).await?;
    let kill = thread::spawn(|| {
        thread::sleep(Duration::from_secs(1));
        containers(NAME)?.iter().try_for_each(|id| docker(&["kill", id]).map(drop))
    });
    let result = run(&session, "import time; time.sleep(20)").await;
    kill.join().map_err(|_| "the killer panicked")??;
    let error = result.error.ok_or("no error")?;
    same((error.kind, result.session), (ErrorKind::Crashed, SessionState::Reset))?;
    check(error.message.contains("it was killed"), || error.message.clone())?;
    same(value(&session, "1").await?, json!(1))?;
    session.close().await;
    Ok(())
}

/// The engine by another socket, which can be closed.
struct Relay {
    place: PathBuf,
    open: Arc<AtomicBool>,
    _folder: tempfile::TempDir,
}

impl Relay {
    fn start() -> Result<Self, libtest_mimic::Failed> {
        let real = std::env::var("DOCKER_HOST")
            .unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned());
        let real = PathBuf::from(real.trim_start_matches("unix://"));
        let folder = tempfile::tempdir()?;
        let place = folder.path().join("engine.sock");
        let listener = UnixListener::bind(&place)?;
        let open = Arc::new(AtomicBool::new(true));
        let is_open = Arc::clone(&open);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if !is_open.load(Ordering::SeqCst) {
                    continue; // closed at once
                }
                let Ok(engine) = UnixStream::connect(&real) else { continue };
                for (mut from, mut to) in
                    [(client.try_clone(), engine.try_clone()), (Ok(engine), Ok(client))]
                        .into_iter()
                        .filter_map(|(from, to)| Some((from.ok()?, to.ok()?)))
                {
                    thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(std::net::Shutdown::Write);
                    });
                }
            }
        });
        Ok(Self { place, open, _folder: folder })
    }
}

async fn engines() -> Check {
    const NAME: &str = "pcm-test-engine";
    let relay = Relay::start()?;
    let place = format!("unix://{}", relay.place.display());
    let engine = engine(|settings| {
        settings.engine = Some(place);
        settings.name = Some(NAME.to_owned());
    });
    let session = started(&engine, SandboxConfig::default()).await?;
    let open = Arc::clone(&relay.open);
    // An engine that stops ends its containers.
    let stop = thread::spawn(move || {
        thread::sleep(Duration::from_secs(1));
        open.store(false, Ordering::SeqCst);
        containers(NAME)?.iter().try_for_each(|id| docker(&["kill", id]).map(drop))
    });
    let result = run(&session, "import time; time.sleep(20)").await;
    stop.join().map_err(|_| "it panicked")??;
    let error = result.error.ok_or("no error")?;
    same((error.kind, result.session), (ErrorKind::Crashed, SessionState::Reset))?;
    let result = run(&session, "1").await;
    same(result.error.map(|error| error.kind), Some(ErrorKind::Startup))?;
    relay.open.store(true, Ordering::SeqCst);
    same(value(&session, "1").await?, json!(1))?;
    session.close().await;
    until("all are removed", || Ok(containers(NAME)?.is_empty())).await
}

async fn absent() -> Check {
    let engine =
        engine(|settings| settings.engine = Some("unix:///nowhere/docker.sock".to_owned()));
    let session = pcm_runtime_container::ContainerSandbox::new(engine, SandboxConfig::default());
    let error = run(&session, "1").await.error.ok_or("no error")?;
    same(error.kind, ErrorKind::Startup)?;
    check(
        error.message.contains("/nowhere/docker.sock") && error.message.contains("start it"),
        || error.message.clone(),
    )?;
    let session = pcm_runtime_container::ContainerSandbox::new(
        crate::fixture::engine(|settings| {
            settings.engine = Some("tcp://127.0.0.1:2375".to_owned());
        }),
        SandboxConfig::default(),
    );
    let error = run(&session, "1").await.error.ok_or("no error")?;
    check(error.message.contains("not on this machine"), || error.message.clone())
}

/// A variable with the name that a small host's containers have.
const SMALL_HOST: &str = "PCM_TEST_SMALL_HOST";

/// Where this process is one, it has a session until it is killed.
pub(crate) fn be_a_small_host() -> bool {
    let Ok(name) = std::env::var(SMALL_HOST) else { return false };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let Ok(runtime) = runtime else { return true };
    runtime.block_on(async {
        let engine = engine(|settings| settings.name = Some(name.clone()));
        let Ok(session) = started(&engine, SandboxConfig::default()).await else { return };
        let stops = name.contains("stopped");
        let stop = "import os, signal; os.kill(os.getppid(), signal.SIGSTOP)";
        #[expect(clippy::print_stdout, reason = "who has started it waits for that")]
        {
            println!("ready");
        }
        if stops {
            run(&session, &format!("{stop}\nimport time; time.sleep(1000)")).await;
        }
        tokio::time::sleep(Duration::from_mins(10)).await;
    });
    true
}

/// A host that is killed whatever becomes of its test.
struct SmallHost(Child);

impl SmallHost {
    fn start(name: &str) -> Result<Self, libtest_mimic::Failed> {
        let mut host = Self(
            Command::new(std::env::current_exe()?)
                .env(SMALL_HOST, name)
                .stdout(Stdio::piped())
                .spawn()?,
        );
        let mut line = String::new();
        BufReader::new(host.0.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        same(line.trim(), "ready")?;
        Ok(host)
    }
}

impl Drop for SmallHost {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn hosts() -> Check {
    for name in ["pcm-test-host", "pcm-test-stopped-host"] {
        let host = SmallHost::start(name)?;
        let running = containers(name)?;
        let [container] = running.as_slice() else { return Err(format!("{running:?}").into()) };
        if name.contains("stopped") {
            let state = ["top", container, "-o", "pid,stat"];
            until("its worker is stopped", || {
                Ok(docker(&state)?.lines().skip(1).any(|line| line.contains('T')))
            })
            .await?;
        }
        drop(host);
        if name.contains("stopped") {
            // A worker that is stopped cannot notice. The next host that comes does: this one, or another test.
            Images::connect(None).await?;
        }
        until("its container is gone", || Ok(containers(name)?.is_empty())).await?;
    }
    Ok(())
}
