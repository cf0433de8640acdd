//! Sessions in the Python that is installed on this machine.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that fails panics")]
#![expect(clippy::print_stderr, reason = "what is skipped is said")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs};

use async_trait::async_trait;
use pcm_runtime_api::{
    Capability, ErrorKind, ExecutionResult, Executor as _, HostCall, HostError, HostPort, Limits,
    NoPackages, PackageSource, Payload, Progress, RunRequest, SandboxConfig, SessionState,
};
use pcm_runtime_in_process::{InProcessConfig, InProcessEngine, InProcessSandbox};
use tokio::time::{sleep, timeout};

/// Gives back the arguments; `tools.never()` is never answered.
#[derive(Debug)]
struct Echo;

#[async_trait]
impl HostPort for Echo {
    async fn call(&self, call: HostCall) -> Result<Payload, HostError> {
        if call.args.value["name"] == "never" {
            std::future::pending::<()>().await;
        }
        Ok(call.args.value["args"].clone().into())
    }
}

async fn session(config: impl Into<SandboxConfig>) -> InProcessSandbox {
    let session = InProcessSandbox::new(InProcessEngine::default(), config);
    session.start(Arc::new(Echo)).await.unwrap();
    session
}

async fn default_session() -> InProcessSandbox {
    session(SandboxConfig::default()).await
}

/// One whose runs have 300 ms.
async fn hasty_session() -> InProcessSandbox {
    session(Limits { timeout: Some(Duration::from_millis(300)), ..Limits::default() }).await
}

async fn run(session: &InProcessSandbox, code: &str) -> ExecutionResult {
    session.run(RunRequest::new(code)).await
}

async fn value(session: &InProcessSandbox, code: &str) -> String {
    let result = run(session, code).await;
    assert_eq!(result.error, None, "{code}");
    result.value.to_string()
}

async fn left_behind() -> usize {
    InProcessEngine::default().left_behind().await.unwrap()
}

/// A run that was stopped and kept its session.
async fn is_stopped(code: &str) {
    let session = hasty_session().await;
    let result = run(&session, &format!("x = 1\n{code}")).await;
    let error = result.error.unwrap();
    assert_eq!((error.kind, result.session), (ErrorKind::Timeout, SessionState::Kept), "{code}");
    assert_eq!(value(&session, "x").await, "1", "{code}");
    session.close().await;
}

/// A run that could not be stopped: the session goes on without it.
async fn is_left(code: &str) {
    let session = hasty_session().await;
    let result = run(&session, &format!("x = 1\nprint('before')\n{code}")).await;
    let error = result.error.unwrap();
    assert_eq!((error.kind, result.session), (ErrorKind::Timeout, SessionState::Reset), "{code}");
    assert_eq!(result.stdout, "before\n", "{code}");
    // Where the lock is held, the next run waits for it.
    for _ in 0..20 {
        let result = run(&session, "print('alive'); 'x' in globals()").await;
        if result.error.is_none() {
            assert_eq!(
                (result.value.to_string(), result.stdout),
                ("false".into(), "alive\n".into())
            );
            return session.close().await;
        }
    }
    panic!("the session did not come back after {code}");
}

#[tokio::test]
async fn variables_live_from_run_to_run_and_are_the_sessions_own() {
    let (one, two) = (default_session().await, default_session().await);
    assert_eq!(value(&one, "x = 40\nx + 2").await, "42");
    assert_eq!(value(&one, "x").await, "40");
    assert_eq!(value(&two, "'x' in globals()").await, "false");
    assert_eq!(value(&one, "import builtins\nbuiltins.planted = 1\nplanted").await, "1");
    assert_eq!(value(&two, "import builtins\nhasattr(builtins, 'planted')").await, "false");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sessions_that_print_at_once_get_their_own_output() {
    let code = |word: &str| {
        format!("import time\nfor i in range(200):\n    print('{word}', i)\n    time.sleep(0.0005)")
    };
    let (one, two) = (default_session().await, default_session().await);
    let (code_one, code_two) = (code("one"), code("two"));
    let (first, second) = tokio::join!(run(&one, &code_one), run(&two, &code_two));
    for (result, word) in [(first, "one"), (second, "two")] {
        let expected: Vec<String> = (0..200).map(|i| format!("{word} {i}")).collect();
        assert_eq!(result.stdout.lines().collect::<Vec<_>>(), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_session_does_to_its_streams_is_its_own() {
    let (one, two) = (default_session().await, default_session().await);
    let replaces = "import io, sys, time\nsys.stdout = caught = io.StringIO()\nsys.stderr = None\n\
                    print('caught')\ntime.sleep(0.3)\nprint('too')\ncaught.getvalue()";
    let prints = "import sys, time\ntime.sleep(0.1)\nprint('out')\nprint('err', file=sys.stderr)";
    let (first, second) = tokio::join!(run(&one, replaces), run(&two, prints));
    assert_eq!((first.value.as_str(), &*first.stdout), (Some("caught\ntoo\n"), ""));
    assert_eq!((&*second.stdout, &*second.stderr), ("out\n", "err\n"));
    assert_eq!(run(&one, "print('back')").await.stdout, "back\n");
}

#[tokio::test]
async fn a_logger_that_one_session_made_writes_to_whoever_logs() {
    let (one, two) = (default_session().await, default_session().await);
    assert!(run(&one, "import logging\nlogging.error('first')").await.stderr.contains("first"));
    assert!(run(&two, "import logging\nlogging.error('second')").await.stderr.contains("second"));
}

#[tokio::test]
async fn nothing_ends_the_process_by_the_usual_ways() {
    let session = default_session().await;
    for (code, name) in [
        ("import sys; sys.exit(3)", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import os; os._exit(3)", "RuntimeError"),
        ("import os; os.abort()", "RuntimeError"),
    ] {
        let result = run(&session, code).await;
        assert_eq!(result.error.map(|error| error.error_type).as_deref(), Some(name));
        assert_eq!(result.session, SessionState::Kept);
    }
    assert_eq!(value(&session, "1 + 1").await, "2");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_working_folder_is_the_sessions_own() {
    let before = env::current_dir().unwrap();
    let (one, two) = (default_session().await, default_session().await);
    let of_two = value(&two, "import os; os.getcwd()").await;
    assert_eq!(value(&one, "import os; os.chdir('/'); os.getcwd()").await, "\"/\"");
    assert_eq!(value(&one, "os.getcwd()").await, "\"/\"");
    assert_eq!(value(&two, "os.getcwd()").await, of_two);
    assert_eq!(env::current_dir().unwrap(), before);
}

#[tokio::test]
async fn threads_belong_to_the_run_that_started_them() {
    let session = default_session().await;
    let code = "import threading, time
def work():
    print('in time', tools.echo(a=1))
    wait.wait()
    print('late')
    try:
        tools.echo(a=2)
    except RuntimeError as error:
        refused.append(str(error))
refused, wait = [], threading.Event()
thread = threading.Thread(target=work)
thread.start()
time.sleep(0.2)";
    assert_eq!(run(&session, code).await.stdout, "in time {'a': 1}\n");
    let result = run(&session, "wait.set()\nthread.join()\nprint('mine')\nrefused").await;
    assert_eq!(result.stdout, "mine\n");
    assert!(result.value.to_string().contains("is over"), "{}", result.value);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_or_loops_is_stopped_and_the_session_kept() {
    is_stopped("while True: pass").await;
    is_stopped("import time\ntime.sleep(100)").await;
    is_stopped("import asyncio\nawait asyncio.sleep(100)").await;
    is_stopped("tools.never()").await;
    is_stopped("await tools.never()").await;
    is_stopped("import time\nlist(map(time.sleep, [100, 100]))").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_without_end_in_c_is_left_behind() {
    is_left("import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()").await;
    assert!(left_behind().await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_in_c_that_holds_the_lock_is_left_behind_until_it_ends() {
    let before = left_behind().await;
    is_left("sum(range(2 * 10**8))").await;
    for _ in 0..100 {
        if left_behind().await <= before {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("the thread that was left behind does not end");
}

#[tokio::test(flavor = "multi_thread")]
async fn code_that_swallows_everything_is_left_behind() {
    is_left("while True:\n    try:\n        y = 1\n        while True: pass\n    except BaseException: pass").await;
    is_left("while True:\n    try:\n        tools.never()\n    except BaseException: pass").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_may_be_caught() {
    let session = hasty_session().await;
    // CPython 3.11 takes a loop at the very beginning of a `try` for one before it.
    let code =
        "x = 1\ntry:\n    y = 1\n    while True: pass\nexcept KeyboardInterrupt:\n    x = 2\nx";
    let result = run(&session, code).await;
    assert_eq!(result.error.map(|error| error.kind), Some(ErrorKind::Timeout));
    assert_eq!(value(&session, "x").await, "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_nobody_waits_for_ends() {
    let session = default_session().await;
    let dropped = timeout(Duration::from_millis(200), run(&session, "while True: pass")).await;
    assert!(dropped.is_err());
    assert_eq!(value(&session, "1 + 1").await, "2");
    for _ in 0..50 {
        if left_behind().await == 0 {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("the run goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn processor_time_is_the_runs_own() {
    let limits = Limits { cpu: Some(Duration::from_millis(300)), ..Limits::default() };
    let session = session(limits).await;
    for _ in 0..3 {
        let result = run(
            &session,
            "import time\nend = time.thread_time() + 0.15\nwhile time.thread_time() < end: pass",
        )
        .await;
        assert_eq!(result.error, None);
    }
    let error = run(&session, "while True: pass").await.error.unwrap();
    assert!(error.message.starts_with("cpu"), "{}", error.message);
}

#[tokio::test]
async fn a_forked_process_is_code_of_its_own() {
    let session = default_session().await;
    let code = "import os
child = os.fork()
if child == 0:
    try:
        tools.echo(a=1)
        os._exit(1)
    except RuntimeError:
        os._exit(7)
os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])";
    assert_eq!(value(&session, code).await, "7");
    // One that comes to the end of the run ends there.
    assert_eq!(value(&session, "child = os.fork()\nchild > 0").await, "true");
    assert_eq!(value(&session, "os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])").await, "0");
}

#[tokio::test]
async fn code_finds_its_own_main_module_and_lines() {
    let session = default_session().await;
    let code = "import pickle, inspect, dataclasses, typing
@dataclasses.dataclass
class Point:
    x: 'int'
    y: typing.ClassVar[int] = 1
def double(x):
    return x * 2
import __main__
[pickle.loads(pickle.dumps(Point(1))).x, inspect.getsource(double), __main__.double(2), typing.get_type_hints(Point)['x'] is int]";
    let shown = value(&session, code).await;
    assert_eq!(shown, r#"[1,"def double(x):\n    return x * 2\n",4,true]"#);
}

#[tokio::test]
async fn files_are_put_and_got_where_code_works() {
    let session = default_session().await;
    session.put_file("data/in.txt", b"hello".to_vec()).await.unwrap();
    let code = "text = open('data/in.txt').read()\nopen('out.txt', 'w').write(text.upper())";
    assert_eq!(value(&session, code).await, "5");
    assert_eq!(session.get_file("out.txt", 5).await.unwrap(), b"HELLO");
    assert!(session.get_file("out.txt", 4).await.is_err());
    assert!(session.get_file("/etc/passwd", 1000).await.is_err());
}

/// A folder for each set of packages, with a module for each.
#[derive(Debug)]
struct Shop(tempfile::TempDir);

#[async_trait]
impl PackageSource for Shop {
    async fn provide(&self, specs: &[String], _: &Progress<'_>) -> Result<PathBuf, NoPackages> {
        let folder = self.0.path().join(format!("set-{}", specs.join("-")));
        fs::create_dir_all(&folder).unwrap();
        for spec in specs {
            fs::write(folder.join(format!("{spec}.py")), format!("name = {spec:?}")).unwrap();
        }
        Ok(folder)
    }
}

#[tokio::test]
async fn packages_come_and_go() {
    let shop = Shop(tempfile::tempdir().unwrap());
    let packages: Option<Arc<dyn PackageSource>> = Some(Arc::new(shop));
    let session = session(SandboxConfig { packages, ..SandboxConfig::default() }).await;
    assert!(session.capabilities().contains(&Capability::DepsInstall));
    let missing = "import pcm_test_one";
    assert!(run(&session, missing).await.error.is_some());
    session.install_deps(&["pcm_test_one".to_owned()], &|_| {}).await.unwrap();
    assert_eq!(value(&session, "import pcm_test_one\npcm_test_one.name").await, "\"pcm_test_one\"");
    session.install_deps(&["pcm_test_two".to_owned()], &|_| {}).await.unwrap();
    assert_eq!(value(&session, "import pcm_test_two\npcm_test_two.name").await, "\"pcm_test_two\"");
    session.uninstall_deps(&["pcm_test_one".to_owned()]).await.unwrap();
    let again = "import sys\ndel sys.modules['pcm_test_one']\nimport pcm_test_one";
    assert!(run(&session, again).await.error.is_some());
    session.close().await;
    let other = default_session().await;
    assert_eq!(
        value(&other, "import sys\nany('pcm-packages' in path for path in sys.path)").await,
        "false"
    );
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_sessions_leave_no_threads() {
    let threads = || fs::read_dir("/proc/self/task").unwrap().count();
    default_session().await.close().await;
    let before = threads();
    for _ in 0..200 {
        let session = default_session().await;
        assert_eq!(value(&session, "x = [0] * 1000\nlen(x)").await, "1000");
        session.close().await;
    }
    // The runtime's own come and go.
    assert!(threads() <= before + 4, "{} threads, {before} before", threads());
    let code = "import threading\nlen(threading.enumerate())";
    let known: usize = value(&default_session().await, code).await.parse().unwrap();
    assert!(known < 20, "{known} threads are known to Python");
}

#[tokio::test]
async fn what_it_cannot_be_is_refused() {
    let fuel = SandboxConfig { fuel: Some(1), ..SandboxConfig::default() };
    let rollback = SandboxConfig { rollback: true, ..SandboxConfig::default() };
    let deterministic = SandboxConfig { deterministic: true, ..SandboxConfig::default() };
    for config in [fuel, rollback, deterministic] {
        let session = InProcessSandbox::new(InProcessEngine::default(), config);
        let error = session.start(Arc::new(Echo)).await.unwrap_err();
        assert!(error.to_string().contains("--backend wasm"), "{error}");
    }
}

#[tokio::test]
async fn a_python_that_is_not_there_is_named() {
    for (python, expected) in
        [("/nowhere/python3", "/nowhere/python3"), ("/bin/true", "does not say what it is")]
    {
        let config = InProcessConfig { python: Some(python.into()) };
        let session = InProcessSandbox::new(InProcessEngine::new(config), SandboxConfig::default());
        let error = session.start(Arc::new(Echo)).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(run(&session, "1").await.error.unwrap().kind, ErrorKind::Startup);
    }
}

#[tokio::test]
async fn numpy_and_pandas_work_in_many_sessions() {
    for _ in 0..2 {
        let session = default_session().await;
        let code =
            "import numpy, pandas\nint(pandas.DataFrame({'a': numpy.array([0, 1, 2, 3])}).a.sum())";
        let result = run(&session, code).await;
        match result.error {
            Some(error) if error.error_type == "ModuleNotFoundError" => {
                eprintln!("skipped: the installed Python has no numpy or no pandas");
            }
            error => assert_eq!((error, result.value.to_string()), (None, "6".to_owned())),
        }
        session.close().await;
    }
}
