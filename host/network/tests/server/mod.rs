//! A server on the loopback interface that says what it is told to, and remembers what it heard.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What is written to everybody who connects, once there was a request.
#[derive(Debug, Clone)]
struct Answer {
    head: Arc<[u8]>,
    /// Then this again and again; where it is empty, nothing more, but the connection stays open.
    endless: Option<Arc<[u8]>>,
}

#[derive(Debug, Default)]
pub(crate) struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<Vec<u8>>>>,
    connections: Arc<AtomicUsize>,
    left: Arc<AtomicUsize>,
    /// Bytes of `endless` that were taken.
    pub(crate) written: Arc<AtomicUsize>,
    task: Option<JoinHandle<()>>,
}

impl Server {
    /// Says this and closes the connection.
    pub(crate) async fn answering(answer: &[u8]) -> Self {
        Self::start(Answer { head: answer.into(), endless: None }, None).await
    }

    /// Says `head`, then `part` without end.
    pub(crate) async fn endless(head: &[u8], part: &[u8]) -> Self {
        Self::start(Answer { head: head.into(), endless: Some(part.into()) }, None).await
    }

    /// Says this over TLS.
    pub(crate) async fn with_tls(answer: &[u8], config: ServerConfig) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::start(Answer { head: answer.into(), endless: None }, Some(acceptor)).await
    }

    async fn start(answer: Answer, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut server = Self::default();
        server.port = listener.local_addr().unwrap().port();
        let (requests, written) = (Arc::clone(&server.requests), Arc::clone(&server.written));
        let (connections, left) = (Arc::clone(&server.connections), Arc::clone(&server.left));
        server.task = Some(tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::Relaxed);
                let (answer, tls, requests) = (answer.clone(), tls.clone(), Arc::clone(&requests));
                let (left, written) = (Arc::clone(&left), Arc::clone(&written));
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, &answer, &requests, &written).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => serve(stream, &answer, &requests, &written).await,
                            Err(_) => None,
                        },
                    };
                    left.fetch_add(1, Ordering::Relaxed);
                });
            }
        }));
        server
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The rule that allows this server and nothing else.
    pub(crate) fn rule(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        requests.iter().map(|request| String::from_utf8_lossy(request).into_owned()).collect()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Waits until somebody's request was heard.
    pub(crate) async fn wait_until_joined(&self) {
        while self.requests.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits until all who came have gone.
    pub(crate) async fn wait_until_left(&self) {
        while self.left.load(Ordering::Relaxed) < self.connections() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: &Answer,
    requests: &Mutex<Vec<Vec<u8>>>,
    written: &AtomicUsize,
) -> Option<()> {
    let request = read_request(&mut stream).await?;
    requests.lock().unwrap().push(request);
    stream.write_all(&answer.head).await.ok()?;
    stream.flush().await.ok()?;
    match &answer.endless {
        None => stream.shutdown().await.ok()?,
        Some(part) if part.is_empty() => {
            stream.read_u8().await.ok()?; // until the other side goes
        }
        Some(part) => loop {
            stream.write_all(part).await.ok()?;
            written.fetch_add(part.len(), Ordering::Relaxed);
        },
    }
    Some(())
}

/// The head, and as much body as it announces; or the first bytes of what is no HTTP.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    const LENGTH: &str = "content-length: ";
    let mut request = Vec::new();
    loop {
        if request.first().is_some_and(|first: &u8| !first.is_ascii_uppercase()) {
            return Some(request);
        }
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix(LENGTH)?.parse().ok());
            if request.len() >= head.len() + 4 + length.unwrap_or(0) {
                return Some(request);
            }
        }
        let mut part = [0; 4096];
        let count = stream.read(&mut part).await.ok()?;
        request.extend_from_slice(part.get(..count).filter(|part| !part.is_empty())?);
    }
}

/// Whoever makes certificates.
pub(crate) struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// What a server of this name or address needs.
    pub(crate) fn certify(&self, name: &str) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap()
    }
}
