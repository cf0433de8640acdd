//! Whom TLS connections trust.

use std::fmt;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::OnceCell;

use crate::NetworkError;

/// Whose certificates are good.
#[derive(Clone, Default)]
pub struct Trust(Roots);

#[derive(Clone, Default)]
enum Roots {
    #[default]
    System,
    Only(Arc<ClientConfig>),
}

impl Trust {
    /// The certificate authorities that this machine trusts, as other programs here do. They are read
    /// when the first https request of the process is made.
    pub fn system() -> Self {
        Self(Roots::System)
    }

    /// The certificate authorities in this PEM text and no others.
    pub fn only(pem: &[u8]) -> Result<Self, NetworkError> {
        let unreadable = |error: &dyn fmt::Display| NetworkError::Certificates(error.to_string());
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| unreadable(&error))?;
            roots.add(certificate).map_err(|error| unreadable(&error))?;
        }
        if roots.is_empty() {
            return Err(unreadable(&"there is none in the PEM text"));
        }
        Ok(Self(Roots::Only(Arc::new(config(roots).map_err(|error| unreadable(&error))?))))
    }

    /// The settings of a connection; none where this machine trusts nobody.
    pub(crate) async fn config(&self) -> Option<Arc<ClientConfig>> {
        static SYSTEM: OnceCell<Arc<ClientConfig>> = OnceCell::const_new();
        match &self.0 {
            Roots::Only(config) => Some(Arc::clone(config)),
            Roots::System => {
                let read = async || {
                    let read = tokio::task::spawn_blocking(system_config).await;
                    read.ok().flatten().map(Arc::new).ok_or(())
                };
                SYSTEM.get_or_try_init(read).await.ok().cloned()
            }
        }
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.0 {
            Roots::System => "Trust::system",
            Roots::Only(_) => "Trust::only",
        })
    }
}

fn system_config() -> Option<ClientConfig> {
    let mut roots = RootCertStore::empty();
    // Some stores hold certificates that nobody can use; the rest is still good.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return None;
    }
    config(roots).ok()
}

fn config(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // A ticket would tell servers which sandboxes belong to one process.
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_no_certificate_is_refused() {
        for pem in [
            &b""[..],
            b"no PEM",
            b"-----BEGIN CERTIFICATE-----\naGk=\n-----END CERTIFICATE-----\n",
            b"-----BEGIN CERTIFICATE-----\naGk=\n",
        ] {
            assert!(matches!(Trust::only(pem), Err(NetworkError::Certificates(_))));
        }
    }
}
