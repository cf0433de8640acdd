//! Descriptors, of which a process has few. One test: it counts all of the process.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::AsFd as _;
use std::sync::mpsc::channel;

use pcm_runtime_api::{Mount, MountAccess};
use pcm_runtime_folders::{connect, pair};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn no_descriptor_is_left_behind() {
    let host = tempfile::tempdir().unwrap();
    fs::write(host.path().join("a.txt"), "host a").unwrap();
    fs::create_dir(host.path().join("d")).unwrap();
    let mount = |access| Mount { host: host.path().into(), guest: "/data".to_owned(), access };
    let nothing = open_descriptors();
    let (tell, ended) = channel();
    {
        let (server, inside) = pair().unwrap();
        let tell = tell.clone();
        let _service = server
            .serve(&[mount(MountAccess::ReadOnly)], move |result| tell.send(result).unwrap())
            .unwrap();
        let [folder] = connect(inside, 1).try_into().unwrap();
        let folder = folder.folder();
        folder.stat("").unwrap();
        let before = open_descriptors();
        for _ in 0..10_000 {
            let open = folder.open_to_read("a.txt").unwrap();
            assert_eq!(open.file.metadata().unwrap().len(), 6);
        }
        for _ in 0..1_000 {
            folder.open_to_read("d").unwrap_err();
            folder.open_to_read("none").unwrap_err();
            folder.open_folder("d").unwrap();
            folder.list("", 0, &mut |_| true).unwrap();
        }
        assert_eq!(open_descriptors(), before);
        let held: Vec<_> = (0..100).map(|_| folder.open_to_read("a.txt").unwrap()).collect();
        // Asked once more, the other end is done with the last reply.
        folder.stat("").unwrap();
        assert_eq!(open_descriptors(), before + held.len(), "the server keeps none");
    }
    ended.recv().unwrap().unwrap();
    for _ in 0..500 {
        let (server, inside) = pair().unwrap();
        let tell = tell.clone();
        let _service = server
            .serve(&[mount(MountAccess::ReadOnly)], move |result| tell.send(result).unwrap())
            .unwrap();
        let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut control = SendAncillaryBuffer::new(&mut room);
        let files = [inside.as_fd(); 3];
        assert!(control.push(SendAncillaryMessage::ScmRights(&files)));
        let stat = [IoSlice::new(&[0; 5])];
        sendmsg(&inside, &stat, &mut control, SendFlags::NOSIGNAL).unwrap();
        ended.recv().unwrap().unwrap_err();
    }
    assert_eq!(open_descriptors(), nothing, "those of a hostile sandbox are thrown away");
}
