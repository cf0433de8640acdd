//! A sandbox whose native code is the attacker's.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::{MetadataExt as _, symlink};

use pcm_runtime_api::{Creation, FileKind, Followed, MountAccess, SetTime};
use pcm_runtime_files::PROTECTED_NAMES;
use rustix::fs::{CWD, FileType, Mode, OFlags, fcntl_getfl, mknodat};
use rustix::io::{Errno as System, FdFlags, fcntl_getfd};

use super::{REQUESTS, Raw, raw};
use crate::reply::Reply;
use crate::request::{self, Ask};
use crate::socket;

const ALL: [MountAccess; 3] = [MountAccess::ReadOnly, MountAccess::ReadWrite, MountAccess::Overlay];
const EVER: SetTime = SetTime::To(1);

/// Everything that would change something at `path`.
fn changes(path: &str) -> Vec<Ask<'_>> {
    let mut changes = vec![
        Ask::MakeFolder { path },
        Ask::RemoveFile { path },
        Ask::RemoveFolder { path },
        Ask::Rename { from: path, to: "new" },
        Ask::Rename { from: "a.txt", to: path },
        Ask::SetTimes { path, accessed: EVER, modified: SetTime::Keep },
    ];
    for make in [Creation::Never, Creation::IfMissing, Creation::Always] {
        changes.extend([false, true].map(|readable| Ask::OpenToWrite { path, readable, make }));
    }
    changes
}

fn content(file: OwnedFd) -> String {
    let mut content = String::new();
    File::from(file).read_to_string(&mut content).unwrap();
    content
}

#[test]
fn paths_that_ours_do_not_send_end_the_service() {
    let longest = vec!["abc"; 1025].join("/");
    for path in ["..", "/", "/etc/passwd", "d/../..", "d/..", ".", "a//b", "a\0", "d/", &longest] {
        for what in 0..REQUESTS {
            let (_host, _outside, sandbox) = Raw::over_a_folder(MountAccess::ReadWrite);
            sandbox.send(&raw(what, 0, path.as_bytes(), &[0; 8]));
            let what = sandbox.broken();
            assert!(what.contains("path"), "{path:?}: {what}");
        }
    }
}

#[test]
fn what_is_no_request_ends_the_service() {
    let whole = raw(0, 0, b"a.txt", &[]);
    let messages = [
        raw(REQUESTS, 0, b"a.txt", &[]),
        raw(255, 0, b"", &[]),
        raw(0, 0, b"a.txt", &[0]),
        raw(0, 0, b"\xff", &[]),
        raw(2, 0, b"d", &[0; 7]),
        raw(4, 0, b"a.txt", &[2, 0]),
        raw(4, 0, b"a.txt", &[0, 3]),
        raw(9, 0, b"a.txt", &[1, 0]),
        raw(0, 1, b"a.txt", &[]),
        raw(0, u16::MAX, b"a.txt", &[]),
        whole[..whole.len() - 1].to_vec(),
        vec![0, 0, 0, 255, 255],
        vec![0; request::LONGEST + 1],
        vec![0; 60_000],
    ];
    for message in messages {
        let (_host, _outside, sandbox) = Raw::over_a_folder(MountAccess::ReadWrite);
        sandbox.ask(Ask::Stat { path: "" }).unwrap();
        sandbox.send(&message);
        sandbox.broken();
    }
}

#[test]
fn descriptors_are_not_taken() {
    let (host, _outside, sandbox) = Raw::over_a_folder(MountAccess::ReadOnly);
    let file = File::open(host.path().join("a.txt")).unwrap();
    socket::send_one(&sandbox.socket, &raw(0, 0, b"", &[]), Some(&file)).unwrap();
    assert!(sandbox.broken().contains("descriptors"));
}

#[test]
fn replies_that_nobody_fetches_are_few() {
    let (_host, _outside, sandbox) = Raw::over_a_folder(MountAccess::ReadOnly);
    for _ in 0..50 {
        let open = raw(3, 0, b"a.txt", &[]);
        if socket::send_one(&sandbox.socket, &open, None).is_err() {
            break;
        }
    }
    let why = sandbox.ended.recv_timeout(super::WAIT).unwrap();
    assert!(why.unwrap_err().to_string().contains("not fetched"));
    let waiting = std::iter::from_fn(|| sandbox.receive()).count();
    assert!((1..20).contains(&waiting), "{waiting}");
}

#[test]
fn links_do_not_lead_out() {
    for access in ALL {
        let (host, outside, sandbox) = Raw::over_a_folder(access);
        symlink("../../x", host.path().join("d/climbs")).unwrap();
        symlink("d/../../x", host.path().join("later")).unwrap();
        fs::create_dir(host.path().join("d/e")).unwrap();
        symlink("../../../x", host.path().join("d/e/climbs")).unwrap();
        symlink("../..", host.path().join("d/e/top")).unwrap();
        symlink("../x", host.path().join("climbs")).unwrap();
        let up = format!("up/{}", outside.path().file_name().unwrap().display());
        for path in ["out/secret", "file_out", up.as_str(), "up", "out"] {
            assert_eq!(sandbox.error(Ask::OpenToRead { path }), System::ACCESS, "{path}");
            assert!(sandbox.ask(Ask::List { path, cookie: 0 }).is_err(), "{path}");
        }
        for path in ["out/secret", "up/x", &format!("{up}/secret")] {
            assert!(sandbox.ask(Ask::Stat { path }).is_err(), "{path}");
            assert!(sandbox.ask(Ask::Follow { path, known: u16::MAX }).is_err(), "{path}");
            let (message, _) = sandbox.ask(Ask::Follow { path, known: 0 }).unwrap();
            let Ok(Reply::Followed(Followed { end, stat })) = Reply::read(&message) else {
                panic!("{message:?}")
            };
            assert_eq!(stat.unwrap().kind, FileKind::Link, "{path}");
            assert!(["out", "up"].contains(&&path[..end]), "{path}");
        }
        for path in ["out", "up", "file_out", "climbs", "d/climbs", "d/e/climbs"] {
            assert_eq!(sandbox.error(Ask::ReadLink { path }), System::ACCESS, "{path}");
        }
        assert!(
            sandbox.ask(Ask::ReadLink { path: "d/e/top/climbs" }).is_err(),
            "a path over a link has another depth than it says"
        );
        for path in ["out/new", "out/secret", "in/new", "in/b.txt", "up/new"] {
            for ask in changes(path) {
                assert!(sandbox.ask(ask).is_err(), "{ask:?}");
            }
        }
        for path in ["out", "file_out", "up"] {
            for make in [Creation::Never, Creation::IfMissing, Creation::Always] {
                let ask = Ask::OpenToWrite { path, readable: true, make };
                assert!(sandbox.ask(ask).is_err(), "{ask:?}");
            }
        }
        let (message, file) = sandbox.ask(Ask::OpenToRead { path: "in/b.txt" }).unwrap();
        assert!(matches!(Reply::read(&message), Ok(Reply::Opened(_))));
        assert_eq!(content(file.unwrap()), "host b", "inside they may lead anywhere");
        assert_eq!(fs::read_to_string(outside.path().join("secret")).unwrap(), "secret");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    }
}

#[test]
fn protected_names_are_not_written() {
    for name in PROTECTED_NAMES {
        let (host, _outside, sandbox) = Raw::over_a_folder(MountAccess::ReadWrite);
        fs::create_dir(host.path().join(name)).unwrap();
        fs::write(host.path().join(name).join("x"), "host").unwrap();
        fs::create_dir_all(host.path().join("d").join(name)).unwrap();
        symlink(name, host.path().join("link")).unwrap();
        let upper = name.to_uppercase();
        for path in [
            name.to_owned(),
            format!("{name}/x"),
            format!("{name}/new"),
            format!("d/{name}"),
            format!("d/{name}/new"),
            format!("{upper}/new"),
        ] {
            for ask in changes(&path) {
                assert_eq!(sandbox.error(ask), System::ACCESS, "{ask:?}");
            }
        }
        for path in ["link/x", "link/new"] {
            for ask in changes(path) {
                assert!(sandbox.ask(ask).is_err(), "{ask:?}");
            }
        }
        let path = format!("{name}/x");
        let (_, file) = sandbox.ask(Ask::OpenToRead { path: &path }).unwrap();
        assert_eq!(content(file.unwrap()), "host");
        assert_eq!(fs::read_dir(host.path().join(name)).unwrap().count(), 1);
    }
}

#[test]
fn what_is_not_mounted_to_be_written_is_not() {
    for access in [MountAccess::ReadOnly, MountAccess::Overlay] {
        let (host, _outside, sandbox) = Raw::over_a_folder(access);
        fs::create_dir(host.path().join("empty")).unwrap();
        let modified = |name: &str| fs::metadata(host.path().join(name)).unwrap().mtime();
        let before = ["", "a.txt", "d", "d/b.txt", "empty"].map(modified);
        for path in ["a.txt", "d", "d/b.txt", "empty", "new", "d/new", "in", ""] {
            for ask in changes(path) {
                assert_eq!(sandbox.error(ask), System::ROFS, "{ask:?}");
            }
        }
        let (_, file) = sandbox.ask(Ask::OpenToRead { path: "a.txt" }).unwrap();
        let mut file = File::from(file.unwrap());
        assert!(file.write(b"x").is_err() && file.set_len(0).is_err());
        assert_eq!(["", "a.txt", "d", "d/b.txt", "empty"].map(modified), before);
        assert_eq!(fs::read_to_string(host.path().join("a.txt")).unwrap(), "host a");
    }
}

#[test]
fn only_regular_files_are_opened_and_nobody_waits() {
    for access in ALL {
        let (host, _outside, sandbox) = Raw::over_a_folder(access);
        let mode = Mode::from_raw_mode(0o666);
        let make = |name: &str, kind, device| {
            mknodat(CWD, host.path().join(name), kind, mode, device).is_ok()
        };
        assert!(make("pipe", FileType::Fifo, 0) && make("socket", FileType::Socket, 0));
        let mut names = vec!["pipe", "socket", "d", "in", "", "none"];
        // Needs a right of its own.
        names.extend(make("null", FileType::CharacterDevice, 0x103).then_some("null"));
        for path in names {
            assert_eq!(sandbox.error(Ask::OpenToRead { path }), System::ACCESS, "{path}");
            for readable in [false, true] {
                let refused =
                    sandbox.error(Ask::OpenToWrite { path, readable, make: Creation::Never });
                let reasons = [System::ACCESS, System::ROFS, System::BUSY, System::NOENT];
                assert!(reasons.contains(&refused), "{path:?} {refused:?}");
            }
        }
    }
}

#[test]
fn a_descriptor_does_what_was_asked_for_and_no_more() {
    let (_host, _outside, sandbox) = Raw::over_a_folder(MountAccess::ReadWrite);
    let write = |readable| Ask::OpenToWrite { path: "a.txt", readable, make: Creation::Never };
    for (ask, mode) in [
        (Ask::OpenToRead { path: "a.txt" }, OFlags::RDONLY),
        (write(false), OFlags::WRONLY),
        (write(true), OFlags::RDWR),
    ] {
        let file = sandbox.ask(ask).unwrap().1.unwrap();
        assert_eq!(fcntl_getfl(file.as_fd()).unwrap() & OFlags::RWMODE, mode);
        assert_eq!(fcntl_getfd(file.as_fd()).unwrap(), FdFlags::CLOEXEC);
    }
    let make = Ask::OpenToWrite { path: "d/new", readable: true, make: Creation::Always };
    assert!(sandbox.ask(make).is_ok());
    assert_eq!(sandbox.error(make), System::EXIST);
}

#[test]
fn numbers_are_not_the_hosts() {
    let (host, _outside, sandbox) = Raw::over_a_folder(MountAccess::ReadOnly);
    let real = fs::metadata(host.path().join("a.txt")).unwrap().ino();
    let (message, _) = sandbox.ask(Ask::Stat { path: "a.txt" }).unwrap();
    let Ok(Reply::Stat(stat)) = Reply::read(&message) else { panic!("{message:?}") };
    assert!(stat.number != real && stat.number >> 63 == 1);
    let (message, _) = sandbox.ask(Ask::OpenToRead { path: "a.txt" }).unwrap();
    assert_eq!(Reply::read(&message), Ok(Reply::Opened(stat.number)));
    let (message, _) = sandbox.ask(Ask::List { path: "", cookie: 0 }).unwrap();
    let Ok(Reply::Listed { page, .. }) = Reply::read(&message) else { panic!("{message:?}") };
    let listed = page.entries().find(|entry| entry.name == Some("a.txt")).unwrap();
    assert_eq!(listed.number, stat.number);
    let other = Raw::new(host.path().into(), MountAccess::ReadOnly);
    let (message, _) = other.ask(Ask::Stat { path: "a.txt" }).unwrap();
    let Ok(Reply::Stat(others)) = Reply::read(&message) else { panic!("{message:?}") };
    assert_ne!(others.number, stat.number, "another session has others");
}

#[test]
fn cookies_that_were_made_up_list_something_or_nothing() {
    let (_host, _outside, sandbox) = Raw::over_a_folder(MountAccess::ReadOnly);
    for cookie in [1, 2, 7, u64::from(u32::MAX), 1 << 62, u64::MAX >> 1, 1 << 63, u64::MAX] {
        if let Ok((message, _)) = sandbox.ask(Ask::List { path: "", cookie }) {
            assert!(matches!(Reply::read(&message), Ok(Reply::Listed { is_all: true, .. })));
        }
    }
    assert!(sandbox.ask(Ask::List { path: "d", cookie: 0 }).is_ok(), "it goes on");
}
