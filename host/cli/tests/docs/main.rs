//! The README and every page of `docs/` do what they say: a test for each page, `page::tools`.
//!
//! A page is read from its top to its end, in an empty folder of its own:
//!
//! * `console`: what stands behind `$ `, up to where no `\` ends the line and no `> ` begins the next, is
//!   given to one bash for the page, with this program first in its `PATH`. It has to end well, and what it
//!   prints on both streams to be what follows, where a line `...` stands for any lines and `[..]` for
//!   anything within one, as in trycmd. A last line counts whether it ends or not.
//! * `console,needs=engine` is run where `DOCKER_HOST` names an engine of containers, and
//!   `console,ignore=why` nowhere.
//! * A block whose first line is a comment with the name of a file is that file. What follows `$ cat FILE`
//!   is that file too, where nothing has made it before; what a command has made is looked at by another
//!   command, as `head`.
//! * Blocks of `yaml`, `toml` and `json` have to be that, blocks of `python` have to compile. Those of `rust`
//!   are tests of `src/book.rs`.
//! * The port 8080 is another one, that is free: `serve` listens there unless told otherwise.

#![expect(clippy::print_stdout, reason = "what is skipped is told")]

mod page;
mod shell;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::page::Page;

fn main() -> io::Result<ExitCode> {
    let arguments = Arguments::from_args();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut trials = Vec::new();
    for file in pages(&root)? {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&file)?;
        let compiled = fs::read_to_string(root.join("host/cli/src/book.rs"))?;
        trials.push(Trial::test(format!("page::{name}"), move || test(&file, &text, &compiled)));
    }
    Ok(libtest_mimic::run(&arguments, trials).exit_code())
}

fn pages(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = vec![root.join("README.md")];
    for entry in fs::read_dir(root.join("docs"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn test(file: &Path, text: &str, compiled: &str) -> Result<(), Failed> {
    let page = Page::read(text)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let listed =
        ["docs/", ""].iter().any(|folder| compiled.contains(&format!("\"{folder}{name}\"")));
    if page.has_rust && !listed {
        return Err(format!("{name} has Rust in it: add it to host/cli/src/book.rs").into());
    }
    let wrong = shell::run(&page)?;
    if wrong.is_empty() { Ok(()) } else { Err(format!("{name}:\n{}", wrong.join("\n")).into()) }
}
