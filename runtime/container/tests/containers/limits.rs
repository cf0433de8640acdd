//! Every bound of a container, met from within.

use std::time::Duration;

use pcm_runtime_api::{ErrorKind, Executor as _, LimitName, Limits, SandboxConfig, SessionState};
use serde_json::json;

use crate::fixture::{
    Check, Test, check, containers, engine, run, same, session, started, until, value,
};

pub(crate) const TESTS: [(&str, Test); 7] = [
    ("two_gigabytes_do_not_fit_into_256_mib", || Box::pin(memory())),
    ("memory_that_python_does_not_count_is_bounded_too", || Box::pin(shared_memory())),
    ("half_a_processor_is_half_a_processor", || Box::pin(processor())),
    ("a_bomb_of_processes_is_held_and_goes_with_its_container", || Box::pin(bomb())),
    ("nothing_can_be_written_but_what_is_bounded", || Box::pin(files())),
    ("there_is_nobody_with_any_right", || Box::pin(rights())),
    ("a_profile_of_the_user_holds", || Box::pin(profile())),
];

/// Limits under which Python itself refuses nothing.
fn large() -> Limits {
    Limits { memory_bytes: 4 << 30, vfs_bytes: 4 << 30, ..Limits::default() }
}

async fn memory() -> Check {
    let limits = Limits { memory_bytes: 256 << 20, ..Limits::default() };
    let session = started(&engine(|_| {}), limits).await?;
    let result = run(&session, "x = 1\nhoard = bytearray(2 << 30)").await;
    same(result.error.map(|error| error.kind), Some(ErrorKind::Memory))?;
    same(result.session, SessionState::Kept)?;
    same(value(&session, "x").await?, json!(1))?;
    session.close().await;
    Ok(())
}

async fn shared_memory() -> Check {
    let engine = engine(|settings| settings.memory_bytes = Some(256 << 20));
    let session = started(&engine, large()).await?;
    for code in [
        "import mmap\nhoard = mmap.mmap(-1, 1 << 30)\nfor at in range(0, 1 << 30, 4096): hoard[at] = 1",
        "hoard = bytearray(b'x') * (1 << 30)",
    ] {
        let result = run(&session, code).await;
        let error = result.error.ok_or("it fits")?;
        same(error.kind, ErrorKind::Memory)?;
        same(error.limit.map(|limit| limit.name), Some(LimitName::Memory))?;
        same(result.session, SessionState::Reset)?;
        same(value(&session, "1").await?, json!(1))?;
    }
    // A process of the code's own that is ended is no end of the session.
    let child = "
import os
x = 1
child = os.fork()
if child == 0:
    hoard = bytearray(b'x') * (1 << 30)
    os._exit(0)
[os.waitpid(child, 0)[1], x]";
    same(value(&session, child).await?, json!([9, 1]))?;
    session.close().await;
    Ok(())
}

async fn processor() -> Check {
    let engine = engine(|settings| settings.cpu_quota = Some(50_000));
    let session = started(&engine, SandboxConfig::default()).await?;
    let burn = "
import time
began, used = time.monotonic(), time.process_time()
while time.monotonic() - began < 3: pass
(time.process_time() - used) / (time.monotonic() - began)";
    let part = value(&session, burn).await?.as_f64().ok_or("no number")?;
    check(part < 0.6, || format!("it had {part} of a processor"))?;
    let quota = "
from pathlib import Path
two, one = Path('/sys/fs/cgroup/cpu.max'), Path('/sys/fs/cgroup/cpu/cpu.cfs_quota_us')
(two if two.exists() else one).read_text().split()[0]";
    same(value(&session, quota).await?, json!("50000"))?;
    session.close().await;
    Ok(())
}

async fn bomb() -> Check {
    const NAME: &str = "pcm-test-bomb";
    let engine = engine(|settings| {
        settings.pids = 64;
        settings.name = Some(NAME.to_owned());
    });
    let session = started(&engine, SandboxConfig::default()).await?;
    let bomb = "
import os, time
started = 0
try:
    while started < 5000:
        if os.fork() == 0:
            os.setsid()
            time.sleep(1000)
        started += 1
except OSError as error:
    caught = error.strerror
[started < 64, caught]";
    same(value(&session, bomb).await?, json!([true, "Resource temporarily unavailable"]))?;
    // A second one in another container is not held up by the first.
    let other = started(&engine, SandboxConfig::default()).await?;
    same(
        value(&other, "import subprocess; subprocess.run(['echo', 'x']).returncode").await?,
        json!(0),
    )?;
    other.close().await;
    session.reset().await?;
    let processes = "import os; len([name for name in os.listdir('/proc') if name.isdigit()])";
    let left = value(&session, processes).await?.as_u64().ok_or("no number")?;
    check(left < 8, || format!("{left} processes"))?;
    session.close().await;
    until("they are gone", || Ok(containers(NAME)?.is_empty())).await
}

async fn files() -> Check {
    let engine = engine(|settings| settings.tmpfs_bytes = 16 << 20);
    let session = started(&engine, large()).await?;
    let places = "
import errno, os
def refusal(place):
    try:
        open(os.path.join(place, 'written'), 'w').close()
        os.remove(os.path.join(place, 'written'))
        return 'written'
    except OSError as error:
        return errno.errorcode[error.errno]
[refusal(place) for place in ('/', '/etc', '/usr/bin', '/opt/pcm', '/run/pcm', '/var', '/home', '/tmp', '.')]";
    let said = value(&session, places).await?;
    let said: Vec<&str> =
        said.as_array().into_iter().flatten().filter_map(|it| it.as_str()).collect();
    let (refused, written) = said.split_at(7);
    for code in refused {
        check(["EROFS", "ENOENT", "EACCES"].contains(code), || format!("{said:?}"))?;
    }
    same(refused[0], "EROFS")?;
    same(refused[4], "EROFS")?;
    same(written, &["written", "written"][..])?;
    let fill = "
def fill(path):
    try:
        with open(path, 'wb') as file:
            for _ in range(1024): file.write(bytes(1 << 20))
    except OSError as error:
        return errno.errorcode[error.errno]
    finally:
        os.remove(path)
[fill('/tmp/large'), fill('/dev/shm/large')]";
    same(value(&session, fill).await?, json!(["ENOSPC", "ENOSPC"]))?;
    session.close().await;
    // A file of a session is bounded by the limits of the session as well.
    let session = session_of_files().await?;
    let written = run(&session, "open('big', 'wb').write(bytes(2 << 20))").await;
    check(written.error.is_some(), || "it was written".to_owned())?;
    session.close().await;
    Ok(())
}

async fn session_of_files() -> Result<pcm_runtime_worker::WorkerSandbox, libtest_mimic::Failed> {
    started(&engine(|_| {}), Limits { vfs_bytes: 1 << 20, ..Limits::default() }).await
}

async fn rights() -> Check {
    let session = session().await?;
    let status = "
import os
lines = dict(line.split(':\\t', 1) for line in open('/proc/self/status').read().splitlines() if ':\\t' in line)
[lines['CapEff'], lines['CapBnd'], lines['CapPrm'], lines['NoNewPrivs'], lines['Seccomp'], os.getuid(), os.getgid()]";
    let none = "0000000000000000";
    let said = value(&session, status).await?;
    let parts: Vec<String> =
        said.as_array().into_iter().flatten().map(ToString::to_string).collect();
    let quoted = |text: &str| format!("\"{text}\"");
    let expected = [
        quoted(none),
        quoted(none),
        quoted(none),
        quoted("1"),
        quoted("2"),
        "65532".to_owned(),
        "65532".to_owned(),
    ];
    same(&parts[..], &expected[..])?;
    let forbidden = "
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def refused(what):
    try:
        if what() == -1:
            raise OSError(ctypes.get_errno(), '')
        return False
    except OSError:
        return True
def read_worker():
    return open('/proc/%d/mem' % os.getppid(), 'rb').read(1)
[refused(lambda: libc.mount(b'none', b'/tmp', b'tmpfs', 0, None)), refused(lambda: libc.unshare(0x10000000)),
 refused(lambda: os.setuid(0)), refused(lambda: os.chroot('/tmp')), refused(lambda: os.mknod('/tmp/disk', 0o60600, os.makedev(8, 0))),
 refused(lambda: libc.ptrace(16, os.getppid(), 0, 0)), refused(read_worker), refused(lambda: os.sethostname('x') or 0 if hasattr(os, 'sethostname') else -1)]";
    let said = value(&session, forbidden).await?;
    check(said.as_array().is_some_and(|all| all.iter().all(|it| it == true)), || said.to_string())?;
    let seen = "
import os, socket
[sorted(name for name in os.environ if name.startswith(('DOCKER', 'CARGO', 'PCM_T'))), os.path.exists('/var/run/docker.sock'),
 socket.gethostname(), os.path.exists('/run/pcm/host.sock'), [name for name in os.listdir('/run/pcm')]]";
    same(value(&session, seen).await?, json!([[], false, "pcm-sandbox", false, []]))?;
    session.close().await;
    Ok(())
}

async fn profile() -> Check {
    let file = tempfile::NamedTempFile::new()?;
    // Everything as it is, but for one call.
    std::fs::write(
        file.path(),
        r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["getrandom"], "action": "SCMP_ACT_ALLOW"},
            {"names": ["getpriority"], "action": "SCMP_ACT_ERRNO"}]}"#,
    )?;
    let engine = engine(|settings| {
        settings.seccomp = Some(file.path().to_owned());
        settings.startup_timeout = Duration::from_mins(1);
    });
    let session = started(&engine, SandboxConfig::default()).await?;
    let code = "
import os
try:
    os.getpriority(os.PRIO_PROCESS, 0)
except PermissionError:
    caught = True
caught";
    same(value(&session, code).await?, json!(true))?;
    session.close().await;
    Ok(())
}
