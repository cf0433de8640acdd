//! What is understood, and likely not meant.

use std::fmt;

use pcm_runtime_api::Namespace;
use serde_saphyr::Location;

use crate::{Action, NameGlob, Policy, Rule};

/// Something in a policy file that is likely not to mean what its author thinks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyWarning {
    /// The line of the rule, from 1.
    pub line: u64,
    /// Its column, from 1.
    pub column: u64,
    /// What is meant otherwise.
    pub message: String,
}

impl fmt::Display for PolicyWarning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, message } = self;
        write!(formatter, "line {line}, column {column}: {message}")
    }
}

/// The warnings about the rules of a policy, which stand at `places`.
pub(super) fn of(policy: &Policy, places: &[Location]) -> Vec<PolicyWarning> {
    let mut warnings = Vec::new();
    for (index, (rule, place)) in policy.rules().iter().zip(places).enumerate() {
        let (before, after) = policy.rules().split_at(index);
        let messages = [
            rule.condition().map(crate::Condition::warnings).unwrap_or_default(),
            rule.patterns().iter().filter_map(unknown_namespace).collect(),
            shadowed(rule, before).into_iter().collect(),
            escape_hatches(rule, after, policy.default_action()),
        ];
        warnings.extend(messages.into_iter().flatten().map(|message| PolicyWarning {
            line: place.line(),
            column: place.column(),
            message,
        }));
    }
    warnings
}

fn unknown_namespace(glob: &NameGlob) -> Option<String> {
    let first = glob.as_str().split('.').next()?;
    let is_known = first.contains('*') || first.parse::<Namespace>().is_ok();
    (!is_known).then(|| {
        format!(
            "`{glob}` matches no call: names begin with tools, workflows, artifacts, deps or network"
        )
    })
}

/// A rule before it that decides everything that this one is about.
fn shadowed(rule: &Rule, before: &[Rule]) -> Option<String> {
    let covers = |one: &NameGlob, other: &NameGlob| one == other || one.as_str() == "**";
    let earlier =
        before.iter().filter(|earlier| earlier.condition().is_none()).find(|earlier| {
            rule.patterns()
                .iter()
                .all(|own| earlier.patterns().iter().any(|other| covers(other, own)))
        })?;
    Some(format!("the rule never applies: rule {} decides all of it before", earlier.label()))
}

/// `tools.x.*` is about the recipes of `x`, and `tools.x` is a call too.
fn escape_hatches(rule: &Rule, from_here: &[Rule], default: Action) -> Vec<String> {
    if rule.action() == Action::Allow {
        return Vec::new();
    }
    let tool_of = |glob: &NameGlob| {
        let text = glob.as_str();
        let tool = text.strip_suffix(".**").or_else(|| text.strip_suffix(".*"))?;
        let is_tool = tool.starts_with("tools.") && !tool.contains('*');
        is_tool.then(|| tool.to_owned())
    };
    let decides = |tool: &str| {
        let about =
            from_here.iter().find(|one| one.patterns().iter().any(|glob| glob.matches(tool)));
        about.map_or(default, Rule::action)
    };
    rule.patterns()
        .iter()
        .filter_map(tool_of)
        .filter(|tool| decides(tool) == Action::Allow)
        .map(|tool| {
            format!(
                "`{tool}` itself, the tool without a recipe, is allowed; add it to the patterns if it \
                 is meant"
            )
        })
        .collect()
}
