//! What holds when the layers before it are missing: the first that an attacker meets would hide a hole
//! in the second.

use std::fs::{self, File};

use libc::c_int;
use pcm_runtime_jail::{JailMode, Part};

use crate::attack::{Listeners, sockets};
use crate::stage::{Probe, Stage, Test};

pub(crate) const PROBES: &[Probe] = &[
    Probe::new("nothing", |_, _| {}),
    Probe::new("nothing to open", nothing_to_open),
    Probe::new("empty root", empty_root),
    Probe::new("no rights", no_rights),
    Probe::new("no signals", no_signals),
    Probe::new("nobody", nobody),
    Probe::new("no listeners", sockets),
];

pub(crate) fn tests() -> Vec<Test> {
    vec![
        ("layers::landlock_alone_lets_nothing_be_opened", || {
            layer(&["seccomp", "namespaces"], Part::Landlock, "nothing to open", &[]);
        }),
        ("layers::landlock_alone_lets_nobody_be_signalled_or_connected_to", || {
            if landlock_version() >= 6 {
                let parent = std::process::id().to_string();
                layer(&["seccomp", "namespaces"], Part::Landlock, "no signals", &[&parent]);
                // It knows no datagrams, nor sockets with a path.
                let [tcp, _, _, name] = Listeners::new("landlock").arguments();
                let arguments = [&tcp, "127.0.0.1:9", "/nowhere", &name];
                layer(&["seccomp", "namespaces"], Part::Landlock, "no listeners", &arguments);
            }
        }),
        ("layers::the_mount_namespace_alone_has_an_empty_root", || {
            layer(&["seccomp", "landlock"], Part::MountNamespace, "empty root", &[]);
        }),
        ("layers::the_network_namespace_alone_reaches_no_listener", || {
            let listeners = Listeners::new("namespace");
            let arguments = listeners.arguments();
            let arguments = arguments.each_ref().map(String::as_str);
            layer(&["seccomp", "landlock"], Part::NetworkNamespace, "no listeners", &arguments);
            listeners.nobody_came();
        }),
        ("layers::the_process_namespace_alone_has_nobody_to_signal", || {
            let parent = std::process::id().to_string();
            layer(&["seccomp", "landlock"], Part::PidNamespace, "no signals", &[&parent]);
        }),
        ("layers::root_is_nobody", || {
            layer(&["seccomp", "landlock"], Part::User, "nobody", &[]);
            layer(&["seccomp", "landlock", "namespaces"], Part::User, "nobody", &[]);
            layer(&["seccomp", "landlock", "user namespaces"], Part::User, "nobody", &[]);
        }),
        ("layers::rights_cannot_be_won_back", || {
            layer(&["seccomp", "landlock"], Part::Capabilities, "no rights", &[]);
            layer(&["seccomp", "landlock", "namespaces"], Part::Capabilities, "no rights", &[]);
            layer(
                &["seccomp", "landlock", "user namespaces"],
                Part::Capabilities,
                "no rights",
                &[],
            );
        }),
    ]
}

/// Runs a probe behind one layer, on machines that have it.
fn layer(without: &[&'static str], part: Part, probe: &str, arguments: &[&str]) {
    let stage =
        || without.iter().fold(Stage::new(JailMode::Default), |stage, it| stage.without(it));
    let report = stage().run("nothing", &[]).fine();
    assert!(!report.holds(Part::Seccomp));
    if report.holds(part) {
        let report = stage().run(probe, arguments).fine();
        assert!(report.holds(part));
    }
}

fn landlock_version() -> i64 {
    // SAFETY: asks for the version; no memory is named.
    unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, 0, 0, 1) }
}

fn nothing_to_open(_: Option<File>, _: &[String]) {
    for path in ["/", "/etc", "/proc/self/environ", "/etc/passwd", "/dev/null", "."] {
        let error = File::open(path).unwrap_err().kind();
        assert!(
            matches!(error, std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::NotFound),
            "{path}: {error}"
        );
    }
    for folder in ["/", "/tmp", "."] {
        assert!(fs::read_dir(folder).is_err());
        assert!(File::create(format!("{folder}/pcm-jail-test")).is_err());
    }
}

fn empty_root(_: Option<File>, _: &[String]) {
    for folder in ["/", "/..", "."] {
        assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "{folder}");
        assert!(File::create(format!("{folder}/new")).is_err());
        assert!(fs::create_dir(format!("{folder}/folder")).is_err());
    }
    for path in ["/etc/passwd", "/proc/self/environ", "/dev/null", "/tmp"] {
        assert_eq!(fs::metadata(path).unwrap_err().kind(), std::io::ErrorKind::NotFound);
    }
    assert!(std::os::unix::fs::chroot("/").is_err());
}

fn nobody(_: Option<File>, _: &[String]) {
    assert!(!rustix::process::getuid().is_root() && !rustix::process::geteuid().is_root());
    // SAFETY: calls that fail; no memory is named.
    unsafe {
        assert_eq!(libc::setresuid(0, 0, 0), -1);
        assert_eq!(libc::setresgid(0, 0, 0), -1);
    }
}

fn no_rights(_: Option<File>, _: &[String]) {
    let sets = rustix::thread::capabilities(None).unwrap();
    assert!(sets.effective.is_empty() && sets.permitted.is_empty() && sets.inheritable.is_empty());
    assert!(rustix::thread::no_new_privs().unwrap());
    // SAFETY: calls that fail; no memory is named.
    unsafe {
        assert_eq!(libc::setresuid(2, 2, 2), -1);
        assert_eq!(libc::setresgid(2, 2, 2), -1);
        assert_eq!(libc::setgroups(0, std::ptr::null()), -1);
        assert_eq!(libc::unshare(libc::CLONE_NEWNS), -1);
        assert_eq!(libc::sethostname(c"x".as_ptr(), 1), -1);
        assert_eq!(libc::prctl(libc::PR_SET_SECUREBITS, 0), -1);
        let nowhere = c"/".as_ptr();
        assert_eq!(libc::mount(nowhere, nowhere, nowhere, libc::MS_REMOUNT, std::ptr::null()), -1);
    }
    let raised = rustix::process::Rlimit { current: Some(1 << 20), maximum: Some(1 << 20) };
    assert!(rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).is_err());
}

fn no_signals(_: Option<File>, arguments: &[String]) {
    let parent: c_int = arguments[0].parse().unwrap();
    // SAFETY: signals touch no memory of this process.
    unsafe {
        assert_eq!(libc::kill(parent, 0), -1);
        assert_eq!(libc::kill(parent, libc::SIGKILL), -1);
        assert_eq!(
            libc::kill(libc::getppid(), libc::SIGURG),
            if libc::getppid() == 0 { 0 } else { -1 }
        );
    }
}
