//! What holds of a jail.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::JailError;
use crate::mode::JailMode;

/// One part of a jail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Part {
    /// Nothing that is executed can give more rights than there are.
    NoNewPrivileges,
    /// Bounds on open files, the size of a file, locked memory, and no core dumps.
    Rlimits,
    /// A bound on the number of threads.
    Threads,
    /// No environment, neither in the variables nor in the memory they came in.
    Environment,
    /// No descriptors but those that were asked for.
    Descriptors,
    /// The process ends with its parent.
    ParentDeath,
    /// A user namespace of its own: rights in it are rights over nothing else.
    UserNamespace,
    /// A network namespace of its own, with nothing in it.
    NetworkNamespace,
    /// Its own System V objects, host name and names of cgroups.
    IpcNamespace,
    /// A process namespace of its own: there are no other processes.
    PidNamespace,
    /// A mount namespace of its own, with an empty root that cannot be written.
    MountNamespace,
    /// Not the machine's root, even where root has started it.
    User,
    /// No capabilities, and no way to get any.
    Capabilities,
    /// No file can be opened by name, and whatever else this kernel's Landlock refuses.
    Landlock,
    /// System calls that are not on the list fail.
    Seccomp,
    /// Bounds on the memory and the number of tasks, kept by the parent.
    Cgroup,
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NoNewPrivileges => "no new privileges",
            Self::Rlimits => "rlimits",
            Self::Threads => "threads",
            Self::Environment => "environment",
            Self::Descriptors => "descriptors",
            Self::ParentDeath => "parent death",
            Self::UserNamespace => "user namespace",
            Self::NetworkNamespace => "network namespace",
            Self::IpcNamespace => "IPC namespace",
            Self::PidNamespace => "process namespace",
            Self::MountNamespace => "mount namespace",
            Self::User => "user",
            Self::Capabilities => "capabilities",
            Self::Landlock => "Landlock",
            Self::Seccomp => "seccomp",
            Self::Cgroup => "cgroup",
        })
    }
}

/// Whether a part holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartState {
    /// It does.
    Held,
    /// This system does not have it or does not permit it.
    Missing {
        /// Why, for people.
        reason: String,
    },
    /// It was not asked for.
    Off,
}

impl PartState {
    /// Missing, for this reason.
    pub fn missing(reason: impl fmt::Display) -> Self {
        Self::Missing { reason: reason.to_string() }
    }

    /// Held when `outcome` is fine, else missing for what it says.
    pub fn of<T, E: fmt::Display>(outcome: &Result<T, E>) -> Self {
        match outcome {
            Ok(_) => Self::Held,
            Err(error) => Self::missing(error),
        }
    }
}

/// What holds of a jail, part by part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JailReport {
    parts: BTreeMap<Part, PartState>,
}

impl JailReport {
    /// All parts that are not the parent's, in one state.
    pub(crate) fn all(state: &PartState) -> Self {
        let parts = [
            Part::NoNewPrivileges,
            Part::Rlimits,
            Part::Threads,
            Part::Environment,
            Part::Descriptors,
            Part::ParentDeath,
            Part::UserNamespace,
            Part::NetworkNamespace,
            Part::IpcNamespace,
            Part::PidNamespace,
            Part::MountNamespace,
            Part::User,
            Part::Capabilities,
            Part::Landlock,
            Part::Seccomp,
        ];
        Self { parts: parts.into_iter().map(|part| (part, state.clone())).collect() }
    }

    /// Notes one part. The parent notes [`Part::Cgroup`], which the child knows nothing of.
    pub fn record(&mut self, part: Part, state: PartState) {
        self.parts.insert(part, state);
    }

    /// How it stands with `part`; None where nobody has noted it.
    pub fn state(&self, part: Part) -> Option<&PartState> {
        self.parts.get(&part)
    }

    /// Whether `part` holds.
    pub fn holds(&self, part: Part) -> bool {
        self.state(part) == Some(&PartState::Held)
    }

    /// All parts that were noted.
    pub fn parts(&self) -> impl Iterator<Item = (Part, &PartState)> {
        self.parts.iter().map(|(part, state)| (*part, state))
    }

    /// The parts that are missing, with the reason.
    pub fn missing(&self) -> impl Iterator<Item = (Part, &str)> {
        self.parts().filter_map(|(part, state)| match state {
            PartState::Missing { reason } => Some((part, reason.as_str())),
            PartState::Held | PartState::Off => None,
        })
    }

    /// Whether every part holds that was noted. A jail that is off is not complete.
    pub fn is_complete(&self) -> bool {
        !self.parts.is_empty() && self.parts.values().all(|state| *state == PartState::Held)
    }

    /// The report, or in strict mode an error when a part is missing.
    pub fn demand(self, mode: JailMode) -> Result<Self, JailError> {
        let lacks = self.parts.is_empty() || self.missing().next().is_some();
        if mode == JailMode::Strict && lacks {
            return Err(JailError::Incomplete(self));
        }
        Ok(self)
    }
}

impl fmt::Display for JailReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |wanted: &PartState| {
            let parts = self.parts().filter(|(_, state)| *state == wanted);
            parts.map(|(part, _)| part.to_string()).collect::<Vec<_>>().join(", ")
        };
        let missing = self.missing().map(|(part, reason)| format!("{part} ({reason})"));
        let missing = missing.collect::<Vec<_>>().join(", ");
        let groups = [
            ("held", named(&PartState::Held)),
            ("missing", missing),
            ("off", named(&PartState::Off)),
        ];
        let groups = groups.iter().filter(|(_, parts)| !parts.is_empty());
        let lines = groups.map(|(state, parts)| format!("{state}: {parts}")).collect::<Vec<_>>();
        formatter.write_str(&lines.join("; "))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn mixed() -> JailReport {
        let mut report = JailReport::default();
        report.record(Part::Seccomp, PartState::Held);
        report.record(Part::Rlimits, PartState::Held);
        report.record(Part::Landlock, PartState::missing("this kernel has none"));
        report.record(Part::Cgroup, PartState::Off);
        report
    }

    #[test]
    fn a_report_says_what_holds_what_is_missing_and_why() {
        let text = "held: rlimits, seccomp; missing: Landlock (this kernel has none); off: cgroup";
        assert_eq!(mixed().to_string(), text);
        let missing: Vec<_> = mixed().missing().map(|(part, why)| (part, why.to_owned())).collect();
        assert_eq!(missing, [(Part::Landlock, "this kernel has none".to_owned())]);
    }

    #[test]
    fn a_report_crosses_a_wire_as_plain_words() {
        let json = serde_json::to_value(mixed()).unwrap();
        let expected = serde_json::json!({
            "rlimits": "held",
            "landlock": {"missing": {"reason": "this kernel has none"}},
            "seccomp": "held",
            "cgroup": "off",
        });
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_value::<JailReport>(json).unwrap(), mixed());
    }

    #[test]
    fn strict_refuses_what_is_missing_and_nothing_else() {
        assert!(matches!(mixed().demand(JailMode::Strict), Err(JailError::Incomplete(_))));
        assert!(mixed().demand(JailMode::Default).is_ok());
        assert!(JailReport::all(&PartState::Held).demand(JailMode::Strict).is_ok());
        assert!(JailReport::all(&PartState::missing("none")).demand(JailMode::Off).is_ok());
    }

    #[test]
    fn a_jail_is_complete_when_all_of_it_holds() {
        assert!(JailReport::all(&PartState::Held).is_complete());
        assert!(!JailReport::all(&PartState::Off).is_complete());
        assert!(!mixed().is_complete());
        assert!(!JailReport::default().is_complete());
    }
}
