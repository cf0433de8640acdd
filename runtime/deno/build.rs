//! Packs what runs in the isolate: Pyodide, the scripts of `js/`, the Python packages.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::{env, process};

/// Pyodide is compressed once per version, and read at every first use: it may take its time.
const LEVEL: i32 = 19;
/// Modules of the guest, by the folder that has them.
const PACKAGES: [(&str, &str); 2] =
    [("pcm_guest", "../guest/pcm_guest"), ("pcm_pyodide", "pcm_pyodide")];
const SCRIPTS: [&str; 7] =
    ["wasm.js", "shims.js", "tree.js", "streams.js", "files.js", "iterators.js", "loader.js"];
/// All that is made here.
const PARTS: [&str; 5] =
    ["pyodide.wasm.zst", "pyodide.js.zst", "stdlib.zip", "packages.bin", "loader.js"];

fn main() {
    if let Err(error) = pack() {
        println!("cargo:warning=Pyodide cannot be packed: {error}");
        println!("cargo:warning=`./x setup` fetches it, by the lock file in js/");
        process::exit(1);
    }
}

fn pack() -> io::Result<()> {
    let source = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(variable("OUT_DIR")?);
    let js = source.join("../../js");
    println!("cargo:rerun-if-changed=build.rs");
    let pyodide = pyodide(&js)?;
    compress(&pyodide.join("pyodide.asm.wasm"), &out.join("pyodide.wasm.zst"))?;
    let stdlib = pyodide.join("python_stdlib.zip");
    fs::copy(&stdlib, out.join("stdlib.zip"))?; // compressed already
    let script = out.join("pyodide.js");
    fs::write(&script, wrapped(&fs::read_to_string(pyodide.join("pyodide.asm.mjs"))?)?)?;
    compress(&script, &out.join("pyodide.js.zst"))?;
    let mut loader = "(() => {\n".to_owned();
    for name in SCRIPTS {
        let path = js.join("src").join(name);
        println!("cargo:rerun-if-changed={}", path.display());
        loader.push_str(&fs::read_to_string(path)?);
    }
    loader.push_str("return makeLoader;\n})();\n");
    fs::write(out.join("loader.js"), loader)?;
    fs::write(out.join("packages.bin"), packages(&source)?)?;
    let mut hasher = blake3::Hasher::new();
    for name in PARTS {
        let part = fs::read(out.join(name))?;
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(&part);
    }
    println!("cargo:rustc-env=PCM_PYODIDE_PARTS={}", hasher.finalize());
    Ok(())
}

/// The folder of the npm package, with the version that `js/package.json` names.
fn pyodide(js: &Path) -> io::Result<PathBuf> {
    let manifest = js.join("package.json");
    println!("cargo:rerun-if-changed={}", manifest.display());
    println!("cargo:rerun-if-env-changed=XDG_CACHE_HOME");
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = match cache {
        Some(cache) => cache,
        None => PathBuf::from(variable("HOME")?).join(".cache"),
    };
    let folder = cache.join("pcm-sandbox/pyodide/node_modules/pyodide");
    let package = folder.join("package.json");
    println!("cargo:rerun-if-changed={}", package.display());
    let wanted = value(&fs::read_to_string(manifest)?, "pyodide")?;
    let text = fs::read_to_string(&package)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", package.display())))?;
    let found = value(&text, "version")?;
    if found != wanted {
        return Err(io::Error::other(format!("it is version {found}, {wanted} is wanted")));
    }
    println!("cargo:rustc-env=PCM_PYODIDE={found}");
    Ok(folder)
}

/// The text after `"name": "`, up to the next quote.
fn value(json: &str, name: &str) -> io::Result<String> {
    let key = format!("\"{name}\": \"");
    let rest = json.split(&key).nth(1).and_then(|rest| rest.split('"').next());
    rest.map(str::to_owned).ok_or_else(|| io::Error::other(format!("no {name} in a package.json")))
}

/// Makes the module a function, so that what it takes for its surroundings are parameters. A name
/// that it does not find among them it would look for in the real global object: there is nothing.
fn wrapped(module: &str) -> io::Result<String> {
    const PARAMETERS: &str = "{ console, crypto, performance, TextDecoder, TextEncoder, \
                              WorkerGlobalScope, WebAssembly, setTimeout, clearTimeout, fetch }";
    let mut text = module.to_owned();
    for (old, new) in [
        ("export default _createPyodideModule", "return _createPyodideModule"),
        ("import.meta.url", "\"pyodide:///\""),
        // Names of files are text, and one that is not is refused: this would make it another one.
        (
            "getStr(ptr){var ret=UTF8ToString(ptr);return ret}",
            "getStr(ptr){return(Module[\"readPath\"]??UTF8ToString)(ptr)}",
        ),
        // An address for every function that is exported, for libraries to link with: two thirds of
        // the time that a restored interpreter took to start, and most of them load none. And
        // functions of OpenGL, of which there is nothing here to draw on.
        (
            "updateGOT(origExports);LDSO.init();loadDylibs();",
            "Module[\"completeGOT\"]=()=>updateGOT(origExports);\
             for(var entry of Object.values(GOT))entry.value=0;LDSO.init();",
        ),
        (
            "localScope,handle){libName=PATH.normalize(libName);",
            "localScope,handle){Module[\"completeGOT\"]?.();Module[\"completeGOT\"]=undefined;\
             libName=PATH.normalize(libName);",
        ),
    ] {
        if !text.contains(old) {
            return Err(io::Error::other(format!("there is no `{old}` in pyodide.asm.mjs")));
        }
        text = text.replace(old, new);
    }
    Ok(format!(
        "((surroundings) => {{ const globalThis = surroundings; \
         const {PARAMETERS} = surroundings;\n{text}\n}})\n"
    ))
}

/// All modules of the packages: a line with name and length for each, then its text.
fn packages(source: &Path) -> io::Result<Vec<u8>> {
    let mut packed = Vec::new();
    for (package, folder) in PACKAGES {
        let folder = source.join(folder);
        println!("cargo:rerun-if-changed={}", folder.display());
        let mut files: Vec<PathBuf> =
            fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
        files.retain(|path| path.extension().is_some_and(|extension| extension == "py"));
        files.sort();
        for path in files {
            let text = fs::read(&path)?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            writeln!(packed, "{package}/{name} {}", text.len())?;
            packed.extend_from_slice(&text);
        }
    }
    Ok(packed)
}

fn compress(from: &Path, into: &Path) -> io::Result<()> {
    let mut encoder = zstd::Encoder::new(File::create(into)?, LEVEL)?;
    io::copy(&mut File::open(from)?, &mut encoder)?;
    encoder.finish().map(drop)
}

fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(|error| io::Error::other(format!("{name}: {error}")))
}
