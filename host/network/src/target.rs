//! Where a request goes: a URL of the guest, made unambiguous.

use std::fmt;
use std::net::IpAddr;

use url::{Position, Url};

use crate::NetworkError;

/// The longest URL that is looked at.
const MAX_URL: usize = 64 << 10;
/// The longest name that the domain name system has.
const MAX_NAME: usize = 253;

/// The protocols there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "http" => Some(Self::Http),
            "https" => Some(Self::Https),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    pub(crate) fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A host in its one canonical form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    /// Lower case, ASCII, without a dot at its end; not the text of an address.
    Name(String),
    /// IPv4 inside of IPv6 is IPv4.
    Address(IpAddr),
}

impl Host {
    /// Reads a host as a URL has it: a name in any alphabet, an IPv4 address in any of the forms that
    /// programs take for one, or an IPv6 address in brackets.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::of(&url::Host::parse(text).ok()?)
    }

    fn of<Name: AsRef<str>>(host: &url::Host<Name>) -> Option<Self> {
        let name = match host {
            url::Host::Ipv4(address) => return Some(Self::Address((*address).into())),
            url::Host::Ipv6(address) => {
                return Some(Self::Address(IpAddr::from(*address).to_canonical()));
            }
            url::Host::Domain(name) => name.as_ref(),
        };
        let name = name.strip_suffix('.').unwrap_or(name);
        let is_label = |label: &str| {
            // URLs could have more in a host, names cannot.
            !label.is_empty()
                && label.bytes().all(|each| each.is_ascii_alphanumeric() || b"-_".contains(&each))
        };
        let is_name = name.len() <= MAX_NAME && name.split('.').all(is_label);
        is_name.then(|| Self::Name(name.to_owned()))
    }
}

impl fmt::Display for Host {
    /// As a rule has it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => formatter.write_str(name),
            Self::Address(IpAddr::V4(address)) => write!(formatter, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(formatter, "[{address}]"),
        }
    }
}

/// One place that a request can go to.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) scheme: Scheme,
    pub(crate) host: Host,
    pub(crate) port: u16,
    url: Url,
}

impl Target {
    pub(crate) fn parse(text: &str) -> Result<Self, NetworkError> {
        if text.len() > MAX_URL {
            return Err(bad(format!("a URL of {} bytes is too long", text.len())));
        }
        // The parser would drop some of these without a word.
        if text.chars().any(|each| each.is_control() || each.is_whitespace() || each == '\\') {
            return Err(bad("a URL has no white space, control characters or backslashes"));
        }
        let mut url = Url::parse(text).map_err(|error| bad(format!("bad URL: {error}")))?;
        let scheme = Scheme::parse(url.scheme()).ok_or_else(|| {
            bad(format!("only http and https are possible, not {}", url.scheme()))
        })?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad(
                "a URL must not hold a user or password: use the Authorization header",
            ));
        }
        let host = url
            .host()
            .and_then(|host| Host::of(&host))
            .ok_or_else(|| bad("bad URL: no usable host"))?;
        if let Host::Name(name) = &host {
            // Without the dot at its end: servers and certificates know the name only so.
            url.set_host(Some(name)).map_err(|error| bad(format!("bad URL: {error}")))?;
        }
        url.set_fragment(None);
        let port = url.port().unwrap_or(scheme.default_port());
        if port == 0 {
            return Err(bad("bad URL: port 0"));
        }
        Ok(Self { scheme, host, port, url })
    }

    /// The URL, without a fragment.
    pub(crate) fn url(&self) -> &str {
        self.url.as_str()
    }

    /// What the first line of a request asks for.
    pub(crate) fn path_and_query(&self) -> &str {
        &self.url[Position::BeforePath..Position::AfterQuery]
    }

    /// The `Host` header: without the port where that goes without saying.
    pub(crate) fn authority(&self) -> &str {
        &self.url[Position::BeforeHost..Position::AfterPort]
    }

    /// Scheme, host and port, for messages.
    pub(crate) fn origin(&self) -> String {
        format!("{}://{}:{}", self.scheme.name(), self.host, self.port)
    }

    /// The shortest rule that lists it.
    pub(crate) fn rule(&self) -> String {
        if self.port == self.scheme.default_port() {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

fn bad(reason: impl Into<String>) -> NetworkError {
    NetworkError::BadRequest(reason.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    type TestResult = Result<(), NetworkError>;

    #[test]
    fn every_spelling_of_a_host_is_one_host() -> TestResult {
        for (url, host) in [
            ("http://EXAMPLE.org./x", "example.org"),
            ("http://example.org:80/", "example.org"),
            ("http://ex%61mple.org/", "example.org"),
            ("http://bücher.example/", "xn--bcher-kva.example"),
            ("http://ｅｘａｍｐｌｅ。org/", "example.org"),
            ("http://169.254.169.254/", "169.254.169.254"),
            ("http://2852039166/", "169.254.169.254"),
            ("http://0251.0376.0251.0376/", "169.254.169.254"),
            ("http://0xa9.0xfe.0xa9.0xfe/", "169.254.169.254"),
            ("http://169.254.43518/", "169.254.169.254"),
            ("http://169.254.169.254./", "169.254.169.254"),
            ("http://[::ffff:a9fe:a9fe]/", "169.254.169.254"),
            ("http://[::ffff:169.254.169.254]/", "169.254.169.254"),
            ("http://①②⑦.0.0.1/", "127.0.0.1"),
            ("http://127.1/", "127.0.0.1"),
            ("http://0/", "0.0.0.0"),
            ("http://[0:0::1]/", "[::1]"),
        ] {
            assert_eq!(Target::parse(url)?.host.to_string(), host, "{url}");
        }
        Ok(())
    }

    #[test]
    fn what_is_sent_comes_from_the_checked_url() -> TestResult {
        let target = Target::parse("http://Example.ORG.:8080/a/../b%20c?q=1&r=ä#part")?;
        assert_eq!(target.url(), "http://example.org:8080/b%20c?q=1&r=%C3%A4");
        assert_eq!(target.path_and_query(), "/b%20c?q=1&r=%C3%A4");
        assert_eq!(target.authority(), "example.org:8080");
        assert_eq!(
            (target.origin(), target.rule()),
            ("http://example.org:8080".to_owned(), "example.org:8080".to_owned())
        );
        let target = Target::parse("https://[2606:4700::1111]:443")?;
        assert_eq!(target.path_and_query(), "/");
        assert_eq!(target.authority(), "[2606:4700::1111]");
        assert_eq!(target.rule(), "[2606:4700::1111]");
        Ok(())
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let long = format!("http://example.org/{}", "x".repeat(MAX_URL));
        for url in [
            "",
            "/path",
            "example.org",
            "//example.org/",
            "file:///etc/passwd",
            "ftp://example.org/",
            "gopher://example.org/",
            "data:text/plain,x",
            "unix:/var/run/docker.sock",
            "http:",
            "http://",
            "http://user@example.org/",
            "http://user:secret@example.org/",
            "http://:secret@example.org/",
            "http://example.org@127.0.0.1/",
            "http://example.org\\@127.0.0.1/",
            "http://example.org\r\nHost: x/",
            "http://example.org/\tx",
            " http://example.org/",
            "http://exa\nmple.org/",
            "http://example.org/a b",
            "http://exa mple.org/",
            "http://example.org:0/",
            "http://example.org:65536/",
            "http://example.org:-1/",
            "http://example.org:80x/",
            "http://a..b/",
            "http://./",
            "http://.example.org/",
            "http://256.256.256.256/",
            "http://1.2.3.4.5/",
            "http://[fe80::1%25eth0]/",
            "http://[::1",
            "http://exa%00mple.org/",
            "http://exa%2fmple.org/",
            "http://*.example.org/",
            "http://a,b/",
            "http://$(id)/",
            &long,
        ] {
            assert!(matches!(Target::parse(url), Err(NetworkError::BadRequest(_))), "{url:?}");
        }
    }
}
