//! Calls that end in time.

use std::time::Duration;

use async_trait::async_trait;
use pcm_runtime_api::{HostError, Payload};

use crate::{CallContext, Layer, NameGlob, Next};

/// Gives up calls that take too long: what is inside of it is dropped, and the guest gets an error of
/// the type `TimeoutError`.
///
/// How long is too long says the context, where a layer further out (as a policy) put something there;
/// else the first pattern that matches; else the default.
#[derive(Debug, Default)]
pub struct TimeoutLayer {
    default: Option<Duration>,
    by_name: Vec<(NameGlob, Duration)>,
}

impl TimeoutLayer {
    /// Without a default, only calls that something is said of have an end.
    pub fn new(default: Option<Duration>) -> Self {
        Self { default, by_name: Vec::new() }
    }

    /// Bounds the calls that `glob` matches, unless an earlier pattern does.
    #[must_use]
    pub fn name(mut self, glob: NameGlob, longest: Duration) -> Self {
        self.by_name.push((glob, longest));
        self
    }

    fn longest(&self, own: Option<Duration>, name: &str) -> Option<Duration> {
        let by_name =
            || self.by_name.iter().find(|(glob, _)| glob.matches(name)).map(|found| found.1);
        own.or_else(by_name).or(self.default)
    }
}

#[async_trait]
impl Layer for TimeoutLayer {
    async fn call(&self, context: &mut CallContext, next: Next<'_>) -> Result<Payload, HostError> {
        let name = context.name();
        let Some(longest) = self.longest(context.timeout, &name) else {
            return next.run(context).await;
        };
        let answer = tokio::time::timeout(longest, next.run(context)).await;
        answer.unwrap_or_else(|_| {
            let message = format!("{name} took longer than {} s", longest.as_secs_f64());
            Err(HostError::new("TimeoutError", message))
        })
    }
}
