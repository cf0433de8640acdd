//! What a sandbox asks for.

use pcm_runtime_api::{Creation, SetTime};
use pcm_runtime_files::LONGEST_PATH;
use rustix::io::Errno as System;

use crate::fields::{Malformed, Reader, check_path, put_text, put_u64};

/// The longest request: what is done, to which mount, and two paths with their lengths.
pub(crate) const LONGEST: usize = 1 + 2 + 2 * (2 + LONGEST_PATH);

/// A request, of one mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    pub(crate) mount: u16,
    pub(crate) ask: Ask<'a>,
}

/// What is asked for; each is a method of [`pcm_runtime_api::HostFolder`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask<'a> {
    Stat { path: &'a str },
    Follow { path: &'a str, known: u16 },
    ReadLink { path: &'a str },
    List { path: &'a str, cookie: u64 },
    OpenToRead { path: &'a str },
    OpenToWrite { path: &'a str, readable: bool, make: Creation },
    MakeFolder { path: &'a str },
    RemoveFile { path: &'a str },
    RemoveFolder { path: &'a str },
    Rename { from: &'a str, to: &'a str },
    SetTimes { path: &'a str, accessed: SetTime, modified: SetTime },
}

impl<'a> Request<'a> {
    /// Reads a message that is a request, from its first byte to its last.
    pub(crate) fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Reader(message);
        let what = fields.u8()?;
        let mount = fields.u16()?;
        let path = fields.path()?;
        let ask = match what {
            0 => Ask::Stat { path },
            1 => Ask::ReadLink { path },
            2 => Ask::List { path, cookie: fields.u64()? },
            3 => Ask::OpenToRead { path },
            4 => Ask::OpenToWrite { path, readable: fields.flag()?, make: creation(&mut fields)? },
            5 => Ask::MakeFolder { path },
            6 => Ask::RemoveFile { path },
            7 => Ask::RemoveFolder { path },
            8 => Ask::Rename { from: path, to: fields.path()? },
            9 => Ask::SetTimes { path, accessed: time(&mut fields)?, modified: time(&mut fields)? },
            10 => Ask::Follow { path, known: fields.u16()? },
            _ => return Err(Malformed("there is no such request")),
        };
        fields.end()?;
        Ok(Self { mount, ask })
    }

    /// Makes the message. Refuses a path that the other end would take for an attack.
    pub(crate) fn write(&self, message: &mut Vec<u8>) -> Result<(), System> {
        let (what, path) = match self.ask {
            Ask::Stat { path } => (0, path),
            Ask::ReadLink { path } => (1, path),
            Ask::List { path, .. } => (2, path),
            Ask::OpenToRead { path } => (3, path),
            Ask::OpenToWrite { path, .. } => (4, path),
            Ask::MakeFolder { path } => (5, path),
            Ask::RemoveFile { path } => (6, path),
            Ask::RemoveFolder { path } => (7, path),
            Ask::Rename { from, .. } => (8, from),
            Ask::SetTimes { path, .. } => (9, path),
            Ask::Follow { path, .. } => (10, path),
        };
        message.clear();
        message.push(what);
        message.extend_from_slice(&self.mount.to_le_bytes());
        put_path(message, path)?;
        match self.ask {
            Ask::List { cookie, .. } => put_u64(message, cookie),
            Ask::Follow { known, .. } => message.extend_from_slice(&known.to_le_bytes()),
            Ask::OpenToWrite { readable, make, .. } => {
                message.push(u8::from(readable));
                message.push(match make {
                    Creation::Never => 0,
                    Creation::IfMissing => 1,
                    Creation::Always => 2,
                });
            }
            Ask::Rename { to, .. } => put_path(message, to)?,
            Ask::SetTimes { accessed, modified, .. } => {
                put_time(message, accessed);
                put_time(message, modified);
            }
            Ask::Stat { .. }
            | Ask::ReadLink { .. }
            | Ask::OpenToRead { .. }
            | Ask::MakeFolder { .. }
            | Ask::RemoveFile { .. }
            | Ask::RemoveFolder { .. } => {}
        }
        Ok(())
    }
}

fn put_path(message: &mut Vec<u8>, path: &str) -> Result<(), System> {
    check_path(path)?;
    put_text(message, path)
}

fn creation(fields: &mut Reader<'_>) -> Result<Creation, Malformed> {
    match fields.u8()? {
        0 => Ok(Creation::Never),
        1 => Ok(Creation::IfMissing),
        2 => Ok(Creation::Always),
        _ => Err(Malformed("there is no such way to make a file")),
    }
}

fn time(fields: &mut Reader<'_>) -> Result<SetTime, Malformed> {
    Ok(if fields.flag()? { SetTime::To(fields.u64()?) } else { SetTime::Keep })
}

fn put_time(message: &mut Vec<u8>, time: SetTime) {
    match time {
        SetTime::Keep => message.push(0),
        SetTime::To(nanoseconds) => {
            message.push(1);
            put_u64(message, nanoseconds);
        }
    }
}
