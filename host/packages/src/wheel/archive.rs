//! A wheel as it lies on an index: a zip archive.
//!
//! Zip archives can say two things at once: in their directory and before each member, in one
//! directory and in another that was there before. What is ambiguous is refused.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use zip::read::{ArchiveOffset, Config};
use zip::{CompressionMethod, ZipArchive};

use super::record::Record;
use super::unpack::{MAX_MEMBERS, MAX_RECORD, Unpacker, shown};
use super::{Bad, Unpacked};
use crate::folder::open_plain;

/// The end record and the longest comment after it.
const END: usize = 22;
const MAX_TAIL: u64 = END as u64 + 0xffff;
const END_SIGNATURE: [u8; 4] = [b'P', b'K', 5, 6];
/// How much more than the archive its members may be, once they are much at all.
const MAX_RATIO: u64 = 200;
const FREE_OF_RATIO: u64 = 16 << 20;
/// The type of a file in its mode, as Unix has it.
const TYPE: u32 = 0o170_000;
const PLAIN: u32 = 0o100_000;
const FOLDER: u32 = 0o040_000;

pub(super) fn unpack(path: &Path, mut unpacker: Unpacker) -> Result<Unpacked, Bad> {
    let mut file = open_plain(path)?;
    check_end(&mut file)?;
    let size = file.metadata()?.len();
    let config = Config { archive_offset: ArchiveOffset::Known(0) };
    let mut archive = ZipArchive::with_config(config, BufReader::new(file)).map_err(bad_zip)?;
    archive.validate_header_consistency().map_err(bad_zip)?;
    let members = members(&archive, size)?;
    let names = || members.iter().map(|(name, _)| name.as_str());
    let info = unpacker.info(names())?;
    let record = record(&mut archive, &format!("{info}/RECORD"))?;
    for (name, index) in &members {
        let mut member = archive.by_index(*index).map_err(bad_zip)?;
        unpacker.add(name, &info, &record, &mut member)?;
    }
    unpacker.finish(info)
}

/// Checks that the archive ends with one record that its directory reaches up to, so that there is no
/// choice between directories, and that the directory is not too long to be read.
fn check_end(file: &mut File) -> Result<(), Bad> {
    let size = file.seek(SeekFrom::End(0))?;
    let start = file.seek(SeekFrom::Start(size.saturating_sub(MAX_TAIL)))?;
    let mut tail = Vec::new();
    file.take(MAX_TAIL).read_to_end(&mut tail)?;
    file.rewind()?;
    let at = tail.windows(END_SIGNATURE.len()).rposition(|window| window == END_SIGNATURE);
    let end = at.and_then(|at| tail.get(at..)).filter(|end| end.len() >= END);
    let (Some(at), Some(end)) = (at, end) else { return Err("it is no zip archive".into()) };
    let number = |field: std::ops::Range<usize>| {
        end.get(field)
            .unwrap_or_default()
            .iter()
            .rev()
            .fold(0, |all, byte| all << 8 | u64::from(*byte))
    };
    let (entries, directory_size, directory_start) =
        (number(10..12), number(12..16), number(16..20));
    if number(4..6) != 0 || number(6..8) != 0 || number(8..10) != entries {
        return Err("it is a part of a divided archive".into());
    }
    if entries > MAX_MEMBERS as u64 {
        return Err(format!("it has more than {MAX_MEMBERS} members").into());
    }
    if directory_start + directory_size != start + at as u64
        || number(20..22) != (end.len() - END) as u64
    {
        return Err("its directory is not where it ends".into());
    }
    Ok(())
}

/// The names of the files with their places in the archive, if all of them are what they may be.
fn members(archive: &ZipArchive<BufReader<File>>, size: u64) -> Result<Vec<(String, usize)>, Bad> {
    if archive.len() > MAX_MEMBERS {
        return Err(format!("it has more than {MAX_MEMBERS} members").into());
    }
    let mut members = Vec::with_capacity(archive.len());
    let mut total = 0_u64;
    for index in 0..archive.len() {
        let member = archive.by_index_data(index).map_err(bad_zip)?;
        let name = str::from_utf8(member.name_raw())
            .map_err(|_| Bad::from("the name of one of its members is not UTF-8"))?;
        let refuse = |what: &str| Err(Bad::from(format!("its member {} is {what}", shown(name))));
        if member.encrypted() {
            return refuse("encrypted");
        }
        let kind = member.unix_mode().unwrap_or_default() & TYPE;
        if member.is_symlink() || ![0, PLAIN, FOLDER].contains(&kind) {
            return refuse("neither a file nor a folder");
        }
        if name.ends_with('/') {
            if member.size() > 0 {
                return refuse("a folder with content");
            }
            continue;
        }
        if kind == FOLDER {
            return refuse("a folder with the name of a file");
        }
        if !matches!(member.compression(), CompressionMethod::Stored | CompressionMethod::Deflated)
        {
            return refuse("compressed in a way that wheels are not");
        }
        total = total.saturating_add(member.size());
        members.push((name.to_owned(), index));
    }
    if total > FREE_OF_RATIO && total > size.saturating_mul(MAX_RATIO) {
        return Err("it unpacks to far more than its size".into());
    }
    Ok(members)
}

fn record(archive: &mut ZipArchive<BufReader<File>>, name: &str) -> Result<Record, Bad> {
    let member = archive.by_name(name).map_err(bad_zip)?;
    let mut text = String::new();
    member
        .take(MAX_RECORD + 1)
        .read_to_string(&mut text)
        .map_err(|_| Bad::from("its RECORD is damaged"))?;
    if text.len() as u64 > MAX_RECORD {
        return Err("its RECORD is too long".into());
    }
    Record::parse(&text)
}

/// The crate's messages name no content of the archive.
fn bad_zip(error: zip::result::ZipError) -> Bad {
    match error {
        zip::result::ZipError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            Bad::Wheel(format!("it cannot be read: {}", error.kind()))
        }
        error => Bad::Wheel(format!("it is no proper zip archive: {error}")),
    }
}
