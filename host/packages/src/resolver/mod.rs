//! The user's own resolver: `uv`, else `pip`.
//!
//! Both read the user's configuration of indexes themselves. They are asked two questions, which
//! wheels satisfy requirements ([`Resolver::choose`]) and to get them ([`Resolver::fetch`]), and are
//! believed in neither: the answer is parsed, and what they bring is checked as a stranger's.
//!
//! Markers are evaluated as on Emscripten, the platform by whose name packages know Python in
//! WebAssembly: it leaves out what needs processes, threads and native code.

mod command;
mod interpreter;
mod pip;
mod redact;
mod uv;

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::PackagesError;
use crate::digest::Digest;
use crate::folder::open_plain;
use crate::links::Link;
use crate::name::{WheelName, is_version, normalised};
use crate::target::Target;
use command::Ended;
pub(crate) use redact::without_addresses;

/// More packages than any request has.
const MAX_CHOICES: usize = 1000;
/// A list of wheels as a resolver writes it.
const MAX_ANSWER: u64 = 64 << 20;

/// What the wheels may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wheels {
    /// What the target loads.
    Fitting,
    /// For x86-64 Linux too: whoever publishes native wheels publishes that one, so that the answer
    /// does not depend on the host.
    Any,
}

/// Where a chosen wheel is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// On this machine.
    File(PathBuf),
    /// On an index.
    Index,
}

/// A wheel that satisfies a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) wheel: WheelName,
    pub(crate) sha256: Digest,
    pub(crate) place: Place,
}

impl Choice {
    /// For the user: `attrs 26.1.0`.
    pub(crate) fn title(&self) -> String {
        format!("{} {}", self.wheel.name, self.wheel.version)
    }
}

/// What a resolver brought.
#[derive(Debug)]
pub(crate) enum Fetched {
    /// The wheel.
    Wheel(PathBuf),
    /// A folder in which the wheel and perhaps others are installed.
    Installed(PathBuf),
}

/// Why there is no choice.
#[derive(Debug)]
pub(crate) enum NoChoice {
    /// No versions satisfy the request; what the resolver says.
    Unsatisfiable(String),
    /// It is not known; what the resolver says.
    Failed(String),
    Other(PackagesError),
}

impl From<PackagesError> for NoChoice {
    fn from(error: PackagesError) -> Self {
        Self::Other(error)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Uv,
    Pip,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Uv, Self::Pip];

    fn name(self) -> &'static str {
        match self {
            Self::Uv => "uv",
            Self::Pip => "pip",
        }
    }

    fn program(self) -> &'static str {
        match self {
            Self::Uv => "uv",
            Self::Pip => "python3",
        }
    }

    fn version_arguments(self) -> &'static [&'static str] {
        match self {
            Self::Uv => &["--version"],
            // A third of the time that `-m pip --version` takes.
            Self::Pip => &["-c", "import pip; print('pip', pip.__version__)"],
        }
    }

    /// The oldest version that has what is asked of it.
    fn oldest(self, target: Target) -> [u64; 3] {
        match (self, target) {
            (Self::Uv, Target::Wasi) => [0, 9, 30], // lists the wheels of the platform, not all
            (Self::Uv, Target::Pyodide) => [0, 11, 19], // knows `pyemscripten`
            (Self::Pip, _) => [22, 2, 0],           // has `--report`
        }
    }
}

/// What would do, for an error.
fn needed(target: Target) -> &'static str {
    match target {
        Target::Wasi => "uv (0.9.30 or newer) or pip (22.2 or newer, of the python3 in PATH)",
        Target::Pyodide => "uv (0.11.19 or newer) or pip (22.2 or newer, of the python3 in PATH)",
    }
}

/// A program and how to start it.
#[derive(Debug, Clone)]
struct Tool {
    kind: Kind,
    program: PathBuf,
    version: String,
    variables: Vec<(OsString, OsString)>,
    target: Target,
    /// The Python that uv shall resolve for, where it knows the platform by no name.
    interpreter: Option<PathBuf>,
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.name(), self.version)
    }
}

/// A resolver that was found on this machine.
#[derive(Debug)]
pub(crate) struct Resolver {
    tool: Tool,
}

impl Resolver {
    /// The first of `uv` and `pip` that is there and new enough. `folder` is for its temporary files,
    /// `interpreters` for what stays.
    pub(crate) async fn find(
        target: Target,
        variables: &[(OsString, OsString)],
        folder: &Path,
        interpreters: &Path,
    ) -> Result<Self, PackagesError> {
        let mut found = Vec::new();
        for kind in Kind::ALL {
            let Some(program) = command::find(kind.program(), variables) else { continue };
            let mut tool = Tool {
                kind,
                program,
                version: "of an unknown version".to_owned(),
                variables: command::passed_on(variables),
                target,
                interpreter: None,
            };
            let arguments: Vec<OsString> =
                kind.version_arguments().iter().map(OsString::from).collect();
            let ended = command::run(&tool, &arguments, folder).await?;
            if let Some(version) = version_of(&ended, kind) {
                version.clone_into(&mut tool.version);
                let title = tool.to_string();
                if !is_at_least(version, kind.oldest(target)) {
                    found.push(title);
                } else if interpreter::provide(&mut tool, folder, interpreters).await? {
                    return Ok(Self { tool });
                } else {
                    found.push(format!("{title} without a Python"));
                }
            }
        }
        let found = if found.is_empty() {
            "neither is here".to_owned()
        } else {
            format!("here is only {}", found.join(" and "))
        };
        Err(PackagesError::NoResolver { needed: needed(target), found })
    }

    /// Chooses wheels for the requirements and all that they require.
    pub(crate) async fn choose(
        &self,
        requirements: &[String],
        wheels: Wheels,
        beside: Beside<'_>,
        folder: &Path,
    ) -> Result<Vec<Choice>, NoChoice> {
        let request = Request { requirements, wheels, beside, folder: &new_folder(folder)? };
        let found = match self.tool.kind {
            Kind::Uv => uv::choose(&self.tool, &request).await?,
            Kind::Pip => pip::choose(&self.tool, &request).await?,
        };
        let unusable = |what: &str| NoChoice::Failed(format!("it chose {what}"));
        if found.len() > MAX_CHOICES {
            return Err(unusable("more than a thousand packages"));
        }
        found
            .into_iter()
            .map(|found| {
                let asked = normalised(&found.name).filter(|_| is_version(&found.version));
                let name = asked.ok_or_else(|| unusable("a package without a proper name"))?;
                let choice = found.choice(self.tool.target, wheels);
                choice.filter(|choice| choice.wheel.name == name).ok_or_else(|| {
                    unusable(&format!("{name} {}, without a wheel that has a hash", found.version))
                })
            })
            .collect()
    }

    /// Whether the question for wheels of any kind is that for fitting ones with more wheels to choose
    /// from, and the same values of markers. uv takes both from one platform; pip is told each by
    /// itself.
    pub(crate) fn has_one_platform(&self) -> bool {
        self.tool.kind == Kind::Pip
    }

    pub(crate) fn target(&self) -> Target {
        self.tool.target
    }

    /// Gets chosen wheels from the index, each checked against its hash by the resolver.
    pub(crate) async fn fetch(
        &self,
        choices: &[&Choice],
        wheels: Wheels,
        folder: &Path,
    ) -> Result<Vec<Fetched>, PackagesError> {
        let lines: Vec<String> = choices
            .iter()
            .map(|choice| {
                let WheelName { name, version, .. } = &choice.wheel;
                format!("{name}=={version} --hash=sha256:{}", choice.sha256)
            })
            .collect();
        let beside = Beside::default();
        let request =
            Request { requirements: &lines, wheels, beside, folder: &new_folder(folder)? };
        match self.tool.kind {
            Kind::Uv => uv::fetch(&self.tool, &request, choices.len()).await,
            Kind::Pip => pip::fetch(&self.tool, &request, choices).await,
        }
    }
}

impl fmt::Display for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tool.fmt(f)
    }
}

/// What may be chosen beside what indexes have.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Beside<'a> {
    /// Folders with wheels.
    pub(crate) folders: &'a [&'a Path],
    /// Wheels in those folders that must be chosen, where their distribution is needed at all.
    pub(crate) pins: &'a [&'a Link],
}

/// One call of a resolver.
struct Request<'a> {
    requirements: &'a [String],
    wheels: Wheels,
    beside: Beside<'a>,
    /// Of this call only.
    folder: &'a Path,
}

impl Request<'_> {
    /// The requirements as a file: they may be more than a command line takes.
    fn file(&self) -> Result<PathBuf, PackagesError> {
        let path = self.folder.join("requirements.in");
        fs::write(&path, self.requirements.join("\n") + "\n")
            .map_err(PackagesError::cache("write the request"))?;
        Ok(path)
    }

    /// A file with a line for each wheel that must be chosen; None without any.
    fn constraints(
        &self,
        line: impl Fn(&Link) -> Option<String>,
    ) -> Result<Option<PathBuf>, PackagesError> {
        let lines: Vec<String> = self.beside.pins.iter().filter_map(|pin| line(pin)).collect();
        if lines.is_empty() {
            return Ok(None);
        }
        let path = self.folder.join("constraints.in");
        fs::write(&path, lines.join("\n") + "\n")
            .map_err(PackagesError::cache("write the request"))?;
        Ok(Some(path))
    }

    /// The resolver's failure, as an error.
    fn failed(&self, tool: &Tool, ended: &Ended) -> PackagesError {
        let names: Vec<&str> =
            self.requirements.iter().filter_map(|line| line.split(" --hash").next()).collect();
        PackagesError::Resolver {
            requested: names.join(", "),
            tool: tool.to_string(),
            output: redact::reason(ended),
        }
    }
}

/// A package as a resolver names it, with the wheels that would do.
#[derive(Debug, Default)]
struct Found {
    name: String,
    version: String,
    wheels: Vec<FoundWheel>,
}

#[derive(Debug)]
struct FoundWheel {
    url: String,
    sha256: Option<String>,
}

impl Found {
    /// The wheel that fits best if there is one, else any if that is allowed.
    fn choice(&self, target: Target, allowed: Wheels) -> Option<Choice> {
        let choices: Vec<Choice> = self
            .wheels
            .iter()
            .filter_map(|found| {
                let url = found.url.split(['?', '#']).next()?;
                let wheel = WheelName::parse(&percent_decoded(url.rsplit('/').next()?)?)?;
                let place = match url.strip_prefix("file://") {
                    Some(path) => Place::File(percent_decoded(path)?.into()),
                    None => Place::Index,
                };
                let sha256 = match (&found.sha256, &place) {
                    (Some(sha256), _) => sha256.parse().ok()?,
                    // Older versions of uv leave that to whoever reads the file.
                    (None, Place::File(path)) => {
                        Digest::of_reader(&mut open_plain(path).ok()?).ok()?
                    }
                    (None, Place::Index) => return None,
                };
                Some(Choice { wheel, sha256, place })
            })
            .filter(|choice| allowed == Wheels::Any || target.fits(&choice.wheel))
            .collect();
        let best = choices.iter().filter_map(|choice| Some((target.rank(&choice.wheel)?, choice)));
        let best = best.min_by_key(|(rank, _)| *rank).map(|(_, choice)| choice);
        best.or(choices.first()).cloned()
    }
}

/// A folder for one call.
fn new_folder(parent: &Path) -> Result<PathBuf, PackagesError> {
    tempfile::tempdir_in(parent)
        .map(tempfile::TempDir::keep) // goes with its parent
        .map_err(PackagesError::cache("make a folder"))
}

/// The text of a URL's path. None for what is no text.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next()?, bytes.next()?];
            decoded.push(u8::from_str_radix(str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}

/// The version in `uv 0.13.9 (…)` or `pip 23.2.1`.
fn version_of(ended: &Ended, kind: Kind) -> Option<&str> {
    let mut words = ended.output.split_ascii_whitespace();
    let version = words.find(|word| *word == kind.name()).and_then(|_| words.next())?;
    (ended.success && is_version(version)).then_some(version)
}

fn is_at_least(version: &str, oldest: [u64; 3]) -> bool {
    let mut numbers = version
        .split('.')
        .map_while(|part| part.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u64>().ok());
    let version = [0; 3].map(|missing| numbers.next().unwrap_or(missing));
    version >= oldest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared() {
        let ended = |output: &str| Ended {
            success: true,
            output: output.to_owned(),
            errors: String::new(),
        };
        assert_eq!(version_of(&ended("uv 0.13.9 (x86_64)"), Kind::Uv), Some("0.13.9"));
        assert_eq!(version_of(&ended("pip 23.2.1\n"), Kind::Pip), Some("23.2.1"));
        assert_eq!(version_of(&ended("pip"), Kind::Pip), None);
        assert_eq!(version_of(&ended("uv \u{1b}[31m"), Kind::Uv), None);
        for (version, enough) in
            [("22.2", true), ("22.1.9", false), ("100", true), ("22.2rc1", true), ("x", false)]
        {
            assert_eq!(is_at_least(version, [22, 2, 0]), enough, "{version}");
        }
    }

    #[test]
    fn a_pure_wheel_is_preferred_and_a_native_one_only_taken_where_allowed() {
        let hash = Some("0".repeat(64));
        let wheel = |url: &str| FoundWheel { url: url.to_owned(), sha256: hash.clone() };
        let native = "https://host/a/x-1-cp313-cp313-manylinux2014_x86_64.whl";
        let pure = "https://host/a/x-1%2Blocal-py3-none-any.whl#sha256=00";
        let mut found = Found { wheels: vec![wheel(native), wheel(pure)], ..Found::default() };
        for wheels in [Wheels::Any, Wheels::Fitting] {
            let choice = found.choice(Target::Wasi, wheels);
            assert_eq!(choice.map(|choice| choice.title()).as_deref(), Some("x 1+local"));
        }
        found.wheels.pop();
        assert!(found.choice(Target::Wasi, Wheels::Any).is_some());
        assert!(found.choice(Target::Wasi, Wheels::Fitting).is_none());
    }

    #[test]
    fn the_wheel_that_fits_best_is_chosen_and_of_two_the_first() {
        let wheel = |url: &str, hash: char| FoundWheel {
            url: url.to_owned(),
            sha256: Some(hash.to_string().repeat(64)),
        };
        let found = Found {
            wheels: vec![
                wheel("https://host/x-1-py3-none-any.whl", '1'),
                wheel("https://host/x-1-cp314-cp314-manylinux2014_x86_64.whl", '2'),
                wheel("https://host/x-1-cp38-abi3-pyemscripten_2026_0_wasm32.whl", '3'),
                wheel("file:///links/x-1-cp314-cp314-pyemscripten_2026_0_wasm32.whl", '4'),
                wheel("https://host/x-1-cp314-cp314-pyemscripten_2026_0_wasm32.whl", '5'),
            ],
            ..Found::default()
        };
        for (target, wheels, hash) in [
            (Target::Wasi, Wheels::Fitting, "1"),
            (Target::Pyodide, Wheels::Fitting, "4"),
            (Target::Pyodide, Wheels::Any, "4"),
        ] {
            let choice = found.choice(target, wheels).map(|choice| choice.sha256.to_string());
            assert_eq!(choice, Some(hash.repeat(64)), "{target:?}");
        }
    }

    #[test]
    fn a_wheel_on_this_machine_is_known_by_its_path() {
        let file = |url: &str| {
            let wheels = vec![FoundWheel { url: url.to_owned(), sha256: Some("0".repeat(64)) }];
            let found = Found { wheels, ..Found::default() };
            found.choice(Target::Wasi, Wheels::Fitting).map(|choice| choice.place)
        };
        let place = file("file:///a%20b/x-1-py3-none-any.whl");
        assert_eq!(place, Some(Place::File("/a b/x-1-py3-none-any.whl".into())));
        assert_eq!(file("file:///a%2/x-1-py3-none-any.whl"), None);
        assert_eq!(file("https://host/..%2F..%2Fx-1-py3-none-any.whl"), None);
    }
}
