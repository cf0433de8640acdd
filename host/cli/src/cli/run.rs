//! `pcm-sandbox run`: code in, what it did out.

use std::process::ExitCode;

use pcm_sandbox::{
    Error, ErrorKind, ExecutionError, ExecutionResult, RunRequest, Session, SessionBuilder,
    SessionState,
};

use super::common::CommonArgs;
use super::exit::{self, Failure};
use super::host;
use super::interrupt::Interrupts;
use super::printer::{Format, Printer};
use super::progress::Waiting;
use super::session::KeptArgs;
use super::source::SourceArgs;

/// Run Python code in a sandbox and show what it prints and the value of its last expression
///
/// Behind the default backend the code reaches nothing of this machine but what is opened to it: tools
/// and storage (--base), folders (--mount), hosts (--network). --policy says which calls may be made.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub(crate) struct RunArgs {
    #[command(flatten)]
    source: SourceArgs,

    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,

    /// How to show the run
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    format: Format,

    #[command(flatten)]
    common: CommonArgs,

    #[command(flatten)]
    kept: KeptArgs,
}

const EXAMPLES: &str = "\
Examples:
  pcm-sandbox run -c '6 * 7'
  pcm-sandbox run -c 'x = 40' -c 'x + 2'
  pcm-sandbox run script.py --timeout 5s --memory 128MiB
  pcm-sandbox run script.py --mount ./data:/data --get /work/report.html
  pcm-sandbox run script.py --network 'api.example.org,*.example.com'
  pcm-sandbox run -c 'x = 40' --save session && pcm-sandbox run --load session -c 'x + 2'
  pcm-sandbox run --base ./agent -c 'tools.curl.get(url=\"https://example.org\")'
  pcm-sandbox run --dep jinja2 -c 'import jinja2; jinja2.Template(\"{{ 6 * 7 }}\").render()'
  generate-code | pcm-sandbox run --json

`pcm-sandbox limits` shows what holds where nothing is said.";

/// Runs what the arguments name. The exit code is that of the last code that ran.
pub(crate) fn main(args: RunArgs) -> Result<ExitCode, Failure> {
    let backend = args.common.wall.backend();
    let format = if args.json { Format::Json } else { args.format };
    let codes = args.source.read()?;
    let builder = args.common.one()?;
    let vfs_bytes = args.common.limits.limits().vfs_bytes;
    let runtime = super::runtime()?;
    let printer = Printer::start(format);
    let code = runtime.block_on(async {
        let builder = args.common.packages.add_to(builder).await?;
        match start(builder).await {
            Ok((session, interrupts)) => {
                host::tell(session.tool_problems());
                let work = async {
                    args.kept.before(&session).await?;
                    let code = run_all(codes, &session, &interrupts, &printer).await;
                    args.kept.after(&session, vfs_bytes).await?;
                    Ok(code)
                };
                let code = work.await;
                session.close().await;
                code
            }
            Err(error) => {
                let result = ExecutionResult::failed(backend.key(), error, SessionState::Lost);
                let code = exit::code_of(&result);
                printer.result(result, true);
                Ok(code)
            }
        }
    });
    printer.finish();
    code.map(ExitCode::from)
}

async fn start(builder: SessionBuilder) -> Result<(Session, Interrupts), ExecutionError> {
    let failed = |message: String| ExecutionError::new(ErrorKind::Startup, message);
    let session = start_session(builder).await.map_err(|error| failed(error.to_string()))?;
    let interrupts =
        Interrupts::listen(session.clone()).map_err(|error| failed(error.to_string()))?;
    Ok((session, interrupts))
}

/// Packages may have to be fetched first.
pub(super) async fn start_session(builder: SessionBuilder) -> Result<Session, Error> {
    let waiting = Waiting::default();
    let session = waiting.during(builder.on_progress(waiting.listener()).start()).await;
    // Packages that the code adds are told of at once: nobody else would say what takes so long.
    waiting.tell_all();
    session
}

async fn run_all(
    codes: Vec<Vec<u8>>,
    session: &Session,
    interrupts: &Interrupts,
    printer: &Printer,
) -> u8 {
    let mut exit_code = 0;
    let mut codes = codes.into_iter().peekable();
    while let Some(code) = codes.next() {
        let last = codes.peek().is_none();
        let result = if interrupts.pressed() {
            not_run(session)
        } else {
            session.run_request(request(code, last, printer)).await
        };
        exit_code = exit::code_of(&result);
        printer.result(result, last);
        if exit_code != 0 {
            break;
        }
    }
    exit_code
}

fn request(code: Vec<u8>, last: bool, printer: &Printer) -> RunRequest {
    let mut request = RunRequest::new(code);
    if let Some(listener) = printer.listener() {
        request = request.on_event(listener);
    }
    if last && printer.shows_repr() { request.with_repr() } else { request }
}

/// The result of code whose turn came after Ctrl-C.
fn not_run(session: &Session) -> ExecutionResult {
    let error = ExecutionError::new(ErrorKind::Cancelled, "interrupted before the code ran");
    ExecutionResult::failed(session.backend().key(), error, SessionState::Kept)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser as _;
    use pcm_sandbox::{BackendKind, Limits};

    use super::*;
    use crate::cli::{Cli, Command};

    fn parse(arguments: &[&str]) -> Result<RunArgs, clap::Error> {
        let cli = Cli::try_parse_from([&["pcm-sandbox", "run"], arguments].concat())?;
        match cli.command {
            Command::Run(args) => Ok(*args),
            _ => Err(clap::Error::new(clap::error::ErrorKind::InvalidSubcommand)),
        }
    }

    #[test]
    fn options_become_limits() -> Result<(), clap::Error> {
        let args =
            parse(&["-c", "1", "--timeout", "2s", "--memory", "64MiB", "--output-limit", "1KiB"])?;
        let expected = Limits {
            timeout: Some(Duration::from_secs(2)),
            memory_bytes: 64 << 20,
            output_bytes: 1 << 10,
            ..Limits::default()
        };
        assert_eq!(args.common.limits.limits(), expected);
        assert_eq!(parse(&["-c", "1"])?.common.limits.limits(), Limits::default());
        Ok(())
    }

    #[test]
    fn every_backend_can_be_named() -> Result<(), clap::Error> {
        for kind in BackendKind::ALL {
            assert_eq!(parse(&["--backend", kind.key()])?.common.wall.backend(), kind);
        }
        assert_eq!(parse(&[])?.common.wall.backend(), BackendKind::Wasm);
        assert!(parse(&["--backend", "docker"]).is_err());
        Ok(())
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for arguments in [
            &["file.py", "-c", "1"][..],
            &["--json", "--format", "text"],
            &["a.py", "b.py"],
            &["-c"],
            &["--dep", "jinja2", "--image", "img"],
            &["--image-key", "key"],
        ] {
            assert!(parse(arguments).is_err(), "{arguments:?}");
        }
    }
}
