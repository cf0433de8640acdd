//! The service over its life.

use std::fs;

use pcm_runtime_api::{FileKind, HostFolder, Mount, MountAccess, MountSource, PackagesFolder};
use rustix::io::Errno as System;

use super::{Raw, WAIT};
use crate::request::Ask;
use crate::{FoldersError, connect, pair};

#[test]
fn it_ends_with_the_sandbox() {
    let (_host, _outside, sandbox) = Raw::over_a_folder(MountAccess::ReadOnly);
    sandbox.ask(Ask::Stat { path: "" }).unwrap();
    let Raw { socket, ended, service } = sandbox;
    drop(socket);
    ended.recv_timeout(WAIT).unwrap().unwrap();
    service.stop(); // and that is nothing any more
}

#[test]
fn a_sandbox_that_ends_without_fetching_its_reply_is_no_trouble() {
    let (_host, _outside, sandbox) = Raw::over_a_folder(MountAccess::ReadOnly);
    let Raw { socket, ended, .. } = sandbox;
    for _ in 0..3 {
        crate::socket::send_one(&socket, &super::raw(3, 0, b"a.txt", &[]), None).unwrap();
    }
    drop(socket);
    ended.recv_timeout(WAIT).unwrap().unwrap();
}

#[test]
fn it_is_stopped_and_what_is_open_stays_open() {
    let (_host, _outside, sandbox) = Raw::over_a_folder(MountAccess::ReadOnly);
    let Raw { socket, ended, service } = sandbox;
    let [folder] = connect(socket, 1).try_into().unwrap();
    let open = folder.folder().open_to_read("a.txt").unwrap();
    service.stop();
    ended.recv_timeout(WAIT).unwrap().unwrap();
    for _ in 0..2 {
        let error = folder.folder().stat("a.txt").unwrap_err();
        assert!(
            [Some(System::IO), Some(System::PIPE), Some(System::CONNRESET)]
                .contains(&System::from_io_error(&error)),
            "{error}"
        );
    }
    assert_eq!(open.file.metadata().unwrap().len(), 6);
}

#[test]
fn folders_that_cannot_be_opened_are_not_served() {
    let host = tempfile::tempdir().unwrap();
    let at = |host: MountSource| {
        let (server, _inside) = pair().unwrap();
        let mount = Mount { host, guest: "/data".to_owned(), access: MountAccess::ReadOnly };
        server.serve(&[mount], drop).map(drop)
    };
    let missing = at(host.path().join("none").into()).unwrap_err();
    assert!(matches!(&missing, FoldersError::Mount { guest, .. } if guest == "/data"), "{missing}");
    let (_server, inside) = pair().unwrap();
    let [served] = connect(inside, 1).try_into().unwrap();
    assert!(at(MountSource::Served(served)).is_err(), "somebody else's rules are not ours");
}

#[test]
fn packages_are_those_of_the_moment() {
    let [one, two] = ["one", "two"].map(|name| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), name).unwrap();
        folder
    });
    let packages = PackagesFolder::default();
    let source = MountSource::Packages(packages.clone());
    let Raw { socket, service: _service, .. } = Raw::new(source, MountAccess::ReadOnly);
    let [folder] = connect(socket, 1).try_into().unwrap();
    let names = || {
        let mut names = Vec::new();
        let taken = folder.folder().list("", 0, &mut |entry| {
            names.extend(entry.name.map(str::to_owned));
            true
        });
        taken.unwrap();
        names
    };
    assert_eq!(folder.folder().stat("").unwrap().kind, FileKind::Folder);
    assert!(folder.folder().stat("one").is_err(), "there are none yet");
    packages.replace(one.path().to_owned());
    assert_eq!(names(), ["one"]);
    let open = folder.folder().open_to_read("one").unwrap();
    packages.replace(two.path().to_owned());
    assert_eq!(names(), ["two"]);
    assert!(folder.folder().stat("one").is_err());
    assert_eq!(open.file.metadata().unwrap().len(), 3);
}

#[test]
fn each_mount_is_the_one_in_its_place_whoever_asks_at_once() {
    let hosts = ["one", "two"].map(|name| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), name).unwrap();
        folder
    });
    let mounts = hosts.each_ref().map(|host| Mount {
        host: host.path().into(),
        guest: "/data".to_owned(),
        access: MountAccess::ReadOnly,
    });
    let (server, inside) = pair().unwrap();
    let _service = server.serve(&mounts, drop).unwrap();
    let folders = connect(inside, 2);
    let [one, two] = [0, 1].map(|place| folders[place].folder());
    let ask = |mine: &dyn HostFolder, name: &str, other: &str| {
        for _ in 0..300 {
            assert_eq!(mine.stat(name).unwrap().size, 3);
            assert_eq!(mine.open_to_read(name).unwrap().file.metadata().unwrap().len(), 3);
            assert!(mine.stat(other).is_err());
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| ask(&**one, "one", "two"));
            scope.spawn(|| ask(&**two, "two", "one"));
        }
    });
}
