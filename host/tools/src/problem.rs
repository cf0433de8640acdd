//! What is wrong with a declaration, and where.

use std::fmt;

/// Something that the author of a declaration should know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// Whether the tool is left out because of it.
    pub severity: Severity,
    /// The name of the file, without its folder; empty where the folder itself is meant.
    pub file: String,
    /// Line and column, both from one, where a place is meant.
    pub place: Option<Place>,
    /// The keys that lead there: `schema.options.silent.short`.
    pub key: String,
    /// What is wrong, and what was expected.
    pub message: String,
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The tool is left out.
    Error,
    /// The tool is there.
    Warning,
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line, from one.
    pub line: u64,
    /// The column, from one, in characters.
    pub column: u64,
}

impl Problem {
    pub(crate) fn error(file: &str, message: impl Into<String>) -> Self {
        let (file, message) = (file.to_owned(), message.into());
        Self { severity: Severity::Error, file, place: None, key: String::new(), message }
    }

    pub(crate) fn warning(file: &str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(file, message) }
    }

    #[must_use]
    pub(crate) fn at(mut self, place: Option<Place>, key: impl Into<String>) -> Self {
        self.place = place;
        self.key = key.into();
        self
    }
}

/// As compilers write it: `curl.yaml:3:5: error: schema.options.silent.shrt: …`.
impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            formatter.write_str(&self.file)?;
            if let Some(Place { line, column }) = self.place {
                write!(formatter, ":{line}:{column}")?;
            }
            formatter.write_str(": ")?;
        }
        formatter.write_str(match self.severity {
            Severity::Error => "error: ",
            Severity::Warning => "warning: ",
        })?;
        if !self.key.is_empty() {
            write!(formatter, "{}: ", self.key)?;
        }
        formatter.write_str(&self.message)
    }
}
