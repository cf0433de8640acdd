//! A connection to one of the addresses that were checked, and to no other.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::target::{Host, Scheme, Target};
use crate::{NetworkError, NetworkProfile, Resolver, Trust};

/// The addresses of a name that are tried, one after the other.
pub(crate) const MAX_TRIED: usize = 8;

/// The bytes to and from a server.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The addresses of a target, all of which the profile allows. The only place where a name is
/// resolved: what comes out is what is connected to.
pub(crate) async fn checked_addresses(
    profile: &NetworkProfile,
    resolver: &dyn Resolver,
    target: &Target,
) -> Result<Vec<IpAddr>, NetworkError> {
    profile.check_target(target)?;
    let found = match &target.host {
        Host::Address(address) => vec![*address],
        Host::Name(name) => {
            let unresolved = || NetworkError::Unresolved { host: name.clone() };
            let found = resolver.resolve(name).await.map_err(|_| unresolved())?;
            if found.is_empty() {
                return Err(unresolved());
            }
            found
        }
    };
    // One that is not allowed among many is not an accident: the name is refused, not the address.
    for address in &found {
        profile.check_address(target, *address)?;
    }
    Ok(found.into_iter().map(|address| address.to_canonical()).collect())
}

/// Connects to the first of the addresses that answers.
pub(crate) async fn connect(
    target: &Target,
    addresses: &[IpAddr],
    trust: &Trust,
    timeout: Duration,
) -> Result<Box<dyn Stream>, NetworkError> {
    let host = target.host.to_string();
    let mut last = NetworkError::Unresolved { host: host.clone() };
    for address in addresses.iter().take(MAX_TRIED) {
        let address = SocketAddr::new(*address, target.port);
        let attempt = tokio::time::timeout(timeout, connect_to(target, &host, address, trust));
        last = match attempt.await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => error,
            Err(_) => NetworkError::TimedOut { host: host.clone(), seconds: timeout.as_secs_f64() },
        };
    }
    Err(last)
}

async fn connect_to(
    target: &Target,
    host: &str,
    address: SocketAddr,
    trust: &Trust,
) -> Result<Box<dyn Stream>, NetworkError> {
    let failed = |reason: String| NetworkError::connection(host, reason);
    // Of an error of the system only the kind is told: its text could hold an address.
    let stream = TcpStream::connect(address).await.map_err(|error| failed(kind(&error)))?;
    stream.set_nodelay(true).map_err(|error| failed(kind(&error)))?;
    if target.scheme == Scheme::Http {
        return Ok(Box::new(stream));
    }
    let config = trust.config().await.ok_or_else(|| {
        failed("the host of this sandbox has no certificate authorities to trust".to_owned())
    })?;
    let name = server_name(&target.host)
        .ok_or_else(|| failed("no certificate can be for this name".to_owned()))?;
    match TlsConnector::from(config).connect(name, stream).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(failed(tls_reason(&error))),
    }
}

fn server_name(host: &Host) -> Option<ServerName<'static>> {
    match host {
        Host::Name(name) => ServerName::try_from(name.clone()).ok(),
        Host::Address(address) => Some(ServerName::from(*address)),
    }
}

/// What kind of error it is, in words.
pub(crate) fn kind(error: &io::Error) -> String {
    error.kind().to_string()
}

fn tls_reason(error: &io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(reason)) => {
            format!("the certificate is not trusted: {}", shortened(&reason.to_string()))
        }
        Some(error) => format!("TLS: {}", shortened(&error.to_string())),
        None => format!("TLS: {}", kind(error)),
    }
}

/// The server chose parts of the text.
fn shortened(text: &str) -> String {
    const MOST: usize = 300;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;
    use crate::HostRule;

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    /// Gives one answer after the other.
    #[derive(Debug)]
    struct Answers(Mutex<Vec<Vec<IpAddr>>>);

    impl Answers {
        fn new(answers: &[&[&str]]) -> Result<Self, std::net::AddrParseError> {
            let parse = |answer: &&[&str]| answer.iter().map(|address| address.parse()).collect();
            Ok(Self(Mutex::new(answers.iter().rev().map(parse).collect::<Result<_, _>>()?)))
        }
    }

    #[async_trait]
    impl Resolver for Answers {
        async fn resolve(&self, _name: &str) -> io::Result<Vec<IpAddr>> {
            let mut answers = self.0.lock().map_err(|_| io::Error::other("poisoned"))?;
            answers.pop().ok_or_else(|| io::ErrorKind::NotFound.into())
        }
    }

    fn rules(rules: &[&str]) -> Result<NetworkProfile, NetworkError> {
        let rules = rules.iter().map(|rule| rule.parse::<HostRule>());
        Ok(NetworkProfile::Allow(rules.collect::<Result<_, _>>()?))
    }

    #[tokio::test]
    async fn a_name_that_is_bound_again_gets_nowhere() -> TestResult {
        let resolver = Answers::new(&[&["1.1.1.1"], &["127.0.0.1"], &["::ffff:10.0.0.1"]])?;
        let target = Target::parse("http://rebind.example/")?;
        for profile in [rules(&["rebind.example"])?, NetworkProfile::Full, NetworkProfile::Full] {
            let left = resolver.0.lock().map_err(|_| "poisoned")?.len();
            let addresses = checked_addresses(&profile, &resolver, &target).await;
            assert_eq!(resolver.0.lock().map_err(|_| "poisoned")?.len(), left - 1, "asked once");
            match addresses {
                Ok(addresses) => assert_eq!(addresses, ["1.1.1.1".parse::<IpAddr>()?]),
                Err(error) => {
                    assert!(left < 3, "{error}");
                    assert!(matches!(error, NetworkError::ResolvesToRefused { .. }), "{error}");
                    let text = error.to_string();
                    assert!(!text.contains("127.0.0.1") && !text.contains("10.0.0.1"), "{text}");
                }
            }
        }
        Ok(())
    }

    #[tokio::test]
    async fn one_bad_address_refuses_the_name() -> TestResult {
        for bad in ["127.0.0.1", "169.254.169.254", "64:ff9b::a9fe:a9fe", "fd00::1", "::"] {
            let resolver = Answers::new(&[&["1.1.1.1", "2606:4700::1111", bad]])?;
            let target = Target::parse("http://many.example/")?;
            let refused = checked_addresses(&NetworkProfile::Full, &resolver, &target).await;
            assert!(matches!(refused, Err(NetworkError::ResolvesToRefused { .. })), "{bad}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn nobody_is_asked_about_a_name_that_is_not_listed() -> TestResult {
        let resolver = Answers::new(&[&["1.1.1.1"]])?;
        let target = Target::parse("http://c2VjcmV0.evil.example/")?;
        for profile in [NetworkProfile::None, rules(&["example.org"])?] {
            assert!(checked_addresses(&profile, &resolver, &target).await.is_err());
        }
        assert_eq!(resolver.0.lock().map_err(|_| "poisoned")?.len(), 1);
        Ok(())
    }

    #[tokio::test]
    async fn a_name_without_addresses_is_not_resolved() -> TestResult {
        let target = Target::parse("http://none.example/")?;
        for resolver in [Answers::new(&[])?, Answers::new(&[&[]])?] {
            let found = checked_addresses(&NetworkProfile::Full, &resolver, &target).await;
            assert!(matches!(found, Err(NetworkError::Unresolved { .. })));
        }
        Ok(())
    }
}
