//! From names to addresses.

use std::fmt;
use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Semaphore;

/// The look-ups of all sessions of a process at a time. One that waits takes a thread until the
/// system gives up on it, whether anybody still waits for it or not.
const LOOKUPS: usize = 64;

/// Finds the addresses of a name. Asked once for each request; what it answers is checked, and
/// connected to.
#[async_trait]
pub trait Resolver: fmt::Debug + Send + Sync {
    /// The addresses of `name`, the preferred one first.
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// Resolves as other programs of this machine do, hosts file included.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        static PLACES: std::sync::LazyLock<Arc<Semaphore>> =
            std::sync::LazyLock::new(|| Arc::new(Semaphore::new(LOOKUPS)));
        let place = Arc::clone(&PLACES).acquire_owned().await.map_err(io::Error::other)?;
        let name = name.to_owned();
        let found = tokio::task::spawn_blocking(move || {
            let _until_the_system_answers = place;
            let found: Vec<IpAddr> =
                (name.as_str(), 0).to_socket_addrs()?.map(|address| address.ip()).collect();
            Ok(found)
        });
        found.await.map_err(io::Error::other)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn this_machine_knows_itself() -> io::Result<()> {
        let found = SystemResolver.resolve("localhost").await?;
        assert!(!found.is_empty() && found.iter().all(IpAddr::is_loopback), "{found:?}");
        Ok(())
    }
}
