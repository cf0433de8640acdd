//! A wheel as `uv` installed it: a folder in which its RECORD names the files that are its own.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use super::path::is_inside;
use super::record::Record;
use super::unpack::{MAX_RECORD, Unpacker, shown};
use super::{Bad, Unpacked};
use crate::folder::open_plain;

pub(super) fn unpack(folder: &Path, mut unpacker: Unpacker) -> Result<Unpacked, Bad> {
    let mut records = Vec::new();
    for entry in fs::read_dir(folder)? {
        if let Some(name) = entry?.file_name().to_str() {
            records.push(format!("{name}/RECORD"));
        }
    }
    let info = unpacker.info(records.iter().map(String::as_str))?;
    let mut text = String::new();
    open_plain(&folder.join(&info).join("RECORD"))?
        .take(MAX_RECORD)
        .read_to_string(&mut text)
        .map_err(|_| Bad::from("its RECORD is damaged"))?;
    let record = Record::parse(&text)?;
    let mut paths: Vec<&str> = record.paths().collect();
    paths.sort_unstable();
    for path in paths {
        // Programs and the like were put outside; so was nothing that Python imports.
        if path.starts_with("../") {
            continue;
        }
        if !is_inside(path) {
            return Err(format!("its member {} is no path inside it", shown(path)).into());
        }
        let mut file = open_plain(&folder.join(path))
            .map_err(|_| format!("its member {} is not there", shown(path)))?;
        unpacker.add(path, &info, &record, &mut file)?;
    }
    unpacker.finish(info)
}
