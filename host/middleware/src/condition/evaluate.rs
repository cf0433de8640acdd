//! Deciding a condition.

use std::cmp::Ordering;
use std::fmt;

use pcm_runtime_api::Payload;

use super::tree::{Comparison, Expression, Literal, Operand};
use super::value::{Found, find, item};

/// Whether a condition holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Truth<'a> {
    Yes,
    No,
    Undecided(Doubt<'a>),
}

/// Why a condition cannot be decided.
#[derive(Clone, Copy)]
pub(crate) struct Doubt<'a> {
    operand: &'a Operand,
    reason: &'static str,
}

impl fmt::Display for Doubt<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.operand, self.reason)
    }
}

impl fmt::Debug for Doubt<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

const MISSING: &str = "is missing";
const OTHER_TYPE: &str = "is of another type than the condition expects";
const UNCLEAR: &str = "can be read in more than one way";

impl Truth<'_> {
    fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            undecided @ Self::Undecided(_) => undecided,
        }
    }
}

/// The tree is not deep: the parser sees to that.
pub(super) fn evaluate<'a>(expression: &'a Expression, args: &Payload) -> Truth<'a> {
    match expression {
        Expression::Constant(value) => truth(*value),
        Expression::Not(inner) => evaluate(inner, args).not(),
        Expression::And(parts) => {
            let mut all = Truth::Yes;
            for part in parts {
                match (evaluate(part, args), all) {
                    (Truth::No, _) => return Truth::No,
                    (doubt @ Truth::Undecided(_), Truth::Yes) => all = doubt,
                    _ => {}
                }
            }
            all
        }
        Expression::Or(parts) => any(parts.iter().map(|part| evaluate(part, args))),
        Expression::Has(path) => truth(!matches!(find(args, path), Found::Missing)),
        Expression::Compare(left, comparison, right) => compare(left, *comparison, right, args),
        Expression::In(operand, list) => {
            let value = value_of(operand, args);
            any(list.iter().map(|literal| equals(operand, &value, literal)))
        }
        Expression::Contains(operand, literal) => contains(operand, literal, args),
        Expression::StartsWith(operand, prefix) => {
            test_text(operand, args, |text| Some(text.starts_with(prefix)))
        }
        Expression::EndsWith(operand, suffix) => {
            test_text(operand, args, |text| Some(text.ends_with(suffix)))
        }
        Expression::Within(operand, folder) => test_text(operand, args, |text| folder.holds(text)),
        Expression::Matches(operand, glob) => test_text(operand, args, |text| glob.matches(text)),
    }
}

fn truth<'a>(value: bool) -> Truth<'a> {
    if value { Truth::Yes } else { Truth::No }
}

fn any<'a>(parts: impl Iterator<Item = Truth<'a>>) -> Truth<'a> {
    let mut any = Truth::No;
    for part in parts {
        match (part, any) {
            (Truth::Yes, _) => return Truth::Yes,
            (doubt @ Truth::Undecided(_), Truth::No) => any = doubt,
            _ => {}
        }
    }
    any
}

fn doubt<'a>(operand: &'a Operand, found: &Found<'_>) -> Truth<'a> {
    let reason = if matches!(found, Found::Missing) { MISSING } else { OTHER_TYPE };
    Truth::Undecided(Doubt { operand, reason })
}

fn value_of<'a>(operand: &'a Operand, args: &'a Payload) -> Found<'a> {
    match operand {
        Operand::Path(path) => find(args, path),
        Operand::Literal(Literal::Text(text)) => Found::Text(text),
        Operand::Literal(literal) => literal.into(),
        Operand::Length(path) => match length(&find(args, path)) {
            Ok(length) => Found::Number(super::number::Number::Int(
                i128::try_from(length).unwrap_or(i128::MAX),
            )),
            Err(other) => other,
        },
    }
}

/// Characters of a text, bytes of bytes, items of a list, keys of an object.
fn length<'a>(found: &Found<'_>) -> Result<usize, Found<'a>> {
    match found {
        Found::Text(text) => Ok(text.chars().count()),
        Found::Bytes(count) => Ok(*count),
        Found::List(items) => Ok(items.len()),
        Found::Object(fields) => Ok(fields.len()),
        Found::Missing => Err(Found::Missing),
        _ => Err(Found::Opaque),
    }
}

fn compare<'a>(
    left: &'a Operand,
    comparison: Comparison,
    right: &'a Operand,
    args: &Payload,
) -> Truth<'a> {
    // The borrow of the arguments is shorter than that of the condition.
    let (left_value, right_value) = (value_of(left, args), value_of(right, args));
    for (operand, value) in [(left, &left_value), (right, &right_value)] {
        if matches!(value, Found::Missing) {
            return doubt(operand, value);
        }
    }
    let is_equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
    let ordering = match (&left_value, &right_value) {
        (Found::Null, Found::Null) => Some(Ordering::Equal),
        // That something is not null can be said of everything that is there.
        (Found::Null, _) if is_null(left) => Some(Ordering::Less),
        (_, Found::Null) if is_null(right) => Some(Ordering::Greater),
        (Found::Bool(left), Found::Bool(right)) if is_equality => Some(left.cmp(right)),
        (Found::Number(left), Found::Number(right)) => left.compare(right),
        (Found::Text(left), Found::Text(right)) => Some(left.cmp(right)),
        _ => None,
    };
    let is_about_null = matches!(left_value, Found::Null) || matches!(right_value, Found::Null);
    match ordering {
        Some(ordering) if is_equality || !is_about_null => truth(match comparison {
            Comparison::Equal => ordering.is_eq(),
            Comparison::NotEqual => ordering.is_ne(),
            Comparison::Less => ordering.is_lt(),
            Comparison::AtMost => ordering.is_le(),
            Comparison::Greater => ordering.is_gt(),
            Comparison::AtLeast => ordering.is_ge(),
        }),
        _ => {
            let blamed = if matches!(left, Operand::Literal(_)) { right } else { left };
            Truth::Undecided(Doubt { operand: blamed, reason: OTHER_TYPE })
        }
    }
}

fn is_null(operand: &Operand) -> bool {
    matches!(operand, Operand::Literal(Literal::Null))
}

fn equals<'a>(operand: &'a Operand, value: &Found<'_>, literal: &Literal) -> Truth<'a> {
    match (value, literal) {
        (Found::Missing, _) => doubt(operand, value),
        (value, Literal::Null) => truth(matches!(value, Found::Null)),
        (Found::Bool(left), Literal::Bool(right)) => truth(left == right),
        (Found::Text(left), Literal::Text(right)) => truth(left == right),
        (Found::Number(left), Literal::Number(right)) => match left.compare(right) {
            Some(ordering) => truth(ordering.is_eq()),
            None => doubt(operand, value),
        },
        _ => doubt(operand, value),
    }
}

/// Part of a text, or an item of a list.
fn contains<'a>(operand: &'a Operand, literal: &Literal, args: &Payload) -> Truth<'a> {
    match (value_of(operand, args), operand, literal) {
        (Found::Text(text), _, Literal::Text(part)) => truth(text.contains(part)),
        (Found::List(items), Operand::Path(path), literal) => any(items
            .iter()
            .enumerate()
            .map(|(at, value)| equals(operand, &item(args, path, at, value), literal))),
        (other, ..) => doubt(operand, &other),
    }
}

fn test_text<'a>(
    operand: &'a Operand,
    args: &Payload,
    holds: impl Fn(&str) -> Option<bool>,
) -> Truth<'a> {
    match value_of(operand, args) {
        Found::Text(text) => match holds(text) {
            Some(value) => truth(value),
            None => Truth::Undecided(Doubt { operand, reason: UNCLEAR }),
        },
        other => doubt(operand, &other),
    }
}
