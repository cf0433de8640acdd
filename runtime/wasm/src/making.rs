//! Making an image of a session.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pcm_python_wasm::{ImageInfo, image_of_session};
use pcm_runtime_api::{Executor as _, RunRequest};
use pcm_runtime_guest::PACKAGES_FOLDER;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::bundle::{self, Description, ImageDistribution};
use crate::engine::EngineError;
use crate::sandbox::WasmSandbox;
use crate::{image, packages};

/// Hears what is being done: every step that may take a second.
pub type Progress = Arc<dyn Fn(&str) + Send + Sync>;

/// The guest goes once through its objects, which takes a fraction of a second. This bounds one that
/// is not what it was.
const LONGEST_FREEZE: Duration = Duration::from_mins(2);

/// What a session imported to be made an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Preloaded {
    /// The modules that are there.
    pub imported: Vec<String>,
    /// Optional ones that are not, and why. Both are what sandboxed code says.
    pub missing: BTreeMap<String, String>,
}

/// What an image is made of, apart from memory.
struct Parts {
    base: ImageInfo,
    description: Description,
    packages: Option<PathBuf>,
    memory: Vec<u8>,
    stack_pointer: i32,
    key: [u8; 32],
}

impl WasmSandbox {
    /// Imports modules for all sessions of an image, and forgets what runs before it left: variables,
    /// sources, open caches. Optional modules may fail to import.
    pub async fn preload(
        &self,
        required: &[String],
        optional: &[String],
    ) -> Result<Preloaded, EngineError> {
        let failed = |reason: String| EngineError::NotMade(reason);
        let list = |names| serde_json::to_string(names).map_err(|error| failed(error.to_string()));
        // A list of strings is written in JSON as in Python.
        let (required, optional) = (list(required)?, list(optional)?);
        let code =
            format!("__import__('pcm_wasm.preload').preload.preload({required}, {optional})");
        let result = self.run(RunRequest::new(code)).await;
        if let Some(error) = result.error {
            return Err(failed(format!("importing the modules failed: {error}")));
        }
        serde_json::from_value(result.value)
            .map_err(|_| failed("the session does not tell what it imported".to_owned()))
    }

    /// Makes this session, which [`preload`](Self::preload)ed modules and did nothing since, the
    /// beginning of all sessions of an image: the file for
    /// [`WasmEngine::from_image`](crate::WasmEngine::from_image). Takes tens of seconds of all
    /// processors.
    ///
    /// What is mounted at [`PACKAGES_FOLDER`] goes into the image; other mounts, and files, do not.
    /// All of the session's memory does, so nothing secret should ever have been in it. Afterwards
    /// the session is a fresh one.
    pub async fn image(
        &self,
        preloaded: &Preloaded,
        distributions: &[ImageDistribution],
        key: &[u8; 32],
        progress: Progress,
    ) -> Result<Vec<u8>, EngineError> {
        if self.engine.contents().is_some() {
            return not_made("an image is made from the image of this program, not from another");
        }
        let (memory, stack_pointer) = self.frozen().await?;
        let base = self.engine.description().clone();
        let memory_bytes = memory.len() as u64;
        let mut description = Description::new(base.clone(), base.snapshot.clone(), memory_bytes);
        description.distributions = distributions.to_vec();
        description.modules.clone_from(&preloaded.imported);
        let mounted = self.config.mounts.iter().find(|mount| mount.guest == PACKAGES_FOLDER);
        let packages = mounted.and_then(|mount| mount.host.folder());
        let parts = Parts { base, description, packages, memory, stack_pointer, key: *key };
        let runtime = Handle::current();
        spawn_blocking(move || runtime.block_on(parts.put_together(&progress)))
            .await
            .map_err(|error| EngineError::NotMade(error.to_string()))?
    }

    /// Takes the session's interpreter, and gives its memory and the stack pointer.
    async fn frozen(&self) -> Result<(Vec<u8>, i32), EngineError> {
        let failed = |reason: String| EngineError::NotMade(reason);
        let mut session = self.open().await.map_err(|error| failed(error.to_string()))?;
        let instance = session.instance.take();
        session.forget();
        let Some(mut instance) = instance else {
            return not_made("the session has imported nothing");
        };
        let open = instance.wasi().files.open_descriptors();
        if open > 0 {
            return not_made(&format!(
                "{open} files are open that would not be in other sessions: what was imported must \
                 close them"
            ));
        }
        let memory = {
            let _ticking = self.engine.ticking(instance.metering());
            timeout(LONGEST_FREEZE, instance.freeze()).await
        };
        let memory = memory
            .map_err(|_| failed("the interpreter does not come to an end".to_owned()))?
            .map_err(|error| failed(format!("the interpreter failed: {error:#}")))?;
        let fresh = self.engine.instantiate(&self.config, instance.metering()).await;
        let at = fresh.map_err(failed)?.stack_pointer();
        match instance.stack_pointer() {
            Some(pointer) if at == Some(pointer) => Ok((memory, pointer)),
            _ => not_made("the interpreter left something on its stack"),
        }
    }
}

impl Parts {
    async fn put_together(self, progress: &Progress) -> Result<Vec<u8>, EngineError> {
        let Self { base, mut description, packages, memory, stack_pointer, key } = self;
        let code = image::code()?;
        let made = image_of_session(&base, &code, &memory, stack_pointer, |step| progress(step));
        let (image, modules) =
            made.await.map_err(|error| EngineError::NotMade(format!("{error:#}")))?;
        description.image = image;
        let mut packed = Vec::new();
        if let Some(folder) = packages {
            progress("pack");
            let (tree, bytes) =
                packages::pack(&folder).map_err(|error| EngineError::NotMade(error.to_string()))?;
            description.packages = Some(tree);
            packed = bytes;
        }
        bundle::encode(description, &modules, &packed, &key)
            .map_err(|refused| EngineError::NotMade(refused.to_string()))
    }
}

fn not_made<T>(reason: &str) -> Result<T, EngineError> {
    Err(EngineError::NotMade(reason.to_owned()))
}
