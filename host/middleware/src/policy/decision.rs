//! What the rules come to.

use std::fmt;
use std::sync::Arc;

use super::{Action, Rule};

/// What happens to a call, and why.
///
/// Its text is an explanation for people.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Decision<'a> {
    /// What happens.
    pub action: Action,
    /// The rule that decided. None is the default, or arguments that nobody can judge.
    pub rule: Option<&'a Rule>,
    /// Why the rule applies although its condition cannot be decided.
    pub doubt: Option<String>,
    /// The rules before it whose patterns match, too.
    pub skipped: Vec<Skipped>,
    unfit: Option<&'static str>,
}

/// A rule about the name of a call that did not apply to its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skipped {
    /// The label of the rule.
    pub rule: Arc<str>,
    /// Why its condition could not be decided. None: it did not hold.
    pub doubt: Option<String>,
}

impl Skipped {
    pub(super) fn undecided(rule: &Rule, doubt: String) -> Self {
        Self { rule: Arc::clone(rule.label()), doubt: Some(doubt) }
    }

    pub(super) fn not_met(rule: &Rule) -> Self {
        Self { rule: Arc::clone(rule.label()), doubt: None }
    }
}

impl<'a> Decision<'a> {
    pub(super) fn by(rule: &'a Rule, doubt: Option<String>, skipped: Vec<Skipped>) -> Self {
        Self { action: rule.action(), rule: Some(rule), doubt, skipped, unfit: None }
    }

    pub(super) fn by_default(action: Action, skipped: Vec<Skipped>) -> Self {
        Self { action, rule: None, doubt: None, skipped, unfit: None }
    }

    pub(super) fn unsound() -> Self {
        Self::unfit("the types beside its arguments do not fit the arguments")
    }

    pub(super) fn unreadable() -> Self {
        Self::unfit("it does not say what it is for, as {\"name\", \"args\"} of a tool")
    }

    fn unfit(why: &'static str) -> Self {
        let (action, skipped) = (Action::Deny, Vec::new());
        Self { action, rule: None, doubt: None, skipped, unfit: Some(why) }
    }

    /// Why a call of this name is refused, as the guest reads it.
    pub(super) fn refusal(&self, name: &str) -> String {
        format!("{name} is refused: {self}")
    }
}

impl fmt::Display for Decision<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = self.unfit {
            return formatter.write_str(why);
        }
        let verb = match self.action {
            Action::Allow => "allows",
            Action::Deny => "denies",
            Action::Ask => "asks for approval of",
        };
        match self.rule {
            Some(rule) => {
                write!(formatter, "rule {} {verb} it", rule.label())?;
                if let Some(doubt) = &self.doubt {
                    write!(formatter, ", because `{doubt}`")?;
                }
                if let Some(reason) = rule.why() {
                    write!(formatter, ": {reason}")?;
                }
            }
            None => write!(formatter, "no rule applies, and the default {verb} it")?,
        }
        for skipped in &self.skipped {
            match &skipped.doubt {
                Some(doubt) => {
                    write!(formatter, "; rule {} does not apply: {doubt}", skipped.rule)?;
                }
                None => write!(
                    formatter,
                    "; rule {} does not apply: its condition is not met",
                    skipped.rule
                )?,
            }
        }
        Ok(())
    }
}
