//! Messages: what was written is read, and what is read was written.

use pcm_runtime_api::{Creation, FileKind, FileStat, FileTimes, Followed, HostEntry, SetTime};
use pcm_runtime_files::Errno;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::REQUESTS;
use crate::fields::check_path;
use crate::page::{self, Page};
use crate::reply::{self, Reply};
use crate::request::{Ask, Request};

fn name() -> impl Strategy<Value = String> {
    let letter =
        any::<char>().prop_filter("none of a name", |letter| !matches!(letter, '/' | '\0'));
    let name = vec(letter, 1..40).prop_map(String::from_iter);
    name.prop_filter("dots", |name| !matches!(name.as_str(), "." | ".."))
}

fn path() -> impl Strategy<Value = String> {
    vec(name(), 0..8).prop_map(|names| names.join("/"))
}

fn time() -> impl Strategy<Value = SetTime> {
    option::of(any::<u64>()).prop_map(|time| time.map_or(SetTime::Keep, SetTime::To))
}

fn kind() -> impl Strategy<Value = FileKind> {
    prop::sample::select(vec![FileKind::File, FileKind::Folder, FileKind::Link, FileKind::Other])
}

fn creation() -> impl Strategy<Value = Creation> {
    prop::sample::select(vec![Creation::Never, Creation::IfMissing, Creation::Always])
}

fn stat() -> impl Strategy<Value = FileStat> {
    (kind(), any::<[u64; 5]>()).prop_map(|(kind, [size, accessed, modified, changed, number])| {
        let times = FileTimes { accessed, modified, changed };
        FileStat { kind, size, times, number }
    })
}

/// Bytes that begin like a message more often than chance would have it.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let headed = (0..REQUESTS, 0..2_u16, vec(any::<u8>(), 0..300), vec(any::<u8>(), 0..30));
    prop_oneof![
        vec(any::<u8>(), 0..600),
        vec(0..4_u8, 0..60),
        headed.prop_map(|(what, mount, path, rest)| super::raw(what, mount, &path, &rest)),
        (0..REQUESTS, path(), vec(0..3_u8, 0..20)).prop_map(|(what, path, rest)| super::raw(
            what,
            0,
            path.as_bytes(),
            &rest
        )),
    ]
}

proptest! {
    #[test]
    fn every_request_is_read_as_it_was_written(
        mount: u16, path in path(), to in path(), known: u16, cookie: u64, readable: bool,
        make in creation(), accessed in time(), modified in time(), cut: prop::sample::Index,
    ) {
        let path = path.as_str();
        for ask in [
            Ask::Stat { path },
            Ask::Follow { path, known },
            Ask::ReadLink { path },
            Ask::List { path, cookie },
            Ask::OpenToRead { path },
            Ask::OpenToWrite { path, readable, make },
            Ask::MakeFolder { path },
            Ask::RemoveFile { path },
            Ask::RemoveFolder { path },
            Ask::Rename { from: path, to: &to },
            Ask::SetTimes { path, accessed, modified },
        ] {
            let request = Request { mount, ask };
            let mut message = Vec::new();
            request.write(&mut message).unwrap();
            prop_assert_eq!(Request::read(&message), Ok(request));
            prop_assert!(Request::read(&message[..cut.index(message.len())]).is_err());
            message.push(0);
            prop_assert!(Request::read(&message).is_err());
        }
    }

    #[test]
    fn every_reply_is_read_as_it_was_written(stat in stat(), end: u16, target in path(), number: u64) {
        let written = |put: &dyn Fn(&mut Vec<u8>)| {
            let mut message = Vec::new();
            put(&mut message);
            message
        };
        let message = written(&reply::put_done);
        prop_assert_eq!(Reply::read(&message), Ok(Reply::Done));
        let message = written(&|message| reply::put_stat(message, &stat));
        prop_assert_eq!(Reply::read(&message), Ok(Reply::Stat(stat)));
        for stat in [None, Some(stat)] {
            let followed = Followed { end: usize::from(end), stat };
            let message = written(&|message| reply::put_followed(message, &followed).unwrap());
            prop_assert_eq!(Reply::read(&message), Ok(Reply::Followed(followed)));
        }
        let message = written(&|message| reply::put_link(message, &target).unwrap());
        prop_assert_eq!(Reply::read(&message), Ok(Reply::Link(&target)));
        let message = written(&|message| reply::put_opened(message, number));
        prop_assert_eq!(Reply::read(&message), Ok(Reply::Opened(number)));
        let message = written(&|message| {
            message.extend_from_slice(b"half a reply");
            reply::put_refused(message, &rustix::io::Errno::NOTDIR.into());
        });
        prop_assert_eq!(Reply::read(&message), Ok(Reply::Refused(Errno::NotFolder.number())));
    }

    #[test]
    fn a_listing_is_cut_into_pieces_and_nothing_is_lost(
        entries in vec((option::of(name()), kind(), any::<u64>(), any::<u64>()), 0..900),
    ) {
        let entries: Vec<_> = entries
            .iter()
            .map(|(name, kind, number, cookie)| {
                let name = name.as_deref();
                HostEntry { name, kind: *kind, number: *number, cookie: *cookie }
            })
            .collect();
        let (mut rest, mut message) = (entries.as_slice(), Vec::new());
        loop {
            message.clear();
            reply::put_listed(&mut message, |take| {
                rest.iter().any(|entry| !take(*entry));
                Ok(())
            })
            .unwrap();
            prop_assert!(message.len() <= reply::LONGEST);
            let Ok(Reply::Listed { is_all, page }) = Reply::read(&message) else {
                panic!("{message:?}")
            };
            let taken: Vec<_> = page.entries().collect();
            prop_assert_eq!(&taken, &rest[..taken.len()]);
            rest = &rest[taken.len()..];
            prop_assert_eq!(is_all, rest.is_empty());
            if is_all {
                break;
            }
        }
    }

    #[test]
    fn bytes_that_are_read_as_a_message_are_that_message(bytes in bytes()) {
        if let Ok(request) = Request::read(&bytes) {
            let mut again = Vec::new();
            request.write(&mut again).unwrap();
            prop_assert_eq!(&again, &bytes);
        }
        if let Ok(Reply::Listed { page, .. }) = Reply::read(&bytes) {
            prop_assert_eq!(page.bytes(), &bytes[2..]);
            let mut again = Vec::new();
            for entry in page.entries() {
                prop_assert!(page::put(&mut again, 0, entry));
            }
            prop_assert_eq!(&again, &bytes[2..]);
        }
        if let Ok(page) = Page::read(&bytes) {
            for name in page.entries().filter_map(|entry| entry.name) {
                prop_assert!(check_path(name).is_ok() && !name.contains('/'), "{}", name);
            }
        }
    }
}

#[test]
fn a_path_that_is_none_of_the_folders_own_is_no_path() {
    let (long_name, long_path) = ("a".repeat(256), "abc/".repeat(1024) + "a");
    for path in [
        "/", "/a", "a/", "a//b", ".", "..", "./a", "a/.", "../a", "a/..", "a/../b", "a/./b", "\0",
        "a\0b", "a/\0", &long_name, &long_path,
    ] {
        assert!(check_path(path).is_err(), "{path:?}");
        for what in 0..REQUESTS {
            let rest: &[u8] = match what {
                2 => &[0; 8],
                4 | 8 | 9 | 10 => &[0; 2],
                _ => &[],
            };
            assert!(Request::read(&super::raw(what, 0, b"a", rest)).is_ok(), "{what}");
            assert!(Request::read(&super::raw(what, 0, path.as_bytes(), rest)).is_err());
        }
        let second = super::raw(0, 0, path.as_bytes(), &[]);
        assert!(Request::read(&super::raw(8, 0, b"a", &second[3..])).is_err(), "{path:?}");
    }
    for path in ["", "a", "...", "a/...b", ".a", "a.", "\\..\\x", "line\nbreak", "‥"] {
        assert!(check_path(path).is_ok(), "{path:?}");
    }
}

#[test]
fn a_name_longer_than_any_that_can_be_opened_is_in_the_way_and_nothing_else() {
    let name = "a".repeat(256);
    let entry = HostEntry { name: Some(&name), kind: FileKind::File, number: 1, cookie: 2 };
    let mut bytes = Vec::new();
    assert!(page::put(&mut bytes, 0, entry));
    let read: Vec<_> = Page::read(&bytes).unwrap().entries().collect();
    assert_eq!(read, [HostEntry { name: None, ..entry }]);
}
