//! Patterns for texts: URLs, where the pattern is one, and anything else.

use url::Url;

use crate::glob::Glob;

/// A longer text is not looked at: matching takes its length times that of the pattern.
const MAX_TEXT: usize = 16 << 10;

/// `*` does not cross `/`, `**` does.
///
/// A pattern with `://` is one for URLs and is compared part by part, as a text could put the host
/// that is expected into the user name or the path of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TextGlob {
    source: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Url { scheme: String, host: Glob, port: Option<u16>, path: Glob },
    Text(Glob),
}

impl TextGlob {
    pub(super) fn parse(pattern: &str) -> Result<Self, String> {
        let kind = if let Some((scheme, rest)) = pattern.split_once("://") {
            parse_url(scheme, rest)?
        } else {
            Kind::Text(Glob::parse(pattern, b'/').map_err(ToOwned::to_owned)?)
        };
        Ok(Self { source: pattern.to_owned(), kind })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.source
    }

    /// None where nobody can say what the text means.
    pub(super) fn matches(&self, text: &str) -> Option<bool> {
        if text.len() > MAX_TEXT {
            return None;
        }
        match &self.kind {
            Kind::Text(glob) => (!leads_back(text)).then(|| glob.matches(text)),
            Kind::Url { scheme, host, port, path } => {
                let url = plain_url(text)?;
                let default = url.port_or_known_default();
                let expected = port.or_else(|| default_port(scheme));
                let host_text = url.host_str()?.trim_end_matches('.');
                Some(
                    url.scheme() == scheme
                        && default == expected
                        && host.matches(host_text)
                        && path.matches(url.path()),
                )
            }
        }
    }
}

fn parse_url(scheme: &str, rest: &str) -> Result<Kind, String> {
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if !is_scheme {
        return Err(format!(
            "{scheme:?} is no scheme of a URL; write `https://…` or another one out"
        ));
    }
    let Some((authority, path)) = rest.split_once('/') else {
        return Err(
            "a pattern for URLs names the path too; for all of them end it with `/**`".to_owned()
        );
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !authority.ends_with(']') => {
            let port = port.parse().map_err(|_| format!("{port:?} is no port"))?;
            (host, Some(port))
        }
        _ => (authority, None),
    };
    let is_host = !host.is_empty()
        && (host.starts_with('[')
            || host.bytes().all(|byte| {
                byte.is_ascii_lowercase()
                    || byte.is_ascii_digit()
                    || matches!(byte, b'.' | b'-' | b'_' | b'*')
            }));
    if !is_host {
        return Err(format!(
            "{host:?} is no host; it is written in lower case and in ASCII (punycode)"
        ));
    }
    if path.contains(['?', '#']) {
        return Err(
            "a pattern for URLs ends with the path: what follows `?` is not compared".to_owned()
        );
    }
    Ok(Kind::Url {
        scheme: scheme.to_owned(),
        host: Glob::parse(host, b'.')?,
        port,
        path: Glob::parse(&format!("/{path}"), b'/')?,
    })
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        "ftp" => Some(21),
        _ => None,
    }
}

/// A URL that every client reads the same way: nothing that some strip, decode or turn into `/`, no
/// user name to hide a host in, no way back in the path.
fn plain_url(text: &str) -> Option<Url> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if !is_plain {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let authority = text.split_once("://")?.1.split(['/', '?', '#']).next()?;
    // Some skip further slashes here, and others see no host.
    if authority.is_empty() {
        return None;
    }
    let has_user =
        authority.contains('@') || !url.username().is_empty() || url.password().is_some();
    (!has_user && !leads_back(url.path())).then_some(url)
}

/// Whether some reader would find a `..` in the path, also behind percent signs.
pub(super) fn leads_back(path: &str) -> bool {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        match (first, tail) {
            (b'%', [high, low, tail @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or(0);
                let code = digit(*high) * 16 + digit(*low);
                decoded.push(u8::try_from(code).unwrap_or(0));
                rest = tail;
            }
            _ => {
                decoded.push(*first);
                rest = tail;
            }
        }
    }
    decoded.split(|byte| matches!(byte, b'/' | b'\\')).any(|part| part == b"..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_compared_part_by_part() -> Result<(), String> {
        let glob = TextGlob::parse("https://api.example.org/v1/**")?;
        for (text, expected) in [
            ("https://api.example.org/v1/users", Some(true)),
            ("HTTPS://API.Example.ORG/v1/users", Some(true)),
            ("https://api.example.org:443/v1/users?q=1#x", Some(true)),
            ("https://api.example.org./v1/users", Some(true)),
            ("https://api.example.org:8443/v1/users", Some(false)),
            ("http://api.example.org/v1/users", Some(false)),
            ("https://api.example.org/v2/users", Some(false)),
            ("https://api.example.org/v1/../v2/users", Some(false)),
            ("https://api.example.org/v1/%2e%2e/v2/users", Some(false)),
            ("https://api.example.org/v1/..%2fv2", None),
            ("https://api.example.org@evil.example/v1/", None),
            ("https://@api.example.org/v1/", None),
            ("https://evil.example/https://api.example.org/v1/x", Some(false)),
            ("https://evil.example?https://api.example.org/v1/x", Some(false)),
            ("https://evil.example\\@api.example.org/v1/x", None),
            ("https://api.example.org/v1/\u{9}x", None),
            (" https://api.example.org/v1/x", None),
            ("https://api.example.org/v1/é", None),
            ("api.example.org/v1/x", None),
            ("https:/api.example.org/v1/x", None),
            ("https:///api.example.org/v1/x", None),
            ("", None),
        ] {
            assert_eq!(glob.matches(text), expected, "{text:?}");
        }
        Ok(())
    }

    #[test]
    fn a_star_in_a_host_stands_for_one_label() -> Result<(), String> {
        let glob = TextGlob::parse("https://*.example.org/**")?;
        for (text, expected) in [
            ("https://a.example.org/", Some(true)),
            ("https://a.b.example.org/", Some(false)),
            ("https://example.org/", Some(false)),
            ("https://evil.example?.example.org/", Some(false)),
            ("https://evil.example#.example.org/", Some(false)),
            ("https://evil.example/.example.org/", Some(false)),
        ] {
            assert_eq!(glob.matches(text), expected, "{text:?}");
        }
        Ok(())
    }

    #[test]
    fn a_path_that_leads_back_matches_nothing() -> Result<(), String> {
        let glob = TextGlob::parse("data/**")?;
        assert_eq!(glob.matches("data/a/b.csv"), Some(true));
        assert_eq!(glob.matches("data/../etc/passwd"), None);
        assert_eq!(glob.matches("data/%2E%2e/etc"), None);
        assert_eq!(glob.matches("data/a..b"), Some(true));
        assert_eq!(TextGlob::parse("data**")?.matches("data/../etc"), None);
        assert_eq!(TextGlob::parse("*.csv")?.matches("report.csv"), Some(true));
        assert_eq!(TextGlob::parse("*.csv")?.matches("a/report.csv"), Some(false));
        assert_eq!(TextGlob::parse("*")?.matches(&"x".repeat(MAX_TEXT + 1)), None);
        Ok(())
    }

    #[test]
    fn a_pattern_for_urls_is_whole() {
        for pattern in [
            "https://example.org",
            "HTTPS://example.org/",
            "*://example.org/**",
            "https://Example.org/**",
            "https://user@example.org/**",
            "https:///x",
            "https://example.org:x/",
            "https://example.org/?q=*",
            "https://exämple.org/**",
        ] {
            assert!(TextGlob::parse(pattern).is_err(), "{pattern}");
        }
    }
}
