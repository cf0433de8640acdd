//! What may be done with a mounted folder, and that nothing else can be reached.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use pcm_runtime_api::{Mount, MountAccess};
use pcm_runtime_files::{
    Errno, Fd, Files, Kind, Opening, PROTECTED_NAMES, Quota, ROOT, SetTime, Whence,
};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

use super::source;

const READ: Opening = Opening::READ;
const WRITE: Opening = Opening { read: true, write: true, create: true, ..READ };
const ALL: [MountAccess; 3] = [MountAccess::ReadOnly, MountAccess::ReadWrite, MountAccess::Overlay];

fn mount(host: &Path, guest: &str, access: MountAccess) -> Mount {
    Mount { host: source(host, access), guest: guest.to_owned(), access }
}

/// A folder with `a.txt` and `d/b.txt`, mounted at `/data`.
fn mounted(access: MountAccess) -> (TempDir, Files) {
    let host = tempfile::tempdir().unwrap();
    fs::write(host.path().join("a.txt"), "host a").unwrap();
    fs::create_dir(host.path().join("d")).unwrap();
    fs::write(host.path().join("d/b.txt"), "host b").unwrap();
    let files = remounted(&host, access);
    (host, files)
}

fn remounted(host: &TempDir, access: MountAccess) -> Files {
    let quota = Quota { bytes: 1 << 20, entries: 100, depth: 8 };
    Files::with_mounts(quota, &[mount(host.path(), "/data", access)], 1).unwrap()
}

fn open(files: &mut Files, path: &str, how: Opening) -> Result<Fd, Errno> {
    files.open(ROOT, path, how, 1)
}

fn text(files: &Files, path: &str) -> String {
    String::from_utf8(files.get(path, 1 << 20).unwrap()).unwrap()
}

fn names(files: &Files, path: &str) -> Vec<String> {
    files.list(path).unwrap().into_iter().map(|(name, _)| name).collect()
}

#[test]
fn every_mount_is_read() {
    for access in ALL {
        let (_host, mut files) = mounted(access);
        assert_eq!(names(&files, "/"), ["data", "tmp", "work"]);
        assert_eq!(names(&files, "/data"), ["a.txt", "d"]);
        assert_eq!(text(&files, "/data/d/b.txt"), "host b");
        assert_eq!(text(&files, "/work/../data/d/../a.txt"), "host a");
        let fd = open(&mut files, "/data/a.txt", READ).unwrap();
        let copy = files.clone();
        let mut buffer = [0; 4];
        assert_eq!(files.read(fd, &mut buffer).unwrap(), 4);
        assert_eq!(files.seek(fd, 0, Whence::Current).unwrap(), 4);
        assert_eq!(copy.access(fd).unwrap().kind, Kind::File);
        assert_eq!(copy.clone().seek(fd, 0, Whence::Current).unwrap(), 0, "a position of its own");
        let folder = open(&mut files, "/data/d", READ).unwrap();
        assert!(files.open(folder, "b.txt", READ, 1).is_ok());
        assert!(files.open(folder, "../a.txt", READ, 1).is_ok());
        assert!(files.open(folder, "../../work", READ, 1).is_ok());
        assert!(!files.exists("/data/none") && !files.exists("/data/a.txt/x"));
        assert_eq!(files.stat_path(ROOT, "/data/none/..", true), Err(Errno::NotFound));
        assert_eq!(files.stat_path(ROOT, "/data/a.txt/..", true), Err(Errno::NotFolder));
    }
}

#[test]
fn a_read_only_mount_stays_as_it_is() {
    let (host, mut files) = mounted(MountAccess::ReadOnly);
    let before = fs::metadata(host.path().join("a.txt")).unwrap().modified().unwrap();
    let truncate = Opening { truncate: true, ..READ };
    for how in [WRITE, truncate, Opening { append: true, ..READ }, Opening { write: true, ..READ }]
    {
        assert_eq!(open(&mut files, "/data/a.txt", how), Err(Errno::ReadOnly), "{how:?}");
    }
    assert_eq!(open(&mut files, "/data/new", WRITE), Err(Errno::ReadOnly));
    assert_eq!(files.make_folder(ROOT, "/data/new", 1), Err(Errno::ReadOnly));
    assert_eq!(files.remove_file(ROOT, "/data/a.txt", 1), Err(Errno::ReadOnly));
    assert_eq!(files.rename((ROOT, "/data/a.txt"), (ROOT, "/data/c"), 1), Err(Errno::ReadOnly));
    assert_eq!(files.rename((ROOT, "/data/a.txt"), (ROOT, "/work/c"), 1), Err(Errno::ReadOnly));
    files.put("/work/x", b"x", 1).unwrap();
    assert_eq!(files.rename((ROOT, "/work/x"), (ROOT, "/data/x"), 1), Err(Errno::CrossDevice));
    fs::create_dir(host.path().join("empty")).unwrap();
    assert_eq!(files.remove_folder(ROOT, "/data/empty", 1), Err(Errno::ReadOnly));
    let keep = (SetTime::Keep, SetTime::To(5));
    assert_eq!(
        files.set_times_path((ROOT, "/data/d", true), keep.0, keep.1, 1),
        Err(Errno::ReadOnly)
    );
    let fd = open(&mut files, "/data/a.txt", READ).unwrap();
    assert_eq!(files.write(fd, b"x", 1), Err(Errno::BadDescriptor));
    assert_eq!(files.set_size(fd, 0, 1), Err(Errno::Invalid));
    assert_eq!(files.set_times(fd, keep.0, keep.1, 1), Err(Errno::ReadOnly));
    assert!(files.put("/data/x", b"x", 1).is_err() && files.put("/data/n/x", b"x", 1).is_err());
    let after = fs::metadata(host.path().join("a.txt")).unwrap().modified().unwrap();
    assert_eq!(
        (fs::read(host.path().join("a.txt")).unwrap().as_slice(), before),
        (b"host a".as_slice(), after)
    );
}

#[test]
fn a_writable_mount_is_the_folder_itself() {
    let (host, mut files) = mounted(MountAccess::ReadWrite);
    let on_host = |path: &str| fs::read_to_string(host.path().join(path)).unwrap();
    files.put("/data/new/deep/x", b"put", 1).unwrap();
    assert_eq!(on_host("new/deep/x"), "put");
    let fd = open(&mut files, "/data/a.txt", Opening { append: true, ..WRITE }).unwrap();
    fs::write(host.path().join("a.txt"), "longer on the host").unwrap();
    files.write(fd, b"!", 1).unwrap();
    assert_eq!(on_host("a.txt"), "longer on the host!");
    files.set_size(fd, 6, 1).unwrap();
    files.write_at(fd, 0, b"L", 1).unwrap();
    assert_eq!(on_host("a.txt"), "Longer");
    open(&mut files, "/data/a.txt", Opening { truncate: true, ..WRITE }).unwrap();
    assert_eq!(on_host("a.txt"), "");
    files.rename((ROOT, "/data/new/deep"), (ROOT, "/data/moved"), 1).unwrap();
    assert_eq!(on_host("moved/x"), "put");
    assert_eq!(
        files.rename((ROOT, "/data/moved"), (ROOT, "/data/moved/in"), 1),
        Err(Errno::Invalid)
    );
    assert_eq!(files.rename((ROOT, "/data/moved"), (ROOT, "/work/m"), 1), Err(Errno::CrossDevice));
    files.remove_file(ROOT, "/data/moved/x", 1).unwrap();
    files.remove_folder(ROOT, "/data/moved", 1).unwrap();
    assert!(!host.path().join("moved").exists());
    let times = (SetTime::To(1_000_000_000), SetTime::To(2_500_000_000));
    files.set_times_path((ROOT, "/data/d/b.txt", true), times.0, times.1, 1).unwrap();
    assert_eq!(files.stat_path(ROOT, "/data/d/b.txt", true).unwrap().times.modified, 2_500_000_000);
    assert_eq!((files.bytes(), files.entries()), (0, 4), "the host's files are not counted");
    assert_eq!(files.changes_since(&remounted(&host, MountAccess::ReadWrite)), []);
}

#[test]
fn a_file_of_a_writable_mount_is_no_longer_than_the_quota() {
    let (host, mut files) = mounted(MountAccess::ReadWrite);
    let fd = open(&mut files, "/data/a.txt", WRITE).unwrap();
    files.seek(fd, 1 << 40, Whence::Start).unwrap();
    assert_eq!(files.write(fd, b"x", 1), Err(Errno::NoSpace));
    assert_eq!(files.set_size(fd, 1 << 40, 1), Err(Errno::NoSpace));
    assert_eq!(files.write_at(fd, u64::MAX, b"x", 1), Err(Errno::FileTooLarge));
    assert_eq!(files.write_at(fd, (1 << 20) - 1, b"xy", 1), Err(Errno::NoSpace));
    assert!(files.put("/data/big", &vec![0; (1 << 20) + 1], 1).is_err());
    assert!(!host.path().join("big").exists());
    assert_eq!(fs::metadata(host.path().join("a.txt")).unwrap().len(), 6);
    files.seek(fd, i64::MAX, Whence::Start).unwrap();
    assert_eq!(files.read(fd, &mut [0]).unwrap_or(0), 0);
}

#[test]
fn protected_names_of_a_writable_mount_cannot_be_changed_in_any_way() {
    for name in PROTECTED_NAMES {
        let (host, mut files) = mounted(MountAccess::ReadWrite);
        fs::create_dir(host.path().join(name)).unwrap();
        fs::write(host.path().join(name).join("x"), "host").unwrap();
        let inside = format!("/data/{name}/x");
        let itself = format!("/data/{name}");
        assert_eq!(text(&files, &inside), "host", "reading is allowed");
        let denied = Err(Errno::Access);
        for how in [WRITE, Opening { truncate: true, ..READ }, Opening { write: true, ..READ }] {
            assert_eq!(open(&mut files, &inside, how), denied.map(|()| 0), "{name}");
        }
        assert_eq!(open(&mut files, &format!("{inside}2"), WRITE), denied.map(|()| 0));
        assert_eq!(open(&mut files, &format!("/data/d/{name}"), WRITE), denied.map(|()| 0));
        assert_eq!(files.make_folder(ROOT, &format!("/data/d/{name}"), 1), denied);
        assert_eq!(files.make_folder(ROOT, &format!("{itself}/new"), 1), denied);
        assert_eq!(files.remove_file(ROOT, &inside, 1), denied);
        let rename =
            |files: &mut Files, from: &str, to: &str| files.rename((ROOT, from), (ROOT, to), 1);
        assert_eq!(rename(&mut files, &itself, "/data/other"), denied);
        assert_eq!(rename(&mut files, &inside, "/data/other"), denied);
        assert_eq!(rename(&mut files, "/data/a.txt", &format!("{itself}/y")), denied);
        assert_eq!(
            rename(&mut files, "/data/d", &format!("/data/{}", name.to_uppercase())),
            denied
        );
        let times = (SetTime::To(1), SetTime::To(1));
        assert_eq!(files.set_times_path((ROOT, &inside, true), times.0, times.1, 1), denied);
        let folder = open(&mut files, &itself, READ).unwrap();
        assert_eq!(files.open(folder, "x", WRITE, 1), denied.map(|()| 0), "not from a descriptor");
        assert_eq!(files.open(folder, "../d/../.GIT", WRITE, 1), denied.map(|()| 0));
        assert!(files.put(&inside, b"x", 1).is_err(), "nor by the embedder's mistake");
        fs::remove_file(host.path().join(name).join("x")).unwrap();
        assert_eq!(files.remove_folder(ROOT, &itself, 1), denied);
    }
}

#[test]
fn moving_a_folder_away_and_back_does_not_open_what_is_protected_in_it() {
    let (host, mut files) = mounted(MountAccess::ReadWrite);
    fs::create_dir_all(host.path().join("d/.git/hooks")).unwrap();
    files.rename((ROOT, "/data/d"), (ROOT, "/data/e"), 1).unwrap();
    assert_eq!(open(&mut files, "/data/e/.git/hooks/pre-commit", WRITE), Err(Errno::Access));
    files.make_folder(ROOT, "/data/hooks", 1).unwrap();
    files.put("/data/hooks/pre-commit", b"evil", 1).unwrap();
    let into = files.rename((ROOT, "/data/hooks"), (ROOT, "/data/e/.git/hooks"), 1);
    assert_eq!(into, Err(Errno::Access));
    files.rename((ROOT, "/data/e"), (ROOT, "/data/d"), 1).unwrap();
    assert!(fs::read_dir(host.path().join("d/.git/hooks")).unwrap().next().is_none());
}

#[test]
fn a_link_of_the_host_does_not_lead_around_a_protected_name() {
    let (host, mut files) = mounted(MountAccess::ReadWrite);
    fs::create_dir_all(host.path().join(".git/hooks")).unwrap();
    fs::write(host.path().join(".bashrc"), "host").unwrap();
    symlink(".git", host.path().join("git")).unwrap();
    symlink("../.git/hooks", host.path().join("d/hooks")).unwrap();
    symlink(".bashrc", host.path().join("rc")).unwrap();
    for path in ["/data/git/config", "/data/git/hooks/x", "/data/d/hooks/x", "/data/rc"] {
        assert_eq!(open(&mut files, path, WRITE), Err(Errno::Access), "{path}");
    }
    assert_eq!(text(&files, "/data/rc"), "host");
    assert_eq!(files.make_folder(ROOT, "/data/git/x", 1), Err(Errno::Access));
}

#[test]
fn links_are_followed_inside_their_mount_only() {
    for access in ALL {
        let (host, _) = mounted(access);
        let secret = tempfile::tempdir().unwrap();
        fs::write(secret.path().join("secret"), "secret").unwrap();
        let link = |target: &Path, name: &str| symlink(target, host.path().join(name)).unwrap();
        link(Path::new("d/b.txt"), "inside");
        link(Path::new("d"), "folder");
        link(Path::new("../a.txt"), "d/up");
        link(&secret.path().join("secret"), "absolute");
        link(secret.path(), "absolute_folder");
        link(&Path::new("..").join(secret.path().file_name().unwrap()), "climbs");
        link(Path::new(".."), "above");
        link(Path::new("d/../.."), "above_later");
        link(Path::new("above/.."), "above_twice");
        link(Path::new("/proc/self/root"), "proc");
        link(Path::new("loop"), "loop");
        link(Path::new("/data/a.txt"), "guest_absolute");
        let mut files = remounted(&host, access);
        assert_eq!(text(&files, "/data/inside"), "host b");
        assert_eq!(text(&files, "/data/folder/b.txt"), "host b");
        assert_eq!(text(&files, "/data/folder/up"), "host a");
        for path in [
            "absolute",
            "absolute_folder/secret",
            "climbs/secret",
            "above/x",
            "above_later/x",
            "above_twice/x",
            "proc/etc/passwd",
            "guest_absolute",
        ] {
            let path = format!("/data/{path}");
            assert_eq!(open(&mut files, &path, READ), Err(Errno::Access), "{path}");
            assert!(open(&mut files, &path, WRITE).is_err(), "{path}");
        }
        assert_eq!(open(&mut files, "/data/loop", READ), Err(Errno::Loop));
        let own = files.stat_path(ROOT, "/data/absolute", false).unwrap();
        assert_eq!(
            (own.kind, own.size),
            (Kind::Link, 0),
            "the length of its target says something"
        );
        assert_eq!(files.read_link(ROOT, "/data/folder/up").unwrap(), "../a.txt");
        for path in ["absolute", "climbs", "above", "guest_absolute"] {
            assert_eq!(files.read_link(ROOT, &format!("/data/{path}")), Err(Errno::Access));
        }
        assert_eq!(files.read_link(ROOT, "/data/a.txt"), Err(Errno::Invalid));
        let no_follow = Opening { follow: false, ..READ };
        assert_eq!(open(&mut files, "/data/inside", no_follow), Err(Errno::Loop));
    }
}

#[test]
fn removing_a_link_leaves_what_it_leads_to() {
    let (host, mut files) = mounted(MountAccess::ReadWrite);
    symlink("a.txt", host.path().join("link")).unwrap();
    files.rename((ROOT, "/data/link"), (ROOT, "/data/link2"), 1).unwrap();
    files.remove_file(ROOT, "/data/link2", 1).unwrap();
    assert_eq!(names(&files, "/data"), ["a.txt", "d"]);
}

#[test]
fn what_is_no_file_is_not_opened_and_nobody_waits() {
    for access in ALL {
        let (host, mut files) = mounted(access);
        let mode = Mode::from_raw_mode(0o666);
        mknodat(CWD, host.path().join("pipe"), FileType::Fifo, mode, 0).unwrap();
        mknodat(CWD, host.path().join("socket"), FileType::Socket, mode, 0).unwrap();
        assert!(fs::symlink_metadata(host.path().join("pipe")).unwrap().file_type().is_fifo());
        symlink("pipe", host.path().join("link")).unwrap();
        for name in ["pipe", "socket", "link"] {
            let path = format!("/data/{name}");
            for how in [READ, WRITE, Opening { append: true, ..WRITE }] {
                let refused = open(&mut files, &path, how).unwrap_err();
                assert!(matches!(refused, Errno::Access | Errno::ReadOnly), "{name} {refused:?}");
            }
            assert!(files.get(&path, 10).is_err());
        }
        assert_eq!(files.stat_path(ROOT, "/data/pipe", true).unwrap().kind, Kind::Other);
    }
}

#[test]
fn numbers_and_devices_are_the_sessions_own() {
    use std::os::unix::fs::MetadataExt as _;
    let (host, mut files) = mounted(MountAccess::ReadOnly);
    let real = fs::metadata(host.path().join("a.txt")).unwrap().ino();
    let stat = files.stat_path(ROOT, "/data/a.txt", true).unwrap();
    assert_ne!(stat.number, real);
    assert_eq!(stat.device, 1);
    let fd = open(&mut files, "/data/a.txt", READ).unwrap();
    assert_eq!(files.stat(fd).unwrap(), stat, "the same file has the same number");
    assert_eq!(files.clone().stat(fd).unwrap(), stat, "in a copy too");
    let other = remounted(&host, MountAccess::ReadOnly);
    assert_ne!(other.stat_path(ROOT, "/data/a.txt", true).unwrap().number, stat.number);
    let folder = open(&mut files, "/data", READ).unwrap();
    let mut listed = None;
    files
        .read_folder(folder, 0, &mut |entry| {
            if entry.name == "a.txt" {
                listed = Some(entry.number);
            }
            true
        })
        .unwrap();
    assert_eq!(listed, Some(stat.number));
}

#[test]
fn a_big_folder_is_listed_in_pieces() {
    let host = tempfile::tempdir().unwrap();
    for number in 0..5_000 {
        fs::write(host.path().join(format!("file {number}")), "").unwrap();
    }
    for access in ALL {
        let mut files = remounted(&host, access);
        let fd = open(&mut files, "/data", READ).unwrap();
        let copy = files.clone();
        let (mut all, mut cookie, mut pieces) = (Vec::new(), 0, 0);
        loop {
            let mut left = 333;
            let files = if pieces % 2 == 0 { &files } else { &copy };
            files
                .read_folder(fd, cookie, &mut |entry| {
                    all.push(entry.name.to_owned());
                    cookie = entry.cookie;
                    left -= 1;
                    left > 0
                })
                .unwrap();
            if left == 333 {
                break;
            }
            pieces += 1;
        }
        all.sort_unstable();
        all.dedup();
        assert_eq!((all.len(), pieces), (5_002, 16));
    }
}

#[test]
fn names_that_are_not_utf_8_are_left_out_and_in_the_way() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    for access in [MountAccess::ReadWrite, MountAccess::Overlay] {
        let (host, _) = mounted(access);
        fs::create_dir(host.path().join("odd")).unwrap();
        fs::write(host.path().join("odd").join(OsStr::from_bytes(b"\xc3.txt")), "").unwrap();
        symlink(OsStr::from_bytes(b"\xff"), host.path().join("link")).unwrap();
        let mut files = remounted(&host, access);
        assert_eq!(names(&files, "/data/odd"), [""; 0]);
        assert_eq!(files.remove_folder(ROOT, "/data/odd", 1), Err(Errno::NotEmpty));
        assert_eq!(open(&mut files, "/data/link", READ), Err(Errno::Access));
        for name in ["line\nbreak", "CON", ".hidden", "‥", "%2e%2e", "\\..\\x"] {
            files.put(&format!("/data/odd/{name}"), b"x", 1).unwrap();
            assert_eq!(text(&files, &format!("/data/odd/{name}")), "x");
        }
    }
}

#[test]
fn mounts_that_make_no_sense_are_refused_with_the_reason() {
    let host = tempfile::tempdir().unwrap();
    let told =
        |mounts: &[Mount]| Files::with_mounts(Quota::default(), mounts, 1).unwrap_err().to_string();
    let at = |guest: &str| mount(host.path(), guest, MountAccess::ReadOnly);
    for (guest, reason) in [
        ("data", "must be absolute"),
        ("", "must be absolute"),
        ("/", "root"),
        ("/a/../b", "without"),
        ("/a//b", "without"),
        ("/a/", "without"),
        ("/./a", "without"),
        ("/a\0", "NUL"),
        (&format!("/{}", "a".repeat(256)), "too long"),
    ] {
        let told = told(&[at(guest)]);
        assert!(told.contains(reason), "{guest:?}: {told}");
    }
    assert!(told(&[at("/a"), at("/a")]).contains("same place"));
    assert!(told(&[at("/a/b"), at("/a")]).contains("around it"));
    assert!(told(&[at("/a"), at("/a/b/c")]).contains("around it"));
    let deep = [at("/deep/er/a"), at("/deep/er/ab"), at("/work/data"), at("/tmp")];
    let mut files = Files::with_mounts(Quota::default(), &deep, 1).unwrap();
    assert_eq!(names(&files, "/deep/er"), ["a", "ab"]);
    assert_eq!(files.rename((ROOT, "/deep"), (ROOT, "/x"), 1), Err(Errno::Busy));
    assert_eq!(files.rename((ROOT, "/deep/er/a"), (ROOT, "/x"), 1), Err(Errno::Busy));
    assert_eq!(files.remove_folder(ROOT, "/tmp", 1), Err(Errno::Busy));
    assert_eq!(files.remove_folder(ROOT, "/deep", 1), Err(Errno::NotEmpty));
}

#[test]
fn a_session_holds_few_handles_of_the_host() {
    let (_host, mut files) = mounted(MountAccess::ReadWrite);
    let open = |files: &mut Files, path, how| files.open(ROOT, path, how, 1);
    let held = (0..200).take_while(|_| open(&mut files, "/data/a.txt", READ).is_ok()).count();
    assert_eq!(held, 64);
    for (path, how) in [("/data/d", READ), ("/data/a.txt", WRITE), ("/data/new", WRITE)] {
        assert_eq!(open(&mut files, path, how), Err(Errno::TooManyOpen), "{path}");
    }
    assert!(open(&mut files, "/work/own", WRITE).is_ok(), "what is in memory needs none");
    assert_eq!(text(&files, "/data/d/b.txt"), "host b", "the embedder is not the guest");
    files.close(10).unwrap();
    assert!(open(&mut files, "/data/d", READ).is_ok());
}

#[test]
fn what_the_host_forbids_is_refused() {
    if rustix::process::geteuid().is_root() {
        return; // nothing is forbidden
    }
    let (host, mut files) = mounted(MountAccess::ReadWrite);
    fs::set_permissions(host.path().join("a.txt"), fs::Permissions::from_mode(0o000)).unwrap();
    assert_eq!(open(&mut files, "/data/a.txt", READ), Err(Errno::Access));
}

/// Somebody on the host swaps a folder for a link that leads out, as fast as possible.
#[test]
fn a_folder_that_becomes_a_link_meanwhile_does_not_lead_out() {
    for access in [MountAccess::ReadOnly, MountAccess::ReadWrite] {
        let (host, mut files) = mounted(access);
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("b.txt"), "secret").unwrap();
        let (folder, aside) = (host.path().join("d"), host.path().join("aside"));
        let link = host.path().join("link");
        symlink(outside.path(), &link).unwrap();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    drop(fs::rename(&folder, &aside));
                    drop(fs::rename(&link, &folder));
                    drop(fs::rename(&folder, &link));
                    drop(fs::rename(&aside, &folder));
                }
            });
            let end = std::time::Instant::now() + Duration::from_millis(300);
            while std::time::Instant::now() < end {
                if let Ok(content) = files.get("/data/d/b.txt", 100) {
                    assert_ne!(content, b"secret");
                }
                if let Ok(fd) = open(&mut files, "/data/d/new", WRITE) {
                    files.close(fd).unwrap();
                }
                let _ = files.remove_file(ROOT, "/data/d/b.txt", 1);
            }
            stop.store(true, Ordering::Relaxed);
        });
        let outside: Vec<_> = fs::read_dir(outside.path()).unwrap().collect();
        assert_eq!(outside.len(), 1, "nothing was made outside");
    }
}
