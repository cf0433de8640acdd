//! One server, and a connection to it that comes back.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ErrorKind, FromRedisValue, Pipeline, RedisError, ServerErrorKind};
use tokio::sync::OnceCell;
use url::Url;

use crate::StorageError;
use crate::error::Details;

/// How long a server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// How long it may take to answer; a large artifact over a slow line needs most of it.
const ANSWER: Duration = Duration::from_secs(20);
/// All of it: connecting again, asking again.
const ALTOGETHER: Duration = Duration::from_secs(30);
/// What a server answers while it reads its data after a start.
const LOADING: ErrorKind = ErrorKind::Server(ServerErrorKind::BusyLoading);
/// A server that restarts is not there for a moment.
const CONNECT_AGAIN: usize = 3;
const BETWEEN: Duration = Duration::from_millis(50);
const LONGEST_BETWEEN: Duration = Duration::from_millis(400);

/// A Redis server. Handles share one connection, which is made by the first request and made again
/// when it is lost; it belongs to the runtime of that request.
#[derive(Clone)]
pub struct RedisServer {
    shared: Arc<Shared>,
}

struct Shared {
    client: Client,
    connection: OnceCell<ConnectionManager>,
    shown_url: String,
}

impl fmt::Debug for RedisServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("RedisServer").field(&self.shared.shown_url).finish()
    }
}

impl RedisServer {
    /// The server at this URL.
    pub fn open(url: &str) -> Result<Self, StorageError> {
        // One provider of cryptography in the whole program; whoever chose before us chose the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // What the parser says may repeat the password.
        let client = Client::open(url).map_err(|_| StorageError::Configuration {
            reason: "the URL of the Redis server is not understood; it is \
                     redis://HOST:PORT/DATABASE, rediss:// for TLS, or unix:///PATH"
                .to_owned(),
        })?;
        let shared =
            Shared { client, connection: OnceCell::new(), shown_url: without_secrets(url) };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The URL without user, password and options.
    pub(crate) fn shown_url(&self) -> &str {
        &self.shared.shown_url
    }

    /// Reads; asks a second time over a new connection if the first was lost.
    pub(crate) async fn read<T: FromRedisValue>(
        &self,
        what: &str,
        request: &Pipeline,
    ) -> Result<T, StorageError> {
        self.again(request).await.map_err(|(reason, details)| StorageError::Read {
            what: what.to_owned(),
            reason,
            details,
        })
    }

    /// Writes what is the same when it is written twice; as [`read`](Self::read).
    pub(crate) async fn put<T: FromRedisValue>(
        &self,
        what: &str,
        request: &Pipeline,
    ) -> Result<T, StorageError> {
        self.again(request).await.map_err(|failure| write_error(what, failure))
    }

    /// Writes what answers something else when it is done twice: it is sent once, over a connection
    /// that was alive the moment before.
    pub(crate) async fn change<T: FromRedisValue>(
        &self,
        what: &str,
        request: &Pipeline,
    ) -> Result<T, StorageError> {
        let changed = async {
            let mut ping = redis::pipe();
            ping.cmd("PING").ignore();
            self.again::<()>(&ping).await?;
            self.once(request).await.map_err(said)
        };
        changed.await.map_err(|failure| write_error(what, failure))
    }

    async fn again<T: FromRedisValue>(
        &self,
        request: &Pipeline,
    ) -> Result<T, (String, Option<Details>)> {
        let asked = async {
            let mut was_lost = false;
            loop {
                match self.once(request).await {
                    Err(error) if is_lost(&error) && !was_lost => was_lost = true,
                    Err(error) if error.kind() == LOADING => tokio::time::sleep(BETWEEN).await,
                    answered => return answered,
                }
            }
        };
        match tokio::time::timeout(ALTOGETHER, asked).await {
            Ok(answered) => answered.map_err(said),
            Err(_) => Err(("the server does not answer".to_owned(), None)),
        }
    }

    async fn once<T: FromRedisValue>(&self, request: &Pipeline) -> Result<T, RedisError> {
        let connection = self.shared.connection.get_or_try_init(|| async {
            let config = ConnectionManagerConfig::new()
                .set_connection_timeout(Some(CONNECT))
                .set_response_timeout(Some(ANSWER))
                .set_number_of_retries(CONNECT_AGAIN)
                .set_min_delay(BETWEEN)
                .set_max_delay(LONGEST_BETWEEN);
            ConnectionManager::new_lazy_with_config(self.shared.client.clone(), config)
        });
        let mut connection = connection.await?.clone();
        request.query_async(&mut connection).await
    }
}

/// Whether a new connection may do better. A server that was too slow once is not asked again.
fn is_lost(error: &RedisError) -> bool {
    error.is_io_error() && !error.is_timeout()
}

fn write_error(what: &str, (reason, details): (String, Option<Details>)) -> StorageError {
    StorageError::Write { what: what.to_owned(), reason, details }
}

/// What went wrong, in words that name neither the server nor who we are there.
fn said(error: RedisError) -> (String, Option<Details>) {
    let reason = if error.is_timeout() {
        "the server does not answer".to_owned()
    } else if error.is_io_error() {
        "the server cannot be reached".to_owned()
    } else {
        match code(&error) {
            Some(code) => format!("the server refused with {code}"),
            None => "the server's answer is not understood".to_owned(),
        }
    };
    (reason, Some(Details::new(error)))
}

/// The word that a server's refusal begins with.
fn code(error: &RedisError) -> Option<String> {
    match error.clone().into_server_errors() {
        Some(errors) => errors.first().map(|(_, error)| error.code().to_owned()),
        None => error.code().map(str::to_owned),
    }
}

fn without_secrets(url: &str) -> String {
    let Ok(mut parsed) = Url::parse(url) else { return String::new() };
    parsed.set_query(None);
    parsed.set_fragment(None);
    let has_none = parsed.username().is_empty() && parsed.password().is_none();
    if has_none || (parsed.set_username("").is_ok() && parsed.set_password(None).is_ok()) {
        return parsed.into();
    }
    format!("{}:", parsed.scheme())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_secrets() {
        let shown = |url| RedisServer::open(url).unwrap().shown_url().to_owned();
        assert_eq!(shown("redis://me:hush@localhost:6379/2"), "redis://localhost:6379/2");
        assert_eq!(shown("rediss://:hush@example.org"), "rediss://example.org");
        assert_eq!(shown("unix:///run/redis.sock?user=me&pass=hush"), "unix:///run/redis.sock");
        let server = RedisServer::open("redis://me:hush@localhost").unwrap();
        assert!(!format!("{server:?}").contains("hush"));
    }

    #[test]
    fn a_url_that_is_none_is_not_repeated() {
        for url in ["", "hush", "http://me:hush@localhost", "redis://me:hush@:notaport/"] {
            let error = RedisServer::open(url).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
        }
    }
}
