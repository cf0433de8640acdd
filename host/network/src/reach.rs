//! Connections for what makes its requests by itself: a proxy between the code and what it may reach.

use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::connection::{MAX_TRIED, checked_addresses, kind};
use crate::target::{Host, Scheme, Target};
use crate::{NetworkError, NetworkPort};

impl NetworkPort {
    /// A connection to a port of a host, under the same rules as a request: the name is resolved once, all
    /// its addresses are checked, and one of those is connected to. What is said over it nobody looks at, so
    /// a rule that names http or https says no more than its port.
    ///
    /// ```
    /// use pcm_network::{NetworkPort, NetworkProfile};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let port = NetworkPort::new(NetworkProfile::Full);
    /// let error = port.connect("127.0.0.1", 22).await.err().map(|error| error.to_string());
    /// assert!(error.is_some_and(|error| error.contains("127.0.0.1")));
    /// # }
    /// ```
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, NetworkError> {
        let target = self.listed(host, port)?;
        let addresses = checked_addresses(&self.profile, self.resolver.as_ref(), &target).await?;
        self.first_of(&target, &addresses).await
    }

    /// The place, as a target that the profile allows: with whichever protocol it lists it.
    fn listed(&self, host: &str, port: u16) -> Result<Target, NetworkError> {
        let bad = || NetworkError::BadRequest(format!("{:.300} is no host", host.escape_debug()));
        let host = Host::parse(host).ok_or_else(bad)?;
        let target = |scheme: Scheme| Target::parse(&format!("{}://{host}:{port}/", scheme.name()));
        let (https, http) = (target(Scheme::Https)?, target(Scheme::Http)?);
        match (self.profile.check_target(&https), self.profile.check_target(&http)) {
            (Ok(()), _) => Ok(https),
            (_, Ok(())) => Ok(http),
            (Err(error), _) => Err(error),
        }
    }

    async fn first_of(
        &self,
        target: &Target,
        addresses: &[IpAddr],
    ) -> Result<TcpStream, NetworkError> {
        let host = target.host.to_string();
        let longest = self.times.connect;
        let mut last = NetworkError::Unresolved { host: host.clone() };
        for address in addresses.iter().take(MAX_TRIED) {
            let place = SocketAddr::new(*address, target.port);
            last = match timeout(longest, TcpStream::connect(place)).await {
                Ok(Ok(stream)) => return Ok(stream),
                // Of an error of the system only the kind is told: its text could hold an address.
                Ok(Err(error)) => NetworkError::connection(&host, kind(&error)),
                Err(_) => {
                    NetworkError::TimedOut { host: host.clone(), seconds: longest.as_secs_f64() }
                }
            };
        }
        Err(last)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::{HostRule, NetworkProfile};

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    fn port(rules: &[&str]) -> Result<NetworkPort, NetworkError> {
        let rules = rules.iter().map(|rule| rule.parse::<HostRule>()).collect::<Result<_, _>>()?;
        Ok(NetworkPort::new(NetworkProfile::Allow(rules)))
    }

    #[tokio::test]
    async fn what_is_listed_is_connected_to_by_whichever_protocol() -> TestResult {
        let server = TcpListener::bind("127.0.0.1:0").await?;
        let number = server.local_addr()?.port();
        for rule in ["127.0.0.1:*", "http://127.0.0.1:*", "https://127.0.0.1:*", "127.0.0.0/8:*"] {
            assert!(port(&[rule])?.connect("127.0.0.1", number).await.is_ok(), "{rule}");
        }
        assert!(port(&["private:localhost:*"])?.connect("LOCALHOST.", number).await.is_ok());
        assert!(port(&["localhost:*"])?.connect("localhost", number).await.is_err());
        Ok(())
    }

    #[tokio::test]
    async fn a_rule_without_a_port_is_for_two_of_them() -> TestResult {
        let port = port(&["example.org", "https://safe.example"])?;
        for (host, number, expected) in [
            ("example.org", 80, true),
            ("example.org", 443, true),
            ("example.org", 22, false),
            ("safe.example", 443, true),
            ("safe.example", 80, false),
            ("other.example", 443, false),
        ] {
            assert_eq!(port.listed(host, number).is_ok(), expected, "{host}:{number}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn what_is_no_host_is_no_target() -> TestResult {
        let port = NetworkPort::new(NetworkProfile::Full);
        for host in [
            "",
            "a b",
            "a/b",
            "user@example.org",
            "example.org:80",
            "a\r\nb",
            "::1",
            "*.example.org",
        ] {
            assert!(port.connect(host, 80).await.is_err(), "{host:?}");
        }
        assert!(port.connect("example.org", 0).await.is_err());
        Ok(())
    }
}
