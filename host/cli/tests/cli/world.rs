//! A user of their own: a cache, a place for keys, and an index of packages in a folder.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::command::{Ended, command};
use crate::testing::TestWheel;

pub(crate) struct World {
    folder: TempDir,
}

impl World {
    pub(crate) fn new() -> io::Result<Self> {
        let world = Self { folder: tempfile::tempdir()? };
        let wheels = world.path("wheels");
        fs::create_dir(&wheels)?;
        let uv = format!("no-index = true\nfind-links = [{:?}]\n", wheels.display().to_string());
        fs::write(world.path("index.toml"), uv)?;
        Ok(world)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Adds a wheel to the index.
    pub(crate) fn add(&self, wheel: &TestWheel) -> io::Result<()> {
        wheel.write(&self.path("wheels")).map(drop)
    }

    /// The command as this user runs it, in the user's folder, with no index but that one.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.online(arguments);
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("PIP_") || name.starts_with("UV_"))
            {
                command.env_remove(name);
            }
        }
        command
            .env("PIP_NO_INDEX", "1")
            .env("PIP_FIND_LINKS", self.path("wheels"))
            .env("UV_CONFIG_FILE", self.path("index.toml"));
        command
    }

    /// The same with the index that this machine is configured with.
    pub(crate) fn online(&self, arguments: &[&str]) -> Command {
        let mut command = command(arguments);
        command
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("XDG_DATA_HOME", self.path("data"))
            .current_dir(self.folder.path());
        command
    }

    pub(crate) fn pcm(&self, arguments: &[&str]) -> io::Result<Ended> {
        Ok(self.command(arguments).output()?.into())
    }
}
