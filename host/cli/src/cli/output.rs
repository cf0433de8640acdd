//! The two standard streams: what may reach a terminal, and what happens when nobody reads.

use std::borrow::Cow;
use std::env;
use std::fmt::Write as _;
use std::io::{self, ErrorKind, IsTerminal as _, Write};
use std::process;

use clap::builder::styling::{AnsiColor, Color, Style};

use super::exit;

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// How much text waits at most before it is written.
const BUFFER: usize = 64 << 10;

/// Standard output and standard error, in the order in which they were written to.
///
/// A reader that goes away ends the process, quietly: nobody would hear a complaint.
#[derive(Debug)]
pub(crate) struct Streams {
    terminals: [bool; 2],
    mid_line: [bool; 2],
    current: Stream,
    pending: Vec<u8>,
}

impl Streams {
    /// Those of this process.
    pub(crate) fn standard() -> Self {
        Self {
            terminals: [io::stdout().is_terminal(), io::stderr().is_terminal()],
            mid_line: [false; 2],
            current: Stream::Out,
            pending: Vec::new(),
        }
    }

    /// Whether a person reads it.
    pub(crate) fn is_terminal(&self, stream: Stream) -> bool {
        self.terminals[stream as usize]
    }

    /// Writes text that others chose: a terminal must not obey it.
    pub(crate) fn write_text(&mut self, stream: Stream, text: &str) {
        if self.is_terminal(stream) {
            self.write_own(stream, &escape_controls(text));
        } else {
            self.write_own(stream, text);
        }
    }

    /// Writes text of this program, colours included.
    pub(crate) fn write_own(&mut self, stream: Stream, text: &str) {
        if text.is_empty() {
            return;
        }
        if stream != self.current || self.pending.len() > BUFFER {
            self.flush();
            self.current = stream;
        }
        self.mid_line[stream as usize] = !text.ends_with('\n');
        self.pending.extend_from_slice(text.as_bytes());
    }

    /// Ends the line that was begun, if one was.
    pub(crate) fn end_line(&mut self, stream: Stream) {
        if self.mid_line[stream as usize] {
            self.write_own(stream, "\n");
        }
    }

    /// Makes everything visible that was written.
    pub(crate) fn flush(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let done = match self.current {
            Stream::Out => write_all(io::stdout().lock(), &self.pending),
            Stream::Err => write_all(io::stderr().lock(), &self.pending),
        };
        self.pending.clear();
        if let Err(error) = done {
            give_up(&error);
        }
    }
}

fn write_all(mut to: impl Write, bytes: &[u8]) -> io::Result<()> {
    to.write_all(bytes)?;
    to.flush()
}

fn give_up(error: &io::Error) -> ! {
    if error.kind() == ErrorKind::BrokenPipe {
        process::exit(exit::BROKEN_PIPE.into());
    }
    // Where standard error is what cannot be written to, this fails too, and that is all right.
    drop(writeln!(io::stderr(), "error: cannot write the output: {error}"));
    process::exit(exit::CODE_FAILED.into());
}

/// Makes the control characters of a text visible, other than those that only move to the next
/// line or tab: a terminal takes orders from the rest.
pub(crate) fn escape_controls(text: &str) -> Cow<'_, str> {
    let obeyed = |each: char| match each {
        '\n' | '\t' | '\r' => false,
        // These turn the direction of writing, and so show a text that is not there.
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        _ => each.is_control(),
    };
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for each in text.chars() {
        if obeyed(each) {
            // The one spelling that Python and JSON share. Writing to a string cannot fail.
            let _ = write!(shown, "\\u{:04x}", u32::from(each));
        } else {
            shown.push(each);
        }
    }
    Cow::Owned(shown)
}

/// What stands before a message about an error.
pub(crate) fn error_label(terminal: bool) -> String {
    painted("error:", AnsiColor::Red, terminal) + " "
}

/// A text in colour where colours are wanted: on a terminal, unless `NO_COLOR` says otherwise.
pub(crate) fn painted(text: &str, color: AnsiColor, terminal: bool) -> String {
    let plain = !terminal || env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if plain {
        return text.to_owned();
    }
    let style = Style::new().bold().fg_color(Some(Color::Ansi(color)));
    format!("{style}{text}{style:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_takes_no_orders() {
        assert_eq!(escape_controls("a\tb\r\nç 🐍"), "a\tb\r\nç 🐍");
        assert_eq!(escape_controls("a\u{202e}b"), "a\\u202eb");
        assert_eq!(escape_controls("\x1b[2J\x07\x7f\u{9b}x"), "\\u001b[2J\\u0007\\u007f\\u009bx");
    }

    #[test]
    fn json_stays_json_when_it_is_escaped() -> Result<(), serde_json::Error> {
        let text = "\x1b\u{9b}\x7f\n";
        let shown = escape_controls(&serde_json::to_string(text)?).into_owned();
        assert!(shown.is_ascii());
        assert_eq!(serde_json::from_str::<String>(&shown)?, text);
        Ok(())
    }
}
