//! Who asks, and what they may.
//!
//! A token is known by its hash alone. Every hash there is is compared with that of the token that came,
//! each in constant time, so that an answer's time tells nothing about either.

mod gate;
mod listed;
mod principal;
mod secret;
mod tokens;

use std::sync::Arc;

use axum::http::{HeaderMap, header};

use crate::ServerError;
use crate::answer::Refusal;
use crate::config::{Access, ServerLimits};

use gate::Bounds;
pub(crate) use gate::Passed;
use listed::TokensFile;
use principal::Workspaces;
pub(crate) use principal::{Principal, Right};
use secret::Presented;
pub use secret::Secret;

/// Knows who asks.
#[derive(Debug)]
pub(crate) enum Authenticator {
    Open(Arc<Principal>),
    One(Secret, Arc<Principal>),
    Listed(TokensFile),
}

impl Authenticator {
    pub(crate) fn new(access: &Access, limits: &ServerLimits) -> Result<Self, ServerError> {
        let bounds = Bounds::of(limits);
        Ok(match access {
            Access::Open => Self::Open(Arc::new(Principal::whole("anybody", bounds))),
            Access::Token(secret) => {
                Self::One(secret.clone(), Arc::new(Principal::whole("token", bounds)))
            }
            Access::Tokens(path) => Self::Listed(TokensFile::open(path, bounds)?),
        })
    }

    /// Who a request is of. What cannot be decided is an error of the server, never a yes.
    pub(crate) fn principal(&self, headers: &HeaderMap) -> Result<Arc<Principal>, Refusal> {
        match self {
            Self::Open(principal) => Ok(Arc::clone(principal)),
            Self::One(secret, principal) => {
                let presented = Presented::of(bearer(headers)?);
                if bool::from(presented.is(secret)) {
                    return Ok(Arc::clone(principal));
                }
                Err(Refusal::invalid_token())
            }
            Self::Listed(file) => {
                let presented = Presented::of(bearer(headers)?);
                let entries = file.current().map_err(|error| {
                    tracing::error!(%error, "the tokens cannot be read; nobody gets in");
                    Refusal::misconfigured()
                })?;
                if entries.is_empty() {
                    return Err(Refusal::misconfigured());
                }
                let mut found = None;
                for (secret, principal) in entries.iter() {
                    if bool::from(presented.is(secret)) {
                        found = Some(principal);
                    }
                }
                found.cloned().ok_or_else(Refusal::invalid_token)
            }
        }
    }
}

/// The token of a request: after `Bearer` and one space, and in one header.
fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (all.next(), all.next()) else {
        return Err(Refusal::no_token());
    };
    let value = value.to_str().map_err(|_| Refusal::no_token())?;
    match value.split_once(' ') {
        Some(("Bearer", token)) if !token.trim().is_empty() => Ok(token.trim()),
        Some(("Bearer", _)) => Err(Refusal::invalid_token()),
        None if value == "Bearer" => Err(Refusal::invalid_token()),
        _ => Err(Refusal::no_token()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_after_one_word_in_one_header() {
        let read = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, value.parse().unwrap());
            }
            bearer(&headers).map(str::to_owned).ok()
        };
        assert_eq!(read(&["Bearer tok"]).as_deref(), Some("tok"));
        for values in [
            &[][..],
            &["Basic dG9r"],
            &["Bearer"],
            &["Bearer "],
            &["bearer tok"],
            &["BEARER tok"],
            &["Bearertok"],
            &[""],
            &["   "],
            &["Bearer tok", "Bearer tok"],
        ] {
            assert_eq!(read(values), None, "{values:?}");
        }
    }
}
