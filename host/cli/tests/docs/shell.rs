//! Does what a page says, in a folder of its own, and compares.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use snapbox::{Assert, Data};
use tempfile::TempDir;

use crate::page::{Act, Page};

const PROGRAM: &str = env!("CARGO_BIN_EXE_pcm-sandbox");
const COMPILES: &str = "\
import ast, pathlib
text = pathlib.Path('/page/piece.py').read_text()
_ = compile(text, 'piece.py', 'exec', ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
";
/// The port that pages speak of.
const PORT: &str = "8080";

/// A folder to work in, and a home.
struct Place {
    folder: TempDir,
    port: String,
}

/// Everything that differs from what the page says.
pub(crate) fn run(page: &Page) -> io::Result<Vec<String>> {
    if page.steps.is_empty() {
        return Ok(Vec::new());
    }
    let place = Place::new()?;
    place.act(&place.script(page)?)?;
    let mut wrong = Vec::new();
    for (number, step) in page.steps.iter().enumerate() {
        let (said, printed) = match &step.act {
            Act::File { .. } => continue,
            Act::Command { command, printed } => (&**command, &**printed),
            Act::Python(_) => ("this Python", ""),
            Act::Skipped(why) => {
                println!("line {} is skipped: {why}", step.line);
                continue;
            }
        };
        let ended = place.read(number, "status").trim().parse::<i32>();
        let mut output = place.read(number, "output").replace(&place.port, PORT);
        if !output.is_empty() && !output.ends_with('\n') {
            output.push('\n');
        }
        let mut differs = Assert::new()
            .normalize_paths(false)
            .try_eq(None, Data::text(output), Data::text(printed))
            .map_or_else(|error| error.to_string(), |()| String::new());
        if ended != Ok(0) {
            let ended = ended.map_or_else(|_| "no status".to_owned(), |code| code.to_string());
            write!(differs, "\nit ended with {ended}").ok();
        }
        if !differs.is_empty() {
            wrong.push(format!("line {}: {said}\n{differs}", step.line));
        }
    }
    Ok(wrong)
}

impl Place {
    fn new() -> io::Result<Self> {
        let place = Self { folder: tempfile::tempdir()?, port: free_port()? };
        for name in ["bin", "home/.config", "steps", "work"] {
            fs::create_dir_all(place.path(name))?;
        }
        symlink(PROGRAM, place.path("bin/pcm-sandbox"))?;
        // Packages come from where they come from for whoever runs the tests.
        let configs = std::env::var_os("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(home()?.join(".config")));
        for name in ["pip", "uv"] {
            if let Some(there) = configs.as_ref().map(|folder| folder.join(name))
                && there.exists()
            {
                symlink(there, place.path("home/.config").join(name))?;
            }
        }
        Ok(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn step(&self, number: usize, what: &str) -> PathBuf {
        self.path("steps").join(format!("{number}.{what}"))
    }

    fn read(&self, number: usize, what: &str) -> String {
        let bytes = fs::read(self.step(number, what)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Lays out every step in files of its own, and gives what bash has to do with them.
    fn script(&self, page: &Page) -> io::Result<String> {
        let mut script = String::new();
        for (number, step) in page.steps.iter().enumerate() {
            let text = |what| self.step(number, what).display().to_string();
            match &step.act {
                Act::File { name, content } => {
                    fs::write(self.step(number, "file"), content)?;
                    writeln!(script, "{}", copied(&text("file"), name)).ok();
                    continue;
                }
                Act::Skipped(_) => continue,
                Act::Command { command, printed } => {
                    if let Some(name) = command.strip_prefix("cat ")
                        && !name.contains(|c: char| c.is_whitespace() || "*|;&<>$".contains(c))
                    {
                        fs::write(self.step(number, "file"), printed)?;
                        writeln!(script, "[ -e {name} ] || {{ {}; }}", copied(&text("file"), name))
                            .ok();
                    }
                    let said = format!("{}\n", command.replace(PORT, &self.port));
                    fs::write(self.step(number, "command"), said)?;
                }
                Act::Python(piece) => {
                    fs::create_dir_all(self.step(number, "page"))?;
                    fs::write(self.step(number, "page").join("piece.py"), piece)?;
                    let mount = text("page");
                    let command =
                        format!("pcm-sandbox run --mount '{mount}:/page' -c \"{COMPILES}\"\n");
                    fs::write(self.step(number, "command"), command)?;
                }
            }
            let (command, output, status) = (text("command"), text("output"), text("status"));
            writeln!(script, "source '{command}' >'{output}' 2>&1 </dev/null").ok();
            writeln!(script, "echo $? >'{status}'").ok();
        }
        Ok(script)
    }

    /// Runs the script. What it has left behind ends with it.
    fn act(&self, script: &str) -> io::Result<()> {
        let path = std::env::var("PATH").unwrap_or_default();
        let cache = std::env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(home()?.join(".cache")))
            .unwrap_or_else(|| self.path("cache"));
        let mut bash = Command::new("bash");
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("PCM_")) {
                bash.env_remove(name);
            }
        }
        let mut child = bash
            .args(["--noprofile", "--norc", "-c", script])
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .env("HOME", self.path("home"))
            .env("XDG_CONFIG_HOME", self.path("home/.config"))
            .env("XDG_DATA_HOME", self.path("home/.local/share"))
            .env("XDG_STATE_HOME", self.path("home/.local/state"))
            .env("XDG_CACHE_HOME", cache)
            .env("PORT", &self.port)
            .env("NO_COLOR", "1")
            .env("LC_ALL", "C.UTF-8")
            .current_dir(self.path("work"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let ended = child.wait();
        if let Some(group) = group {
            kill_process_group(group, Signal::KILL).ok();
        }
        ended.map(drop)
    }
}

fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from)
}

fn copied(from: &str, to: &str) -> String {
    let folder = Path::new(to).parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.map_or_else(|| ".".to_owned(), |folder| folder.display().to_string());
    format!("mkdir -p {folder} && cp '{from}' {to}")
}

/// A port that was free a moment ago.
fn free_port() -> io::Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port().to_string())
}
