//! Lists the modules of `pcm_guest`, to be embedded by whoever brings them to a Python of its own.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs, io};

const FOLDER: &str = "pcm_guest";

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={FOLDER}");
    let folder = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join(FOLDER);
    let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut files: Vec<PathBuf> = entries.collect::<io::Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "py"));
    files.sort();
    let mut list = "&[\n".to_owned();
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let module = format!("{FOLDER}/{name}");
        let path = path.to_string_lossy();
        writeln!(list, "    ({module:?}, include_str!({path:?})),").map_err(io::Error::other)?;
    }
    list.push_str("]\n");
    fs::write(PathBuf::from(variable("OUT_DIR")?).join("modules.rs"), list)
}

fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(|error| io::Error::other(format!("{name}: {error}")))
}
