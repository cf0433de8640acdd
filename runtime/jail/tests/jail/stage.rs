//! Probes: this program again, in a jail.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};

use pcm_runtime_jail::{JailMode, JailReport, Separated, separate};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};

/// A test and its name.
pub(crate) type Test = (&'static str, fn());

/// What a probe does before the walls close, and then inside.
#[derive(Clone, Copy)]
pub(crate) struct Probe {
    pub(crate) name: &'static str,
    pub(crate) before: fn(&mut Option<File>),
    pub(crate) inside: fn(Option<File>, &[String]),
}

impl Probe {
    pub(crate) const fn new(name: &'static str, inside: fn(Option<File>, &[String])) -> Self {
        Self { name, before: |_| (), inside }
    }
}

/// How a probe is started.
pub(crate) struct Stage {
    mode: JailMode,
    without: Vec<&'static str>,
    environment: Vec<(&'static str, &'static str)>,
    stdin: Option<OwnedFd>,
}

/// How it ended.
pub(crate) struct Outcome {
    pub(crate) status: ExitStatus,
    pub(crate) report: Option<JailReport>,
    pub(crate) errors: String,
}

impl Stage {
    pub(crate) fn new(mode: JailMode) -> Self {
        Self { mode, without: Vec::new(), environment: Vec::new(), stdin: None }
    }

    /// On a machine that does not have this.
    pub(crate) fn without(mut self, missing: &'static str) -> Self {
        self.without.push(missing);
        self
    }

    pub(crate) fn environment(mut self, name: &'static str, value: &'static str) -> Self {
        self.environment.push((name, value));
        self
    }

    pub(crate) fn stdin(mut self, stdin: impl Into<OwnedFd>) -> Self {
        self.stdin = Some(stdin.into());
        self
    }

    pub(crate) fn start(self, probe: &str, arguments: &[&str]) -> Child {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["probe", probe, &self.mode.to_string(), &std::process::id().to_string()])
            .arg(self.without.join(","))
            .args(arguments)
            .envs(self.environment)
            .stdin(self.stdin.map_or_else(Stdio::null, Stdio::from))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    pub(crate) fn run(self, probe: &str, arguments: &[&str]) -> Outcome {
        let mut child = self.start(probe, arguments);
        let (mut output, mut errors) = (String::new(), String::new());
        child.stdout.take().unwrap().read_to_string(&mut output).unwrap();
        child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        let report = output.lines().next().and_then(|line| serde_json::from_str(line).ok());
        Outcome { status: child.wait().unwrap(), report, errors }
    }
}

impl Outcome {
    /// It did all that it should.
    pub(crate) fn fine(self) -> JailReport {
        assert!(self.status.success(), "{}: {}", self.status, self.errors);
        self.report.unwrap()
    }
}

/// Runs a probe in a jail of which this machine permits what it permits.
pub(crate) fn run(probe: &str, arguments: &[&str]) -> JailReport {
    Stage::new(JailMode::Default).run(probe, arguments).fine()
}

/// `name mode parent without arguments…`
pub(crate) fn be_probe(arguments: &[String], probes: &[Probe]) {
    let [name, mode, parent, without, arguments @ ..] = arguments else { panic!("too few") };
    let probe = probes.iter().find(|probe| probe.name == name).expect("a probe");
    let mut without: Vec<&str> = without.split(',').filter(|name| !name.is_empty()).collect();
    // Without that, nothing else can be taken away.
    without.sort_by_key(|name| *name == "seccomp");
    without.into_iter().for_each(take_away);
    let separated: Separated =
        separate(mode.parse().unwrap(), &[0, 1, 2], None, parent.parse().unwrap()).unwrap();
    let mut kept = None;
    (probe.before)(&mut kept);
    match separated.close() {
        Ok(report) => println!("{}", serde_json::to_string(&report).unwrap()),
        Err(error) => {
            print_error(&error);
            std::process::exit(3);
        }
    }
    (probe.inside)(kept, arguments);
}

#[expect(clippy::print_stderr, reason = "tests")]
fn print_error(error: &dyn std::error::Error) {
    eprintln!("{error}");
}

/// Makes this machine one that does not have something.
fn take_away(name: &str) {
    let mut rules = Vec::new();
    let (call, error) = match name {
        "user namespaces" => {
            let flag = libc::CLONE_NEWUSER.unsigned_abs().into();
            let operator = SeccompCmpOp::MaskedEq(flag);
            let condition = SeccompCondition::new(0, SeccompCmpArgLen::Qword, operator, flag);
            rules.push(SeccompRule::new(vec![condition.unwrap()]).unwrap());
            (libc::SYS_unshare, libc::ENOSPC)
        }
        "seccomp" => (libc::SYS_seccomp, libc::EINVAL),
        "landlock" => (libc::SYS_landlock_create_ruleset, libc::EOPNOTSUPP),
        "namespaces" => (libc::SYS_unshare, libc::EPERM),
        "close_range" => (libc::SYS_close_range, libc::ENOSYS),
        "pivot_root" => (libc::SYS_pivot_root, libc::EINVAL),
        _ => panic!("{name} cannot be taken away"),
    };
    let calls = BTreeMap::from([(call, rules)]);
    let error = SeccompAction::Errno(error.unsigned_abs());
    let architecture = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(calls, SeccompAction::Allow, error, architecture).unwrap();
    apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
}
