//! Variables of the environment, and `${NAME}` in declarations.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

/// Where variables of the environment come from.
#[derive(Clone, Default)]
pub enum Variables {
    /// The environment of this process.
    #[default]
    Process,
    /// These and no others.
    Only(BTreeMap<String, String>),
}

/// Why a text with `${NAME}` in it has no value. It never holds the value of a variable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ExpandError {
    #[error("the environment variable {0} is not set; set it, or write ${{{0}:-a default}}")]
    Missing(String),
    #[error("the environment variable {0} is not UTF-8")]
    NotText(String),
    #[error("a ${{ has to be followed by NAME}} or NAME:-default}}; a literal ${{ is written $${{")]
    Syntax,
}

impl Variables {
    /// The value of a variable.
    pub(crate) fn get(&self, name: &str) -> Option<OsString> {
        match self {
            Self::Process => std::env::var_os(name),
            Self::Only(variables) => variables.get(name).map(OsString::from),
        }
    }

    /// All variables whose names begin with the prefix.
    pub(crate) fn starting_with(&self, prefix: &str) -> Vec<(OsString, OsString)> {
        match self {
            Self::Process => std::env::vars_os()
                .filter(|(name, _)| name.to_str().is_some_and(|name| name.starts_with(prefix)))
                .collect(),
            Self::Only(variables) => variables
                .iter()
                .filter(|(name, _)| name.starts_with(prefix))
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        }
    }

    /// The text with `${NAME}` and `${NAME:-default}` replaced.
    pub(crate) fn expand(&self, text: &str) -> Result<String, ExpandError> {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            if let Some(before) = before.strip_suffix('$') {
                expanded.push_str(before);
                expanded.push_str("${");
                rest = after;
                continue;
            }
            expanded.push_str(before);
            let (inside, after) = after.split_once('}').ok_or(ExpandError::Syntax)?;
            expanded.push_str(&self.value(inside)?);
            rest = after;
        }
        expanded.push_str(rest);
        Ok(expanded)
    }

    fn value(&self, inside: &str) -> Result<String, ExpandError> {
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        if !is_name(name) {
            return Err(ExpandError::Syntax);
        }
        // As a shell does it: an empty variable takes the default too.
        match (self.get(name), default) {
            (Some(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
            (None, Some(default)) => Ok(default.to_owned()),
            (Some(value), _) => {
                value.into_string().map_err(|_| ExpandError::NotText(name.to_owned()))
            }
            (None, None) => Err(ExpandError::Missing(name.to_owned())),
        }
    }
}

/// Whether the text is the name of a variable.
pub(crate) fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|each| each.is_ascii_alphanumeric() || each == '_')
}

/// Without the values: they are secrets.
impl fmt::Debug for Variables {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process => formatter.write_str("Process"),
            Self::Only(variables) => {
                formatter.debug_tuple("Only").field(&variables.keys()).finish()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> Variables {
        let pairs = [("TOKEN", "s3cret"), ("EMPTY", ""), ("NESTED", "${TOKEN}")];
        Variables::Only(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }

    #[test]
    fn variables_are_replaced() {
        for (text, expected) in [
            ("Bearer ${TOKEN}", "Bearer s3cret"),
            ("${TOKEN}${TOKEN}", "s3crets3cret"),
            ("${MISSING:-a:-b}", "a:-b"),
            ("${EMPTY:-x}", "x"),
            ("<${EMPTY}>", "<>"),
            ("$${TOKEN} $TOKEN $", "${TOKEN} $TOKEN $"),
            ("${NESTED}", "${TOKEN}"),
            ("plain", "plain"),
        ] {
            assert_eq!(variables().expand(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_named_and_nothing_else() {
        assert_eq!(
            variables().expand("${TOKEN}${NO}").err(),
            Some(ExpandError::Missing("NO".to_owned()))
        );
        for text in ["${", "${}", "${a b}", "${1}", "${TOKEN:x}", "a ${TOKEN"] {
            assert_eq!(variables().expand(text).err(), Some(ExpandError::Syntax), "{text}");
        }
        assert!(!format!("{:?}", variables()).contains("s3cret"));
    }
}
