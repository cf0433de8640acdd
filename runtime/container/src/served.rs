//! A container that serves, from its start to its end.

use std::os::unix::net::UnixStream;
use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::{CreateContainerOptions, LogsOptions};
use futures_util::StreamExt as _;
use pcm_runtime_api::SandboxConfig;
use pcm_runtime_remote::{HealthCheck, RemoteConfig, Token};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use tokio::net::UnixListener;
use tokio::time::{Instant, sleep, timeout};

use crate::container::{Unborn, suffix};
use crate::engine::Remover;
use crate::error::is_missing;
use crate::folder::{Folder, HOST_SOCKET};
use crate::serving::{PORT_NAME, ServingSettings, body};
use crate::{ContainerEngine, ContainerError, owner};

/// How long the engine may take to note that a container has ended.
const TO_NOTE: Duration = Duration::from_secs(5);
/// How often it is asked.
const LOOK: Duration = Duration::from_millis(50);
/// How long it may be asked whether a server is healthy.
const ANSWERS: Duration = Duration::from_secs(5);
/// The last words of a container that are repeated.
const LINES: &str = "12";
const MOST_WORDS: usize = 2000;

/// A container that serves. It ends with this.
#[derive(Debug)]
pub(crate) struct Served {
    docker: Docker,
    id: String,
    /// Its server ends when this is closed.
    held: UnixStream,
    /// How its server is reached.
    pub(crate) server: RemoteConfig,
    _folder: Folder,
    remover: Remover,
    is_kept: bool,
    is_gone: bool,
}

/// How a container has ended.
#[derive(Debug)]
pub(crate) struct End {
    /// Whether memory was short in it.
    pub(crate) out_of_memory: bool,
    /// What is told of it.
    pub(crate) how: String,
}

/// Starts one and waits until its server is healthy.
pub(crate) async fn start(
    engine: &ContainerEngine,
    serving: &ServingSettings,
    session: &SandboxConfig,
) -> Result<Served, ContainerError> {
    let settings = engine.settings();
    serving.check(settings)?;
    let (docker, image, remover) = engine.parts().await?;
    let begun = Instant::now();
    let folder = Folder::make()?;
    let listener = UnixListener::from_std(folder.listen(HOST_SOCKET)?)?;
    let token = match &serving.token {
        Some(token) => token.clone(),
        None => Token::new(random()?),
    };
    let body = body(settings, serving, &image.id, session, &folder, token.text())?;
    let options = settings.name.as_ref().map(|name| CreateContainerOptions {
        name: Some(format!("{name}-{}", suffix())),
        ..Default::default()
    });
    let id = docker.create_container(options, body).await?.id;
    // Whatever happens from here on, it is removed.
    let mut unborn = Unborn { id: Some(id.clone()), remover };
    docker.start_container(&id, None).await?;
    let words = Words { docker, id: &id, token: &token };
    let ready = async {
        let held = tokio::select! {
            accepted = listener.accept() => accepted?.0.into_std()?,
            ended = ended(docker, &id) => return Err(words.refusal(&ended?.how).await),
        };
        let port = port(docker, &id).await?;
        let mut server = RemoteConfig::new(format!("http://{}:{port}", serving.host));
        server.token = Some(token.clone());
        server.workspace.clone_from(&serving.workspace);
        server.timeout = serving.timeout;
        let healthy = healthy(&server, serving.health_check_interval);
        tokio::select! {
            healthy = healthy => healthy?,
            ended = ended(docker, &id) => return Err(words.refusal(&ended?.how).await),
        }
        Ok((held, server))
    };
    let longest = settings.startup_timeout;
    let ready = timeout(longest.saturating_sub(begun.elapsed()), ready).await;
    let Ok(ready) = ready else {
        let late = format!("its server did not say that it is healthy within {longest:?}");
        return Err(words.refusal(&late).await);
    };
    let (held, server) = ready?;
    folder.forget(HOST_SOCKET);
    unborn.id = None;
    Ok(Served {
        docker: docker.clone(),
        id,
        held,
        server,
        _folder: folder,
        remover: remover.clone(),
        is_kept: !settings.remove_on_exit,
        is_gone: false,
    })
}

/// Done when the server says that it is.
async fn healthy(server: &RemoteConfig, every: Duration) -> Result<(), ContainerError> {
    let mut asked = server.clone();
    asked.timeout = ANSWERS;
    let refused = |error: pcm_runtime_api::ExecutorError| ContainerError::Start(error.to_string());
    let health = HealthCheck::new(&asked).map_err(refused)?;
    while !health.is_healthy().await {
        sleep(every).await;
    }
    Ok(())
}

/// Done when a container has ended.
async fn ended(docker: &Docker, id: &str) -> Result<End, ContainerError> {
    loop {
        sleep(LOOK).await;
        let state = match docker.inspect_container(id, None).await {
            Ok(container) => container.state.unwrap_or_default(),
            Err(error) if is_missing(&error) => {
                return Ok(End { out_of_memory: false, how: "it was removed".to_owned() });
            }
            Err(error) => return Err(error.into()),
        };
        if state.running == Some(false) {
            let how = match state.exit_code.unwrap_or_default() {
                137 => "it was killed".to_owned(),
                code => format!("it ended with status {code}"),
            };
            return Ok(End { out_of_memory: state.oom_killed == Some(true), how });
        }
    }
}

/// The port of loopback that leads to a container.
async fn port(docker: &Docker, id: &str) -> Result<u16, ContainerError> {
    let network = docker.inspect_container(id, None).await?.network_settings;
    let ports = network.and_then(|network| network.ports).unwrap_or_default();
    let bound = ports.get(PORT_NAME).cloned().flatten().unwrap_or_default();
    let port = bound.into_iter().find_map(|bound| bound.host_port?.parse().ok());
    port.ok_or_else(|| ContainerError::Start("the engine gave it no port".to_owned()))
}

/// A token that nobody guesses.
fn random() -> Result<String, ContainerError> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|error| std::io::Error::other(error.to_string()))?;
    let words = random.as_chunks().0.iter().map(|bytes| u64::from_ne_bytes(*bytes));
    Ok(words.fold(String::new(), |token, word| token + &format!("{word:016x}")))
}

/// What a container said last.
struct Words<'a> {
    docker: &'a Docker,
    id: &'a str,
    token: &'a Token,
}

impl Words<'_> {
    /// Why it did not come up, with its last words.
    async fn refusal(&self, why: &str) -> ContainerError {
        let said = timeout(TO_NOTE, self.last()).await.unwrap_or_default();
        ContainerError::Start(match &*said {
            "" => why.to_owned(),
            said => format!("{why}; it said last: {said}"),
        })
    }

    async fn last(&self) -> String {
        let tail = LINES.to_owned();
        let options = LogsOptions { stdout: true, stderr: true, tail, ..Default::default() };
        let mut lines = std::pin::pin!(self.docker.logs(self.id, Some(options)));
        let mut said = String::new();
        while let Some(Ok(line)) = lines.next().await {
            said.push_str(&String::from_utf8_lossy(&line.into_bytes()));
            if said.len() > 4 * MOST_WORDS {
                break;
            }
        }
        shown(&said, self.token.text())
    }
}

/// The end of what was said, without what is secret and what a terminal would obey.
fn shown(said: &str, secret: &str) -> String {
    let said = said.replace(secret, "…");
    let shown: String = said
        .chars()
        .map(|one| if one == '\n' { ' ' } else { one })
        .filter(|one| !one.is_control())
        .collect();
    let skipped = shown.chars().count().saturating_sub(MOST_WORDS);
    shown.chars().skip(skipped).collect::<String>().trim().to_owned()
}

impl Served {
    /// Whether its server lives.
    pub(crate) fn lives(&self) -> bool {
        let mut byte = [0];
        let peeked = recv(&self.held, &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT);
        matches!(peeked, Err(Errno::AGAIN | Errno::INTR)) || matches!(peeked, Ok((1, _)))
    }

    /// How it has ended.
    pub(crate) async fn end(&self) -> End {
        let ended = timeout(TO_NOTE, ended(&self.docker, &self.id)).await;
        let (out_of_memory, unknown) = (false, "its server ended".to_owned());
        match ended {
            Ok(Ok(end)) => end,
            Ok(Err(ContainerError::Refused(why))) => {
                End { out_of_memory, how: format!("{unknown}, and the engine says: {why}") }
            }
            _ => End { out_of_memory, how: unknown },
        }
    }

    /// Ends it, and waits until it is removed.
    pub(crate) async fn gone(mut self) {
        if !self.is_kept && timeout(TO_NOTE, owner::remove(&self.docker, &self.id)).await.is_ok() {
            self.is_gone = true;
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if self.is_gone {
            return;
        }
        if self.is_kept {
            self.remover.kill(self.id.clone(), None);
        } else {
            self.remover.remove(self.id.clone(), None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_are_short_and_tell_no_secret() {
        assert_eq!(shown("one\n\x1b[31mtwo hush\n", "hush"), "one [31mtwo …");
        assert_eq!(shown(&"é".repeat(3 * MOST_WORDS), "x").chars().count(), MOST_WORDS);
    }

    #[test]
    fn tokens_are_long_and_each_is_another() -> Result<(), ContainerError> {
        let (one, other) = (random()?, random()?);
        assert_eq!(one.len(), 64);
        assert_ne!(one, other);
        Ok(())
    }
}
