//! What a page has its reader do, one after the other.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A page as its test sees it.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) steps: Vec<Step>,
    pub(crate) has_rust: bool,
}

/// Something to do, and where the page says it.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) act: Act,
}

#[derive(Debug)]
pub(crate) enum Act {
    /// A file is there from here on.
    File { name: String, content: String },
    /// A command is given, prints something, and ends well.
    Command { command: String, printed: String },
    /// Commands are left out that need what this machine has not.
    Skipped(&'static str),
    /// A piece of Python that no file is made of.
    Python(String),
}

/// A fenced block: what stands behind the fence, and the text.
struct Block<'a> {
    line: usize,
    language: &'a str,
    attributes: Vec<&'a str>,
    text: String,
}

impl Page {
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut page = Self::default();
        let mut open: Option<(usize, String, String)> = None;
        for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
            match (event, &mut open) {
                (Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))), _) => {
                    let line = text.get(..range.start).unwrap_or_default().lines().count() + 1;
                    open = Some((line, info.into_string(), String::new()));
                }
                (Event::Text(part), Some((_, _, inside))) => inside.push_str(&part),
                (Event::End(TagEnd::CodeBlock), _) => {
                    if let Some((line, info, text)) = open.take() {
                        let mut words = info.split(',');
                        let language = words.next().unwrap_or_default();
                        let attributes = words.collect();
                        let block = Block { line, language, attributes, text };
                        page.add(&block).map_err(|error| format!("line {line}: {error}"))?;
                    }
                }
                _ => {}
            }
        }
        Ok(page)
    }

    fn add(&mut self, block: &Block<'_>) -> Result<(), String> {
        let ignored = block.attributes.iter().any(|word| word.starts_with("ignore="));
        match block.language {
            "console" | "sh" if ignored => {}
            "console" => self.add_console(block)?,
            "rust" if block.attributes.contains(&"ignore") => {
                return Err("Rust that is ignored is compiled by nobody: say no_run".to_owned());
            }
            "rust" => self.has_rust = true,
            "sh" => return Err("commands are `console`, with `$ ` before them".to_owned()),
            "" => {
                return Err(
                    "rustdoc takes a block without a language for Rust: say `text`".to_owned()
                );
            }
            language => {
                let file = file_name(&block.text);
                if let Some(name) = file {
                    let (name, content) = (name.to_owned(), block.text.clone());
                    self.push(block.line, Act::File { name, content });
                }
                match language {
                    "yaml" => parses(serde_saphyr::from_str::<serde_json::Value>(&block.text))?,
                    "toml" => parses(toml::from_str::<toml::Table>(&block.text))?,
                    "json" => parses(serde_json::from_str::<serde_json::Value>(&block.text))?,
                    "python" if file.is_none() => {
                        self.push(block.line, Act::Python(block.text.clone()));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn add_console(&mut self, block: &Block<'_>) -> Result<(), String> {
        match block.attributes[..] {
            [] => {}
            ["needs=engine"] if std::env::var_os("DOCKER_HOST").is_some() => {}
            ["needs=engine"] => {
                self.push(block.line, Act::Skipped("DOCKER_HOST names no engine of containers"));
                return Ok(());
            }
            _ => return Err(format!("nobody knows what {} is", block.attributes.join(","))),
        }
        let first = self.steps.len();
        let mut lines = (block.line + 1..).zip(block.text.lines()).peekable();
        while let Some((line, text)) = lines.next() {
            let Some(command) = text.strip_prefix("$ ") else {
                let Some(Act::Command { printed, .. }) = self.last_of(first) else {
                    return Err("the first line of a console is a command".to_owned());
                };
                printed.push_str(text);
                printed.push('\n');
                continue;
            };
            let mut command = command.to_owned();
            while let Some((_, next)) = lines.peek() {
                let Some(more) =
                    next.strip_prefix("> ").or_else(|| command.ends_with('\\').then_some(*next))
                else {
                    break;
                };
                command.push('\n');
                command.push_str(more);
                lines.next();
            }
            self.push(line, Act::Command { command, printed: String::new() });
        }
        Ok(())
    }

    fn push(&mut self, line: usize, act: Act) {
        self.steps.push(Step { line, act });
    }

    /// The last step, unless it was there before the block.
    fn last_of(&mut self, first: usize) -> Option<&mut Act> {
        self.steps.get_mut(first..)?.last_mut().map(|step| &mut step.act)
    }
}

/// The name that the first line of a file says.
fn file_name(text: &str) -> Option<&str> {
    let name = text.lines().next()?.strip_prefix("# ")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let ends = [".json", ".py", ".toml", ".txt", ".yaml"].iter().any(|end| name.ends_with(end));
    (ends && name.chars().all(plain) && !name.starts_with('/') && !name.contains(".."))
        .then_some(name)
}

fn parses<T, E: std::fmt::Display>(outcome: Result<T, E>) -> Result<(), String> {
    outcome.map(drop).map_err(|error| error.to_string())
}
