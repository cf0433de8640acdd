//! The engine: found, asked who it is, and cleaned of what hosts that are gone have left.

use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use bollard::{API_DEFAULT_VERSION, Docker};

use crate::ContainerError;
use crate::error::told;
use crate::owner;

/// How long the engine may take for one answer, in seconds. Building an image says something all the time.
const PATIENCE: u64 = 120;

/// An engine that answers, and where it is.
pub(crate) async fn connect(named: Option<&str>) -> Result<Docker, ContainerError> {
    let place = find(named)?;
    let shown = format!("unix://{}", place.display());
    let failed = |reason: String| ContainerError::Engine { place: shown.clone(), reason };
    // By ourselves first: the client tells little of why it cannot connect.
    if let Err(error) = UnixStream::connect(&place) {
        return Err(failed(match error.kind() {
            ErrorKind::PermissionDenied => "permission denied: add your user to the group that may use it \
                                            (Debian: `sudo adduser $USER docker`, then log in again), or use \
                                            rootless Docker"
                .to_owned(),
            ErrorKind::ConnectionRefused | ErrorKind::NotFound => {
                "nobody listens there: start it (Debian: `sudo systemctl start docker`)".to_owned()
            }
            kind => kind.to_string(),
        }));
    }
    let docker = Docker::connect_with_unix(&shown, PATIENCE, API_DEFAULT_VERSION);
    let docker = docker.map_err(|error| failed(told(&error)))?;
    let docker = docker.negotiate_version().await.map_err(|error| failed(told(&error)))?;
    owner::reap(&docker).await;
    Ok(docker)
}

/// Where the engine listens.
fn find(named: Option<&str>) -> Result<PathBuf, ContainerError> {
    let named = named.map(str::to_owned).or_else(|| std::env::var("DOCKER_HOST").ok());
    if let Some(host) = named.filter(|host| !host.is_empty()) {
        return match host.strip_prefix("unix://") {
            Some(path) => Ok(PathBuf::from(path)),
            None if host.starts_with('/') => Ok(PathBuf::from(host)),
            None => Err(ContainerError::Remote { place: host }),
        };
    }
    let usual = usual_places(
        std::env::var_os("HOME").map(PathBuf::from),
        std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from),
    );
    if let Some(place) = usual.iter().find(|place| place.exists()) {
        return Ok(place.clone());
    }
    let tried: Vec<String> = usual.iter().map(|place| place.display().to_string()).collect();
    Err(ContainerError::NoEngine { tried: format!("DOCKER_HOST, {}", tried.join(", ")) })
}

fn usual_places(home: Option<PathBuf>, runtime: Option<PathBuf>) -> Vec<PathBuf> {
    let home = home.map(|home| home.join(".docker/run/docker.sock"));
    let usual = ["/var/run/docker.sock", "/run/docker.sock"].map(PathBuf::from);
    let rootless = runtime.map(|folder| folder.join("docker.sock"));
    home.into_iter().chain(usual).chain(rootless).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_named_by_a_socket_of_this_machine() {
        let find = |name: &str| find(Some(name));
        assert!(matches!(find("unix:///a/b.sock"), Ok(path) if path == *"/a/b.sock"));
        assert!(matches!(find("/a/b.sock"), Ok(path) if path == *"/a/b.sock"));
        for remote in ["tcp://10.0.0.1:2375", "ssh://somebody@somewhere", "https://x", "http://x"] {
            assert!(matches!(find(remote), Err(ContainerError::Remote { .. })), "{remote}");
        }
    }

    #[test]
    fn the_usual_places_are_looked_at_in_their_order() {
        let places = usual_places(Some("/home/x".into()), Some("/run/user/1".into()));
        let expected = [
            "/home/x/.docker/run/docker.sock",
            "/var/run/docker.sock",
            "/run/docker.sock",
            "/run/user/1/docker.sock",
        ];
        assert_eq!(places, expected.map(PathBuf::from));
    }

    #[tokio::test]
    async fn an_engine_that_is_not_there_says_what_to_do() {
        let folder = std::env::temp_dir().join("pcm-no-engine.sock");
        let error = connect(Some(&format!("unix://{}", folder.display()))).await.err();
        let error = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("pcm-no-engine.sock") && error.contains("start it"), "{error}");
    }
}
