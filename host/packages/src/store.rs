//! The store: what was resolved, fetched, unpacked and compiled, for the next time.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pcm_runtime_api::Progress;
use tokio::sync::OnceCell;

use crate::compiler::Compiler;
use crate::folder::{aside, private, remove_abandoned, write};
use crate::links::{self, Links};
use crate::plan::{Planner, blocking};
use crate::resolver::{Resolver, Wheels};
use crate::set::{self, PackageSet};
use crate::shelf::{Shelf, Shelved};
use crate::{PackagesError, Requirement, Target};

/// How long the answer to a request is not asked for again.
const MAX_AGE: Duration = Duration::from_hours(7 * 24);

/// A folder in which packages are kept, and the way to get more.
///
/// ```no_run
/// # async fn example(compiler: &dyn pcm_packages::Compiler) -> Result<(), pcm_packages::PackagesError> {
/// let store = pcm_packages::Store::open()?;
/// let requirements = ["jinja2>=3".parse()?, "tabulate".parse()?];
/// let set = store.resolve(&requirements, compiler, &|line| eprintln!("{line}")).await?;
/// println!("mount {} at /packages", set.folder.display());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Store {
    sets: PathBuf,
    requests: PathBuf,
    work: PathBuf,
    interpreters: PathBuf,
    shelf: Shelf,
    max_age: Duration,
    variables: Vec<(OsString, OsString)>,
    /// Folders with wheels of the user's own.
    links: Vec<PathBuf>,
    /// One that resolves for each target.
    wasi: OnceCell<Resolver>,
    pyodide: OnceCell<Resolver>,
}

impl Store {
    /// The store of this user: `${XDG_CACHE_HOME:-~/.cache}/pcm-sandbox/packages`.
    pub fn open() -> Result<Self, PackagesError> {
        let cache = cache_folder().map_err(PackagesError::cache("find the cache"))?;
        Self::at(&cache.join("pcm-sandbox").join("packages"))
    }

    /// A store in that folder, which nobody else may be able to write.
    pub fn at(folder: &Path) -> Result<Self, PackagesError> {
        let cannot = || PackagesError::cache("use the store of packages");
        private(folder).map_err(cannot())?;
        let names = ["sets", "requests", "work", "interpreters"];
        let [sets, requests, work, interpreters] = names.map(|name| folder.join(name));
        for folder in [&sets, &requests, &work, &interpreters] {
            private(folder).map_err(cannot())?;
            remove_abandoned(folder);
        }
        Ok(Self {
            sets,
            requests,
            work,
            interpreters,
            shelf: Shelf::open(folder).map_err(cannot())?,
            max_age: MAX_AGE,
            variables: env::vars_os().collect(),
            links: Vec::new(),
            wasi: OnceCell::new(),
            pyodide: OnceCell::new(),
        })
    }

    /// How long a request is answered as the last time; a week unless told otherwise. With zero the
    /// indexes are asked again, and the answer is remembered anew.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// The variables to find and configure the resolver by, in place of this process's environment.
    #[must_use]
    pub fn environment(
        mut self,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        self.variables = variables.into_iter().collect();
        self
    }

    /// A further folder with wheels, beside what the indexes have. Of a package that is there, the
    /// newest wheel that fits and that the requirements allow is taken, whatever versions an index
    /// has. Wheels that do not fit are left alone; an error about a package of their name names them
    /// and says why. Other files are not looked at, nor folders inside.
    #[must_use]
    pub fn find_links(mut self, folder: impl Into<PathBuf>) -> Self {
        self.links.push(folder.into());
        self
    }

    /// A folder with the packages and all that they require.
    ///
    /// What was answered before takes milliseconds and starts no process. Dropping the future ends
    /// the resolver and leaves the store as it was.
    pub async fn resolve(
        &self,
        requirements: &[Requirement],
        compiler: &dyn Compiler,
        progress: &Progress<'_>,
    ) -> Result<PackageSet, PackagesError> {
        let mut requirements = requirements.to_vec();
        requirements.sort();
        requirements.dedup();
        let note = self.requests.join(self.request_key(&requirements, compiler)?);
        if let Some(set) = self.remembered(&note) {
            return Ok(set);
        }
        let wheels = self.wheels(&requirements, compiler.target(), progress).await?;
        let set = set::make(&self.sets, wheels, compiler, progress).await?;
        write(&note, set.key.as_bytes()).map_err(PackagesError::cache("remember the answer"))?;
        Ok(set)
    }

    /// The wheels for the requirements, unpacked.
    async fn wheels(
        &self,
        requirements: &[Requirement],
        target: Target,
        progress: &Progress<'_>,
    ) -> Result<Vec<Shelved>, PackagesError> {
        if requirements.is_empty() {
            return Ok(Vec::new());
        }
        let work = aside(&self.work).map_err(PackagesError::cache("make a folder"))?;
        let known = match target {
            Target::Wasi => &self.wasi,
            Target::Pyodide => &self.pyodide,
        };
        let find = || Resolver::find(target, &self.variables, work.path(), &self.interpreters);
        let resolver = known.get_or_try_init(find).await?;
        let count = requirements.len();
        let noun = if count == 1 { "package" } else { "packages" };
        progress(&format!("resolving {count} {noun} with {resolver}"));
        let (folders, staged) = (self.links.clone(), work.path().join("links"));
        let links = blocking(move || Links::stage(&folders, target, &staged)).await?;
        let planner =
            Planner { resolver, shelf: &self.shelf, links, folder: work.path(), progress };
        let choices = planner.choose(requirements).await?;
        let mut wheels = Vec::with_capacity(choices.len());
        let mut missing = Vec::new();
        for choice in &choices {
            match self.shelf.get(choice) {
                Some(wheel) => wheels.push(wheel),
                None => missing.push(choice),
            }
        }
        for (choice, fetched) in planner.fetch(&missing, Wheels::Fitting).await? {
            let kept = self.shelf.clone();
            wheels.push(blocking(move || kept.put(&fetched, &choice)).await?);
        }
        Ok(wheels)
    }

    /// The set that answered the request of that note, if that was not too long ago.
    fn remembered(&self, note: &Path) -> Option<PackageSet> {
        let age = fs::metadata(note).ok()?.modified().ok()?.elapsed().ok()?;
        let key = fs::read_to_string(note).ok()?;
        let is_key = key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_hexdigit());
        (age < self.max_age && is_key).then(|| set::open(&self.sets, &key)).flatten()
    }

    /// Depends on what was asked, and of whom: other indexes and other wheels in the folders have
    /// other answers.
    fn request_key(
        &self,
        requirements: &[Requirement],
        compiler: &dyn Compiler,
    ) -> Result<String, PackagesError> {
        let mut hasher = blake3::Hasher::new();
        let mut add = |part: &[u8]| {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        };
        add(compiler.key().as_bytes());
        add(compiler.target().wheel_tag().as_bytes());
        add(links::fingerprint(&self.links)?.as_bytes());
        for requirement in requirements {
            add(requirement.to_string().as_bytes());
        }
        let mut variables: Vec<_> = self
            .variables
            .iter()
            .map(|(name, value)| (name.as_encoded_bytes(), value.as_encoded_bytes()))
            .filter(|(name, _)| name.starts_with(b"PIP_") || name.starts_with(b"UV_"))
            .collect();
        variables.sort_unstable();
        for (name, value) in variables {
            add(name);
            add(value);
        }
        Ok(hasher.finalize().to_hex().to_string())
    }
}

fn cache_folder() -> io::Result<PathBuf> {
    let named = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = env::var_os("HOME").filter(|home| !home.is_empty());
    named
        .filter(|path| path.is_absolute())
        .or_else(|| home.map(|home| PathBuf::from(home).join(".cache")))
        .ok_or_else(|| io::Error::other("neither XDG_CACHE_HOME nor HOME is set"))
}
