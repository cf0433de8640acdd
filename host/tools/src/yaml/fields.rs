//! The fields of a mapping, taken one by one. What is left over is a mistake.

use std::time::Duration;

use serde_json::{Map, Value};

use super::node::{Entry, Kind, Node};
use crate::ParameterType;
use crate::problem::{Place, Problem, Severity};
use crate::text::{closest, head};
use crate::variables::Variables;

/// The longest time that a declaration may give.
const MOST_SECONDS: f64 = 86_400.0;

/// The problems of one file.
#[derive(Debug)]
pub(crate) struct Report {
    file: String,
    problems: Vec<Problem>,
}

impl Report {
    pub(crate) fn new(file: &str) -> Self {
        Self { file: file.to_owned(), problems: Vec::new() }
    }

    fn error(&mut self, place: Place, key: &str, message: impl Into<String>) {
        self.problems.push(Problem::error(&self.file, message).at(Some(place), key));
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    pub(crate) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }
}

/// A value in a document, with the keys that lead to it.
#[derive(Debug, Clone)]
pub(crate) struct Field<'a> {
    key: String,
    node: &'a Node,
}

impl<'a> Field<'a> {
    /// The document itself.
    pub(crate) fn root(node: &'a Node) -> Self {
        Self { key: String::new(), node }
    }

    fn below(&self, key: impl std::fmt::Display, node: &'a Node) -> Self {
        let key = if self.key.is_empty() { key.to_string() } else { format!("{}.{key}", self.key) };
        Self { key, node }
    }

    /// Says what is wrong here.
    pub(crate) fn error(&self, report: &mut Report, message: impl Into<String>) {
        report.error(self.node.place, &self.key, message);
    }

    /// Only the kind is told: a value may be a secret.
    fn expected<T>(&self, report: &mut Report, what: &str) -> Option<T> {
        let found = match &self.node.kind {
            Kind::Map(_) => "a mapping",
            Kind::List(_) => "a list",
            Kind::Scalar(Value::Null) => "nothing",
            Kind::Scalar(Value::Bool(_)) => "a truth value",
            Kind::Scalar(Value::Number(_)) => "a number",
            Kind::Scalar(_) => "a text",
        };
        self.error(report, format!("expected {what}, found {found}"));
        None
    }

    fn is_null(&self) -> bool {
        matches!(self.node.kind, Kind::Scalar(Value::Null))
    }

    /// A text. A number is taken as one, because `short: 4` means the text.
    pub(crate) fn text(&self, report: &mut Report) -> Option<String> {
        match &self.node.kind {
            Kind::Scalar(Value::String(text)) => Some(text.clone()),
            Kind::Scalar(Value::Number(number)) => Some(number.to_string()),
            _ => self.expected(report, "a text"),
        }
    }

    /// A text in which variables of the environment are replaced.
    pub(crate) fn expanded(&self, variables: &Variables, report: &mut Report) -> Option<String> {
        let text = self.text(report)?;
        variables.expand(&text).map_err(|error| self.error(report, error.to_string())).ok()
    }

    /// A truth value, also as YAML 1.1 writes it.
    pub(crate) fn boolean(&self, report: &mut Report) -> Option<bool> {
        match &self.node.kind {
            Kind::Scalar(Value::Bool(value)) => Some(*value),
            Kind::Scalar(Value::String(text)) if truth(text).is_some() => truth(text),
            _ => self.expected(report, "true or false"),
        }
    }

    /// A time in seconds, more than none.
    pub(crate) fn seconds(&self, report: &mut Report) -> Option<Duration> {
        let seconds = match &self.node.kind {
            Kind::Scalar(Value::Number(number)) => number.as_f64(),
            _ => None,
        };
        match seconds {
            Some(seconds) if seconds > 0.0 && seconds <= MOST_SECONDS => {
                Some(Duration::from_secs_f64(seconds))
            }
            _ => self.expected(report, "a number of seconds above 0 and up to 86400"),
        }
    }

    /// A whole number within bounds.
    pub(crate) fn whole(&self, least: u64, most: u64, report: &mut Report) -> Option<u64> {
        let number = match &self.node.kind {
            Kind::Scalar(Value::Number(number)) => number.as_u64(),
            _ => None,
        };
        match number {
            Some(number) if (least..=most).contains(&number) => Some(number),
            _ => self.expected(report, &format!("a whole number from {least} to {most}")),
        }
    }

    /// The items of a list. Nothing is an empty one.
    pub(crate) fn list(&self, report: &mut Report) -> Option<Vec<Field<'a>>> {
        match &self.node.kind {
            Kind::List(items) => {
                Some(items.iter().enumerate().map(|(at, item)| self.below(at, item)).collect())
            }
            _ if self.is_null() => Some(Vec::new()),
            _ => self.expected(report, "a list"),
        }
    }

    /// A list of texts.
    pub(crate) fn texts(&self, report: &mut Report) -> Option<Vec<String>> {
        self.list(report)?.iter().map(|item| item.text(report)).collect()
    }

    /// The entries of a mapping whose keys the author chooses. Nothing is an empty one.
    pub(crate) fn entries(&self, report: &mut Report) -> Option<Vec<(&'a str, Field<'a>)>> {
        match &self.node.kind {
            Kind::Map(entries) => Some(
                entries
                    .iter()
                    .map(|entry| (entry.key.as_str(), self.below(&entry.key, &entry.value)))
                    .collect(),
            ),
            _ if self.is_null() => Some(Vec::new()),
            _ => self.expected(report, "a mapping"),
        }
    }

    /// The fields of a mapping whose keys are known. Nothing is an empty one.
    pub(crate) fn fields(&self, report: &mut Report) -> Option<Fields<'a>> {
        let entries = match &self.node.kind {
            Kind::Map(entries) => entries.iter().collect(),
            _ if self.is_null() => Vec::new(),
            _ => return self.expected(report, "a mapping"),
        };
        Some(Fields { of: self.clone(), left: entries, known: Vec::new() })
    }

    /// Whether the proxies that the environment names are used.
    pub(crate) fn proxy(&self, report: &mut Report) -> Option<bool> {
        match self.text(report)?.as_str() {
            "env" => Some(true),
            "none" => Some(false),
            _ => self.expected(report, "`none`, or `env` for the proxies of the environment"),
        }
    }

    /// A value of a type, for presets and defaults.
    pub(crate) fn value(&self, kind: &ParameterType, report: &mut Report) -> Option<Value> {
        let mut value = plain(self.node);
        if *kind == ParameterType::Boolean
            && let Some(truth) = value.as_str().and_then(truth)
        {
            value = truth.into();
        }
        if value.is_null() || kind.admits(&value) {
            return Some(value);
        }
        self.expected(report, &format!("a value of the type {kind}"))
    }
}

/// The fields of a mapping that are not yet taken.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    of: Field<'a>,
    left: Vec<&'a Entry>,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// Takes a field. One without a value is as good as none.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Field<'a>> {
        self.known.push(key);
        let at = self.left.iter().position(|entry| entry.key == key)?;
        let entry = self.left.remove(at);
        let field = self.of.below(key, &entry.value);
        (!field.is_null()).then_some(field)
    }

    /// Takes a field that has to be there.
    pub(crate) fn require(&mut self, key: &'static str, report: &mut Report) -> Option<Field<'a>> {
        let field = self.take(key);
        if field.is_none() {
            self.of.error(report, format!("{key:?} is missing"));
        }
        field
    }

    /// Reports what nobody took.
    pub(crate) fn finish(self, report: &mut Report) {
        for entry in self.left {
            let field = self.of.below(head(&entry.key, 64), &entry.value);
            let known = &self.known;
            let hint = match closest(&entry.key, known.iter().copied()) {
                Some(meant) => format!("did you mean {meant:?}?"),
                None => format!("there are: {}", known.join(", ")),
            };
            report.error(entry.place, &field.key, format!("unknown key; {hint}"));
        }
    }
}

/// What YAML 1.1 takes for a truth value.
fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "on" => Some(true),
        "no" | "off" => Some(false),
        _ => None,
    }
}

fn plain(node: &Node) -> Value {
    match &node.kind {
        Kind::Scalar(value) => value.clone(),
        Kind::List(items) => items.iter().map(plain).collect(),
        Kind::Map(entries) => {
            let entry = |entry: &Entry| (entry.key.clone(), plain(&entry.value));
            Value::Object(entries.iter().map(entry).collect::<Map<_, _>>())
        }
    }
}
