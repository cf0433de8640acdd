//! What code in a sandbox may reach.

use std::net::IpAddr;

use pcm_fences::{Fence, holds};

use crate::address::special;
use crate::target::{Host, Target};
use crate::{HostRule, NetworkError};

/// What code in a sandbox may reach.
///
/// Whatever the profile: only http and https, never a URL with credentials in it, and every name is
/// resolved once, all its addresses are checked, and the connection goes to one of those.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum NetworkProfile {
    /// Nothing.
    #[default]
    None,
    /// The package indexes of the user's own configuration, as these rules name them.
    DepsOnly(Vec<HostRule>),
    /// All public addresses, at any port. Not: loopback, private and all other special addresses.
    Full,
    /// What these rules list.
    Allow(Vec<HostRule>),
}

impl NetworkProfile {
    fn rules(&self) -> &[HostRule] {
        match self {
            Self::None | Self::Full => &[],
            Self::DepsOnly(rules) | Self::Allow(rules) => rules,
        }
    }

    /// Decides on a target before anybody is asked about its name.
    pub(crate) fn check_target(&self, target: &Target) -> Result<(), NetworkError> {
        if !holds(Fence::Rules) {
            return Ok(());
        }
        match self {
            Self::None => Err(NetworkError::Off { rule: target.rule() }),
            Self::Full => Ok(()),
            Self::DepsOnly(rules) | Self::Allow(rules) => {
                if rules.iter().any(|rule| rule.lists(target)) {
                    return Ok(());
                }
                Err(NetworkError::NotListed { origin: target.origin(), rule: target.rule() })
            }
        }
    }

    /// Decides on one address of a target that passed [`check_target`](Self::check_target).
    pub(crate) fn check_address(
        &self,
        target: &Target,
        address: IpAddr,
    ) -> Result<(), NetworkError> {
        let Some(special) = special(address).filter(|_| holds(Fence::Addresses)) else {
            return Ok(());
        };
        if self.rules().iter().any(|rule| rule.opens(target, address, special)) {
            return Ok(());
        }
        Err(match &target.host {
            Host::Address(named) => {
                NetworkError::not_public(*named, special.purpose, target.rule())
            }
            Host::Name(name) => {
                NetworkError::ResolvesToRefused { host: name.clone(), way_out: way_out(target) }
            }
        })
    }
}

fn way_out(target: &Target) -> String {
    format!("list its address, or `private:{}`", target.rule())
}

#[cfg(test)]
mod tests {
    use super::*;

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    fn allow(rules: &[&str]) -> Result<NetworkProfile, NetworkError> {
        Ok(NetworkProfile::Allow(rules.iter().map(|rule| rule.parse()).collect::<Result<_, _>>()?))
    }

    fn check(profile: &NetworkProfile, url: &str, address: &str) -> Result<bool, NetworkError> {
        let target = Target::parse(url)?;
        let address = address.parse().map_err(|_| NetworkError::BadRequest(address.to_owned()))?;
        Ok(profile.check_target(&target).is_ok() && profile.check_address(&target, address).is_ok())
    }

    #[test]
    fn nothing_is_the_default() -> TestResult {
        assert!(!check(&NetworkProfile::default(), "http://example.org/", "1.1.1.1")?);
        assert!(!check(&allow(&[])?, "http://example.org/", "1.1.1.1")?);
        assert!(!check(&NetworkProfile::DepsOnly(vec![]), "http://example.org/", "1.1.1.1")?);
        Ok(())
    }

    #[test]
    fn full_is_all_that_is_public() -> TestResult {
        for (url, address, expected) in [
            ("http://example.org/", "1.1.1.1", true),
            ("http://example.org:9999/", "2606:4700::1111", true),
            ("http://1.1.1.1/", "1.1.1.1", true),
            ("http://example.org/", "127.0.0.1", false),
            ("http://example.org/", "::ffff:10.0.0.1", false),
            ("http://169.254.169.254/latest/meta-data/", "169.254.169.254", false),
            ("http://localhost/", "::1", false),
        ] {
            assert_eq!(check(&NetworkProfile::Full, url, address)?, expected, "{url} {address}");
        }
        Ok(())
    }

    #[test]
    fn a_name_needs_a_rule_and_so_does_its_private_address() -> TestResult {
        let both = allow(&["intra", "10.0.0.0/8"])?;
        assert!(check(&both, "http://intra/", "10.0.0.1")?);
        assert!(!check(&both, "http://intra/", "127.0.0.1")?);
        assert!(!check(&both, "http://other/", "10.0.0.1")?);
        assert!(!check(&allow(&["intra"])?, "http://intra/", "10.0.0.1")?);
        assert!(check(&allow(&["intra"])?, "http://intra/", "1.1.1.1")?);
        Ok(())
    }

    #[test]
    fn a_refusal_says_which_rule_is_missing() -> TestResult {
        let target = Target::parse("http://example.org:8080/x")?;
        let text = |result: Result<(), NetworkError>| result.err().map(|error| error.to_string());
        assert_eq!(
            text(NetworkProfile::None.check_target(&target)).as_deref(),
            Some(
                "the network is off for this session; allow it with NetworkProfile::Allow or \
                 `--network example.org:8080`"
            )
        );
        assert_eq!(
            text(allow(&["example.org"])?.check_target(&target)).as_deref(),
            Some(
                "the network profile of this session does not list http://example.org:8080; the \
                 rule `example.org:8080` would allow it (NetworkProfile::Allow or `--network \
                 example.org:8080`)"
            )
        );
        let refused = text(NetworkProfile::Full.check_address(&target, "10.1.2.3".parse()?));
        assert_eq!(
            refused.as_deref(),
            Some(
                "example.org resolves to an address that is not allowed; if it is meant to, list \
                 its address, or `private:example.org:8080`"
            )
        );
        let target = Target::parse("http://0251.0376.0251.0376/")?;
        let refused = text(NetworkProfile::Full.check_address(&target, "169.254.169.254".parse()?));
        assert_eq!(
            refused.as_deref(),
            Some(
                "169.254.169.254 is not a public address (cloud metadata); only a rule for the \
                 address itself would allow it: NetworkProfile::Allow or `--network \
                 169.254.169.254`"
            )
        );
        Ok(())
    }
}
