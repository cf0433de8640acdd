//! Rules about calls: `rule` is one of them, `decision` what they come to, `layer` applies them.

mod decision;
mod layer;
mod rule;

use pcm_runtime_api::Payload;

pub use self::decision::{Decision, Skipped};
pub use self::layer::{PolicyLayer, Verdict};
pub use self::rule::{Action, Rule};
use crate::Rate;
use crate::condition::{Truth, types_are_sound};

/// The operations of the namespace `tools`. A tool of such a name could not be told from them.
const TOOL_OPERATIONS: [&str; 5] = ["call", "list", "list_recipes", "search", "stubs"];

/// The name of a call that does not say which tool it is for, and of a tool that nobody can have.
const UNREADABLE: &str = "tools.call";

/// An ordered list of rules. The first that applies to a call decides it.
///
/// ```
/// use pcm_middleware::{Action, Policy, Rule};
///
/// let policy = Policy::new(Action::Deny)
///     .rule(Rule::new(Action::Allow, ["tools.bank.transfer"])?.when("amount <= 1000")?)
///     .rule(Rule::new(Action::Ask, ["tools.bank.transfer"])?);
/// let args = |amount: i64| serde_json::json!({"amount": amount}).into();
/// assert_eq!(policy.decide("tools.bank.transfer", &args(10)).action, Action::Allow);
/// assert_eq!(policy.decide("tools.bank.transfer", &args(9999)).action, Action::Ask);
/// assert_eq!(policy.decide("tools.bank.close", &args(10)).action, Action::Deny);
/// # Ok::<(), pcm_middleware::MiddlewareError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Policy {
    rules: Vec<Rule>,
    default: Action,
    max_calls: Option<u64>,
    rate: Option<Rate>,
}

impl Policy {
    /// A policy without rules, under which `default` happens to every call.
    pub fn new(default: Action) -> Self {
        Self { rules: Vec::new(), default, max_calls: None, rate: None }
    }

    /// Adds a rule after those that are there.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule.placed(self.rules.len()));
        self
    }

    /// Bounds the calls of a session, whatever they are.
    #[must_use]
    pub fn max_calls(mut self, most: u64) -> Self {
        self.max_calls = Some(most);
        self
    }

    /// Bounds how often a session calls, whatever it calls.
    #[must_use]
    pub fn rate(mut self, rate: Rate) -> Self {
        self.rate = Some(rate);
        self
    }

    /// The rules, in order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What happens where no rule applies.
    pub fn default_action(&self) -> Action {
        self.default
    }

    /// What happens to a call of the qualified name `name` with these arguments. Counts nothing.
    pub fn decide(&self, name: &str, args: &Payload) -> Decision<'_> {
        if name == UNREADABLE {
            return Decision::unreadable();
        }
        if !types_are_sound(args) {
            return Decision::unsound();
        }
        let mut skipped = Vec::new();
        for rule in &self.rules {
            if !rule.matches(name) {
                continue;
            }
            match rule.condition().map(|condition| condition.evaluate(args)) {
                None | Some(Truth::Yes) => return Decision::by(rule, None, skipped),
                Some(Truth::Undecided(doubt)) if rule.action() != Action::Allow => {
                    return Decision::by(rule, Some(doubt.to_string()), skipped);
                }
                Some(Truth::Undecided(doubt)) => {
                    skipped.push(Skipped::undecided(rule, doubt.to_string()));
                }
                Some(Truth::No) => skipped.push(Skipped::not_met(rule)),
            }
        }
        Decision::by_default(self.default, skipped)
    }
}

/// Whether the tool could be taken for an operation of its namespace.
fn poses_as_operation(tool: &str) -> bool {
    TOOL_OPERATIONS.contains(&tool)
}
