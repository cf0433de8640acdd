//! What a sandbox is told.

use std::io;

use pcm_runtime_api::{FileStat, FileTimes, Followed, TakeEntry};
use pcm_runtime_files::Errno;
use rustix::io::Errno as System;

use crate::fields::{Malformed, Reader, put_kind, put_text, put_u64};
use crate::page::{self, Page};

/// The longest reply: a piece of a listing, and what stands before it.
pub(crate) const LONGEST: usize = 2 + page::LONGEST;

const REFUSED: u8 = 0;
const DONE: u8 = 1;
const STAT: u8 = 2;
const LINK: u8 = 3;
const LISTED: u8 = 4;
const OPENED: u8 = 5;
const FOLLOWED: u8 = 6;

/// A reply. Each request has one kind of them, besides `Refused`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply<'a> {
    /// Why not, by the system's number.
    Refused(i32),
    Done,
    Stat(FileStat),
    Followed(Followed),
    Link(&'a str),
    Listed {
        /// The folder has no more.
        is_all: bool,
        page: Page<'a>,
    },
    /// The number of the file whose descriptor comes with the reply.
    Opened(u64),
}

impl<'a> Reply<'a> {
    /// Reads a message that is a reply, from its first byte to its last.
    pub(crate) fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Reader(message);
        let reply = match fields.u8()? {
            REFUSED => match fields.i32()? {
                number @ 1..4096 => Self::Refused(number),
                _ => return Err(Malformed("there is no such error")),
            },
            DONE => Self::Done,
            STAT => Self::Stat(stat(&mut fields)?),
            FOLLOWED => {
                let end = usize::from(fields.u16()?);
                let stat = if fields.flag()? { Some(stat(&mut fields)?) } else { None };
                Self::Followed(Followed { end, stat })
            }
            LINK => Self::Link(fields.text()?),
            LISTED => {
                let is_all = fields.flag()?;
                let page = Page::read(fields.bytes(fields.0.len())?)?;
                if !is_all && page.bytes().is_empty() {
                    return Err(Malformed("a piece of a listing leads nowhere"));
                }
                Self::Listed { is_all, page }
            }
            OPENED => Self::Opened(fields.u64()?),
            _ => return Err(Malformed("there is no such reply")),
        };
        fields.end()?;
        Ok(reply)
    }
}

/// Puts an error in the place of what was to be said: its number alone.
pub(crate) fn put_refused(message: &mut Vec<u8>, error: &io::Error) {
    message.clear();
    message.push(REFUSED);
    message.extend_from_slice(&Errno::from(error).number().to_le_bytes());
}

pub(crate) fn put_done(message: &mut Vec<u8>) {
    message.push(DONE);
}

pub(crate) fn put_stat(message: &mut Vec<u8>, stat: &FileStat) {
    message.push(STAT);
    put_stat_fields(message, stat);
}

pub(crate) fn put_followed(message: &mut Vec<u8>, followed: &Followed) -> io::Result<()> {
    message.push(FOLLOWED);
    let end = u16::try_from(followed.end).map_err(|_| System::NAMETOOLONG)?;
    message.extend_from_slice(&end.to_le_bytes());
    message.push(u8::from(followed.stat.is_some()));
    if let Some(stat) = &followed.stat {
        put_stat_fields(message, stat);
    }
    Ok(())
}

fn stat(fields: &mut Reader<'_>) -> Result<FileStat, Malformed> {
    Ok(FileStat {
        kind: fields.kind()?,
        size: fields.u64()?,
        times: FileTimes {
            accessed: fields.u64()?,
            modified: fields.u64()?,
            changed: fields.u64()?,
        },
        number: fields.u64()?,
    })
}

fn put_stat_fields(message: &mut Vec<u8>, stat: &FileStat) {
    let FileStat { kind, size, times, number } = *stat;
    put_kind(message, kind);
    for number in [size, times.accessed, times.modified, times.changed, number] {
        put_u64(message, number);
    }
}

pub(crate) fn put_link(message: &mut Vec<u8>, target: &str) -> io::Result<()> {
    message.push(LINK);
    Ok(put_text(message, target)?)
}

pub(crate) fn put_opened(message: &mut Vec<u8>, number: u64) {
    message.push(OPENED);
    put_u64(message, number);
}

/// Puts what `list` gives, up to a page of it.
pub(crate) fn put_listed(
    message: &mut Vec<u8>,
    list: impl FnOnce(&mut TakeEntry<'_>) -> io::Result<()>,
) -> io::Result<()> {
    const START: usize = 2;
    message.extend_from_slice(&[LISTED, 1]);
    let mut is_all = true;
    list(&mut |entry| {
        is_all = page::put(message, START, entry);
        is_all
    })?;
    if let Some(flag) = message.get_mut(START - 1) {
        *flag = u8::from(is_all);
    }
    Ok(())
}
