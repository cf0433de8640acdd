//! What a container is told that serves: one whose main process is a session server with the tools in it.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, PortBinding, PortMap,
};
use pcm_runtime_api::{Limits, SandboxConfig};
use pcm_runtime_remote::Token;
use url::{Host, Url};

use crate::container::{bind, binds, host_config, memory_of, program};
use crate::folder::{Folder, INSIDE};
use crate::inside::Inside;
use crate::{ContainerError, ContainerSettings, Network};

/// Where the server listens in its container, which is the same for all.
const PORT: u16 = 8080;
/// The same as the engine names it.
pub(crate) const PORT_NAME: &str = "8080/tcp";
/// Where the tools are in the container.
const TOOLS: &str = "/tools";
/// Where the storage is in the container.
const STORAGE: &str = "/storage";
/// What this machine is called in a container.
const HOST_NAME: &str = "host.docker.internal";
/// What the server notes beside the storage.
const NOTES: u64 = 16 << 20;
/// The longest that a run takes that has no limit.
const FOR_EVER: Duration = Duration::from_hours(24 * 7);
/// Variables that the server is told; nobody else's may have these names.
const TOLD: [&str; 14] = [
    "ALLOW_RUNTIME_DEPS",
    "ARTIFACTS_PATH",
    "CONTAINER_AUTH_DISABLED",
    "CONTAINER_AUTH_TOKEN",
    "CONTAINER_DEPS",
    "DEFAULT_TIMEOUT",
    "HOST",
    "MAX_EXECUTION_TIME",
    "PCM_CONTAINER",
    "PORT",
    "REDIS_URL",
    "STORAGE_BASE_PATH",
    "STORAGE_PREFIX",
    "TOOLS_PATH",
];

/// What a session is to have whose tools run in its container.
#[derive(Debug, Clone)]
pub struct ServingSettings {
    /// The folder with the declarations of tools, which the container can read.
    pub tools: Option<PathBuf>,
    /// Where workflows and artifacts are kept.
    pub storage: ServedStorage,
    /// The workspace of the session; None is what is outside of all.
    pub workspace: Option<String>,
    /// What the server in the container knows us by; None is a random one.
    pub token: Option<Token>,
    /// The name by which this machine reaches a port of its loopback.
    pub host: String,
    /// That port; 0 is any that is free.
    pub port: u16,
    /// How long a request may take that is no run.
    pub timeout: Duration,
    /// How often a container that starts is asked whether it is ready.
    pub health_check_interval: Duration,
}

/// Where a session in a container keeps workflows and artifacts.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum ServedStorage {
    /// In the container, as long as that lives.
    #[default]
    Memory,
    /// In a folder of this machine. The container sees the part that is its workspace's.
    Folder(PathBuf),
    /// In a database. One on this machine is reached as `host.docker.internal`.
    Redis {
        /// Its address.
        url: String,
        /// How its keys begin.
        prefix: String,
    },
}

/// Without the address, which may have a password.
impl std::fmt::Debug for ServedStorage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Memory => formatter.write_str("Memory"),
            Self::Folder(folder) => formatter.debug_tuple("Folder").field(folder).finish(),
            Self::Redis { prefix, .. } => {
                formatter.debug_struct("Redis").field("prefix", prefix).finish_non_exhaustive()
            }
        }
    }
}

impl Default for ServingSettings {
    fn default() -> Self {
        Self {
            tools: None,
            storage: ServedStorage::Memory,
            workspace: None,
            token: None,
            host: "localhost".to_owned(),
            port: 0,
            timeout: Duration::from_secs(30),
            health_check_interval: Duration::from_millis(500),
        }
    }
}

impl ServingSettings {
    /// Refuses settings that cannot be, for containers like this.
    pub fn check(&self, containers: &ContainerSettings) -> Result<(), ContainerError> {
        let refused = |setting, value: &str, rule| {
            Err(ContainerError::Setting { setting, value: value.to_owned(), rule })
        };
        match containers.network {
            Network::Bridge => {}
            Network::None => {
                return refused(
                    "network_disabled",
                    "true",
                    "with tools_in: container a port of the container has to be reached, which takes the \
                     engine's bridge: say network_disabled: false (--network full), or leave the tools on \
                     the host",
                );
            }
            Network::Listed(_) => {
                return refused(
                    "network",
                    "a list",
                    "a container that serves its tools is on the engine's bridge, which knows no list: leave \
                     the tools on the host",
                );
            }
        }
        let is_name = |id: &&String| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            !id.is_empty() && id.bytes().all(plain)
        };
        if let Some(id) = self.workspace.as_ref().filter(|id| !is_name(id)) {
            let rule = "a workspace has letters, digits, - and _ only";
            return refused("the workspace", id, rule);
        }
        if self.token.as_ref().is_some_and(|token| token.text().trim().is_empty()) {
            return refused("auth_token", "", "it is not empty; without one it is made at random");
        }
        if self.health_check_interval.is_zero() || self.timeout.is_zero() {
            return refused("health_check_interval and timeout", "0", "they are longer than zero");
        }
        let taken = |name: &&String| TOLD.contains(&name.as_str());
        if let Some(name) = containers.environment.keys().find(taken) {
            return refused("environment", name, "the server in the container is told that by us");
        }
        Ok(())
    }
}

/// All that is said to the engine about a container that serves.
pub(crate) fn body(
    containers: &ContainerSettings,
    serving: &ServingSettings,
    image: &str,
    session: &SandboxConfig,
    folder: &Folder,
    token: &str,
) -> Result<ContainerCreateBody, ContainerError> {
    let mut mounts = binds(session, folder)?;
    let mut variables = containers.environment.clone();
    variables.extend(told(&session.limits, token));
    if let Some(tools) = &serving.tools {
        mounts.push(bind(tools, TOOLS, false)?);
        variables.insert("TOOLS_PATH".to_owned(), TOOLS.to_owned());
    }
    let stored = Stored::of(serving, &containers.user)?;
    let containers = &ContainerSettings { user: stored.user, ..containers.clone() };
    variables.extend(stored.variables);
    mounts.extend(stored.mounts);
    let reserved = [INSIDE, TOOLS, STORAGE];
    let hidden = |mount: &&pcm_runtime_api::Mount| {
        reserved.iter().any(|place| Path::new(&mount.guest).starts_with(place))
    };
    if let Some(mount) = session.mounts.iter().find(hidden) {
        let (setting, value) = ("a mount", mount.guest.clone());
        let rule = "the tools and the storage are there";
        return Err(ContainerError::Setting { setting, value, rule });
    }
    let inside = Inside {
        environment: containers.environment.clone(),
        proxy: false,
        startup_seconds: containers.startup_timeout.as_secs_f64(),
        serves: true,
    };
    let variables = variables.into_iter().map(|(name, value)| format!("{name}={value}"));
    let variables = variables.chain([inside.variable()?]).collect();
    let host = host_config(containers, mounts, memory_of(containers, session.limits.memory_bytes))?;
    let host = published(host, serving.port, &containers.user);
    let mut body = program(containers, image, words(&session.limits), variables, host);
    body.exposed_ports = Some(vec![PORT_NAME.to_owned()]);
    Ok(body)
}

/// With a port of loopback, and with what a server needs beside a worker.
fn published(host: HostConfig, port: u16, user: &str) -> HostConfig {
    let binding =
        PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: Some(port.to_string()) };
    let ports: PortMap = HashMap::from([(PORT_NAME.to_owned(), Some(vec![binding]))]);
    let mut tmpfs = host.tmpfs.unwrap_or_default();
    let (user, group) = user.split_once(':').unwrap_or((user, user));
    tmpfs.insert(
        STORAGE.to_owned(),
        format!("rw,nosuid,nodev,noexec,mode=0755,uid={user},gid={group},size={NOTES}"),
    );
    // The last words of a container that has ended, and no more.
    let log = HashMap::from([("max-size", "64k"), ("max-file", "1")]);
    let log = log.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    HostConfig {
        port_bindings: Some(ports),
        tmpfs: Some(tmpfs),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".to_owned()),
            config: Some(log),
        }),
        // It would have the server's variables, the token among them, for all to read.
        init: Some(false),
        // Its last words are read first.
        auto_remove: Some(false),
        ..host
    }
}

/// What the server is told by its environment, which the code beside it cannot read.
fn told(limits: &Limits, token: &str) -> BTreeMap<String, String> {
    let longest = limits.timeout.unwrap_or(FOR_EVER);
    let most = longest.max(FOR_EVER).as_secs_f64().to_string();
    BTreeMap::from(
        [
            ("HOST", "0.0.0.0".to_owned()),
            ("PORT", PORT.to_string()),
            ("CONTAINER_AUTH_TOKEN", token.to_owned()),
            ("DEFAULT_TIMEOUT", longest.as_secs_f64().to_string()),
            ("MAX_EXECUTION_TIME", most),
            // Packages are the image's: nothing can be written where they would go.
            ("ALLOW_RUNTIME_DEPS", "false".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    )
}

/// The command of the server, which anybody may read.
fn words(limits: &Limits) -> Vec<String> {
    let mut words: Vec<String> =
        ["serve", "--backend", "subprocess", "--warm", "0", "--max-sessions", "4"]
            .into_iter()
            .chain(["--session-expiry", "365days", "--drain", "1s", "--log-level", "warn"])
            .map(str::to_owned)
            .collect();
    let mut say = |name: &str, value: String| words.extend([name.to_owned(), value]);
    say("--memory", limits.memory_bytes.to_string());
    say("--output-limit", limits.output_bytes.to_string());
    say("--calls", limits.tool_calls.max(1).to_string());
    say("--call-size", limits.host_call_bytes.to_string());
    say("--vfs", limits.vfs_bytes.to_string());
    if let Some(cpu) = limits.cpu {
        say("--cpu", format!("{}ms", cpu.as_millis().max(1)));
    }
    words
}

/// Where the server keeps things, and who it has to be for that.
struct Stored {
    user: String,
    variables: BTreeMap<String, String>,
    mounts: Vec<Mount>,
}

impl Stored {
    fn of(serving: &ServingSettings, user: &str) -> Result<Self, ContainerError> {
        let mut stored =
            Self { user: user.to_owned(), variables: BTreeMap::new(), mounts: Vec::new() };
        let mut say =
            |name: &str, value: &str| stored.variables.insert(name.to_owned(), value.to_owned());
        match &serving.storage {
            ServedStorage::Memory => {}
            ServedStorage::Redis { url, prefix } => {
                say("REDIS_URL", &reachable(url)?);
                say("STORAGE_PREFIX", prefix);
            }
            ServedStorage::Folder(base) => {
                say("STORAGE_BASE_PATH", STORAGE);
                let parts = match &serving.workspace {
                    Some(workspace) => vec![format!("workspaces/{workspace}")],
                    None => vec!["workflows".to_owned(), "artifacts".to_owned()],
                };
                for part in parts {
                    let folder = base.join(&part);
                    fs::create_dir_all(&folder)?;
                    stored.user = owner(&folder, user)?;
                    stored.mounts.push(bind(&folder, &format!("{STORAGE}/{part}"), true)?);
                }
            }
        }
        Ok(stored)
    }
}

/// The user that can write to a folder as its owner does.
fn owner(folder: &Path, usual: &str) -> Result<String, ContainerError> {
    let about = fs::metadata(folder)?;
    if about.uid() == 0 {
        return Err(ContainerError::Setting {
            setting: "the folder of the storage",
            value: folder.display().to_string(),
            rule: "it belongs to root, and nobody in a container is root: give it to the user of the \
                   container (chown -R 65532:65532), run this as another user, or keep things in Redis",
        });
    }
    let (_, group) = usual.split_once(':').unwrap_or((usual, usual));
    let group = if about.gid() == 0 { group.to_owned() } else { about.gid().to_string() };
    Ok(format!("{}:{group}", about.uid()))
}

/// The address of a database as a container reaches it.
fn reachable(url: &str) -> Result<String, ContainerError> {
    // Its value may have a password.
    let refused = |rule| ContainerError::Setting {
        setting: "the address of the storage",
        value: url.split(':').next().unwrap_or_default().to_owned(),
        rule,
    };
    let strange = || refused("it is no address such as redis://localhost:6379/0");
    let mut whole = Url::parse(url).map_err(|_| strange())?;
    if !matches!(whole.scheme(), "redis" | "rediss") {
        let rule = "a container reaches no socket of this machine: name a host and a port";
        return Err(refused(rule));
    }
    let is_here = match whole.host() {
        Some(Host::Domain(name)) => {
            name.eq_ignore_ascii_case("localhost")
                || name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return Err(strange()),
    };
    if is_here {
        whole.set_host(Some(HOST_NAME)).map_err(|_| strange())?;
    }
    Ok(whole.into())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn told_of(serving: &ServingSettings) -> ContainerCreateBody {
        let containers = ContainerSettings { network: Network::Bridge, ..Default::default() };
        let folder = Folder::make().unwrap();
        let session = SandboxConfig::default();
        body(&containers, serving, "image", &session, &folder, "hush").unwrap()
    }

    #[test]
    fn the_token_is_in_the_environment_and_nowhere_else() {
        let mut body = told_of(&ServingSettings::default());
        let variables = body.env.take().unwrap();
        assert!(variables.contains(&"CONTAINER_AUTH_TOKEN=hush".to_owned()));
        assert!(!format!("{body:?}").contains("hush"));
        let host = body.host_config.unwrap();
        assert_eq!((host.init, host.readonly_rootfs), (Some(false), Some(true)));
        let ports = host.port_bindings.unwrap();
        let bound = ports.values().flatten().flatten();
        assert!(bound.map(|port| port.host_ip.as_deref()).eq([Some("127.0.0.1")]));
    }

    #[test]
    fn databases_of_this_machine_are_reached_by_another_name() {
        for (url, expected) in [
            ("redis://localhost:6379/0", "redis://host.docker.internal:6379/0"),
            ("redis://user:p%40ss@127.0.0.1:7/1", "redis://user:p%40ss@host.docker.internal:7/1"),
            ("rediss://:word@[::1]", "rediss://:word@host.docker.internal"),
            ("redis://db.example.org/0", "redis://db.example.org/0"),
        ] {
            assert_eq!(reachable(url).unwrap(), expected);
        }
        for url in ["unix:///run/redis.sock", "redis+unix:///x", "redis:", "nothing"] {
            assert!(reachable(url).is_err(), "{url}");
        }
        let error = reachable("unix://user:hush@/x").unwrap_err().to_string();
        assert!(!error.contains("hush"), "{error}");
    }

    #[test]
    fn a_container_sees_its_own_part_of_a_storage() {
        let base = tempfile::tempdir().unwrap();
        fs::create_dir_all(base.path().join("workspaces/one")).unwrap();
        let is_root = fs::metadata(base.path()).unwrap().uid() == 0;
        if is_root {
            let give =
                |path: &Path| std::os::unix::fs::chown(path, Some(4242), Some(4243)).unwrap();
            give(&base.path().join("workspaces/one"));
        }
        let serving = ServingSettings {
            storage: ServedStorage::Folder(base.path().to_owned()),
            workspace: Some("one".to_owned()),
            ..ServingSettings::default()
        };
        let body = told_of(&serving);
        if is_root {
            assert_eq!(body.user.as_deref(), Some("4242:4243"));
            let outside = ServingSettings { workspace: None, ..serving };
            let refused = Stored::of(&outside, "1:1").err().unwrap().to_string();
            assert!(refused.contains("chown"), "{refused}");
        }
        let mounts = body.host_config.unwrap().mounts.unwrap();
        let targets: Vec<_> = mounts.iter().filter_map(|mount| mount.target.as_deref()).collect();
        assert_eq!(targets, ["/run/pcm", "/storage/workspaces/one"]);
    }

    #[test]
    fn a_container_without_a_bridge_cannot_serve() {
        let rule = |network, environment: &[(&str, &str)]| {
            let environment =
                environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            let containers = ContainerSettings { network, environment, ..Default::default() };
            let checked = ServingSettings::default().check(&containers);
            checked.err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert!(rule(Network::None, &[]).contains("network_disabled: false"));
        assert!(rule(Network::Bridge, &[("HOST", "x")]).contains("HOST"));
        assert_eq!(rule(Network::Bridge, &[("MINE", "x")]), "");
    }

    #[test]
    fn a_workspace_leads_nowhere_else() {
        let containers = ContainerSettings { network: Network::Bridge, ..Default::default() };
        let check = |id: &str| {
            let workspace = Some(id.to_owned());
            ServingSettings { workspace, ..Default::default() }.check(&containers)
        };
        assert!(check("client_a-1").is_ok());
        for id in ["", ".", "..", "../x", "a/b", "a\0"] {
            assert!(check(id).is_err(), "{id:?}");
        }
    }
}
