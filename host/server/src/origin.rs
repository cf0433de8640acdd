//! Whether a request is meant for this server.
//!
//! A page in somebody's browser can have its own name resolve to 127.0.0.1 and then talk to servers
//! there as if they were its own (DNS rebinding). Its name stands in `Host`, and its origin in `Origin`.

use axum::http::{HeaderMap, Uri, header};

use crate::answer::Refusal;

/// Which names and pages are taken.
#[derive(Debug)]
pub(crate) struct Origins {
    hosts: Vec<String>,
    pages: Vec<String>,
    is_loopback: bool,
}

impl Origins {
    pub(crate) fn new(hosts: &[String], origins: &[String], is_loopback: bool) -> Self {
        let lower = |names: &[String]| names.iter().map(|name| name.to_ascii_lowercase()).collect();
        Self { hosts: lower(hosts), pages: lower(origins), is_loopback }
    }

    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return Err(Refusal::bad("a request has one Host header"));
        };
        let host = host.to_str().ok().and_then(without_port);
        let of_uri = uri.authority().map(|authority| without_port(authority.as_str()));
        for host in [Some(host), of_uri].into_iter().flatten() {
            if !host.is_some_and(|host| self.takes(host)) {
                return Err(Refusal::forbidden("this server is not known by that Host"));
            }
        }
        let origins = headers.get_all(header::ORIGIN);
        for origin in origins {
            let origin = origin.to_str().map(str::to_ascii_lowercase).unwrap_or_default();
            if !self.pages.contains(&origin) {
                return Err(Refusal::forbidden("this server takes no requests of that Origin"));
            }
        }
        Ok(())
    }

    fn takes(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        if self.hosts.contains(&host) {
            return true;
        }
        if self.is_loopback {
            return matches!(&*host, "localhost" | "127.0.0.1" | "[::1]");
        }
        self.hosts.is_empty()
    }
}

/// The name of `name:port` or `[address]:port`, if it is one.
fn without_port(host: &str) -> Option<&str> {
    let (name, rest) = match host.strip_prefix('[') {
        Some(inside) => {
            let end = inside.find(']')? + 2;
            host.split_at_checked(end)?
        }
        None => host.split_at_checked(host.find(':').unwrap_or(host.len()))?,
    };
    let is_port =
        rest.is_empty() || rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    let is_name = |char: char| char.is_ascii_alphanumeric() || "-._[]:".contains(char);
    (!name.is_empty() && is_port && name.chars().all(is_name)).then_some(name)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn is_taken(origins: &Origins, uri: &str, headers: &[(&str, &str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: header::HeaderName = name.parse().unwrap();
            map.append(name, value.parse().unwrap());
        }
        origins.check(&uri.parse().unwrap(), &map).is_ok()
    }

    #[test]
    fn on_loopback_only_names_of_loopback_are_taken() {
        let origins = Origins::new(&["box.example".to_owned()], &[], true);
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:8080", "box.example"] {
            assert!(is_taken(&origins, "/", &[("host", host)]), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "evil@localhost",
            "localhost:x",
            "localhost:80:80",
            "[::1",
            "",
            "127.0.0.1#evil",
            "192.168.0.1",
        ] {
            assert!(!is_taken(&origins, "/", &[("host", host)]), "{host}");
        }
        assert!(!is_taken(&origins, "/", &[]));
        assert!(!is_taken(&origins, "/", &[("host", "localhost"), ("host", "localhost")]));
        assert!(!is_taken(&origins, "http://evil.example/", &[("host", "localhost")]));
    }

    #[test]
    fn elsewhere_every_name_is_taken_unless_some_are_listed() {
        let any = Origins::new(&[], &[], false);
        assert!(is_taken(&any, "/", &[("host", "10.0.0.1:8080")]));
        let some = Origins::new(&["api.example".to_owned()], &[], false);
        assert!(is_taken(&some, "/", &[("host", "API.example:443")]));
        assert!(!is_taken(&some, "/", &[("host", "10.0.0.1")]));
    }

    #[test]
    fn a_page_is_taken_that_is_listed() {
        let origins = Origins::new(&[], &["https://app.example".to_owned()], true);
        let with = |origin| is_taken(&origins, "/", &[("host", "localhost"), ("origin", origin)]);
        assert!(with("https://app.example"));
        for origin in ["http://evil.example", "null", "https://app.example.evil", ""] {
            assert!(!with(origin), "{origin}");
        }
    }
}
