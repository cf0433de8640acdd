//! What the editor asks the session: whether a code is whole, and which names there are.
//!
//! The session's own Python knows best, and it asks behind the wall: whatever the code has done to it, the
//! answer is a list of texts or nothing.

use std::sync::Arc;
use std::time::Duration;

use pcm_sandbox::{RunRequest, Session, Value};
use tokio::runtime::Runtime;

/// How long an answer may take: somebody is typing.
const PATIENCE: Duration = Duration::from_millis(300);
/// How many names are offered.
const MOST: usize = 500;
/// What a name may be, so that no terminal is told anything else.
const LONGEST: usize = 100;

/// Asks one session.
#[derive(Debug, Clone)]
pub(super) struct Questions {
    runtime: Arc<Runtime>,
    session: Session,
}

impl Questions {
    pub(super) fn new(runtime: &Arc<Runtime>, session: &Session) -> Self {
        Self { runtime: Arc::clone(runtime), session: session.clone() }
    }

    /// Whether more lines have to follow before the code is one. What is wrong is whole: it is told so
    /// when it runs.
    pub(super) fn wants_more(&self, code: &str) -> bool {
        let literal = literal(code);
        let question = format!(
            "(lambda c: (setattr(c.compiler, 'flags', c.compiler.flags | 0x2000), \
             c({literal}, '<input>', 'exec' if {literal}.endswith('\\n') else 'single'))[1] is None)\
             (__import__('codeop').CommandCompiler())"
        );
        self.ask(question) == Value::Bool(true)
    }

    /// The names that can go on after what was typed: where the word begins that they replace, and they.
    pub(super) fn names(&self, before: &str) -> (usize, Vec<String>) {
        let word = word(before);
        let begin = before.len() - word.len();
        let (of, part) = match word.rsplit_once('.') {
            Some((of, part)) => (Some(of), part),
            None => (None, word),
        };
        let mut names = match of {
            _ if imported(before).is_some() => self.texts(modules(imported(before), of)),
            Some("tools") => {
                self.session.list_tools().iter().map(|tool| tool.name.clone()).collect()
            }
            Some(of) if is_path(of) => self.texts(format!("dir({of})")),
            Some(_) => Vec::new(),
            None => self.texts("[*globals(), *dir(__import__('builtins'))]".to_owned()),
        };
        if of == Some("tools") && imported(before).is_none() {
            names.extend(["list", "search", "stubs"].map(str::to_owned));
        }
        let wanted = |name: &String| {
            name.starts_with(part)
                && (part.starts_with('_') || !name.starts_with('_'))
                && name.len() <= LONGEST
                && name.chars().all(|one| one.is_alphanumeric() || "_.".contains(one))
        };
        names.retain(wanted);
        names.sort();
        names.dedup();
        names.truncate(MOST);
        (begin + word.len() - part.len(), names)
    }

    fn texts(&self, question: String) -> Vec<String> {
        match self.ask(question) {
            Value::Array(names) => names
                .into_iter()
                .filter_map(|name| if let Value::String(name) = name { Some(name) } else { None })
                .collect(),
            _ => Vec::new(),
        }
    }

    fn ask(&self, question: String) -> Value {
        let request = RunRequest::new(question).timeout(PATIENCE);
        self.runtime.block_on(self.session.run_request(request)).value
    }
}

/// What an import statement goes on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Imported<'a> {
    /// The name of a module.
    Module,
    /// A name of this module.
    From(&'a str),
}

/// None where no import statement is being typed.
fn imported(before: &str) -> Option<Imported<'_>> {
    let statement = before.rsplit(['\n', ';']).next()?.trim_start();
    if let Some(names) = statement.strip_prefix("import ") {
        let last = names.rsplit(',').next()?.trim_start();
        return (!last.contains(' ')).then_some(Imported::Module);
    }
    let rest = statement.strip_prefix("from ")?.trim_start();
    match rest.split_once(" import ") {
        Some((module, _)) => Some(Imported::From(module.trim())).filter(|_| is_path(module.trim())),
        None => (!rest.contains(' ')).then_some(Imported::Module),
    }
}

/// What Python is asked for the names that can be imported. No module is: to look is not to run it.
fn modules(imported: Option<Imported<'_>>, of: Option<&str>) -> String {
    const ALL: &str = "[*__import__('sys').stdlib_module_names, \
                       *(m.name for m in __import__('pkgutil').iter_modules())]";
    let inside = |package: &str| {
        format!(
            "(lambda p, m: [*(dir(m[{package}]) if {package} in m else ()), \
             *(i.name for i in p.iter_modules(p.extend_path([], {package})))])\
             (__import__('pkgutil'), __import__('sys').modules)",
            package = literal(package)
        )
    };
    match (imported, of) {
        (Some(Imported::From(module)), _) => inside(module),
        (_, Some(package)) => inside(package),
        (_, None) => ALL.to_owned(),
    }
}

/// The dotted name at the end of what was typed.
fn word(before: &str) -> &str {
    let is_part = |one: char| one.is_alphanumeric() || one == '_' || one == '.';
    let begin = before.rfind(|one| !is_part(one)).map_or(0, |at| {
        at + before.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8)
    });
    before.get(begin..).unwrap_or_default()
}

/// Whether it is names and dots: nothing is called to complete what comes after it.
fn is_path(text: &str) -> bool {
    let is_name = |part: &str| {
        part.chars().next().is_some_and(|first| first.is_alphabetic() || first == '_')
            && part.chars().all(|one| one.is_alphanumeric() || one == '_')
    };
    text.split('.').all(is_name)
}

/// The text as Python writes it; JSON is that, but for half of a pair, which a terminal has none of.
fn literal(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_what_stands_before_the_cursor() {
        assert_eq!(word("x = tools.jq.ke"), "tools.jq.ke");
        assert_eq!(word("f(a, ü.b"), "ü.b");
        assert_eq!(word("a[0]."), ".");
        assert_eq!(word("«x"), "x");
        assert_eq!(word(""), "");
    }

    #[test]
    fn an_import_statement_goes_on_with_modules() {
        for text in
            ["import js", "import os, js", "x = 1; import a.b", "from js", "if x:\n    import j"]
        {
            assert_eq!(imported(text), Some(Imported::Module), "{text}");
        }
        assert_eq!(imported("from os.path import jo"), Some(Imported::From("os.path")));
        assert_eq!(imported("from a import b, c"), Some(Imported::From("a")));
        for text in ["importlib", "x = 1", "import a as b", "from a im", "from f() import b"] {
            assert_eq!(imported(text), None, "{text}");
        }
    }

    #[test]
    fn nothing_is_called_to_complete_a_name() {
        assert!(is_path("a.b_1.c"));
        for text in ["", ".", "a.", "a().b", "1.a", "a b"] {
            assert!(!is_path(text), "{text}");
        }
    }
}
