//! A server behind TLS, trusted because this machine trusts its authority.

use std::process::Command;

use pcm_storage::{RedisServer, RedisStorage, Storage};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::place::workflow;
use crate::server::Server;

const URL: &str = "PCM_TEST_URL";

#[test]
fn a_server_behind_tls_is_reached_if_its_certificate_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &authority).unwrap();
    std::fs::write(file("authority.pem"), authority.pem()).unwrap();
    std::fs::write(file("certificate.pem"), certificate.pem()).unwrap();
    std::fs::write(file("key.pem"), key.serialize_pem()).unwrap();

    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (port, certificate, key) = (port.to_string(), file("certificate.pem"), file("key.pem"));
    let authority = file("authority.pem");
    let mut options = vec!["--tls-port", &port, "--bind", "127.0.0.1", "--tls-auth-clients", "no"];
    options.extend(["--tls-cert-file", &certificate, "--tls-key-file", &key]);
    options.extend(["--tls-ca-cert-file", &authority]);
    let _server = Server::start_in(folder.path(), &options);

    let ended = |trusted: &str| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "tls::stores_behind_tls", "--nocapture"])
            .env(URL, format!("rediss://localhost:{port}"))
            .env("SSL_CERT_FILE", trusted)
            .env_remove("SSL_CERT_DIR")
            .output()
            .unwrap()
    };
    let trusted = ended(&authority);
    assert!(trusted.status.success(), "{}", String::from_utf8_lossy(&trusted.stderr));
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(file("other.pem"), other.cert.pem()).unwrap();
    assert!(!ended(&file("other.pem")).status.success(), "a stranger is not trusted");
}

#[tokio::test]
#[ignore = "a part of another test, which starts it in a process of its own"]
async fn stores_behind_tls() {
    let server = RedisServer::open(&std::env::var(URL).unwrap()).unwrap();
    let storage = RedisStorage::on(&server, "app").unwrap();
    storage.workflows().create(&workflow("a"), "async def run(): pass", "").await.unwrap();
    assert_eq!(storage.workflows().list().await.unwrap().len(), 1);
}
