//! `pcm-sandbox run`: code in, what it did out.

use std::process::ExitCode;
use std::time::Duration;

use bytesize::ByteSize;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use pcm_sandbox::{
    BackendKind, ErrorKind, ExecutionError, ExecutionResult, Limits, RunRequest, Session,
    SessionState,
};

use super::exit::{self, Failure};
use super::interrupt::Interrupts;
use super::printer::{Format, Printer};
use super::source::SourceArgs;

/// Run Python code in a sandbox and show what it prints and the value of its last expression
///
/// Behind the default backend the code reaches no file, no network and no process of this machine.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub(crate) struct RunArgs {
    #[command(flatten)]
    source: SourceArgs,

    /// The wall around the code; `pcm-sandbox doctor` tells which of them work here
    #[arg(long, value_name = "KEY", default_value_t, value_parser = backend_keys())]
    backend: BackendKind,

    /// How long each code may take, waiting included: 500ms, 30s, 2min
    #[arg(long, value_name = "TIME", value_parser = time)]
    timeout: Option<Duration>,

    /// How much memory the session may hold: 64MiB, 1GiB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    memory: Option<u64>,

    /// How much output each code may write before the rest is dropped
    #[arg(long, value_name = "SIZE", value_parser = size)]
    output_limit: Option<u64>,

    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,

    /// How to show the run
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    format: Format,
}

const EXAMPLES: &str = "\
Examples:
  pcm-sandbox run -c '6 * 7'
  pcm-sandbox run -c 'x = 40' -c 'x + 2'
  pcm-sandbox run script.py --timeout 5s --memory 128MiB
  generate-code | pcm-sandbox run --json

`pcm-sandbox limits` shows what holds where nothing is said.";

impl RunArgs {
    fn limits(&self) -> Limits {
        let default = Limits::default();
        Limits {
            timeout: self.timeout.or(default.timeout),
            memory_bytes: self.memory.unwrap_or(default.memory_bytes),
            output_bytes: self.output_limit.unwrap_or(default.output_bytes),
            ..default
        }
    }
}

/// Runs what the arguments name. The exit code is that of the last code that ran.
pub(crate) fn main(args: RunArgs) -> Result<ExitCode, Failure> {
    let (backend, limits) = (args.backend, args.limits());
    let format = if args.json { Format::Json } else { args.format };
    let codes = args.source.read()?;
    let runtime = super::runtime()?;
    let printer = Printer::start(format);
    let code = runtime.block_on(async {
        match start(backend, limits).await {
            Ok((session, interrupts)) => run_all(codes, &session, &interrupts, &printer).await,
            Err(error) => {
                let result = ExecutionResult::failed(backend.key(), error, SessionState::Lost);
                let code = exit::code_of(&result);
                printer.result(result, true);
                code
            }
        }
    });
    printer.finish();
    Ok(ExitCode::from(code))
}

async fn start(
    backend: BackendKind,
    limits: Limits,
) -> Result<(Session, Interrupts), ExecutionError> {
    let failed = |message: String| ExecutionError::new(ErrorKind::Startup, message);
    let session = Session::builder().backend(backend).limits(limits).start().await;
    let session = session.map_err(|error| failed(error.to_string()))?;
    let interrupts =
        Interrupts::listen(session.clone()).map_err(|error| failed(error.to_string()))?;
    Ok((session, interrupts))
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

fn backend_keys() -> impl TypedValueParser<Value = BackendKind> {
    PossibleValuesParser::new(BackendKind::ALL.map(BackendKind::key))
        .try_map(|key| key.parse::<BackendKind>())
}

/// A duration; a bare number is seconds, as for `timeout` and `sleep`.
fn time(text: &str) -> Result<Duration, String> {
    let time = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => humantime::parse_duration(text).ok(),
    };
    match time {
        Some(Duration::ZERO) => Err("no code can run in no time".to_owned()),
        Some(time) => Ok(time),
        None => Err("not a duration such as 500ms, 30s or 2min".to_owned()),
    }
}

fn size(text: &str) -> Result<u64, String> {
    match text.parse::<ByteSize>() {
        Ok(size) => Ok(size.as_u64()),
        Err(_) => Err("not a size such as 64MiB or 1GiB".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn parse(arguments: &[&str]) -> Result<RunArgs, clap::Error> {
        let cli = Cli::try_parse_from([&["pcm-sandbox", "run"], arguments].concat())?;
        match cli.command {
            Command::Run(args) => Ok(args),
            _ => Err(clap::Error::new(clap::error::ErrorKind::InvalidSubcommand)),
        }
    }

    #[test]
    fn durations_are_what_people_write() {
        assert_eq!(time("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(time("1m 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(time("1.5"), Ok(Duration::from_millis(1500)));
        for text in ["", "0", "0s", "-1", "soon", "nan", "inf", "1e300", "99999999999999999999y"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_what_people_write() {
        assert_eq!(size("256MiB"), Ok(256 << 20));
        assert_eq!(size("1 GiB"), Ok(1 << 30));
        assert_eq!(size("2MB"), Ok(2_000_000));
        assert_eq!(size("4096"), Ok(4096));
        for text in ["", "-1", "MiB", "many", "1XiB"] {
            assert!(size(text).is_err(), "{text}");
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
        assert_eq!(args.limits(), expected);
        assert_eq!(parse(&["-c", "1"])?.limits(), Limits::default());
        Ok(())
    }

    #[test]
    fn every_backend_can_be_named() -> Result<(), clap::Error> {
        for kind in BackendKind::ALL {
            assert_eq!(parse(&["--backend", kind.key()])?.backend, kind);
        }
        assert_eq!(parse(&[])?.backend, BackendKind::Wasm);
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
        ] {
            assert!(parse(arguments).is_err(), "{arguments:?}");
        }
    }
}
