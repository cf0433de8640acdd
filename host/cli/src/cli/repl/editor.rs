//! Lines at the terminal: read, completed, kept.

use std::fs;
use std::path::{Path, PathBuf};

use rustyline::completion::{Completer, Pair};
use rustyline::config::Configurer as _;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

use super::super::exit::Failure;
use super::super::output::escape_controls;
use super::questions::Questions;

const PROMPT: &str = ">>> ";
const INDENT: &str = "    ";
/// How many lines are kept from one day to the next.
const KEPT: usize = 2000;

/// The editor.
#[derive(Debug)]
pub(super) struct Editor {
    lines: rustyline::Editor<Session, FileHistory>,
    /// None where there is no place for it.
    history: Option<PathBuf>,
}

impl Editor {
    pub(super) fn new(questions: Questions) -> Result<Self, Failure> {
        let failed = |error: ReadlineError| {
            Failure::startup(format!("the terminal cannot be used: {error}"))
        };
        let mut lines = rustyline::Editor::new().map_err(failed)?;
        lines.set_max_history_size(KEPT).map_err(failed)?;
        lines.set_completion_type(rustyline::CompletionType::List);
        lines.set_helper(Some(Session(questions)));
        let history = history_file();
        if let Some(file) = &history {
            let _ = lines.load_history(file); // there is none at first
        }
        Ok(Self { lines, history })
    }

    /// What somebody types, one or more lines.
    pub(super) fn read(&mut self) -> Result<String, ReadlineError> {
        let text = self.lines.readline(PROMPT)?;
        if !text.trim().is_empty() {
            let _ = self.lines.add_history_entry(text.trim_end());
        }
        Ok(text)
    }

    /// Keeps what was typed for another day.
    pub(super) fn keep(&mut self) {
        let Some(file) = &self.history else { return };
        let _ = file.parent().map(fs::create_dir_all);
        if self.lines.save_history(file).is_ok() {
            private(file);
        }
    }
}

/// What is typed at a prompt is nobody else's.
fn private(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;

    let _ = fs::set_permissions(file, fs::Permissions::from_mode(0o600));
}

/// `${XDG_STATE_HOME:-~/.local/state}/pcm-sandbox/history`.
fn history_file() -> Option<PathBuf> {
    let absolute =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
    Some(state?.join("pcm-sandbox").join("history"))
}

/// What the editor knows of the session.
#[derive(Debug)]
struct Session(Questions);

impl Helper for Session {}
impl Hinter for Session {
    type Hint = String;
}
impl Highlighter for Session {}

impl Validator for Session {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = context.input();
        let is_code = !(text.trim().is_empty() || text.trim_start().starts_with(':'));
        if is_code && self.0.wants_more(text) {
            return Ok(ValidationResult::Incomplete);
        }
        Ok(ValidationResult::Valid(None))
    }
}

impl Completer for Session {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = line.get(..position).unwrap_or_default();
        let of_line = before.rsplit('\n').next().unwrap_or_default();
        // At the beginning of a line Tab is what it always was.
        if of_line.trim().is_empty() {
            let indent = Pair { display: String::new(), replacement: INDENT.to_owned() };
            return Ok((position, vec![indent]));
        }
        let (begin, names) = self.0.names(before);
        let pair =
            |name: String| Pair { display: escape_controls(&name).into_owned(), replacement: name };
        Ok((begin, names.into_iter().map(pair).collect()))
    }
}
