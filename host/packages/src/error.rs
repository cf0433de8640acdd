//! What can go wrong between a requirement and a folder.

use std::io;

use crate::Target;

/// Why packages could not be had. No message names an index, a credential or a path of the host.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackagesError {
    /// A text is no requirement, or one that is not taken.
    #[error("{text:?} is not taken as a requirement: {reason}")]
    Requirement {
        /// The text, shortened, without addresses.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Nothing on this machine resolves requirements.
    #[error("packages are resolved by {needed}, and {found}")]
    NoResolver {
        /// What would do.
        needed: &'static str,
        /// What was found instead.
        found: String,
    },
    /// No choice of versions satisfies the request, native code or not.
    #[error("{requested}: no versions satisfy this ({tool} says: {output}){misfits}")]
    Unsatisfiable {
        /// What was asked for.
        requested: String,
        /// The resolver and its version.
        tool: String,
        /// What it said, without addresses.
        output: String,
        /// Which wheels in the folders of [`Store::find_links`](crate::Store::find_links) do not fit,
        /// and why, if their names match; else nothing.
        misfits: String,
    },
    /// The request can be satisfied, but only with native code that the target does not load.
    #[error("{}", native(*target, requested, packages, wheels, misfits))]
    Native {
        /// What it was resolved for.
        target: Target,
        /// What was asked for.
        requested: String,
        /// The packages that are native, with their verb: `numpy has`, `numpy and pandas have`.
        packages: String,
        /// The wheels that there are of them, for x86-64 Linux.
        wheels: String,
        /// As in [`Unsatisfiable`](Self::Unsatisfiable).
        misfits: String,
    },
    /// The resolver failed for a reason of its own, as an index that does not answer.
    #[error("{requested}: {tool} failed: {output}")]
    Resolver {
        /// What was asked for.
        requested: String,
        /// The resolver and its version.
        tool: String,
        /// What it said, without addresses.
        output: String,
    },
    /// The resolver was stopped because it took too much.
    #[error("{tool} was stopped: it took more than {limit}")]
    Stopped {
        /// The resolver and its version.
        tool: String,
        /// Of what it took too much, and how much was allowed.
        limit: String,
    },
    /// A wheel is not what a wheel may be.
    #[error("the wheel {wheel} is refused: {reason}")]
    Wheel {
        /// Its file name.
        wheel: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Two packages have different contents for one file.
    #[error("{first} and {second} cannot be installed together: both have a file {path:?}")]
    Conflict {
        /// The file, relative to the folder of packages.
        path: String,
        /// One package.
        first: String,
        /// The other.
        second: String,
    },
    /// The compiler failed, or left what is not bytecode.
    #[error("the packages could not be compiled: {message}")]
    Compiler {
        /// What it says.
        message: String,
    },
    /// The cache cannot be read or written.
    #[error("cannot {action}: {source}")]
    Cache {
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// What is missing, and what to do.
fn native(target: Target, requested: &str, packages: &str, wheels: &str, misfits: &str) -> String {
    let tag = target.wheel_tag();
    match target {
        Target::Wasi => format!(
            "{requested}: {packages} no pure Python wheel (there is {wheels}){misfits}; the wasm \
             backend cannot load native code; use --backend deno-sandbox, subprocess or container"
        ),
        Target::Pyodide => format!(
            "{requested}: {packages} no wheel for Pyodide (there is {wheels}){misfits}; put one built \
             for it, tagged {tag}, into a folder and name that with --wheels DIR, or use --backend \
             subprocess or container"
        ),
    }
}

impl PackagesError {
    /// For `map_err`.
    pub(crate) fn cache(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Cache { action, source }
    }
}
