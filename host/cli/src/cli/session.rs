//! What the session of a command is like: its limits, its folders, and the state it comes from.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use pcm_sandbox::{
    BackendKind, Limits, Mount, MountAccess, MountSource, Session, SessionBuilder, SessionError,
};

use super::exit::Failure;
use super::key::{self, Signs};

/// The bounds of a session.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitArgs {
    /// How long each code may take, waiting included: 500ms, 30s, 2min
    #[arg(long, value_name = "TIME", value_parser = time)]
    timeout: Option<Duration>,

    /// How much processor time each code may take; waiting does not count
    #[arg(long, value_name = "TIME", value_parser = time)]
    cpu: Option<Duration>,

    /// How much work each code may do, in instructions: the same program always uses the same
    #[arg(long, value_name = "COUNT", value_parser = count)]
    fuel: Option<u64>,

    /// How much memory the session may hold: 64MiB, 1GiB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    memory: Option<u64>,

    /// How much output each code may write before the rest is dropped
    #[arg(long, value_name = "SIZE", value_parser = size)]
    output_limit: Option<u64>,

    /// How many calls to the host each code may make
    #[arg(long, value_name = "COUNT", value_parser = count)]
    calls: Option<u64>,

    /// How long one request, reply or value may be that crosses the wall
    #[arg(long, value_name = "SIZE", value_parser = size)]
    call_size: Option<u64>,

    /// How much the files of the session may hold together
    #[arg(long, value_name = "SIZE", value_parser = size)]
    vfs: Option<u64>,
}

/// What a sandbox is like.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Session")]
pub(crate) struct SandboxArgs {
    /// Make up clocks and random numbers, the same each time: the same program gives the same bytes
    /// and uses the same fuel on every machine
    #[arg(long)]
    deterministic: bool,

    /// Take back what a code did to the session when it has to be stopped the hard way
    #[arg(long)]
    rollback: bool,

    /// Show a folder of this machine to the code: read only, or `rw`, or `overlay` for writing to a
    /// layer that ends with the session
    #[arg(long, value_name = "HOST:GUEST[:ro|rw|overlay]", value_parser = mount)]
    mount: Vec<Mount>,
}

/// What a session begins with and what is left of it.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Session")]
pub(crate) struct KeptArgs {
    /// Copy a file into the session before the code runs; into /work if no place is named
    #[arg(long, value_name = "FILE[:GUEST]", value_parser = transfer)]
    put: Vec<Transfer>,

    /// Copy a file out of the session after the code ran; into this folder if no place is named
    #[arg(long, value_name = "GUEST[:FILE]", value_parser = transfer)]
    get: Vec<Transfer>,

    /// Go on with a session that was saved with --save
    #[arg(long, value_name = "FILE")]
    load: Option<PathBuf>,

    /// Save the session after the code ran
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,

    /// The file with the 64 hexadecimal digits that sign saved sessions; made at its first use
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// A file to copy, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Transfer {
    from: String,
    to: Option<String>,
}

impl LimitArgs {
    /// Whether the arguments say how long a code may take.
    pub(crate) fn has_timeout(&self) -> bool {
        self.timeout.is_some()
    }

    /// What holds where the arguments say nothing is the default.
    pub(crate) fn limits(&self) -> Limits {
        let default = Limits::default();
        Limits {
            timeout: self.timeout.or(default.timeout),
            cpu: self.cpu.or(default.cpu),
            fuel: self.fuel.or(default.fuel),
            memory_bytes: self.memory.unwrap_or(default.memory_bytes),
            output_bytes: self.output_limit.unwrap_or(default.output_bytes),
            tool_calls: self.calls.unwrap_or(default.tool_calls),
            host_call_bytes: self.call_size.unwrap_or(default.host_call_bytes),
            vfs_bytes: self.vfs.unwrap_or(default.vfs_bytes),
            ..default
        }
    }
}

impl SandboxArgs {
    /// A session as the arguments say.
    pub(crate) fn builder(
        &self,
        backend: BackendKind,
        limits: Limits,
    ) -> Result<SessionBuilder, Failure> {
        for mount in &self.mount {
            if let MountSource::Folder(folder) = &mount.host
                && !folder.is_dir()
            {
                let folder = folder.display();
                return Err(Failure::usage(format!("--mount: there is no folder {folder}")));
            }
        }
        let mut builder = Session::builder().backend(backend).limits(limits);
        if self.deterministic {
            builder = builder.deterministic();
        }
        if self.rollback {
            builder = builder.rollback();
        }
        Ok(self.mount.iter().cloned().fold(builder, SessionBuilder::mount))
    }
}

impl KeptArgs {
    /// Brings the session to where the code begins.
    pub(crate) async fn before(&self, session: &Session) -> Result<(), Failure> {
        if let Some(file) = &self.load {
            let saved = read(file)?;
            let key = key::of(Signs::Sessions, self.key.as_deref())?;
            session.load(&saved, &key).await.map_err(|error| failed(file, &error))?;
        }
        for Transfer { from, to } in &self.put {
            let content = read(Path::new(from))?;
            let guest = match to {
                Some(guest) => guest.clone(),
                None => format!("/work/{}", file_name(from)?),
            };
            session.put_file(&guest, content).await.map_err(|error| refused(&error))?;
        }
        Ok(())
    }

    /// Takes out of the session what shall remain.
    pub(crate) async fn after(&self, session: &Session, vfs_bytes: u64) -> Result<(), Failure> {
        for Transfer { from, to } in &self.get {
            let content = session.get_file(from, vfs_bytes).await;
            let content = content.map_err(|error| refused(&error))?;
            let host = match to {
                Some(host) => host.as_str(),
                None => file_name(from)?,
            };
            write(Path::new(host), &content)?;
        }
        if let Some(file) = &self.save {
            let key = key::of(Signs::Sessions, self.key.as_deref())?;
            let saved = session.save(&key).await.map_err(|error| failed(file, &error))?;
            write(file, &saved)?;
        }
        Ok(())
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", file.display())))
}

fn write(file: &Path, content: &[u8]) -> Result<(), Failure> {
    std::fs::write(file, content)
        .map_err(|error| Failure::usage(format!("cannot write {}: {error}", file.display())))
}

fn failed(file: &Path, error: &SessionError) -> Failure {
    Failure::usage(format!("{}: {error}", file.display()))
}

fn refused(error: &SessionError) -> Failure {
    Failure::usage(error.to_string())
}

fn file_name(path: &str) -> Result<&str, Failure> {
    let name = Path::new(path).file_name().and_then(|name| name.to_str());
    name.ok_or_else(|| Failure::usage(format!("{path} does not end in the name of a file")))
}

/// `HOST:GUEST[:ro|rw|overlay]`. The host's path may have colons, the others may not.
fn mount(text: &str) -> Result<Mount, String> {
    let (rest, access) = match text.rsplit_once(':') {
        Some((rest, "ro")) => (rest, MountAccess::ReadOnly),
        Some((rest, "rw")) => (rest, MountAccess::ReadWrite),
        Some((rest, "overlay")) => (rest, MountAccess::Overlay),
        _ => (text, MountAccess::ReadOnly),
    };
    match rest.rsplit_once(':') {
        Some((host, guest)) if !host.is_empty() && guest.starts_with('/') => {
            Ok(Mount { host: host.into(), guest: guest.to_owned(), access })
        }
        _ => Err("not like HOST:/GUEST, HOST:/GUEST:rw or HOST:/GUEST:overlay".to_owned()),
    }
}

/// `FROM[:TO]`.
fn transfer(text: &str) -> Result<Transfer, String> {
    let (from, to) = match text.rsplit_once(':') {
        Some((from, to)) => (from, Some(to.to_owned())),
        None => (text, None),
    };
    if from.is_empty() || to.as_deref() == Some("") {
        return Err("not like FROM or FROM:TO".to_owned());
    }
    Ok(Transfer { from: from.to_owned(), to })
}

/// A duration; a bare number is seconds, as for `timeout` and `sleep`.
pub(super) fn time(text: &str) -> Result<Duration, String> {
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

/// A whole number, with `_` between digits if that helps, or with a unit as in 50M.
fn count(text: &str) -> Result<u64, String> {
    let plain: String = text.chars().filter(|character| *character != '_').collect();
    let (digits, unit) = match plain.strip_suffix(['k', 'M', 'G']) {
        Some(digits) if plain.ends_with('k') => (digits, 1_000),
        Some(digits) if plain.ends_with('M') => (digits, 1_000_000),
        Some(digits) => (digits, 1_000_000_000),
        None => (plain.as_str(), 1_u64),
    };
    match digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)) {
        Some(0) => Err("no code can run without any".to_owned()),
        Some(count) => Ok(count),
        None => Err("not a count such as 1000000, 50M or 2G".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn counts_are_what_people_write() {
        assert_eq!(count("1_000_000"), Ok(1_000_000));
        assert_eq!(count("50M"), Ok(50_000_000));
        assert_eq!(count("2G"), Ok(2_000_000_000));
        for text in ["", "0", "-1", "M", "1.5M", "99999999999G", "5MiB"] {
            assert!(count(text).is_err(), "{text}");
        }
    }

    #[test]
    fn mounts_name_two_folders() {
        let parsed = mount("/some/data:/data").map(|mount| (mount.host, mount.guest, mount.access));
        assert_eq!(parsed, Ok(("/some/data".into(), "/data".to_owned(), MountAccess::ReadOnly)));
        let parsed = mount("a:b:/data:overlay").map(|mount| (mount.host, mount.access));
        assert_eq!(parsed, Ok(("a:b".into(), MountAccess::Overlay)));
        assert_eq!(mount(".:/w:rw").map(|mount| mount.access), Ok(MountAccess::ReadWrite));
        for text in ["", "data", "data:", ":/data", "data:relative", "data:rw", "data:/x:wr"] {
            assert!(mount(text).is_err(), "{text}");
        }
    }

    #[test]
    fn transfers_name_one_file_or_two() {
        let to = |to: Option<&str>| to.map(str::to_owned);
        assert_eq!(transfer("a.csv"), Ok(Transfer { from: "a.csv".to_owned(), to: None }));
        assert_eq!(
            transfer("a.csv:/tmp/b.csv"),
            Ok(Transfer { from: "a.csv".to_owned(), to: to(Some("/tmp/b.csv")) })
        );
        for text in ["", ":", "a:", ":b"] {
            assert!(transfer(text).is_err(), "{text}");
        }
    }
}
