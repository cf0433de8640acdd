//! What may stand in a policy file.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use crate::{Action, ApprovalMode};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileText {
    pub(super) version: Spanned<u32>,
    #[serde(default)]
    pub(super) default: Option<Action>,
    #[serde(default)]
    pub(super) rules: Vec<Spanned<RuleText>>,
    #[serde(default)]
    pub(super) approvals: ApprovalsText,
    #[serde(default)]
    pub(super) redact: RedactText,
    #[serde(default)]
    pub(super) audit: Option<AuditText>,
    #[serde(default)]
    pub(super) timeouts: TimeoutsText,
    #[serde(default)]
    pub(super) limits: LimitsText,
    #[serde(default)]
    pub(super) tracing: Option<TracingText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleText {
    #[serde(default)]
    pub(super) name: Option<Spanned<String>>,
    #[serde(rename = "match")]
    pub(super) patterns: Spanned<OneOrMore>,
    pub(super) action: Action,
    #[serde(default)]
    pub(super) when: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) max_calls: Option<u64>,
    #[serde(default)]
    pub(super) rate: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) timeout: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ApprovalsText {
    #[serde(default)]
    pub(super) mode: ApprovalMode,
    #[serde(default)]
    pub(super) valid: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) max_open: Option<usize>,
    #[serde(default)]
    pub(super) max_open_per_session: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RedactText {
    #[serde(default)]
    pub(super) env: Vec<String>,
    #[serde(default)]
    pub(super) patterns: Vec<Spanned<PatternText>>,
    #[serde(default)]
    pub(super) keys: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PatternText {
    pub(super) name: String,
    pub(super) regex: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditText {
    pub(super) file: String,
    #[serde(default)]
    pub(super) chain: bool,
    #[serde(default)]
    pub(super) args: bool,
    #[serde(default)]
    pub(super) on_failure: FailureText,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FailureText {
    #[default]
    Refuse,
    Continue,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TimeoutsText {
    #[serde(default)]
    pub(super) default: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) calls: Vec<TimeoutText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TimeoutText {
    #[serde(rename = "match")]
    pub(super) patterns: Spanned<OneOrMore>,
    pub(super) timeout: Spanned<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsText {
    #[serde(default)]
    pub(super) max_calls: Option<u64>,
    #[serde(default)]
    pub(super) rate: Option<Spanned<String>>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TracingText {
    #[serde(default)]
    pub(super) args: bool,
}

/// One text, or a list of them.
#[derive(Debug)]
pub(super) struct OneOrMore(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;

        impl<'de> Visitor<'de> for Texts {
            type Value = OneOrMore;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a pattern or a list of patterns")
            }

            fn visit_str<E>(self, text: &str) -> Result<OneOrMore, E> {
                Ok(OneOrMore(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<OneOrMore, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = items.next_element()? {
                    texts.push(text);
                }
                Ok(OneOrMore(texts))
            }
        }

        deserializer.deserialize_any(Texts)
    }
}
