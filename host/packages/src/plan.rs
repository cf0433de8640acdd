//! From requirements to wheels that a sandbox can load.
//!
//! The resolver is asked twice. First for wheels of any kind: that tells whether the request can be
//! satisfied at all, and which packages would be native. Then, if need be, for those alone that the
//! target loads, beside which lie those that we can make pure ([`fallback`](crate::fallback)). It
//! steps back to older versions where newer ones do not fit; asked only once, it would also step back
//! from a package that needs, say, `MarkupSafe`, to a version from before it did.
//!
//! Each question prefers the user's own wheels ([`links`](crate::links)).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use pcm_runtime_api::Progress;

use crate::fallback::works_without_native_parts;
use crate::links::{Link, Links};
use crate::name::normalised;
use crate::resolver::{Beside, Choice, Fetched, NoChoice, Place, Resolver, Wheels};
use crate::shelf::Shelf;
use crate::target::Target;
use crate::{PackagesError, Requirement};

/// How many of the user's wheels are tried one by one, where not all of them can be had.
const MAX_TRIES: usize = 16;
/// How many packages are looked at one by one for an error.
const MAX_SUSPECTS: usize = 16;

/// What choosing needs.
pub(crate) struct Planner<'a> {
    pub(crate) resolver: &'a Resolver,
    pub(crate) shelf: &'a Shelf,
    pub(crate) links: Links,
    /// For what is needed only now.
    pub(crate) folder: &'a Path,
    pub(crate) progress: &'a Progress<'a>,
}

impl Planner<'_> {
    /// The wheels for these requirements, all of which the target loads.
    pub(crate) async fn choose(
        &self,
        requirements: &[Requirement],
    ) -> Result<Vec<Choice>, PackagesError> {
        let lines: Vec<String> = requirements.iter().map(ToString::to_string).collect();
        let any = match self.ask(&lines, Wheels::Any, None).await {
            Ok(any) => any,
            // There may still be wheels for the target, where the question is not about it.
            Err(NoChoice::Unsatisfiable(_)) if self.is_any_elsewhere() => Vec::new(),
            Err(error) => return Err(self.error(&lines, error)),
        };
        if self.resolver.has_one_platform() && any.iter().all(|choice| self.fits(choice)) {
            return Ok(any);
        }
        let mut replaceable: Vec<&Choice> = any
            .iter()
            .filter(|choice| !self.fits(choice))
            .filter(|choice| works_without_native_parts(&choice.wheel.name))
            .collect();
        let mut fitting = None;
        if self.is_any_elsewhere() {
            let answer = self.ask(&lines, Wheels::Fitting, None).await;
            if let Ok(choices) = &answer {
                replaceable.retain(|other| !choices.iter().any(|choice| is_same(choice, other)));
            }
            fitting = Some(answer);
        }
        let extra = self.made_pure(&replaceable).await?;
        let fitting = match fitting {
            Some(answer) if extra.is_none() => answer,
            _ => self.ask(&lines, Wheels::Fitting, extra.as_deref()).await,
        };
        match fitting {
            Ok(fitting) => {
                self.tell_of_older(&any, &fitting);
                Ok(fitting)
            }
            Err(NoChoice::Unsatisfiable(output)) => {
                let native = self.native_for(&lines, &any, extra.as_deref()).await;
                match have(&native) {
                    Some(packages) => Err(PackagesError::Native {
                        target: self.resolver.target(),
                        requested: lines.join(", "),
                        packages,
                        misfits: self.links.misfits(|name| native.contains_key(name)),
                        wheels: native.into_values().collect::<Vec<_>>().join(", "),
                    }),
                    None => Err(self.error(&lines, NoChoice::Unsatisfiable(output))),
                }
            }
            Err(error) => Err(self.error(&lines, error)),
        }
    }

    fn fits(&self, choice: &Choice) -> bool {
        self.resolver.target().fits(&choice.wheel)
    }

    /// Whether wheels of any kind are those of another platform, without the native ones of the
    /// target.
    fn is_any_elsewhere(&self) -> bool {
        !self.resolver.has_one_platform() && !self.resolver.target().platforms().is_empty()
    }

    /// Asks the resolver, with the user's wheels wherever they satisfy the request.
    async fn ask(
        &self,
        lines: &[String],
        wheels: Wheels,
        extra: Option<&Path>,
    ) -> Result<Vec<Choice>, NoChoice> {
        let newest = match wheels {
            Wheels::Any if self.is_any_elsewhere() => Vec::new(),
            Wheels::Any | Wheels::Fitting => self.links.newest(),
        };
        let answer = self.ask_with(lines, wheels, extra, &newest).await;
        if newest.is_empty() || !matches!(answer, Err(NoChoice::Unsatisfiable(_))) {
            return answer;
        }
        // Not all of them will do: which ones do is found one by one.
        let mut best = self.ask_with(lines, wheels, extra, &[]).await?;
        let mut pins: Vec<&Link> = Vec::new();
        let mut tries = 0..MAX_TRIES;
        let names = best.iter().map(|choice| choice.wheel.name.clone());
        let mut waiting: Vec<String> =
            names.filter(|name| !self.links.of(name).is_empty()).collect();
        while let Some(name) = waiting.pop() {
            for link in self.links.of(&name) {
                if tries.next().is_none() {
                    return Ok(best);
                }
                pins.push(link);
                match self.ask_with(lines, wheels, extra, &pins).await {
                    Ok(choices) => {
                        best = choices;
                        break;
                    }
                    Err(NoChoice::Unsatisfiable(_)) => drop(pins.pop()),
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(best)
    }

    async fn ask_with(
        &self,
        lines: &[String],
        wheels: Wheels,
        extra: Option<&Path>,
        pins: &[&Link],
    ) -> Result<Vec<Choice>, NoChoice> {
        let ours = match wheels {
            Wheels::Any if self.is_any_elsewhere() => None,
            Wheels::Any | Wheels::Fitting => self.links.folder(),
        };
        let folders: Vec<&Path> = ours.into_iter().chain(extra).collect();
        let beside = Beside { folders: &folders, pins };
        self.resolver.choose(lines, wheels, beside, self.folder).await
    }

    /// A folder with pure wheels made of these native ones, which work without their native parts.
    async fn made_pure(&self, native: &[&Choice]) -> Result<Option<PathBuf>, PackagesError> {
        if native.is_empty() {
            return Ok(None);
        }
        let missing: Vec<&Choice> = native
            .iter()
            .filter(|choice| self.shelf.made_pure(choice.sha256).is_none())
            .copied()
            .collect();
        for (choice, fetched) in self.fetch(&missing, Wheels::Any).await? {
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
                .filter(|choice| !self.fits(choice))
                .map(|choice| (choice.wheel.name.clone(), choice.wheel.to_string()))
                .filter(|(name, _)| !works_without_native_parts(name))
                .collect()
        };
        // Of several, some may be had: each is asked for by itself.
        let mut found = BTreeMap::new();
        for line in lines.iter().filter(|_| lines.len() > 1) {
            let line = std::slice::from_ref(line);
            if let Err(NoChoice::Unsatisfiable(_)) = self.ask(line, Wheels::Fitting, extra).await
                && let Ok(any) = self.ask(line, Wheels::Any, None).await
            {
                found.extend(native(&any));
            }
        }
        if found.is_empty() {
            found = native(any);
        }
        if self.is_any_elsewhere() {
            self.retain_missing(&mut found).await;
        }
        found
    }

    /// Leaves those of which no version fits, whatever else is wrong with them; all if it cannot be
    /// told.
    async fn retain_missing(&self, native: &mut BTreeMap<String, String>) {
        let names: Vec<String> = native.keys().take(MAX_SUSPECTS).cloned().collect();
        for name in names {
            if self.ask(std::slice::from_ref(&name), Wheels::Fitting, None).await.is_ok() {
                native.remove(&name);
            }
        }
    }

    /// Says which packages are older than they would be elsewhere. Of the user's own wheels that is
    /// no news.
    fn tell_of_older(&self, any: &[Choice], fitting: &[Choice]) {
        let why = match self.resolver.target() {
            Target::Wasi => "needs native code",
            Target::Pyodide => "needs native code that there is not for Pyodide",
        };
        for choice in fitting {
            let other = any.iter().find(|other| other.wheel.name == choice.wheel.name);
            let is_ours = !self.links.of(&choice.wheel.name).is_empty();
            let other = other.filter(|other| !is_ours && !is_same(choice, other));
            if let Some(other) = other {
                let newer = &other.wheel.version;
                (self.progress)(&format!("{} in place of {newer}, which {why}", choice.title()));
            }
        }
    }

    fn error(&self, lines: &[String], error: NoChoice) -> PackagesError {
        let (requested, tool) = (lines.join(", "), self.resolver.to_string());
        match error {
            NoChoice::Unsatisfiable(output) => {
                // What is missing may be required by what was asked for.
                let words: Vec<&str> =
                    requested.split(is_no_name).chain(output.split(is_no_name)).collect();
                let misfits = self.links.misfits(|name| {
                    words
                        .iter()
                        .any(|word| normalised(word.trim_matches('.')).as_deref() == Some(name))
                });
                PackagesError::Unsatisfiable { requested, tool, output, misfits }
            }
            NoChoice::Failed(output) => PackagesError::Resolver { requested, tool, output },
            NoChoice::Other(error) => error,
        }
    }
}

/// Whether two choices are of one version of one package.
fn is_same(one: &Choice, other: &Choice) -> bool {
    (&one.wheel.name, &one.wheel.version) == (&other.wheel.name, &other.wheel.version)
}

/// Whether a character is in no name of a package.
fn is_no_name(character: char) -> bool {
    !(character.is_ascii_alphanumeric() || "._-".contains(character))
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
