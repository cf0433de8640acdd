//! Sessions in kernels, and code that does its worst to them.

use std::error::Error;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use pcm_runtime_api::{
    ErrorKind, ExecutionResult, Executor, HostCall, HostError, HostPort, Limits, NoHost, Payload,
    RunRequest, SandboxConfig, SessionState,
};
use pcm_runtime_subprocess::{
    EnvironmentPackages, KernelConfig, SubprocessEngine, SubprocessError, SubprocessSandbox,
};
use serde_json::json;

type TestResult = Result<(), Box<dyn Error>>;

fn engine() -> SubprocessEngine {
    SubprocessEngine::new(KernelConfig { spares: 0, ..KernelConfig::default() })
}

async fn started(config: SandboxConfig) -> Result<SubprocessSandbox, Box<dyn Error>> {
    let session = SubprocessSandbox::new(engine(), config);
    session.start(Arc::new(Echo)).await?;
    Ok(session)
}

fn limits(limits: Limits) -> SandboxConfig {
    SandboxConfig { limits, ..SandboxConfig::default() }
}

async fn run(session: &SubprocessSandbox, code: &str) -> ExecutionResult {
    session.run(RunRequest::new(code)).await
}

/// Gives back the arguments of a call.
#[derive(Debug)]
struct Echo;

#[async_trait]
impl HostPort for Echo {
    async fn call(&self, call: HostCall) -> Result<Payload, HostError> {
        Ok(call.args)
    }
}

#[tokio::test]
async fn whatever_ends_a_kernel_the_next_run_has_another() -> TestResult {
    let session = started(SandboxConfig::default()).await?;
    let ends = [
        ("import os; os._exit(1)", "status 1"),
        ("import os; os.kill(os.getpid(), 9)", "killed"),
        ("import ctypes; ctypes.string_at(0)", "crashed"),
        ("import os; os.abort()", "aborted"),
    ];
    for (code, fate) in ends {
        let result = run(&session, &format!("x = 1\nprint('before')\n{code}")).await;
        let error = result.error.ok_or("no error")?;
        assert_eq!(
            (error.kind, result.session),
            (ErrorKind::Crashed, SessionState::Reset),
            "{code}"
        );
        assert!(error.message.contains(fate), "{code}: {}", error.message);
        assert_eq!(result.stdout, "before\n", "{code}");
        assert_eq!(run(&session, "'x' in globals()").await.value, json!(false), "{code}");
    }
    Ok(())
}

#[tokio::test]
async fn two_gigabytes_do_not_fit_into_a_limit_of_256_mib() -> TestResult {
    let session = started(limits(Limits { memory_bytes: 256 << 20, ..Limits::default() })).await?;
    let result = run(&session, "x = 1\nhoard = bytearray(2 << 30)").await;
    assert_eq!(result.error.map(|error| error.kind), Some(ErrorKind::Memory));
    assert_eq!(run(&session, "x").await.value, json!(1), "{:?}", result.session);
    let result = run(&session, "import mmap; mmap.mmap(-1, 2 << 30, mmap.MAP_PRIVATE)").await;
    assert!(result.error.is_some());
    assert_eq!(run(&session, "x").await.value, json!(1));
    Ok(())
}

#[tokio::test]
async fn a_bomb_of_processes_is_held_and_goes_with_its_kernel() -> TestResult {
    let session = started(SandboxConfig::default()).await?;
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
    pass
started";
    let result = run(&session, bomb).await;
    // It meets the bound on processes, or that on the memory of all of them.
    match result.error {
        Some(error) => assert_eq!(error.kind, ErrorKind::Crashed, "{}", error.message),
        None => assert!(result.value.as_u64().is_some_and(|started| started < 5000)),
    }
    session.close().await;
    // Those that made a session of their own were not in its process group. They end all the same.
    for _ in 0..200 {
        if sleepers()? == 0 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err(format!("{} processes are left", sleepers()?).into())
}

/// Copies of kernels that have this process's folders open in none of their names: told by their command.
fn sleepers() -> Result<usize, Box<dyn Error>> {
    let mut count = 0;
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        let parent = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let is_orphan = parent.split_whitespace().nth(3) == Some("1");
        count += usize::from(is_orphan && line.contains("pcm_kernel/boot.py"));
    }
    Ok(count)
}

#[tokio::test]
async fn endless_output_is_stopped() -> TestResult {
    let session = started(limits(Limits { output_bytes: 10_000, ..Limits::default() })).await?;
    for code in ["while True: print('x' * 1000)", "import os\nwhile True: os.write(2, b'x' * 1000)"]
    {
        let result = run(&session, code).await;
        assert_eq!(result.error.map(|error| error.kind), Some(ErrorKind::Output), "{code}");
        assert_eq!(run(&session, "1").await.value, json!(1));
    }
    Ok(())
}

#[tokio::test]
async fn messages_that_the_code_forges_are_its_own_data() -> TestResult {
    let session = started(SandboxConfig::default()).await?;
    let forge = "
import json, os, sys, zmq
from ipykernel.connect import get_connection_file
from jupyter_client.session import Session
connection = json.load(open(sys.argv[1]))
forger = Session(key=connection['key'].encode())
shell = zmq.Context.instance().socket(zmq.DEALER)
shell.connect(f\"ipc://{connection['ip']}-{connection['shell_port']}\")
for kind in ('execute_reply', 'status', 'input_request', 'execute_request'):
    content = {'execution_state': 'idle', 'status': 'ok', 'code': 'forged = 1', 'prompt': 'rpc_request'}
    forger.send(shell, kind, content, parent={'msg_id': 'pcm-2', 'msg_type': 'x'})
for run in range(5):
    for channel in (b'\\x02', b'\\x05', b'\\x06'):
        pass
'mine'";
    assert_eq!(run(&session, forge).await.value, json!("mine"));
    let result = run(&session, "tools.echo(a=1)").await;
    assert_eq!(result.value, json!({"name": "echo", "args": {"a": 1}}), "{:?}", result.error);
    // Frames on the socket itself: of no run, of another one, and of none that there is.
    let frames = "
import os, socket, struct
fds = [int(fd) for fd in os.listdir('/proc/self/fd') if int(fd) > 2]
def is_host(fd):
    try:
        host = socket.socket(fileno=os.dup(fd))
        return host.family == socket.AF_UNIX and not host.getsockname() and not host.getpeername()
    except OSError:
        return False
[host] = [fd for fd in fds if is_host(fd)][:1]
frame = lambda kind, run, number, content: struct.pack('<BIII', kind, run, number, len(content)) + content
os.write(host, frame(5, 99, 1, b'of another run'))
os.write(host, frame(6, 99, 0, b'{\"value\": \"forged\"}'))
os.write(host, frame(3, 99, 7, b'{}'))
'mine'";
    let result = run(&session, frames).await;
    assert_eq!((result.value, result.stdout.as_str()), (json!("mine"), ""), "{:?}", result.error);
    let nonsense = frames.replace("'mine'", "os.write(host, b'\\xff' * 100)");
    let result = run(&session, &nonsense).await;
    assert_eq!(result.error.map(|error| error.kind), Some(ErrorKind::Crashed));
    assert_eq!(run(&session, "1").await.value, json!(1));
    Ok(())
}

#[tokio::test]
async fn what_a_run_leaves_behind_prints_into_no_other() -> TestResult {
    let session = started(SandboxConfig::default()).await?;
    let late = "
import subprocess, threading, time
def work():
    time.sleep(0.2)
    print('late')
    try:
        tools.echo(a=1)
    except Exception as error:
        caught.append(type(error).__name__)
caught = []
threading.Thread(target=work).start()
subprocess.Popen(['sh', '-c', 'sleep 0.1; echo later'])
print('now')";
    assert_eq!(run(&session, late).await.stdout, "now\n");
    tokio::time::sleep(Duration::from_millis(150)).await;
    let result = run(&session, "time.sleep(0.3)\nprint('mine')\ncaught").await;
    assert_eq!(result.stdout, "mine\n");
    assert_eq!(result.value, json!(["ToolError"]), "its run is over");
    Ok(())
}

#[tokio::test]
async fn a_run_that_nobody_waits_for_costs_its_kernel_and_nothing_else() -> TestResult {
    let session = started(SandboxConfig::default()).await?;
    run(&session, "x = 1").await;
    let endless = run(&session, "import time; time.sleep(1000)");
    assert!(tokio::time::timeout(Duration::from_millis(200), endless).await.is_err());
    assert_eq!(run(&session, "'x' in globals()").await.value, json!(false));
    Ok(())
}

#[tokio::test]
async fn a_kernel_has_threads_sockets_and_programs() -> TestResult {
    let session = started(SandboxConfig::default()).await?;
    let code = "
import asyncio, subprocess, time
async def serve(reader, writer):
    writer.write(await reader.readline())
    await writer.drain()
    writer.close()
server = await asyncio.start_server(serve, '127.0.0.1', 0)
reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
writer.write(b'over a socket\\n')
said = await reader.readline()
server.close()
began = time.monotonic()
await asyncio.gather(*[asyncio.to_thread(time.sleep, 0.3) for _ in range(4)])
together = time.monotonic() - began < 1
process = await asyncio.create_subprocess_exec('echo', 'a program', stdout=-1)
out, _ = await process.communicate()
several = await asyncio.gather(*[tools.echo(i=i) for i in range(20)])
threads = await asyncio.to_thread(tools.echo, i=1)
[said.decode(), together, out.decode(), [it['args']['i'] for it in several] == list(range(20)), threads]";
    let result = run(&session, code).await;
    let call = json!({"name": "echo", "args": {"i": 1}});
    let expected = json!(["over a socket\n", true, "a program\n", true, call]);
    assert_eq!(result.value, expected, "{:?}", result.error);
    Ok(())
}

#[tokio::test]
async fn what_programs_print_is_output() -> TestResult {
    let session = started(SandboxConfig::default()).await?;
    let code = "
import os, subprocess
subprocess.run(['sh', '-c', 'echo out; echo err >&2'])
if os.fork() == 0:
    print('a copy', flush=True)
    os._exit(0)
os.wait()
None";
    let result = run(&session, code).await;
    assert!(result.is_ok(), "{:?}", result.error);
    assert!(
        result.stdout.contains("out\n") && result.stdout.contains("a copy\n"),
        "{}",
        result.stdout
    );
    assert_eq!(result.stderr, "err\n");
    Ok(())
}

#[tokio::test]
async fn files_are_put_and_got_below_the_working_folder() -> TestResult {
    let session = started(limits(Limits { vfs_bytes: 1 << 20, ..Limits::default() })).await?;
    session.put_file("data/in.txt", b"text".to_vec()).await?;
    let copy = "import os; open('out.txt', 'w').write(open('data/in.txt').read() * 2)\nos.symlink('/etc/passwd', 'link')";
    assert!(run(&session, copy).await.is_ok());
    assert_eq!(session.get_file("/work/out.txt", 100).await?, b"texttext");
    assert!(session.get_file("out.txt", 7).await.is_err(), "too long");
    for outside in
        ["../connection.json", "/etc/passwd", "link", "data/../../connection.json", "data"]
    {
        let error = session.get_file(outside, 1 << 20).await.err().ok_or(outside)?.to_string();
        assert!(!error.contains("/tmp"), "{error}");
        assert!(session.put_file(outside, b"x".to_vec()).await.is_err(), "{outside}");
    }
    assert!(session.put_file("large", vec![0; 2 << 20]).await.is_err());
    let large = run(&session, "open('big', 'wb').write(bytes(2 << 20))").await;
    assert!(large.error.is_some(), "a file is bounded, too");
    Ok(())
}

#[tokio::test]
async fn packages_of_one_session_are_not_those_of_another() -> TestResult {
    let engine = engine();
    let open = || {
        let packages = Arc::new(EnvironmentPackages::new(engine.clone()));
        let config = SandboxConfig { packages: Some(packages), ..SandboxConfig::default() };
        SubprocessSandbox::new(engine.clone(), config)
    };
    let (one, other) = (open(), open());
    one.start(Arc::new(NoHost)).await?;
    other.start(Arc::new(NoHost)).await?;
    let heard = Mutex::new(Vec::new());
    let hear = |line: &str| {
        heard.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(line.to_owned());
    };
    let report = one.install_deps(&["tabulate".to_owned()], &hear).await?;
    assert_eq!(report.changed, ["tabulate"], "{report:?}");
    assert!(!heard.lock().is_ok_and(|heard| heard.is_empty()));
    assert!(run(&one, "import tabulate").await.is_ok());
    let missing = run(&other, "import tabulate").await.error;
    assert_eq!(missing.map(|error| error.error_type).as_deref(), Some("ModuleNotFoundError"));
    let report = one
        .install_deps(&["--index-url=x".to_owned(), "no-such-package-at-all-0".to_owned()], &|_| {})
        .await?;
    assert_eq!(report.failed.len(), 2, "{report:?}");
    assert!(!format!("{report:?}").contains("://"), "{report:?}");
    one.reset().await?;
    assert!(run(&one, "import tabulate").await.is_ok(), "after a reset they are still there");
    Ok(())
}

#[tokio::test]
async fn a_library_shows_values_tables_and_figures() -> TestResult {
    let deps = ["numpy", "pandas", "matplotlib"].map(str::to_owned).to_vec();
    let engine = SubprocessEngine::new(KernelConfig { deps, spares: 0, ..KernelConfig::default() });
    let limits = Limits {
        memory_bytes: 2 << 30,
        timeout: Some(Duration::from_mins(2)),
        ..Limits::default()
    };
    let session =
        SubprocessSandbox::new(engine, SandboxConfig { limits, ..SandboxConfig::default() });
    session.start(Arc::new(NoHost)).await?;
    let result = run(&session, "import numpy\nfloat(numpy.full(10, 4.5).mean())").await;
    assert_eq!(result.value, json!(4.5), "{:?}", result.error);
    let result = run(&session, "import pandas\npandas.DataFrame({'a': [1, 2]})").await;
    let html = result.display.first().and_then(|bundle| bundle.get("text/html")).cloned();
    assert!(html.is_some_and(|html| html.to_string().contains("<table")), "{:?}", result.error);
    let plot = "import matplotlib.pyplot as plt\nplt.plot([1, 4, 9])\nNone";
    let result = run(&session, plot).await;
    let png = result.display.first().and_then(|bundle| bundle.get("image/png")).cloned();
    let png = png.and_then(|png| png.as_str().map(str::to_owned)).unwrap_or_default();
    assert!(png.starts_with("iVBORw0KGgo"), "{:?}", result.error);
    assert!(run(&session, "None").await.display.is_empty(), "shown once");
    Ok(())
}

#[tokio::test]
async fn an_environment_of_a_sessions_own_goes_with_it() -> TestResult {
    let folder = tempfile::tempdir()?;
    let place = folder.path().join("environment");
    let config = KernelConfig {
        venv_path: Some(place.clone()),
        cleanup_venv_on_close: Some(true),
        spares: 0,
        ..KernelConfig::default()
    };
    let session = SubprocessSandbox::new(SubprocessEngine::new(config), SandboxConfig::default());
    session.start(Arc::new(NoHost)).await?;
    let prefix = run(&session, "import sys; sys.prefix").await.value;
    assert_eq!(prefix.as_str().map(Path::new), Some(place.as_path()));
    session.close().await;
    drop(session);
    assert!(!place.exists());
    Ok(())
}

#[tokio::test]
async fn what_is_no_environment_is_not_replaced() -> TestResult {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("precious"), "data")?;
    let config =
        KernelConfig { venv_path: Some(folder.path().to_owned()), ..KernelConfig::default() };
    let refused = SubprocessEngine::new(config).prepare(&|_| {}).await;
    assert!(matches!(refused, Err(SubprocessError::Setting { setting: "venv_path", .. })));
    assert!(folder.path().join("precious").exists());
    Ok(())
}

#[tokio::test]
async fn a_spare_takes_over_and_one_that_died_does_not() -> TestResult {
    let engine = SubprocessEngine::new(KernelConfig { spares: 1, ..KernelConfig::default() });
    engine.warm().await?;
    let session = SubprocessSandbox::new(engine, SandboxConfig::default());
    session.start(Arc::new(NoHost)).await?;
    assert_eq!(run(&session, "1").await.value, json!(1));
    for _ in 0..3 {
        assert!(run(&session, "import os; os._exit(0)").await.error.is_some());
        assert_eq!(run(&session, "2").await.value, json!(2));
    }
    Ok(())
}

#[tokio::test]
async fn a_jail_leaves_a_kernel_its_own_folders() -> TestResult {
    let outside = tempfile::tempdir_in(std::env::var_os("HOME").ok_or("no HOME")?)?;
    let secret = outside.path().join("secret");
    std::fs::write(&secret, "canary")?;
    let config = KernelConfig {
        jail: pcm_runtime_jail::JailMode::Default,
        spares: 0,
        ..KernelConfig::default()
    };
    let session = SubprocessSandbox::new(SubprocessEngine::new(config), SandboxConfig::default());
    session.start(Arc::new(Echo)).await?;
    let code = format!(
        "
import os, socket, subprocess
def refused(work):
    try:
        work()
    except OSError as error:
        return True
    return False
open('own', 'w').write('x')
[refused(lambda: open({secret:?})), refused(lambda: os.listdir({:?})), tools.echo(a=1)['name'],
 subprocess.run(['echo', 'hi'], capture_output=True, text=True).stdout]",
        outside.path()
    );
    let result = run(&session, &code).await;
    assert_eq!(result.value, json!([true, true, "echo", "hi\n"]), "{:?}", result.error);
    Ok(())
}
