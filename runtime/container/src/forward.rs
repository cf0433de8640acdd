//! In the container: from a port that programs take for an HTTP proxy to the socket of the host.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::Semaphore;

/// Where the proxy seems to be.
const ADDRESS: &str = "127.0.0.1:3128";
/// Connections at a time; further ones wait.
const CONNECTIONS: usize = 64;

/// The variables that programs look for a proxy in.
pub(crate) fn environment() -> impl Iterator<Item = (String, String)> {
    let proxies = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
    let proxies = proxies.map(|name| (name, format!("http://{ADDRESS}")));
    let none = ("NO_PROXY", "localhost,127.0.0.1,::1".to_owned());
    proxies.into_iter().chain([none]).flat_map(|(name, value)| {
        [(name.to_owned(), value.clone()), (name.to_ascii_lowercase(), value)]
    })
}

/// Takes connections, for as long as this process lives.
pub(crate) async fn serve(socket: PathBuf) -> io::Result<()> {
    let listener = TcpListener::bind(ADDRESS).await?;
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    tokio::spawn(async move {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let Ok((mut client, _)) = listener.accept().await else { continue };
            let socket = socket.clone();
            tokio::spawn(async move {
                let _place = place;
                if let Ok(mut host) = UnixStream::connect(&socket).await {
                    let _ = copy_bidirectional(&mut client, &mut host).await; // one of them ended
                }
            });
        }
    });
    Ok(())
}
