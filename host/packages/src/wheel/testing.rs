//! Wheels for tests, made on the spot. Also a module of the integration tests.

use std::io::{self, Cursor, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A wheel in the making.
#[derive(Debug, Clone)]
pub(crate) struct TestWheel {
    name: String,
    version: String,
    tag: String,
    metadata: String,
    files: Vec<(String, Vec<u8>)>,
}

impl TestWheel {
    /// `name-version-py3-none-any.whl` with nothing in it.
    pub(crate) fn new(name: &str, version: &str) -> Self {
        let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
        let (name, version) = (name.to_owned(), version.to_owned());
        Self { name, version, tag: "py3-none-any".to_owned(), metadata, files: Vec::new() }
    }

    /// With a file.
    pub(crate) fn file(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.files.push((path.to_owned(), content.as_ref().to_owned()));
        self
    }

    /// With a line in METADATA, as `Requires-Dist: x`.
    pub(crate) fn metadata(mut self, line: &str) -> Self {
        self.metadata += line;
        self.metadata.push('\n');
        self
    }

    /// For another platform.
    pub(crate) fn tag(mut self, tag: &str) -> Self {
        tag.clone_into(&mut self.tag);
        self
    }

    /// The members that the archive has, RECORD last.
    pub(crate) fn members(&self) -> Vec<(String, Vec<u8>)> {
        let info = format!("{}-{}.dist-info", self.name.replace('-', "_"), self.version);
        let wheel = format!("Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {}\n", self.tag);
        let mut members = self.files.clone();
        members.push((format!("{info}/METADATA"), self.metadata.clone().into_bytes()));
        members.push((format!("{info}/WHEEL"), wheel.into_bytes()));
        let lines: Vec<String> = members.iter().map(|(path, data)| line(path, data)).collect();
        let record = format!("{}\n{info}/RECORD,,\n", lines.join("\n"));
        members.push((format!("{info}/RECORD"), record.into_bytes()));
        members
    }

    /// The name of its file.
    pub(crate) fn file_name(&self) -> String {
        format!("{}-{}-{}.whl", self.name.replace('-', "_"), self.version, self.tag)
    }

    /// Writes it into a folder.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<PathBuf> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (path, data) in self.members() {
            zip.start_file(path, SimpleFileOptions::default())?;
            zip.write_all(&data)?;
        }
        let path = folder.join(self.file_name());
        std::fs::write(&path, zip.finish()?.into_inner())?;
        Ok(path)
    }
}

/// A line of a RECORD.
fn line(path: &str, data: &[u8]) -> String {
    let hash = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(data));
    format!("{path},sha256={hash},{}", data.len())
}
