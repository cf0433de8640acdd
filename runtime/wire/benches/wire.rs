//! What it takes to say something and to hear it: written as a frame, taken from the inbox, read.
//!
//! `cargo bench -p pcm-runtime-wire`

use std::hint::black_box;

use divan::Bencher;
use pcm_runtime_api::{ExecutionResult, Limits, Namespace, Payload};
use pcm_runtime_wire::{Bounds, Frame, Inbox, News, Order, Running, encode};
use serde_json::json;

fn main() {
    divan::main();
}

fn args() -> Payload {
    Payload::from(json!({"name": "search.web", "args": {"query": "a few words", "limit": 10}}))
}

fn round(
    bencher: Bencher<'_, '_>,
    message: &impl serde::Serialize,
    bytes: &[u8],
    read: fn(&Frame),
) {
    let mut inbox = Inbox::default();
    bencher.bench_local(|| {
        inbox.feed(&encode(black_box(message), bytes).unwrap_or_default());
        if let Ok(Some(frame)) = inbox.next(&Order::BOUNDS) {
            read(&frame);
        }
    });
}

fn order(frame: &Frame) {
    let _ = black_box(Order::decode(frame));
}

fn news(frame: &Frame) {
    let bounds: Bounds = News::bounds(&Limits::default());
    let _ = black_box(News::decode(frame, &bounds));
}

#[divan::bench]
fn run(bencher: Bencher<'_, '_>) {
    let running = Running { limits: Limits::default(), repr: false, events: false };
    round(bencher, &Order::Run(Box::new(running)), &[b'x'; 500], order);
}

#[divan::bench]
fn call(bencher: Bencher<'_, '_>) {
    let (namespace, op) = (Namespace::Tools, "call".to_owned());
    round(bencher, &News::Call { call: 7, namespace, op, args: args() }, &[], news);
}

#[divan::bench]
fn reply(bencher: Bencher<'_, '_>) {
    round(bencher, &Order::Reply { call: 7, answer: Ok(args()) }, &[], order);
}

#[divan::bench]
fn ran(bencher: Bencher<'_, '_>) {
    let result = ExecutionResult {
        value: json!({"total": 3, "items": ["a", "b", "c"]}),
        stdout: "a line\n".repeat(5),
        ..ExecutionResult::new("wasm")
    };
    round(bencher, &News::Ran { result: Box::new(result), fuel: None }, &[], news);
}
