//! What a profile lists: hosts and addresses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use url::Url;

use crate::NetworkError;
use crate::address::Special;
use crate::target::{Host, Scheme, Target};

/// The longest rule that is read.
const MAX_RULE: usize = 512;
const PRIVATE: &str = "private:";

/// One host, a family of hosts, or a network that requests may go to.
///
/// ```text
/// [private:][scheme://]HOST[:PORT]
/// ```
///
/// | rule | allows |
/// |---|---|
/// | `example.org` | this name, http at port 80 and https at port 443 |
/// | `*.example.org` | every name below, at any depth; not `example.org` itself |
/// | `https://example.org` | https only |
/// | `example.org:8080`, `example.org:*` | this port, any port |
/// | `127.0.0.1:8000`, `[::1]:8000` | this address |
/// | `10.1.0.0/16`, `[fd00::/8]:8080` | the addresses of this network |
/// | `private:intranet.example` | this name, also where it resolves to a private address |
///
/// A rule for a name does not let the name lead to an address that is not public: whoever answers for
/// the name could point it at the host's own network. `private:` says that this is meant, for
/// loopback, private, carrier-grade NAT and unique-local addresses. All others (link-local, cloud
/// metadata, multicast, …) take a rule for the address itself. A rule for a network opens special
/// addresses only where the network lies inside their block: `10.0.0.0/8` opens private addresses,
/// `0.0.0.0/0` only public ones.
///
/// A rule for an address allows URLs with that address. A URL with a name needs a rule for the name.
///
/// ```
/// use pcm_network::HostRule;
///
/// let rule: HostRule = "HTTPS://*.Example.ORG.:8443".parse()?;
/// assert_eq!(rule.to_string(), "https://*.example.org:8443");
/// # Ok::<(), pcm_network::NetworkError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRule {
    private: bool,
    scheme: Option<Scheme>,
    host: Pattern,
    port: Ports,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Name(String),
    /// All names that end with a dot and this one.
    Below(String),
    Network(IpNet),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ports {
    /// The one of the scheme.
    Default,
    Any,
    Only(u16),
}

impl HostRule {
    /// The rule for the scheme, host and port of a URL, such as that of a package index. Its path is
    /// left out, and so are user and password.
    pub fn of_url(url: &str) -> Result<Self, NetworkError> {
        let refused = |reason| NetworkError::Rule { text: shown(url), reason };
        let parsed = Url::parse(url).map_err(|_| refused("it is no URL"))?;
        let scheme = Scheme::parse(parsed.scheme());
        let host = parsed.host_str().and_then(Host::parse);
        match (scheme, host) {
            (None, _) => Err(refused("only http and https are possible")),
            (_, None) => Err(refused("it has no host")),
            (Some(_), Some(host)) => Ok(Self {
                private: false,
                scheme,
                host: host.into(),
                port: parsed.port().map_or(Ports::Default, Ports::Only),
            }),
        }
    }

    /// The same rule, also for a name that resolves to a private address: `private:`. A rule for
    /// addresses says that anyway.
    #[must_use]
    pub fn or_private(mut self) -> Self {
        self.private = !matches!(self.host, Pattern::Network(_));
        self
    }

    /// Whether the URL itself is listed.
    pub(crate) fn lists(&self, target: &Target) -> bool {
        self.is_for(target)
            && match (&self.host, &target.host) {
                (Pattern::Name(listed), Host::Name(name)) => listed == name,
                (Pattern::Below(listed), Host::Name(name)) => {
                    name.strip_suffix(listed).is_some_and(|rest| rest.ends_with('.'))
                }
                (Pattern::Network(listed), Host::Address(address)) => listed.contains(address),
                _ => false,
            }
    }

    /// Whether a listed target may be at this address, which is not public.
    pub(crate) fn opens(&self, target: &Target, address: IpAddr, special: Special) -> bool {
        match &self.host {
            Pattern::Network(listed) => {
                self.is_for(target)
                    && listed.contains(&address.to_canonical())
                    && listed.prefix_len() >= special.prefix
            }
            Pattern::Name(_) | Pattern::Below(_) => {
                self.private && special.purpose.is_own_network() && self.lists(target)
            }
        }
    }

    fn is_for(&self, target: &Target) -> bool {
        self.scheme.is_none_or(|scheme| scheme == target.scheme)
            && match self.port {
                Ports::Default => target.port == target.scheme.default_port(),
                Ports::Any => true,
                Ports::Only(port) => target.port == port,
            }
    }
}

impl From<Host> for Pattern {
    fn from(host: Host) -> Self {
        match host {
            Host::Name(name) => Self::Name(name),
            Host::Address(address) => Self::Network(address.into()),
        }
    }
}

impl FromStr for HostRule {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        parse(text).map_err(|reason| NetworkError::Rule { text: shown(text), reason })
    }
}

fn parse(text: &str) -> Result<HostRule, &'static str> {
    if text.len() > MAX_RULE {
        return Err("it is too long");
    }
    let lower = text.to_lowercase();
    let (private, rest) = match lower.strip_prefix(PRIVATE) {
        Some(rest) => (true, rest),
        None => (false, lower.as_str()),
    };
    let (scheme, rest) = match rest.split_once("://") {
        Some((name, rest)) => {
            let scheme = Scheme::parse(name).ok_or("only http and https are possible")?;
            (Some(scheme), rest.strip_suffix('/').unwrap_or(rest))
        }
        None => (None, rest),
    };
    let (host, port) = split_port(rest)?;
    let host = parse_host(host)?;
    if private && matches!(host, Pattern::Network(_)) {
        return Err("private: is for names; a rule for an address needs no more");
    }
    Ok(HostRule { private, scheme, host, port: parse_port(port)? })
}

/// The host, without brackets that held it together, and the port.
fn split_port(text: &str) -> Result<(&str, Option<&str>), &'static str> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or("a bracket is missing")?;
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err("after the bracket only a port can follow"),
        };
    }
    match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => Ok((host, Some(port))),
        _ => Ok((text, None)), // all of it is IPv6, or there is no port
    }
}

fn parse_port(port: Option<&str>) -> Result<Ports, &'static str> {
    match port {
        None => Ok(Ports::Default),
        Some("*") => Ok(Ports::Any),
        Some(number) => match number.parse() {
            Ok(0) | Err(_) => Err("a port is a number from 1 to 65535, or *"),
            Ok(number) => Ok(Ports::Only(number)),
        },
    }
}

fn parse_host(text: &str) -> Result<Pattern, &'static str> {
    const NO_HOST: &str =
        "it takes a name, *.name, an address or a network such as 10.0.0.0/8, and no path";
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Pattern::Network(address.to_canonical().into()));
    }
    if text.contains('/') {
        let network = text.parse::<IpNet>().map_err(|_| NO_HOST)?.trunc();
        let is_canonical = network.addr().to_canonical() == network.addr();
        return if is_canonical {
            Ok(Pattern::Network(network))
        } else {
            Err("IPv4 networks are written as IPv4")
        };
    }
    let (below, name) = match text.strip_prefix("*.") {
        Some(name) => (true, name),
        None => (false, text),
    };
    match (below, Host::parse(name).ok_or(NO_HOST)?) {
        (true, Host::Name(name)) => Ok(Pattern::Below(name)),
        (true, Host::Address(_)) => Err("there are no names below an address"),
        (false, host) => Ok(host.into()),
    }
}

/// A rule in a message, without the password that a URL may hold.
fn shown(text: &str) -> String {
    let end = text.char_indices().nth(80).map_or(text.len(), |(index, _)| index);
    let text = text.get(..end).unwrap_or_default();
    match (text.find("://"), text.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            let parts = (text.get(..scheme + 3), text.get(at + 1..));
            format!("{}{}", parts.0.unwrap_or_default(), parts.1.unwrap_or_default())
        }
        _ => text.to_owned(),
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.private {
            formatter.write_str(PRIVATE)?;
        }
        if let Some(scheme) = self.scheme {
            write!(formatter, "{}://", scheme.name())?;
        }
        match &self.host {
            Pattern::Name(name) => formatter.write_str(name)?,
            Pattern::Below(name) => write!(formatter, "*.{name}")?,
            Pattern::Network(network) => write_network(formatter, network)?,
        }
        match self.port {
            Ports::Default => Ok(()),
            Ports::Any => formatter.write_str(":*"),
            Ports::Only(port) => write!(formatter, ":{port}"),
        }
    }
}

fn write_network(formatter: &mut fmt::Formatter<'_>, network: &IpNet) -> fmt::Result {
    let text = if network.prefix_len() == network.max_prefix_len() {
        network.addr().to_string()
    } else {
        network.to_string()
    };
    match network {
        IpNet::V4(_) => formatter.write_str(&text),
        IpNet::V6(_) => write!(formatter, "[{text}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::special;

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn rules_have_one_spelling() -> TestResult {
        for (text, expected) in [
            ("Example.ORG.", "example.org"),
            ("example.org:8080", "example.org:8080"),
            ("example.org:*", "example.org:*"),
            ("https://example.org/", "https://example.org"),
            ("HTTP://*.example.org:81", "http://*.example.org:81"),
            ("*.bücher.example", "*.xn--bcher-kva.example"),
            ("localhost", "localhost"),
            ("private:intra", "private:intra"),
            ("Private:https://*.corp.example:*", "private:https://*.corp.example:*"),
            ("127.0.0.1:8000", "127.0.0.1:8000"),
            ("2852039166", "169.254.169.254"),
            ("::1", "[::1]"),
            ("[::1]:8000", "[::1]:8000"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("10.0.0.0/8:8080", "10.0.0.0/8:8080"),
            ("fd00::/8", "[fd00::/8]"),
            ("http://[fd00::/8]:8080", "http://[fd00::/8]:8080"),
        ] {
            let rule: HostRule = text.parse()?;
            assert_eq!(rule.to_string(), expected, "{text}");
            assert_eq!(rule, expected.parse()?, "{text}");
        }
        Ok(())
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in [
            "",
            "*",
            "*.",
            "*.*.example.org",
            "exa*mple.org",
            "a..b",
            "example.org:",
            "example.org:0",
            "example.org:65536",
            "example.org:http",
            "example.org/path",
            "https://example.org/path",
            "https://user@example.org",
            "ftp://example.org",
            "://example.org",
            "[::1",
            "[::1]8000",
            "[::1]:x",
            "10.0.0.0/33",
            "fd00::/129",
            "::ffff:0:0/96",
            "*.127.0.0.1",
            "private:10.0.0.1",
            "private:",
            "a b",
            "example.org,other.org",
            &"x".repeat(1000),
        ] {
            assert!(matches!(text.parse::<HostRule>(), Err(NetworkError::Rule { .. })), "{text}");
        }
    }

    #[test]
    fn a_rule_of_a_url_keeps_no_path_and_no_secret() -> TestResult {
        for (url, rule) in [
            ("https://index.example/simple/", "https://index.example"),
            ("http://user:secret@index.example:8080/x", "http://index.example:8080"),
            ("http://127.0.0.1:3141/root/pypi", "http://127.0.0.1:3141"),
        ] {
            assert_eq!(HostRule::of_url(url)?.to_string(), rule);
        }
        let private = HostRule::of_url("https://index.example/")?.or_private();
        assert_eq!(private.to_string(), "private:https://index.example");
        assert_eq!(
            HostRule::of_url("http://10.0.0.1/")?.or_private().to_string(),
            "http://10.0.0.1"
        );
        for url in ["simple", "file:///srv/index", "ssh://user:secret@index.example"] {
            let error = HostRule::of_url(url).err().map(|error| error.to_string());
            assert!(error.is_some_and(|error| !error.contains("secret")), "{url}");
        }
        Ok(())
    }

    fn lists(rule: &str, url: &str) -> Result<bool, NetworkError> {
        Ok(rule.parse::<HostRule>()?.lists(&Target::parse(url)?))
    }

    #[test]
    fn a_rule_lists_what_it_says_and_no_more() -> TestResult {
        for (rule, url, expected) in [
            ("example.org", "http://example.org/", true),
            ("example.org", "https://EXAMPLE.org./x?y", true),
            ("example.org", "http://example.org:8080/", false),
            ("example.org", "http://example.org:443/", false),
            ("example.org", "http://www.example.org/", false),
            ("example.org", "http://example.org.evil.example/", false),
            ("example.org", "http://notexample.org/", false),
            ("*.example.org", "http://a.b.example.org/", true),
            ("*.example.org", "http://example.org/", false),
            ("*.example.org", "http://badexample.org/", false),
            ("https://example.org", "http://example.org/", false),
            ("https://example.org", "https://example.org/", true),
            ("https://example.org", "https://example.org:8443/", false),
            ("example.org:8080", "https://example.org:8080/", true),
            ("example.org:8080", "http://example.org/", false),
            ("example.org:*", "http://example.org:1/", true),
            ("127.0.0.1:8000", "http://127.0.0.1:8000/", true),
            ("127.0.0.1:8000", "http://2130706433:8000/", true),
            ("127.0.0.1:8000", "http://[::ffff:127.0.0.1]:8000/", true),
            ("127.0.0.1:8000", "http://[64:ff9b::127.0.0.1]:8000/", false),
            ("127.0.0.1:8000", "http://127.0.0.1:8001/", false),
            ("127.0.0.1:8000", "http://127.0.0.2:8000/", false),
            ("127.0.0.1:8000", "http://localhost:8000/", false),
            ("10.0.0.0/8", "http://10.9.8.7/", true),
            ("10.0.0.0/8", "http://11.0.0.1/", false),
        ] {
            assert_eq!(lists(rule, url)?, expected, "{rule} {url}");
        }
        Ok(())
    }

    #[test]
    fn special_addresses_are_opened_only_on_purpose() -> TestResult {
        for (rule, url, address, expected) in [
            ("intra", "http://intra/", "10.0.0.1", false),
            ("private:intra", "http://intra/", "10.0.0.1", true),
            ("private:intra", "http://intra/", "127.0.0.1", true),
            ("private:intra", "http://intra/", "::ffff:127.0.0.1", true),
            ("private:intra", "http://intra/", "fd12::1", true),
            ("private:intra", "http://intra/", "169.254.169.254", false),
            ("private:intra", "http://intra/", "100.100.100.200", false),
            ("private:intra", "http://intra/", "fd00:ec2::254", false),
            ("private:intra", "http://intra/", "fe80::1", false),
            ("private:intra", "http://intra/", "0.0.0.0", false),
            ("private:intra", "http://intra:81/", "10.0.0.1", false),
            ("private:*.intra", "http://intra/", "10.0.0.1", false),
            ("10.0.0.0/8", "http://intra/", "10.0.0.1", true),
            ("10.0.0.0/8", "http://intra:81/", "10.0.0.1", false),
            ("10.0.0.0/7", "http://intra/", "10.0.0.1", false),
            ("0.0.0.0/0", "http://127.0.0.1/", "127.0.0.1", false),
            ("::/0", "http://[::1]/", "::1", false),
            ("169.254.0.0/16", "http://169.254.169.254/", "169.254.169.254", false),
            ("169.254.169.254", "http://169.254.169.254/", "169.254.169.254", true),
            ("64:ff9b::/96", "http://[64:ff9b::7f00:1]/", "64:ff9b::7f00:1", false),
            ("64:ff9b::7f00:1", "http://[64:ff9b::7f00:1]/", "64:ff9b::7f00:1", true),
            ("127.0.0.1", "http://[64:ff9b::7f00:1]/", "64:ff9b::7f00:1", false),
        ] {
            let address: IpAddr = address.parse()?;
            let special = special(address).ok_or("not special")?;
            let opens = rule.parse::<HostRule>()?.opens(&Target::parse(url)?, address, special);
            assert_eq!(opens, expected, "{rule} {url} {address}");
        }
        Ok(())
    }
}
