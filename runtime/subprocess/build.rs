//! Lists the Python packages that a kernel is given, to be embedded.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io, process};

const PACKAGES: [(&str, &str); 2] =
    [("pcm_guest", "../guest/pcm_guest"), ("pcm_kernel", "pcm_kernel")];

fn main() {
    if let Err(error) = list() {
        println!("cargo:warning=the packages of the kernel cannot be read: {error}");
        process::exit(1);
    }
}

fn list() -> io::Result<()> {
    let variable = |name| env::var_os(name).map(PathBuf::from).ok_or_else(|| missing(name));
    let source = variable("CARGO_MANIFEST_DIR")?;
    let mut text = "&[\n".to_owned();
    println!("cargo:rerun-if-changed=build.rs");
    for (package, folder) in PACKAGES {
        let folder = source.join(folder);
        println!("cargo:rerun-if-changed={}", folder.display());
        for file in modules(&folder)? {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let path = fs::canonicalize(&file)?;
            let (name, path) = (format!("{package}/{name}"), path.to_string_lossy().into_owned());
            let entry = format!("({name:?}, include_bytes!({path:?})),");
            writeln!(text, "    {entry}").map_err(io::Error::other)?;
        }
    }
    text.push_str("]\n");
    fs::write(variable("OUT_DIR")?.join("packages.rs"), text)
}

fn modules(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries: io::Result<Vec<_>> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect();
    let mut files: Vec<_> = entries?
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "py"))
        .collect();
    files.sort();
    Ok(files)
}

fn missing(name: &str) -> io::Error {
    io::Error::other(format!("{name} is not set"))
}
