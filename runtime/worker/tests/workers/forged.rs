//! What a worker must not say, and what the host makes of it: a result, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use pcm_runtime_api::{
    ErrorKind, ExecutionResult, Executor as _, Limits, MimeBundle, Mount, MountAccess, Namespace,
    OutputStream, Payload, RunEvent, RunRequest, SandboxConfig, SessionState,
};
use pcm_runtime_wire::{Answer, News, encode};
use serde_json::{Value, json};

use crate::act::Act;
use crate::crashes::report;
use crate::engine::KIND;
use crate::fixture::{Check, Fixture, Session, check, until};
use crate::forgery::{Forgery, Piece, Target, header};
use crate::system;

/// What comes of it.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// The worker is ended for it.
    Crashed,
    /// The run takes what it says for its own.
    Believed,
    /// Either, by who is faster.
    Either,
    /// Nothing comes, until the time is up.
    TimeOut,
}

/// Everything that is said to the host itself, in a run.
fn forgeries() -> Vec<(&'static str, Fate, Forgery)> {
    use Fate::{Believed, Crashed, Either, TimeOut};
    let one = |piece| Forgery::wire(vec![piece]);
    let news = |news: &News| one(Piece::news(news));
    let head = |text: &str| one(Piece::framed(text.as_bytes()));
    let hello = News::Hello { version: env!("CARGO_PKG_VERSION").to_owned(), jail: Value::Null };
    let done = News::Done { answer: Ok(Answer::Done), fuel: None };
    let bad_floats = r#"{"ran":{"result":{"value":1e999,"error":null,"session":"kept","backend":""},"fuel":null}}"#;
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    let three_hundred = (1..=300).map(|number| Piece::news(&call(number, "forever"))).collect();
    let twice = vec![Piece::news(&call(9, "forever")), Piece::news(&call(9, "forever"))];
    let after = vec![Piece::news(&ran(|_| {})), Piece::news(&call(9, "echo"))];
    let output =
        |text: String| News::Event(RunEvent::Output { stream: OutputStream::Stdout, text });
    let began =
        RunEvent::CallStarted { call: 1, namespace: Namespace::Tools, op: "echo".to_owned() };
    vec![
        ("bytes_without_a_meaning", Crashed, one(Piece::Random { seed: 9, length: 1 << 16 })),
        ("zeros", Crashed, one(Piece::bytes([0]).times(1 << 16))),
        ("another_version", Crashed, one(Piece::bytes(b"PCM\x02".to_vec()))),
        ("hello_again", Crashed, news(&hello)),
        ("ready_again", Crashed, news(&News::Ready)),
        ("done_while_running", Crashed, news(&done)),
        ("progress_while_running", Crashed, news(&News::Progress("x".to_owned()))),
        ("a_run_that_ran_twice", Either, one(Piece::news(&ran(|_| {})).times(2))),
        ("a_call_number_used_twice", Crashed, Forgery::wire(twice)),
        ("a_call_numbered_nought", Crashed, news(&call(0, "echo"))),
        ("a_call_after_its_run", Either, Forgery::wire(after)),
        ("three_hundred_open_calls", Crashed, Forgery::wire(three_hundred)),
        ("a_call_of_a_long_operation", Crashed, news(&call(1, &"x".repeat(65)))),
        ("an_event_that_nobody_asked_for", Crashed, news(&output("x".to_owned()))),
        ("an_event_of_the_host", Crashed, news(&News::Event(began))),
        ("a_cancel_of_no_call", Crashed, news(&News::Cancel { call: 7 })),
        ("cancels_of_an_old_call", Crashed, news(&News::Cancel { call: 0 })),
        ("a_head_of_4_gib", Crashed, one(Piece::bytes(header(u32::MAX, 0)))),
        ("bytes_of_8_eib", Crashed, one(Piece::bytes(header(2, 1 << 63)))),
        ("bytes_where_there_are_none", Crashed, one(Piece::bytes(header(2, 1)))),
        ("a_header_and_nothing", TimeOut, one(Piece::bytes(header(1000, 0))).and_silence()),
        ("half_a_header_and_nothing", TimeOut, one(Piece::bytes(b"PCM".to_vec())).and_silence()),
        ("a_byte_at_a_time_for_ever", TimeOut, {
            let bytes = [header(9 << 10, 0), vec![b' '; 9 << 10]].concat();
            one(Piece::Slowly { bytes }).and_silence()
        }),
        ("a_frame_a_byte_at_a_time", Either, {
            let bytes = encode(&ran(|_| {}), &[]).unwrap_or_default();
            one(Piece::Slowly { bytes })
        }),
        ("empty_frames", Crashed, one(Piece::framed(b""))),
        ("json_of_a_great_depth", Crashed, one(Piece::framed(&deep))),
        ("what_is_no_text", Crashed, one(Piece::framed(b"{\"failed\":\"\xff\xfe\"}"))),
        ("floats_that_are_none", Crashed, head(bad_floats)),
        ("numbers_that_are_none", Crashed, head(r#"{"cancel":{"call":-1}}"#)),
        ("another_kind_of_news", Crashed, head(r#"{"reformat":{}}"#)),
        ("the_same_field_twice", Crashed, head(r#"{"cancel":{"call":1,"call":1}}"#)),
        ("a_call_of_another_namespace", Crashed, {
            head(r#"{"call":{"call":1,"namespace":"host","op":"x","args":{}}}"#)
        }),
        ("much_output", Crashed, news(&ran(|ran| ran.stdout = "x".repeat(1 << 20)))),
        ("many_rich_results", Crashed, {
            news(&ran(|ran| ran.display = vec![MimeBundle::default(); 1001]))
        }),
        ("a_session_that_is_lost", Crashed, news(&ran(|ran| ran.session = SessionState::Lost))),
        ("a_failure_with_a_long_reason", Crashed, news(&News::Failed("ü".repeat(1 << 16)))),
        ("out_of_band", Either, one(Piece::OutOfBand)),
        ("descriptors", Either, one(Piece::Descriptors)),
        ("another_backend", Believed, news(&ran(|ran| ran.backend = "wasm".into()))),
    ]
}

fn call(number: u64, op: &str) -> News {
    let args = Payload::default();
    News::Call { call: number, namespace: Namespace::Tools, op: op.to_owned(), args }
}

fn ran(change: impl FnOnce(&mut ExecutionResult)) -> News {
    let mut result = ExecutionResult::new("forged");
    change(&mut result);
    News::Ran { result: Box::new(result), fuel: Some(u64::MAX) }
}

/// As little as there can be, so that the bounds are near.
fn limits() -> Limits {
    Limits {
        timeout: Some(Duration::from_millis(50)),
        output_bytes: 64 << 10,
        host_call_bytes: 64 << 10,
        ..Limits::default()
    }
}

pub(crate) fn trials(fixture: &Arc<Fixture>) -> Vec<Trial> {
    let forgeries = forgeries().into_iter().map(|(name, fate, forgery)| {
        fixture.trial(&format!("forged_{name}"), move |fixture| said(fixture, fate, forgery))
    });
    let others = [
        fixture.trial("forged_garbage_in_every_descriptor", everywhere),
        fixture.trial("forged_a_million_frames", floods),
        fixture.trial("forged_a_million_events", floods_of_events),
        fixture.trial("forged_the_largest_values", large),
        fixture.trial("forged_a_result_is_not_taken_for_the_next", stale),
        fixture.trial("forged_fuel_is_not_believed", fuel),
        fixture.trial("forged_calls_whose_answers_are_not_read", unread),
        fixture.trial("forged_requests_for_folders", folders),
    ];
    forgeries.chain(others).collect()
}

async fn said(fixture: Arc<Fixture>, fate: Fate, forgery: Forgery) -> Check {
    let sibling = fixture.session().await?;
    let session = fixture.session_with(limits()).await?;
    let before = session.process().await?;
    let result = session.run(&Act::Forge(forgery)).await;
    let kind = result.error.as_ref().map(|error| error.kind);
    let expected = match fate {
        Fate::Crashed => kind == Some(ErrorKind::Crashed),
        Fate::Believed => result.is_ok(),
        Fate::Either => result.is_ok() || kind == Some(ErrorKind::Crashed),
        Fate::TimeOut => kind == Some(ErrorKind::Timeout),
    };
    check(expected, || format!("{fate:?} was expected: {}", brief(&result)))?;
    check(result.backend == KIND.backend, || format!("it says it is {}", result.backend))?;
    if !result.is_ok() {
        check(result.session == SessionState::Reset, || brief(&result))?;
        until(|| !system::lives(before)).await;
    }
    let message = result.error.map_or(0, |error| error.message.len());
    check(message < 2000, || format!("a message of {message} bytes"))?;
    check(session.tools.waiting() == 0, || "the host still works on calls".to_owned())?;
    // A result too many is found out when the next run begins, or the one after it.
    if matches!(fate, Fate::Believed | Fate::Either) {
        session.run(&Act::Recall).await;
    }
    until_works(&session).await?;
    sibling.works().await
}

/// At the latest when the worker has been found out: what it said too much has to arrive for that.
async fn until_works(session: &Session) -> Check {
    for _ in 0..5 {
        if session.works().await.is_ok() {
            return Ok(());
        }
    }
    session.works().await
}

fn brief(result: &ExecutionResult) -> String {
    let mut text = format!("{result:?}");
    text.truncate(text.floor_char_boundary(500));
    text
}

async fn everywhere(fixture: Arc<Fixture>) -> Check {
    let folder = tempfile::tempdir()?;
    let mount = Mount {
        host: folder.path().to_path_buf().into(),
        guest: "/data".to_owned(),
        access: MountAccess::ReadWrite,
    };
    for seed in 1..=8 {
        let config = SandboxConfig { mounts: vec![mount.clone()], ..limits().into() };
        let session = fixture.session_with(config).await?;
        let pieces = vec![Piece::Random { seed, length: 10_000 }, Piece::news(&ran(|_| {}))];
        let forgery = Forgery { target: Target::All, ..Forgery::wire(pieces) };
        let result = session.run(&Act::Forge(forgery)).await;
        let kind = result.error.as_ref().map(|error| error.kind);
        check(kind == Some(ErrorKind::Crashed), || brief(&result))?;
        session.works().await?;
    }
    Ok(())
}

/// Frames that mean nothing, without end: the time of the run ends it, and others get their turn.
async fn floods(fixture: Arc<Fixture>) -> Check {
    let sibling = fixture.session().await?;
    let session = fixture.session_with(limits()).await?;
    let begun = vec![Piece::news(&call(1, "forever"))];
    let more = (2..=200).map(|number| Piece::news(&call(number, "echo")));
    let cancels = Piece::news(&News::Cancel { call: 1 }).times(1_000_000);
    let pieces = begun.into_iter().chain(more).chain([cancels]).collect();
    let result = session.run(&Act::Forge(Forgery::wire(pieces))).await;
    let kind = result.error.as_ref().map(|error| error.kind);
    check(kind == Some(ErrorKind::Crashed), || brief(&result))?;
    session.works().await?;
    sibling.works().await
}

async fn floods_of_events(fixture: Arc<Fixture>) -> Check {
    let sibling = fixture.session().await?;
    let limits = Limits { output_bytes: 1 << 30, ..limits() };
    let session = fixture.session_with(limits).await?;
    let text = "x".to_owned();
    let event = News::Event(RunEvent::Output { stream: OutputStream::Stdout, text });
    let flood = Forgery::wire(vec![Piece::news(&event).times(1 << 40)]);
    // Slower than what is said, so that there is always more.
    let slow = |_| std::thread::sleep(Duration::from_micros(20));
    let request = RunRequest::new(Act::Forge(flood).code()).on_event(slow);
    let result = session.sandbox.run(request).await;
    let kind = result.error.as_ref().map(|error| error.kind);
    check(kind == Some(ErrorKind::Timeout), || brief(&result))?;
    session.works().await?;
    sibling.works().await
}

/// As much as the bounds allow, and more; and what that takes of the host's memory.
async fn large(fixture: Arc<Fixture>) -> Check {
    let limits = Limits { timeout: Some(Duration::from_secs(20)), ..limits() };
    let session = fixture.session_with(limits.clone()).await?;
    let bounds = News::bounds(&limits);
    let framed = |start: &str, middle: &str, count: u64, end: &str| {
        let length = start.len() as u64 + middle.len() as u64 * count + end.len() as u64;
        vec![
            Piece::bytes(header(u32::try_from(length).unwrap_or(u32::MAX), 0)),
            Piece::bytes(start),
            Piece::bytes(middle).times(count),
            Piece::bytes(end),
        ]
    };
    let (start, end) = (
        r#"{"ran":{"result":{"error":null,"session":"kept","backend":"","value":["#,
        r#"0]},"fuel":null}}"#,
    );
    // Just below what its values may take, far above it, and the longest that there is.
    let below = framed(start, "[],", bounds.cost / 300, end);
    let above = framed(start, "[],", (bounds.head - 1000) / 3, end);
    let text = framed("{\"failed\":\"", "x", bounds.head - 100, "\"}");
    for (name, pieces, kind) in [
        ("below", below, None),
        ("above", above, Some(ErrorKind::Crashed)),
        ("text", text, Some(ErrorKind::Crashed)),
    ] {
        let before = system::memory("VmRSS");
        system::forget_peak();
        let result = session.run(&Act::Forge(Forgery::wire(pieces))).await;
        let found = result.error.as_ref().map(|error| error.kind);
        check(found == kind, || format!("{name}: {}", brief(&result)))?;
        drop(result);
        let grown = system::memory("VmHWM").saturating_sub(before) << 10;
        report(&format!("{name}: {} MiB of {:?}", grown >> 20, bounds));
        check(grown < bounds.cost + 4 * bounds.head, || format!("{name}: {grown} bytes"))?;
        session.run(&Act::Recall).await;
        until_works(&session).await?;
    }
    Ok(())
}

/// A result too many is no result of the next run.
async fn stale(fixture: Arc<Fixture>) -> Check {
    let session = fixture.session_with(limits()).await?;
    let forged = Piece::news(&ran(|ran| ran.value = json!("forged")));
    let first = session.run(&Act::Forge(Forgery::wire(vec![forged.times(2)]))).await;
    check(first.value == "forged", || brief(&first))?;
    let second = session.run(&Act::Value(json!("honest"))).await;
    let kind = second.error.as_ref().map(|error| error.kind);
    check(kind == Some(ErrorKind::Crashed), || brief(&second))?;
    check(session.value(&Act::Value(json!("honest"))).await? == "honest", || "no".to_owned())?;
    // An order that is no run is no answer's either.
    let done = News::Done { answer: Ok(Answer::Done), fuel: None };
    let frames = [encode(&ran(|_| {}), &[])?, encode(&done, &[])?];
    let forged = Piece::bytes(frames.concat()); // in one write, so that both have arrived
    session.run(&Act::Forge(Forgery::wire(vec![forged]))).await;
    let put = session.sandbox.put_file("/a", Vec::new()).await;
    check(put.is_err(), || "it was taken for an answer".to_owned())?;
    session.works().await
}

async fn fuel(fixture: Arc<Fixture>) -> Check {
    let config = SandboxConfig { fuel: Some(1000), ..limits().into() };
    let session = fixture.session_with(config).await?;
    let result = session.run(&Act::Forge(Forgery::wire(vec![Piece::news(&ran(|_| {}))]))).await;
    check(result.is_ok(), || brief(&result))?;
    check(session.sandbox.fuel() == Some(1000), || format!("{:?}", session.sandbox.fuel()))?;
    // Nor that it is not counted.
    let none = News::Ran { result: Box::new(ExecutionResult::new("")), fuel: None };
    session.run(&Act::Forge(Forgery::wire(vec![Piece::news(&none)]))).await;
    check(session.sandbox.fuel().is_some(), || "it is not counted any more".to_owned())
}

/// Answers that nobody reads are made as far as they find room, and no further.
async fn unread(fixture: Arc<Fixture>) -> Check {
    let session = fixture.session_with(limits()).await?;
    let before = system::memory("VmRSS");
    system::forget_peak();
    let long = |number| News::Call {
        call: number,
        namespace: Namespace::Tools,
        op: "long".to_owned(),
        args: Payload::from(json!(4 << 20)),
    };
    let calls = (1..=200).map(|number| Piece::news(&long(number))).collect();
    let result = session.run(&Act::Forge(Forgery::wire(calls).and_silence())).await;
    let kind = result.error.as_ref().map(|error| error.kind);
    check(kind == Some(ErrorKind::Timeout), || brief(&result))?;
    let grown = system::memory("VmHWM").saturating_sub(before) >> 10;
    report(&format!("answers that are not read: {grown} MiB"));
    check(grown < 100, || format!("{grown} MiB"))?;
    session.works().await
}

async fn folders(fixture: Arc<Fixture>) -> Check {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("in"), "from the host")?;
    let mount = Mount {
        host: folder.path().to_path_buf().into(),
        guest: "/data".to_owned(),
        access: MountAccess::ReadWrite,
    };
    let read = Act::ReadMounted { mount: 0, path: "in".to_owned() };
    let before = system::descriptors();
    for piece in [
        Piece::Random { seed: 3, length: 1 },
        Piece::Random { seed: 4, length: 3000 },
        Piece::Random { seed: 5, length: 60_000 },
        Piece::Descriptors,
        Piece::OutOfBand,
        Piece::bytes(b"\0\0\0\x0b\0/etc/passwd".to_vec()),
        Piece::bytes(b"\0\0\0\x05\0../in".to_vec()),
        Piece::bytes(b"\0\xff\xff\0\0".to_vec()),
        // Openings, the answers to which nobody fetches.
        Piece::bytes(b"\x03\0\0\x02\0in".to_vec()).times(1),
    ] {
        let config = SandboxConfig { mounts: vec![mount.clone()], ..limits().into() };
        let session = fixture.session_with(config).await?;
        check(session.text(&read).await? == "from the host", || "no file".to_owned())?;
        let pieces = vec![piece; 100];
        let forgery = Forgery { target: Target::Folders, ..Forgery::wire(pieces) };
        let result = session.run(&Act::Forge(forgery)).await;
        let kind = result.error.as_ref().map(|error| error.kind);
        check(kind.is_none() || kind == Some(ErrorKind::Crashed), || brief(&result))?;
        until_works(&session).await?;
        session.sandbox.reset().await?;
        check(session.text(&read).await? == "from the host", || "no file".to_owned())?;
        session.sandbox.close().await;
    }
    // The threads that served them end when their workers have.
    until(|| system::descriptors() <= before + 4).await;
    Ok(())
}
