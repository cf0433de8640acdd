//! The server over streamable HTTP.
//!
//! A request passes `Gate`, which asks for the token and takes the body within bounds, before `rmcp` sees
//! it. That checks `Host` and `Origin`: a page in somebody's browser can have its own name resolve to
//! 127.0.0.1 and then talk to servers there (DNS rebinding).

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use rmcp::transport::streamable_http_server::session::local::{LocalSessionManager, SessionConfig};
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::handler::Shared;
use crate::{Handler, HttpConfig, McpError, Server};

/// The longest head of a request.
const HEAD_BYTES: usize = 64 << 10;
const HEADERS: usize = 100;
/// How long connections may take to end with the server.
const ENDING: Duration = Duration::from_secs(2);
/// After an error of the system, as too many open files.
const RECOVERS: Duration = Duration::from_millis(50);

type Service = StreamableHttpService<Handler, LocalSessionManager>;
type Answer = Response<BoxBody<Bytes, Infallible>>;

/// A server that listens.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use pcm_mcp::{HttpConfig, HttpServer, McpError, Server, ServerConfig, Sessions};
///
/// async fn serve(sessions: Arc<dyn Sessions>, token: &str) -> Result<(), McpError> {
///     let server = Server::new(ServerConfig::default(), sessions);
///     let config = HttpConfig::default().token(token)?;
///     let server = HttpServer::bind(server, config).await?;
///     println!("http://{}{}", server.address(), HttpConfig::PATH);
///     server.serve(std::future::pending()).await;
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct HttpServer {
    listener: TcpListener,
    address: SocketAddr,
    config: HttpConfig,
    shared: Arc<Shared>,
}

impl HttpServer {
    /// Listens where `config` says. Nothing is answered before [`serve`](Self::serve).
    pub async fn bind(server: Server, config: HttpConfig) -> Result<Self, McpError> {
        let address = config.address;
        if config.token.is_none() && !address.ip().is_loopback() {
            return Err(McpError::Exposed { address });
        }
        let failed = |source| McpError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, config, shared: server.shared })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is done; then stops what runs, and closes all sessions.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let Self { listener, address, config, shared } = self;
        let service = service(&shared, &config, address);
        let stop = service.config.cancellation_token.clone();
        let gate = Arc::new(Gate {
            token: config.token,
            patience: config.patience,
            most: shared.config.message_bytes,
            service,
        });
        let sweeps = sweep(&shared);
        let (ending, is_ending) = watch::channel(false);
        let most = config.max_connections.clamp(1, Semaphore::MAX_PERMITS);
        let mut connections = accept(&listener, &gate, most, &is_ending, shutdown).await;
        drop(listener);
        // All connections may have ended by themselves.
        ending.send(true).ok();
        stop.cancel();
        let ended = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(ENDING, ended).await;
        connections.shutdown().await;
        drop((sweeps, gate));
        shared.close().await;
    }
}

/// Ends sessions that nobody uses, until it is dropped.
fn sweep(shared: &Arc<Shared>) -> JoinSet<()> {
    let (shared, mut sweeps) = (Arc::clone(shared), JoinSet::new());
    sweeps.spawn(async move {
        let mut ticks = tokio::time::interval(shared.seats.looks());
        loop {
            ticks.tick().await;
            shared.seats.end_idle();
        }
    });
    sweeps
}

fn service(shared: &Arc<Shared>, config: &HttpConfig, address: SocketAddr) -> Service {
    let mut sessions = LocalSessionManager::default();
    let mut session = SessionConfig::default();
    session.keep_alive = Some(shared.config.idle);
    sessions.session_config = session;
    let mut settings = StreamableHttpServerConfig::default()
        .with_max_request_body_bytes(shared.config.message_bytes)
        .with_allowed_origins(config.origins.clone())
        .enforce_origin_validation();
    settings.allowed_hosts.extend(config.hosts.iter().cloned());
    if address.ip().is_loopback() {
        // A page of this server itself; those of others on this machine have other ports.
        let own = ["localhost", "127.0.0.1", "[::1]"];
        let own = own.map(|host| format!("http://{host}:{}", address.port()));
        settings.allowed_origins.extend(own);
    }
    if !address.ip().is_loopback() && config.hosts.is_empty() {
        // By whatever name others know this machine; there is a token.
        settings = settings.disable_allowed_hosts();
    }
    let shared = Arc::clone(shared);
    StreamableHttpService::new(move || Ok(Handler::new(&shared)), Arc::new(sessions), settings)
}

/// Accepts connections until `shutdown`; gives those that are open then.
async fn accept(
    listener: &TcpListener,
    gate: &Arc<Gate>,
    most: usize,
    is_ending: &watch::Receiver<bool>,
    shutdown: impl Future<Output = ()>,
) -> JoinSet<()> {
    let places = Arc::new(Semaphore::new(most));
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => return connections,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted");
                tokio::time::sleep(RECOVERS).await;
                continue;
            }
        };
        // Who comes when all places are taken is not served.
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let (gate, is_ending) = (Arc::clone(gate), is_ending.clone());
        connections.spawn(async move {
            serve_connection(stream, &gate, is_ending).await;
            drop(place);
        });
    }
}

async fn serve_connection(
    stream: TcpStream,
    gate: &Arc<Gate>,
    mut is_ending: watch::Receiver<bool>,
) {
    // Answers are written whole; waiting for more would only delay them.
    let _ = stream.set_nodelay(true);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(gate.patience)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS);
    let answers = service_fn(|request| {
        let gate = Arc::clone(gate);
        async move { Ok::<_, Infallible>(gate.enter(request).await) }
    });
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), answers));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = ends(&mut is_ending) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Waits until the server ends.
async fn ends(is_ending: &mut watch::Receiver<bool>) {
    // Who could say so is gone: then it has ended.
    let _ = is_ending.wait_for(|is_ending| *is_ending).await;
}

/// What a request passes first.
struct Gate {
    token: Option<blake3::Hash>,
    patience: Duration,
    most: usize,
    service: Service,
}

impl Gate {
    async fn enter(&self, request: Request<Incoming>) -> Answer {
        if !self.is_known(request.headers()) {
            let mut answer = refusal(StatusCode::UNAUTHORIZED, "the token is missing or wrong");
            let how = HeaderValue::from_static("Bearer");
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, how);
            return answer;
        }
        if request.uri().path() != HttpConfig::PATH {
            return refusal(StatusCode::NOT_FOUND, "the server answers at /mcp");
        }
        let (parts, body) = request.into_parts();
        let body = if parts.method == Method::POST {
            let read = Limited::new(body, self.most).collect();
            match tokio::time::timeout(self.patience, read).await {
                Err(_) => return refusal(StatusCode::REQUEST_TIMEOUT, "the request took too long"),
                Ok(Ok(read)) => read.to_bytes(),
                Ok(Err(error)) if error.is::<LengthLimitError>() => {
                    return refusal(StatusCode::PAYLOAD_TOO_LARGE, "the request is too long");
                }
                Ok(Err(_)) => return refusal(StatusCode::BAD_REQUEST, "the request breaks off"),
            }
        } else {
            Bytes::new()
        };
        self.service.handle(Request::from_parts(parts, Full::new(body))).await
    }

    /// Whether the request has the token, if one is asked for. Hashes are compared in constant time.
    fn is_known(&self, headers: &HeaderMap) -> bool {
        let Some(expected) = self.token else { return true };
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(given), None) = (given.next(), given.next()) else { return false };
        let Some((scheme, token)) = given.to_str().ok().and_then(|given| given.split_once(' '))
        else {
            return false;
        };
        scheme.eq_ignore_ascii_case("bearer") && blake3::hash(token.trim().as_bytes()) == expected
    }
}

fn refusal(status: StatusCode, why: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from_static(why.as_bytes())).boxed());
    *answer.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(header::CONTENT_TYPE, plain);
    answer
}
