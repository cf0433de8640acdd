//! Why a server does not start, or ended.

use std::io;
use std::net::SocketAddr;

use pcm_storage::StorageError;

/// Why a server does not start, or ended before it was told to.
///
/// These are for whoever runs it. What a client is told is an answer, and names nothing of the host.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// Nobody said who may use it.
    #[error(
        "the server has no authentication: set a token (CONTAINER_AUTH_TOKEN), a file of tokens, or \
         disable authentication (CONTAINER_AUTH_DISABLED=true) to serve this machine alone"
    )]
    NoAuthentication,
    /// Others could reach it, and nobody would be asked for a token.
    #[error(
        "{address} can be reached from other machines and authentication is disabled; bind to \
         127.0.0.1, or set a token"
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
    /// The file of tokens is not understood.
    #[error("{file}:{line}:{column}: {message}")]
    Tokens {
        /// The file.
        file: String,
        /// The line, from 1; 0 where it is not known.
        line: u64,
        /// The column, from 1; 0 where it is not known.
        column: u64,
        /// What is wrong there.
        message: String,
    },
    /// The file of tokens cannot be read.
    #[error("{file}: {source}")]
    TokensFile {
        /// The file.
        file: String,
        /// What the system says.
        source: io::Error,
    },
    /// A setting has no meaning.
    #[error("{name} is {value:?}: {reason}")]
    Setting {
        /// Its name.
        name: &'static str,
        /// What it was set to.
        value: String,
        /// What it has to be.
        reason: &'static str,
    },
    /// What outlives the process cannot be kept.
    #[error("the server's records cannot be kept: {0}")]
    Records(#[from] StorageError),
    /// There is no source of random numbers.
    #[error("the machine has no random numbers: {0}")]
    NoRandomness(String),
}
