//! Bytecode, made once.
//!
//! Compiling is reading a stranger's text with the interpreter, so that it happens in a sandbox; which
//! one is not known here.

use std::path::Path;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{PackagesError, Target};

/// The script that a [`Compiler`] runs in a sandbox. It compiles [`PACKAGES_FOLDER`], and the value of
/// its last expression is a [`Compiled`]. The sandbox should grant it a second and more for every
/// hundred files.
pub const COMPILE_SCRIPT: &str = include_str!("compile.py");

/// Where a sandbox sees the folder of packages, while they are compiled and ever after: bytecode
/// holds the paths of its sources, which tracebacks name.
pub const PACKAGES_FOLDER: &str = "/packages";

/// Turns Python files into bytecode.
///
/// ```no_run
/// use std::path::Path;
/// use pcm_packages::{Compiled, Compiler, PackagesError};
///
/// struct Sandboxed;
///
/// #[async_trait::async_trait]
/// impl Compiler for Sandboxed {
///     fn key(&self) -> String {
///         "cpython-3.13.5".to_owned()
///     }
///     async fn compile(&self, folder: &Path) -> Result<Compiled, PackagesError> {
///         // Run COMPILE_SCRIPT with `folder` at PACKAGES_FOLDER, read-write.
/// #       let value = serde_json::json!({"compiled": 1, "skipped": 0});
///         serde_json::from_value(value)
///             .map_err(|error| PackagesError::Compiler { message: error.to_string() })
///     }
/// }
/// ```
#[async_trait]
pub trait Compiler: Send + Sync {
    /// What its bytecode depends on: the version of Python and of the script. Folders are shared by
    /// compilers of the same key.
    fn key(&self) -> String;

    /// For which Python packages are resolved: the one that compiles, and will import them.
    fn target(&self) -> Target {
        Target::Wasi
    }

    /// Leaves `__pycache__/<name>.<tag>.pyc` beside Python files in `folder`, and nothing else.
    async fn compile(&self, folder: &Path) -> Result<Compiled, PackagesError>;
}

/// What a [`Compiler`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compiled {
    /// Files that have bytecode now.
    pub compiled: u64,
    /// Files that are no Python of this version.
    pub skipped: u64,
}
