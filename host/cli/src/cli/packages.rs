//! What a session can import besides the standard library.

use std::path::PathBuf;

use pcm_sandbox::SessionBuilder;
#[cfg(feature = "wasm")]
use pcm_sandbox::{Error, Image};

use super::exit::Failure;
#[cfg(feature = "wasm")]
use super::key::{self, Signs};

/// Packages for a session.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Packages")]
pub(crate) struct PackageArgs {
    /// Let the code import a package and what it requires: jinja2, 'pydantic>=1.10'. Resolved by
    /// this machine's uv or pip, kept for the next time. Behind the wasm backend pure Python only
    #[arg(long, value_name = "SPEC")]
    #[cfg_attr(feature = "wasm", arg(conflicts_with = "image"))]
    dep: Vec<String>,

    /// The same for the lines of a file
    #[arg(long, value_name = "FILE")]
    #[cfg_attr(feature = "wasm", arg(conflicts_with = "image"))]
    requirements: Vec<PathBuf>,

    /// Look for packages also among the wheels in a folder, as those that were built for Pyodide
    #[arg(long, value_name = "DIR")]
    wheels: Vec<PathBuf>,

    /// Install also the packages that earlier sessions over the same storage have added
    #[arg(long)]
    sync_deps: bool,

    /// Refuse packages that the code wants to add or remove
    #[arg(long)]
    no_runtime_deps: bool,

    /// Begin as this image, with its packages imported; `pcm-sandbox image build` makes one
    #[cfg(feature = "wasm")]
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,

    /// The key that the image was signed with, where it is not your own
    #[cfg(feature = "wasm")]
    #[arg(long, value_name = "FILE", requires = "image")]
    image_key: Option<PathBuf>,
}

impl PackageArgs {
    /// Whether packages may be added and removed while a session lives.
    #[cfg(feature = "mcp")]
    pub(crate) fn may_change(&self) -> bool {
        !self.no_runtime_deps
    }

    /// Adds what the arguments say.
    #[cfg_attr(
        not(feature = "wasm"),
        expect(clippy::unused_async, reason = "images are all that is opened")
    )]
    pub(crate) async fn add_to(&self, builder: SessionBuilder) -> Result<SessionBuilder, Failure> {
        let mut builder = builder.packages(&self.dep);
        for file in &self.requirements {
            builder = builder.requirements(file);
        }
        for folder in &self.wheels {
            builder = builder.wheels(folder);
        }
        if self.sync_deps {
            builder = builder.sync_deps_on_start();
        }
        if self.no_runtime_deps {
            builder = builder.without_runtime_deps();
        }
        #[cfg(feature = "wasm")]
        return self.with_image(builder).await;
        #[cfg(not(feature = "wasm"))]
        Ok(builder)
    }

    #[cfg(feature = "wasm")]
    async fn with_image(&self, builder: SessionBuilder) -> Result<SessionBuilder, Failure> {
        let Some(file) = &self.image else { return Ok(builder) };
        let key = key::existing(Signs::Images, self.image_key.as_deref())?;
        let key = key.ok_or_else(|| {
            Failure::usage("there is no key to verify the image with: name it with --image-key")
        })?;
        let image = Image::open(file, &key).await.map_err(|error| match error {
            Error::Image(error @ pcm_sandbox::EngineError::File { .. }) => {
                Failure::usage(format!("cannot read {error}"))
            }
            error => Failure::usage(format!("{}: {error}", file.display())),
        })?;
        Ok(builder.image(&image))
    }
}
