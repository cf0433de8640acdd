//! What a server shall be like.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pcm_middleware::Approvals;
use pcm_storage::{MemoryRecords, Records};

use crate::ServerError;
use crate::auth::Secret;

/// What a server shall be like.
///
/// ```
/// use pcm_server::{Access, ServerConfig};
///
/// let config = ServerConfig::new(Access::token("a long secret"));
/// assert!(config.address.ip().is_loopback());
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Where it listens; 127.0.0.1:8080 unless told otherwise. Port 0 takes a free one.
    pub address: SocketAddr,
    /// Who may use it.
    pub access: Access,
    /// What it is called among the servers that share its records. Two that live at once need two
    /// names; a random one unless told otherwise.
    pub node: Option<String>,
    /// The names that clients know it by, as `Host` has them, without a port. Where it listens on
    /// loopback, `localhost` and the loopback addresses are always taken; elsewhere an empty list takes
    /// every name.
    pub hosts: Vec<String>,
    /// The web pages that may use it, as `Origin` has them: `https://app.example.org`. None unless told
    /// otherwise.
    pub origins: Vec<String>,
    /// Where it keeps what outlives it: whose session lives where, answers of requests that may be
    /// repeated, calls that wait for an approval. In memory unless told otherwise.
    pub records: Arc<dyn Records>,
    /// The approvals that the layers of its sessions ask; without them there is nothing to approve.
    pub approvals: Option<Approvals>,
    /// Its bounds.
    pub limits: ServerLimits,
}

impl ServerConfig {
    /// A server for this machine, with safe bounds.
    pub fn new(access: Access) -> Self {
        Self {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
            access,
            node: None,
            hosts: Vec::new(),
            origins: Vec::new(),
            records: Arc::new(MemoryRecords::new()),
            approvals: None,
            limits: ServerLimits::default(),
        }
    }

    /// The same as the environment of a process says it: [`Access::from_environment`], and then
    /// [`environment`](Self::environment). Where it says nothing of access, this fails.
    pub fn from_environment(
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ServerError> {
        let access = Access::from_environment(&variable).ok_or(ServerError::NoAuthentication)?;
        Self::new(access).environment(variable)
    }

    /// With what the environment of a process says: `HOST`, `PORT`, `DEFAULT_TIMEOUT`,
    /// `MAX_EXECUTION_TIME`.
    pub fn environment(
        self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ServerError> {
        let set = |name| variable(name).filter(|value| !value.trim().is_empty());
        let mut config = self;
        if let Some(host) = set("HOST") {
            config.address.set_ip(host.trim().parse().map_err(|_| ServerError::Setting {
                name: "HOST",
                value: host,
                reason: "it has to be an IP address, as 127.0.0.1 or 0.0.0.0",
            })?);
        }
        if let Some(port) = set("PORT") {
            config.address.set_port(port.trim().parse().map_err(|_| ServerError::Setting {
                name: "PORT",
                value: port,
                reason: "it has to be a number from 0 to 65535",
            })?);
        }
        let seconds = |name: &'static str, usual: Duration| match set(name) {
            None => Ok(usual),
            Some(text) => {
                let time = text.trim().parse().ok().and_then(|seconds| {
                    Duration::try_from_secs_f64(seconds).ok().filter(|time| !time.is_zero())
                });
                let reason = "it has to be a number of seconds above 0";
                time.ok_or(ServerError::Setting { name, value: text, reason })
            }
        };
        let limits = &mut config.limits;
        limits.default_timeout = seconds("DEFAULT_TIMEOUT", limits.default_timeout)?;
        limits.max_timeout = seconds("MAX_EXECUTION_TIME", limits.max_timeout)?;
        Ok(config)
    }
}

/// Who may use a server.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Access {
    /// Whoever reaches it, which has to be this machine: it listens on loopback only.
    Open,
    /// Whoever knows the one token, for everything.
    Token(Secret),
    /// Those that a file lists, each for what it says. It is read again when it changes.
    Tokens(PathBuf),
}

impl Access {
    /// What the environment of a process says: `CONTAINER_AUTH_TOKEN`, or else
    /// `CONTAINER_AUTH_DISABLED`. A token that is blank counts as none, and only the word `true` disables
    /// authentication. None where there is neither.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let token = variable("CONTAINER_AUTH_TOKEN").filter(|token| !token.trim().is_empty());
        if let Some(token) = token {
            return Some(Self::token(token.trim()));
        }
        let word = variable("CONTAINER_AUTH_DISABLED")?;
        word.trim().eq_ignore_ascii_case("true").then_some(Self::Open)
    }

    /// Whoever knows this token. It is kept as a hash.
    pub fn token(token: &str) -> Self {
        Self::Token(Secret::of(token))
    }
}

/// The bounds of a server.
///
/// What a run may use is not among them: that is the executor's (`pcm_runtime_api::Limits`).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServerLimits {
    /// How long a run may take that says nothing; 30 s.
    pub default_timeout: Duration,
    /// How long a run may take whatever it says; 300 s.
    pub max_timeout: Duration,
    /// How long a session may take to start; two minutes.
    pub start_timeout: Duration,
    /// How long a session lives that nobody uses; an hour.
    pub session_expiry: Duration,
    /// The sessions that live at a time; 1000.
    pub max_sessions: usize,
    /// Those of one token among them; 500.
    pub max_sessions_per_token: usize,
    /// The connections at a time; 1024.
    pub max_connections: usize,
    /// The requests at a time; 256.
    pub max_requests: usize,
    /// Those of one token among them; 128.
    pub max_requests_per_token: usize,
    /// The requests of one token in a second; 200. Twice as many may come at once after a pause.
    pub requests_per_second: u32,
    /// The longest body with JSON; 16 MiB.
    pub max_json_bytes: u64,
    /// The longest body of a file or a binary artifact; 64 MiB.
    pub max_upload_bytes: u64,
    /// The memory of all bodies that are being read or worked on; 1 GiB.
    pub max_body_memory: u64,
    /// How long the head of a request may take; 10 s. A connection that waits for its next request is
    /// closed after the same time.
    pub head_timeout: Duration,
    /// How long the body of a request may take; 60 s.
    pub body_timeout: Duration,
    /// How long a client may take no byte of an answer; 30 s.
    pub write_timeout: Duration,
    /// How long the answer of a request with an `Idempotency-Key` is kept; a day.
    pub answers_kept: Duration,
    /// How long a server that shall end waits for what goes on before it interrupts it; 30 s.
    pub drain: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            default_timeout: Duration::from_secs(30),
            max_timeout: Duration::from_mins(5),
            start_timeout: Duration::from_mins(2),
            session_expiry: Duration::from_hours(1),
            max_sessions: 1000,
            max_sessions_per_token: 500,
            max_connections: 1024,
            max_requests: 256,
            max_requests_per_token: 128,
            requests_per_second: 200,
            max_json_bytes: 16 << 20,
            max_upload_bytes: 64 << 20,
            max_body_memory: 1 << 30,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_mins(1),
            write_timeout: Duration::from_secs(30),
            answers_kept: Duration::from_hours(24),
            drain: Duration::from_secs(30),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn config(variables: &[(&str, &str)]) -> Result<ServerConfig, ServerError> {
        ServerConfig::from_environment(|name| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn without_a_token_and_without_the_word_true_there_is_no_server() {
        for variables in [
            &[][..],
            &[("CONTAINER_AUTH_TOKEN", "  ")],
            &[("CONTAINER_AUTH_DISABLED", "1")],
            &[("CONTAINER_AUTH_DISABLED", "yes")],
        ] {
            let error = config(variables).unwrap_err();
            assert!(error.to_string().contains("auth"), "{error}");
        }
        for (variables, is_open) in [
            (&[("CONTAINER_AUTH_DISABLED", "True")][..], true),
            (&[("CONTAINER_AUTH_TOKEN", "t"), ("CONTAINER_AUTH_DISABLED", "true")], false),
        ] {
            let access = config(variables).unwrap().access;
            assert_eq!(matches!(access, Access::Open), is_open, "{variables:?}");
        }
    }

    #[test]
    fn settings_that_mean_nothing_are_named() {
        let token = ("CONTAINER_AUTH_TOKEN", "hush");
        let config_of = |variable| config(&[token, variable]);
        let whole = config_of(("HOST", "0.0.0.0")).unwrap();
        assert_eq!(whole.address.to_string(), "0.0.0.0:8080");
        assert!(!format!("{whole:?}").contains("hush"));
        assert_eq!(
            config_of(("DEFAULT_TIMEOUT", "1.5")).unwrap().limits.default_timeout,
            Duration::from_millis(1500)
        );
        for (name, value) in [
            ("HOST", "everywhere"),
            ("PORT", "70000"),
            ("DEFAULT_TIMEOUT", "-1"),
            ("MAX_EXECUTION_TIME", "nan"),
        ] {
            let error = config_of((name, value)).unwrap_err();
            assert!(matches!(error, ServerError::Setting { name: named, .. } if named == name));
        }
    }
}
