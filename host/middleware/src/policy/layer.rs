//! Applying a policy to calls.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use pcm_fences::{Fence, holds};
use pcm_runtime_api::{HostError, Payload};

use super::{Action, Decision, Policy, Rule, poses_as_operation};
use crate::rate::Meter;
use crate::{Approvals, CallContext, Layer, Next, Rate};

/// What was decided about a call. The policy leaves it in the context, for the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// What the rules said.
    pub action: Action,
    /// The label of the rule. None is the default.
    pub rule: Option<Arc<str>>,
    /// Whether the call was refused because a limit was reached.
    pub limit: bool,
}

/// Lets calls through, refuses them, or asks for approval, as a [`Policy`] says.
///
/// What `max_calls` and `rate` count is counted by the layer: every session needs one of its own.
/// Refusals have the type `PolicyDenied`, and `LimitExceeded` where something was used up.
///
/// A layer inside of this one may still change arguments that were judged here. The shipped ones do
/// not; arguments that an approver edited are judged again.
#[derive(Debug)]
pub struct PolicyLayer {
    policy: Arc<Policy>,
    approvals: Option<Approvals>,
    all: Usage,
    by_rule: Vec<Usage>,
}

impl PolicyLayer {
    /// Applies `policy`. Without approvals, nobody can approve, and `ask` refuses.
    pub fn new(policy: Arc<Policy>) -> Self {
        let by_rule = policy.rules().iter().map(|_| Usage::default()).collect();
        Self { policy, approvals: None, all: Usage::default(), by_rule }
    }

    /// Asks there for approval.
    #[must_use]
    pub fn approvals(mut self, approvals: Approvals) -> Self {
        self.approvals = Some(approvals);
        self
    }

    /// Whether the call may go on, counted.
    async fn admit(&self, context: &mut CallContext) -> Result<(), HostError> {
        let name = context.name();
        if let Err(used_up) = self.all.take(self.policy.max_calls, self.policy.rate) {
            context.insert_extension(Verdict { action: Action::Deny, rule: None, limit: true });
            return Err(limit_exceeded(&name, "the session", &used_up));
        }
        let policy = Arc::clone(&self.policy);
        let decision = judge(&policy, context, &name);
        let mut verdict = Verdict {
            action: decision.action,
            rule: decision.rule.map(|rule| Arc::clone(rule.label())),
            limit: false,
        };
        if decision.action != Action::Deny
            && let Some(rule) = decision.rule
            && let Err(used_up) = self.count(rule)
        {
            verdict.limit = true;
            context.insert_extension(verdict);
            return Err(limit_exceeded(&name, &format!("rule {}", rule.label()), &used_up));
        }
        context.insert_extension(verdict);
        if let Some(longest) = decision.rule.and_then(Rule::longest) {
            context.timeout = Some(context.timeout.map_or(longest, |own| own.min(longest)));
        }
        match decision.action {
            Action::Deny if holds(Fence::Denied) => Err(denied(decision.refusal(&name))),
            Action::Allow | Action::Deny => Ok(()),
            Action::Ask => {
                let answer = self.ask(context, &decision, &name).await;
                if answer.is_err() {
                    // A call that has to come again, once it is approved, counts once.
                    self.give_back(&decision);
                }
                answer
            }
        }
    }

    async fn ask(
        &self,
        context: &mut CallContext,
        decision: &Decision<'_>,
        name: &str,
    ) -> Result<(), HostError> {
        let Some(approvals) = &self.approvals else {
            overrule(context);
            let mut message = decision.refusal(name);
            message.push_str("; this session has nobody to ask");
            return Err(denied(message));
        };
        let rule = decision.rule.map(|rule| rule.label().as_ref());
        let reason = decision.rule.and_then(Rule::why);
        let approved = approvals.ask(context, rule, reason).await?;
        if !approved.is_edited() {
            return Ok(());
        }
        // Whoever edits may choose arguments, not overrule what is denied.
        let again = judge(&self.policy, context, name);
        if again.action != Action::Deny {
            return Ok(());
        }
        overrule(context);
        Err(denied(again.refusal(name)))
    }

    fn give_back(&self, decision: &Decision<'_>) {
        let usage = decision.rule.and_then(|rule| self.by_rule.get(rule.place()));
        if let Some(usage) = usage {
            let less = |calls: u64| calls.checked_sub(1);
            // Nothing to give back is fine too: not every rule counts.
            usage.calls.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).ok();
        }
    }

    fn count(&self, rule: &Rule) -> Result<(), UsedUp> {
        match self.by_rule.get(rule.place()) {
            Some(usage) => usage.take(rule.most_calls(), rule.most_often()),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Layer for PolicyLayer {
    async fn call(&self, context: &mut CallContext, next: Next<'_>) -> Result<Payload, HostError> {
        self.admit(context).await?;
        next.run(context).await
    }
}

/// The decision about a call, without the calls that no rule can be about.
fn judge<'a>(policy: &'a Policy, context: &CallContext, name: &str) -> Decision<'a> {
    let poses = context.is_tool_call() && context.target().is_some_and(poses_as_operation);
    if context.is_malformed() || poses {
        return Decision::unreadable();
    }
    policy.decide(name, &context.args)
}

/// Notes that what was to be asked about is refused.
fn overrule(context: &mut CallContext) {
    if let Some(verdict) = context.extension_mut::<Verdict>() {
        verdict.action = Action::Deny;
    }
}

fn denied(message: String) -> HostError {
    HostError::new("PolicyDenied", message)
}

fn limit_exceeded(name: &str, who: &str, used_up: &UsedUp) -> HostError {
    let mut message = format!("{name} is refused: {who} allows ");
    // Writing to a string does not fail.
    match used_up {
        UsedUp::Calls(most) => write!(message, "{most} calls in a session"),
        UsedUp::Rate(rate, wait) => {
            write!(message, "{rate}; try again in {:.1} s", wait.as_secs_f64())
        }
    }
    .ok();
    HostError::new("LimitExceeded", message)
}

/// What was used of a limit.
#[derive(Debug, Default)]
struct Usage {
    calls: AtomicU64,
    meter: Meter,
}

enum UsedUp {
    Calls(u64),
    Rate(Rate, Duration),
}

impl Usage {
    fn take(&self, most: Option<u64>, rate: Option<Rate>) -> Result<(), UsedUp> {
        // In this order: what comes too often has not used up any of the calls.
        if let Some(rate) = rate {
            self.meter.take(rate).map_err(|wait| UsedUp::Rate(rate, wait))?;
        }
        if let Some(most) = most
            && holds(Fence::MaxCalls)
        {
            let has_room = |calls: u64| (calls < most).then_some(calls + 1);
            let taken = self.calls.fetch_update(Ordering::Relaxed, Ordering::Relaxed, has_room);
            taken.map_err(|_| UsedUp::Calls(most))?;
        }
        Ok(())
    }
}
