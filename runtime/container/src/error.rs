//! Why there is no container.

use std::io;
use std::time::Duration;

/// Why there is no container, or no image for one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContainerError {
    /// No engine was found.
    #[error(
        "no container engine was found (looked at {tried}): install Docker and start it, or name its socket in \
         DOCKER_HOST, as unix:///run/docker.sock"
    )]
    NoEngine {
        /// Where it was looked for.
        tried: String,
    },
    /// An engine is there and does not talk to us.
    #[error("the container engine at {place} cannot be used: {reason}")]
    Engine {
        /// Its socket.
        place: String,
        /// Why, and what to do.
        reason: String,
    },
    /// The engine is another machine's.
    #[error(
        "the container engine at {place} is not on this machine: a session talks to its container over a \
         socket in the file system, so DOCKER_HOST has to be a unix:// one"
    )]
    Remote {
        /// Its address.
        place: String,
    },
    /// A setting that cannot be.
    #[error("{setting} cannot be {value:?}: {rule}")]
    Setting {
        /// The name of the setting.
        setting: &'static str,
        /// What it was.
        value: String,
        /// What it has to be.
        rule: &'static str,
    },
    /// The image is missing, or cannot be used.
    #[error("the image {image} {problem}: {remedy}")]
    Image {
        /// Its name.
        image: String,
        /// What is the matter with it.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// An image could not be made.
    #[error("{step} failed: {reason}")]
    Build {
        /// What was done.
        step: &'static str,
        /// What went wrong.
        reason: String,
    },
    /// A container did not come up.
    #[error("the container did not start: {0}")]
    Start(String),
    /// A container did not come up in time.
    #[error("the container was not ready after {0:?}; a longer startup_timeout lets it take more")]
    Slow(Duration),
    /// The engine refused something, or is gone.
    #[error("the container engine: {0}")]
    Refused(String),
    /// A worker that is no worker.
    #[error(transparent)]
    Worker(#[from] pcm_runtime_worker::WorkerError),
    /// A file or a socket of ours.
    #[error("{0}")]
    System(#[from] io::Error),
}

impl From<bollard::errors::Error> for ContainerError {
    fn from(error: bollard::errors::Error) -> Self {
        Self::Refused(told(&error))
    }
}

/// What an engine says, without the form it says it in.
pub(crate) fn told(error: &bollard::errors::Error) -> String {
    use bollard::errors::Error;
    match error {
        Error::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        Error::DockerStreamError { error } => error.trim().to_owned(),
        other => {
            // Its causes say more than it does: "client error (Connect)" because of "permission denied".
            let mut text = other.to_string();
            let mut cause = std::error::Error::source(other);
            while let Some(error) = cause {
                let more = error.to_string();
                if !text.contains(&more) {
                    text = format!("{text}: {more}");
                }
                cause = error.source();
            }
            text
        }
    }
}

/// Whether what was asked about is not there.
pub(crate) fn is_missing(error: &bollard::errors::Error) -> bool {
    use bollard::errors::Error;
    matches!(error, Error::DockerResponseServerError { status_code: 404, .. })
}
