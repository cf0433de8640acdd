//! Why a request was not answered, or a rule not understood.

use std::net::IpAddr;

use pcm_runtime_api::HostError;

use crate::address::Purpose;

/// Why a request was not made or not answered, or why a rule is none.
///
/// Except for the rules, these texts are shown to the guest: they name what the guest named, and
/// never an address that it did not.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The text is no rule.
    #[error("{text:?} is no rule for the network: {reason}")]
    Rule {
        /// What was written.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The certificates to trust cannot be read.
    #[error("the certificates to trust cannot be read: {0}")]
    Certificates(String),
    /// There is no network.
    #[error(
        "the network is off for this session; allow it with NetworkProfile::Allow or \
         `--network {rule}`"
    )]
    Off {
        /// The rule that would allow it.
        rule: String,
    },
    /// No rule lists the host.
    #[error(
        "the network profile of this session does not list {origin}; the rule `{rule}` would allow \
         it (NetworkProfile::Allow or `--network {rule}`)"
    )]
    NotListed {
        /// What was asked for.
        origin: String,
        /// The rule that would allow it.
        rule: String,
    },
    /// The address is not public, and nothing lists it.
    #[error(
        "{address} is not a public address ({purpose}); only a rule for the address itself would \
         allow it: NetworkProfile::Allow or `--network {rule}`"
    )]
    NotPublic {
        /// The address, which the guest named.
        address: IpAddr,
        /// What such addresses are for.
        purpose: &'static str,
        /// The rule that would allow it.
        rule: String,
    },
    /// The name has an address that is not allowed.
    #[error("{host} resolves to an address that is not allowed; if it is meant to, {way_out}")]
    ResolvesToRefused {
        /// The name.
        host: String,
        /// What to do about it.
        way_out: String,
    },
    /// The arguments make no request.
    #[error("{0}")]
    BadRequest(String),
    /// The name has no address.
    #[error("the name {host} cannot be resolved")]
    Unresolved {
        /// The name.
        host: String,
    },
    /// There was no connection, or it broke.
    #[error("{host}: {reason}")]
    Connection {
        /// The host, as the guest named it.
        host: String,
        /// What happened.
        reason: String,
    },
    /// It took too long.
    #[error("{host}: no answer within {seconds} s")]
    TimedOut {
        /// The host, as the guest named it.
        host: String,
        /// How long was waited.
        seconds: f64,
    },
    /// The answer is longer than what crosses the wall.
    #[error(
        "the answer of {host} is longer than {most} bytes, the most that crosses the wall; ask for \
         a part of it with a Range header, or raise Limits::host_call_bytes"
    )]
    TooLong {
        /// The host, as the guest named it.
        host: String,
        /// The most that the body may have.
        most: u64,
    },
}

impl NetworkError {
    pub(crate) fn connection(host: &str, reason: impl Into<String>) -> Self {
        Self::Connection { host: host.to_owned(), reason: reason.into() }
    }

    pub(crate) fn not_public(address: IpAddr, purpose: Purpose, rule: String) -> Self {
        Self::NotPublic { address, purpose: purpose.name(), rule }
    }

    /// The kind of failure, as the guest reads it: the name of the exception that it becomes there.
    fn kind(&self) -> &'static str {
        match self {
            Self::Off { .. }
            | Self::NotListed { .. }
            | Self::NotPublic { .. }
            | Self::ResolvesToRefused { .. } => "PermissionError",
            Self::Rule { .. } | Self::BadRequest(_) => "ValueError",
            Self::Unresolved { .. } | Self::Connection { .. } | Self::Certificates(_) => {
                "ConnectionError"
            }
            Self::TimedOut { .. } => "TimeoutError",
            Self::TooLong { .. } => "LimitExceeded",
        }
    }
}

impl From<NetworkError> for HostError {
    fn from(error: NetworkError) -> Self {
        Self::new(error.kind(), error.to_string())
    }
}
