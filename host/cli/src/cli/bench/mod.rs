//! `pcm-sandbox bench`: which backend costs what, beside its peers, on this machine.

mod wall;

use std::ffi::OsString;
use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pcm_bench::{
    Bench, Comparison, Contestant, Difference, Judged, Kind, PEERS, Peers, Progress, Record,
    SCENARIOS, Scenario, Settings, Verdict,
};

use super::exit::{self, Failure};
use super::output::{Stream, Streams};
use super::table;
use wall::BACKENDS;

/// Measure the backends of this machine beside their peers
///
/// Scenarios are measured in turns, a batch of each contestant after the other. Peers that are not there
/// are told with the reason; --install-peers gets those that come from registries.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct BenchArgs {
    /// Show what is measured and of whom, and measure nothing
    #[arg(long)]
    list: bool,

    /// Measure this only, or what begins like this: trivial-run, cpu, memory
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    scenario: Vec<String>,

    /// Measure this form of a backend only, as wasm or wasm-fuel
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    backend: Vec<String>,

    /// Measure this peer only
    #[arg(long, value_name = "KEY", value_delimiter = ',', conflicts_with = "no_peers")]
    peer: Vec<String>,

    /// Measure no peers
    #[arg(long)]
    no_peers: bool,

    /// How many turns each contestant has in a scenario
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,

    /// Measure less of what people ask for most, within a minute
    #[arg(long)]
    quick: bool,

    /// The longest that everything may take; 15 minutes, or 1 with --quick
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    within: Option<Duration>,

    /// Write all of it as JSON; - is standard output, in place of the table
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write a page of HTML that needs nothing else
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Tell what differs from an earlier run, of which this is the JSON; exit with 1 if ours became worse
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,

    /// The smallest difference that --compare tells, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=1000))]
    threshold: u32,

    /// Exit with 1 if a target is missed
    #[arg(long)]
    check: bool,

    /// Measure nothing: show, report or compare an earlier run, of which this is the JSON
    #[arg(long, value_name = "FILE", conflicts_with_all = ["scenario", "backend", "peer", "quick"])]
    from: Option<PathBuf>,

    /// The folder with the peers that come from registries; without this it is in the cache
    #[arg(long, value_name = "FOLDER")]
    peers: Option<PathBuf>,

    /// Install the peers that come from registries, with this user's own uv or pip and npm, and measure
    /// nothing
    #[arg(long)]
    install_peers: bool,

    /// Be the driver of this contestant, for the process that measures
    #[arg(long, value_name = "KEY", hide = true)]
    drive: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  pcm-sandbox bench --quick
  pcm-sandbox bench --install-peers && pcm-sandbox bench --report report.html --json run.json
  pcm-sandbox bench --scenario trivial-run,tool-call --backend wasm --peer pyeryx
  pcm-sandbox bench --compare run.json --check";

const LONG: Duration = Duration::from_mins(15);
const A_MINUTE: Duration = Duration::from_mins(1);
/// How long each contestant is measured in a scenario.
const EACH: Duration = Duration::from_millis(1200);
const EACH_QUICK: Duration = Duration::from_millis(250);

pub(crate) fn main(args: &BenchArgs) -> Result<ExitCode, Failure> {
    if let Some(key) = &args.drive {
        return drive(key);
    }
    if args.list {
        list();
        return Ok(ExitCode::SUCCESS);
    }
    if args.install_peers {
        pcm_bench::install(&args.folder()?, &|step| say(&format!("{step}\n"))).map_err(failed)?;
        return Ok(ExitCode::SUCCESS);
    }
    // Before minutes of measuring: what is wrong with these files is told at once.
    let old = args.compare.as_deref().map(Record::read).transpose().map_err(usage)?;
    let record = match &args.from {
        Some(file) => Record::read(file).map_err(usage)?,
        None => args.measure()?,
    };
    let judged = pcm_bench::judge(&record);
    let threshold = f64::from(args.threshold) / 100.0;
    let compared = old.map(|old| pcm_bench::compare(&old, &record, threshold));
    args.write(&record, &judged, compared.as_deref())?;
    let is_worse =
        compared.iter().flatten().any(|comparison| comparison.difference == Difference::Regression);
    let is_missed = args.check && judged.iter().any(|judged| judged.verdict == Verdict::Missed);
    let code = if is_worse || is_missed { exit::CODE_FAILED } else { 0 };
    Ok(ExitCode::from(code))
}

impl BenchArgs {
    fn folder(&self) -> Result<PathBuf, Failure> {
        match &self.peers {
            Some(folder) => Ok(folder.clone()),
            None => match pcm_sandbox::cache_root() {
                Ok(root) => Ok(root.join("bench-peers")),
                Err(error) => Err(Failure::usage(format!("{error}; name a folder with --peers"))),
            },
        }
    }

    fn measure(&self) -> Result<Record, Failure> {
        let settings = self.settings()?;
        let peers = Peers::find(&self.folder()?).map_err(failed)?;
        let contestants = self.contestants(&peers)?;
        let bar = Bar::new(settings.scenarios.len());
        let mut tell = |progress: Progress<'_>| bar.tell(&progress);
        let bench = Bench::start(settings, contestants, &mut tell);
        Ok(bench.run(&mut tell))
    }

    fn settings(&self) -> Result<Settings, Failure> {
        let mut scenarios: Vec<&'static Scenario> = Vec::new();
        for name in &self.scenario {
            let found = SCENARIOS.iter().filter(|one| is_named(one.key, name));
            let before = scenarios.len();
            scenarios.extend(found);
            if scenarios.len() == before {
                let keys = SCENARIOS.iter().map(|one| one.key);
                return Err(unknown("scenario", name, keys));
            }
        }
        if scenarios.is_empty() {
            scenarios = SCENARIOS.iter().filter(|one| one.quick || !self.quick).collect();
        }
        let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
        let whole = if self.quick { A_MINUTE } else { LONG };
        Ok(Settings {
            scenarios,
            rounds: if self.quick { self.rounds.min(5) } else { self.rounds },
            each: if self.quick { EACH_QUICK } else { EACH },
            whole: self.within.unwrap_or(whole),
            quick: self.quick,
            program: format!("pcm-sandbox {}, profile {profile}", env!("CARGO_PKG_VERSION")),
        })
    }

    /// The native Python first: what its programs print is what all others have to print.
    fn contestants(&self, peers: &Peers) -> Result<Vec<Contestant>, Failure> {
        for name in &self.backend {
            if !BACKENDS.iter().any(|one| one.key == name) {
                return Err(unknown("backend", name, BACKENDS.iter().map(|one| one.key)));
            }
        }
        for name in &self.peer {
            if !PEERS.iter().any(|one| one.key == name) {
                return Err(unknown("peer", name, PEERS.iter().map(|one| one.key)));
            }
        }
        let is_wanted = |named: &[String], key: &str, quick: bool| {
            if named.is_empty() { quick || !self.quick } else { named.iter().any(|one| one == key) }
        };
        let of_peers = PEERS
            .iter()
            .filter(|one| !self.no_peers && is_wanted(&self.peer, one.key, one.quick))
            .map(|one| peers.contestant(one));
        let mut contestants: Vec<Contestant> = of_peers.collect();
        let at = usize::from(contestants.first().is_some_and(|first| first.key == "native"));
        let program = std::env::current_exe()
            .map_err(|error| Failure::startup(format!("where this program is: {error}")))?;
        let backends = BACKENDS.iter().filter(|one| is_wanted(&self.backend, one.key, one.quick));
        contestants.splice(at..at, backends.map(|one| driver(&program, one)));
        Ok(contestants)
    }

    fn write(
        &self,
        record: &Record,
        judged: &[Judged],
        compared: Option<&[Comparison]>,
    ) -> Result<(), Failure> {
        let is_output = |path: &Path| path.as_os_str() == "-";
        let mut table = pcm_bench::table(record, judged);
        if let Some(compared) = compared {
            table.push('\n');
            table.push_str(&pcm_bench::comparison_table(compared));
        }
        if let Some(path) = &self.report {
            write_file(path, &pcm_bench::html(record, judged, compared))?;
        }
        match &self.json {
            Some(path) if is_output(path) => {
                table = record.to_json().map_err(failed)?;
                table.push('\n');
            }
            Some(path) => write_file(path, &record.to_json().map_err(failed)?)?,
            None => {}
        }
        let mut streams = Streams::standard();
        streams.write_text(Stream::Out, &table);
        streams.flush();
        Ok(())
    }
}

/// By its whole name, or by the words that it begins with.
fn is_named(key: &str, name: &str) -> bool {
    key.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

fn driver(program: &Path, ours: &wall::Ours) -> Contestant {
    let words = [program.as_os_str().to_owned(), "bench".into(), "--drive".into(), ours.key.into()];
    let words: Vec<OsString> = words.into();
    let built = ours.backend.is_built_in();
    Contestant {
        key: ours.key.to_owned(),
        kind: Kind::Backend,
        driver: if built { Ok(words) } else { Err("not in this build".to_owned()) },
        environment: Vec::new(),
        works_elsewhere: ours.backend == pcm_sandbox::BackendKind::Container,
    }
}

/// Speaks with the process that measures, on the standard streams.
fn drive(key: &str) -> Result<ExitCode, Failure> {
    let Some(ours) = BACKENDS.iter().find(|one| one.key == key) else {
        return Err(unknown("backend", key, BACKENDS.iter().map(|one| one.key)));
    };
    let served = pcm_bench::serve(ours, io::stdin().lock(), io::stdout().lock());
    served.map_err(|error| Failure::failed(error.to_string()))?;
    Ok(ExitCode::SUCCESS)
}

fn list() {
    let mut rows = vec![["SCENARIO", "QUICK", "A SAMPLE IS"].map(str::to_owned)];
    let quick = |is: bool| if is { "yes" } else { "" }.to_owned();
    rows.extend(
        SCENARIOS.iter().map(|one| [one.key.to_owned(), quick(one.quick), one.about.to_owned()]),
    );
    rows.push([const { String::new() }; 3]);
    rows.push(["BACKEND", "", ""].map(str::to_owned));
    rows.extend(
        BACKENDS.iter().map(|one| [one.key.to_owned(), quick(one.quick), one.about.to_owned()]),
    );
    rows.push([const { String::new() }; 3]);
    rows.push(["PEER", "", ""].map(str::to_owned));
    rows.extend(
        PEERS.iter().map(|one| [one.key.to_owned(), quick(one.quick), one.about.to_owned()]),
    );
    let mut streams = Streams::standard();
    streams.write_own(Stream::Out, &table::aligned(&rows));
    streams.flush();
}

/// How far it is, where somebody looks.
struct Bar(ProgressBar);

impl Bar {
    fn new(scenarios: usize) -> Self {
        let bar =
            ProgressBar::with_draw_target(Some(scenarios as u64), ProgressDrawTarget::stderr());
        if !io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let style = ProgressStyle::with_template("{elapsed:>4} [{bar:24}] {pos}/{len} {wide_msg}");
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("=> "));
        }
        Self(bar)
    }

    fn tell(&self, progress: &Progress<'_>) {
        self.0.set_position(progress.done as u64);
        self.0.set_message(format!("{}: {}", progress.what, progress.whom));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn write_file(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text)
        .map_err(|error| Failure::failed(format!("cannot write {}: {error}", path.display())))
}

fn say(line: &str) {
    let mut streams = Streams::standard();
    streams.write_text(Stream::Err, line);
    streams.flush();
}

fn unknown<'a>(kind: &'static str, name: &str, known: impl Iterator<Item = &'a str>) -> Failure {
    let known: Vec<&str> = known.collect();
    Failure::usage(format!("there is no {kind} {name:?}; there are: {}", known.join(", ")))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn failed(error: pcm_bench::BenchError) -> Failure {
    Failure::failed(error.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn usage(error: pcm_bench::BenchError) -> Failure {
    Failure::usage(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_is_named_by_itself_or_by_how_it_begins() {
        assert!(is_named("cpu-fib", "cpu-fib") && is_named("cpu-fib", "cpu"));
        assert!(!is_named("cpu-fib", "cp") && !is_named("cpu-fib", "cpu-fibs"));
        assert!(!is_named("throughput-64", "throughput-6"));
    }
}
