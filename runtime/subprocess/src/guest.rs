//! The packages that run in a kernel, in a folder that it reads them from.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pcm_runtime_cache::private_folder;
use pcm_runtime_guest::MODULES;

/// What a kernel has besides the evaluator.
const KERNEL: [(&str, &str); 5] = [
    ("pcm_kernel/__init__.py", include_str!("../pcm_kernel/__init__.py")),
    ("pcm_kernel/boot.py", include_str!("../pcm_kernel/boot.py")),
    ("pcm_kernel/kernel.py", include_str!("../pcm_kernel/kernel.py")),
    ("pcm_kernel/loop.py", include_str!("../pcm_kernel/loop.py")),
    ("pcm_kernel/port.py", include_str!("../pcm_kernel/port.py")),
];
/// What a kernel is started with.
const BOOT: &str = "pcm_kernel/boot.py";

/// `package/module.py`, and what is in it.
fn files() -> impl Iterator<Item = (&'static str, &'static str)> {
    MODULES.iter().copied().chain(KERNEL)
}

/// The script that a kernel is started with, beside all that it imports.
pub(crate) fn boot(parent: &Path) -> io::Result<PathBuf> {
    private_folder(parent)?;
    let folder = parent.join(key());
    if !files().all(|(name, content)| is_file(&folder.join(name), content.as_bytes())) {
        make(parent, &folder)?;
    }
    Ok(folder.join(BOOT))
}

fn key() -> String {
    let mut hasher = blake3::Hasher::new();
    for (name, content) in files() {
        hasher.update(name.as_bytes());
        hasher.update(&(content.len() as u64).to_le_bytes());
        hasher.update(content.as_bytes());
    }
    hasher.finalize().to_hex().chars().take(32).collect()
}

fn is_file(path: &Path, content: &[u8]) -> bool {
    fs::read(path).is_ok_and(|found| found == content)
}

/// Aside, and then in place of what may be there.
fn make(parent: &Path, folder: &Path) -> io::Result<()> {
    let aside = tempfile::Builder::new().prefix(".making-").tempdir_in(parent)?;
    for (name, content) in files() {
        let path = aside.path().join(name);
        if let Some(package) = path.parent() {
            private_folder(package)?;
        }
        fs::write(path, content)?;
    }
    private_folder(aside.path())?;
    if fs::rename(aside.path(), folder).is_err() {
        let old = tempfile::Builder::new().prefix(".old-").tempdir_in(parent)?;
        let _ = fs::rename(folder, old.path().join("old")); // somebody else may have moved it
        fs::rename(aside.path(), folder)?;
    }
    let _ = aside.keep(); // it has another name now
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_was_changed_is_made_again() {
        let parent = tempfile::tempdir().unwrap();
        let parent = parent.path().join("guest");
        let boot_file = boot(&parent).unwrap();
        assert_eq!(boot(&parent).unwrap(), boot_file);
        fs::write(&boot_file, "import os").unwrap();
        assert_eq!(boot(&parent).unwrap(), boot_file);
        assert_ne!(fs::read(&boot_file).unwrap(), b"import os");
        let left = fs::read_dir(&parent).unwrap().count();
        assert_eq!(left, 1, "nothing is left aside");
    }
}
