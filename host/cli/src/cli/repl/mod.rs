//! `pcm-sandbox repl`: a session at the terminal.

mod editor;
mod questions;

use std::io::{IsTerminal as _, stdin, stdout};
use std::process::ExitCode;
use std::sync::Arc;

use pcm_sandbox::{RunRequest, Session, SessionState};
use rustyline::error::ReadlineError;
use tokio::runtime::Runtime;

use super::common::CommonArgs;
use super::exit::Failure;
use super::output::{Stream, Streams};
use super::printer::{Format, Printer};
use super::run::start_session;
use super::{host, interrupt};
use editor::Editor;
use questions::Questions;

/// Talk to a session: Python at the terminal, in a sandbox
///
/// Variables, tools and files stay from line to line. Ctrl-C stops the code that runs, and not the
/// session; Ctrl-D ends it. Tab completes names, also those of tools.
#[derive(Debug, clap::Args)]
#[command(after_help = COMMANDS)]
pub(crate) struct ReplArgs {
    #[command(flatten)]
    common: CommonArgs,
}

const COMMANDS: &str = "\
At the prompt:
  :help    what can be said here
  :reset   forget all variables
  :tools   the tools that code can call
  :quit    end the session, as Ctrl-D does";

/// What is typed that is no Python.
#[derive(Debug, PartialEq, Eq)]
enum Typed<'a> {
    Code(&'a str),
    Nothing,
    Help,
    Reset,
    Tools,
    Quit,
    Unknown(&'a str),
}

impl<'a> Typed<'a> {
    fn read(text: &'a str) -> Self {
        match text.trim() {
            "" => Self::Nothing,
            ":help" | ":h" | ":?" => Self::Help,
            ":reset" => Self::Reset,
            ":tools" => Self::Tools,
            ":quit" | ":q" | ":exit" => Self::Quit,
            command if command.starts_with(':') => Self::Unknown(command),
            _ => Self::Code(text),
        }
    }
}

pub(crate) fn main(args: &ReplArgs) -> Result<ExitCode, Failure> {
    if !(stdin().is_terminal() && stdout().is_terminal()) {
        return Err(Failure::usage(
            "there is no terminal to talk at: `pcm-sandbox run` takes code from a file or a pipe",
        ));
    }
    let builder = args.common.one()?;
    // Tools that live on between lines do so on a thread of its own.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::startup(format!("cannot start the event loop: {error}")))?;
    let session = runtime.block_on(async {
        let builder = args.common.packages.add_to(builder).await?;
        start_session(builder).await.map_err(|error| Failure::startup(error.to_string()))
    })?;
    host::tell(session.tool_problems());
    let talked = talk(&Arc::new(runtime), &session);
    talked.map(|()| ExitCode::SUCCESS)
}

fn talk(runtime: &Arc<Runtime>, session: &Session) -> Result<(), Failure> {
    interrupt::runs_of(session.clone())?;
    let printer = Printer::start(Format::Text);
    let mut editor = Editor::new(Questions::new(runtime, session))?;
    greet(session);
    loop {
        match editor.read() {
            Ok(text) => match Typed::read(&text) {
                Typed::Nothing => {}
                Typed::Quit => break,
                Typed::Help => say(&format!("{COMMANDS}\n")),
                Typed::Unknown(command) => {
                    say(&format!("there is no {command}; :help tells what there is\n"));
                }
                Typed::Tools => say(&tools(session)),
                Typed::Reset => match runtime.block_on(session.reset()) {
                    Ok(()) => say("all variables are forgotten\n"),
                    Err(error) => say(&format!("{error}\n")),
                },
                Typed::Code(code) => run(runtime, session, &printer, code),
            },
            Err(ReadlineError::Interrupted) => {} // a new line
            Err(ReadlineError::Eof) => break,
            Err(error) => {
                return Err(Failure::failed(format!("cannot read from the terminal: {error}")));
            }
        }
    }
    runtime.block_on(session.close());
    editor.keep();
    printer.finish();
    Ok(())
}

fn run(runtime: &Runtime, session: &Session, printer: &Printer, code: &str) {
    let mut request = RunRequest::new(code).with_repr();
    if let Some(listener) = printer.listener() {
        request = request.on_event(listener);
    }
    let result = runtime.block_on(session.run_request(request));
    let state = result.session;
    let is_none = result.error.is_none() && result.value.is_null() && {
        // Every line has a value; nobody wants to read that it is none.
        result.value_repr.as_deref() == Some("None")
    };
    printer.result(result, !is_none);
    printer.settle();
    match state {
        SessionState::Reset => say("the sandbox was replaced by a fresh one: variables are gone\n"),
        SessionState::RolledBack => say("the session is what it was before this\n"),
        _ => {}
    }
}

fn greet(session: &Session) {
    let tools = match session.list_tools().len() {
        0 => String::new(),
        1 => ", 1 tool".to_owned(),
        count => format!(", {count} tools"),
    };
    say(&format!(
        "pcm-sandbox {} on {}{tools}. :help tells what can be said besides Python.\n",
        env!("CARGO_PKG_VERSION"),
        session.backend(),
    ));
}

fn tools(session: &Session) -> String {
    let tools = session.list_tools();
    if tools.is_empty() {
        return "there are none; --base and --tools name folders that declare some\n".to_owned();
    }
    let line = |tool: &Arc<pcm_sandbox::tools::Tool>| {
        format!("{}  {}\n", tool.name, host::first_line(&tool.description))
    };
    tools.iter().map(line).collect()
}

fn say(text: &str) {
    let mut streams = Streams::standard();
    streams.write_text(Stream::Out, text);
    streams.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_begin_with_a_colon_and_everything_else_is_python() {
        assert_eq!(Typed::read("  \n"), Typed::Nothing);
        assert_eq!(Typed::read(" :quit "), Typed::Quit);
        assert_eq!(Typed::read(":nonsense"), Typed::Unknown(":nonsense"));
        assert_eq!(Typed::read("x[1:]"), Typed::Code("x[1:]"));
    }
}
