//! What containers are like.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::proxy::Connect;
use crate::{ContainerError, DEFAULT_IMAGE};

/// What containers are like.
#[derive(Debug, Clone)]
pub struct ContainerSettings {
    /// Where the engine is, as `unix:///run/docker.sock`. None is: `DOCKER_HOST`, or one of the usual places.
    pub engine: Option<String>,
    /// The image that they are of.
    pub image: String,
    /// Whether an image of ours that is missing or stale is made.
    pub auto_build: bool,
    /// The program in the image, which calls `pcm_runtime_worker::init` with our [`entry`](crate::entry).
    /// None is this one.
    pub program: Option<PathBuf>,
    /// What code reaches of the network.
    pub network: Network,
    /// The memory of a container, all that is in it together. None is: that of the session, and what the
    /// programs around it need.
    pub memory_bytes: Option<u64>,
    /// Microseconds of processor time in every 100 000; 50 000 is half a processor. None is unlimited.
    pub cpu_quota: Option<u32>,
    /// Processes and threads.
    pub pids: u32,
    /// What is in `/tmp`, the only place that can be written. It is memory.
    pub tmpfs_bytes: u64,
    /// A file with a seccomp profile, in place of the engine's own.
    pub seccomp: Option<PathBuf>,
    /// The engine's runtime, as `runsc`.
    pub runtime: Option<String>,
    /// The user of all processes in a container, as `UID` or `UID:GID`; not root.
    pub user: String,
    /// What the name of a container begins with.
    pub name: Option<String>,
    /// Variables of the environment of the code.
    pub environment: BTreeMap<String, String>,
    /// How long a container may take to be ready.
    pub startup_timeout: Duration,
    /// Whether a container that has ended is removed.
    pub remove_on_exit: bool,
    /// How many containers wait for sessions.
    pub warm: usize,
}

/// What code in a container reaches of the network.
#[derive(Debug, Clone, Default)]
pub enum Network {
    /// Nothing.
    #[default]
    None,
    /// What the engine's bridge reaches: this machine, its networks, and what they reach.
    Bridge,
    /// What this connects it to, by HTTP proxy, and nothing besides.
    Listed(Arc<dyn Connect>),
}

impl Default for ContainerSettings {
    fn default() -> Self {
        Self {
            engine: None,
            image: DEFAULT_IMAGE.to_owned(),
            auto_build: true,
            program: None,
            network: Network::None,
            memory_bytes: None,
            cpu_quota: None,
            pids: 256,
            tmpfs_bytes: 256 << 20,
            seccomp: None,
            runtime: None,
            user: "65532:65532".to_owned(),
            name: None,
            environment: BTreeMap::new(),
            startup_timeout: Duration::from_mins(1),
            remove_on_exit: true,
            warm: 1,
        }
    }
}

impl ContainerSettings {
    /// Refuses settings that cannot be.
    pub fn check(&self) -> Result<(), ContainerError> {
        let refused = |setting, value: &dyn ToString, rule| {
            Err(ContainerError::Setting { setting, value: value.to_string(), rule })
        };
        if self.startup_timeout.is_zero() {
            return refused("startup_timeout", &0, "it is longer than zero");
        }
        if self.cpu_quota.is_some_and(|quota| quota < 1000) {
            let quota = self.cpu_quota.unwrap_or_default();
            return refused(
                "cpu_quota",
                &quota,
                "it is at least 1000, microseconds in every 100000",
            );
        }
        if self.pids < 16 {
            return refused("pids_limit", &self.pids, "a session needs at least 16");
        }
        if self.memory_bytes.is_some_and(|bytes| bytes < LEAST_MEMORY) {
            let bytes = self.memory_bytes.unwrap_or_default();
            return refused("memory_limit", &bytes, "a container needs at least 128 MiB");
        }
        if self.tmpfs_bytes < 1 << 20 {
            return refused("tmpfs_size", &self.tmpfs_bytes, "a session needs at least 1 MiB");
        }
        if !is_user(&self.user) {
            return refused("user", &self.user, "it is UID or UID:GID in numbers, and not root");
        }
        if let Some(name) = self.name.as_ref().filter(|name| !is_name(name)) {
            return refused(
                "name",
                name,
                "it has letters, digits, - _ and . only, and at most 64 of them",
            );
        }
        let strange = |name: &&String| name.is_empty() || name.contains(['=', '\0']);
        if let Some(name) = self.environment.keys().find(strange) {
            return refused("environment", name, "a variable has a name without =");
        }
        Ok(())
    }
}

/// The least that a kernel and its worker run in.
const LEAST_MEMORY: u64 = 128 << 20;

fn is_user(text: &str) -> bool {
    let number = |part: &str| {
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<u32>().ok())
    };
    let (user, group) = text.split_once(':').unwrap_or((text, "1"));
    let is_no_root = |part: &str| number(part).flatten().is_some_and(|id| id != 0);
    is_no_root(user) && is_no_root(group)
}

fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=64).contains(&text.len())
        && text.bytes().all(fits)
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_root() {
        for user in ["1000", "65532:65532", "1:1"] {
            assert!(is_user(user), "{user}");
        }
        for user in [
            "0",
            "0:0",
            "1000:0",
            "0:1000",
            "root",
            "",
            ":",
            "1:",
            "00",
            "+1",
            "1:1:1",
            "4294967296",
        ] {
            assert!(!is_user(user), "{user}");
        }
    }

    #[test]
    fn settings_that_cannot_be_are_refused() {
        assert!(ContainerSettings::default().check().is_ok());
        let with = |change: fn(&mut ContainerSettings)| {
            let mut settings = ContainerSettings::default();
            change(&mut settings);
            settings.check().is_err()
        };
        assert!(with(|settings| settings.startup_timeout = Duration::ZERO));
        assert!(with(|settings| settings.cpu_quota = Some(10)));
        assert!(with(|settings| settings.pids = 1));
        assert!(with(|settings| settings.memory_bytes = Some(1 << 20)));
        assert!(with(|settings| settings.tmpfs_bytes = 0));
        assert!(with(|settings| settings.user = "root".to_owned()));
        assert!(with(|settings| settings.name = Some("a b".to_owned())));
        assert!(with(|settings| drop(
            settings.environment.insert("A=B".to_owned(), String::new())
        )));
    }
}
