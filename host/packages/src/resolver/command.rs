//! A program of the user's, run with nothing but what it needs.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process_group, prlimit};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;
use tokio::time::{interval, timeout};

use super::Tool;
use crate::PackagesError;
use crate::folder::size_of;

/// Resolving with much backtracking and fetching over a slow line both fit.
const TIMEOUT: Duration = Duration::from_mins(10);
/// How much of an output is kept: its end, where the reason of a failure stands.
const MAX_OUTPUT: usize = 64 << 10;
/// The largest file that a program may write.
const MAX_FILE: u64 = 256 << 20;
/// What its folder may hold while it runs: wheels, and under uv what they unpack to.
const MAX_FOLDER: u64 = 1 << 30;
const WATCH: Duration = Duration::from_millis(500);

/// The variables by which people configure their indexes and the way to them.
const VARIABLES: [&str; 16] = [
    "HOME",
    "PATH",
    "NETRC",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SSL_CLIENT_CERT",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
];
const PREFIXES: [&str; 3] = ["PIP_", "UV_", "XDG_"];
/// Among those, what would change the meaning of our own arguments or make the program run code.
const WITHHELD: [&str; 10] = [
    "PIP_PYTHON",
    "PIP_REQUIREMENT",
    "PIP_EDITABLE",
    "PIP_ROOT",
    "PIP_PREFIX",
    "UV_COMPILE_BYTECODE",
    "UV_NO_VERIFY_HASHES",
    "UV_WORKING_DIR",
    "UV_PROJECT",
    "UV_TORCH_BACKEND",
];
/// What we say in their place.
const SAID: [(&str, &str); 6] = [
    ("LC_ALL", "C.UTF-8"),
    ("PIP_NO_INPUT", "1"),
    ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
    ("PIP_REQUIRE_VIRTUALENV", "0"),
    ("PYTHONDONTWRITEBYTECODE", "1"),
    ("UV_PYTHON_DOWNLOADS", "never"),
];

/// The variables that a program is started with, from all that there are.
pub(super) fn passed_on(variables: &[(OsString, OsString)]) -> Vec<(OsString, OsString)> {
    let is_passed = |name: &OsStr| {
        name.to_str().is_some_and(|name| {
            (VARIABLES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
                && !WITHHELD.contains(&name)
        })
    };
    variables.iter().filter(|(name, _)| is_passed(name)).cloned().collect()
}

/// The program of that name, in the folders of `PATH` that are not relative.
pub(super) fn find(name: &str, variables: &[(OsString, OsString)]) -> Option<PathBuf> {
    let path = &variables.iter().find(|(variable, _)| variable == "PATH")?.1;
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|program| {
            program.is_file() && rustix::fs::access(program, rustix::fs::Access::EXEC_OK).is_ok()
        })
}

/// What a program did.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) success: bool,
    /// The end of its output.
    pub(super) output: String,
    /// The end of its error output.
    pub(super) errors: String,
}

/// Runs a program to its end, in a group of processes that ends with this future. `folder` is the
/// only place that is meant to grow; the program starts in an empty folder inside it.
pub(super) async fn run(
    tool: &Tool,
    arguments: &[OsString],
    folder: &Path,
) -> Result<Ended, PackagesError> {
    let stopped = |limit: String| PackagesError::Stopped { tool: tool.to_string(), limit };
    let (empty, temporary) = (folder.join("empty"), folder.join("tmp"));
    for path in [&empty, &temporary] {
        std::fs::create_dir_all(path).map_err(PackagesError::cache("make a folder"))?;
    }
    let mut command = Command::new(&tool.program);
    command
        .args(arguments)
        .current_dir(empty)
        .env_clear()
        .envs(tool.variables.iter().cloned())
        .envs(SAID)
        .env("TMPDIR", temporary)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(PackagesError::cache("start the resolver"))?;
    let group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
    group.limit_files();
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    let ended = async {
        let (status, output, errors) = tokio::join!(child.wait(), tail(output), tail(errors));
        Ok::<_, io::Error>(Ended { success: status?.success(), output, errors })
    };
    let ended = tokio::select! {
        ended = timeout(TIMEOUT, ended) => ended,
        () = grown(folder.to_owned()) => {
            return Err(stopped(format!("{} MiB of files", MAX_FOLDER >> 20)));
        }
    };
    let ended = ended.map_err(|_| stopped(format!("{} minutes", TIMEOUT.as_secs() / 60)))?;
    group.disarm();
    ended.map_err(PackagesError::cache("wait for the resolver"))
}

/// Kills all processes of the group, unless they ended: when the pipes are closed and the first
/// process is waited for, nobody is left, and its number may soon be somebody else's.
struct Group(Option<Pid>);

impl Group {
    fn limit_files(&self) {
        if let Some(pid) = self.0 {
            let limit = Rlimit { current: Some(MAX_FILE), maximum: Some(MAX_FILE) };
            // Fails for a program that ended already.
            let _ = prlimit(Some(pid), Resource::Fsize, limit);
        }
    }

    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, Signal::KILL); // it may have just ended
        }
    }
}

/// Reads to the end and keeps the last of it.
async fn tail(stream: Option<impl AsyncRead + Unpin>) -> String {
    let mut kept = Vec::new();
    if let Some(mut stream) = stream {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            kept.extend_from_slice(&buffer[..read]);
            if kept.len() > 2 * MAX_OUTPUT {
                kept.drain(..kept.len() - MAX_OUTPUT);
            }
        }
    }
    kept.drain(..kept.len().saturating_sub(MAX_OUTPUT));
    String::from_utf8_lossy(&kept).into_owned()
}

/// Returns when the folder holds too much.
async fn grown(folder: PathBuf) {
    let mut watch = interval(WATCH);
    loop {
        watch.tick().await;
        let folder = folder.clone();
        let size = tokio::task::spawn_blocking(move || size_of(&folder)).await;
        if size.is_ok_and(|size| size > MAX_FOLDER) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    fn shell() -> Tool {
        let variables: Vec<(OsString, OsString)> = std::env::vars_os().collect();
        Tool {
            kind: super::super::Kind::Pip,
            program: PathBuf::from("/bin/sh"),
            version: "1".to_owned(),
            variables: passed_on(&variables),
            target: crate::Target::Wasi,
            interpreter: None,
        }
    }

    fn script(text: &str) -> Vec<OsString> {
        vec!["-c".into(), text.into()]
    }

    #[test]
    fn only_the_configuration_of_indexes_is_passed_on() {
        let given = |names: &[&str]| -> Vec<(OsString, OsString)> {
            names.iter().map(|name| (name.into(), "x".into())).collect()
        };
        let kept = ["HOME", "PIP_INDEX_URL", "UV_INDEX", "XDG_CONFIG_HOME", "https_proxy"];
        assert_eq!(passed_on(&given(&kept)), given(&kept));
        let dropped = [
            "HONEY",
            "AWS_SECRET",
            "LD_PRELOAD",
            "PYTHONPATH",
            "PIP_PYTHON",
            "UV_COMPILE_BYTECODE",
        ];
        assert_eq!(passed_on(&given(&dropped)), []);
    }

    #[test]
    fn a_program_is_not_looked_for_in_relative_folders() {
        let path = |path: &str| vec![(OsString::from("PATH"), OsString::from(path))];
        assert_eq!(find("sh", &path("/bin")), Some(PathBuf::from("/bin/sh")));
        assert_eq!(find("sh", &path("bin::.:../../../../../../../bin")), None);
        assert_eq!(find("passwd", &path("/etc")), None, "it is no program");
        assert_eq!(find("sh", &[]), None);
    }

    #[tokio::test]
    async fn the_program_sees_what_it_was_given_and_nothing_else() -> TestResult {
        let folder = tempfile::tempdir()?;
        let mut tool = shell();
        tool.variables = vec![("PIP_X".into(), "y".into())];
        let ended = run(&tool, &script("read line; echo $PIP_X $HOME; pwd"), folder.path()).await?;
        assert!(ended.success);
        let lines: Vec<&str> = ended.output.lines().collect();
        assert_eq!(lines.first(), Some(&"y"));
        assert!(lines.get(1).is_some_and(|line| line.ends_with("/empty")), "{lines:?}");
        Ok(())
    }

    #[tokio::test]
    async fn of_a_flood_the_end_is_kept() -> TestResult {
        let folder = tempfile::tempdir()?;
        let flood = "i=0; while [ $i -lt 20000 ]; do echo $i-----------------------; i=$((i+1)); \
                     done; echo end >&2; exit 3";
        let ended = run(&shell(), &script(flood), folder.path()).await?;
        assert!(!ended.success);
        assert_eq!(ended.output.len(), MAX_OUTPUT);
        assert!(ended.output.ends_with("19999-----------------------\n"));
        assert_eq!(ended.errors, "end\n");
        Ok(())
    }

    #[tokio::test]
    async fn whoever_drops_the_future_ends_the_program_and_its_children() -> TestResult {
        let folder = tempfile::tempdir()?;
        let pids = folder.path().join("pids");
        let text =
            format!("sleep 1000 & echo $$ $! >{0}.new; mv {0}.new {0}; wait", pids.display());
        let (tool, arguments) = (shell(), script(&text));
        let running = run(&tool, &arguments, folder.path());
        let begun = async {
            while !pids.exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            ended = running => return Err(format!("it ended by itself: {ended:?}").into()),
            () = begun => {}
        }
        let start = Instant::now();
        for pid in std::fs::read_to_string(&pids)?.split_whitespace() {
            while is_running(pid) {
                assert!(start.elapsed() < Duration::from_mins(1), "process {pid} still runs");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        Ok(())
    }

    /// Neither gone nor only waiting to be waited for.
    fn is_running(pid: &str) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = status.rsplit(')').next().unwrap_or_default().trim_start();
        !state.is_empty() && !state.starts_with('Z')
    }
}
