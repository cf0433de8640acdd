//! The files in memory: what programs expect of a file system, and the quotas.

#![expect(clippy::unwrap_used, reason = "tests")]

use pcm_runtime_api::ChangeKind;
use pcm_runtime_files::{
    Errno, Fd, Files, FilesError, Kind, LONGEST_NAME, MOST_CHANGES, MOST_DESCRIPTORS, Opening,
    Quota, ROOT, SetTime, Whence,
};

const READ: Opening = Opening::READ;
const WRITE: Opening = Opening { read: true, write: true, create: true, ..READ };

fn files() -> Files {
    Files::new(Quota { bytes: 1 << 20, entries: 100, depth: 8 }, 1)
}

fn open(files: &mut Files, path: &str) -> Fd {
    files.open(ROOT, path, WRITE, 1).unwrap()
}

fn text(files: &Files, path: &str) -> String {
    String::from_utf8(files.get(path, 1 << 20).unwrap()).unwrap()
}

fn names(files: &Files, path: &str) -> Vec<String> {
    files.list(path).unwrap().into_iter().map(|(name, _)| name).collect()
}

/// All names by the guest's way, in pieces of `piece`.
fn listed(files: &Files, fd: Fd, piece: usize) -> Vec<String> {
    let (mut all, mut cookie) = (Vec::new(), 0);
    loop {
        let mut left = piece;
        files
            .read_folder(fd, cookie, &mut |entry| {
                all.push(entry.name.to_owned());
                cookie = entry.cookie;
                left -= 1;
                left > 0
            })
            .unwrap();
        if left == piece {
            return all;
        }
    }
}

#[test]
fn a_session_begins_with_three_folders() {
    let files = files();
    assert_eq!(names(&files, "/"), ["tmp", "work"]);
    assert_eq!((files.bytes(), files.entries()), (0, 3));
    let stat = files.stat_path(ROOT, "/work", true).unwrap();
    assert_eq!((stat.kind, stat.times.modified, stat.device), (Kind::Folder, 1, 0));
}

#[test]
fn files_are_read_and_written_where_the_descriptor_is() {
    let mut files = files();
    let fd = open(&mut files, "work/a.txt");
    assert_eq!(files.write(fd, b"hello world", 5).unwrap(), 11);
    assert_eq!(files.seek(fd, -5, Whence::End).unwrap(), 6);
    let mut buffer = [0; 20];
    assert_eq!(files.read(fd, &mut buffer).unwrap(), 5);
    assert_eq!(&buffer[..5], b"world");
    assert_eq!(files.read(fd, &mut buffer).unwrap(), 0);
    assert_eq!(files.write_at(fd, 0, b"J", 6).unwrap(), 1);
    assert_eq!(files.seek(fd, 0, Whence::Current).unwrap(), 11);
    assert_eq!(files.seek(fd, -12, Whence::Current), Err(Errno::Invalid));
    assert_eq!(text(&files, "/work/a.txt"), "Jello world");
    assert_eq!(files.stat(fd).unwrap().times.modified, 6);
}

#[test]
fn appending_goes_to_the_end_and_truncating_empties() {
    let mut files = files();
    files.put("a", b"one", 1).unwrap();
    let fd = files.open(ROOT, "/work/a", Opening { append: true, ..WRITE }, 1).unwrap();
    files.seek(fd, 0, Whence::Start).unwrap();
    files.write(fd, b" two", 1).unwrap();
    assert_eq!(text(&files, "a"), "one two");
    files.set_append(fd, false).unwrap();
    files.seek(fd, 0, Whence::Start).unwrap();
    files.write(fd, b"1", 1).unwrap();
    assert_eq!(text(&files, "a"), "1ne two");
    files.open(ROOT, "/work/a", Opening { truncate: true, ..WRITE }, 1).unwrap();
    assert_eq!((text(&files, "a").len(), files.bytes()), (0, 0));
}

#[test]
fn a_descriptor_does_what_it_was_opened_for() {
    let mut files = files();
    files.put("a", b"x", 1).unwrap();
    let read = files.open(ROOT, "/work/a", READ, 1).unwrap();
    assert_eq!(files.write(read, b"y", 1), Err(Errno::BadDescriptor));
    assert_eq!(files.write_at(read, 0, b"y", 1), Err(Errno::BadDescriptor));
    assert_eq!(files.set_size(read, 0, 1), Err(Errno::Invalid));
    let write = files.open(ROOT, "/work/a", Opening { read: false, ..WRITE }, 1).unwrap();
    assert_eq!(files.read(write, &mut [0]), Err(Errno::BadDescriptor));
    let folder = files.open(ROOT, "/work", READ, 1).unwrap();
    assert_eq!(files.read(folder, &mut [0]), Err(Errno::IsFolder));
    assert_eq!(files.open(ROOT, "/work", WRITE, 1), Err(Errno::IsFolder));
    assert_eq!(
        files.open(ROOT, "/work/a", Opening { folder: true, ..READ }, 1),
        Err(Errno::NotFolder)
    );
    let exclusive = Opening { exclusive: true, ..WRITE };
    assert_eq!(files.open(ROOT, "/work/a", exclusive, 1), Err(Errno::Exists));
    assert_eq!(files.open(folder, "../tmp/../work/a", READ, 1).unwrap(), folder + 1);
    assert_eq!(files.open(read, "a", READ, 1), Err(Errno::NotFolder));
}

#[test]
fn an_open_file_outlives_its_name_and_then_its_room_comes_back() {
    let mut files = files();
    let fd = open(&mut files, "/work/a");
    files.write(fd, b"still here", 1).unwrap();
    files.rename((ROOT, "/work/a"), (ROOT, "/tmp/b"), 1).unwrap();
    files.remove_file(ROOT, "/tmp/b", 1).unwrap();
    let mut buffer = [0; 10];
    assert_eq!(files.read_at(fd, 0, &mut buffer).unwrap(), 10);
    assert_eq!((&buffer, files.bytes(), files.entries()), (b"still here", 10, 4));
    let copy = files.clone();
    files.close(fd).unwrap();
    assert_eq!((files.bytes(), files.entries()), (0, 3));
    assert_eq!(files.read_at(fd, 0, &mut buffer), Err(Errno::BadDescriptor));
    assert_eq!(copy.read_at(fd, 0, &mut buffer).unwrap(), 10, "a copy has its own descriptors");
}

#[test]
fn a_replaced_file_lives_on_for_who_has_it_open() {
    let mut files = files();
    files.put("old", b"old", 1).unwrap();
    files.put("new", b"new", 1).unwrap();
    let fd = files.open(ROOT, "/work/old", READ, 1).unwrap();
    files.rename((ROOT, "/work/new"), (ROOT, "/work/old"), 1).unwrap();
    let mut buffer = [0; 3];
    files.read_at(fd, 0, &mut buffer).unwrap();
    assert_eq!((&buffer, text(&files, "old").as_str()), (b"old", "new"));
    assert_eq!(names(&files, "/work"), ["old"]);
}

#[test]
fn paths_are_read_as_everywhere() {
    let mut files = files();
    files.put("/work/d/a", b"x", 1).unwrap();
    for path in ["/work/d/a", "//work//d/./a", "/../work/d/a", "/work/d/../d/a", "work/d/a"] {
        assert!(files.stat_path(ROOT, path, true).is_ok(), "{path}");
    }
    for (path, error) in [
        ("", Errno::NotFound),
        ("/work/x", Errno::NotFound),
        ("/work/x/..", Errno::NotFound),
        ("/work/d/a/", Errno::NotFolder),
        ("/work/d/a/..", Errno::NotFolder),
        ("/work/d/a/b", Errno::NotFolder),
        ("/work/\0", Errno::Invalid),
        (&"a/".repeat(2100), Errno::NameTooLong),
        (&"a".repeat(LONGEST_NAME + 1), Errno::NameTooLong),
    ] {
        assert_eq!(files.stat_path(ROOT, path, true), Err(error), "{path}");
    }
    assert_eq!(files.open(ROOT, "/work/new/", WRITE, 1), Err(Errno::IsFolder));
    assert_eq!(files.remove_folder(ROOT, "/work/d/.", 1), Err(Errno::NotEmpty));
    assert_eq!(files.remove_folder(ROOT, "/", 1), Err(Errno::Busy));
    files.make_folder(ROOT, "/work/e/", 1).unwrap();
    files.remove_folder(ROOT, "/work/e/", 1).unwrap();
}

#[test]
fn folders_are_made_moved_and_removed() {
    let mut files = files();
    files.put("/work/a/b/c", b"x", 1).unwrap();
    let rename = |files: &mut Files, from, to| files.rename((ROOT, from), (ROOT, to), 2);
    assert_eq!(rename(&mut files, "/work/a", "/work/a/b/d"), Err(Errno::Invalid));
    assert_eq!(rename(&mut files, "/work", "/tmp"), Ok(()), "an empty folder is replaced");
    assert_eq!(names(&files, "/tmp/a/b"), ["c"]);
    files.put("/x", b"", 1).unwrap();
    assert_eq!(rename(&mut files, "/x", "/tmp/a"), Err(Errno::IsFolder));
    assert_eq!(rename(&mut files, "/tmp/a", "/x"), Err(Errno::NotFolder));
    files.make_folder(ROOT, "/e", 1).unwrap();
    assert_eq!(rename(&mut files, "/e", "/tmp/a"), Err(Errno::NotEmpty));
    assert_eq!(rename(&mut files, "/x", "/x"), Ok(()));
    assert_eq!(rename(&mut files, "/none", "/y"), Err(Errno::NotFound));
    assert_eq!(files.remove_folder(ROOT, "/tmp/a", 1), Err(Errno::NotEmpty));
    assert_eq!(files.remove_folder(ROOT, "/x", 1), Err(Errno::NotFolder));
    assert_eq!(files.remove_file(ROOT, "/e", 1), Err(Errno::IsFolder));
    assert_eq!(files.make_folder(ROOT, "/e", 1), Err(Errno::Exists));
}

#[test]
fn a_folder_that_is_open_is_followed_when_it_moves_and_empty_when_it_is_gone() {
    let mut files = files();
    files.put("/work/d/a", b"x", 1).unwrap();
    let fd = files.open(ROOT, "/work/d", READ, 1).unwrap();
    files.rename((ROOT, "/work/d"), (ROOT, "/tmp/e"), 1).unwrap();
    assert!(files.stat_path(fd, "a", true).is_ok());
    assert!(files.stat_path(fd, "../e/a", true).is_ok());
    files.remove_file(fd, "a", 1).unwrap();
    files.remove_folder(ROOT, "/tmp/e", 1).unwrap();
    assert_eq!(files.open(fd, "b", WRITE, 1), Err(Errno::NotFound));
    assert_eq!(files.make_folder(fd, "b", 1), Err(Errno::NotFound));
    assert_eq!(files.stat_path(fd, "../x", true), Err(Errno::NotFound));
    assert_eq!(listed(&files, fd, 10), [".", ".."]);
    assert!(files.stat(fd).is_ok());
    files.close(fd).unwrap();
    assert_eq!(files.entries(), 3);
}

#[test]
fn listings_go_on_where_they_were_whatever_happens_meanwhile() {
    let mut files = files();
    for number in 0..20 {
        files.put(&format!("/work/{number:02}"), b"", 1).unwrap();
    }
    let fd = files.open(ROOT, "/work", READ, 1).unwrap();
    let all = listed(&files, fd, 100);
    assert_eq!(all.len(), 22);
    for piece in [1, 2, 7] {
        assert_eq!(listed(&files, fd, piece), all);
    }
    let (mut seen, mut cookie) = (0, 0);
    loop {
        let mut name = None;
        files
            .read_folder(fd, cookie, &mut |entry| {
                (name, cookie) = (Some(entry.name.to_owned()), entry.cookie);
                false
            })
            .unwrap();
        let Some(name) = name else { break };
        if !name.starts_with('.') {
            seen += 1;
            files.remove_file(fd, &name, 1).unwrap();
        }
    }
    assert_eq!((seen, names(&files, "/work").len()), (20, 0));
    for cookie in [0, 1, 2, 3, u64::MAX / 2, u64::MAX / 2 + 1, u64::MAX] {
        assert!(files.read_folder(fd, cookie, &mut |_| true).is_ok(), "{cookie}");
    }
}

#[test]
fn a_write_far_away_takes_neither_room_nor_time() {
    let mut files = files();
    let fd = open(&mut files, "/work/x");
    assert_eq!(files.seek(fd, 1 << 40, Whence::Start).unwrap(), 1 << 40);
    assert_eq!(files.write(fd, b"x", 1), Err(Errno::NoSpace));
    assert_eq!(files.write_at(fd, u64::MAX, b"x", 1), Err(Errno::FileTooLarge));
    assert_eq!(files.set_size(fd, 1024 << 40, 1), Err(Errno::NoSpace));
    assert_eq!((files.bytes(), files.stat(fd).unwrap().size), (0, 0));
    assert_eq!(files.write(fd, b"", 1).unwrap(), 0, "nothing is no file of 2^40 bytes");
    assert_eq!(files.stat(fd).unwrap().size, 0);
}

#[test]
fn bytes_are_counted_with_their_holes_and_come_back() {
    let mut files = files();
    let fd = open(&mut files, "/work/x");
    files.set_size(fd, 1 << 20, 1).unwrap();
    assert_eq!(files.bytes(), 1 << 20);
    let other = open(&mut files, "/work/y");
    assert_eq!(files.write(other, b"x", 1), Err(Errno::NoSpace));
    files.set_size(fd, 10, 1).unwrap();
    files.write(other, &[0; 1000], 1).unwrap();
    assert_eq!(files.bytes(), 1010);
    files.remove_file(ROOT, "/work/x", 1).unwrap();
    assert_eq!(files.bytes(), 1010, "it is still open");
    files.close(fd).unwrap();
    assert_eq!(files.bytes(), 1000);
    assert!(files.put("z", &vec![0; 1 << 20], 1).is_err());
    assert!(!files.exists("z"), "what does not fit leaves nothing");
    assert!(files.put("y", &vec![0; 1 << 20], 1).is_ok(), "what is replaced makes room");
}

#[test]
fn entries_are_bounded() {
    let mut files = files();
    let made = (0..1000).take_while(|n| files.put(&format!("/tmp/{n}"), b"", 1).is_ok()).count();
    assert_eq!((made, files.entries()), (97, 100));
    assert_eq!(files.make_folder(ROOT, "/d", 1), Err(Errno::NoSpace));
    assert_eq!(files.open(ROOT, "/f", WRITE, 1), Err(Errno::NoSpace));
    files.rename((ROOT, "/tmp/0"), (ROOT, "/f"), 1).unwrap();
    files.remove_file(ROOT, "/f", 1).unwrap();
    assert_eq!(files.make_folder(ROOT, "/d", 1), Ok(()));
}

#[test]
fn depth_is_bounded_when_things_are_made_and_when_they_are_moved() {
    let mut files = files();
    let mut path = String::from("/work");
    for depth in 2.. {
        path.push_str("/a");
        match files.make_folder(ROOT, &path, 1) {
            Ok(()) => assert!(depth <= 8),
            Err(error) => {
                assert_eq!((depth, error), (9, Errno::NameTooLong));
                break;
            }
        }
    }
    assert_eq!(files.open(ROOT, &path, WRITE, 1), Err(Errno::NameTooLong));
    files.make_folder(ROOT, "/tmp/b", 1).unwrap();
    let deeper = files.rename((ROOT, "/work"), (ROOT, "/tmp/b/work"), 1);
    assert_eq!(deeper, Err(Errno::NameTooLong));
    assert_eq!(files.rename((ROOT, "/work/a"), (ROOT, "/tmp/a"), 1), Ok(()));
    let mut files = Files::new(Quota { depth: 100_000, entries: 100_000, bytes: 0 }, 1);
    let mut fd = ROOT;
    for _ in 0..3_000 {
        files.make_folder(fd, "a", 1).unwrap();
        let next = files.open(fd, "a", READ, 1).unwrap();
        if fd != ROOT {
            files.close(fd).unwrap();
        }
        fd = next;
    }
    let copy = files.clone();
    files.put("/work/x", b"", 1).unwrap();
    assert_eq!(files.changes_since(&copy).len(), 1);
    files.rename((ROOT, "/a"), (ROOT, "/work/a"), 1).unwrap();
    drop((files, copy));
}

#[test]
fn descriptors_are_bounded_and_the_lowest_number_is_used_again() {
    let mut files = files();
    files.put("a", b"x", 1).unwrap();
    let all: Vec<_> =
        (0..MOST_DESCRIPTORS).map(|_| files.open(ROOT, "/work/a", READ, 1).unwrap()).collect();
    assert_eq!(files.open(ROOT, "/work/a", READ, 1), Err(Errno::TooManyOpen));
    assert_eq!(files.open(ROOT, "/work/new", WRITE, 1), Err(Errno::TooManyOpen));
    assert!(!files.exists("new"));
    files.close(all[7]).unwrap();
    assert_eq!(files.open(ROOT, "/work/a", READ, 1).unwrap(), all[7]);
    assert!(files.get("a", 1).is_ok(), "the embedder needs no descriptor");
    for fd in [0, 1, 2, 3, 1000, u32::MAX] {
        assert!(files.close(fd).is_err(), "{fd}");
    }
}

#[test]
fn times_are_those_of_the_caller() {
    let mut files = files();
    files.put("a", b"x", 7).unwrap();
    let stat = |files: &Files, path| files.stat_path(ROOT, path, true).unwrap().times;
    assert_eq!(stat(&files, "/work/a").modified, 7);
    assert_eq!(stat(&files, "/work").modified, 7);
    let set = ("/work/a", SetTime::To(100), SetTime::To(200));
    files.set_times_path((ROOT, set.0, true), set.1, set.2, 9).unwrap();
    let times = stat(&files, "/work/a");
    assert_eq!((times.accessed, times.modified, times.changed), (100, 200, 9));
    let fd = files.open(ROOT, "/work/a", READ, 9).unwrap();
    files.set_times(fd, SetTime::Keep, SetTime::To(1), 10).unwrap();
    assert_eq!(files.stat(fd).unwrap().times.accessed, 100);
    assert_eq!(files.stat(fd).unwrap().times.modified, 1);
}

#[test]
fn a_copy_is_independent() {
    let mut files = files();
    files.put("a", b"one", 1).unwrap();
    let fd = open(&mut files, "/work/a");
    let mut copy = files.clone();
    assert_eq!(files.changes_since(&copy), []);
    copy.write(fd, b"two", 1).unwrap();
    copy.remove_folder(ROOT, "/tmp", 1).unwrap();
    assert_eq!((text(&files, "a").as_str(), text(&copy, "a").as_str()), ("one", "two"));
    assert_eq!(files.seek(fd, 0, Whence::Current).unwrap(), 0);
    assert!(files.exists("/tmp") && !copy.exists("/tmp"));
}

#[test]
fn changes_are_told_by_path() {
    let mut files = files();
    for path in ["same", "touched", "d/modified", "d/replaced", "gone", "moved", "was/dir/x"] {
        files.put(path, b"before", 1).unwrap();
    }
    let before = files.clone();
    files.put("new/deep/file", b"12345", 2).unwrap();
    files.put("touched", b"before", 2).unwrap();
    files.put("d/modified", b"after!", 2).unwrap();
    files.put("d/other", b"other", 2).unwrap();
    files.rename((ROOT, "/work/d/other"), (ROOT, "/work/d/replaced"), 2).unwrap();
    files.remove_file(ROOT, "/work/gone", 2).unwrap();
    files.rename((ROOT, "/work/moved"), (ROOT, "/tmp/moved"), 2).unwrap();
    files.remove_file(ROOT, "/work/was/dir/x", 2).unwrap();
    files.remove_folder(ROOT, "/work/was/dir", 2).unwrap();
    files.put("was/dir", b"file", 2).unwrap();
    let changes = files.changes_since(&before);
    let told: Vec<_> =
        changes.iter().map(|change| (change.path.as_str(), change.change, change.bytes)).collect();
    assert_eq!(
        told,
        [
            ("/tmp/moved", ChangeKind::Created, 6),
            ("/work/d/modified", ChangeKind::Modified, 6),
            ("/work/d/replaced", ChangeKind::Modified, 5),
            ("/work/gone", ChangeKind::Deleted, 0),
            ("/work/moved", ChangeKind::Deleted, 0),
            ("/work/new/deep/file", ChangeKind::Created, 5),
            ("/work/was/dir", ChangeKind::Created, 4),
            ("/work/was/dir/x", ChangeKind::Deleted, 0),
        ]
    );
    assert_eq!(before.changes_since(&files).len(), 8);
}

#[test]
fn the_changes_that_are_told_are_bounded() {
    let mut files = Files::new(Quota::default(), 1);
    let before = files.clone();
    for number in 0..1500 {
        files.put(&format!("/tmp/{number}"), b"x", 1).unwrap();
    }
    assert_eq!(files.changes_since(&before).len(), MOST_CHANGES);
}

#[test]
fn the_embedder_is_told_what_is_wrong() {
    let mut files = files();
    files.put("a", b"12345", 1).unwrap();
    let told = |result: Result<Vec<u8>, FilesError>| result.unwrap_err().to_string();
    assert_eq!(told(files.get("a", 4)), "a: it has 5 bytes, 4 are taken");
    assert_eq!(told(files.get("/none", 4)), "/none: no such file or folder");
    assert_eq!(told(files.get("/work", 4)), "/work: it is a folder");
    let put = files.put("a/b", b"", 1).unwrap_err().to_string();
    assert_eq!(put, "a/b: it is not a folder");
    assert!(files.put("/", b"", 1).is_err() && files.put("", b"", 1).is_err());
    assert!(files.put("/../../etc/passwd", b"x", 1).is_ok(), "above the root is the root");
    assert_eq!(names(&files, "/etc"), ["passwd"]);
}
