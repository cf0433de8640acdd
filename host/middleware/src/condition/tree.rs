//! A condition as a tree.

use std::fmt;

use super::folder::Folder;
use super::number::Number;
use super::text_glob::TextGlob;

/// Something that is true, false or undecided.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    Constant(bool),
    Not(Box<Self>),
    And(Vec<Self>),
    Or(Vec<Self>),
    Has(Path),
    Compare(Operand, Comparison, Operand),
    In(Operand, Vec<Literal>),
    StartsWith(Operand, String),
    EndsWith(Operand, String),
    Contains(Operand, Literal),
    Within(Operand, Folder),
    Matches(Operand, TextGlob),
}

impl Expression {
    /// Every node, from the outermost.
    pub(super) fn visit(&self, visitor: &mut impl FnMut(&Self)) {
        visitor(self);
        match self {
            Self::Not(inner) => inner.visit(visitor),
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.visit(visitor)),
            _ => {}
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    Path(Path),
    Length(Path),
    Literal(Literal),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    Number(Number<'static>),
    Text(String),
}

/// A place in the arguments; without steps, all of them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Path(pub(super) Vec<Step>);

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// Words that the language has taken. An argument of such a name is `$["in"]`.
pub(super) const RESERVED: [&str; 14] = [
    "and",
    "or",
    "not",
    "in",
    "has",
    "len",
    "true",
    "false",
    "null",
    "starts_with",
    "ends_with",
    "contains",
    "within",
    "matches",
];

pub(super) fn is_identifier(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.chars().all(|one| one.is_ascii_alphanumeric() || one == '_')
}

impl fmt::Display for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(value) => write!(formatter, "{value}"),
            Self::Not(inner) => match **inner {
                Self::And(_) | Self::Or(_) => write!(formatter, "not ({inner})"),
                _ => write!(formatter, "not {inner}"),
            },
            Self::And(parts) => join(formatter, parts, " and "),
            Self::Or(parts) => join(formatter, parts, " or "),
            Self::Has(path) => write!(formatter, "has({path})"),
            Self::Compare(left, comparison, right) => {
                write!(formatter, "{left} {comparison} {right}")
            }
            Self::In(value, list) => {
                write!(formatter, "{value} in [")?;
                for (at, literal) in list.iter().enumerate() {
                    let comma = if at == 0 { "" } else { ", " };
                    write!(formatter, "{comma}{literal}")?;
                }
                formatter.write_str("]")
            }
            Self::StartsWith(value, text) => {
                write!(formatter, "{value} starts_with {}", Quoted(text))
            }
            Self::EndsWith(value, text) => write!(formatter, "{value} ends_with {}", Quoted(text)),
            Self::Contains(value, literal) => write!(formatter, "{value} contains {literal}"),
            Self::Within(value, folder) => {
                write!(formatter, "{value} within {}", Quoted(folder.as_str()))
            }
            Self::Matches(value, glob) => {
                write!(formatter, "{value} matches {}", Quoted(glob.as_str()))
            }
        }
    }
}

/// Each part in parentheses that needs them to stay one part.
fn join(
    formatter: &mut fmt::Formatter<'_>,
    parts: &[Expression],
    word: &'static str,
) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            formatter.write_str(word)?;
        }
        match part {
            Expression::And(_) | Expression::Or(_) => write!(formatter, "({part})")?,
            _ => write!(formatter, "{part}")?,
        }
    }
    Ok(())
}

impl fmt::Display for Operand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.fmt(formatter),
            Self::Length(path) => write!(formatter, "len({path})"),
            Self::Literal(literal) => literal.fmt(formatter),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => formatter.write_str("null"),
            Self::Bool(value) => write!(formatter, "{value}"),
            Self::Number(number) => write!(formatter, "{number}"),
            Self::Text(text) => write!(formatter, "{}", Quoted(text)),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut steps = self.0.iter();
        match self.0.first() {
            Some(Step::Key(key)) if is_identifier(key) && !RESERVED.contains(&key.as_str()) => {
                formatter.write_str(key)?;
                steps.next();
            }
            _ => formatter.write_str("$")?,
        }
        for step in steps {
            match step {
                Step::Key(key) if is_identifier(key) => write!(formatter, ".{key}")?,
                Step::Key(key) => write!(formatter, "[{}]", Quoted(key))?,
                Step::Index(index) => write!(formatter, "[{index}]")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
        })
    }
}

/// A text as the language writes it.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("\"")?;
        for one in self.0.chars() {
            match one {
                '"' | '\\' => write!(formatter, "\\{one}")?,
                '\n' => formatter.write_str("\\n")?,
                '\r' => formatter.write_str("\\r")?,
                '\t' => formatter.write_str("\\t")?,
                one if one.is_control() => write!(formatter, "\\u{{{:x}}}", u32::from(one))?,
                one => write!(formatter, "{one}")?,
            }
        }
        formatter.write_str("\"")
    }
}
