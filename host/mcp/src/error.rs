//! Why a server does not start, or ended.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a server does not start, or ended before it was told to; or why a client's configuration was left
/// as it is.
///
/// These are for whoever runs it. What a client is told names nothing of the host.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum McpError {
    /// The other side does not begin as the protocol says.
    #[error("the client does not speak MCP: {0}")]
    Handshake(String),
    /// Others could reach it, and nobody would be asked for a token.
    #[error(
        "{address} can be reached from other machines and there is no token; bind to 127.0.0.1, or set \
         a token"
    )]
    Exposed {
        /// Where it was to listen.
        address: SocketAddr,
    },
    /// The address cannot be listened at.
    #[error("the server cannot listen at {address}: {source}")]
    Bind {
        /// Where it was to listen.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The token protects nothing.
    #[error("the token has {length} characters; it must have at least {least}")]
    WeakToken {
        /// How long it is.
        length: usize,
        /// How long it has to be.
        least: usize,
    },
    /// It is not known where a client has its configuration.
    #[error("it is not known where {client} has its configuration: {reason}; use --print")]
    NoPlace {
        /// The client.
        client: &'static str,
        /// What is missing.
        reason: &'static str,
    },
    /// A configuration cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A configuration is not what it is expected to be, and so is not changed.
    #[error("{}: {reason}; it is left as it is: use --print, and add the lines by hand", path.display())]
    Configuration {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}
