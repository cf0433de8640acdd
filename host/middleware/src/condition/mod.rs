//! Conditions on the arguments of a call: `amount <= 1000 and currency in ["EUR", "USD"]`.
//!
//! `lexer` and `parser` make the tree of `tree` from text, with bounds on length and depth;
//! `evaluate` decides it over the arguments of a call, `value` says what an argument is, `folder` and
//! `text_glob` are the tests that know what a path and a URL are.

mod evaluate;
mod folder;
mod lexer;
mod number;
mod parser;
mod text_glob;
mod tree;
mod value;

use std::fmt;
use std::str::FromStr;

use pcm_runtime_api::Payload;

pub(crate) use self::evaluate::Truth;
use self::tree::Expression;
pub(crate) use self::value::types_are_sound;

/// Text that is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {message}")]
pub struct ConditionError {
    /// Where in the text, in characters from 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
}

/// A condition on the arguments of a call.
///
/// It is true, false, or **undecided**: where it looks at an argument that is missing or is of
/// another type than the test is for. `not` leaves the undecided undecided; `and` and `or` decide
/// where the other side alone does. A rule that allows applies only to what is true, a rule that
/// denies or asks applies also to what is undecided: nothing is let through by leaving something out.
///
/// `docs/policy.md` has the language.
///
/// ```
/// use pcm_middleware::Condition;
///
/// let condition: Condition = r#"amount <= 1000 and path within "data""#.parse()?;
/// let args = |amount: i64, path: &str| serde_json::json!({"amount": amount, "path": path}).into();
/// assert_eq!(condition.holds(&args(1000, "data/x.csv")), Some(true));
/// assert_eq!(condition.holds(&args(1001, "data/x.csv")), Some(false));
/// assert_eq!(condition.holds(&args(1, "data/../../etc/passwd")), None);
/// # Ok::<(), pcm_middleware::ConditionError>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Condition(Expression);

impl Condition {
    /// Whether the condition holds of these arguments. None is undecided.
    pub fn holds(&self, args: &Payload) -> Option<bool> {
        match self.evaluate(args) {
            Truth::Yes => Some(true),
            Truth::No => Some(false),
            Truth::Undecided(_) => None,
        }
    }

    pub(crate) fn evaluate(&self, args: &Payload) -> Truth<'_> {
        evaluate::evaluate(&self.0, args)
    }

    /// What is likely not to mean what its author thinks.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        self.0.visit(&mut |expression| {
            if let Expression::StartsWith(operand, prefix) = expression
                && (prefix.contains('/') || prefix.contains('\\'))
            {
                warnings.push(format!(
                    "`{operand} starts_with {prefix:?}` also holds of `{prefix}../…` and of hosts that \
                     begin like this one; for paths there is `within`, for URLs `matches`"
                ));
            }
        });
        warnings
    }
}

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, ConditionError> {
        parser::parse(text).map(Self)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Condition({})", self.0)
    }
}
