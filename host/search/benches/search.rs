//! Queries over many entries, and what it takes to make them ready.
//!
//! `./x bench micro search`

use std::hint::black_box;

use divan::Bencher;
use pcm_search::{Entry, Index};

const WORDS: [&str; 16] = [
    "page", "fetch", "invoice", "customer", "report", "convert", "image", "text", "table", "send",
    "message", "list", "folder", "search", "number", "summary",
];
const SIZES: [usize; 3] = [10, 100, 1000];

fn main() {
    divan::main();
}

/// A name, a tag and a description for each; deterministic, all different.
fn entries(count: usize) -> Vec<(String, Vec<String>, String)> {
    let word = |number: usize| WORDS.get(number % WORDS.len()).copied().unwrap_or_default();
    let entry = |number: usize| {
        let (one, other, third) = (word(number), word(number / 16 + 3), word(number / 7 + 5));
        let description =
            format!("Takes a {one} and makes a {other} of it, with a {third} besides");
        (format!("{one}_{other}_{number}"), vec![third.to_owned()], description)
    };
    (0..count).map(entry).collect()
}

fn index(entries: &[(String, Vec<String>, String)]) -> Index {
    let entry = |(name, tags, description)| Entry { name, tags, description, text: "" };
    Index::new(
        entries
            .iter()
            .map(|(name, tags, description)| (name.as_str(), tags.as_slice(), description.as_str()))
            .map(entry),
    )
}

#[divan::bench(args = SIZES)]
fn making_an_index(bencher: Bencher<'_, '_>, count: usize) {
    let entries = entries(count);
    bencher.bench_local(|| index(black_box(&entries)));
}

#[divan::bench(args = SIZES)]
fn one_word(bencher: Bencher<'_, '_>, count: usize) {
    let index = index(&entries(count));
    bencher.bench_local(|| index.search(black_box("invoice"), 10));
}

#[divan::bench(args = SIZES)]
fn a_sentence(bencher: Bencher<'_, '_>, count: usize) {
    let index = index(&entries(count));
    bencher
        .bench_local(|| index.search(black_box("send a summary of the customer's invoices"), 10));
}
