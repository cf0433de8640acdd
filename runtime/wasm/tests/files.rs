//! The files of a session as Python sees them, and that they lead nowhere else.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pcm_runtime_api::{
    ChangeKind, ErrorKind, ExecutionResult, Executor, FileChange, Limits, Mount, MountAccess,
    NoHost, RunRequest, SandboxConfig,
};
use pcm_runtime_wasm::{WasmEngine, WasmSandbox};
use serde_json::{Value, json};
use tempfile::TempDir;

const KEY: [u8; 32] = [3; 32];

async fn started(config: impl Into<SandboxConfig>) -> WasmSandbox {
    let sandbox = WasmSandbox::new(WasmEngine::shared().unwrap(), config);
    sandbox.start(Arc::new(NoHost)).await.unwrap();
    sandbox
}

async fn fresh() -> WasmSandbox {
    started(Limits::default()).await
}

/// A session with a folder of the host at `/data`.
async fn mounted(host: &TempDir, access: MountAccess) -> WasmSandbox {
    let mount = Mount { host: host.path().into(), guest: "/data".to_owned(), access };
    started(SandboxConfig { mounts: vec![mount], ..SandboxConfig::default() }).await
}

async fn run(sandbox: &dyn Executor, code: &str) -> ExecutionResult {
    sandbox.run(RunRequest::new(code)).await
}

async fn value(sandbox: &dyn Executor, code: &str) -> Value {
    let result = run(sandbox, code).await;
    assert!(result.is_ok(), "{code}: {:?}", result.error);
    result.value
}

/// The name of the error that the code ends with, and its number if it has one.
async fn refused(sandbox: &dyn Executor, code: &str) -> String {
    let body = code.replace('\n', "\n    ");
    let code = format!(
        "import errno\ntry:\n    {body}\n    r = 'went well'\nexcept Exception as e:\n    \
         r = type(e).__name__ + ' ' + errno.errorcode.get(getattr(e, 'errno', None), '')\nr.strip()"
    );
    value(sandbox, &code).await.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_session_works_in_its_own_folder() {
    let sandbox = fresh().await;
    let code = "
import os, pathlib
with open('a.txt', 'w') as f: f.write('hällo\\n')
[os.getcwd(), os.listdir(), os.listdir('/'), open('/work/a.txt').read(), str(pathlib.Path.cwd()),
 str(pathlib.Path.home()), os.path.expanduser('~/x'), os.path.abspath('a.txt'), dict(os.environ)]";
    let expected = json!([
        "/work", ["a.txt"], ["tmp", "work"], "hällo\n", "/work", "/work", "/work/x", "/work/a.txt",
        {"HOME": "/work"}
    ]);
    assert_eq!(value(&sandbox, code).await, expected);
    let code =
        "os.mkdir('d'); os.chdir('d'); open('b', 'w').close(); [os.getcwd(), os.listdir('..')]";
    assert_eq!(value(&sandbox, code).await, json!(["/work/d", ["a.txt", "d"]]));
    assert_eq!(value(&sandbox, "open('../a.txt').read()").await, "hällo\n");
}

#[tokio::test]
async fn files_are_opened_in_every_mode() {
    let sandbox = fresh().await;
    let code = "
import os, errno
def write(mode, data, name='f'):
    with open(name, mode) as f: return f.write(data)
write('x', 'one'); write('a', ' two')
try: write('x', '')
except FileExistsError: pass
with open('f', 'r+') as f:
    f.seek(4); f.write('TWO'); f.seek(0); whole = f.read()
with open('f', 'r+b') as f:
    f.truncate(3); f.seek(0, 2); end = f.tell()
with open('f', 'a+') as f:
    f.write('!'); f.seek(0); appended = f.read()
with open('f', 'w+b', buffering=0) as f:
    f.write(b'raw'); f.seek(1); raw = f.read().decode()
os.truncate('f', 5); padded = open('f', 'rb').read().hex()
fd = os.open('f', os.O_RDWR | os.O_CREAT)
os.pwrite(fd, b'XY', 1)
part = os.pread(fd, 3, 0).decode(); os.fsync(fd); os.close(fd)
[whole, end, appended, raw, padded, part]";
    let expected = json!(["one TWO", 3, "one!", "aw", "7261770000", "rXY"]);
    assert_eq!(value(&sandbox, code).await, expected);
    for (code, error) in [
        ("open('none')", "FileNotFoundError ENOENT"),
        ("open('f/x')", "NotADirectoryError ENOTDIR"),
        ("open('/work', 'w')", "IsADirectoryError EISDIR"),
        ("open('f').write('x')", "UnsupportedOperation"),
        ("os.write(os.open('f', os.O_RDONLY), b'x')", "OSError EBADF"),
        ("os.rmdir('/')", "OSError EBUSY"),
        ("os.rmdir('/work/f')", "NotADirectoryError ENOTDIR"),
        ("open('a' * 300, 'w')", "OSError ENAMETOOLONG"),
        ("open('/work/' + 'a/' * 3000)", "OSError ENAMETOOLONG"),
        ("open('a\\x00b')", "ValueError"),
        ("open(b'\\xc3.txt', 'w')", "OSError EILSEQ"),
        ("os.symlink('/etc/passwd', 'l')", "PermissionError EPERM"),
        ("os.link('f', 'h')", "PermissionError EPERM"),
        ("os.close(3)", "PermissionError EPERM"),
        ("os.readlink('f')", "OSError EINVAL"),
    ] {
        assert_eq!(refused(&sandbox, code).await, error, "{code}");
    }
}

#[tokio::test]
async fn the_modules_for_files_work() {
    let sandbox = fresh().await;
    let code = "
import os, shutil, tempfile, pathlib, glob, filecmp
p = pathlib.Path('tree/sub'); p.mkdir(parents=True)
for i in range(5): (p / f'{i}.txt').write_text(str(i))
(p.parent / 'top').write_bytes(b'x' * 100_000)
shutil.copytree('tree', 'copy')
shutil.move('copy', 'moved')
shutil.copy2('tree/top', 'top2')
same = filecmp.cmp('tree/top', 'top2') and filecmp.dircmp('tree', 'moved').diff_files == []
walked = sorted((root, sorted(dirs), len(files)) for root, dirs, files in os.walk('tree'))
scanned = sorted((e.name, e.is_dir(), e.stat().st_size, e.inode() == e.stat().st_ino) for e in os.scandir('tree'))
found = sorted(glob.glob('**/*.txt', root_dir='tree', recursive=True))
shutil.rmtree('tree'); shutil.rmtree('moved')
os.replace('top2', 'top3')
with tempfile.NamedTemporaryFile('w+', suffix='.txt') as t:
    t.write('temporary'); t.flush()
    named = [os.path.dirname(t.name), open(t.name).read()]
with tempfile.TemporaryDirectory() as d: pathlib.Path(d, 'x').touch()
with tempfile.TemporaryFile() as t: t.write(b'1')
[same, walked, scanned, found, os.listdir(), named, os.listdir('/tmp')]";
    let expected = json!([
        true,
        [["tree", ["sub"], 1], ["tree/sub", [], 5]],
        [["sub", true, 0, true], ["top", false, 100_000, true]],
        ["sub/0.txt", "sub/1.txt", "sub/2.txt", "sub/3.txt", "sub/4.txt"],
        ["top3"],
        ["/tmp", "temporary"],
        []
    ]);
    assert_eq!(value(&sandbox, code).await, expected);
}

#[tokio::test]
async fn formats_are_written_and_read() {
    let sandbox = fresh().await;
    let code = "
import csv, gzip, bz2, lzma, zipfile, tarfile, json, pickle, shelve, configparser, io
with open('t.csv', 'w', newline='') as f: csv.writer(f).writerows([[1, 'a,b'], [2, 'c']])
rows = list(csv.reader(open('t.csv', newline='')))
for module, name in ((gzip, 'g.gz'), (bz2, 'b.bz2'), (lzma, 'l.xz')):
    with module.open(name, 'wt') as f: f.write('compressed' * 1000)
    assert module.open(name, 'rt').read() == 'compressed' * 1000
with zipfile.ZipFile('z.zip', 'w', zipfile.ZIP_DEFLATED) as z:
    z.write('t.csv'); z.writestr('in/side', 'x' * 1000)
with zipfile.ZipFile('z.zip', 'a') as z: z.writestr('more', 'y')
zipfile.ZipFile('z.zip').extractall('out')
with tarfile.open('t.tar.gz', 'w:gz') as t: t.add('out')
with tarfile.open('t.tar.gz') as t: t.extractall('untar', filter='data')
pickle.dump({'a': [1, 2]}, open('p.pickle', 'wb'))
[rows, open('untar/out/in/side').read() == 'x' * 1000, zipfile.ZipFile('z.zip').namelist(),
 pickle.load(open('p.pickle', 'rb'))]";
    let expected =
        json!([[["1", "a,b"], ["2", "c"]], true, ["t.csv", "in/side", "more"], {"a": [1, 2]}]);
    assert_eq!(value(&sandbox, code).await, expected);
}

#[tokio::test]
async fn databases_are_kept_in_files() {
    let sandbox = fresh().await;
    let code = "
import sqlite3, os
db = sqlite3.connect('data.db')
db.execute('create table t(a integer primary key, b text)')
with db: db.executemany('insert into t(b) values (?)', [(str(i),) for i in range(5000)])
try:
    with db:
        db.execute('delete from t'); raise RuntimeError
except RuntimeError: pass
db.execute('vacuum'); db.close()
other = sqlite3.connect('file:data.db?mode=ro', uri=True)
[other.execute('select count(*), max(a) from t').fetchone(), sorted(os.listdir()),
 other.execute('pragma integrity_check').fetchone()[0]]";
    assert_eq!(value(&sandbox, code).await, json!([[5000, 5000], ["data.db"], "ok"]));
    let code = "
one = sqlite3.connect('/tmp/two.db', isolation_level=None); one.execute('create table t(a)')
one.execute('begin'); one.execute('insert into t values (1)')
two = sqlite3.connect('/tmp/two.db'); seen = two.execute('select count(*) from t').fetchone()[0]
one.execute('commit'); [seen, two.execute('select count(*) from t').fetchone()[0]]";
    assert_eq!(value(&sandbox, code).await, json!([0, 1]));
}

#[tokio::test]
async fn times_and_numbers_of_files_are_told() {
    let sandbox = fresh().await;
    let code = "
import os, time, stat
before = time.time(); open('a', 'w').write('12345'); s = os.stat('a')
os.utime('a', (1000, 2000.5)); t = os.stat('a')
fd = os.open('a', os.O_RDONLY); same = os.path.samestat(os.fstat(fd), t); os.close(fd)
[before - 1 < s.st_mtime <= time.time() + 1, s.st_size, stat.S_ISREG(s.st_mode), t.st_atime, t.st_mtime,
 same, s.st_nlink, s.st_uid, s.st_gid, os.path.getsize('a'), stat.S_ISDIR(os.stat('/').st_mode)]";
    let expected = json!([true, 5, true, 1000.0, 2000.5, true, 1, 0, 0, 5, true]);
    assert_eq!(value(&sandbox, code).await, expected);
}

#[tokio::test]
async fn streams_stay_what_they_are() {
    let sandbox = fresh().await;
    let code = "import os, sys\nprint('p'); os.write(1, b'w\\n'); os.write(2, b'e\\n')\n\
                [sys.stdin.read() if sys.stdin else '', os.read(0, 10).decode(), os.isatty(1)]";
    let result = run(&sandbox, code).await;
    assert_eq!(result.value, json!(["", "", false]), "{result:?}");
    assert_eq!((result.stdout.as_str(), result.stderr.as_str()), ("p\nw\n", "e\n"));
    for code in ["os.lseek(1, 0, 0)", "os.read(1, 1)", "os.write(0, b'x')", "os.pread(0, 1, 0)"] {
        assert!(refused(&sandbox, code).await.starts_with("OSError"), "{code}");
    }
    let code = "os.close(1); os.closerange(0, 300)\nprint('still here')\nopen('a', 'w').write('x')";
    let result = run(&sandbox, code).await;
    assert_eq!(
        (result.value, result.stdout.as_str()),
        (json!(1), "still here\n"),
        "{:?}",
        result.error
    );
    assert_eq!(refused(&sandbox, "os.write(1, b'x')").await, "OSError EBADF");
    let codes = "import os\nfor fd in range(256):\n  for f in (os.write, os.ftruncate):\n    \
                 try: f(fd, b'{}' if f is os.write else 0)\n    except OSError: pass\n1";
    assert_eq!(value(&fresh().await, codes).await, 1);
    let flood = "import os\nwhile True:\n  try: os.write(1, b'x' * 65536)\n  except OSError: pass";
    assert_eq!(run(&fresh().await, flood).await.error.unwrap().kind, ErrorKind::Output);
}

#[tokio::test]
async fn nothing_of_the_host_is_there() {
    let sandbox = fresh().await;
    for path in [
        "/etc/passwd",
        "/proc/self/environ",
        "/proc/self/mem",
        "/dev/mem",
        "/dev/tcp/1.1.1.1/80",
        "/work/../../etc/passwd",
        "/work/%2e%2e/etc/passwd",
        "/work/\u{2025}/etc/passwd",
        "/boot/boot.py",
        "/std/json/__init__",
    ] {
        assert_eq!(refused(&sandbox, &format!("open({path:?})")).await, "FileNotFoundError ENOENT");
    }
    let code = "
import glob, os, shutil, pathlib
open('seen', 'w').close()
for folder in ('/proc/self/fd', '/etc', '/home'):
    try: os.listdir(folder)
    except FileNotFoundError: pass
    else: raise AssertionError(folder)
try: shutil.copytree('/', '/work/c', ignore=lambda *_: ['c'])
except shutil.Error: pass
sorted(glob.glob('/**', recursive=True))";
    let seen = value(&sandbox, code).await;
    let seen: Vec<&str> = seen.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(
        seen.iter().all(|p| *p == "/" || p.starts_with("/work") || p.starts_with("/tmp")),
        "{seen:?}"
    );
    let loader = "import importlib.machinery\n\
                  importlib.machinery.SourceFileLoader('x', '/etc/x.py').load_module()";
    assert_eq!(refused(&sandbox, loader).await, "FileNotFoundError ENOENT");
    assert_eq!(refused(&sandbox, "os.rename('seen', '/../../seen2')").await, "went well");
    assert_eq!(value(&sandbox, "sorted(os.listdir('/'))").await, json!(["seen2", "tmp", "work"]));
    let other = fresh().await;
    assert_eq!(
        value(&other, "import os; [os.listdir(p) for p in ('/', '/tmp', '..', '.')]").await,
        json!([["tmp", "work"], [], ["tmp", "work"], []]),
        "another session leaves no traces"
    );
}

#[tokio::test]
async fn quotas_hold() {
    let limits = Limits { vfs_bytes: 1 << 20, vfs_entries: 50, vfs_depth: 10, ..Limits::default() };
    let sandbox = started(limits).await;
    for (code, error) in [
        ("f = open('x', 'wb'); f.seek(2**40); f.write(b'x'); f.flush()", "OSError ENOSPC"),
        ("os.truncate('x', 1024 * 2**40)", "OSError ENOSPC"),
        ("with open('y', 'wb') as f: f.write(b'x' * (1 << 20) + b'x')", "OSError ENOSPC"),
        ("os.remove('y')", "went well"),
        ("for i in range(10**6): open(f'/tmp/{i}', 'w').close()", "OSError ENOSPC"),
        ("for i in range(1000): os.remove(f'/tmp/{i}')", "FileNotFoundError ENOENT"),
        ("for i in range(1000): os.mkdir('/tmp/' + 'a/' * (i + 1))", "OSError ENAMETOOLONG"),
        ("l = []\nfor i in range(10**6): l.append(open('x', 'rb'))", "OSError EMFILE"),
        ("l.clear()", "went well"),
        ("os.makedirs('a/' * 30)", "OSError ENAMETOOLONG"),
    ] {
        let code = format!("import os\n{code}");
        assert_eq!(refused(&sandbox, &code).await, error, "{code}");
    }
    let code = "import shutil\nfor p in os.listdir('/tmp'): shutil.rmtree('/tmp/' + p)\n\
                for p in os.listdir(): (shutil.rmtree if os.path.isdir(p) else os.remove)(p)\n\
                open('all', 'wb').write(b'x' * (1 << 20))";
    assert_eq!(value(&sandbox, code).await, 1 << 20, "the room comes back");
    let peak = fs::read_to_string("/proc/self/status").unwrap();
    let peak = peak.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 400_000, "{peak} kB");
}

#[tokio::test]
async fn sleeping_ends_when_the_run_is_interrupted_and_the_session_goes_on() {
    let limits = Limits { timeout: Some(Duration::from_millis(200)), ..Limits::default() };
    let sandbox = started(limits).await;
    let start = Instant::now();
    let code = "import time\nx = 1\ntry: time.sleep(60)\nfinally: x = 2";
    let result = run(&sandbox, code).await;
    assert_eq!(result.error.unwrap().kind, ErrorKind::Timeout);
    assert!(start.elapsed() < Duration::from_secs(20));
    assert_eq!(value(&sandbox, "x").await, 2);
    let select = "import select\nselect.select([], [], [], 60)";
    assert_eq!(run(&sandbox, select).await.error.unwrap().kind, ErrorKind::Timeout);
    let code = "t = time.monotonic(); time.sleep(0.02); 0.02 <= time.monotonic() - t < 5";
    assert_eq!(value(&sandbox, code).await, true);
}

#[tokio::test]
async fn clocks_are_the_sessions_own() {
    let sandbox = fresh().await;
    let code = "
import time
assert 0 <= time.monotonic() < 600, time.monotonic()
assert time.time() > 1.7e9 and time.monotonic_ns() % 1000 == 0 and time.time_ns() % 1000 == 0
[round(time.get_clock_info(c).resolution * 1e9) for c in ('time', 'monotonic', 'perf_counter')]";
    assert_eq!(value(&sandbox, code).await, json!([1000, 1000, 1000]));
}

#[tokio::test]
async fn deterministic_sessions_see_the_same_clocks_numbers_and_files() {
    let code = "
import os, time, uuid, random, secrets
t = time.time(); time.sleep(3600); u = time.time()
open('a', 'w').write('x')
[t, u - t, time.monotonic(), os.urandom(300).hex(), str(uuid.uuid4()), random.random(),
 secrets.token_hex(4), os.stat('a').st_mtime, os.stat('a').st_ino, time.strftime('%Y-%m-%d %H')]";
    let config = SandboxConfig { deterministic: true, ..SandboxConfig::default() };
    let start = Instant::now();
    let one = started(config.clone()).await;
    let first = value(&one, code).await;
    assert!(start.elapsed() < Duration::from_mins(10), "an hour takes no time");
    assert_eq!(first[9], "2020-01-01 01");
    assert_eq!(first, value(&started(config.clone()).await, code).await);
    let saved = one.save(&KEY).await.unwrap();
    let loaded = started(config).await;
    loaded.load(&saved, &KEY).await.unwrap();
    let look = "[time.monotonic(), open('a').read()]";
    assert_eq!(value(&one, look).await, value(&loaded, look).await);
}

#[tokio::test]
async fn files_follow_checkpoints_forks_and_saved_sessions() {
    let sandbox = fresh().await;
    run(&sandbox, "f = open('a', 'w+'); f.write('one'); f.flush()").await;
    let checkpoint = sandbox.checkpoint().await.unwrap();
    let look = "import os\nf.seek(0); [f.read(), sorted(os.listdir())]";
    assert_eq!(value(&sandbox, "f.write(' two'); open('b', 'w').close(); 1").await, 1);
    assert_eq!(value(&sandbox, look).await, json!(["one two", ["a", "b"]]));
    let fork = sandbox.fork().await.unwrap();
    let saved = sandbox.save(&KEY).await.unwrap();
    sandbox.restore(checkpoint).await.unwrap();
    assert_eq!(value(&sandbox, look).await, json!(["one", ["a"]]));
    assert_eq!(value(&*fork, look).await, json!(["one two", ["a", "b"]]));
    run(&*fork, "os.remove('a'); os.remove('b')").await;
    assert_eq!(value(&*fork, look).await, json!(["one two", []]));
    let loaded = fresh().await;
    loaded.load(&saved, &KEY).await.unwrap();
    assert_eq!(value(&loaded, look).await, json!(["one two", ["a", "b"]]));
    let small = started(Limits { vfs_entries: 4, ..Limits::default() }).await;
    let told = small.load(&saved, &KEY).await.unwrap_err().to_string();
    assert!(told.contains("more than the session may have"), "{told}");
}

#[tokio::test]
async fn a_rolled_back_run_leaves_no_files() {
    let limits = Limits { timeout: Some(Duration::from_millis(300)), ..Limits::default() };
    let config = SandboxConfig { limits, rollback: true, ..SandboxConfig::default() };
    let sandbox = started(config).await;
    run(&sandbox, "open('kept', 'w').write('x')").await;
    let code = "open('lost', 'w').write('x')\nwhile True:\n  try:\n    while True: pass\n  \
                except BaseException: pass";
    let result = run(&sandbox, code).await;
    assert_eq!((result.files.len(), result.error.unwrap().kind), (0, ErrorKind::Timeout));
    assert_eq!(value(&sandbox, "import os; os.listdir()").await, json!(["kept"]));
}

#[tokio::test]
async fn results_name_the_files_that_changed() {
    let sandbox = fresh().await;
    sandbox.put_file("in/data.csv", b"a,b\n".to_vec()).await.unwrap();
    let code = "open('out.txt', 'w').write('12345'); open('in/data.csv', 'a').write('1,2\\n')";
    let result = run(&sandbox, code).await;
    let change = |path: &str, change, bytes| FileChange { path: path.to_owned(), change, bytes };
    let expected = [
        change("/work/in/data.csv", ChangeKind::Modified, 8),
        change("/work/out.txt", ChangeKind::Created, 5),
    ];
    assert_eq!(result.files, expected);
    assert_eq!(sandbox.get_file("out.txt", 5).await.unwrap(), b"12345");
    assert!(sandbox.get_file("out.txt", 4).await.is_err());
    let told = sandbox.get_file("/none", 4).await.unwrap_err().to_string();
    assert_eq!(told, "/none: no such file or folder");
    assert_eq!(run(&sandbox, "open('out.txt').read()").await.files, []);
    sandbox.reset().await.unwrap();
    assert!(sandbox.get_file("out.txt", 5).await.is_err(), "a reset session is a fresh one");
}

#[tokio::test]
async fn mounts_are_used_from_python() {
    let host = tempfile::tempdir().unwrap();
    fs::write(host.path().join("a.csv"), "x,y\n1,2\n").unwrap();
    fs::create_dir(host.path().join(".git")).unwrap();
    symlink("/etc/passwd", host.path().join("passwd")).unwrap();
    symlink("a.csv", host.path().join("link")).unwrap();
    let read = "import csv\nlist(csv.reader(open('/data/link')))";
    let denied = [
        ("open('/data/passwd')", "PermissionError EACCES"),
        ("open('/data/.git/hooks', 'w')", "PermissionError EACCES"),
        ("os.rename('/data/.git', '/data/git')", "PermissionError EACCES"),
    ];
    let sandbox = mounted(&host, MountAccess::ReadWrite).await;
    assert_eq!(value(&sandbox, read).await, json!([["x", "y"], ["1", "2"]]));
    for (code, error) in denied {
        assert_eq!(refused(&sandbox, &format!("import os\n{code}")).await, error, "{code}");
    }
    let code = "
import os, shutil, pathlib, sqlite3
os.makedirs('/data/new/sub'); pathlib.Path('/data/new/sub/x').write_text('from the sandbox')
shutil.copytree('/data/new', '/work/copied'); shutil.move('/work/copied', '/data/back')
shutil.rmtree('/data/new')
db = sqlite3.connect('/data/s.db'); db.execute('create table t(a)'); db.commit(); db.close()
[sorted(os.listdir('/data')), os.path.islink('/data/passwd'), os.lstat('/data/link').st_uid]";
    let expected = json!([[".git", "a.csv", "back", "link", "passwd", "s.db"], true, 0]);
    assert_eq!(value(&sandbox, code).await, expected);
    assert_eq!(fs::read(host.path().join("back/sub/x")).unwrap(), b"from the sandbox");

    let sandbox = mounted(&host, MountAccess::ReadOnly).await;
    assert_eq!(value(&sandbox, read).await, json!([["x", "y"], ["1", "2"]]));
    for code in [
        "open('/data/a.csv', 'r+')",
        "open('/data/a.csv', 'w')",
        "open('/data/a.csv', 'a')",
        "os.open('/data/a.csv', os.O_RDONLY | os.O_TRUNC)",
        "os.truncate('/data/a.csv', 0)",
        "os.utime('/data/a.csv')",
        "os.remove('/data/a.csv')",
        "os.mkdir('/data/d')",
        "os.replace('/data/a.csv', '/data/b.csv')",
    ] {
        assert_eq!(
            refused(&sandbox, &format!("import os\n{code}")).await,
            "OSError EROFS",
            "{code}"
        );
    }
    assert_eq!(fs::read(host.path().join("a.csv")).unwrap(), b"x,y\n1,2\n");

    let sandbox = mounted(&host, MountAccess::Overlay).await;
    let code = "
import os, shutil
shutil.rmtree('/data/back'); os.remove('/data/link')
open('/data/a.csv', 'a').write('3,4\\n'); open('/data/.git/config', 'w').write('mine')
[sorted(os.listdir('/data')), open('/data/a.csv').read()]";
    let result = run(&sandbox, code).await;
    assert_eq!(
        result.value,
        json!([[".git", "a.csv", "passwd", "s.db"], "x,y\n1,2\n3,4\n"]),
        "{result:?}"
    );
    let changed: Vec<&str> = result.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(changed, ["/data/.git/config", "/data/a.csv", "/data/back", "/data/link"]);
    assert_eq!(fs::read(host.path().join("a.csv")).unwrap(), b"x,y\n1,2\n");
    assert!(host.path().join("back/sub/x").exists() && !host.path().join(".git/config").exists());
}

#[tokio::test]
async fn a_mount_that_is_not_there_is_explained() {
    let mount =
        Mount { host: "/nowhere".into(), guest: "/data".to_owned(), access: MountAccess::ReadOnly };
    let config = SandboxConfig { mounts: vec![mount], ..SandboxConfig::default() };
    let sandbox = WasmSandbox::new(WasmEngine::shared().unwrap(), config);
    let told = sandbox.start(Arc::new(NoHost)).await.unwrap_err().to_string();
    assert!(told.contains("the mount /data is refused: /nowhere"), "{told}");
}

/// The system follows the memory's pages from the second checkpoint on, and reads of the host's
/// files write to them past the guest.
#[tokio::test]
async fn a_file_of_the_host_is_read_into_memory_that_is_followed() {
    let host = tempfile::tempdir().unwrap();
    fs::write(host.path().join("big"), vec![b'x'; 3 << 20]).unwrap();
    let sandbox = mounted(&host, MountAccess::ReadOnly).await;
    run(&sandbox, "buffer = bytearray(3 << 20)").await;
    for _ in 0..3 {
        sandbox.checkpoint().await.unwrap();
    }
    let code = "f = open('/data/big', 'rb', buffering=0)\nwhile n := f.readinto(memoryview(buffer)[f.tell():]): pass\n\
                buffer.count(b'x')";
    assert_eq!(value(&sandbox, code).await, 3 << 20);
    let checkpoint = sandbox.checkpoint().await.unwrap();
    run(&sandbox, "buffer[:] = bytes(3 << 20)").await;
    sandbox.restore(checkpoint).await.unwrap();
    assert_eq!(
        value(&sandbox, "buffer.count(b'x')").await,
        3 << 20,
        "the checkpoint has what was read"
    );
}

#[tokio::test]
async fn what_a_process_cannot_do_is_refused() {
    let sandbox = fresh().await;
    for code in [
        "import socket; socket.create_connection(('1.1.1.1', 80))",
        "import mmap",
        "import fcntl",
        "import os; os.system('id')",
        "import os; os.dup2(3, 10)",
    ] {
        assert_ne!(refused(&sandbox, code).await, "went well", "{code}");
    }
    let result = run(&sandbox, "import os; os._exit(7)").await;
    let told = result.error.unwrap();
    assert_eq!(
        (told.kind, told.message.as_str()),
        (ErrorKind::Crashed, "the code ended the interpreter with status 7")
    );
    assert_eq!(value(&sandbox, "1 + 1").await, 2);
}
