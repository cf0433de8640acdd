//! What native code in a worker cannot reach.

use std::env;
use std::io::{BufRead as _, BufReader, Write as _, stdout};
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;
use std::process::{Command, Stdio, exit, id};
use std::ptr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures_util::FutureExt as _;
use libtest_mimic::{Failed, Trial};
use pcm_runtime_api::{ErrorKind, Executor as _, Limits, RunRequest, SandboxConfig};
use pcm_runtime_jail::{JailMode, Part};
use tokio::runtime::Builder;

use crate::act::Act;
use crate::crashes::report;
use crate::fixture::{Check, Fixture, SECRET, Session, check, pool, until};
use crate::probe::{Probe, hide};
use crate::system;

/// What this program is when it is started with it: a host that is going to be killed.
const SMALL_HOST: &str = "--small-host";

/// What there is around a worker that it might reach.
struct Surroundings {
    tcp: TcpListener,
    udp: UdpSocket,
    folder: tempfile::TempDir,
    by_path: UnixListener,
    name: String,
    by_name: UnixListener,
    sibling: Session,
}

impl Surroundings {
    async fn new(fixture: &Fixture) -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("file"), "for everybody")?;
        let by_path = UnixListener::bind(folder.path().join("socket"))?;
        let name = format!("pcm-workers-{}-{}", id(), folder.path().display());
        let by_name = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        let (tcp, udp) = (TcpListener::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
        let sibling = fixture.session().await?;
        tcp.set_nonblocking(true)?;
        udp.set_nonblocking(true)?;
        by_path.set_nonblocking(true)?;
        by_name.set_nonblocking(true)?;
        Ok(Self { tcp, udp, folder, by_path, name, by_name, sibling })
    }

    /// Whether anybody came.
    fn was_reached(&self) -> bool {
        self.tcp.accept().is_ok()
            || self.udp.recv(&mut [0; 8]).is_ok()
            || self.by_path.accept().is_ok()
            || self.by_name.accept().is_ok()
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("file")
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    async fn sibling(&self) -> Result<i32, Failed> {
        Ok(self.sibling.process().await?.cast_signed())
    }
}

/// A thing to try, by its name; any one of the parts is enough to refuse it.
type Attempt = (&'static str, &'static [Part], fn(&Surroundings, i32) -> Probe);

const FILES: &[Part] = &[Part::MountNamespace, Part::Landlock, Part::Seccomp];
const NETWORK: &[Part] = &[Part::NetworkNamespace, Part::Seccomp];
const PROCESSES: &[Part] = &[Part::PidNamespace, Part::Seccomp];
const CALLS: &[Part] = &[Part::Seccomp];

const ATTEMPTS: &[Attempt] = &[
    ("open_a_file", FILES, |_, _| Probe::Open("/etc/passwd".into())),
    ("open_what_the_host_opens", FILES, |around, _| Probe::Open(around.file())),
    ("list_the_root", FILES, |_, _| Probe::List("/".into())),
    ("look_at_a_file", FILES, |_, _| Probe::Stat("/etc/passwd".into())),
    ("read_the_environment_of_its_process", FILES, |_, _| Probe::Open("/proc/self/environ".into())),
    ("read_the_environment_of_the_host", FILES, |_, _| {
        Probe::Open(format!("/proc/{}/environ", id()).into())
    }),
    ("open_the_memory_of_the_host", FILES, |_, _| {
        Probe::Open(format!("/proc/{}/mem", id()).into())
    }),
    ("connect_over_tcp", NETWORK, |around, _| Probe::Tcp(port(around.tcp.local_addr()))),
    ("send_over_udp", NETWORK, |around, _| Probe::Udp(port(around.udp.local_addr()))),
    ("connect_to_a_socket_by_its_path", FILES, |around, _| Probe::UnixPath(around.socket())),
    ("connect_to_a_socket_by_its_name", NETWORK, |around, _| Probe::UnixName(around.name.clone())),
    ("start_a_program", CALLS, |_, _| Probe::Exec),
    ("start_a_process", CALLS, |_, _| Probe::Fork),
    ("trace_the_host", PROCESSES, |_, _| Probe::Ptrace(id().cast_signed())),
    ("trace_a_sibling", PROCESSES, |_, sibling| Probe::Ptrace(sibling)),
    ("read_the_memory_of_the_host", PROCESSES, |_, _| {
        let address = ptr::from_ref(&ATTEMPTS).addr();
        Probe::ReadMemory { process: id().cast_signed(), address }
    }),
    ("kill_the_host", PROCESSES, |_, _| Probe::Kill(id().cast_signed())),
    ("kill_a_sibling", PROCESSES, |_, sibling| Probe::Kill(sibling)),
    ("find_the_secret_of_the_host", &[Part::Environment], |_, _| {
        Probe::Find(hide(&env::var(SECRET).unwrap_or_default()))
    }),
];

fn port(address: std::io::Result<std::net::SocketAddr>) -> u16 {
    address.map_or(0, |address| address.port())
}

pub(crate) fn trials(fixture: &Arc<Fixture>) -> Vec<Trial> {
    let attempts = ATTEMPTS.iter().map(|(name, needs, probe)| {
        let trial = fixture
            .trial(&format!("native_code_cannot_{name}"), move |fixture| cannot(fixture, *probe));
        without(fixture, trial, needs)
    });
    let others = [
        fixture.trial("without_a_jail_the_same_attempts_succeed", controls),
        fixture.trial("workers_end_with_their_host", outlives_nobody),
    ];
    attempts.chain(others).collect()
}

/// Leaves a trial out where this system has nothing of what would refuse it, and says so.
pub(crate) fn without(fixture: &Fixture, trial: Trial, needs: &[Part]) -> Trial {
    let jail = fixture.pool.jail();
    if jail.is_some_and(|jail| needs.iter().any(|part| jail.holds(*part))) {
        return trial;
    }
    let report = jail.map(ToString::to_string).unwrap_or_default();
    #[expect(clippy::print_stderr, reason = "nothing is left out in silence")]
    {
        eprintln!("left out: {}: {needs:?} of the jail is missing ({report})", trial.name());
    }
    trial.with_ignored_flag(true)
}

async fn cannot(fixture: Arc<Fixture>, probe: fn(&Surroundings, i32) -> Probe) -> Check {
    let around = Surroundings::new(&fixture).await?;
    let session = fixture.session().await?;
    let probe = probe(&around, around.sibling().await?);
    let result = session.run(&Act::Probe(probe)).await;
    match &result.error {
        None => {
            let told = result.value.as_str().unwrap_or_default();
            report(told);
            check(told.starts_with("refused: "), || told.to_owned())?;
        }
        // Ended for the attempt, and not because another program took its place.
        Some(error) => {
            let ended = error.kind == ErrorKind::Crashed && error.message.contains("must not");
            report(&error.message);
            check(ended, || format!("{error:?}"))?;
        }
    }
    check(!around.was_reached(), || "it got through".to_owned())?;
    around.sibling.works().await?;
    session.works().await
}

/// What shows that the attempts above are ones.
async fn controls(fixture: Arc<Fixture>) -> Check {
    let pool = pool(|config| (config.jail, config.warm) = (JailMode::Off, 0))?;
    let around = Surroundings::new(&fixture).await?;
    for probe in [
        Probe::Open(around.file()),
        Probe::List("/".into()),
        Probe::Stat("/etc/passwd".into()),
        Probe::Open("/proc/self/environ".into()),
        Probe::Tcp(port(around.tcp.local_addr())),
        Probe::Udp(port(around.udp.local_addr())),
        Probe::UnixPath(around.socket()),
        Probe::UnixName(around.name.clone()),
        Probe::Fork,
        // Something that is there: an argument.
        Probe::Find(hide("pcm-sandbox-worker")),
    ] {
        let session = Session::start(&pool, SandboxConfig::default()).await?;
        let told = session.text(&Act::Probe(probe.clone())).await?;
        check(told.starts_with("done: "), || format!("{probe:?}: {told}"))?;
    }
    check(around.was_reached(), || "nobody came".to_owned())
}

/// If this program was started as a host that is to be killed: starts workers, says so, and does
/// nothing more.
pub(crate) fn be_a_small_host() {
    if env::args().nth(1).as_deref() != Some(SMALL_HOST) {
        return;
    }
    let ready = || {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let pool = pool(|config| config.warm = 2)?;
            let limits = Limits { timeout: None, ..Limits::default() };
            let session = Session::start(&pool, limits.into()).await?;
            until(|| pool.status().warm == 2).await;
            let mut run = session.sandbox.run(RunRequest::new(Act::Probe(Probe::Deaf).code()));
            check((&mut run).now_or_never().is_none(), || "it was too fast".to_owned())?;
            stdout().write_all(b"ready\n")?;
            thread::sleep(Duration::from_hours(1));
            Ok::<_, Failed>(())
        })
    };
    exit(i32::from(ready().is_err()));
}

async fn outlives_nobody(_: Arc<Fixture>) -> Check {
    let program = env::current_exe()?;
    let mut host = Command::new(program).arg(SMALL_HOST).stdout(Stdio::piped()).spawn()?;
    let mut said = String::new();
    if let Some(output) = host.stdout.take() {
        BufReader::new(output).read_line(&mut said)?;
    }
    check(said == "ready\n", || said.clone())?;
    let workers = system::descendants(host.id());
    check(workers.len() >= 3, || format!("{workers:?}"))?;
    host.kill()?;
    host.wait()?;
    until(|| workers.iter().all(|process| !system::lives(process.id))).await;
    Ok(())
}
