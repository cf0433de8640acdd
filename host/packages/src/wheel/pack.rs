//! A wheel made of files: what a native wheel is without its native parts.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::Unpacked;
use crate::folder::{create, open_plain};

/// The file name of the wheel for every platform.
pub(crate) fn pure_name(unpacked: &Unpacked) -> String {
    let escaped = |text: &str| text.replace('-', "_");
    format!("{}-{}-py3-none-any.whl", escaped(&unpacked.name), escaped(&unpacked.version))
}

/// Writes the wheel. The same files give the same bytes.
pub(crate) fn pack(unpacked: &Unpacked, folder: &Path, wheel: &Path) -> io::Result<()> {
    let mut zip = ZipWriter::new(BufWriter::new(create(wheel)?));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored) // it is read from this disk
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let record = format!("{}/RECORD", unpacked.info);
    // The record comes last, as the format recommends.
    let others = unpacked.files.keys().filter(|path| **path != record);
    for path in others.chain([&record]) {
        zip.start_file(path.as_str(), options)?;
        let mut file: File = open_plain(&folder.join(path))?;
        io::copy(&mut file, &mut zip)?;
    }
    zip.finish()?.flush()
}
