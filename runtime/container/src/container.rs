//! One container: how it is made, and how it ends.

use std::collections::HashMap;
use std::fs;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bollard::Docker;
use bollard::models::{
    ContainerCreateBody, ContainerUpdateBody, EventMessage, HostConfig, HostConfigLogConfig, Mount,
    MountBindOptions, MountType, ResourcesUlimits,
};
use bollard::query_parameters::{CreateContainerOptions, EventsOptions};
use futures_util::StreamExt as _;
use pcm_runtime_api::{MountAccess, SandboxConfig};
use pcm_runtime_worker::{Fate, Holder, Reach, WorkerError};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use tokio::net::UnixListener;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use crate::error::{is_missing, told};
use crate::folder::{Folder, HOST_SOCKET, INSIDE, PROXY_SOCKET};
use crate::inside::{CACHE, ENGINE, Inside};
use crate::owner::{self, KEPT, LABEL};
use crate::program::{PROGRAM, ROOT};
use crate::{ContainerError, ContainerSettings, Network, proxy};

/// What a container has besides the memory of its session: its program, a kernel before any code, and what
/// is in files.
const BESIDES: u64 = 256 << 20;
/// The period that the processor time of a container is counted in, in microseconds.
const PERIOD: i64 = 100_000;
/// The most descriptors of a process.
const DESCRIPTORS: i64 = 4096;
/// How often it is asked whether a container that does not speak has ended.
const LOOK: Duration = Duration::from_millis(200);
/// How long the engine may take to say how a container has ended.
const TO_END: Duration = Duration::from_secs(5);
/// What stands for an exit by a signal, as shells count.
const KILLED: &str = "137";

/// A container with a worker in it. It ends with this.
#[derive(Debug)]
pub(crate) struct Container {
    docker: Docker,
    id: String,
    /// When it was made, in seconds of the engine's own clock, for its events.
    made: u64,
    reach: Arc<Held>,
    memory: u64,
    removed_on_exit: bool,
    /// Takes connections to the hosts on a list, once there is a session.
    proxy: Option<std::os::unix::net::UnixListener>,
    serving: Option<AbortHandle>,
    /// Who removes what nobody waits for.
    remover: crate::engine::Remover,
    is_gone: bool,
}

/// What of a container can be reached from anywhere.
#[derive(Debug)]
struct Held {
    stream: UnixStream,
    folder: Mutex<Option<Folder>>,
}

impl Reach for Held {
    /// Its worker ends with the connection, and the container with the worker.
    fn end(&self) {
        let _ = self.stream.shutdown(Shutdown::Both); // it may have ended
    }

    fn show_packages(&self, from: &Path) {
        let folder = self.folder.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Err(error)) = folder.as_ref().map(|folder| folder.show_packages(from)) {
            tracing::warn!(%error, "packages cannot be shown to a container");
        }
    }
}

/// The memory of a container for sessions with that limit.
pub(crate) fn memory_of(settings: &ContainerSettings, memory_bytes: u64) -> u64 {
    settings.memory_bytes.unwrap_or(memory_bytes.saturating_add(BESIDES))
}

/// Starts one and waits until its worker has found us.
pub(crate) async fn start(
    docker: &Docker,
    settings: &ContainerSettings,
    image: &str,
    session: &SandboxConfig,
    remover: &crate::engine::Remover,
) -> Result<(UnixStream, Container), ContainerError> {
    let folder = Folder::make()?;
    let listener = UnixListener::from_std(folder.listen(HOST_SOCKET)?)?;
    let proxy = match settings.network {
        Network::Listed(_) => Some(folder.listen(PROXY_SOCKET)?),
        _ => None,
    };
    let memory = memory_of(settings, session.limits.memory_bytes);
    let body = body(settings, image, session, &folder, memory)?;
    let options = settings.name.as_ref().map(|name| CreateContainerOptions {
        name: Some(format!("{name}-{}", suffix())),
        ..Default::default()
    });
    let made = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let id = docker.create_container(options, body).await?.id;
    // Whatever happens from here on, it is removed.
    let mut unborn = Unborn { id: Some(id.clone()), remover };
    docker.start_container(&id, None).await?;
    let stream = tokio::select! {
        accepted = listener.accept() => accepted?.0,
        ended = ended_early(docker, &id) => return Err(ContainerError::Start(ended)),
    };
    // One worker, once.
    drop(listener);
    folder.forget(HOST_SOCKET);
    let stream = stream.into_std()?;
    let held = Held { stream: stream.try_clone()?, folder: Mutex::new(Some(folder)) };
    unborn.id = None;
    let container = Container {
        docker: docker.clone(),
        id,
        made,
        reach: Arc::new(held),
        memory,
        removed_on_exit: settings.remove_on_exit,
        proxy,
        serving: None,
        remover: remover.clone(),
        is_gone: false,
    };
    Ok((stream, container))
}

/// A container that nobody has yet.
pub(crate) struct Unborn<'a> {
    pub(crate) id: Option<String>,
    pub(crate) remover: &'a crate::engine::Remover,
}

impl Drop for Unborn<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            self.remover.remove(id, None);
        }
    }
}

pub(crate) fn suffix() -> String {
    let mut random = [0; 8];
    let _ = getrandom::fill(&mut random); // the engine refuses a name that is taken
    format!("{:016x}", u64::from_ne_bytes(random))
}

/// How a container ended that has not spoken; waits for ever where it has not.
async fn ended_early(docker: &Docker, id: &str) -> String {
    loop {
        sleep(LOOK).await;
        let state = match docker.inspect_container(id, None).await {
            Ok(container) => container.state.unwrap_or_default(),
            Err(error) if is_missing(&error) => {
                return "its program ended before it said anything: was it made for another system than the \
                        image's? An image whose libraries are older than those the program was built with \
                        does that"
                    .to_owned();
            }
            Err(error) => return told(&error),
        };
        if state.running == Some(false) {
            let code = state.exit_code.unwrap_or_default();
            return format!("its program ended with status {code} before it said anything");
        }
    }
}

/// All that is said to the engine about a container.
fn body(
    settings: &ContainerSettings,
    image: &str,
    session: &SandboxConfig,
    folder: &Folder,
    memory: u64,
) -> Result<ContainerCreateBody, ContainerError> {
    let socket = Path::new(INSIDE).join(HOST_SOCKET);
    let inside = Inside {
        environment: settings.environment.clone(),
        proxy: matches!(settings.network, Network::Listed(_)),
        startup_seconds: settings.startup_timeout.as_secs_f64(),
        serves: false,
    };
    let host = host_config(settings, binds(session, folder)?, memory)?;
    let words = pcm_runtime_worker::dialing(ENGINE, &socket, Path::new(CACHE)).to_vec();
    Ok(program(settings, image, words, vec![inside.variable()?], host))
}

/// A container whose main process is our program with these words and variables.
pub(crate) fn program(
    settings: &ContainerSettings,
    image: &str,
    words: Vec<String>,
    variables: Vec<String>,
    host: HostConfig,
) -> ContainerCreateBody {
    let mut labels = owner::labels();
    if !settings.remove_on_exit {
        labels.insert(KEPT.to_owned(), "1".to_owned());
    }
    ContainerCreateBody {
        image: Some(image.to_owned()),
        user: Some(settings.user.clone()),
        hostname: Some(LABEL.to_owned()),
        // Nothing of what an image of somebody else's says of these.
        entrypoint: Some(vec![PROGRAM.to_owned()]),
        cmd: Some(words),
        env: Some(variables),
        working_dir: Some(ROOT.to_owned()),
        healthcheck: Some(bollard::models::HealthConfig {
            test: Some(vec!["NONE".to_owned()]),
            ..Default::default()
        }),
        network_disabled: Some(!matches!(settings.network, Network::Bridge)),
        labels: Some(labels),
        host_config: Some(host),
        ..Default::default()
    }
}

/// The walls around a container.
pub(crate) fn host_config(
    settings: &ContainerSettings,
    mounts: Vec<Mount>,
    memory: u64,
) -> Result<HostConfig, ContainerError> {
    let number = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let mut security = vec!["no-new-privileges".to_owned()];
    if let Some(file) = &settings.seccomp {
        let profile = fs::read_to_string(file).map_err(|error| ContainerError::Build {
            step: "reading the seccomp profile",
            reason: format!("{}: {error}", file.display()),
        })?;
        security.push(format!("seccomp={profile}"));
    }
    let limit = |name: &str, most| ResourcesUlimits {
        name: Some(name.to_owned()),
        soft: Some(most),
        hard: Some(most),
    };
    let size = settings.tmpfs_bytes;
    let (network, hosts) = match settings.network {
        Network::Bridge => ("bridge", Some(vec!["host.docker.internal:host-gateway".to_owned()])),
        Network::None | Network::Listed(_) => ("none", None),
    };
    Ok(HostConfig {
        mounts: Some(mounts),
        memory: Some(number(memory)),
        memory_swap: Some(number(memory)), // the same is: no swap
        cpu_period: settings.cpu_quota.map(|_| PERIOD),
        cpu_quota: settings.cpu_quota.map(i64::from),
        pids_limit: Some(i64::from(settings.pids)),
        ulimits: Some(vec![limit("nofile", DESCRIPTORS), limit("core", 0)]),
        readonly_rootfs: Some(true),
        // Programs in it may be run: packages unpack some there.
        tmpfs: Some(HashMap::from([(
            "/tmp".to_owned(),
            format!("rw,nosuid,nodev,exec,mode=1777,size={size}"),
        )])),
        shm_size: Some(number(size.min(64 << 20))),
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(security),
        privileged: Some(false),
        init: Some(true),
        ipc_mode: Some("private".to_owned()),
        network_mode: Some(network.to_owned()),
        extra_hosts: hosts,
        runtime: settings.runtime.clone(),
        auto_remove: Some(settings.remove_on_exit),
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        ..Default::default()
    })
}

/// The folders of the host that the container has: our own, and those of the session.
pub(crate) fn binds(
    session: &SandboxConfig,
    folder: &Folder,
) -> Result<Vec<Mount>, ContainerError> {
    let mut all = vec![bind(&folder.shared(), INSIDE, false)?];
    for mount in &session.mounts {
        let pcm_runtime_api::MountSource::Folder(host) = &mount.host else { continue };
        let refused = |rule| {
            let value = mount.guest.clone();
            Err(ContainerError::Setting { setting: "a mount", value, rule })
        };
        let is_below = |place: &str| {
            mount
                .guest
                .strip_prefix(place)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if mount.access == MountAccess::Overlay {
            return refused(
                "a container has folders to read, or to read and write; --backend wasm has overlays",
            );
        }
        if !mount.guest.starts_with('/')
            || ["/", "/tmp", "/proc", "/sys", "/dev", "/run", "/etc", "/usr", ROOT]
                .iter()
                .any(|place| if *place == "/" { mount.guest == "/" } else { is_below(place) })
        {
            return refused(
                "it is an absolute path, and not one that the system in the container needs",
            );
        }
        if !host.is_dir() {
            return refused("there is no such folder on the host");
        }
        all.push(bind(host, &mount.guest, mount.access == MountAccess::ReadWrite)?);
    }
    Ok(all)
}

/// A folder of the host, at a place in the container.
pub(crate) fn bind(host: &Path, guest: &str, writable: bool) -> Result<Mount, ContainerError> {
    let host = std::path::absolute(host)?;
    let source = host.to_str().ok_or_else(|| ContainerError::Setting {
        setting: "a mount",
        value: host.display().to_string(),
        rule: "the engine takes paths of text",
    })?;
    Ok(Mount {
        typ: Some(MountType::BIND),
        source: Some(source.to_owned()),
        target: Some(guest.to_owned()),
        read_only: Some(!writable),
        // What is mounted below it on the host is not shown: an engine cannot bind that read-only
        // everywhere.
        bind_options: Some(MountBindOptions { non_recursive: Some(true), ..Default::default() }),
        ..Default::default()
    })
}

/// Whether a session has folders, which a container that waits cannot get any more.
pub(crate) fn has_folders(session: &SandboxConfig) -> bool {
    let is_folder = |source: &pcm_runtime_api::MountSource| {
        matches!(source, pcm_runtime_api::MountSource::Folder(_))
    };
    session.mounts.iter().any(|mount| is_folder(&mount.host))
}

impl Container {
    /// Makes it one for this session, in the runtime that has it.
    pub(crate) async fn adopt(
        &mut self,
        settings: &ContainerSettings,
        session: &SandboxConfig,
    ) -> Result<(), ContainerError> {
        let memory = memory_of(settings, session.limits.memory_bytes);
        if memory != self.memory {
            let bytes = Some(i64::try_from(memory).unwrap_or(i64::MAX));
            let update =
                ContainerUpdateBody { memory: bytes, memory_swap: bytes, ..Default::default() };
            self.docker.update_container(&self.id, update).await?;
            self.memory = memory;
        }
        let shown = session.mounts.iter().find_map(|mount| match &mount.host {
            pcm_runtime_api::MountSource::Packages(packages) => packages.folder(),
            _ => None,
        });
        if let Some(shown) = shown {
            let reach = Arc::clone(&self.reach);
            let shown = tokio::task::spawn_blocking(move || reach.show_packages(&shown)).await;
            shown.map_err(std::io::Error::other)?;
        }
        if let (Some(listener), Network::Listed(connect)) = (self.proxy.take(), &settings.network) {
            self.serving = Some(proxy::serve(listener, Arc::clone(connect))?);
        }
        Ok(())
    }

    fn end(&mut self) {
        self.reach.end();
        if let Some(serving) = self.serving.take() {
            serving.abort();
        }
    }

    /// Gives up what is the container's on this side.
    fn bury(&mut self) -> Option<Folder> {
        self.is_gone = true;
        self.reach.folder.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// How it ended, as the engine tells: whether memory was short in it, and its exit code.
    async fn end_of(&self) -> Option<(bool, String)> {
        let filter = |name: &str, value: &str| (name.to_owned(), vec![value.to_owned()]);
        let until = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + TO_END;
        let options = EventsOptions {
            since: Some(self.made.saturating_sub(1).to_string()),
            until: Some(until.as_secs().to_string()),
            filters: Some(HashMap::from([
                filter("container", &self.id),
                filter("type", "container"),
            ])),
        };
        let mut events = std::pin::pin!(self.docker.events(Some(options)));
        let mut short = false;
        while let Some(Ok(EventMessage { action, actor, .. })) = events.next().await {
            match action.as_deref() {
                Some("oom") => short = true,
                Some("die") => {
                    let attributes = actor.and_then(|actor| actor.attributes).unwrap_or_default();
                    return Some((short, attributes.get("exitCode")?.clone()));
                }
                _ => {}
            }
        }
        None
    }
}

#[async_trait]
impl Holder for Container {
    fn lives(&mut self) -> bool {
        let mut byte = [0];
        let peeked = recv(&self.reach.stream, &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT);
        matches!(peeked, Err(Errno::AGAIN | Errno::INTR)) || matches!(peeked, Ok((1, _)))
    }

    fn reach(&self) -> Option<Arc<dyn Reach>> {
        Some(Arc::clone(&self.reach) as Arc<dyn Reach>)
    }

    async fn gone(mut self: Box<Self>) {
        self.end();
        if self.removed_on_exit
            && timeout(TO_END, owner::remove(&self.docker, &self.id)).await.is_ok()
        {
            drop(self.bury());
        }
    }

    async fn fate(mut self: Box<Self>) -> Fate {
        self.end();
        let ended = timeout(TO_END, self.end_of()).await.ok().flatten();
        match ended {
            Some((true, code)) if code == KILLED => Fate::OutOfMemory,
            Some((_, code)) if code == KILLED => Fate::Ended("it was killed".to_owned()),
            Some((_, code)) => Fate::Ended(format!("it ended with status {code}")),
            None => Fate::Ended("it stopped talking".to_owned()),
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.end();
        if self.is_gone {
            return;
        }
        // One whose worker was stopped by the code in it would not end with its socket.
        let (id, folder) = (self.id.clone(), self.bury());
        if self.removed_on_exit {
            self.remover.remove(id, folder);
        } else {
            self.remover.kill(id, folder);
        }
    }
}

impl From<ContainerError> for WorkerError {
    fn from(error: ContainerError) -> Self {
        match error {
            ContainerError::Worker(error) => error,
            other => Self::Place(other.to_string()),
        }
    }
}
