//! Images: files whose sessions begin with packages imported, as fast as without.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pcm_packages::{PackageSet, Requirement};
use pcm_runtime_api::{Executor as _, Limits, NoHost, SandboxConfig};
use pcm_runtime_wasm::{
    EngineError, ExaminedImage, ImageContents, ImageDistribution, Preloaded, WasmEngine,
    WasmSandbox,
};

use crate::progress::Progress;
use crate::{Error, backend, packages};

/// The longest that the imports of an image may take.
const LONGEST_IMPORT: Duration = Duration::from_mins(10);
/// The memory that the session of an image may hold while it imports. What it has in the end is what
/// every session of the image begins with.
const MEMORY: u64 = 1 << 30;

/// Python with packages imported: what sessions begin with.
///
/// Clones are the same image. Opening one takes milliseconds; the first time a machine sees it, it
/// is unpacked into the cache.
///
/// ```no_run
/// use pcm_sandbox::{Image, Session};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let key = [0; 32];
/// let built = Image::builder().packages(["pydantic", "jinja2"]).build(&key).await?;
/// std::fs::write("img", &built.bytes)?;
///
/// let image = Image::open("img", &key).await?;
/// let session = Session::builder().image(&image).start().await?;
/// session.run("from jinja2 import Template").await; // takes no time: it is imported
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Image {
    engine: WasmEngine,
    contents: Arc<ImageContents>,
}

impl Image {
    /// An image that is to be made.
    pub fn builder() -> ImageBuilder {
        ImageBuilder::default()
    }

    /// Opens the file of an image that was signed with this key.
    ///
    /// In it is machine code that runs in this process, outside of every wall. The signature is all
    /// that tells it from a forged one: who knows the key can run programs as the user of this
    /// process. Keep it apart from the key of saved sessions.
    pub async fn open(file: impl Into<PathBuf>, key: &[u8; 32]) -> Result<Self, Error> {
        let (file, key) = (file.into(), *key);
        blocking(move || {
            let engine = WasmEngine::from_image(&file, &key)?;
            let contents = engine.contents().ok_or_else(|| {
                EngineError::Refused("it does not tell what it contains".to_owned())
            })?;
            Ok(Self { engine, contents: Arc::new(contents) })
        })
        .await
    }

    /// What is in the file of an image, and whether [`open`](Self::open) would take it.
    pub async fn examine(
        file: impl Into<PathBuf>,
        key: Option<&[u8; 32]>,
    ) -> Result<ExaminedImage, Error> {
        let (file, key) = (file.into(), key.copied());
        blocking(move || WasmEngine::examine(&file, key.as_ref())).await
    }

    /// What is in it.
    pub fn contents(&self) -> &ImageContents {
        &self.contents
    }

    pub(crate) fn engine(&self) -> WasmEngine {
        self.engine.clone()
    }
}

/// What an image shall be like. Made by [`Image::builder`].
#[derive(Debug, Default)]
#[must_use = "nothing happens before `build`"]
pub struct ImageBuilder {
    packages: Vec<String>,
    modules: Vec<String>,
    progress: Progress,
}

/// A new image.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BuiltImage {
    /// The file for [`Image::open`].
    pub bytes: Vec<u8>,
    /// The packages that it brings.
    pub distributions: Vec<ImageDistribution>,
    /// The modules that are imported, and those of the packages that could not be.
    pub preloaded: Preloaded,
}

impl ImageBuilder {
    /// Packages that the image shall bring, as `pydantic`, `jinja2>=3`. Their modules are imported.
    pub fn packages<Spec: Into<String>>(mut self, specs: impl IntoIterator<Item = Spec>) -> Self {
        self.packages.extend(specs.into_iter().map(Into::into));
        self
    }

    /// Further modules to import, which must be there.
    pub fn modules<Name: Into<String>>(mut self, names: impl IntoIterator<Item = Name>) -> Self {
        self.modules.extend(names.into_iter().map(Into::into));
        self
    }

    /// Hears what is being done.
    pub fn on_progress(mut self, hears: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.progress = Progress::new(hears);
        self
    }

    /// Makes the image and signs it with the key. Takes tens of seconds of all processors.
    ///
    /// The code of packages runs in a sandbox only.
    pub async fn build(self, key: &[u8; 32]) -> Result<BuiltImage, Error> {
        let Self { packages: specs, modules, progress } = self;
        let requirements = packages::requirements(&specs)?;
        let engine = backend::wasm_engine().await?;
        let mut config = SandboxConfig::from(Limits {
            timeout: Some(LONGEST_IMPORT),
            memory_bytes: MEMORY,
            ..Limits::default()
        });
        let mut set = None;
        if !requirements.is_empty() {
            let resolved = packages::resolve(&requirements, &|line| progress.say(line)).await?;
            config.mounts.push(packages::mount(&resolved));
            set = Some(resolved);
        }
        let sandbox = WasmSandbox::new(engine, config);
        sandbox.start(Arc::new(NoHost)).await?;
        progress.say("import");
        let offered = offered(set.as_ref(), &requirements)?;
        let optional: Vec<String> = offered.iter().flat_map(|(_, names)| names.clone()).collect();
        let preloaded = sandbox.preload(&modules, &optional).await?;
        check_imported(&offered, &preloaded)?;
        let distributions = distributions(set.as_ref());
        let bytes = sandbox.image(&preloaded, &distributions, key, progress.0).await?;
        Ok(BuiltImage { bytes, distributions, preloaded })
    }
}

/// The modules of each package that was asked for.
fn offered(
    set: Option<&PackageSet>,
    requirements: &[Requirement],
) -> Result<Vec<(String, Vec<String>)>, Error> {
    let mut offered = Vec::new();
    for requirement in requirements {
        if let Some(set) = set {
            let name = requirement.name();
            offered.push((name.to_owned(), set.modules(name)?));
        }
    }
    Ok(offered)
}

/// A package of which nothing can be imported is not what somebody wants in an image.
fn check_imported(offered: &[(String, Vec<String>)], preloaded: &Preloaded) -> Result<(), Error> {
    for (package, names) in offered {
        let first = names.iter().find_map(|name| preloaded.missing.get_key_value(name));
        if let Some((name, reason)) = first
            && !names.iter().any(|name| preloaded.imported.contains(name))
        {
            let reason = format!("{package} cannot be imported: {name}: {reason}");
            return Err(EngineError::NotMade(reason).into());
        }
    }
    Ok(())
}

fn distributions(set: Option<&PackageSet>) -> Vec<ImageDistribution> {
    let distributions = set.map(|set| set.distributions.as_slice()).unwrap_or_default();
    distributions
        .iter()
        .map(|one| ImageDistribution { name: one.name.clone(), version: one.version.clone() })
        .collect()
}

/// On a thread that no other task waits for.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|error| EngineError::Engine(error.to_string()))??)
}
