//! From requirements to wheels that a sandbox can load.
//!
//! The resolver is asked twice. First for wheels of any kind: that tells whether the request can be
//! satisfied at all, and which packages would be native. Then, if need be, for pure wheels alone,
//! beside which lie those that we can make pure ([`fallback`](crate::fallback)). It steps back to
//! older versions where newer ones are native; asked only once, it would also step back from a
//! package that needs, say, `MarkupSafe`, to a version from before it did.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use pcm_runtime_api::Progress;

use crate::fallback::works_without_native_parts;
use crate::resolver::{Choice, Fetched, NoChoice, Place, Resolver, Wheels};
use crate::shelf::Shelf;
use crate::{PackagesError, Requirement};

/// What choosing needs.
pub(crate) struct Planner<'a> {
    pub(crate) resolver: &'a Resolver,
    pub(crate) shelf: &'a Shelf,
    /// For what is needed only now.
    pub(crate) folder: &'a Path,
    pub(crate) progress: &'a Progress<'a>,
}

impl Planner<'_> {
    /// The wheels for these requirements, all of them pure.
    pub(crate) async fn choose(
        &self,
        requirements: &[Requirement],
    ) -> Result<Vec<Choice>, PackagesError> {
        let lines: Vec<String> = requirements.iter().map(ToString::to_string).collect();
        let any = self.ask(&lines, Wheels::Native, None).await;
        let any = any.map_err(|error| self.error(&lines, error))?;
        if any.iter().all(|choice| choice.wheel.is_pure()) && self.resolver.has_one_target() {
            return Ok(any);
        }
        let extra = self.made_pure(&any).await?;
        match self.ask(&lines, Wheels::Pure, extra.as_deref()).await {
            Ok(pure) => {
                self.tell_of_older(&any, &pure);
                Ok(pure)
            }
            Err(NoChoice::Unsatisfiable(output)) => {
                let native = self.native_for(&lines, &any, extra.as_deref()).await;
                match have(&native) {
                    Some(packages) => {
                        let wheels = native.into_values().collect::<Vec<_>>().join(", ");
                        let requested = lines.join(", ");
                        Err(PackagesError::Native { requested, packages, wheels })
                    }
                    None => Err(self.error(&lines, NoChoice::Unsatisfiable(output))),
                }
            }
            Err(error) => Err(self.error(&lines, error)),
        }
    }

    async fn ask(
        &self,
        lines: &[String],
        wheels: Wheels,
        extra: Option<&Path>,
    ) -> Result<Vec<Choice>, NoChoice> {
        self.resolver.choose(lines, wheels, extra, self.folder).await
    }

    /// A folder with pure wheels made of those native ones that work without their native parts.
    async fn made_pure(&self, any: &[Choice]) -> Result<Option<PathBuf>, PackagesError> {
        let native: Vec<&Choice> = any
            .iter()
            .filter(|choice| !choice.wheel.is_pure())
            .filter(|choice| works_without_native_parts(&choice.wheel.name))
            .collect();
        if native.is_empty() {
            return Ok(None);
        }
        let missing: Vec<&Choice> = native
            .iter()
            .filter(|choice| self.shelf.made_pure(choice.sha256).is_none())
            .copied()
            .collect();
        for (choice, fetched) in self.fetch(&missing, Wheels::Native).await? {
            (self.progress)(&format!("{}: leaving out its native parts", choice.title()));
            let kept = self.shelf.clone();
            blocking(move || kept.make_pure(&fetched, &choice)).await?;
        }
        let cannot = || PackagesError::cache("make a folder of wheels");
        let extra = self.folder.join("made-pure");
        fs::create_dir(&extra).map_err(cannot())?;
        for choice in native {
            if let Some(wheel) = self.shelf.made_pure(choice.sha256) {
                fs::copy(&wheel, extra.join(wheel.file_name().unwrap_or_default()))
                    .map_err(cannot())?;
            }
        }
        Ok(Some(extra))
    }

    /// Gets the wheels of the choices, wherever they are.
    pub(crate) async fn fetch(
        &self,
        choices: &[&Choice],
        wheels: Wheels,
    ) -> Result<Vec<(Choice, Fetched)>, PackagesError> {
        let mut fetched = Vec::with_capacity(choices.len());
        let mut remote = Vec::new();
        for &choice in choices {
            match &choice.place {
                Place::File(path) => fetched.push((choice.clone(), Fetched::Wheel(path.clone()))),
                Place::Index => remote.push(choice),
            }
        }
        if !remote.is_empty() {
            let titles: Vec<String> = remote.iter().map(|choice| choice.title()).collect();
            (self.progress)(&format!("fetching {}", titles.join(", ")));
            let wheels = self.resolver.fetch(&remote, wheels, self.folder).await?;
            fetched.extend(remote.into_iter().cloned().zip(wheels));
        }
        Ok(fetched)
    }

    /// The native packages that stand in the way of these requirements, each with its wheel.
    async fn native_for(
        &self,
        lines: &[String],
        any: &[Choice],
        extra: Option<&Path>,
    ) -> BTreeMap<String, String> {
        let native = |choices: &[Choice]| -> BTreeMap<String, String> {
            choices
                .iter()
                .filter(|choice| !choice.wheel.is_pure())
                .map(|choice| (choice.wheel.name.clone(), choice.wheel.to_string()))
                .filter(|(name, _)| !works_without_native_parts(name))
                .collect()
        };
        // Of several, some may be had: each is asked for by itself.
        let mut found = BTreeMap::new();
        for line in lines.iter().filter(|_| lines.len() > 1) {
            let line = std::slice::from_ref(line);
            if let Err(NoChoice::Unsatisfiable(_)) = self.ask(line, Wheels::Pure, extra).await
                && let Ok(any) = self.ask(line, Wheels::Native, None).await
            {
                found.extend(native(&any));
            }
        }
        if found.is_empty() { native(any) } else { found }
    }

    /// Says which packages are older than they would be elsewhere.
    fn tell_of_older(&self, any: &[Choice], pure: &[Choice]) {
        for choice in pure {
            let other = any.iter().find(|other| other.wheel.name == choice.wheel.name);
            if let Some(other) = other.filter(|other| other.wheel.version != choice.wheel.version) {
                let newer = &other.wheel.version;
                (self.progress)(&format!(
                    "{} in place of {newer}, which needs native code",
                    choice.title()
                ));
            }
        }
    }

    fn error(&self, lines: &[String], error: NoChoice) -> PackagesError {
        let (requested, tool) = (lines.join(", "), self.resolver.to_string());
        match error {
            NoChoice::Unsatisfiable(output) => {
                PackagesError::Unsatisfiable { requested, tool, output }
            }
            NoChoice::Failed(output) => PackagesError::Resolver { requested, tool, output },
            NoChoice::Other(error) => error,
        }
    }
}

/// `numpy has`, `numpy and pandas have`; None for nobody.
fn have(native: &BTreeMap<String, String>) -> Option<String> {
    let mut names: Vec<&str> = native.keys().map(String::as_str).collect();
    let last = names.pop()?;
    if names.is_empty() {
        return Some(format!("{last} has"));
    }
    Some(format!("{} and {last} have", names.join(", ")))
}

/// Runs what waits for the disk where it keeps nobody waiting.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PackagesError> + Send + 'static,
) -> Result<T, PackagesError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(PackagesError::cache("finish the work")(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_their_verb() {
        let have = |names: &[&str]| {
            have(&names.iter().map(|&name| (name.to_owned(), String::new())).collect())
        };
        assert_eq!(have(&[]), None);
        assert_eq!(have(&["numpy"]).as_deref(), Some("numpy has"));
        assert_eq!(have(&["c", "b", "a"]).as_deref(), Some("a, b and c have"));
    }
}
