//! Folders of the host in a session, and packages among them.

use std::fs;
use std::os::unix::fs::symlink;

use pcm_runtime_api::{ChangeKind, Mount, MountAccess, MountSource, PackagesFolder, SandboxConfig};
use serde_json::json;
use tempfile::TempDir;

use super::{library, mounted, session};

/// A folder with a file, links inside and out, and what must not be written.
fn host() -> TempDir {
    let host = tempfile::tempdir().unwrap();
    fs::write(host.path().join("a.csv"), "x,y\n1,2\n").unwrap();
    fs::create_dir_all(host.path().join("sub/folder")).unwrap();
    fs::write(host.path().join("sub/folder/deep"), "deep").unwrap();
    fs::create_dir(host.path().join(".git")).unwrap();
    symlink("/etc/passwd", host.path().join("passwd")).unwrap();
    symlink("../../../../etc/passwd", host.path().join("climbs")).unwrap();
    symlink("a.csv", host.path().join("link")).unwrap();
    symlink("sub/folder", host.path().join("way")).unwrap();
    symlink("circle", host.path().join("circle")).unwrap();
    host
}

const READ: &str = "import csv\nlist(csv.reader(open('/data/link')))";

#[test]
fn a_writable_mount_is_the_hosts_folder() {
    let host = host();
    let path = host.path().to_owned();
    mounted(&host, MountAccess::ReadWrite, move |session| {
        session.check(READ, &json!([["x", "y"], ["1", "2"]]));
        for (code, error) in [
            ("open('/data/passwd')", "PermissionError EACCES"),
            ("open('/data/climbs')", "PermissionError EACCES"),
            ("os.stat('/data/passwd')", "PermissionError EACCES"),
            ("os.readlink('/data/passwd')", "PermissionError EACCES"),
            ("os.readlink('/data/climbs')", "PermissionError EACCES"),
            ("open('/data/circle')", "OSError ELOOP"),
            (
                "open('/data/link', opener=lambda p, f: os.open(p, f | os.O_NOFOLLOW))",
                "OSError ELOOP",
            ),
            ("open('/data/.git/hooks', 'w')", "PermissionError EACCES"),
            ("os.rename('/data/.git', '/data/git')", "PermissionError EACCES"),
            ("os.rename('/data/a.csv', '/work/a.csv')", "OSError EXDEV"),
            ("os.rmdir('/data')", "OSError EBUSY"),
            ("os.symlink('a.csv', '/data/new')", "PermissionError EPERM"),
        ] {
            session.check_refused(code, error);
        }
        let code = "
[os.readlink('/data/link'), os.readlink('/data/way'), os.path.islink('/data/passwd'),
 os.path.islink('/data/link'), os.lstat('/data/link').st_uid, os.listdir('/data/way'),
 open('/data/way/deep').read(), os.path.realpath('/data/way/deep')]";
        let expected = json!([
            "a.csv",
            "sub/folder",
            true,
            true,
            0,
            ["deep"],
            "deep",
            "/data/sub/folder/deep"
        ]);
        session.check(code, &expected);
        // The folder above is that of where the link leads, not that of its name.
        session.check("os.chdir('/data/way/..'); sorted(os.listdir())", &json!(["folder"]));
        let code = "
import shutil, pathlib, sqlite3
os.chdir('/data')
os.makedirs('/data/new/sub'); pathlib.Path('/data/new/sub/x').write_text('from the sandbox')
shutil.copytree('/data/new', '/work/copied'); shutil.move('/work/copied', '/data/back')
shutil.rmtree('/data/new')
db = sqlite3.connect('/data/s.db'); db.execute('create table t(a)'); db.commit(); db.close()
os.utime('/data/a.csv', (1000, 2000)); open('log', 'a').write('1'); open('log', 'a').write('2')
os.truncate('log', 1)
[sorted(os.listdir()), os.stat('a.csv').st_mtime,
 sorted((e.name, e.is_symlink(), e.inode() == e.stat(follow_symlinks=False).st_ino) for e in os.scandir())[:3]]";
        let names = [
            ".git", "a.csv", "back", "circle", "climbs", "link", "log", "passwd", "s.db", "sub",
            "way",
        ];
        let first = json!([[".git", false, true], ["a.csv", false, true], ["back", false, true]]);
        session.check(code, &json!([names, 2000.0, first]));
        assert_eq!(fs::read(path.join("back/sub/x")).unwrap(), b"from the sandbox");
        assert_eq!(fs::read(path.join("log")).unwrap(), b"1");
        fs::write(path.join("log"), "the host's").unwrap();
        session.check("open('log').read()", &json!("the host's"));
        fs::remove_file(path.join("log")).unwrap();
        session.check("os.path.exists('log')", &json!(false));
    });
}

#[test]
fn a_read_only_mount_stays_as_it_is() {
    let host = host();
    let path = host.path().to_owned();
    mounted(&host, MountAccess::ReadOnly, move |session| {
        session.check(READ, &json!([["x", "y"], ["1", "2"]]));
        for code in [
            "open('/data/a.csv', 'r+')",
            "open('/data/a.csv', 'w')",
            "open('/data/a.csv', 'a')",
            "open('/data/new', 'x')",
            "os.open('/data/a.csv', os.O_RDONLY | os.O_TRUNC)",
            "os.truncate('/data/a.csv', 0)",
            "os.utime('/data/a.csv')",
            "os.remove('/data/a.csv')",
            "os.mkdir('/data/d')",
            "os.replace('/data/a.csv', '/data/b.csv')",
            "os.rmdir('/data/sub/folder/../folder')",
        ] {
            let error = if code.contains("rmdir") { "OSError ENOTEMPTY" } else { "OSError EROFS" };
            session.check_refused(code, error);
        }
        assert_eq!(fs::read(path.join("a.csv")).unwrap(), b"x,y\n1,2\n");
    });
}

#[test]
fn an_overlay_keeps_changes_in_the_session() {
    let host = host();
    let path = host.path().to_owned();
    mounted(&host, MountAccess::Overlay, move |session| {
        let before = session.files.snapshot();
        let code = "
import shutil
shutil.rmtree('/data/sub'); os.remove('/data/link'); os.remove('/data/way')
open('/data/a.csv', 'a').write('3,4\\n'); open('/data/.git/config', 'w').write('mine')
[sorted(os.listdir('/data')), open('/data/a.csv').read()]";
        let names = json!([".git", "a.csv", "circle", "climbs", "passwd"]);
        session.check(code, &json!([names, "x,y\n1,2\n3,4\n"]));
        let changed = session.files.changes_since(&before);
        let paths: Vec<&str> = changed.iter().map(|change| change.path.as_str()).collect();
        let expected = ["/data/.git/config", "/data/a.csv", "/data/link", "/data/sub", "/data/way"];
        assert_eq!(paths, expected);
        assert_eq!(changed.first().unwrap().change, ChangeKind::Created);
        assert_eq!(fs::read(path.join("a.csv")).unwrap(), b"x,y\n1,2\n");
        assert!(path.join("sub/folder/deep").exists() && !path.join(".git/config").exists());
    });
}

/// Writes what a package brings.
fn package(folder: &TempDir, module: &str) {
    fs::write(folder.path().join("thing.py"), module).unwrap();
    fs::write(folder.path().join("native.so"), library::BYTES).unwrap();
}

#[test]
fn packages_become_others_in_the_middle_of_a_run_and_bring_libraries() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    package(&first, "value = 1");
    package(&second, "value = 2");
    fs::write(second.path().join("more.py"), "value = 3").unwrap();
    let packages = PackagesFolder::default();
    let mount = Mount {
        host: MountSource::Packages(packages.clone()),
        guest: "/packages".to_owned(),
        access: MountAccess::ReadOnly,
    };
    let config = SandboxConfig { mounts: vec![mount], ..SandboxConfig::default() };
    session(config, move |session| {
        session.check("sys.path.append('/packages'); os.listdir('/packages')", &json!([]));
        session.check_refused("import thing", "ModuleNotFoundError");
        packages.replace(first.path().to_owned());
        let code = "import importlib\nimportlib.invalidate_caches(); import thing; thing.value";
        session.check(code, &json!(1));
        session.check_refused("import more", "ModuleNotFoundError");
        packages.replace(second.path().to_owned());
        let code = "importlib.invalidate_caches(); import more\n[more.value, importlib.reload(thing).value, sorted(os.listdir('/packages'))]";
        session.check(code, &json!([3, 2, ["more.py", "native.so", "thing.py"]]));
        // The library calls one function of Python's by import, and one by an address in the table.
        let code = "
import ctypes
native = ctypes.PyDLL('/packages/native.so')
native.answer.restype = native.by_address.restype = ctypes.py_object
[native.answer(), native.by_address()]";
        session.check(code, &json!([42, 43]));
        session.check_refused("ctypes.CDLL('/packages/none.so')", "OSError");
    });
}
