//! Where the server is, and who asks.

use std::fmt;
use std::time::Duration;

/// Where the server is, and who asks.
///
/// ```
/// use pcm_runtime_remote::{RemoteConfig, Token};
///
/// let mut config = RemoteConfig::new("http://127.0.0.1:8080");
/// config.token = Some(Token::new("a secret"));
/// assert!(!format!("{config:?}").contains("secret"));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RemoteConfig {
    /// Its address: `https://sandbox.example.org`, with a path where it has one.
    pub url: String,
    /// What it knows us by.
    pub token: Option<Token>,
    /// The workspace that the sessions are of; None is what is outside of all.
    pub workspace: Option<String>,
    /// How long the server may take to accept a connection; 10 s.
    pub connect_timeout: Duration,
    /// How long it may take for what is neither a run nor a package; 30 s.
    pub timeout: Duration,
}

impl RemoteConfig {
    /// The server at this address, without a token.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            token: None,
            workspace: None,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(30),
        }
    }
}

/// A token, which no message and no log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// This one.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// What it is, for whoever has to tell a server.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token")
    }
}
