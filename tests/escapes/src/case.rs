//! A case: a hostile program, and its header in TOML in the comments that it begins with.
//!
//! ```python
//! # about = "An empty loop is stopped, and costs nothing but its time."
//! # expect = "kind:timeout"
//! # limits.timeout_ms = 300
//! while True:
//!     pass
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use pcm_conformance::case::CaseLimits;
use pcm_sandbox::{BackendKind, SessionState};
use serde::Deserialize;

use crate::expect::Outcome;

/// The backends that promise to hold code of strangers, whatever it does.
const PROMISING: [&str; 2] = ["wasm", "deno-sandbox"];

/// Between two programs of a file: the second one runs in a session of its own, after that of the
/// first one has ended.
const NEXT_SESSION: &str = "# ---- next session\n";

/// What a case says of itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key that a header has or has not")]
pub struct Header {
    /// What it shows, in one sentence.
    pub about: String,
    /// How the last program of the file may end: [`Outcome`]. Those before it must succeed.
    pub expect: OneOrMore<Outcome>,
    /// What may become of its session; that it is kept, where nothing is said.
    #[serde(default = "kept")]
    pub session: OneOrMore<SessionState>,
    /// The limits of its sessions, where they differ from the defaults.
    #[serde(default)]
    pub limits: CaseLimits,
    /// The backends that it is for, by their keys; where nothing is said, those that promise to hold
    /// code of strangers: wasm and deno-sandbox.
    pub backends: Option<Vec<String>>,
    /// Backends that it is for besides.
    #[serde(default)]
    pub also: Vec<String>,
    /// How the last program may end on single backends besides, by their keys.
    #[serde(default)]
    pub expect_in: BTreeMap<String, OneOrMore<Outcome>>,
    /// What is behind the port of its sessions.
    #[serde(default)]
    pub host: HostKind,
    /// With the workshop: every call is under `workshop/policy.yaml`.
    #[serde(default)]
    pub policy: bool,
    /// With the workshop: its folders `open` and `closed` are mounted, at `/open` to be written and at
    /// `/closed` to be read.
    #[serde(default)]
    pub mounts: bool,
    /// With the workshop: every program of the file is in a workspace of its own.
    #[serde(default)]
    pub workspaces: bool,
    /// With the memory: the rules of the network that its sessions have, in which `{echo}` stands for the
    /// port of a server that tells what it was asked.
    #[serde(default)]
    pub network: Vec<String>,
    /// What the host may hold besides the memory of the sessions and then keep for other ones, in
    /// MiB; 16 times [`Limits::host_call_bytes`](pcm_sandbox::Limits) and next to nothing, where
    /// nothing is said.
    pub host_mib: Option<u64>,
    /// Interrupts the program after so many milliseconds.
    pub interrupt_after_ms: Option<u64>,
    /// The number of sessions that run the program at the same time.
    #[serde(default = "one")]
    pub sessions: usize,
    /// These sessions are forks of the first one, in place of fresh ones.
    #[serde(default)]
    pub forked: bool,
    /// A run that is stopped the hard way leaves its session as it was before.
    #[serde(default)]
    pub rollback: bool,
    /// How the results of these sessions compare.
    pub across: Option<Across>,
}

/// What is behind the port of the sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostKind {
    /// The host of the conformance suite, in memory: [`host`](crate::host).
    #[default]
    Memory,
    /// A real one over a folder, with tools of all kinds: [`workshop`](crate::workshop).
    Workshop,
}

/// How the results of several sessions compare that ran the same program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Across {
    /// All values differ, and so do the items of lists at the same place.
    DifferentValues,
    /// All used the same fuel, and it was counted.
    SameFuel,
}

/// One of something, or a list of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum OneOrMore<T> {
    /// One.
    One(T),
    /// A list.
    More(Vec<T>),
}

impl<T> OneOrMore<T> {
    /// All of them.
    pub fn all(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::More(more) => more,
        }
    }
}

fn kept() -> OneOrMore<SessionState> {
    OneOrMore::One(SessionState::Kept)
}

fn one() -> usize {
    1
}

/// One file under `cases/`.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its line in the list of attacks, as `C1`.
    pub line: String,
    /// Its name among the cases of that line.
    pub name: String,
    /// Where it stands.
    pub file: PathBuf,
    /// What it says of itself.
    pub header: Header,
    /// The programs, each for a session of its own.
    pub programs: Vec<String>,
}

impl Case {
    /// Whether it is for the backend with this key.
    pub fn is_for(&self, backend: &str) -> bool {
        let is_named = |keys: &[String]| keys.iter().any(|key| key == backend);
        let named = self.header.backends.as_deref();
        named.map_or_else(|| PROMISING.contains(&backend), is_named) || is_named(&self.header.also)
    }

    /// Whether it is about what stands behind the port: tools, names, data. Where the sandbox is makes no
    /// difference to that.
    pub fn is_about_host(&self) -> bool {
        self.line.starts_with(['A', 'D', 'T', 'Z'])
    }

    /// How the last program may end on the backend with this key.
    pub fn expected(&self, backend: &str) -> Vec<Outcome> {
        let besides = self.header.expect_in.get(backend).map_or(&[][..], OneOrMore::all);
        self.header.expect.all().iter().chain(besides).cloned().collect()
    }

    fn parse(file: &Path, text: &str) -> Result<Self> {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let (line, name) = stem.split_once('-').context("the file is not called LINE-name.py")?;
        let group = file.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        let number = line.strip_prefix(&*group).unwrap_or_default();
        ensure!(number.parse::<u32>().is_ok(), "{line} is no line of group {group}");
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        ensure!(!name.is_empty() && name.chars().all(plain), "a name is made of a-z, 0-9 and _");

        let comments = text.lines().map_while(|line| line.strip_prefix('#'));
        let header: Header = toml::from_str(&comments.collect::<Vec<_>>().join("\n"))?;
        ensure!(!header.about.trim().is_empty(), "`about` says nothing");
        ensure!(!header.expect.all().is_empty(), "`expect` says nothing");
        ensure!(header.sessions > 0, "a case needs a session");
        ensure!(header.sessions > 1 || header.across.is_none(), "`across` one session");
        let is_plain = !(header.policy || header.mounts || header.workspaces);
        ensure!(header.host == HostKind::Workshop || is_plain, "only the workshop has that");
        ensure!(header.host == HostKind::Memory || header.network.is_empty(), "it has no network");
        let named = header.backends.iter().flatten().chain(&header.also);
        for key in named.chain(header.expect_in.keys()) {
            ensure!(key.parse::<BackendKind>().is_ok(), "{key} is no backend");
        }
        Ok(Self {
            line: line.to_owned(),
            name: name.to_owned(),
            file: file.to_owned(),
            header,
            programs: text.split(NEXT_SESSION).map(str::to_owned).collect(),
        })
    }
}

/// The cases of all groups, by group and file.
pub fn load_cases(folder: &Path) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for group in entries(folder)? {
        for file in entries(&group)? {
            let text = fs::read_to_string(&file);
            let case = text.map_err(Into::into).and_then(|text| Case::parse(&file, &text));
            cases.push(case.with_context(|| file.display().to_string())?);
        }
    }
    Ok(cases)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let list = || format!("cannot list {}", folder.display());
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).with_context(list)? {
        entries.push(entry.with_context(list)?.path());
    }
    entries.sort();
    Ok(entries)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::*;

    const FILE: &str = "cases/C/C1-loop.py";

    fn parse(text: &str) -> Result<Case> {
        Case::parse(Path::new(FILE), text)
    }

    #[test]
    fn the_header_is_what_the_program_begins_with() {
        let text = "# about = \"a\"\n# expect = [\"ok\", \"kind:timeout\"]\n# limits.fuel = 7\n\
                    x = 1  # expect = 2\n# about = \"b\"\n";
        let case = parse(text).unwrap();
        assert_eq!((case.line.as_str(), case.name.as_str()), ("C1", "loop"));
        assert_eq!(case.header.about, "a");
        assert_eq!(case.header.expect.all().len(), 2);
        assert_eq!(case.header.session.all(), [SessionState::Kept]);
        assert_eq!(case.header.limits.limits().fuel, Some(7));
        assert_eq!(case.programs, [text]);
        assert!(case.is_for("wasm") && case.is_for("deno-sandbox") && !case.is_for("container"));
    }

    #[test]
    fn a_case_names_the_backends_that_it_is_for() {
        let case =
            |more: &str| parse(&format!("# about = \"a\"\n# expect = \"ok\"\n{more}")).unwrap();
        let only =
            case("# backends = [\"subprocess\"]\n# expect_in.subprocess = \"kind:crashed\"\n");
        assert!(only.is_for("subprocess") && !only.is_for("wasm"));
        assert_eq!(only.expected("subprocess").len(), 2);
        assert_eq!(only.expected("wasm").len(), 1);
        let besides = case("# also = [\"container\"]\n");
        assert!(besides.is_for("container") && besides.is_for("wasm"));
    }

    #[test]
    fn programs_of_one_file_are_for_sessions_of_their_own() {
        let text = "# about = \"a\"\n# expect = \"ok\"\nx = 1\n# ---- next session\nx\n";
        assert_eq!(parse(text).unwrap().programs[1], "x\n");
    }

    #[test]
    fn what_is_wrong_with_a_header_is_said() {
        for (text, said) in [
            ("x = 1\n", "missing field `about`"),
            ("# about = \"a\"\n# expect = \"ok\"\n# timeout_ms = 1\n", "unknown field"),
            ("# about = \"a\"\n# expect = \"fine\"\n", "fine"),
            ("# about = \" \"\n# expect = \"ok\"\n", "`about` says nothing"),
            ("# about = \"a\"\n# expect = []\n", "`expect` says nothing"),
            ("# about = \"a\"\n# expect = \"ok\"\n# policy = true\n", "only the workshop"),
            ("# about = \"a\"\n# expect = \"ok\"\n# also = [\"x\"]\n", "x is no backend"),
        ] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.contains(said), "{error}");
        }
        let misplaced = Case::parse(Path::new("cases/M/C1-loop.py"), "");
        assert!(format!("{:#}", misplaced.unwrap_err()).contains("C1 is no line of group M"));
    }
}
