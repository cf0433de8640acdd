//! What a workflow's source says about itself, read without running any of it.
//!
//! The source is an agent's: it is measured (`depth`) before it is parsed, and parsed on a thread
//! whose stack is large enough for the deepest tree that a source of [`MAX_SOURCE_BYTES`] can give.

mod depth;
mod docstring;
mod signature;

use std::io;
use std::thread;

use ruff_python_ast::{ModModule, Stmt, StmtFunctionDef};
use ruff_python_parser::parse_module;

use crate::Parameter;

/// How long a workflow's source may be.
pub const MAX_SOURCE_BYTES: usize = 1 << 20;

/// Dropping a tree takes up to 100 bytes of stack for each level, and a byte of source can make a
/// level; parsing goes on elsewhere when this is used up. Only what is touched becomes memory.
const STACK_BYTES: usize = 256 << 20;

/// The entry point of every workflow.
const ENTRY: &str = "run";

/// What a source says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outline {
    /// The first line of the module's docstring, or of that of `run`; or nothing.
    pub(crate) description: String,
    /// The parameters of `run`, without what is injected.
    pub(crate) parameters: Vec<Parameter>,
}

/// Why a source is no workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It does not parse.
    Syntax { message: String, line: usize, column: usize },
    /// It could be parsed, but is too deep for it.
    Nesting(String),
    /// It parses, but is no workflow.
    Rule(String),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Syntax { message, line, column } => {
                write!(formatter, "{message} (line {line}, column {column})")
            }
            Self::Nesting(reason) | Self::Rule(reason) => formatter.write_str(reason),
        }
    }
}

/// Reads the outlines of sources, in their order. The thread for it is worth some microseconds, so
/// many sources are read at once. It is an error that there is no memory for the thread.
pub(crate) fn outlines(sources: &[&str]) -> io::Result<Vec<Result<Outline, Refusal>>> {
    if sources.is_empty() {
        return Ok(Vec::new());
    }
    let read = thread::scope(|scope| {
        let reader = thread::Builder::new().name("pcm-outline".to_owned()).stack_size(STACK_BYTES);
        let read = || sources.iter().map(|source| outline(source)).collect();
        reader.spawn_scoped(scope, read).map(thread::ScopedJoinHandle::join)
    })?;
    match (read, sources) {
        (Ok(outlines), _) => Ok(outlines),
        (Err(_), [_]) => Ok(vec![Err(Refusal::Rule("the parser failed on it".to_owned()))]),
        // One of them is the reason, and the others are none the worse for it.
        (Err(_), _) => {
            let alone = sources.iter().map(|source| outlines(&[source]));
            Ok(alone.collect::<io::Result<Vec<_>>>()?.into_iter().flatten().collect())
        }
    }
}

/// Reads one outline.
pub(crate) fn outline_of(source: &str) -> io::Result<Result<Outline, Refusal>> {
    let unread = Err(Refusal::Rule("it was not parsed".to_owned()));
    Ok(outlines(&[source])?.pop().unwrap_or(unread))
}

fn outline(source: &str) -> Result<Outline, Refusal> {
    depth::check(source)?;
    let parsed = parse_module(source).map_err(|error| {
        let (line, column) = position(source, error.location.start().to_usize());
        Refusal::Syntax { message: error.error.to_string(), line, column }
    })?;
    let module = parsed.syntax();
    let run = entry(module)?;
    let description = docstring::first_line(&module.body)
        .or_else(|| docstring::first_line(&run.body))
        .unwrap_or_default();
    Ok(Outline { description, parameters: signature::parameters(&run.parameters, source) })
}

/// The last function of that name is the one that a caller would get.
fn entry(module: &ModModule) -> Result<&StmtFunctionDef, Refusal> {
    let run = module.body.iter().rev().find_map(|statement| match statement {
        Stmt::FunctionDef(function) if function.name.as_str() == ENTRY => Some(function),
        _ => None,
    });
    match run {
        Some(run) if run.is_async => Ok(run),
        Some(_) => {
            Err(Refusal::Rule("`run` is a plain function; write `async def run(...)`".to_owned()))
        }
        None => Err(Refusal::Rule("it has no `async def run(...)` at its top level".to_owned())),
    }
}

/// Line and column of an offset, counted from one, the column in characters.
fn position(source: &str, offset: usize) -> (usize, usize) {
    let before = source.get(..offset).unwrap_or(source);
    let line = before.matches('\n').count() + 1;
    let begun = before.rsplit('\n').next().unwrap_or_default();
    (line, begun.chars().count() + 1)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn refusal(source: &str) -> String {
        outline_of(source).unwrap().unwrap_err().to_string()
    }

    #[test]
    fn a_coroutine_named_run_makes_a_workflow() {
        let outline =
            outline_of("\"\"\"Adds.\n\nMore.\"\"\"\nasync def run(a: int, b=2): return a + b")
                .unwrap();
        assert_eq!(outline.map(|outline| outline.description), Ok("Adds.".to_owned()));
    }

    #[test]
    fn a_plain_function_and_no_function_make_none() {
        assert!(refusal("def run(): pass").contains("async def run"));
        assert!(refusal("async def other(): pass").contains("no `async def run"));
        assert!(refusal("if True:\n    async def run(): pass").contains("top level"));
        assert!(refusal("").contains("no `async def run"));
    }

    #[test]
    fn the_last_run_counts_as_it_would_when_it_is_called() {
        assert!(refusal("async def run(): pass\ndef run(): pass").contains("plain function"));
        assert!(outline_of("def run(): pass\nasync def run(): pass").unwrap().is_ok());
    }

    #[test]
    fn what_does_not_parse_says_where() {
        let error = outline_of("x = 1\ndef é(: pass").unwrap().unwrap_err();
        let Refusal::Syntax { line, column, .. } = error else { panic!("{error:?}") };
        assert_eq!((line, column), (2, 7));
    }

    #[test]
    fn nothing_at_the_top_level_is_run() {
        let source = "raise SystemExit(1)\nopen('/nowhere', 'w')\nasync def run(): pass";
        assert!(outline_of(source).unwrap().is_ok());
    }

    #[test]
    fn many_are_read_in_their_order() {
        let outlines =
            outlines(&["async def run(): '''one'''", "(", "async def run(): '''two'''"]).unwrap();
        let descriptions: Vec<_> = outlines
            .into_iter()
            .map(|outline| outline.map(|outline| outline.description).unwrap_or_default())
            .collect();
        assert_eq!(descriptions, ["one", "", "two"]);
    }

    #[test]
    fn sources_that_attack_the_parser_are_refused_or_read() {
        let deep = 100_000;
        let indented: String = (0..1400).map(|level| " ".repeat(level) + "if 1:\n").collect();
        let hostile = [
            "(".repeat(deep),
            "(".repeat(deep) + &")".repeat(deep),
            "[".repeat(deep),
            "{".repeat(deep),
            "{a:".repeat(deep),
            "f(".repeat(deep),
            "f()".to_owned() + &"()".repeat(deep),
            "a".to_owned() + &".b".repeat(deep),
            "a".to_owned() + &"[0]".repeat(deep),
            "1+".repeat(deep) + "1",
            "1**".repeat(deep) + "1",
            "-".repeat(deep) + "1",
            "not ".repeat(deep) + "1",
            "await ".repeat(deep) + "x",
            "lambda:".repeat(deep),
            "lambda a,b:".repeat(deep),
            "yield a,".repeat(deep),
            "1 if 1 else ".repeat(deep) + "1",
            "x:=".repeat(deep) + "1",
            "f\"{".repeat(deep),
            "f\"".to_owned() + &"{a:".repeat(deep),
            "f\"{x\" ".to_owned() + &"(".repeat(deep),
            "f\"\"\"{f(a : ) }".to_owned() + &"(".repeat(deep),
            "f\"\"\"{( a b \n )}".to_owned() + &"(".repeat(deep),
            "match x:\n case ".to_owned() + &"[".repeat(deep),
            "match ".repeat(deep),
            "with (".repeat(deep),
            "if 1:".repeat(deep),
            "\\\n".repeat(deep),
            "'".repeat(deep),
            "\"\"\"".repeat(deep),
            "*".repeat(deep),
            "@".repeat(deep),
            "\0".repeat(deep),
            "\t \t".repeat(deep),
            indented,
        ];
        for source in hostile {
            let shown: String = source.chars().take(12).collect();
            assert!(outline_of(&source).unwrap().is_err(), "{shown}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn no_source_brings_the_parser_down(parts in vec(select(PIECES), 0..60)) {
            let _ = outline_of(&parts.concat()).unwrap();
        }
    }

    const PIECES: &[&str] = &[
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "f'",
        "f\"\"\"",
        "t'",
        "rb'",
        "'",
        "\"\"\"",
        "\\",
        "\n",
        "\n    ",
        "\n\t",
        " ",
        ":",
        ":=",
        ",",
        "=",
        "!r",
        "!",
        "*",
        "**",
        "-",
        ".",
        "...",
        "@",
        "->",
        ";",
        "#",
        "\0",
        "\r",
        "\u{feff}",
        "\u{c}",
        "é",
        "x",
        "1",
        "1e999",
        "0x",
        "1_",
        "lambda",
        "yield ",
        "await ",
        "async ",
        "def run",
        "class ",
        "if ",
        "else ",
        "for ",
        "in ",
        "not ",
        "match ",
        "case ",
        "type ",
        "with ",
        "try:",
        "except*",
        "import ",
        "from ",
        "global ",
        "return ",
        "print",
        "None",
        "\\N{DASH}",
    ];

    #[test]
    fn a_long_program_is_no_deep_one() {
        let table = "    (-1, +2.5, 'a' + 'b', f(x)[0].y),\n".repeat(20_000);
        let source = format!("TABLE = [\n{table}]\nasync def run(): return len(TABLE)");
        assert!(source.len() > 500_000);
        assert_eq!(outline_of(&source).unwrap().map(|outline| outline.parameters), Ok(Vec::new()));
    }
}
