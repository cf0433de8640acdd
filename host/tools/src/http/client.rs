//! The client that makes the requests of tools.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, Response};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::OnceCell;

use crate::text::head;

/// The redirects within one origin that are followed.
const MOST_REDIRECTS: usize = 5;

/// How connections are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Connections {
    pub(crate) connect_timeout: Duration,
    /// Whether the proxies that the environment names are used.
    pub(crate) proxy_from_environment: bool,
}

impl Default for Connections {
    fn default() -> Self {
        Self { connect_timeout: Duration::from_secs(5), proxy_from_environment: false }
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    TooLong,
    Other(String),
}

impl Connections {
    /// A client that trusts whom this machine trusts and follows redirects within one origin.
    pub(crate) async fn client(&self) -> Result<Client, String> {
        let mut builder = Client::builder()
            .tls_backend_preconfigured(trust().await?)
            .redirect(Policy::custom(within_origin))
            .connect_timeout(self.connect_timeout)
            .referer(false)
            .user_agent("pcm-sandbox");
        if !self.proxy_from_environment {
            builder = builder.no_proxy();
        }
        builder.build().map_err(|_| "the HTTP client could not be made".to_owned())
    }
}

fn within_origin(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let origin = attempt.previous().first().map(reqwest::Url::origin);
    if attempt.previous().len() <= MOST_REDIRECTS && origin == Some(attempt.url().origin()) {
        return attempt.follow();
    }
    attempt.stop()
}

/// The certificate authorities of this machine, read once.
async fn trust() -> Result<ClientConfig, String> {
    static TRUST: OnceCell<ClientConfig> = OnceCell::const_new();
    let read = async || {
        tokio::task::spawn_blocking(|| {
            let mut roots = RootCertStore::empty();
            // Some stores hold certificates that nobody can use; the rest is still good.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map(|builder| builder.with_root_certificates(roots).with_no_client_auth())
        })
        .await
        .ok()
        .and_then(Result::ok)
        .ok_or_else(|| "TLS could not be set up".to_owned())
    };
    TRUST.get_or_try_init(read).await.cloned()
}

/// The body of an answer, up to a length.
pub(crate) async fn body(mut response: Response, most: usize) -> Result<Vec<u8>, Failure> {
    if response.content_length().is_some_and(|length| length > most as u64) {
        return Err(Failure::TooLong); // it says so itself
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Failure::Other(why(&error)))? {
        if body.len() + chunk.len() > most {
            return Err(Failure::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What happened, without URL and addresses: they may hold what the guest must not see.
pub(crate) fn why(error: &reqwest::Error) -> String {
    let mut source: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(current) = source {
        if let Some(error) = current.downcast_ref::<rustls::Error>() {
            return format!("the connection is not safe: {}", head(&error.to_string(), 512));
        }
        source = match current.downcast_ref::<io::Error>() {
            None => current.source(),
            // What is inside is not told by `source`, only what is inside that.
            Some(error) => match error.get_ref() {
                Some(inner) => Some(inner),
                None => return format!("no connection: {}", error.kind()),
            },
        };
    }
    if error.is_timeout() {
        "no connection in time".to_owned()
    } else if error.is_connect() {
        "no connection".to_owned()
    } else if error.is_builder() {
        "the arguments make no request".to_owned()
    } else {
        "the answer broke off or is not HTTP".to_owned()
    }
}
