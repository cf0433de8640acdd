//! Lists the Python that is embedded: the evaluator, and what it needs here.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Modules by the folder that has them.
const PACKAGES: [(&str, &str); 2] =
    [("pcm_guest", "../guest/pcm_guest"), ("pcm_in_process", "pcm_in_process")];

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    let source = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let mut list = "&[\n".to_owned();
    for (package, folder) in PACKAGES {
        for path in modules(&source.join(folder))? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let module = format!("{package}/{name}");
            let path = path.display().to_string();
            writeln!(list, "({module:?}, include_str!({path:?})),").map_err(io::Error::other)?;
        }
    }
    list.push_str("]\n");
    fs::write(PathBuf::from(variable("OUT_DIR")?).join("sources.rs"), list)
}

fn modules(folder: &Path) -> io::Result<Vec<PathBuf>> {
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "py"));
    files.sort();
    Ok(files)
}

fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(|error| io::Error::other(format!("{name}: {error}")))
}
