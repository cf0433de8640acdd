//! One rule.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Condition, MiddlewareError, NameGlob, Rate};

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is made.
    Allow,
    /// It is refused.
    Deny,
    /// It is made if somebody approves it.
    Ask,
}

/// What happens to the calls that it is about.
#[derive(Debug, Clone)]
pub struct Rule {
    label: Arc<str>,
    is_named: bool,
    place: usize,
    globs: Vec<NameGlob>,
    action: Action,
    condition: Option<Condition>,
    max_calls: Option<u64>,
    rate: Option<Rate>,
    timeout: Option<Duration>,
    reason: Option<String>,
}

impl Rule {
    /// A rule about the calls whose qualified name one of the patterns matches.
    pub fn new<'a>(
        action: Action,
        patterns: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, MiddlewareError> {
        let globs = patterns.into_iter().map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self::of(action, globs))
    }

    pub(crate) fn of(action: Action, globs: Vec<NameGlob>) -> Self {
        Self {
            label: "rule".into(),
            is_named: false,
            place: 0,
            globs,
            action,
            condition: None,
            max_calls: None,
            rate: None,
            timeout: None,
            reason: None,
        }
    }

    /// Names the rule, for messages and the audit log.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.label = format!("{name:?}").into();
        self.is_named = true;
        self
    }

    /// Restricts the rule to calls whose arguments meet a condition.
    pub fn when(self, condition: &str) -> Result<Self, MiddlewareError> {
        let parsed = condition
            .parse()
            .map_err(|source| MiddlewareError::Condition { text: condition.to_owned(), source })?;
        Ok(self.with_condition(parsed))
    }

    #[must_use]
    pub(crate) fn with_condition(mut self, condition: Condition) -> Self {
        self.condition = Some(condition);
        self
    }

    /// Bounds the calls of a session that the rule lets through; further ones are refused.
    #[must_use]
    pub fn max_calls(mut self, most: u64) -> Self {
        self.max_calls = Some(most);
        self
    }

    /// Bounds how often the rule lets calls of a session through.
    #[must_use]
    pub fn rate(mut self, rate: Rate) -> Self {
        self.rate = Some(rate);
        self
    }

    /// How long a call under this rule may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Why, as the guest and whoever approves may read it.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Puts it at a place of a policy. Without a name it is called by its number there.
    pub(super) fn placed(mut self, place: usize) -> Self {
        self.place = place;
        if !self.is_named {
            self.label = (place + 1).to_string().into();
        }
        self
    }

    pub(super) fn place(&self) -> usize {
        self.place
    }

    /// What happens under this rule.
    pub fn action(&self) -> Action {
        self.action
    }

    /// The name in quotes, or the number in the policy.
    pub fn label(&self) -> &Arc<str> {
        &self.label
    }

    /// What the names look like that the rule is about.
    pub fn patterns(&self) -> &[NameGlob] {
        &self.globs
    }

    pub(crate) fn condition(&self) -> Option<&Condition> {
        self.condition.as_ref()
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        self.globs.iter().any(|glob| glob.matches(name))
    }

    pub(super) fn most_calls(&self) -> Option<u64> {
        self.max_calls
    }

    pub(super) fn most_often(&self) -> Option<Rate> {
        self.rate
    }

    pub(super) fn longest(&self) -> Option<Duration> {
        self.timeout
    }

    pub(crate) fn why(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}
