//! The session server under load: the program itself, sandboxes of the wasm backend, clients over loopback.
//!
//! Where it keeps things is a folder, and a Redis where the machine has one. Nothing may fail; what does
//! ends the benchmark.

#![expect(clippy::print_stdout, reason = "a program for people")]

use std::env;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use clap::Parser;
use pcm_benches::{machine, private_bytes_of, resident_bytes_of};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Measures the session server.
#[derive(Debug, Parser)]
struct Options {
    /// Which benchmark; this one is called serve.
    name: Option<String>,
    /// The sessions that live at a time.
    #[arg(long, default_value_t = 1000)]
    live: usize,
    /// The sessions that are made, used once and ended, in each row.
    #[arg(long, default_value_t = 300)]
    whole: usize,
    /// The runs in live sessions, in each row.
    #[arg(long, default_value_t = 3000)]
    runs: usize,
    /// The program; without this the one that was built beside this benchmark.
    #[arg(long)]
    program: Option<PathBuf>,
    /// What cargo says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

const TOKEN: &str = "of the benchmark";
/// Variables, a module, a loop, some output: what the least of agents does.
const CODE: &str =
    "import json\ncount = globals().get('count', 0) + 1\nprint(count)\njson.dumps([count] * 10)";

fn main() -> Result<()> {
    let options = Options::parse();
    if !options.name.as_ref().is_none_or(|part| "serve".contains(part)) {
        return Ok(());
    }
    let beside = || Some(env::current_exe().ok()?.parent()?.parent()?.join("pcm-sandbox"));
    let program = options.program.clone().or_else(beside).context("no program")?;
    println!("{}", machine());
    println!("{} build", build_of(&program));
    let folder = tempfile::tempdir()?;
    measure(&options, &program, "a folder", &folder.path().display().to_string())?;
    if let Some(redis) = Redis::start()? {
        measure(&options, &program, "Redis", &redis.url())?;
    }
    println!("afterwards: {}", machine());
    Ok(())
}

/// The profile, which is where cargo puts a program.
fn build_of(program: &Path) -> String {
    let folder = program.parent().and_then(Path::file_name).unwrap_or_default();
    folder.to_string_lossy().into_owned()
}

fn measure(options: &Options, program: &Path, place: &str, storage: &str) -> Result<()> {
    let server = Server::start(program, storage, options.live)?;
    println!("\nover {place}");
    println!("{:<44}{:>10}{:>10}{:>10}{:>10}{:>10}", "", "a second", "p50", "p95", "p99", "most");
    // Pages and pools of the first sessions are there from then on.
    load(&server, 1, 20, &|client, _| whole(client))?;
    for connections in [1, 8] {
        let done = load(&server, connections, options.whole, &|client, _| whole(client))?;
        done.print(&format!("session made, used, ended; {connections} at a time"));
    }
    let before = (resident_bytes_of(server.child.id()), private_bytes_of(server.child.id()));
    let sessions = Mutex::new(Vec::new());
    let made = load(&server, 8, options.live, &|client, _| {
        let session = client.session()?;
        client.run(&session)?;
        sessions.lock().map_err(|_| anyhow!("a client failed"))?.push(session);
        Ok(())
    })?;
    made.print(&format!("{} sessions made and used once; 8 at a time", options.live));
    let sessions = sessions.into_inner().map_err(|_| anyhow!("a client failed"))?;
    let after = (resident_bytes_of(server.child.id()), private_bytes_of(server.child.id()));
    for connections in [1, 8, 32] {
        let done = load(&server, connections, options.runs, &|client, number| {
            // Far apart, and no two at a time in one session.
            let session = sessions.get(number * 7919 % sessions.len()).context("no session")?;
            client.run(session)
        })?;
        done.print(&format!("run in one of them; {connections} at a time"));
    }
    let each = |before: u64, after: u64| {
        after.saturating_sub(before) as f64 / options.live.max(1) as f64 / f64::from(1 << 20)
    };
    println!(
        "memory of a live session: {:.2} MiB resident, {:.2} MiB of them its own; {:.0} MiB in all",
        each(before.0, after.0),
        each(before.1, after.1),
        after.0 as f64 / f64::from(1 << 20)
    );
    Ok(())
}

/// A session from its beginning to its end.
fn whole(client: &mut Client) -> Result<()> {
    let session = client.session()?;
    client.run(&session)?;
    client.ask("POST", "/reset", Some(&session), "").map(drop)
}

/// What many requests took.
struct Done {
    took: Duration,
    times: Vec<Duration>,
}

impl Done {
    fn print(&self, what: &str) {
        let at = |percent: usize| {
            let last = self.times.len().saturating_sub(1);
            let time = self.times.get((self.times.len() * percent / 100).min(last));
            format!("{:.2} ms", time.copied().unwrap_or_default().as_secs_f64() * 1000.0)
        };
        let rate = self.times.len() as f64 / self.took.as_secs_f64();
        println!("{what:<44}{rate:>10.0}{:>10}{:>10}{:>10}{:>10}", at(50), at(95), at(99), at(100));
    }
}

/// Does something `count` times, by so many clients at a time. The first failure is the result.
fn load(
    server: &Server,
    connections: usize,
    count: usize,
    work: &(dyn Fn(&mut Client, usize) -> Result<()> + Sync),
) -> Result<Done> {
    let began = Instant::now();
    let parts: Vec<Result<Vec<Duration>>> = thread::scope(|scope| {
        let clients: Vec<_> = (0..connections)
            .map(|first| {
                scope.spawn(move || {
                    let mut client = server.client()?;
                    let mut times = Vec::new();
                    for number in (first..count).step_by(connections) {
                        let asked = Instant::now();
                        work(&mut client, number)?;
                        times.push(asked.elapsed());
                    }
                    Ok(times)
                })
            })
            .collect();
        let joined = clients.into_iter().map(thread::ScopedJoinHandle::join);
        joined.map(|part| part.unwrap_or_else(|_| Err(anyhow!("a client failed")))).collect()
    });
    let took = began.elapsed();
    let mut times = Vec::with_capacity(count);
    for part in parts {
        times.extend(part?);
    }
    times.sort();
    Ok(Done { took, times })
}

/// The program, which ends with this value.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(program: &Path, storage: &str, sessions: usize) -> Result<Self> {
        let most = (sessions + 100).to_string();
        let mut child = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--storage", storage])
            .args(["--log-level", "warn", "--requests-per-second", "1000000"])
            .args(["--max-sessions", &most])
            .env("CONTAINER_AUTH_TOKEN", TOKEN)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on http://").map(str::to_owned);
        let address = address.with_context(|| format!("the server said {line:?}"))?;
        Ok(Self { child, address })
    }

    fn client(&self) -> Result<Client> {
        let stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        Ok(Client { address: self.address.clone(), stream: BufReader::new(stream) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One connection, which is kept.
struct Client {
    address: String,
    stream: BufReader<TcpStream>,
}

impl Client {
    fn session(&mut self) -> Result<String> {
        let made = self.ask("POST", "/sessions", None, "{}")?;
        Ok(made["session_id"].as_str().context("no id")?.to_owned())
    }

    fn run(&mut self, session: &str) -> Result<()> {
        let body = json!({"code": CODE}).to_string();
        let result = self.ask("POST", "/execute", Some(session), &body)?;
        ensure!(result["is_ok"] == true, "{result}");
        Ok(())
    }

    fn ask(
        &mut self,
        method: &str,
        path: &str,
        session: Option<&str>,
        body: &str,
    ) -> Result<Value> {
        let session = session.map(|id| format!("X-Session-ID: {id}\r\n")).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\n{session}\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut length = 0;
        loop {
            line.clear();
            ensure!(self.stream.read_line(&mut line)? > 0, "the server hung up");
            let Some((name, value)) = line.trim().split_once(": ") else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse()?;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        ensure!(status == "200", "{path}: {status} {}", String::from_utf8_lossy(&body));
        Ok(serde_json::from_slice(&body)?)
    }
}

/// A Redis of the benchmark's own.
struct Redis {
    child: Child,
    folder: TempDir,
}

impl Redis {
    /// None where the machine has no program for it.
    fn start() -> Result<Option<Self>> {
        let folder = tempfile::tempdir()?;
        let socket = folder.path().join("redis.sock");
        let spawned = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--unixsocket"])
            .arg(&socket)
            .arg("--dir")
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn();
        let Ok(child) = spawned else {
            println!("no redis-server: only a folder is measured");
            return Ok(None);
        };
        let redis = Self { child, folder };
        let began = Instant::now();
        while !socket.exists() {
            ensure!(began.elapsed() < Duration::from_secs(20), "redis-server does not answer");
            thread::sleep(Duration::from_millis(10));
        }
        Ok(Some(redis))
    }

    fn url(&self) -> String {
        format!("unix://{}", self.folder.path().join("redis.sock").display())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
