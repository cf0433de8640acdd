//! What the code of a command may reach.

use std::str::FromStr;

use pcm_sandbox::{HostRule, NetworkError, NetworkProfile};

use super::exit::Failure;
use super::indexes;

/// The network of a session.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Session")]
pub(crate) struct NetworkArgs {
    /// Let `urllib.request` and `http.client` reach hosts: none, full, deps-only, or a list
    ///
    /// `full` is every public address, at any port. `deps-only` is the package indexes of your pip
    /// and uv configuration. A host is a name (`example.org`), all names below one
    /// (`*.example.org`), an address or a network (`10.0.0.0/8`), with a scheme or a port if only
    /// that is meant (`https://example.org`, `127.0.0.1:8000`). A name that leads to a private
    /// address needs `private:` (`private:intranet.example:8080`). The option can be repeated.
    #[arg(long, value_name = "none|full|deps-only|HOST[,HOST…]", value_delimiter = ',')]
    network: Vec<Reach>,
}

/// One word of the option.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Reach {
    None,
    Full,
    DepsOnly,
    Host(HostRule),
}

impl FromStr for Reach {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        Ok(match text {
            "none" => Self::None,
            "full" => Self::Full,
            "deps-only" => Self::DepsOnly,
            host => Self::Host(host.parse()?),
        })
    }
}

impl NetworkArgs {
    /// What the words come to together.
    pub(crate) fn profile(&self) -> Result<NetworkProfile, Failure> {
        match self.network.as_slice() {
            [] | [Reach::None] => Ok(NetworkProfile::None),
            [Reach::Full] => Ok(NetworkProfile::Full),
            [Reach::DepsOnly] => match indexes::configured() {
                rules if rules.is_empty() => Err(Failure::usage(
                    "your configuration of pip and uv names no package index for --network \
                     deps-only: name hosts in its place",
                )),
                rules => Ok(NetworkProfile::DepsOnly(rules)),
            },
            words => {
                let rule = |word: &Reach| match word {
                    Reach::Host(rule) => Ok(rule.clone()),
                    _ => Err(Failure::usage(
                        "--network takes hosts, or one of none, full and deps-only alone",
                    )),
                };
                Ok(NetworkProfile::Allow(words.iter().map(rule).collect::<Result<_, _>>()?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(words: &str) -> Option<NetworkProfile> {
        let network = words.split(',').map(str::parse).collect::<Result<_, _>>().ok()?;
        NetworkArgs { network }.profile().ok()
    }

    #[test]
    fn words_become_a_profile() -> Result<(), NetworkError> {
        assert_eq!(NetworkArgs { network: vec![] }.profile(), Ok(NetworkProfile::None));
        assert_eq!(profile("none"), Some(NetworkProfile::None));
        assert_eq!(profile("full"), Some(NetworkProfile::Full));
        assert_eq!(
            profile("example.org,127.0.0.1:8000"),
            Some(NetworkProfile::Allow(vec!["example.org".parse()?, "127.0.0.1:8000".parse()?]))
        );
        Ok(())
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for words in ["none,full", "full,example.org", "example.org,none", "a b", "http://x/path"] {
            assert_eq!(profile(words), None, "{words}");
        }
    }
}
