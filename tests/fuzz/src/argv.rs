//! Command lines: whatever a caller gives, the program gets it as values and never as options.

use std::ffi::OsString;
use std::sync::OnceLock;

use pcm_tools::{Arguments, CliTool, LoadOptions};
use serde_json::{Map, Value};

const DECLARATION: &str = "
name: probe
command: /bin/echo
schema:
  options:
    verbose: {type: boolean, short: v}
    level: {type: integer}
    text: {type: string}
    tag: {type: array, short: t}
  positional:
    - {name: path, type: string, required: true}
    - {name: more, type: array}
recipes:
  say:
    preset: {verbose: true}
";

/// The tool as it is, and with `--` before its positionals.
fn tools() -> &'static [Option<CliTool>; 2] {
    static TOOLS: OnceLock<[Option<CliTool>; 2]> = OnceLock::new();
    TOOLS.get_or_init(|| {
        let marked = format!("{DECLARATION}end_of_options: true\n");
        [DECLARATION, &marked].map(|yaml| CliTool::parse(yaml, None, &LoadOptions::default()).ok())
    })
}

/// Arguments as JSON, turned into words and read back as the program would.
pub fn argv(data: &[u8]) {
    let Ok(values) = serde_json::from_slice::<Map<String, Value>>(data) else { return };
    let args = Arguments::from(values.clone());
    for (tool, is_marked) in tools().iter().zip([false, true]) {
        assert!(tool.is_some(), "the declaration is not read");
        let Some(tool) = tool else { return };
        for recipe in [None, Some("say")] {
            if let Ok(words) = tool.argv(recipe, &args) {
                let read = Read::of(&words, is_marked);
                read.is_what_was_given(&values, recipe.is_some());
            }
        }
    }
}

/// What a program with these options understands.
#[derive(Debug, Default)]
struct Read {
    verbose: bool,
    level: Vec<String>,
    text: Vec<String>,
    tags: Vec<String>,
    positionals: Vec<String>,
}

impl Read {
    fn of(words: &[OsString], is_marked: bool) -> Self {
        let mut words = words.iter().map(|word| word.to_string_lossy().into_owned());
        assert_eq!(words.next().as_deref(), Some("/bin/echo"));
        let mut read = Self::default();
        let mut ended = false;
        while let Some(word) = words.next() {
            assert!(!word.contains('\0'), "a NUL in {word:?}");
            let is_option = word.starts_with('-') && word.len() > 1;
            if ended || !is_option {
                // An option behind a positional would be one still, if the program looked for it there.
                ended = ended || !is_marked && read.positionals.is_empty();
                assert!(is_marked || !is_option, "{word:?} is given as an option");
                read.positionals.push(word);
                continue;
            }
            match word.as_str() {
                "--" if is_marked => ended = true,
                "-v" => read.verbose = true,
                "--level" => read.level.extend(words.next()),
                "--text" => read.text.extend(words.next()),
                "-t" => read.tags.extend(words.next()),
                other => panic!("{other:?} is given as an option"),
            }
        }
        read
    }

    fn is_what_was_given(&self, values: &Map<String, Value>, presets: bool) {
        let text = |name: &str| values.get(name).and_then(Value::as_str).map(str::to_owned);
        // What is no text is written as Python would, or refused.
        if let Some(text) = text("text") {
            assert_eq!(self.text, [text]);
        }
        if let Some(path) = text("path") {
            assert_eq!(self.positionals.first(), Some(&path));
        }
        for (name, read) in [("tag", &self.tags), ("more", &self.positionals)] {
            let items = values.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
            let texts: Vec<_> = items.iter().filter_map(Value::as_str).collect();
            if texts.len() == items.len() {
                let read = if name == "more" { read.get(1..).unwrap_or_default() } else { read };
                assert_eq!(read, texts);
            }
        }
        if let Some(level) = values.get("level").and_then(Value::as_i64) {
            assert_eq!(self.level, [level.to_string()]);
        }
        let verbose = match values.get("verbose") {
            Some(Value::Bool(verbose)) => *verbose,
            Some(Value::Null) | None => presets,
            Some(_) => return,
        };
        assert_eq!(self.verbose, verbose, "{values:?}");
    }
}
