//! From the arguments of a call to the words that a program is started with.
//!
//! `./x bench micro argv`

#![expect(clippy::expect_used, reason = "a program for people")]

use std::hint::black_box;

use divan::Bencher;
use pcm_tools::{Arguments, CliTool, LoadOptions};
use serde_json::{Value, json};

const DECLARATION: &str = "
name: curl
schema:
  options:
    silent: {type: boolean, short: s}
    location: {type: boolean, short: L}
    header: {type: array, short: H}
    max_time: {type: number}
  positional: [{name: url, type: string, required: true}]
recipes:
  get:
    description: Fetches a page
    preset: {silent: true, location: true}
    params: {url: {type: string, required: true}, header: {}}
";

fn main() {
    divan::main();
}

fn arguments(value: Value) -> Arguments {
    let Value::Object(map) = value else { return Arguments::default() };
    Arguments::from(map)
}

fn words(bencher: Bencher<'_, '_>, recipe: Option<&str>, value: Value) {
    let tool = CliTool::parse(DECLARATION, None, &LoadOptions::default()).expect("a declaration");
    let arguments = arguments(value);
    tool.argv(recipe, &arguments).expect("words");
    bencher.bench_local(|| {
        let _ = black_box(tool.argv(black_box(recipe), black_box(&arguments)));
    });
}

#[divan::bench]
fn recipe(bencher: Bencher<'_, '_>) {
    words(bencher, Some("get"), json!({"url": "https://example.org/page"}));
}

#[divan::bench]
fn every_option(bencher: Bencher<'_, '_>) {
    let header = ["Accept: text/html", "Cache-Control: no-cache", "X-Number: 7"];
    let value = json!({
        "silent": true, "location": true, "header": header, "max_time": 2.5,
        "url": "https://example.org/a/page?with=a&query=of+some+length",
    });
    words(bencher, None, value);
}

#[divan::bench]
fn reading_a_declaration(bencher: Bencher<'_, '_>) {
    let options = LoadOptions::default();
    bencher.bench_local(|| CliTool::parse(black_box(DECLARATION), None, &options).is_ok());
}
