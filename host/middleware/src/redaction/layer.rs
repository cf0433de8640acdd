//! Answers without secrets.

use std::borrow::Cow;

use async_trait::async_trait;
use pcm_runtime_api::{HostError, Payload};

use super::Redactor;
use crate::{CallContext, Layer, Next};

/// Replaces secrets in results and in errors on their way to the guest. Arguments go to the port as
/// they are.
#[derive(Debug)]
pub struct RedactionLayer(Redactor);

impl RedactionLayer {
    /// Hides what `redactor` looks for.
    pub fn new(redactor: Redactor) -> Self {
        Self(redactor)
    }
}

#[async_trait]
impl Layer for RedactionLayer {
    async fn call(&self, context: &mut CallContext, next: Next<'_>) -> Result<Payload, HostError> {
        match next.run(context).await {
            Ok(payload) => Ok(self.0.result(payload)),
            Err(mut error) => {
                for text in [&mut error.error_type, &mut error.message] {
                    if let Cow::Owned(hidden) = self.0.text(text) {
                        *text = hidden;
                    }
                }
                Err(error)
            }
        }
    }
}
