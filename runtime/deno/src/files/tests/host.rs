//! Both sides of the files at once: what the embedder does, and what is the interpreter's own.

use pcm_runtime_api::{ChangeKind, FileChange, Limits};
use serde_json::json;

use super::{fresh, session};

#[test]
fn the_embedder_and_python_share_files() {
    fresh(|session| {
        let files = session.files.clone();
        files.put("in/data.csv", b"a,b\n").unwrap();
        session.check(
            "[os.path.exists('in/x'), open('in/data.csv').read()]",
            &json!([false, "a,b\n"]),
        );
        // Python asked for it when it was not there.
        files.put("in/x", b"1").unwrap();
        session.check(
            "[os.path.exists('in/x'), sorted(os.listdir('in'))]",
            &json!([true, ["data.csv", "x"]]),
        );
        let before = files.snapshot();
        session
            .run("open('out.txt', 'w').write('12345'); open('in/data.csv', 'a').write('1,2\\n')");
        let change =
            |path: &str, change, bytes| FileChange { path: path.to_owned(), change, bytes };
        let expected = [
            change("/work/in/data.csv", ChangeKind::Modified, 8),
            change("/work/out.txt", ChangeKind::Created, 5),
        ];
        assert_eq!(files.changes_since(&before), expected);
        assert_eq!(files.get("out.txt", 5).unwrap(), b"12345");
        assert!(files.get("out.txt", 4).is_err());
        let told = files.get("/none", 4).unwrap_err().to_string();
        assert_eq!(told, "/none: no such file or folder");
        let before = files.snapshot();
        session.run("open('out.txt').read(); os.stat('in')");
        assert_eq!(files.changes_since(&before), []);
    });
}

#[test]
fn another_session_has_other_files() {
    fresh(|session| {
        session.run("open('mine', 'w').write('x'); open('/tmp/mine', 'w').close()");
        let mine = session.files.clone();
        fresh(move |other| {
            other.files.put("theirs", b"y").unwrap();
            let code = "[os.listdir(p) for p in ('/', '/tmp', '.')]";
            other.check(code, &json!([["tmp", "work"], [], ["theirs"]]));
            assert!(mine.get("theirs", 10).is_err());
        });
    });
}

#[test]
fn what_is_the_interpreters_own_is_read_and_never_changed() {
    fresh(|session| {
        let before = session.files.snapshot();
        let code = "
library = '/lib/python314.zip'
import zipfile, colorsys
with open('/dev/null', 'r+b', buffering=0) as null: null.write(b'x' * 100); nothing = null.read()
with open('/dev/urandom', 'rb', buffering=0) as random: some = random.read(8)
[library in sys.path, os.path.getsize(library) > 1_000_000, zipfile.is_zipfile(library), len(nothing), len(some),
 os.path.exists('/work/../dev/null'), os.path.exists('/lib'), os.path.exists('/home'), os.listdir('/')]";
        let expected = json!([true, true, true, 0, 8, true, false, false, ["tmp", "work"]]);
        session.check(code, &expected);
        for code in [
            "open('/lib/python314.zip', 'r+')",
            "open('/lib/python314.zip', 'w')",
            "open('/lib/../lib//python314.zip', 'ab')",
            "os.open('/lib/python314.zip', os.O_RDONLY | os.O_TRUNC)",
            "os.truncate('/lib/python314.zip', 0)",
            "os.unlink('/lib/python314.zip')",
            "os.rename('/lib/python314.zip', '/lib/python3.14/x')",
            "os.rename('/lib/python314.zip', '/work/x')",
            "open('mine', 'w').close(); os.rename('/work/mine', '/lib/python314.zip')",
            "os.chmod('/lib/python314.zip', 0)",
            "os.fchmod(os.open('/lib/python314.zip', os.O_RDONLY), 0)",
            "os.utime('/lib/python314.zip')",
            "os.mkdir('/lib/python3.14/site-packages/x')",
            "os.rmdir('/lib/python3.14/site-packages')",
            "os.unlink('/dev/null')",
            "os.mkdir('/dev/shm/x')",
            "os.symlink('/work', '/dev/x')",
        ] {
            session.check_refused(code, "OSError EROFS");
        }
        for code in [
            "open('/dev/shm/x', 'w')",
            "open('/lib/python3.14/site-packages/x.py', 'w')",
            "os.mkdir('/proc/x')",
            "os.listdir('/proc/self/fd')",
            "open('/proc/self/environ')",
            "open('/proc/self/mem')",
            "open('/dev/mem')",
            "open('/etc/passwd')",
            "open('/work/../../etc/passwd')",
            "open('/work/%2e%2e/etc/passwd')",
            "open('/lib/python3.14/../../../../etc/passwd')",
            "os.listdir('/home')",
        ] {
            session.check_refused(code, "FileNotFoundError ENOENT");
        }
        session.run("os.unlink('mine')");
        assert_eq!(session.files.changes_since(&before), []);
        let code = "import glob; sorted(glob.glob('/**', recursive=True))";
        session.check(code, &json!(["/", "/tmp", "/work"]));
        // A folder of the session's own may have the name.
        session.check(
            "os.makedirs('/lib/x'); [os.listdir('/lib'), os.path.isfile('/lib/python314.zip')]",
            &json!([["x"], true]),
        );
    });
}

#[test]
fn quotas_hold() {
    let limits = Limits { vfs_bytes: 1 << 20, vfs_entries: 50, vfs_depth: 10, ..Limits::default() };
    session(limits, |session| {
        for (code, error) in [
            ("f = open('x', 'wb'); f.seek(2**40); f.write(b'x'); f.flush()", "OSError ENOSPC"),
            ("f.close()", "OSError ENOSPC"),
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
            session.check_refused(code, error);
        }
        let code = "
import shutil
for p in os.listdir('/tmp'): shutil.rmtree('/tmp/' + p)
for p in os.listdir(): (shutil.rmtree if os.path.isdir(p) else os.remove)(p)
with open('all', 'wb') as f: f.write(b'x' * (1 << 20))
usage = shutil.disk_usage('/work')
[os.path.getsize('all'), usage.total, usage.free]";
        session.check(code, &json!([1 << 20, 1 << 20, 0]));
        assert_eq!(session.files.snapshot().bytes(), 1 << 20);
    });
}

#[test]
fn large_files_go_through_in_parts() {
    fresh(|session| {
        let code = "
data = bytes(range(256)) * 20_000
with open('big', 'wb', buffering=0) as f: written = f.write(data)
with open('big', 'rb', buffering=0) as f: read = f.read(); end = f.read()
with open('big', 'rb') as f: f.seek(3_000_001); part = f.read(2_000_000)
[written, read == data, end == b'', part == data[3_000_001:5_000_001]]";
        session.check(code, &json!([5_120_000, true, true, true]));
    });
}
