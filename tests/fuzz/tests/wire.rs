//! The border of a worker's host, tried with what proptest makes up of its own messages. The seeds of the
//! oracle are made here as well.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use pcm_fuzz::wire::{self as hosted, CHECKPOINT, GET, REPLY, RUN, RUN_QUIETLY};
use pcm_runtime_api::{
    Capability, ChangeKind, CheckpointId, ErrorKind, ExecutionError, ExecutionResult, FileChange,
    Limits, MountAccess, Namespace, OutputStream, Payload, RunEvent, SessionState, Usage,
    ValueType,
};
use pcm_runtime_wire::{
    Answer, Bounds, Inbox, News, Opening, Order, Refusal, Running, ShownFolder, Told, encode,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// No bounds.
const ALL: Bounds = Bounds { head: u64::MAX, bytes: u64::MAX, cost: u64::MAX };

// ---- what can be said ----------------------------------------------------------------------------

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        finite().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            btree_map(any::<String>(), inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn finite() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("JSON has no others", |number| number.is_finite())
}

fn payload() -> impl Strategy<Value = Payload> {
    let kind = prop_oneof![Just(ValueType::Bytes), Just(ValueType::Decimal), Just(ValueType::Int)];
    (value(), btree_map(any::<String>(), kind, 0..3))
        .prop_map(|(value, types)| Payload { value, types })
}

fn namespace() -> impl Strategy<Value = Namespace> {
    prop_oneof![
        Just(Namespace::Tools),
        Just(Namespace::Workflows),
        Just(Namespace::Artifacts),
        Just(Namespace::Deps),
        Just(Namespace::Network),
    ]
}

fn event() -> impl Strategy<Value = RunEvent> {
    let stream = prop_oneof![Just(OutputStream::Stdout), Just(OutputStream::Stderr)];
    prop_oneof![
        (stream, any::<String>()).prop_map(|(stream, text)| RunEvent::Output { stream, text }),
        btree_map(any::<String>(), value(), 0..3).prop_map(|bundle| RunEvent::Display { bundle }),
        (any::<u64>(), namespace(), any::<String>())
            .prop_map(|(call, namespace, op)| RunEvent::CallStarted { call, namespace, op }),
        any::<String>().prop_map(|message| RunEvent::Progress { message }),
    ]
}

fn error() -> impl Strategy<Value = ExecutionError> {
    let kind =
        prop_oneof![Just(ErrorKind::Exception), Just(ErrorKind::Closed), Just(ErrorKind::Memory)];
    (kind, any::<String>(), any::<String>()).prop_map(|(kind, error_type, message)| {
        ExecutionError { error_type, ..ExecutionError::new(kind, message) }
    })
}

fn result() -> impl Strategy<Value = ExecutionResult> {
    let session = prop_oneof![
        Just(SessionState::Kept),
        Just(SessionState::RolledBack),
        Just(SessionState::Reset),
        Just(SessionState::Lost),
    ];
    let files = vec((any::<String>(), any::<u64>()), 0..3).prop_map(|files| {
        let change = |(path, bytes)| FileChange { path, change: ChangeKind::Modified, bytes };
        files.into_iter().map(change).collect::<Vec<_>>()
    });
    let texts = (any::<String>(), any::<String>(), any::<String>());
    let usage = (finite(), finite(), option::of(any::<u64>()), any::<u64>());
    let display = vec(btree_map(any::<String>(), value(), 0..2), 0..3);
    (payload(), texts, files, option::of(error()), session, usage, display).prop_map(
        |(payload, (stdout, stderr, backend), files, error, session, usage, display)| {
            let (wall_ms, cpu_ms, fuel, tool_calls) = usage;
            ExecutionResult {
                value: payload.value,
                value_types: payload.types,
                stdout,
                stderr,
                files,
                error,
                session,
                display,
                usage: Usage { wall_ms, cpu_ms, fuel, tool_calls, ..Usage::default() },
                ..ExecutionResult::new(backend)
            }
        },
    )
}

fn told() -> impl Strategy<Value = Told> {
    prop_oneof![
        any::<String>().prop_map(Told::Startup),
        any::<u64>().prop_map(|number| Told::NoCheckpoint(CheckpointId(number))),
        any::<String>().prop_map(Told::BadState),
        (any::<String>(), any::<String>()).prop_map(|(path, reason)| Told::File { path, reason }),
        Just(Told::Unsupported(Capability::Fuel)),
        any::<String>().prop_map(Told::Other),
    ]
}

fn news() -> impl Strategy<Value = News> {
    let answer = prop_oneof![
        Just(Answer::Done),
        Just(Answer::Bytes),
        any::<u64>().prop_map(|number| Answer::Kept(CheckpointId(number))),
    ];
    let answer = prop_oneof![answer.prop_map(Ok), told().prop_map(Err)];
    let fuel = || option::of(any::<u64>());
    // Small numbers, so that some are used again.
    let call = || prop_oneof![0_u64..20, any::<u64>()];
    prop_oneof![
        (any::<String>(), value()).prop_map(|(version, jail)| News::Hello { version, jail }),
        any::<String>().prop_map(News::Progress),
        Just(News::Ready),
        any::<String>().prop_map(News::Failed),
        (answer, fuel()).prop_map(|(answer, fuel)| News::Done { answer, fuel }),
        (call(), namespace(), ".{0,70}", payload())
            .prop_map(|(call, namespace, op, args)| News::Call { call, namespace, op, args }),
        call().prop_map(|call| News::Cancel { call }),
        event().prop_map(News::Event),
        (result(), fuel()).prop_map(|(result, fuel)| News::Ran { result: Box::new(result), fuel }),
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    let times = (option::of(any::<Duration>()), option::of(any::<Duration>()));
    let sizes = (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>());
    (times, option::of(any::<u64>()), sizes, any::<u32>()).prop_map(
        |((timeout, cpu), fuel, sizes, depth)| {
            let (memory_bytes, output_bytes, tool_calls, host_call_bytes, vfs_bytes) = sizes;
            Limits {
                timeout,
                cpu,
                fuel,
                memory_bytes,
                output_bytes,
                tool_calls,
                host_call_bytes,
                recursion: depth,
                vfs_bytes,
                vfs_entries: memory_bytes,
                vfs_depth: depth,
            }
        },
    )
}

fn order() -> impl Strategy<Value = Order> {
    let access = prop_oneof![
        Just(MountAccess::ReadOnly),
        Just(MountAccess::ReadWrite),
        Just(MountAccess::Overlay),
    ];
    let folder =
        (any::<String>(), access).prop_map(|(guest, access)| ShownFolder { guest, access });
    let opening =
        (limits(), option::of(any::<u64>()), any::<bool>(), any::<bool>(), vec(folder, 0..3));
    let opening = opening.prop_map(|(limits, fuel, deterministic, rollback, folders)| Opening {
        limits,
        fuel,
        deterministic,
        rollback,
        folders,
    });
    let running = (limits(), any::<bool>(), any::<bool>())
        .prop_map(|(limits, repr, events)| Running { limits, repr, events });
    let refusal = (any::<String>(), any::<String>())
        .prop_map(|(error_type, message)| Refusal { error_type, message });
    let answer = prop_oneof![payload().prop_map(Ok), refusal.prop_map(Err)];
    let checkpoint = || any::<u64>().prop_map(CheckpointId);
    prop_oneof![
        opening.prop_map(|opening| Order::Open(Box::new(opening))),
        running.prop_map(|running| Order::Run(Box::new(running))),
        (any::<u64>(), answer).prop_map(|(call, answer)| Order::Reply { call, answer }),
        Just(Order::Interrupt),
        Just(Order::Checkpoint),
        checkpoint().prop_map(Order::Restore),
        checkpoint().prop_map(Order::Drop),
        any::<[u8; 32]>().prop_map(Order::Save),
        any::<[u8; 32]>().prop_map(Order::Load),
        any::<u64>().prop_map(Order::AddFuel),
        any::<String>().prop_map(|path| Order::Put { path }),
        (any::<String>(), any::<u64>()).prop_map(|(path, longest)| Order::Get { path, longest }),
    ]
}

// ---- steps of the oracle -------------------------------------------------------------------------

/// The worker says it.
fn says(bytes: &[u8]) -> Vec<u8> {
    let steps = bytes.chunks(usize::from(u16::MAX)).map(|piece| {
        let length = u16::try_from(piece.len()).unwrap();
        [&[0], &length.to_le_bytes()[..], piece].concat()
    });
    steps.collect::<Vec<_>>().concat()
}

fn says_news(news: &News) -> Vec<u8> {
    says(&encode(news, &[]).unwrap())
}

/// What a worker says when it starts.
fn greeting() -> Vec<u8> {
    let hello = News::Hello { version: "1".to_owned(), jail: json!({"seccomp": "held"}) };
    [says_news(&hello), says_news(&News::Ready)].concat()
}

fn call(call: u64) -> News {
    let (namespace, op) = (Namespace::Tools, "call".to_owned());
    News::Call { call, namespace, op, args: Payload::from(json!({"name": "x", "a": [1.5]})) }
}

fn ran() -> News {
    News::Ran { result: Box::new(ExecutionResult::new("wasm")), fuel: None }
}

fn step() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => news().prop_map(|news| says_news(&news)),
        1 => (0_u64..30).prop_map(|number| says_news(&call(number))),
        1 => vec(any::<u8>(), 0..40).prop_map(|bytes| says(&bytes)),
        3 => (RUN..=0xff, any::<u8>()).prop_map(|(what, with)| vec![what, with]),
        1 => Just(vec![RUN, 0xff]),
        1 => Just(says_news(&ran())),
    ]
}

/// Runs that are as they should be for the most part, so that they come far.
fn session(steps: Vec<(u8, u8)>) -> Vec<u8> {
    let mut input = [greeting(), vec![RUN, 0xff]].concat();
    let mut last = 0;
    for (what, with) in steps {
        let step = match what % 16 {
            0..=6 => {
                last += 1 + u64::from(with / 250);
                says_news(&call(last))
            }
            7 => says_news(&News::Cancel { call: last.saturating_sub(u64::from(with % 8)) }),
            8..=10 => vec![REPLY, with],
            11 | 12 => {
                let text = "x".repeat(usize::from(with));
                says_news(&News::Event(RunEvent::Output { stream: OutputStream::Stderr, text }))
            }
            13 => [says_news(&ran()), vec![RUN + with % 2, with]].concat(),
            14 => {
                let done = News::Done { answer: Ok(Answer::Done), fuel: None };
                [says_news(&ran()), vec![CHECKPOINT, 0], says_news(&done), vec![RUN, 0xff]].concat()
            }
            _ => vec![GET + with % 5, with],
        };
        input.extend(step);
    }
    input
}

// ---- the tests -----------------------------------------------------------------------------------

/// Where `bytes` is cut.
fn pieces<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let (mut rest, mut pieces) = (bytes, Vec::new());
    for cut in cuts {
        let (piece, more) = rest.split_at(*cut % (rest.len() + 1));
        pieces.push(piece);
        rest = more;
    }
    pieces.push(rest);
    pieces
}

proptest! {
    #[test]
    fn news_arrive_as_they_were_said(
        news in vec(news(), 1..4),
        bytes in vec(any::<u8>(), 0..100),
        cuts in vec(any::<usize>(), 0..8),
    ) {
        let frames: Vec<_> = news.iter().map(|news| encode(news, &bytes).unwrap()).collect();
        let (mut inbox, mut heard) = (Inbox::default(), Vec::new());
        for piece in pieces(&frames.concat(), &cuts) {
            inbox.feed(piece);
            while let Some(frame) = inbox.next(&ALL).unwrap() {
                prop_assert_eq!(&frame.bytes, &bytes);
                heard.push(News::decode(&frame, &ALL).unwrap().0);
            }
        }
        prop_assert_eq!(heard, news);
        prop_assert!(inbox.is_empty());
    }

    #[test]
    fn orders_arrive_as_they_were_given(
        orders in vec(order(), 1..4),
        bytes in vec(any::<u8>(), 0..100),
        cuts in vec(any::<usize>(), 0..8),
    ) {
        let frames: Vec<_> = orders.iter().map(|order| encode(order, &bytes).unwrap()).collect();
        let (mut inbox, mut heard) = (Inbox::default(), Vec::new());
        for piece in pieces(&frames.concat(), &cuts) {
            inbox.feed(piece);
            while let Some(frame) = inbox.next(&Order::BOUNDS).unwrap() {
                prop_assert_eq!(&frame.bytes, &bytes);
                heard.push(Order::decode(&frame).unwrap());
            }
        }
        prop_assert_eq!(heard, orders);
    }

    #[test]
    fn arbitrary_bytes_are_heard_or_refused(input in vec(any::<u8>(), 0..2000)) {
        let _ = hosted::host(&input);
        let _ = hosted::host(&says(&input));
        let _ = hosted::host(&[greeting(), vec![RUN, 0xff], says(&input)].concat());
    }

    #[test]
    fn arbitrary_news_are_heard_or_refused(steps in vec(step(), 0..30)) {
        let _ = hosted::host(&steps.concat());
        let _ = hosted::host(&[greeting(), steps.concat()].concat());
    }

    #[test]
    fn sessions_are_heard_as_far_as_they_may_go(steps in vec(any::<(u8, u8)>(), 0..400)) {
        let _ = hosted::host(&session(steps));
    }

    #[test]
    fn a_bit_that_turns_is_heard_or_refused(seed in 0_usize..100, at in any::<usize>(), bit in 0_u8..8) {
        let seeds: Vec<_> = seeds().into_values().collect();
        let mut input = seeds[seed % seeds.len()].clone();
        let at = at % input.len();
        input[at] ^= 1_u8 << bit;
        let _ = hosted::host(&input);
    }
}

// ---- the seeds of the fuzz target ----------------------------------------------------------------

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("seeds/wire")
}

/// Sessions, good and bad.
fn seeds() -> BTreeMap<&'static str, Vec<u8>> {
    let running = || [greeting(), vec![RUN, 0x40]].concat();
    let output = RunEvent::Output { stream: OutputStream::Stdout, text: "text\n".to_owned() };
    let done = says_news(&News::Done { answer: Ok(Answer::Bytes), fuel: Some(7) });
    let bytes = encode(&News::Done { answer: Ok(Answer::Bytes), fuel: None }, b"bytes").unwrap();
    let honest = [
        running(),
        says_news(&call(1)),
        says_news(&News::Event(output.clone())),
        says_news(&call(2)),
        vec![REPLY, 0],
        says_news(&News::Cancel { call: 2 }),
        says_news(&ran()),
        vec![CHECKPOINT, 0],
        done.clone(),
        vec![GET, 9],
        says(&bytes),
    ];
    let header = |head: u32, bytes: u64| {
        says(&[&b"PCM\x01"[..], &head.to_le_bytes(), &bytes.to_le_bytes()].concat())
    };
    let head = |text: &str| [header(u32::try_from(text.len()).unwrap(), 0), says(text.as_bytes())];
    let many: Vec<_> = (1..=24).map(|number| says_news(&call(number))).collect();
    BTreeMap::from([
        ("honest", honest.concat()),
        ("quiet", [greeting(), vec![RUN_QUIETLY, 9], says_news(&News::Event(output))].concat()),
        ("failed", [running(), says_news(&News::Failed("no".to_owned()))].concat()),
        ("many-calls", [running(), many.concat(), vec![REPLY, 3], says_news(&ran())].concat()),
        ("used-twice", [running(), says_news(&call(1)), says_news(&call(1))].concat()),
        ("ran-twice", [running(), says_news(&ran()), says_news(&ran())].concat()),
        ("long-head", [running(), header(u32::MAX, 0)].concat()),
        ("long-bytes", [greeting(), vec![GET, 9], header(2, 1 << 63)].concat()),
        ("deep", [running(), head(&"[".repeat(300)).concat()].concat()),
        ("floats", [running(), head(r#"{"cancel":{"call":1e999}}"#).concat()].concat()),
        ("unasked", [greeting(), done].concat()),
        ("other-version", says(b"PCM\x02")),
    ])
}

#[test]
fn the_seeds_are_heard_or_refused() {
    for (name, seed) in seeds() {
        let kept = fs::read(folder().join(name)).unwrap_or_default();
        assert!(
            kept == seed,
            "{name} is old: run `cargo test -p pcm-fuzz --test wire -- --ignored seeds`"
        );
        let heard = hosted::host(&kept);
        let is_honest = ["honest", "failed", "many-calls"].contains(&name);
        assert_eq!(heard.is_ok(), is_honest, "{name}: {heard:?}");
    }
    let kept = fs::read_dir(folder()).unwrap().count();
    assert_eq!(kept, seeds().len(), "there are seeds that nothing makes");
}

#[test]
#[ignore = "writes the seeds of the fuzz target"]
fn write_the_seeds() {
    fs::create_dir_all(folder()).unwrap();
    for (name, seed) in seeds() {
        fs::write(folder().join(name), seed).unwrap();
    }
}
