//! What the settings of all backends have in common, by the names that people have in their
//! configuration.

use std::path::Path;
use std::time::Duration;

use crate::SessionBuilder;

/// Those settings, of whichever backend.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings<'a> {
    pub(crate) default_timeout: Option<f64>,
    pub(crate) allow_runtime_deps: bool,
    pub(crate) tools_path: Option<&'a Path>,
    pub(crate) deps: Option<&'a [String]>,
    pub(crate) deps_file: Option<&'a Path>,
}

impl Settings<'_> {
    /// The builder with them.
    pub(crate) fn add_to(self, builder: SessionBuilder) -> SessionBuilder {
        let mut builder = builder.run_timeout(seconds(self.default_timeout));
        if !self.allow_runtime_deps {
            builder = builder.without_runtime_deps();
        }
        if let Some(folder) = self.tools_path {
            builder = builder.tools(folder);
        }
        if let Some(deps) = self.deps {
            builder = builder.packages(deps);
        }
        if let Some(file) = self.deps_file {
            builder = builder.requirements(file);
        }
        builder
    }
}

/// None for what is no time, too.
pub(crate) fn seconds(seconds: Option<f64>) -> Option<Duration> {
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}
