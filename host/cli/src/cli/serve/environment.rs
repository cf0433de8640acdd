//! What the environment says where the arguments do not, by the names that people have in their set-ups.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use pcm_sandbox::storage::{RedisServer, StoredTools, pull_tools};
use pcm_sandbox::{Places, SessionBuilder, StoragePlace};

use super::super::exit::Failure;
use super::super::host::failed;

/// Some variables.
#[derive(Debug)]
pub(crate) struct Environment(HashMap<String, String>);

const BASE: &str = "STORAGE_BASE_PATH";
const REDIS: &str = "REDIS_URL";
const PREFIX: &str = "STORAGE_PREFIX";
const TOOLS: &str = "TOOLS_PATH";
const TOOLS_PREFIX: &str = "REDIS_TOOLS_PREFIX";
const PACKAGES: &str = "CONTAINER_DEPS";
const RUNTIME_PACKAGES: &str = "ALLOW_RUNTIME_DEPS";
/// What a storage keeps, by the variables that say where: the folder, or the end of its prefix.
const PARTS: [(&str, &str, &str); 2] = [
    ("WORKFLOWS_PATH", "REDIS_WORKFLOWS_PREFIX", "workflows"),
    ("ARTIFACTS_PATH", "REDIS_ARTIFACTS_PREFIX", "artifacts"),
];

impl Environment {
    /// Those of this process that are text.
    pub(crate) fn of_this_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }

    #[cfg(test)]
    pub(crate) fn new(variables: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self(variables.iter().map(owned).collect())
    }

    /// A variable that says something.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty()).map(Into::into)
    }

    /// The places, with what the arguments have not named.
    pub(crate) fn places(&self, places: Places) -> Result<Places, Failure> {
        let storage = match places.storage_place() {
            None => self.storage()?,
            Some(_) => places.storage.clone(),
        };
        let tools = match places.tools_folder() {
            None => self.variable(TOOLS).map(PathBuf::from),
            Some(_) => places.tools.clone(),
        };
        Ok(Places { storage, tools, ..places })
    }

    fn storage(&self) -> Result<Option<StoragePlace>, Failure> {
        if let Some(url) = self.variable(REDIS) {
            let prefix = match self.variable(PREFIX) {
                Some(prefix) => Some(prefix),
                None => self.common(
                    "prefix",
                    PARTS.map(|(_, variable, part)| (variable, part)),
                    |prefix, part| prefix.strip_suffix(part)?.strip_suffix(':').map(str::to_owned),
                )?,
            };
            return Ok(Some(StoragePlace::Redis { url, prefix }));
        }
        if let Some(base) = self.variable(BASE) {
            return Ok(Some(StoragePlace::Folder(base.into())));
        }
        let base = self.common(
            "folder",
            PARTS.map(|(variable, _, part)| (variable, part)),
            |path, part| {
                let path = Path::new(path);
                let parent = path.parent()?.to_str()?;
                (path.file_name()? == part).then(|| parent.to_owned())
            },
        )?;
        Ok(base.map(|base| StoragePlace::Folder(base.into())))
    }

    /// What the places of all parts of a storage have in common, where there are any.
    fn common(
        &self,
        what: &str,
        parts: [(&'static str, &str); 2],
        root_of: impl Fn(&str, &str) -> Option<String>,
    ) -> Result<Option<String>, Failure> {
        let mut common: Option<String> = None;
        for (variable, part) in parts {
            let Some(place) = self.variable(variable) else { continue };
            let root = root_of(&place, part);
            if root.is_none() || common.as_ref().is_some_and(|common| root.as_ref() != Some(common))
            {
                return Err(Failure::usage(format!(
                    "{variable} is {place:?}, which is not the {what} of {part} in one storage: set \
                     {BASE}, or {REDIS} and {PREFIX}, in its place"
                )));
            }
            common = root;
        }
        Ok(common)
    }

    /// The tools that are declared in Redis, in a folder; None where no prefix is said.
    pub(crate) async fn stored_tools(
        &self,
        places: &Places,
    ) -> Result<Option<tempfile::TempDir>, Failure> {
        let Some(prefix) = self.variable(TOOLS_PREFIX) else { return Ok(None) };
        let Some(StoragePlace::Redis { url, .. }) = places.storage_place() else {
            return Err(Failure::usage(format!("{TOOLS_PREFIX} is for a storage in Redis")));
        };
        if let Some(folder) = places.tools_folder() {
            return Err(Failure::usage(format!(
                "tools come from {} or, by {TOOLS_PREFIX}, from Redis: not from both",
                folder.display()
            )));
        }
        let server = RedisServer::open(&url).map_err(|error| failed(&error))?;
        let folder = tempfile::tempdir().map_err(|error| failed(&error))?;
        let stored = StoredTools::in_redis(&server, &prefix);
        pull_tools(&stored, folder.path()).await.map_err(|error| failed(&error))?;
        Ok(Some(folder))
    }

    /// The builder with the packages, and whether code may add others.
    pub(crate) fn packages(&self, builder: SessionBuilder) -> SessionBuilder {
        let packages = self.variable(PACKAGES).unwrap_or_default();
        let packages = packages.split(',').map(str::trim).filter(|spec| !spec.is_empty());
        let builder = builder.packages(packages);
        let may = self.variable(RUNTIME_PACKAGES).map(|word| word.to_lowercase());
        match may.as_deref() {
            None | Some("true" | "1" | "yes") => builder,
            Some(_) => builder.without_runtime_deps(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storage(variables: &[(&str, &str)]) -> Option<StoragePlace> {
        let places = Environment::new(variables).places(Places::default());
        places.ok().and_then(|places| places.storage)
    }

    fn redis(prefix: Option<&str>) -> StoragePlace {
        let url = "redis://localhost".to_owned();
        StoragePlace::Redis { url, prefix: prefix.map(str::to_owned) }
    }

    #[test]
    fn a_storage_can_be_named_in_all_the_ways_of_old() {
        assert_eq!(storage(&[]), None);
        assert_eq!(storage(&[(BASE, "/data")]), Some(StoragePlace::Folder("/data".into())));
        let url = (REDIS, "redis://localhost");
        assert_eq!(storage(&[url]), Some(redis(None)));
        assert_eq!(storage(&[url, (PREFIX, "app")]), Some(redis(Some("app"))));
        assert_eq!(
            storage(&[url, ("REDIS_WORKFLOWS_PREFIX", "app:workflows")]),
            Some(redis(Some("app")))
        );
        assert_eq!(
            storage(&[
                ("WORKFLOWS_PATH", "/data/workflows"),
                ("ARTIFACTS_PATH", "/data/artifacts")
            ]),
            Some(StoragePlace::Folder("/data".into()))
        );
    }

    #[test]
    fn places_that_are_not_one_storage_are_refused() {
        for variables in [
            [("WORKFLOWS_PATH", "/app/workflows"), ("ARTIFACTS_PATH", "/workspace/artifacts")],
            [("WORKFLOWS_PATH", "/app/flows"), ("ARTIFACTS_PATH", "")],
        ] {
            let refused = Environment::new(&variables).places(Places::default()).err();
            let refused = refused.map(|failure| failure.to_string()).unwrap_or_default();
            assert!(refused.contains(BASE), "{refused}");
        }
    }

    #[test]
    fn arguments_come_first() {
        let environment = Environment::new(&[(BASE, "/data"), (TOOLS, "/tools")]);
        let named = Places { base: Some("here".into()), ..Places::default() };
        let places = environment.places(named).ok();
        assert_eq!(
            places.as_ref().and_then(Places::storage_place),
            Some(StoragePlace::Folder("here".into()))
        );
        assert_eq!(places.and_then(|places| places.tools_folder()), Some("here/tools".into()));
    }
}
