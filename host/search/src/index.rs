//! What can be found, and in which order it is.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use crate::words::words;

/// Something that can be found.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// What it is called.
    pub name: &'a str,
    /// The kinds of things it belongs to.
    pub tags: &'a [String],
    /// What it is for.
    pub description: &'a str,
    /// What else is known of it, as its source.
    pub text: &'a str,
}

/// Something that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Its place among the entries that the index was made of, counted from 0.
    pub position: usize,
    /// How well it fits; only good for comparing within one search.
    pub score: f64,
}

/// Entries, ready to be searched.
#[derive(Debug, Default)]
pub struct Index {
    entries: Vec<Known>,
    /// Which entries a word is in.
    words: BTreeMap<String, Vec<Posting>>,
    average_length: f64,
}

#[derive(Debug)]
struct Known {
    name: String,
    tags: Vec<String>,
    /// The weights of all its words together.
    length: f64,
}

#[derive(Debug, Clone, Copy)]
struct Posting {
    position: usize,
    /// How often the word occurs, each time by the weight of the field that it occurs in.
    weight: f64,
}

/// How much a word counts, by where it stands.
const NAME: f64 = 4.0;
const TAG: f64 = 3.0;
const DESCRIPTION: f64 = 2.0;
const TEXT: f64 = 0.5;

/// What puts a whole match before any number of single words.
const EXACT_NAME: f64 = 3e6;
const NAME_CONTAINS: f64 = 2e6;
const EXACT_TAG: f64 = 1e6;

/// The constants of BM25 that everybody uses.
const SATURATION: f64 = 1.2;
const LENGTH_PENALTY: f64 = 0.75;

/// How much a longer word counts that begins with the word of the query, and how long that must be.
const PREFIX: f64 = 0.4;
const SHORTEST_PREFIX: usize = 3;

/// What is looked at; the rest of longer ones is ignored.
const MAX_QUERY_WORDS: usize = 32;
const MAX_QUERY: usize = 1024;
const MAX_TEXT: usize = 64 << 10;

impl Index {
    /// An index of these entries.
    pub fn new<'a>(entries: impl IntoIterator<Item = Entry<'a>>) -> Self {
        let mut index = Self::default();
        for (position, entry) in entries.into_iter().enumerate() {
            let mut weights: HashMap<String, f64> = HashMap::new();
            let mut count = |text: &str, weight: f64| {
                for word in words(cut(text, MAX_TEXT)) {
                    *weights.entry(word).or_default() += weight;
                }
            };
            count(entry.name, NAME);
            entry.tags.iter().for_each(|tag| count(tag, TAG));
            count(entry.description, DESCRIPTION);
            count(entry.text, TEXT);
            index.entries.push(Known {
                name: entry.name.to_lowercase(),
                tags: entry.tags.iter().map(|tag| tag.to_lowercase()).collect(),
                length: weights.values().sum(),
            });
            for (word, weight) in weights {
                index.words.entry(word).or_default().push(Posting { position, weight });
            }
        }
        let total: f64 = index.entries.iter().map(|entry| entry.length).sum();
        index.average_length = (total / index.entries.len().max(1) as f64).max(1.0);
        index
    }

    /// The entries that fit the query, the best first; for an empty query all of them, by name.
    pub fn search(&self, query: &str, limit: usize) -> Vec<Hit> {
        let query = cut(query, MAX_QUERY).trim().to_lowercase();
        let mut scores = vec![0.0; self.entries.len()];
        if query.is_empty() {
            scores.fill(1.0);
        } else {
            self.score_words(&query, &mut scores);
            for (entry, score) in self.entries.iter().zip(&mut scores) {
                *score += whole_match(entry, &query);
            }
        }
        let mut hits: Vec<Hit> = scores
            .into_iter()
            .enumerate()
            .filter(|(_, score)| *score > 0.0)
            .map(|(position, score)| Hit { position, score })
            .collect();
        hits.sort_by(|one, other| self.compare(*one, *other));
        hits.truncate(limit);
        hits
    }

    fn compare(&self, one: Hit, other: Hit) -> Ordering {
        let name = |hit: Hit| self.entries.get(hit.position).map(|entry| &entry.name);
        (other.score.total_cmp(&one.score))
            .then_with(|| name(one).cmp(&name(other)))
            .then_with(|| one.position.cmp(&other.position))
    }

    fn score_words(&self, query: &str, scores: &mut [f64]) {
        let mut asked: Vec<String> = words(query).take(MAX_QUERY_WORDS).collect();
        asked.sort();
        asked.dedup();
        for word in &asked {
            if let Some(postings) = self.words.get(word) {
                self.score(postings, 1.0, scores);
            }
            if word.chars().count() < SHORTEST_PREFIX {
                continue;
            }
            let longer =
                self.words.range::<String, _>(word..).skip_while(|(found, _)| *found == word);
            for (_, postings) in longer.take_while(|(found, _)| found.starts_with(word)) {
                self.score(postings, PREFIX, scores);
            }
        }
    }

    /// Adds what one word says for the entries that it is in.
    fn score(&self, postings: &[Posting], factor: f64, scores: &mut [f64]) {
        let with = postings.len() as f64;
        let without = self.entries.len() as f64 - with;
        let rarity = ((without + 0.5) / (with + 0.5)).ln_1p();
        for posting in postings {
            let entry = self.entries.get(posting.position);
            let (Some(entry), Some(score)) = (entry, scores.get_mut(posting.position)) else {
                continue;
            };
            let length = entry.length / self.average_length;
            let damping = SATURATION * (1.0 - LENGTH_PENALTY + LENGTH_PENALTY * length);
            let frequency = posting.weight * (SATURATION + 1.0) / (posting.weight + damping);
            *score += factor * rarity * frequency;
        }
    }
}

/// What an entry gets when the query as a whole is its name, in it, or one of its tags.
fn whole_match(entry: &Known, query: &str) -> f64 {
    if entry.name == query {
        EXACT_NAME
    } else if entry.name.contains(query) {
        NAME_CONTAINS
    } else if entry.tags.iter().any(|tag| tag == query) {
        EXACT_TAG
    } else {
        0.0
    }
}

/// The first `most` bytes, less what would be half a character.
fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(entries: &[Entry<'_>], query: &str, limit: usize) -> Vec<String> {
        let index = Index::new(entries.iter().copied());
        let hits = index.search(query, limit);
        hits.iter().map(|hit| entries[hit.position].name.to_owned()).collect()
    }

    fn entry<'a>(name: &'a str, description: &'a str) -> Entry<'a> {
        Entry { name, tags: &[], description, text: "" }
    }

    #[test]
    fn the_name_comes_before_what_contains_it_and_that_before_the_description() {
        let entries = [
            entry("describe", "grep grep grep, again grep"),
            entry("zgrep", "Searches compressed files"),
            entry("grep", "Searches files"),
            entry("ls", "Lists files"),
        ];
        assert_eq!(found(&entries, "grep", 10), ["grep", "zgrep", "describe"]);
        assert_eq!(found(&entries, "GREP", 2), ["grep", "zgrep"]);
    }

    #[test]
    fn tags_are_found() {
        let tags = ["network".to_owned()];
        let entries =
            [entry("b", "Uses the network"), Entry { tags: &tags, ..entry("a", "Something else") }];
        assert_eq!(found(&entries, "network", 10), ["a", "b"]);
    }

    #[test]
    fn more_and_rarer_words_count_more() {
        let entries = [
            entry("one", "convert files"),
            entry("two", "convert image files"),
            entry("three", "rename files"),
        ];
        assert_eq!(found(&entries, "image files", 10), ["two", "one", "three"]);
    }

    #[test]
    fn the_beginning_of_a_word_finds_it() {
        let entries = [entry("a", "Downloads pages"), entry("b", "Uploads pages")];
        assert_eq!(found(&entries, "down", 10), ["a"]);
        assert!(found(&entries, "do", 10).is_empty());
    }

    #[test]
    fn what_has_nothing_to_do_with_the_query_is_left_out() {
        let entries = [entry("a", "Downloads pages")];
        assert!(found(&entries, "quantum", 10).is_empty());
        assert!(found(&entries, "!?", 10).is_empty());
        assert!(found(&[], "anything", 10).is_empty());
    }

    #[test]
    fn an_empty_query_finds_everything_by_name() {
        let entries = [entry("b", ""), entry("a", ""), entry("c", "")];
        assert_eq!(found(&entries, " ", 2), ["a", "b"]);
    }

    #[test]
    fn equals_are_ordered_by_name() {
        let entries = [entry("b", "same words"), entry("a", "same words")];
        assert_eq!(found(&entries, "words", 10), ["a", "b"]);
    }

    #[test]
    fn long_queries_are_cut_between_characters() {
        let entries = [entry("a", "größe")];
        assert_eq!(found(&entries, &"größe ".repeat(10_000), 10), ["a"]);
    }
}
