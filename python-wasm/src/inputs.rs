//! What an image is made of, and the key that says so.
//!
//! Also compiled into the build script of `runtime/wasm`, which looks for the image of the current
//! sources: nothing but `std` and `blake3` here.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Where everything that is made once is kept: `${XDG_CACHE_HOME:-~/.cache}/pcm-sandbox`.
pub fn cache_root() -> io::Result<PathBuf> {
    let named = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let base = match named.filter(|path| path.is_absolute()) {
        Some(directory) => directory,
        None => match env::var_os("HOME").filter(|value| !value.is_empty()) {
            Some(home) => PathBuf::from(home).join(".cache"),
            None => return Err(io::Error::other("neither XDG_CACHE_HOME nor HOME is set")),
        },
    };
    Ok(base.join("pcm-sandbox"))
}

/// The files that an image is made of.
#[derive(Debug)]
pub struct Inputs {
    /// The recipe's output: `python.wasm`, `stdlib.bin`, `lib/`.
    pub python: PathBuf,
    /// This workspace: its boot code, `pcm_guest`, and the code that makes the image.
    workspace: PathBuf,
    cache: PathBuf,
}

impl Inputs {
    /// The inputs of the workspace at `workspace`, with Python from the cache.
    pub fn locate(workspace: &Path) -> io::Result<Self> {
        let cache = cache_root()?.join("python-wasm");
        Ok(Self { python: cache.join("out"), workspace: workspace.to_owned(), cache })
    }

    /// The files and folders of the workspace that the key depends on.
    pub fn sources(&self) -> [PathBuf; 4] {
        [self.boot(), self.guest(), self.workspace.join("python-wasm/src"), self.lock()]
    }

    /// The boot code: what `/boot` holds besides the recipe's output.
    pub fn boot(&self) -> PathBuf {
        self.workspace.join("python-wasm/boot")
    }

    /// The evaluator.
    pub fn guest(&self) -> PathBuf {
        self.workspace.join("runtime/guest/pcm_guest")
    }

    fn lock(&self) -> PathBuf {
        self.workspace.join("Cargo.lock")
    }

    /// The folder of the image made of these inputs, whether it is there yet or not.
    pub fn image_folder(&self) -> io::Result<PathBuf> {
        Ok(self.cache.join("images").join(self.key()?))
    }

    /// The version of the engine: compiled code belongs to one version only.
    pub fn engine_version(&self) -> io::Result<String> {
        let lock = fs::read_to_string(self.lock())?;
        let mut packages = lock.split("[[package]]");
        packages
            .find(|package| package.contains("name = \"wasmtime\"\n"))
            .and_then(|package| package.split("version = \"").nth(1)?.split('"').next())
            .map(str::to_owned)
            .ok_or_else(|| io::Error::other("Cargo.lock names no wasmtime"))
    }

    fn key(&self) -> io::Result<String> {
        let mut hasher = blake3::Hasher::new();
        let mut files = vec![self.python.join("python.wasm"), self.python.join("stdlib.bin")];
        let [code @ .., _lock] = self.sources(); // of the lock file only the engine's version counts
        for folder in &code {
            collect_files(folder, &mut files)?;
        }
        for file in files {
            let name = file.file_name().unwrap_or_default();
            let content = fs::read(&file).map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", file.display()))
            })?;
            hasher.update(name.as_encoded_bytes());
            hasher.update(&(content.len() as u64).to_le_bytes());
            hasher.update(&content);
        }
        hasher.update(self.engine_version()?.as_bytes());
        Ok(hasher.finalize().to_hex()[..32].to_owned())
    }
}

/// The files below `folder` in a fixed order, without what Python leaves behind.
fn collect_files(folder: &Path, into: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    entries.sort();
    for path in entries {
        if path.is_dir() && path.file_name().is_some_and(|name| name != "__pycache__") {
            collect_files(&path, into)?;
        } else if path.extension().is_some_and(|suffix| suffix == "py" || suffix == "rs") {
            into.push(path);
        }
    }
    Ok(())
}
