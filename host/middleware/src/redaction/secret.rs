//! A secret.

use std::fmt;

use zeroize::Zeroizing;

/// A text that must not be seen. Its `Debug` hides it, and its memory is overwritten when it is gone.
///
/// A [`Redactor`](crate::Redactor) keeps the forms that it looks for as long as it lives.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The value of a variable of this process. None where it has none, or one that is no text.
    pub fn from_env(variable: &str) -> Option<Self> {
        std::env::var(variable).ok().map(Self::new)
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}
