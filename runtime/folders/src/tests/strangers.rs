//! Arbitrary bytes to either end.

use std::fs::File;
use std::io;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::thread;

use pcm_runtime_api::{Creation, HostFolder, MountAccess, SetTime};
use proptest::collection::vec;
use proptest::prelude::*;
use rustix::io::Errno as System;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use super::{REQUESTS, Raw, raw};
use crate::reply::Reply;
use crate::request::Request;
use crate::{FoldersError, connect, socket};

/// The answers of somebody who is not the server, one after the other.
fn answering(answers: Vec<(Vec<u8>, usize)>) -> (OwnedFd, thread::JoinHandle<()>) {
    let (outside, inside) = socket::pair().unwrap();
    let thread = thread::spawn(move || {
        let file = File::open("/dev/null").unwrap();
        for (message, files) in answers {
            let mut request = [0; 100];
            if socket::receive(&outside, &mut request).unwrap().length == 0 {
                break;
            }
            let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
            let mut control = SendAncillaryBuffer::new(&mut room);
            let files = &[file.as_fd(), file.as_fd(), file.as_fd()][..files];
            if !files.is_empty() {
                assert!(control.push(SendAncillaryMessage::ScmRights(files)));
            }
            sendmsg(&outside, &[IoSlice::new(&message)], &mut control, SendFlags::NOSIGNAL)
                .unwrap();
        }
    });
    (inside, thread)
}

/// Everything that can be asked for, and whether it worked.
fn everything(folder: &dyn HostFolder) -> Vec<io::Result<()>> {
    let (never, keep) = (Creation::Never, SetTime::Keep);
    vec![
        folder.stat("a").map(drop),
        folder.follow("a/b", 0).map(drop),
        folder.read_link("a").map(drop),
        folder.list("a", 0, &mut |_| false),
        folder.open_folder("a").map(drop),
        folder.open_to_read("a").map(drop),
        folder.open_to_write("a", true, never).map(drop),
        folder.make_folder("a"),
        folder.remove_file("a"),
        folder.remove_folder("a"),
        folder.rename("a", "b"),
        folder.set_times("a", keep, keep),
    ]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 1..9_000),
        (0..REQUESTS + 1, 0..2_u16, vec(any::<u8>(), 0..9), vec(0..4_u8, 0..18))
            .prop_map(|(what, mount, path, rest)| raw(what, mount, &path, &rest)),
        (
            0..REQUESTS,
            0..2_u16,
            prop::sample::select(vec!["", "a.txt", "d", "x"]),
            vec(0..3_u8, 0..18)
        )
            .prop_map(|(what, mount, path, rest)| raw(what, mount, path.as_bytes(), &rest)),
    ]
}

/// Replies, more or less.
fn answers() -> impl Strategy<Value = Vec<(Vec<u8>, usize)>> {
    let message = prop_oneof![
        vec(any::<u8>(), 0..200),
        vec(any::<u8>(), 32_000..40_000),
        (0..8_u8, vec(0..4_u8, 0..60)).prop_map(|(what, rest)| [&[what], rest.as_slice()].concat()),
    ];
    vec((message, 0..4_usize), 20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_server_answers_requests_and_ends_at_anything_else(messages in vec(bytes(), 1..6)) {
        let (_host, _outside, sandbox) = Raw::over_a_folder(MountAccess::ReadWrite);
        for message in messages {
            let is_one = Request::read(&message).is_ok_and(|request| request.mount == 0);
            sandbox.send(&message);
            if is_one {
                let (reply, file) = sandbox.receive().unwrap();
                let is_open = matches!(Reply::read(&reply).unwrap(), Reply::Opened(_));
                prop_assert_eq!(is_open, file.is_some());
            } else {
                prop_assert!(sandbox.receive().is_none());
                prop_assert!(matches!(sandbox.why(), Err(FoldersError::Broken(_))));
                return Ok(());
            }
        }
    }

    #[test]
    fn a_sandbox_takes_replies_and_fails_at_anything_else(answers in answers()) {
        let (inside, thread) = answering(answers);
        let [folder] = connect(inside, 1).try_into().unwrap();
        let results = everything(&**folder.folder());
        let broke = results.iter().position(|result| {
            matches!(result, Err(error) if System::from_io_error(error) == Some(System::IO))
        });
        if let Some(broke) = broke {
            prop_assert!(results[broke..].iter().all(Result::is_err), "it does not recover");
        }
        drop(folder);
        thread.join().unwrap();
    }
}

#[test]
fn a_reply_to_something_else_is_none() {
    let done = vec![1];
    let opened = [&[5], [7; 8].as_slice()].concat();
    let refused = [&[0], 2_i32.to_le_bytes().as_slice()].concat();
    for (answer, files) in
        [(done.clone(), 0), (opened.clone(), 0), (opened.clone(), 2), (refused.clone(), 1)]
    {
        let (inside, thread) = answering(vec![(answer, files), (done.clone(), 0)]);
        let [folder] = connect(inside, 1).try_into().unwrap();
        assert!(folder.folder().open_to_read("a").is_err());
        assert!(folder.folder().make_folder("a").is_err(), "nothing is asked any more");
        drop(folder);
        thread.join().unwrap();
    }
    let (inside, thread) = answering(vec![(refused, 0), (opened, 1), (done, 0)]);
    let [folder] = connect(inside, 1).try_into().unwrap();
    let error = folder.folder().open_to_read("a").unwrap_err();
    assert_eq!(System::from_io_error(&error), Some(System::NOENT));
    assert!(folder.folder().open_to_read("a").is_ok() && folder.folder().make_folder("a").is_ok());
    thread.join().unwrap();
}

#[test]
fn a_path_that_would_end_the_service_is_not_sent() {
    let (_host, _outside, Raw { socket, service: _service, .. }) =
        Raw::over_a_folder(MountAccess::ReadWrite);
    let [folder] = connect(socket, 1).try_into().unwrap();
    let folder = folder.folder();
    for (path, expected) in [
        ("..", System::INVAL),
        ("/a", System::INVAL),
        ("a\0", System::INVAL),
        (&"a".repeat(256), System::NAMETOOLONG),
        (&vec!["abc"; 1025].join("/"), System::NAMETOOLONG),
    ] {
        let refused = [folder.stat(path).map(drop), folder.rename("a.txt", path)];
        for refused in refused {
            let error = refused.unwrap_err();
            assert_eq!(System::from_io_error(&error), Some(expected), "{path:?}");
        }
        assert_eq!(folder.stat("a.txt").unwrap().size, 6, "it goes on");
    }
}
