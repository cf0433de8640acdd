//! The peers: which there are, where they are found, and how they get there.
//!
//! They lie in one folder: `venv`, an environment of Python with `peers/requirements.txt`, and `node`, with
//! the packages of `peers/deno/package-lock.json`. Their drivers are part of this program.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::{BenchError, Contestant, Kind};

/// One peer.
#[derive(Debug)]
pub struct Peer {
    /// Its name on the command line.
    pub key: &'static str,
    /// What it is, for a list.
    pub about: &'static str,
    /// Whether a quick run has it.
    pub quick: bool,
    script: &'static str,
    runs_on: Runs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Runs {
    /// Any Python, best that of the environment.
    AnyPython,
    /// The environment.
    Python,
    /// The environment, or any Python, with the folder of Node's packages.
    PythonAndNode,
    /// Any Python, and an engine of containers.
    PythonAndDocker,
    /// Node, with its packages.
    Node,
}

const fn peer(
    key: &'static str,
    about: &'static str,
    script: &'static str,
    runs_on: Runs,
    quick: bool,
) -> Peer {
    Peer { key, about, quick, script, runs_on }
}

/// All of them. The first one is what the output of programs is held against.
pub static PEERS: [Peer; 8] = [
    peer(
        "native",
        "the Python of the machine, without a wall",
        "peer_native.py",
        Runs::AnyPython,
        true,
    ),
    peer("pyeryx", "CPython under wasmtime, from PyPI", "peer_eryx.py", Runs::Python, true),
    peer(
        "monty",
        "pydantic-monty: a part of Python, from PyPI",
        "peer_monty.py",
        Runs::Python,
        true,
    ),
    peer("smolagents", "its local executor, from PyPI", "peer_smolagents.py", Runs::Python, false),
    peer(
        "jupyter",
        "a bare client with a kernel of IPython",
        "peer_jupyter.py",
        Runs::Python,
        false,
    ),
    peer(
        "deno",
        "an external Deno with Pyodide, from npm",
        "peer_deno.py",
        Runs::PythonAndNode,
        false,
    ),
    peer("node", "Pyodide on Node, from npm", "peer_node.mjs", Runs::Node, false),
    peer("docker", "docker run and docker exec", "peer_docker.py", Runs::PythonAndDocker, false),
];

/// Images of which the first one that is there is taken.
const IMAGES: [&str; 3] = ["python:3.13-alpine", "python:3.13-slim", "pcm-sandbox:base"];

const SCRIPTS: [(&str, &str); 9] = [
    ("driver.py", include_str!("../peers/driver.py")),
    ("peer_deno.py", include_str!("../peers/peer_deno.py")),
    ("peer_docker.py", include_str!("../peers/peer_docker.py")),
    ("peer_eryx.py", include_str!("../peers/peer_eryx.py")),
    ("peer_jupyter.py", include_str!("../peers/peer_jupyter.py")),
    ("peer_monty.py", include_str!("../peers/peer_monty.py")),
    ("peer_native.py", include_str!("../peers/peer_native.py")),
    ("peer_node.mjs", include_str!("../peers/peer_node.mjs")),
    ("peer_smolagents.py", include_str!("../peers/peer_smolagents.py")),
];

const NODE: [(&str, &str); 4] = [
    ("main.ts", include_str!("../peers/deno/main.ts")),
    ("worker.ts", include_str!("../peers/deno/worker.ts")),
    ("package.json", include_str!("../peers/deno/package.json")),
    ("package-lock.json", include_str!("../peers/deno/package-lock.json")),
];

const REQUIREMENTS: &str = include_str!("../peers/requirements.txt");

/// The peers as they are found. Their drivers are there as long as this is.
#[derive(Debug)]
pub struct Peers {
    scripts: TempDir,
    folder: PathBuf,
}

impl Peers {
    /// Looks in a folder, which need not be there.
    pub fn find(folder: &Path) -> Result<Self, BenchError> {
        let temporary = std::env::temp_dir();
        let failed = |source| BenchError::File { path: temporary.clone(), source };
        let scripts = tempfile::Builder::new().prefix("pcm-bench-").tempdir().map_err(failed)?;
        write_all(scripts.path(), &SCRIPTS)?;
        let node = folder.join("node");
        if node.join("node_modules").is_dir() {
            write_all(&node, &NODE)?; // those of this version
        }
        Ok(Self { scripts, folder: folder.to_owned() })
    }

    /// A peer by its place in [`PEERS`], as it takes part or cannot.
    pub fn contestant(&self, peer: &Peer) -> Contestant {
        let works_elsewhere = peer.runs_on == Runs::PythonAndDocker;
        let environment = [("PYTHONHASHSEED", "1"), ("PYTHONUNBUFFERED", "1")]; // as in the image
        let environment = environment.map(|(name, value)| (name.into(), value.into()));
        Contestant {
            key: peer.key.to_owned(),
            kind: Kind::Peer,
            driver: self.command(peer),
            environment: environment.to_vec(),
            works_elsewhere,
        }
    }

    fn command(&self, peer: &Peer) -> Result<Vec<OsString>, String> {
        let script = self.scripts.path().join(peer.script).into_os_string();
        let absent = || {
            format!(
                "not in {}; `pcm-sandbox bench --install-peers` installs it",
                self.folder.display()
            )
        };
        let own = self.folder.join("venv/bin/python");
        let own = own.is_file().then(|| own.into_os_string());
        let any = || own.clone().or_else(|| on_path("python3")).ok_or("there is no python3");
        // Without what the user has in mind for all Pythons, but with the script's own folder.
        let python = |python, script| vec![python, "-E".into(), "-s".into(), script];
        match peer.runs_on {
            Runs::AnyPython => Ok(python(any()?, script)),
            Runs::Python => Ok(python(own.ok_or_else(absent)?, script)),
            Runs::PythonAndNode => {
                let mut words = python(any()?, script);
                words.push(self.node().ok_or_else(absent)?);
                Ok(words)
            }
            Runs::PythonAndDocker => {
                on_path("docker").ok_or("there is no docker")?;
                let mut words = python(any()?, script);
                words.extend(IMAGES.map(OsString::from));
                Ok(words)
            }
            Runs::Node => {
                let node = on_path("node").ok_or("there is no node")?;
                Ok(vec![node, script, self.node().ok_or_else(absent)?])
            }
        }
    }

    fn node(&self) -> Option<OsString> {
        let node = self.folder.join("node");
        node.join("node_modules/pyodide").is_dir().then(|| node.into_os_string())
    }
}

/// Installs the peers that come from registries, as the user's own `uv`, `pip` and `npm` are set up, and
/// nothing but what the lists name with its hash.
pub fn install(folder: &Path, say: &dyn Fn(&str)) -> Result<(), BenchError> {
    let node = folder.join("node");
    fs::create_dir_all(&node).map_err(|source| BenchError::File { path: node.clone(), source })?;
    let (venv, list) = (folder.join("venv"), folder.join("requirements.txt"));
    write_all(folder, &[("requirements.txt", REQUIREMENTS)])?;
    let python = venv.join("bin/python");
    if let Some(uv) = on_path("uv") {
        say("the peers from the package index, by uv");
        let environment = |version: &str| {
            let mut make = Command::new(&uv);
            make.args(["venv", "--quiet", "--clear", "--no-project", "--python", version])
                .arg(&venv);
            run(&mut make)
        };
        // That of the image, where it is to be had.
        environment("3.13").or_else(|_| environment(">=3.11"))?;
        let mut fill = Command::new(&uv);
        fill.args(["pip", "install", "--quiet", "--require-hashes", "--python"]);
        run(fill.arg(&python).arg("-r").arg(&list))?;
    } else {
        say("the peers from the package index, by pip");
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
        let mut fill = Command::new(&python);
        fill.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        run(fill.args(["--require-hashes", "-r"]).arg(&list))?;
    }
    if on_path("npm").is_none() {
        say("there is no npm: without the peers that come from there");
        return Ok(());
    }
    say("the peers from npm");
    write_all(&node, &NODE)?;
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]);
    run(npm.current_dir(&node))
}

fn run(command: &mut Command) -> Result<(), BenchError> {
    const SHOWN: usize = 2000;
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |said: String| BenchError::Install { program: program.clone(), said };
    let done = command.stdin(Stdio::null()).output().map_err(|error| failed(error.to_string()))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let more = said.trim().chars().rev().take(SHOWN).collect::<Vec<_>>();
    Err(failed(more.into_iter().rev().collect()))
}

/// Writes what is not there as it should be.
fn write_all(folder: &Path, files: &[(&str, &str)]) -> Result<(), BenchError> {
    let write = |(name, text): &(&str, &str)| {
        let path = folder.join(name);
        if fs::read(&path).is_ok_and(|found| found == text.as_bytes()) {
            return Ok(());
        }
        fs::write(&path, text).map_err(|source: io::Error| BenchError::File { path, source })
    };
    files.iter().try_for_each(write)
}

fn on_path(program: &str) -> Option<OsString> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).map(|folder| folder.join(program));
    found.into_iter().find(|file| file.is_file()).map(PathBuf::into_os_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_is_not_there_is_told_with_the_way_to_it() -> Result<(), BenchError> {
        let peers = Peers::find(Path::new("/nowhere"))?;
        for peer in &PEERS {
            let contestant = peers.contestant(peer);
            if peer.runs_on == Runs::Python {
                let reason = contestant.driver.err().unwrap_or_default();
                assert_eq!(
                    reason,
                    "not in /nowhere; `pcm-sandbox bench --install-peers` installs it"
                );
            }
        }
        Ok(())
    }

    #[test]
    fn every_peer_has_its_driver() {
        for peer in &PEERS {
            assert!(SCRIPTS.iter().any(|(name, _)| *name == peer.script), "{}", peer.key);
        }
    }

    #[test]
    fn requirements_are_pinned_with_hashes_and_name_no_index() {
        let lines = REQUIREMENTS.lines().filter(|line| !line.starts_with(' '));
        for line in lines {
            assert!(line.contains("==") && line.ends_with('\\'), "{line}");
        }
        assert!(!REQUIREMENTS.contains("://"));
        assert!(!REQUIREMENTS.contains("--index"));
    }
}
