//! Environments for kernels: made once by `uv`, or by Python's own `venv` and `pip`.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use pcm_runtime_api::Progress;
use pcm_runtime_cache::{private_folder, read_note};
use rustix::fs::{FlockOperation, flock};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use crate::{KernelConfig, SubprocessError};

/// The longest that one step may take.
const PATIENCE: Duration = Duration::from_mins(15);
/// How long somebody waits who needs what another is making.
const LOCK_PATIENCE: Duration = Duration::from_mins(20);
const LOOK: Duration = Duration::from_millis(50);
/// What an environment was made of; written when it is complete.
const NOTE: &str = "pcm-environment";
/// The most of what a tool says that people are told.
const LONGEST_REASON: usize = 4000;
const LONGEST_NOTE: u64 = 64 << 10;

/// An environment that is there.
#[derive(Debug)]
pub(crate) struct Venv {
    folder: PathBuf,
    /// Deleted with this.
    temporary: bool,
}

/// What makes environments.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Tool {
    Uv(PathBuf),
    /// A Python with `venv` and `pip`.
    Python(PathBuf),
}

impl Venv {
    /// Finds it, or makes it, of which `say` hears.
    pub(crate) async fn open(
        config: &KernelConfig,
        say: &Progress<'_>,
    ) -> Result<Self, SubprocessError> {
        config.check()?;
        if let (true, Some(folder)) = (config.contained, &config.venv_path) {
            return Ok(Self { folder: folder.clone(), temporary: false });
        }
        let tool = Tool::find(config.python_version.as_deref()).await?;
        let folder = place(config, &tool)?;
        let parent = folder.parent().ok_or(ErrorKind::InvalidInput).map_err(io::Error::from)?;
        fs::create_dir_all(parent)?;
        let _lock = lock(&folder).await?;
        let wanted = note(config, &tool);
        let has = read_note(&folder.join(NOTE), LONGEST_NOTE).ok();
        let is_usable = has.as_deref() == Some(&wanted) && works(&folder).await;
        if !is_usable {
            // What stands where the user wants the environment is only replaced if we have made it.
            if folder.exists() && has.is_none() && config.venv_path.is_some() && !is_venv(&folder) {
                return Err(SubprocessError::Setting {
                    setting: "venv_path",
                    value: folder.display().to_string(),
                    rule: "there is something else than an environment",
                });
            }
            make(config, &tool, &folder, &wanted, say).await?;
        }
        Ok(Self { folder, temporary: config.is_temporary() })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn python(&self) -> PathBuf {
        python_of(&self.folder)
    }
}

/// The Python that packages are for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum For<'a> {
    /// This one.
    Interpreter(&'a Path),
    /// One with this version, as `3.12`, on Linux with a library of C no older than 2.28.
    Version(&'a str),
}

/// Installs packages for a Python into a folder of their own. Only wheels: nothing of a package runs on
/// the host.
pub(crate) async fn install(
    python: For<'_>,
    into: &Path,
    specs: &[String],
    wheels: &[PathBuf],
    longest: Option<Duration>,
) -> Result<(), SubprocessError> {
    let tool = Tool::find(None).await?;
    let mut command = match python {
        For::Interpreter(python) => tool.install(python),
        For::Version(version) => tool.install_for(version),
    };
    command.arg("--only-binary=:all:").arg("--target").arg(into);
    for folder in wheels {
        command.arg("--find-links").arg(folder);
    }
    command.arg("--").args(specs);
    step(command, "installing packages", longest.unwrap_or(PATIENCE)).await
}

impl Drop for Venv {
    fn drop(&mut self) {
        if self.temporary {
            let _ = fs::remove_dir_all(&self.folder); // what cannot be deleted stays
        }
    }
}

fn python_of(folder: &Path) -> PathBuf {
    folder.join("bin/python")
}

/// Where it is, or will be.
fn place(config: &KernelConfig, tool: &Tool) -> Result<PathBuf, SubprocessError> {
    if let Some(folder) = &config.venv_path {
        return Ok(std::path::absolute(folder)?);
    }
    let short = |hash: blake3::Hash| hash.to_hex().chars().take(32).collect::<String>();
    if config.cache_venv {
        let parent = pcm_runtime_cache::root()?.join("subprocess/environments");
        private_folder(&parent)?;
        return Ok(parent.join(short(blake3::hash(note(config, tool).as_bytes()))));
    }
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    Ok(std::env::temp_dir().join(format!("pcm-environment-{}", short(blake3::hash(&random)))))
}

/// What it is made of: environments with the same note are the same.
fn note(config: &KernelConfig, tool: &Tool) -> String {
    let python = match (&config.python_version, tool) {
        (Some(version), _) => version.clone(),
        (None, Tool::Python(python)) => python.display().to_string(),
        (None, Tool::Uv(_)) => "python3".to_owned(),
    };
    let mut lines = vec![format!("1 {python}")];
    lines.extend(config.base_deps.iter().chain(&config.deps).cloned());
    lines.join("\n")
}

fn is_venv(folder: &Path) -> bool {
    folder.join("pyvenv.cfg").exists()
        || fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// Whether its Python starts.
async fn works(folder: &Path) -> bool {
    let mut command = Command::new(python_of(folder));
    command.args(["-I", "-c", ""]).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = timeout(Duration::from_secs(10), command.status()).await;
    status.is_ok_and(|status| status.is_ok_and(|status| status.success()))
}

async fn make(
    config: &KernelConfig,
    tool: &Tool,
    folder: &Path,
    note: &str,
    say: &Progress<'_>,
) -> Result<(), SubprocessError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => say("making an environment for Python (once)"),
    }
    let made = async {
        step(tool.make(config, folder), "making an environment", PATIENCE).await?;
        let specs: Vec<&String> = config.base_deps.iter().chain(&config.deps).collect();
        let names: Vec<&str> = specs.iter().map(|spec| spec.as_str()).collect();
        say(&format!("installing {}", names.join(", ")));
        let mut command = tool.install(&python_of(folder));
        command.arg("--").args(specs);
        step(command, "installing packages", PATIENCE).await
    };
    let made = made.await.and_then(|()| Ok(fs::write(folder.join(NOTE), note)?));
    if made.is_err() {
        let _ = fs::remove_dir_all(folder); // half of one is none
    }
    made
}

/// Held until it is dropped.
async fn lock(folder: &Path) -> Result<File, SubprocessError> {
    let mut name = OsStr::new(".").to_owned();
    name.push(folder.file_name().unwrap_or_default());
    name.push(".lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.with_file_name(name))?;
    let begun = Instant::now();
    while let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
        if begun.elapsed() > LOCK_PATIENCE {
            let reason = format!("another program has been making it for long ({error})");
            return Err(SubprocessError::Venv { step: "waiting for the environment", reason });
        }
        sleep(LOOK).await;
    }
    Ok(file)
}

impl Tool {
    async fn find(version: Option<&str>) -> Result<Self, SubprocessError> {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let near =
            home.iter().flat_map(|home| [".local/bin/uv", ".cargo/bin/uv"].map(|uv| home.join(uv)));
        if let Some(uv) = on_path("uv").into_iter().chain(near).find(|uv| uv.is_file()) {
            return Ok(Self::Uv(uv));
        }
        let name =
            version.map_or_else(|| "python3".to_owned(), |version| format!("python{version}"));
        if let Some(python) = on_path(&name) {
            let mut command = Command::new(&python);
            command.args(["-I", "-c", "import venv, ensurepip"]).kill_on_drop(true);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            if command.status().await.is_ok_and(|status| status.success()) {
                return Ok(Self::Python(python));
            }
        }
        Err(SubprocessError::NoTool)
    }

    fn make(&self, config: &KernelConfig, folder: &Path) -> Command {
        let mut command = match self {
            Self::Uv(uv) => {
                let mut command = Command::new(uv);
                let python = config.python_version.as_deref().unwrap_or("3");
                command.args(["venv", "--quiet", "--no-project", "--python", python]);
                command
            }
            Self::Python(python) => {
                let mut command = Command::new(python);
                command.args(["-I", "-m", "venv"]);
                command
            }
        };
        command.arg(folder);
        command
    }

    fn install(&self, python: &Path) -> Command {
        match self {
            Self::Uv(uv) => {
                let mut command = Command::new(uv);
                command.args(["pip", "install", "--quiet", "--python"]).arg(python);
                command
            }
            Self::Python(_) => {
                let mut command = Command::new(python);
                command.args([
                    "-I",
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                ]);
                command
            }
        }
    }
}

impl Tool {
    /// As `install`, for a Python that is not here.
    fn install_for(&self, version: &str) -> Command {
        let machine = std::env::consts::ARCH;
        let mut command = match self {
            Self::Uv(uv) => {
                let mut command = Command::new(uv);
                command.args(["pip", "install", "--quiet", "--python-version", version]);
                command.arg("--python-platform").arg(format!("{machine}-manylinux_2_28"));
                command
            }
            Self::Python(python) => {
                let mut command = self.install(python);
                command.args(["--implementation", "cp", "--python-version", version]);
                for library in ["2014", "_2_17", "_2_28"] {
                    command.arg("--platform").arg(format!("manylinux{library}_{machine}"));
                }
                command
            }
        };
        command.stdin(Stdio::null());
        command
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Runs a tool to its end, with the user's own settings around it.
async fn step(
    mut command: Command,
    step: &'static str,
    longest: Duration,
) -> Result<(), SubprocessError> {
    let failed = |reason: String| SubprocessError::Venv { step, reason };
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(longest, command.output()).await;
    let output = output.map_err(|_| failed(format!("it took longer than {longest:?}")))?;
    let output = output.map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim();
    let reason: String = said.chars().take(LONGEST_REASON).collect();
    Err(failed(if reason.is_empty() { output.status.to_string() } else { reason }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environments_are_told_apart_by_what_they_are_made_of() {
        let tool = Tool::Uv("uv".into());
        let config = KernelConfig::default();
        let other = KernelConfig { deps: vec!["pandas".to_owned()], ..config.clone() };
        let newer = KernelConfig { python_version: Some("3.13".to_owned()), ..config.clone() };
        assert_eq!(note(&config, &tool), note(&config.clone(), &tool));
        assert_ne!(note(&config, &tool), note(&other, &tool));
        assert_ne!(note(&config, &tool), note(&newer, &tool));
    }
}
