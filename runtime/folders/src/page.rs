//! A piece of a listing.
//!
//! An entry is its kind, its number, its cookie and its name behind a length; a name that cannot be
//! shown has none.

use pcm_runtime_api::HostEntry;
use pcm_runtime_files::LONGEST_NAME;

use crate::fields::{Malformed, Reader, put_kind, put_u64};

/// The longest piece, in bytes.
pub(crate) const LONGEST: usize = 32 << 10;

/// The entries in a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page<'a>(&'a [u8]);

impl<'a> Page<'a> {
    /// Takes bytes that are entries from the first to the last.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        if bytes.len() > LONGEST {
            return Err(Malformed("a piece of a listing is too long"));
        }
        let mut fields = Reader(bytes);
        while !fields.0.is_empty() {
            entry(&mut fields)?;
        }
        Ok(Self(bytes))
    }

    pub(crate) fn bytes(self) -> &'a [u8] {
        self.0
    }

    pub(crate) fn entries(self) -> impl Iterator<Item = HostEntry<'a>> {
        let mut fields = Reader(self.0);
        std::iter::from_fn(move || entry(&mut fields).ok())
    }
}

fn entry<'a>(fields: &mut Reader<'a>) -> Result<HostEntry<'a>, Malformed> {
    let (kind, number, cookie) = (fields.kind()?, fields.u64()?, fields.u64()?);
    let length = usize::from(fields.u8()?);
    let name = str::from_utf8(fields.bytes(length)?).map_err(|_| Malformed("a name is no text"))?;
    if matches!(name, "." | "..") || name.contains(['/', '\0']) {
        return Err(Malformed("a name is none"));
    }
    let name = Some(name).filter(|name| !name.is_empty());
    Ok(HostEntry { name, kind, number, cookie })
}

/// Puts an entry behind what `page` has from `start` on, if there is room for it. A name that is
/// longer than any that can be opened is in the way and nothing else.
pub(crate) fn put(page: &mut Vec<u8>, start: usize, entry: HostEntry<'_>) -> bool {
    const REST: usize = 1 + 8 + 8 + 1;
    let name = entry.name.filter(|name| name.len() <= LONGEST_NAME).unwrap_or_default();
    if page.len() - start + REST + name.len() > LONGEST {
        return false;
    }
    put_kind(page, entry.kind);
    put_u64(page, entry.number);
    put_u64(page, entry.cookie);
    page.push(u8::try_from(name.len()).unwrap_or(0)); // it fits: see above
    page.extend_from_slice(name.as_bytes());
    true
}
