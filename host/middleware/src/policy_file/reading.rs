//! From the text of a policy file to parts that are checked.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use serde_saphyr::{Location, Spanned};

use super::schema::{
    ApprovalsText, AuditText, FileText, OneOrMore, RedactText, RuleText, TimeoutsText, TracingText,
};
use super::warnings::{self, PolicyWarning};
use crate::{
    Action, ApprovalOptions, Condition, MiddlewareError, NameGlob, Policy, Rate, Redactor,
    RedactorBuilder, Rule, TimeoutLayer,
};

/// The only version there is.
const VERSION: u32 = 1;
const MAX_RULES: usize = 1000;

/// What a policy file says.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) policy: Arc<Policy>,
    pub(super) approvals: ApprovalOptions,
    pub(super) redact: RedactText,
    pub(super) audit: Option<AuditText>,
    pub(super) timeouts: Arc<TimeoutLayer>,
    pub(super) tracing: Option<TracingText>,
    pub(super) warnings: Vec<PolicyWarning>,
}

pub(super) fn read(text: &str) -> Result<Parts, MiddlewareError> {
    let file = parse(text)?;
    if file.version.value != VERSION {
        let version = file.version.value;
        return Err(at(
            file.version.referenced,
            format!("version {version} is unknown; this program reads version {VERSION}"),
        ));
    }
    if let Some(rule) = file.rules.get(MAX_RULES) {
        return Err(at(rule.referenced, format!("there are more than {MAX_RULES} rules")));
    }
    let mut policy = Policy::new(file.default.unwrap_or(Action::Deny));
    let mut places = Vec::new();
    for rule in &file.rules {
        places.push(rule.referenced);
        policy = policy.rule(read_rule(&rule.value)?);
    }
    if let Some(most) = file.limits.max_calls {
        policy = policy.max_calls(most);
    }
    if let Some(rate) = &file.limits.rate {
        policy = policy.rate(read_rate(rate)?);
    }
    // For its errors: secrets are looked up later.
    add_patterns(Redactor::builder(), &file.redact)?;
    let warnings = warnings::of(&policy, &places);
    Ok(Parts {
        approvals: read_approvals(&file.approvals)?,
        timeouts: Arc::new(read_timeouts(&file.timeouts)?),
        policy: Arc::new(policy),
        redact: file.redact,
        audit: file.audit,
        tracing: file.tracing,
        warnings,
    })
}

fn parse(text: &str) -> Result<FileText, MiddlewareError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 16,
            max_nodes: 50_000,
            max_documents: 1,
            max_aliases: 0,
            max_anchors: 0,
        },
        strict_booleans: true,
        with_snippet: false,
        reject_unsupported_tags: true,
        reject_tagged_field_names: true,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let formatter = serde_saphyr::UserMessageFormatter;
        let message = error.without_snippet().render_with_formatter(&formatter);
        let Some(location) = error.location() else {
            return MiddlewareError::PolicyFile { line: 0, column: 0, message };
        };
        // The place is said once.
        let place = format!(" at line {}, column {}", location.line(), location.column());
        at(location, message.strip_suffix(&place).unwrap_or(&message))
    })
}

fn at(location: Location, message: impl Display) -> MiddlewareError {
    MiddlewareError::PolicyFile {
        line: location.line(),
        column: location.column(),
        message: message.to_string(),
    }
}

fn read_rule(text: &RuleText) -> Result<Rule, MiddlewareError> {
    let mut rule = Rule::of(text.action, read_globs(&text.patterns)?);
    if let Some(name) = &text.name {
        let is_name =
            (1..=80).contains(&name.value.len()) && !name.value.contains(char::is_control);
        if !is_name {
            return Err(at(
                name.referenced,
                "the name of a rule has 1 to 80 characters on one line",
            ));
        }
        rule = rule.named(&name.value);
    }
    if let Some(when) = &text.when {
        let condition: Condition = when
            .value
            .parse()
            .map_err(|error| at(when.referenced, format!("in `when`, {error}")))?;
        rule = rule.with_condition(condition);
    }
    if let Some(most) = text.max_calls {
        rule = rule.max_calls(most);
    }
    if let Some(rate) = &text.rate {
        rule = rule.rate(read_rate(rate)?);
    }
    if let Some(timeout) = &text.timeout {
        rule = rule.timeout(read_duration(timeout)?);
    }
    if let Some(reason) = &text.reason {
        rule = rule.reason(reason.as_str());
    }
    Ok(rule)
}

fn read_globs(patterns: &Spanned<OneOrMore>) -> Result<Vec<NameGlob>, MiddlewareError> {
    let OneOrMore(texts) = &patterns.value;
    if texts.is_empty() {
        return Err(at(patterns.referenced, "an empty list matches nothing"));
    }
    texts.iter().map(|text| text.parse().map_err(|error| at(patterns.referenced, error))).collect()
}

fn read_rate(text: &Spanned<String>) -> Result<Rate, MiddlewareError> {
    text.value.parse().map_err(|error| at(text.referenced, error))
}

fn read_duration(text: &Spanned<String>) -> Result<Duration, MiddlewareError> {
    match humantime::parse_duration(&text.value) {
        Ok(duration) if duration > Duration::ZERO => Ok(duration),
        Ok(_) => Err(at(text.referenced, "a duration of nothing leaves time for nothing")),
        Err(error) => Err(at(
            text.referenced,
            format!(
                "{:?} is no duration ({error}); durations are as 30s, 5m or 1h 30m",
                text.value
            ),
        )),
    }
}

fn read_approvals(text: &ApprovalsText) -> Result<ApprovalOptions, MiddlewareError> {
    let mut options = ApprovalOptions::default().mode(text.mode);
    if let Some(valid) = &text.valid {
        options = options.valid(read_duration(valid)?);
    }
    let (all, per_session) = options.open_bounds();
    let all = text.max_open.unwrap_or(all);
    let per_session = text.max_open_per_session.unwrap_or(per_session);
    Ok(options.max_open(all, per_session))
}

fn read_timeouts(text: &TimeoutsText) -> Result<TimeoutLayer, MiddlewareError> {
    let default = text.default.as_ref().map(read_duration).transpose()?;
    let mut layer = TimeoutLayer::new(default);
    for call in &text.calls {
        let longest = read_duration(&call.timeout)?;
        for glob in read_globs(&call.patterns)? {
            layer = layer.name(glob, longest);
        }
    }
    Ok(layer)
}

/// Adds everything but the secrets. Gives errors their places.
pub(super) fn add_patterns(
    mut builder: RedactorBuilder,
    text: &RedactText,
) -> Result<RedactorBuilder, MiddlewareError> {
    for pattern in &text.patterns {
        let (name, regex) = (&pattern.value.name, &pattern.value.regex);
        Redactor::builder()
            .pattern(name, regex)
            .build()
            .map_err(|error| at(pattern.referenced, error))?;
        builder = builder.pattern(name, regex);
    }
    Ok(text.keys.iter().fold(builder, RedactorBuilder::key))
}
