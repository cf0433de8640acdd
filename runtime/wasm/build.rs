//! Finds the image of the current sources in the cache, to be embedded.

use std::path::Path;
use std::{env, fs, io, process};

#[path = "../../python-wasm/src/inputs.rs"]
#[expect(unreachable_pub, reason = "shared with the crate that makes the image")]
mod inputs;

fn main() {
    if let Err(error) = find_image() {
        println!("cargo:warning=the Python image of these sources is not in the cache: {error}");
        println!("cargo:warning=`./x setup` makes it (minutes the first time, then seconds)");
        process::exit(1);
    }
}

fn find_image() -> io::Result<()> {
    let manifest = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let workspace = Path::new(&manifest).join("../..").canonicalize()?;
    let inputs = inputs::Inputs::locate(&workspace)?;
    for source in inputs.sources() {
        println!("cargo:rerun-if-changed={}", source.display());
    }
    println!("cargo:rerun-if-env-changed=XDG_CACHE_HOME");
    let folder = inputs.image_folder()?;
    let info = folder.join("image.json");
    println!("cargo:rerun-if-changed={}", info.display());
    fs::metadata(&info).map_err(|_| io::Error::other(format!("no {}", info.display())))?;
    println!("cargo:rustc-env=PCM_IMAGE={}", folder.display());
    Ok(())
}
