//! What a session in a worker is owed.

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use libtest_mimic::{Failed, Trial};
use pcm_runtime_api::{
    ChangeKind, ErrorKind, Executor, ExecutorError, FileChange, Limits, Mount, MountAccess,
    NoPackages, PackageSource, Progress, RunEvent, RunRequest, SandboxConfig, SessionState,
};
use serde_json::{Value, json};

use crate::act::Act;
use crate::fixture::{Check, Fixture, Session, check, until};
use crate::probe::Probe;
use crate::system;

pub(crate) fn trials(fixture: &Arc<Fixture>) -> Vec<Trial> {
    vec![
        fixture.trial("a_run_gives_its_value_output_events_and_files", gives),
        fixture.trial("a_session_keeps_its_state_and_a_reset_clears_it", keeps),
        fixture.trial("calls_are_answered_or_fail_by_themselves", calls),
        fixture.trial("two_hundred_calls_at_once_are_answered", gathers),
        fixture.trial("a_call_may_run_another_sandbox", nests),
        fixture.trial("a_call_that_is_given_up_is_dropped_on_the_host", gives_up),
        fixture.trial("a_call_that_is_left_behind_disturbs_nothing", abandons),
        fixture.trial("a_run_that_hears_stops_by_itself_and_keeps_its_session", stops),
        fixture.trial("a_run_that_is_deaf_is_ended_for_its_time", deaf_to_time),
        fixture.trial("a_run_that_is_deaf_is_ended_for_an_interrupt", deaf_to_interrupts),
        fixture.trial("a_run_that_nobody_waits_for_ends_its_worker", dropped_run),
        fixture.trial("a_file_that_nobody_waits_for_loses_no_session", dropped_file),
        fixture.trial("files_and_their_errors_pass", files),
        fixture.trial("a_closed_session_says_so", closes),
        fixture.trial("closing_ends_the_run_that_goes_on", closes_while_running),
        fixture.trial("closing_ends_a_run_that_begins_just_now", closes_while_beginning),
        fixture.trial("fuel_is_mirrored_and_refilled", fuel),
        fixture.trial("a_lost_run_costs_what_it_might_have_used", lost_fuel),
        fixture.trial("states_pass_through", states),
        fixture.trial("mounts_are_read_and_written", mounts),
        fixture.trial("packages_appear_while_a_session_lives", packages),
        fixture.trial("two_sessions_never_share_a_worker", apart),
    ]
}

async fn gives(fixture: Arc<Fixture>) -> Check {
    let session = fixture.session().await?;
    let files = vec![FileChange { path: "/a".to_owned(), change: ChangeKind::Created, bytes: 3 }];
    let act = Act::Output {
        stdout: "out ü".to_owned(),
        stderr: "err".to_owned(),
        shown: json!({"x": [1, 2.5, null]}),
        files: files.clone(),
    };
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&heard);
    let request = RunRequest::new(act.code())
        .on_event(move |event| sink.lock().unwrap_or_else(PoisonError::into_inner).push(event));
    let result = session.sandbox.run(request).await;
    check(result.is_ok() && result.session == SessionState::Kept, || format!("{result:?}"))?;
    check(result.stdout == "out ü" && result.stderr == "err", || format!("{result:?}"))?;
    check(result.files == files && result.display.len() == 1, || format!("{result:?}"))?;
    check(result.backend == "native", || format!("{result:?}"))?;
    let heard = heard.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let texts = heard.iter().filter(|event| matches!(event, RunEvent::Output { .. })).count();
    check(texts == 2 && heard.len() == 3, || format!("{heard:?}"))?;
    let value = json!({"deep": [{"a": 1}, "ü", null, true, 1e300]});
    let given = session.value(&Act::Value(value.clone())).await?;
    check(given == value, || given.to_string())
}

async fn keeps(fixture: Arc<Fixture>) -> Check {
    let session = fixture.session().await?;
    session.value(&Act::Remember(7)).await?;
    check(session.value(&Act::Recall).await? == 7, || "it forgot".to_owned())?;
    let before = session.process().await?;
    session.sandbox.reset().await?;
    check(session.value(&Act::Recall).await? == 0, || "it remembers".to_owned())?;
    check(session.process().await? != before, || "it is the same process".to_owned())?;
    until(|| !system::lives(before)).await;
    Ok(())
}

async fn calls(fixture: Arc<Fixture>) -> Check {
    let session = fixture.session().await?;
    let call = |op: &str| Act::Call { op: op.to_owned(), args: json!({"a": [1]}) };
    check(session.value(&call("echo")).await? == json!({"a": [1]}), || "no echo".to_owned())?;
    let failure = |op: &str, expected: &str| {
        let (run, expected) = (call(op), expected.to_owned());
        let session = &session;
        async move {
            let result = session.run(&run).await;
            let error = result.error.as_ref().map(|error| error.error_type.as_str());
            check(error == Some(expected.as_str()), || format!("{result:?}"))?;
            check(result.session == SessionState::Kept, || format!("{result:?}"))
        }
    };
    failure("fail", "NotToday").await?;
    failure("panic", "HostPanic").await?;
    failure("no such operation", "UnknownOperation").await?;
    let result = session.run(&call("echo")).await;
    check(result.usage.tool_calls == 1, || format!("{:?}", result.usage))
}

async fn gathers(fixture: Arc<Fixture>) -> Check {
    let session = fixture.session().await?;
    let act = Act::Gather { op: "later".to_owned(), count: 200 };
    let expected: Vec<u64> = (0..200).collect();
    let value = session.value(&act).await?;
    check(value == json!(expected), || value.to_string())?;
    check(session.tools.calls() == 200, || session.tools.calls().to_string())
}

async fn nests(fixture: Arc<Fixture>) -> Check {
    let session = fixture.session().await?;
    let inner = serde_json::to_value(Act::Value(json!("from inside")))?;
    let outer = Act::Call { op: "run".to_owned(), args: inner };
    let twice = Act::Call { op: "run".to_owned(), args: serde_json::to_value(outer)? };
    check(session.value(&twice).await? == "from inside", || "nothing came".to_owned())
}

async fn gives_up(fixture: Arc<Fixture>) -> Check {
    let session = fixture.session().await?;
    let act = Act::GiveUp { op: "forever".to_owned() };
    check(session.value(&act).await? == "given up", || "it was not".to_owned())?;
    check(session.tools.waiting() == 0, || "the host still works on it".to_owned())
}

async fn abandons(fixture: Arc<Fixture>) -> Check {
    let session = fixture.session().await?;
    for _ in 0..3 {
        session.value(&Act::Abandon { op: "forever".to_owned() }).await?;
        check(session.tools.waiting() == 0, || "the host still works on it".to_owned())?;
        session.sandbox.put_file("/a", b"content".to_vec()).await?;
        session.sandbox.get_file("/a", 7).await?;
    }
    session.works().await
}

async fn stops(fixture: Arc<Fixture>) -> Check {
    let session = fixture.session().await?;
    session.value(&Act::Remember(7)).await?;
    let request = RunRequest::new(Act::Wait.code()).timeout(Duration::from_millis(20));
    let result = session.sandbox.run(request).await;
    check(kind(&result) == Some(ErrorKind::Timeout), || format!("{result:?}"))?;
    let mut run = session.sandbox.run(RunRequest::new(Act::Wait.code()));
    let result = loop {
        session.sandbox.interrupt();
        if let Some(result) = (&mut run).now_or_never() {
            break result;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    };
    check(kind(&result) == Some(ErrorKind::Cancelled), || format!("{result:?}"))?;
    check(result.session == SessionState::Kept, || format!("{result:?}"))?;
    drop(run);
    check(session.value(&Act::Recall).await? == 7, || "it forgot".to_owned())
}

fn kind(result: &pcm_runtime_api::ExecutionResult) -> Option<ErrorKind> {
    result.error.as_ref().map(|error| error.kind)
}

async fn deaf_to_time(fixture: Arc<Fixture>) -> Check {
    let session = fixture.session().await?;
    session.value(&Act::Remember(7)).await?;
    let process = session.process().await?;
    let request =
        RunRequest::new(Act::Probe(Probe::Deaf).code()).timeout(Duration::from_millis(10));
    let result = session.sandbox.run(request).await;
    check(kind(&result) == Some(ErrorKind::Timeout), || format!("{result:?}"))?;
    check(result.session == SessionState::Reset, || format!("{result:?}"))?;
    until(|| !system::lives(process)).await;
    check(session.value(&Act::Recall).await? == 0, || "it is not fresh".to_owned())
}

async fn deaf_to_interrupts(fixture: Arc<Fixture>) -> Check {
    let session = fixture.session().await?;
    let sandbox = Arc::clone(&session.sandbox);
    let deaf = Act::Probe(Probe::Deaf).code();
    let run = tokio::spawn(async move { sandbox.run(RunRequest::new(deaf)).await });
    while !run.is_finished() {
        session.sandbox.interrupt(); // nothing, as long as the run has not begun
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let result = run.await?;
    check(kind(&result) == Some(ErrorKind::Cancelled), || format!("{result:?}"))?;
    check(result.session == SessionState::Reset, || format!("{result:?}"))?;
    session.works().await
}

async fn dropped_run(fixture: Arc<Fixture>) -> Check {
    let config = SandboxConfig { fuel: Some(1000), ..SandboxConfig::default() };
    let session = fixture.session_with(config).await?;
    let process = session.process().await?;
    let act = Act::Call { op: "forever".to_owned(), args: Value::Null };
    let limits = Limits { fuel: Some(100), ..Limits::default() };
    let mut run = session.sandbox.run(RunRequest::new(act.code()).limits(limits));
    while session.tools.waiting() == 0 {
        check((&mut run).now_or_never().is_none(), || "it ended".to_owned())?;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(run);
    check(session.tools.waiting() == 0, || "the host still works on a call".to_owned())?;
    until(|| !system::lives(process)).await;
    // Or whoever gives up in time would run for nothing.
    check(session.sandbox.fuel() == Some(900), || format!("{:?}", session.sandbox.fuel()))?;
    session.works().await
}

async fn dropped_file(fixture: Arc<Fixture>) -> Check {
    let session = fixture.session().await?;
    session.value(&Act::Remember(7)).await?;
    // Longer than what a socket holds, so that it is dropped in the middle of it.
    let content = vec![7; 8 << 20];
    // (Where this thread is slow, it may be done already.)
    session.sandbox.put_file("/a", content.clone()).now_or_never().unwrap_or(Ok(()))?;
    check(session.value(&Act::Recall).await? == 7, || "it forgot".to_owned())?;
    let read = session.sandbox.get_file("/a", 16 << 20).await?;
    check(read == content, || format!("{} bytes came", read.len()))?;
    // The answer to this one is not waited for either.
    session.sandbox.get_file("/a", 16 << 20).now_or_never().transpose()?;
    check(session.value(&Act::Recall).await? == 7, || "it forgot".to_owned())
}

async fn files(fixture: Arc<Fixture>) -> Check {
    let session = fixture.session().await?;
    session.sandbox.put_file("/a", b"content".to_vec()).await?;
    check(session.sandbox.get_file("/a", 7).await? == b"content", || "another".to_owned())?;
    let long = session.sandbox.get_file("/a", 6).await;
    check(matches!(&long, Err(ExecutorError::File { path, .. }) if path == "/a"), || {
        format!("{long:?}")
    })?;
    let missing = session.sandbox.get_file("/b", 6).await;
    check(matches!(missing, Err(ExecutorError::File { .. })), || format!("{missing:?}"))?;
    session.works().await
}

async fn closes(fixture: Arc<Fixture>) -> Check {
    let session = fixture.session().await?;
    let process = session.process().await?;
    session.sandbox.close().await;
    session.sandbox.close().await;
    let result = session.run(&Act::Recall).await;
    check(kind(&result) == Some(ErrorKind::Closed), || format!("{result:?}"))?;
    check(result.session == SessionState::Lost, || format!("{result:?}"))?;
    let reset = session.sandbox.reset().await;
    check(matches!(reset, Err(ExecutorError::Closed)), || format!("{reset:?}"))?;
    until(|| !system::lives(process)).await;
    Ok(())
}

async fn closes_while_running(fixture: Arc<Fixture>) -> Check {
    for act in [Act::Wait, Act::Probe(Probe::Deaf)] {
        let session = fixture.session().await?;
        let process = session.process().await?;
        let sandbox = Arc::clone(&session.sandbox);
        let mut run = sandbox.run(RunRequest::new(act.code()));
        check((&mut run).now_or_never().is_none(), || "it was too fast".to_owned())?;
        let (result, ()) = tokio::join!(run, session.sandbox.close());
        check(kind(&result) == Some(ErrorKind::Cancelled), || format!("{result:?}"))?;
        until(|| !system::lives(process)).await;
    }
    Ok(())
}

/// The run waits for a worker when the session is closed.
async fn closes_while_beginning(fixture: Arc<Fixture>) -> Check {
    let session = fixture.session().await?;
    let lost = session.run(&Act::Probe(Probe::Abort)).await;
    check(kind(&lost) == Some(ErrorKind::Crashed), || format!("{lost:?}"))?;
    let mut run = session.sandbox.run(RunRequest::new(Act::Probe(Probe::Deaf).code()));
    check((&mut run).now_or_never().is_none(), || "it was too fast".to_owned())?;
    let (result, ()) = tokio::join!(run, session.sandbox.close());
    let expected = [Some(ErrorKind::Closed), Some(ErrorKind::Cancelled)];
    check(expected.contains(&kind(&result)), || format!("{result:?}"))
}

async fn fuel(fixture: Arc<Fixture>) -> Check {
    let unlimited = fixture.session().await?;
    let refused = unlimited.sandbox.add_fuel(1);
    check(matches!(refused, Err(ExecutorError::Unsupported { .. })), || format!("{refused:?}"))?;
    let config = SandboxConfig { fuel: Some(1000), ..SandboxConfig::default() };
    let session = fixture.session_with(config).await?;
    let left = |expected: u64| {
        let left = session.sandbox.fuel();
        check(left == Some(expected), || format!("{left:?} and not {expected}"))
    };
    session.value(&Act::Burn(100)).await?;
    left(900)?;
    session.sandbox.add_fuel(50)?;
    left(950)?;
    session.value(&Act::Burn(950)).await?;
    left(0)?;
    session.sandbox.add_fuel(5)?;
    session.sandbox.reset().await?;
    left(5)?;
    session.value(&Act::Burn(2)).await?;
    left(3)
}

async fn lost_fuel(fixture: Arc<Fixture>) -> Check {
    let config = SandboxConfig { fuel: Some(1000), ..SandboxConfig::default() };
    let session = fixture.session_with(config).await?;
    let limits = Limits { fuel: Some(100), ..Limits::default() };
    let kill = Act::Probe(Probe::Abort).code();
    let result = session.sandbox.run(RunRequest::new(kill.clone()).limits(limits)).await;
    check(kind(&result) == Some(ErrorKind::Crashed), || format!("{result:?}"))?;
    check(session.sandbox.fuel() == Some(900), || format!("{:?}", session.sandbox.fuel()))?;
    // It might have used all there was.
    session.sandbox.run(RunRequest::new(kill)).await;
    check(session.sandbox.fuel() == Some(0), || format!("{:?}", session.sandbox.fuel()))
}

async fn states(fixture: Arc<Fixture>) -> Check {
    let session = fixture.session().await?;
    session.value(&Act::Remember(1)).await?;
    let kept = session.sandbox.checkpoint().await?;
    session.value(&Act::Remember(2)).await?;
    let forked = session.sandbox.fork().await?;
    session.sandbox.restore(kept).await?;
    check(session.value(&Act::Recall).await? == 1, || "not restored".to_owned())?;
    session.sandbox.drop_checkpoint(kept).await;
    let gone = session.sandbox.restore(kept).await;
    check(matches!(gone, Err(ExecutorError::NoCheckpoint(_))), || format!("{gone:?}"))?;
    let recalled = forked.run(RunRequest::new(Act::Recall.code())).await;
    check(recalled.value == 2, || format!("{recalled:?}"))?;
    // The same host answers its calls.
    let call = Act::Call { op: "echo".to_owned(), args: json!(3) };
    let answered = forked.run(RunRequest::new(call.code())).await;
    check(answered.value == 3 && session.tools.calls() == 1, || format!("{answered:?}"))?;
    let saved = session.sandbox.save(&[1; 32]).await?;
    session.value(&Act::Remember(3)).await?;
    let refused = session.sandbox.load(&saved, &[2; 32]).await;
    check(matches!(refused, Err(ExecutorError::BadState(_))), || format!("{refused:?}"))?;
    session.sandbox.load(&saved, &[1; 32]).await?;
    check(session.value(&Act::Recall).await? == 1, || "not loaded".to_owned())
}

async fn mounts(fixture: Arc<Fixture>) -> Check {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("in"), "from the host")?;
    let mount = |guest: &str, access| Mount {
        host: folder.path().to_path_buf().into(),
        guest: guest.to_owned(),
        access,
    };
    let mounts = vec![mount("/ro", MountAccess::ReadOnly), mount("/rw", MountAccess::ReadWrite)];
    let config = SandboxConfig { mounts, ..SandboxConfig::default() };
    let session = fixture.session_with(config).await?;
    let read = |mount, path: &str| Act::ReadMounted { mount, path: path.to_owned() };
    let write = |mount, path: &str| {
        let content = "from the sandbox".to_owned();
        Act::WriteMounted { mount, path: path.to_owned(), content }
    };
    check(session.text(&read(0, "in")).await? == "from the host", || "no file".to_owned())?;
    session.value(&write(1, "out")).await?;
    let written = fs::read_to_string(folder.path().join("out"))?;
    check(written == "from the sandbox", || written.clone())?;
    for refused in [write(0, "no"), read(0, "../in"), read(1, "/etc/passwd"), read(2, "in")] {
        let result = session.run(&refused).await;
        check(kind(&result) == Some(ErrorKind::Exception), || format!("{result:?}"))?;
    }
    check(!folder.path().join("no").exists(), || "it wrote".to_owned())?;
    // Folders are there for the next worker too.
    session.sandbox.reset().await?;
    check(session.text(&read(0, "in")).await? == "from the host", || "no file".to_owned())
}

/// Brings a folder with one file, another one each time.
#[derive(Debug)]
struct Source(tempfile::TempDir, AtomicUsize);

#[async_trait]
impl PackageSource for Source {
    async fn provide(
        &self,
        specs: &[String],
        _: &Progress<'_>,
    ) -> Result<std::path::PathBuf, NoPackages> {
        let number = self.1.fetch_add(1, Ordering::SeqCst).to_string();
        let folder = self.0.path().join(number);
        let made =
            fs::create_dir(&folder).and_then(|()| fs::write(folder.join("which"), specs.join(" ")));
        made.map(|()| folder).map_err(|error| NoPackages(error.to_string()))
    }
}

async fn packages(fixture: Arc<Fixture>) -> Check {
    let source = Source(tempfile::tempdir()?, AtomicUsize::new(0));
    let packages: Option<Arc<dyn PackageSource>> = Some(Arc::new(source));
    let config = SandboxConfig { packages, ..SandboxConfig::default() };
    let session = fixture.session_with(config).await?;
    let which = Act::ReadMounted { mount: 0, path: "which".to_owned() };
    let none = session.run(&which).await;
    check(!none.is_ok(), || format!("{none:?}"))?;
    for expected in ["one", "one two"] {
        let spec = expected.rsplit(' ').next().unwrap_or_default().to_owned();
        session.sandbox.install_deps(&[spec], &|_| {}).await?;
        let found = session.text(&which).await?;
        check(found == expected, || found.clone())?;
    }
    session.sandbox.uninstall_deps(&["one".to_owned()]).await?;
    check(session.text(&which).await? == "two", || "the old folder".to_owned())
}

async fn apart(fixture: Arc<Fixture>) -> Check {
    let (mut seen, mut lived) = (BTreeSet::new(), Vec::new());
    for _ in 0..3 {
        let sessions = join_all((0..4).map(|_| fixture.session())).await;
        let sessions = sessions.into_iter().collect::<Result<Vec<Session>, Failed>>()?;
        for session in &sessions {
            let process = session.process().await?;
            check(seen.insert(process), || format!("process {process} was used before"))?;
            session.value(&Act::Remember(9)).await?;
            lived.push(process);
        }
    }
    until(|| lived.iter().all(|process| !system::lives(*process))).await;
    let fresh = fixture.session().await?;
    check(fresh.value(&Act::Recall).await? == 0, || "a used worker".to_owned())
}
