//! Whom HTTPS trusts.

use std::process::{Command, Output};
use std::sync::Arc;

use pcm_tools::{Endpoint, HttpTools, Registry};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::{TestResult, call};

/// Starts a server on this machine, and gives its port and the PEM of its certificate.
async fn serve() -> Result<(u16, String), Box<dyn std::error::Error>> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut [0; 4096]).await;
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\ntrue";
            let _ = stream.write_all(answer).await;
            let _ = stream.shutdown().await;
        }
    });
    Ok((port, made.cert.pem()))
}

/// Runs [`one_request`] in a process of its own: whom to trust is read once, from the environment.
async fn request(
    port: u16,
    trusted: &std::path::Path,
) -> Result<Output, Box<dyn std::error::Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["--exact", "https::one_request", "--ignored", "--nocapture"])
        .env("PCM_TEST_PORT", port.to_string())
        .env("SSL_CERT_FILE", trusted)
        .env_remove("SSL_CERT_DIR");
    Ok(tokio::task::spawn_blocking(move || command.output()).await??)
}

#[tokio::test]
#[ignore = "a part of the test below, which runs it in another process"]
async fn one_request() -> TestResult {
    let url = format!("https://localhost:{}", std::env::var("PCM_TEST_PORT")?);
    let registry = Registry::new();
    let tools = HttpTools::new(&url)?.endpoint(Endpoint::new("get", "GET", "/")?)?;
    registry.add(Arc::new(tools))?;
    assert_eq!(call(&registry, "get", json!({})).await?, json!(true).into());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_counts_where_the_machine_trusts_it() -> TestResult {
    let (port, certificate) = serve().await?;
    let folder = tempfile::tempdir()?;
    let (trusted, stranger) = (folder.path().join("trusted.pem"), folder.path().join("other.pem"));
    std::fs::write(&trusted, certificate)?;
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    std::fs::write(&stranger, other.cert.pem())?;

    let good = request(port, &trusted).await?;
    let said = String::from_utf8_lossy(&good.stdout);
    assert!(good.status.success() && said.contains("1 passed"), "{said}");
    let bad = request(port, &stranger).await?;
    let said = String::from_utf8_lossy(&bad.stdout) + String::from_utf8_lossy(&bad.stderr);
    assert!(!bad.status.success(), "{said}");
    assert!(said.contains("the connection is not safe: invalid peer certificate"), "{said}");
    Ok(())
}
