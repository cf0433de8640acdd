//! What messages are made of: numbers with the low byte first, and texts behind their length.

use pcm_runtime_api::FileKind;
use pcm_runtime_files::{LONGEST_NAME, LONGEST_PATH};
use rustix::io::Errno as System;

/// A message that is none. It says what is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// Takes fields from the front of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Malformed("it is cut off"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed("it is cut off"))?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Malformed> {
        self.array().map(i32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    /// A byte that is 0 or 1.
    pub(crate) fn flag(&mut self) -> Result<bool, Malformed> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed("a flag is neither yes nor no")),
        }
    }

    pub(crate) fn kind(&mut self) -> Result<FileKind, Malformed> {
        match self.u8()? {
            0 => Ok(FileKind::File),
            1 => Ok(FileKind::Folder),
            2 => Ok(FileKind::Link),
            3 => Ok(FileKind::Other),
            _ => Err(Malformed("there is no such kind of file")),
        }
    }

    /// A text as long as a path may be.
    pub(crate) fn text(&mut self) -> Result<&'a str, Malformed> {
        let length = usize::from(self.u16()?);
        if length > LONGEST_PATH {
            return Err(Malformed("a text is longer than a path"));
        }
        str::from_utf8(self.bytes(length)?).map_err(|_| Malformed("a text is not UTF-8"))
    }

    /// A path that could lie in a folder.
    pub(crate) fn path(&mut self) -> Result<&'a str, Malformed> {
        let path = self.text()?;
        check_path(path).map_err(|_| Malformed("a path is none of a folder's own"))?;
        Ok(path)
    }

    pub(crate) fn end(self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed("something comes after it")) }
    }
}

/// Refuses what is no path in a folder, as [`pcm_runtime_api::HostFolder`] has them.
pub(crate) fn check_path(path: &str) -> Result<(), System> {
    if path.is_empty() {
        return Ok(());
    }
    if path.len() > LONGEST_PATH || path.split('/').any(|name| name.len() > LONGEST_NAME) {
        return Err(System::NAMETOOLONG);
    }
    if path.contains('\0') || path.split('/').any(|name| matches!(name, "" | "." | "..")) {
        return Err(System::INVAL);
    }
    Ok(())
}

pub(crate) fn put_kind(message: &mut Vec<u8>, kind: FileKind) {
    message.push(match kind {
        FileKind::File => 0,
        FileKind::Folder => 1,
        FileKind::Link => 2,
        FileKind::Other => 3,
    });
}

pub(crate) fn put_u64(message: &mut Vec<u8>, number: u64) {
    message.extend_from_slice(&number.to_le_bytes());
}

/// Puts a text that is no longer than a path may be.
pub(crate) fn put_text(message: &mut Vec<u8>, text: &str) -> Result<(), System> {
    if text.len() > LONGEST_PATH {
        return Err(System::NAMETOOLONG);
    }
    let length = u16::try_from(text.len()).map_err(|_| System::NAMETOOLONG)?;
    message.extend_from_slice(&length.to_le_bytes());
    message.extend_from_slice(text.as_bytes());
    Ok(())
}
