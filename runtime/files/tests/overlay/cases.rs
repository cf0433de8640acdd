//! Overlays, and what is saved.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::slice;

use pcm_runtime_api::{ChangeKind, Mount, MountAccess};
use pcm_runtime_files::{Errno, Fd, Files, Opening, Quota, ROOT, SetTime, Whence};
use tempfile::TempDir;

use super::source;

const READ: Opening = Opening::READ;
const WRITE: Opening = Opening { read: true, write: true, create: true, ..READ };
const QUOTA: Quota = Quota { bytes: 1 << 20, entries: 100, depth: 8 };

fn host() -> TempDir {
    let host = tempfile::tempdir().unwrap();
    fs::create_dir_all(host.path().join("d/deep/er")).unwrap();
    fs::write(host.path().join("a"), "host a").unwrap();
    fs::write(host.path().join("d/b"), "host b").unwrap();
    fs::write(host.path().join("d/deep/er/c"), "host c").unwrap();
    symlink("d/deep", host.path().join("link")).unwrap();
    host
}

fn mounts(host: &TempDir) -> [Mount; 1] {
    let (host, guest) = (source(host.path(), MountAccess::Overlay), "/data".to_owned());
    [Mount { host, guest, access: MountAccess::Overlay }]
}

fn overlay(host: &TempDir) -> Files {
    Files::with_mounts(QUOTA, &mounts(host), 1).unwrap()
}

/// Everything in a folder of the host, with content.
fn everything(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut left = vec![folder.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_folder = path.symlink_metadata().unwrap().is_dir();
            let content = if is_folder { Vec::new() } else { fs::read(&path).unwrap_or_default() };
            all.insert(path.display().to_string(), content);
            if is_folder {
                left.push(path);
            }
        }
    }
    all
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

fn told(files: &Files, before: &Files) -> Vec<(String, ChangeKind, u64)> {
    let changes = files.changes_since(before);
    changes.into_iter().map(|change| (change.path, change.change, change.bytes)).collect()
}

#[test]
fn what_is_written_stays_in_the_session() {
    let host = host();
    let before = everything(host.path());
    let mut files = overlay(&host);
    files.put("/data/a", b"mine", 2).unwrap();
    files.put("/data/new/x", b"new", 2).unwrap();
    let fd = open(&mut files, "/data/d/deep/er/c", Opening { append: true, ..WRITE }).unwrap();
    files.write(fd, b" and more", 2).unwrap();
    files.remove_file(ROOT, "/data/d/b", 2).unwrap();
    assert_eq!(text(&files, "/data/a"), "mine");
    assert_eq!(text(&files, "/data/d/deep/er/c"), "host c and more");
    assert_eq!(text(&files, "/data/link/er/c"), "host c and more", "links lead to what is shown");
    assert_eq!(names(&files, "/data"), ["a", "d", "link", "new"]);
    assert_eq!(names(&files, "/data/d"), ["deep"]);
    assert_eq!(open(&mut files, "/data/d/b", READ), Err(Errno::NotFound));
    assert_eq!(before, everything(host.path()));
    assert_eq!(names(&overlay(&host), "/data/d"), ["b", "deep"], "another session has its own");
}

#[test]
fn writes_count_and_reads_do_not() {
    let host = host();
    fs::write(host.path().join("big"), vec![1; 2 << 20]).unwrap();
    let mut files = overlay(&host);
    assert_eq!(files.get("/data/big", 4 << 20).unwrap().len(), 2 << 20);
    assert_eq!(open(&mut files, "/data/big", Opening { write: true, ..READ }), Err(Errno::NoSpace));
    assert_eq!((files.bytes(), files.entries()), (0, 4));
    let truncate = Opening { truncate: true, ..WRITE };
    let fd = open(&mut files, "/data/big", truncate).unwrap();
    files.write(fd, b"12345", 1).unwrap();
    assert_eq!((files.bytes(), files.entries()), (5, 5), "what is cut off is not copied first");
    open(&mut files, "/data/a", WRITE).unwrap();
    assert_eq!(files.bytes(), 11);
    for number in 0..100 {
        fs::write(host.path().join(format!("many{number}")), "").unwrap();
    }
    let removed = (0..100)
        .take_while(|n| files.remove_file(ROOT, &format!("/data/many{n}"), 1).is_ok())
        .count();
    assert_eq!((removed, files.entries()), (94, 100), "what is hidden counts");
    assert_eq!(files.remove_file(ROOT, "/data/many99", 1), Err(Errno::NoSpace));
}

#[test]
fn names_can_be_deleted_made_again_and_moved() {
    let host = host();
    let before = everything(host.path());
    let mut files = overlay(&host);
    let rename = |files: &mut Files, from, to| files.rename((ROOT, from), (ROOT, to), 2);
    files.remove_file(ROOT, "/data/a", 2).unwrap();
    assert_eq!(files.remove_file(ROOT, "/data/a", 2), Err(Errno::NotFound));
    files.make_folder(ROOT, "/data/a", 2).unwrap();
    assert_eq!(names(&files, "/data/a"), [""; 0]);
    files.remove_folder(ROOT, "/data/a", 2).unwrap();
    assert!(!files.exists("/data/a"));
    files.put("/data/a", b"again", 2).unwrap();
    assert_eq!(text(&files, "/data/a"), "again");
    rename(&mut files, "/data/d/b", "/data/b2").unwrap();
    assert_eq!((text(&files, "/data/b2").as_str(), files.exists("/data/d/b")), ("host b", false));
    rename(&mut files, "/data/b2", "/data/d/deep/er/c").unwrap();
    assert_eq!(text(&files, "/data/d/deep/er/c"), "host b");
    assert_eq!(rename(&mut files, "/data/d", "/data/e"), Err(Errno::CrossDevice));
    assert_eq!(rename(&mut files, "/data/d/deep", "/data/d/e"), Err(Errno::CrossDevice));
    assert_eq!(rename(&mut files, "/data/d", "/data/d/deep/x"), Err(Errno::Invalid));
    assert_eq!(files.remove_folder(ROOT, "/data/d/deep", 2), Err(Errno::NotEmpty));
    files.make_folder(ROOT, "/data/own", 2).unwrap();
    files.put("/data/own/x", b"x", 2).unwrap();
    rename(&mut files, "/data/own", "/data/d/own").unwrap();
    rename(&mut files, "/data/d/own/x", "/work/x").unwrap();
    assert_eq!(text(&files, "/work/x"), "x", "both are in memory");
    assert_eq!(files.remove_folder(ROOT, "/data", 2), Err(Errno::Busy));
    assert_eq!(before, everything(host.path()));
}

#[test]
fn a_whole_tree_is_removed_and_made_anew() {
    let host = host();
    let mut files = overlay(&host);
    let start = files.clone();
    let folder = open(&mut files, "/data/d", READ).unwrap();
    files.remove_file(folder, "deep/er/c", 2).unwrap();
    files.remove_folder(folder, "deep/er", 2).unwrap();
    assert!(files.stat_path(folder, "deep", true).is_ok(), "the descriptor sees the copy");
    files.remove_folder(folder, "deep", 2).unwrap();
    files.remove_file(folder, "b", 2).unwrap();
    files.remove_folder(ROOT, "/data/d", 2).unwrap();
    assert_eq!(names(&files, "/data"), ["a", "link"]);
    let mut listed = 0;
    files
        .read_folder(folder, 0, &mut |_| {
            listed += 1;
            true
        })
        .unwrap();
    assert_eq!(listed, 0, "it is gone, and still open");
    assert_eq!(files.open(folder, "x", WRITE, 1), Err(Errno::NotFound));
    assert_eq!(told(&files, &start), [("/data/d".to_owned(), ChangeKind::Deleted, 0)]);
    files.put("/data/d/deep/x", b"x", 2).unwrap();
    assert_eq!(
        (names(&files, "/data/d"), names(&files, "/data/d/deep")),
        (vec!["deep".to_owned()], vec!["x".to_owned()])
    );
    assert_eq!(open(&mut files, "/data/link/er/c", READ), Err(Errno::NotFound));
}

#[test]
fn an_open_file_of_the_host_is_read_on_when_the_overlay_has_its_own() {
    let host = host();
    let mut files = overlay(&host);
    let fd = open(&mut files, "/data/a", READ).unwrap();
    files.put("/data/a", b"other!", 2).unwrap();
    let mut buffer = [0; 6];
    assert_eq!(files.read(fd, &mut buffer).unwrap(), 6);
    assert_eq!(&buffer, b"host a");
    files.set_times(fd, SetTime::Keep, SetTime::To(77), 3).unwrap();
    assert_eq!(files.stat_path(ROOT, "/data/a", true).unwrap().times.modified, 77);
    let link = files.set_times_path((ROOT, "/data/link", false), SetTime::Keep, SetTime::To(1), 3);
    assert_eq!(link, Err(Errno::Access));
}

#[test]
fn changes_of_an_overlay_are_told() {
    let host = host();
    let mut files = overlay(&host);
    let before = files.clone();
    open(&mut files, "/data/a", WRITE).unwrap();
    assert_eq!(told(&files, &before), [], "it was copied and says the same");
    files.put("/data/a", b"host b", 2).unwrap();
    files.put("/data/d/new", b"1", 2).unwrap();
    files.remove_file(ROOT, "/data/d/b", 2).unwrap();
    let told = told(&files, &before);
    let expected = [
        ("/data/a", ChangeKind::Modified, 6),
        ("/data/d/b", ChangeKind::Deleted, 0),
        ("/data/d/new", ChangeKind::Created, 1),
    ];
    assert_eq!(told, expected.map(|(path, change, bytes)| (path.to_owned(), change, bytes)));
}

#[test]
fn a_host_that_changes_its_folder_is_seen_or_missed_but_nothing_breaks() {
    let host = host();
    let mut files = overlay(&host);
    files.put("/data/d/deep/mine", b"x", 1).unwrap();
    fs::write(host.path().join("later"), "later").unwrap();
    assert_eq!(text(&files, "/data/later"), "later");
    fs::remove_dir_all(host.path().join("d")).unwrap();
    assert_eq!(names(&files, "/data/d"), ["deep"]);
    assert_eq!(names(&files, "/data/d/deep"), ["mine"]);
    fs::write(host.path().join("d"), "now a file").unwrap();
    assert_eq!(names(&files, "/data/d/deep"), ["mine"]);
    files.remove_file(ROOT, "/data/d/deep/mine", 1).unwrap();
    files.remove_folder(ROOT, "/data/d/deep", 1).unwrap();
    files.remove_folder(ROOT, "/data/d", 1).unwrap();
    assert!(!files.exists("/data/d"));
}

fn used(host: &TempDir) -> Files {
    let mut files = overlay(host);
    files.put("/work/a/b/c", b"content", 5).unwrap();
    files.make_folder(ROOT, "/work/empty", 6).unwrap();
    let sparse = open(&mut files, "/work/sparse", WRITE).unwrap();
    files.set_size(sparse, 300_000, 7).unwrap();
    files.write_at(sparse, 200_000, b"far", 7).unwrap();
    files.put("/data/d/b", b"changed", 8).unwrap();
    files.remove_file(ROOT, "/data/d/deep/er/c", 8).unwrap();
    let fd = open(&mut files, "/work/open", Opening { append: true, ..WRITE }).unwrap();
    files.write(fd, b"still open", 9).unwrap();
    files.seek(fd, 3, Whence::Start).unwrap();
    files.remove_file(ROOT, "/work/open", 9).unwrap();
    files
}

#[test]
fn saved_files_are_the_same_again() {
    let host = host();
    let files = used(&host);
    let saved = files.to_bytes();
    assert!(saved.len() < 5_000, "holes take no room: {}", saved.len());
    let mut loaded = Files::from_bytes(&saved, QUOTA, &mounts(&host), 99).unwrap();
    assert_eq!(loaded.changes_since(&files), []);
    assert_eq!((loaded.bytes(), loaded.entries()), (files.bytes(), files.entries()));
    assert_eq!(loaded.to_bytes(), saved);
    assert_eq!(text(&loaded, "/data/d/b"), "changed");
    assert_eq!(names(&loaded, "/data/d/deep/er"), [""; 0]);
    assert_eq!(text(&loaded, "/data/a"), "host a");
    for path in ["/", "/work/a/b/c", "/work/empty", "/work/sparse", "/data/d/b"] {
        let stat = |files: &Files| files.stat_path(ROOT, path, true).unwrap();
        assert_eq!(stat(&loaded), stat(&files), "{path}");
    }
    let fd = 5;
    let mut buffer = [0; 20];
    assert_eq!(loaded.read(fd, &mut buffer).unwrap(), 7);
    assert_eq!(&buffer[..7], b"ll open");
    assert!(loaded.access(fd).unwrap().append);
    let before = loaded.entries();
    loaded.close(fd).unwrap();
    assert_eq!(loaded.entries(), before - 1);
    let mut fresh = files.clone();
    let (one, two) =
        (open(&mut fresh, "/work/n", WRITE).unwrap(), open(&mut loaded, "/work/n", WRITE).unwrap());
    assert_eq!(fresh.stat(one).unwrap().number, loaded.stat(two).unwrap().number);
}

#[test]
fn saved_files_need_the_overlay_that_they_changed_and_a_quota_that_takes_them() {
    let host = host();
    let saved = used(&host).to_bytes();
    let load = |quota, mounts: &[Mount]| {
        Files::from_bytes(&saved, quota, mounts, 1).map(drop).map_err(|error| error.to_string())
    };
    assert!(load(QUOTA, &[]).unwrap_err().contains("overlay"));
    let [mount] = mounts(&host);
    let read_only = Mount { access: MountAccess::ReadOnly, ..mount.clone() };
    assert!(load(QUOTA, &[read_only]).unwrap_err().contains("overlay"));
    let elsewhere =
        Mount { guest: "/work/a".to_owned(), access: MountAccess::ReadOnly, ..mount.clone() };
    assert!(load(QUOTA, &[mount.clone(), elsewhere]).unwrap_err().contains("/work/a"));
    assert!(load(QUOTA, slice::from_ref(&mount)).is_ok());
    for quota in [
        Quota { bytes: 300_000, ..QUOTA },
        Quota { entries: 10, ..QUOTA },
        Quota { depth: 3, ..QUOTA },
    ] {
        assert!(
            load(quota, slice::from_ref(&mount)).unwrap_err().contains("more than"),
            "{quota:?}"
        );
    }
}

#[test]
fn a_descriptor_of_the_host_is_closed_after_loading() {
    let host = host();
    let mut files = overlay(&host);
    let fd = open(&mut files, "/data/a", READ).unwrap();
    let loaded = Files::from_bytes(&files.to_bytes(), QUOTA, &mounts(&host), 1).unwrap();
    assert_eq!(loaded.read_at(fd, 0, &mut [0]), Err(Errno::BadDescriptor));
}

/// Bytes that were changed, cut or made up are refused or are some tree within the quota.
#[test]
fn hostile_bytes_are_refused() {
    let host = host();
    let saved = used(&host).to_bytes();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % below as u64).unwrap()
    };
    let mut loaded = 0;
    for round in 0..20_000 {
        let mut bytes = saved.clone();
        for _ in 0..=next(4) {
            let at = next(bytes.len());
            match next(5) {
                0 => bytes[at] = u8::try_from(next(256)).unwrap(),
                1 => bytes[at] = u8::try_from(next(9)).unwrap(),
                2 => bytes.truncate(at.max(1)),
                3 => bytes.splice(at..at, [0xff; 8]).for_each(drop),
                _ => {
                    let piece = saved[next(saved.len())..].to_vec();
                    bytes.extend_from_slice(&piece[..piece.len().min(64)]);
                }
            }
        }
        if let Ok(mut files) = Files::from_bytes(&bytes, QUOTA, &mounts(&host), 1) {
            loaded += 1;
            assert!(
                files.bytes() <= QUOTA.bytes && files.entries() <= QUOTA.entries + 1,
                "{round}"
            );
            files.put("/work/new", b"x", 1).ok();
            files.list("/").unwrap();
            for fd in 4..300 {
                files.read_at(fd, 0, &mut [0; 10]).ok();
                files.close(fd).ok();
            }
            let again = files.to_bytes();
            assert!(Files::from_bytes(&again, QUOTA, &mounts(&host), 1).is_ok(), "{round}");
        }
    }
    assert!(loaded > 100, "{loaded}");
}
