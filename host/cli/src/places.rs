//! Where tools, workflows, artifacts and packages lie.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use pcm_storage::{FileStorage, MemoryStorage, RedisStorage, Storage, WorkspaceId};
use pcm_tools::{LoadOptions, Problem, Registry};

use crate::Error;

/// The folders and stores of sessions, also for programs that work on them without a session. What
/// is named by itself comes before what the base has.
///
/// ```
/// use pcm_sandbox::Places;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), pcm_sandbox::Error> {
/// # let folder = std::env::temp_dir().join(format!("pcm-places-{}", std::process::id()));
/// let places = Places { base: Some(folder.clone()), ..Places::default() };
/// let storage = places.open_storage()?;
/// storage.workflows().create(&"one".parse()?, "async def run(): return 1", "").await?;
/// assert_eq!(places.open_storage()?.workflows().list().await?.len(), 1);
/// # std::fs::remove_dir_all(&folder).ok();
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// A folder with tools in its `tools`, packages in its `requirements.txt`, and everything that is
    /// stored.
    pub base: Option<PathBuf>,
    /// A folder with the declarations of tools.
    pub tools: Option<PathBuf>,
    /// Where workflows, artifacts and packages are kept.
    pub storage: Option<StoragePlace>,
    /// The part of the storage that is used.
    pub workspace: Option<String>,
    /// Files whose lines are packages.
    pub requirements: Vec<PathBuf>,
}

/// A place where workflows, artifacts and packages are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoragePlace {
    /// A folder.
    Folder(PathBuf),
    /// A database.
    Redis {
        /// Its address: `redis://localhost:6379/0`.
        url: String,
        /// How its keys begin, if not with `py_code_mode`.
        prefix: Option<String>,
    },
}

/// An address of Redis, or the path of a folder.
impl FromStr for StoragePlace {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let is_redis = ["redis://", "rediss://", "redis+unix://", "unix://"]
            .iter()
            .any(|scheme| text.starts_with(scheme));
        Ok(if is_redis {
            Self::Redis { url: text.to_owned(), prefix: None }
        } else {
            Self::Folder(text.into())
        })
    }
}

impl Places {
    pub(crate) fn has_tools(&self) -> bool {
        self.base.is_some() || self.tools.is_some()
    }

    /// Makes the folders of the base, so that people find where to put things.
    pub(crate) fn create(&self) -> Result<(), Error> {
        let Some(base) = &self.base else { return Ok(()) };
        let tools = base.join("tools");
        std::fs::create_dir_all(&tools).map_err(|source| Error::Folder { path: tools, source })
    }

    /// The folder with the declarations of tools, if there is one.
    pub fn tools_folder(&self) -> Option<PathBuf> {
        self.tools.clone().or_else(|| self.base.as_ref().map(|base| base.join("tools")))
    }

    /// The declared tools, and what was wrong with those that are left out.
    pub async fn load_tools(&self) -> Result<(Registry, Vec<Problem>), Error> {
        match self.tools_folder() {
            Some(folder) => Ok(Registry::load(&folder, LoadOptions::default()).await?),
            None => Ok((Registry::new(), Vec::new())),
        }
    }

    /// The storage; one in memory if nothing is named.
    pub fn open_storage(&self) -> Result<Arc<dyn Storage>, Error> {
        let workspace = self.workspace.as_deref().map(str::parse::<WorkspaceId>).transpose()?;
        self.storages()?.of(workspace.as_ref()).ok_or(Error::WorkspaceOfNothing)
    }

    /// Where things are kept.
    pub fn storage_place(&self) -> Option<StoragePlace> {
        self.storage.clone().or_else(|| self.base.clone().map(StoragePlace::Folder))
    }

    /// The storages of all workspaces.
    pub(crate) fn storages(&self) -> Result<Storages, Error> {
        Ok(match self.storage_place() {
            Some(StoragePlace::Redis { url, prefix }) => {
                let prefix = prefix.as_deref().unwrap_or(RedisStorage::DEFAULT_PREFIX);
                Storages::Redis(RedisStorage::connect(&url, prefix)?)
            }
            Some(StoragePlace::Folder(folder)) => Storages::Folder(FileStorage::open(&folder)?),
            None => Storages::One(Arc::new(MemoryStorage::new())),
        })
    }

    /// The packages that the files of requirements ask for.
    pub fn read_requirements(&self) -> Result<Vec<String>, Error> {
        let of_base = self.base.as_ref().map(|base| base.join("requirements.txt"));
        let of_base = of_base.filter(|file| file.is_file());
        let mut specs = Vec::new();
        for file in self.requirements.iter().chain(&of_base) {
            specs.extend(read(file)?);
        }
        Ok(specs)
    }
}

/// The storages of all workspaces of one place.
#[derive(Debug)]
pub(crate) enum Storages {
    Folder(FileStorage),
    Redis(RedisStorage),
    /// One without workspaces.
    One(Arc<dyn Storage>),
}

impl Storages {
    /// The storage of a workspace, or the one outside of all; None where there are no workspaces.
    pub(crate) fn of(&self, workspace: Option<&WorkspaceId>) -> Option<Arc<dyn Storage>> {
        Some(match (self, workspace) {
            (Self::Folder(storage), Some(workspace)) => Arc::new(storage.workspace(workspace)),
            (Self::Folder(storage), None) => Arc::new(storage.clone()),
            (Self::Redis(storage), Some(workspace)) => Arc::new(storage.workspace(workspace)),
            (Self::Redis(storage), None) => Arc::new(storage.clone()),
            (Self::One(storage), None) => Arc::clone(storage),
            (Self::One(_), Some(_)) => return None,
        })
    }
}

fn read(file: &Path) -> Result<Vec<String>, Error> {
    let specs = pcm_storage::read_requirements_file(file)?;
    Ok(specs.iter().map(ToString::to_string).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storage_is_an_address_or_a_folder() {
        let folder = |path: &str| Ok(StoragePlace::Folder(path.into()));
        assert_eq!("state".parse(), folder("state"));
        assert_eq!("/var/redis".parse(), folder("/var/redis"));
        for url in ["redis://localhost:6379/0", "rediss://h", "unix:///run/r.sock"] {
            let place = StoragePlace::Redis { url: url.to_owned(), prefix: None };
            assert_eq!(url.parse(), Ok(place));
        }
    }
}
