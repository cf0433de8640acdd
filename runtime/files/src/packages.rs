//! The folder of packages, which becomes another one when packages are added.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use pcm_runtime_api::PackagesFolder;

use crate::local::open_to_list;

/// The folder that is the right one now, by its handle. What was opened in an earlier one stays
/// open, and stays what it was.
#[derive(Debug)]
pub(crate) struct OpenPackages {
    packages: PackagesFolder,
    open: Mutex<Option<(PathBuf, Arc<Dir>)>>,
}

impl OpenPackages {
    pub(crate) fn new(packages: PackagesFolder) -> Self {
        Self { packages, open: Mutex::new(None) }
    }

    pub(crate) fn dir(&self) -> io::Result<Arc<Dir>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((path, dir)) = &*open
            && self.packages.is(Some(path))
        {
            return Ok(Arc::clone(dir));
        }
        let Some(path) = self.packages.folder() else { return empty() };
        let dir = open_to_list(&path)?;
        *open = Some((path, Arc::clone(&dir)));
        Ok(dir)
    }
}

/// A folder with nothing in it, in which nobody can make anything: it is removed already.
fn empty() -> io::Result<Arc<Dir>> {
    static EMPTY: OnceLock<Arc<Dir>> = OnceLock::new();
    if let Some(dir) = EMPTY.get() {
        return Ok(Arc::clone(dir));
    }
    let folder = tempfile::tempdir()?;
    let dir = Dir::open_ambient_dir(folder.path(), ambient_authority())?;
    Ok(Arc::clone(EMPTY.get_or_init(|| Arc::new(dir))))
}
