//! The peer, in processes of its own: `peers/deno` with its packages.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use pcm_benches::{calls_of, pss_bytes_of, resident_bytes_of, time_of};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Memory, Times};

/// Names the folder in which the peer is installed.
const FOLDER: &str = "PCM_DENO_PEER";
const DENO: &str = "node_modules/@deno/linux-x64-glibc/deno";

/// The peer as it is installed.
pub(crate) struct Peer {
    folder: PathBuf,
    /// What Deno keeps of the runner's sources, compiled.
    cache: TempDir,
    pub(crate) version: String,
}

/// One process, and a session in it.
struct Runner {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    requests: u64,
}

impl Peer {
    pub(crate) fn find() -> Result<Self> {
        let folder = env::var_os(FOLDER).map(PathBuf::from).with_context(|| {
            format!("{FOLDER} does not name its folder; `./x bench deno` installs it")
        })?;
        // Deno compares the paths that it grants as they really are.
        let folder = folder.canonicalize().with_context(|| folder.display().to_string())?;
        let place = |file: &str| {
            let place = folder.join(file);
            ensure!(place.is_file(), "{FOLDER} names a folder without {file}");
            anyhow::Ok(place)
        };
        place("main.ts")?;
        let output = Command::new(place(DENO)?).arg("--version").output()?;
        ensure!(output.status.success(), "its Deno does not run");
        let version = String::from_utf8_lossy(&output.stdout);
        let version = version.lines().take(2).collect::<Vec<_>>().join(", ");
        Ok(Self { folder, cache: tempfile::tempdir()?, version })
    }

    /// A process that has been told to load Pyodide, and has.
    fn start(&self) -> Result<Runner> {
        let mut reads = OsString::from("--allow-read=");
        reads.push(&self.folder);
        let mut process = Command::new(self.folder.join(DENO))
            .args(["run", "--quiet", "--no-check", "--no-prompt", "--cached-only"])
            .args(["--deny-net", "--deny-env", "--deny-run"])
            .arg(reads)
            .arg(self.folder.join("main.ts"))
            .env("DENO_DIR", self.cache.path())
            .env("DENO_NO_UPDATE_CHECK", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("Deno does not start")?;
        let input = process.stdin.take().context("no standard input")?;
        let output = process.stdout.take().context("no standard output")?;
        let output = BufReader::new(output);
        let mut runner = Runner { process, input, output, requests: 0 };
        runner.ask("init", "")?;
        Ok(runner)
    }

    /// From nothing to the result of a process's first run.
    pub(crate) fn first_result(&self) -> Result<Duration> {
        let begin = Instant::now();
        let mut runner = self.start()?;
        runner.run("1 + 1")?;
        Ok(begin.elapsed()) // the end of the process is not counted
    }

    /// Resets of a session that has run.
    pub(crate) fn resets(&self, rounds: usize) -> Result<Times> {
        self.in_session(rounds, |runner| {
            runner.run("1 + 1")?;
            let begin = Instant::now();
            runner.ask("reset", "")?;
            Ok(begin.elapsed())
        })
    }

    /// Runs in a session that has run before.
    pub(crate) fn runs(&self, runs: usize) -> Result<Times> {
        self.in_session(runs, |runner| {
            let begin = Instant::now();
            runner.run("1 + 1")?;
            Ok(begin.elapsed())
        })
    }

    /// Tool calls; each time is that of one call among many.
    pub(crate) fn calls(&self, call: &str, rounds: usize) -> Result<Times> {
        let code = calls_of(call);
        self.in_session(rounds, |runner| time_of(&runner.run(&code)?))
    }

    /// Does it again and again in one session, and does not count the first time.
    fn in_session(
        &self,
        rounds: usize,
        mut measure: impl FnMut(&mut Runner) -> Result<Duration>,
    ) -> Result<Times> {
        let mut runner = self.start()?;
        measure(&mut runner)?;
        (0..rounds).map(|_| measure(&mut runner)).collect()
    }

    /// Sessions that live and have run, beyond the first.
    pub(crate) fn memory(&self) -> Result<Memory> {
        const MORE: u32 = 3;
        let now = |runners: &[Runner]| {
            let sum = |bytes: fn(u32) -> u64| -> u64 {
                runners.iter().map(|runner| bytes(runner.process.id())).sum()
            };
            Memory { resident: sum(resident_bytes_of), proportional: sum(pss_bytes_of) }
        };
        let ran = || {
            let mut runner = self.start()?;
            runner.run("1 + 1")?;
            anyhow::Ok(runner)
        };
        let mut runners = vec![ran()?];
        let before = now(&runners);
        for _ in 0..MORE {
            runners.push(ran()?);
        }
        Ok(Memory::of_each(MORE, before, now(&runners)))
    }
}

impl Runner {
    fn run(&mut self, code: &str) -> Result<Value> {
        self.ask("exec", code)
    }

    /// Makes a request, and answers calls until its reply comes; of that, the value.
    fn ask(&mut self, kind: &str, code: &str) -> Result<Value> {
        self.requests += 1;
        let id = self.requests.to_string();
        self.send(&json!({"id": id, "type": kind, "code": code}))?;
        loop {
            let mut line = String::new();
            ensure!(self.output.read_line(&mut line)? > 0, "the peer ended");
            let mut reply: Value = serde_json::from_str(&line)?;
            if reply["type"] == "rpc_request" {
                self.answer(&reply)?;
                continue;
            }
            let is_good = reply["type"] != "error" && reply["error"].is_null();
            ensure!(is_good && reply["id"] == id, "{kind} {code}: {reply}");
            return Ok(reply["value"].take());
        }
    }

    /// The one tool that there is answers with its arguments.
    fn answer(&mut self, request: &Value) -> Result<()> {
        let args = request["args_json"].as_str().context("a call without arguments")?;
        let args: Value = serde_json::from_str(args)?;
        self.send(&json!({
            "id": request["id"], "type": "rpc_response", "ok": true, "result": args["args"],
        }))
    }

    fn send(&mut self, message: &Value) -> Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        Ok(self.input.write_all(&line)?)
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
