//! What is made on the first use and kept: the standard library as bytecode, a snapshot of a Python
//! that has started, and what V8 made of the script.
//!
//! Two interpreters start from nothing for it, one after the other: the first compiles the library,
//! the second imports from it what sessions shall find imported.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use deno_core::v8::{CompiledWasmModule, V8};
use pcm_runtime_cache::{open_checked, open_plain, private_folder, read_note, remove_old};
use rustix::fs::{MemfdFlags, memfd_create};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::assets;
use crate::error::DenoError;
use crate::interpreter::{Interpreter, Module, Parts, Snapshot, Stdlib};
use crate::wasm;

/// The folder in the cache.
const FOLDER: &str = "deno";
const LONGEST_NOTE: u64 = 1 << 20;
/// Compiles the library; leaves [`PACKED`].
const PACK: &str = include_str!("../pcm_pyodide/pack.py");
const SOURCE: &str = "/source.zip";
const PACKAGES: &str = "/packages.bin";
const PACKED: &str = "/packed.zip";
/// A page of a snapshot that has nothing but zeros takes no place in its file.
const PAGE: usize = 4096;

/// All that sandboxes are made of.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) script: &'static [u8],
    pub(crate) code_cache: Vec<u8>,
    pub(crate) stdlib: File,
    pub(crate) snapshot: Snapshot,
    /// Where it is kept; None when the cache cannot be written.
    pub(crate) folder: Option<PathBuf>,
}

/// What is in a folder, and the hashes by which it is known.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    stdlib: About,
    memory: About,
    code_cache: About,
    state: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct About {
    size: u64,
    blake3: String,
}

/// What was made just now.
struct Fresh {
    stdlib: Vec<u8>,
    memory: Vec<u8>,
    code_cache: Vec<u8>,
    state: String,
}

impl Made {
    /// Finds or makes it. Making takes seconds, and `say` hears of it.
    pub(crate) fn find(
        folder: Option<PathBuf>,
        say: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<Self, DenoError> {
        let script = Box::leak(assets::pyodide_js()?.into_boxed_slice());
        if let Some(found) = folder.as_deref().and_then(|folder| open(folder, script)) {
            return Ok(found);
        }
        say("preparing Pyodide (some seconds, once)");
        let fresh = make(script, &assets::pyodide_wasm()?)?;
        let kept = folder.as_deref().map(|folder| keep(folder, &fresh));
        match (kept, folder) {
            (Some(Ok(())), Some(folder)) => match open(&folder, script) {
                Some(found) => Ok(found),
                None => Self::in_memory(script, fresh),
            },
            // A home that is missing or cannot be written is no reason not to start.
            _ => Self::in_memory(script, fresh),
        }
    }

    /// Finds it, with no more than opening files.
    pub(crate) fn find_made(folder: &Path) -> Result<Option<Self>, DenoError> {
        let script = assets::pyodide_js()?;
        Ok(open(folder, Box::leak(script.into_boxed_slice())))
    }

    fn in_memory(script: &'static [u8], fresh: Fresh) -> Result<Self, DenoError> {
        let Fresh { stdlib, memory, code_cache, state } = fresh;
        let bytes = memory.len();
        let (stdlib, memory) = (anonymous(&stdlib)?, anonymous(&memory)?);
        let snapshot = Snapshot { memory, bytes, state };
        Ok(Self { script, code_cache, stdlib, snapshot, folder: None })
    }
}

/// The folder for what this program makes; another version, or another V8, has another. A code cache
/// of another processor V8 knows and does not use.
pub(crate) fn folder() -> Option<PathBuf> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(assets::KEY.as_bytes());
    hasher.update(V8::get_version().as_bytes());
    let key: String = hasher.finalize().to_hex().chars().take(32).collect();
    let parent = pcm_runtime_cache::root().ok()?.join(FOLDER);
    private_folder(&parent).ok()?;
    Some(parent.join(key))
}

/// Whether everything is there and what it was.
pub(crate) fn is_whole(folder: &Path) -> bool {
    open(folder, &[]).is_some()
}

fn open(folder: &Path, script: &'static [u8]) -> Option<Made> {
    let note: Note =
        serde_json::from_str(&read_note(&folder.join("note.json"), LONGEST_NOTE).ok()?).ok()?;
    let file = |name: &str, about: &About| {
        open_checked(&folder.join(name), about.size, &about.blake3).ok().flatten()
    };
    let stdlib = file("stdlib.zip", &note.stdlib)?;
    let memory = file("memory", &note.memory)?;
    let mut code_cache = Vec::new();
    io::Read::read_to_end(&mut file("code", &note.code_cache)?, &mut code_cache).ok()?;
    let bytes = usize::try_from(note.memory.size).ok()?;
    let snapshot = Snapshot { memory, bytes, state: note.state };
    let folder = Some(folder.to_owned());
    Some(Made { script, code_cache, stdlib, snapshot, folder })
}

fn make(script: &'static [u8], wasm: &[u8]) -> Result<Fresh, DenoError> {
    let mut parts = Parts {
        script,
        code_cache: None,
        module: Module::Bytes(wasm),
        stdlib: Stdlib::Bytes(assets::STDLIB),
        snapshot: None,
    };
    let (stdlib, module): (Vec<u8>, CompiledWasmModule) = {
        let mut first = Interpreter::load(&parts)?;
        first.put(SOURCE, assets::STDLIB.to_vec())?;
        first.put(PACKAGES, assets::PACKAGES.to_vec())?;
        first.execute(PACK)?;
        (first.get(PACKED)?, first.compiled()?)
    };
    parts.module = Module::Compiled(&module);
    parts.stdlib = Stdlib::Bytes(&stdlib);
    let mut second = Interpreter::load(&parts)?;
    second.prepare()?;
    let state = second.state()?;
    let memory = second.memory()?.copy();
    let code_cache = second.code_cache()?;
    drop(second);
    Ok(Fresh { stdlib, memory, code_cache, state })
}

/// Writes it aside and moves it into place; whoever was faster has made the same, but for the seed.
fn keep(folder: &Path, fresh: &Fresh) -> io::Result<()> {
    let parent = folder.parent().ok_or_else(|| io::Error::other("no parent"))?;
    let aside = tempfile::Builder::new().prefix(".making-").tempdir_in(parent)?;
    let about = |name: &str, content: &[u8]| -> io::Result<About> {
        let mut file = NamedTempFile::new_in(aside.path())?;
        write_sparse(file.as_file_mut(), content)?;
        file.as_file().sync_all()?;
        file.persist(aside.path().join(name))?;
        let blake3 = blake3::hash(content).to_hex().to_string();
        Ok(About { size: content.len() as u64, blake3 })
    };
    let note = Note {
        stdlib: about("stdlib.zip", &fresh.stdlib)?,
        memory: about("memory", &fresh.memory)?,
        code_cache: about("code", &fresh.code_cache)?,
        state: fresh.state.clone(),
    };
    about("note.json", &serde_json::to_vec(&note)?)?;
    private_folder(aside.path())?;
    if fs::rename(aside.path(), folder).is_ok() {
        let _ = aside.keep(); // it has another name now
    } else if !is_whole(folder) {
        // Not somebody else's of just now, but damaged.
        drop(fs::remove_dir_all(folder));
        fs::rename(aside.path(), folder)?;
        let _ = aside.keep();
    }
    remove_old(parent, |path| path == folder);
    open_plain(&folder.join("note.json")).map(drop)
}

fn write_sparse(file: &mut File, content: &[u8]) -> io::Result<()> {
    for (number, page) in content.chunks(PAGE).enumerate() {
        if page.iter().any(|&byte| byte != 0) {
            std::os::unix::fs::FileExt::write_all_at(file, page, (number * PAGE) as u64)?;
        }
    }
    file.set_len(content.len() as u64)
}

fn anonymous(content: &[u8]) -> Result<File, DenoError> {
    let mut file = memfd_create(c"pcm-pyodide", MemfdFlags::CLOEXEC)
        .map(File::from)
        .map_err(|error| DenoError::Memory(error.into()))?;
    file.write_all(content).map_err(DenoError::Memory)?;
    Ok(file)
}

/// The interpreter as WebAssembly whose memory never holds more than `bytes`.
pub(crate) fn bounded(bytes: u64) -> Result<Vec<u8>, DenoError> {
    wasm::with_most_memory(&assets::pyodide_wasm()?, bytes)
        .ok_or_else(|| DenoError::Damaged("it has no memory".to_owned()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::FileExt as _;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use super::*;
    use crate::platform;

    /// In a thread with the stack that V8 wants.
    fn on_a_thread(work: impl FnOnce() + Send + 'static) {
        let thread = std::thread::Builder::new().stack_size(platform::STACK).spawn(move || {
            let runtime = platform::idle_runtime().unwrap();
            let _entered = runtime.enter();
            work();
        });
        thread.unwrap().join().unwrap();
    }

    #[test]
    fn what_was_made_is_found_and_what_was_changed_is_made_again() {
        on_a_thread(|| {
            let parent = tempfile::tempdir().unwrap();
            let folder = parent.path().join("made");
            let said = AtomicU32::new(0);
            let find = || {
                let say = |_: &str| {
                    said.fetch_add(1, Relaxed);
                };
                Made::find(Some(folder.clone()), &say).unwrap()
            };
            let first = find();
            assert_eq!((said.load(Relaxed), first.folder.as_ref()), (1, Some(&folder)));
            assert_eq!(find().snapshot.bytes, first.snapshot.bytes);
            assert_eq!(said.load(Relaxed), 1);
            let memory = File::options().write(true).open(folder.join("memory")).unwrap();
            memory.write_all_at(b"changed", 1 << 20).unwrap();
            drop(memory);
            find();
            assert_eq!(said.load(Relaxed), 2, "a snapshot that was changed is not used");
            fs::write(folder.join("note.json"), "{}").unwrap();
            find();
            assert_eq!(said.load(Relaxed), 3);
        });
    }
}
