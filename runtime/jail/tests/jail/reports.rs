//! What is said of a jail is what holds.

use std::process::Command;

use pcm_runtime_jail::{JailMode, JailReport, Part, PartState};

use crate::stage::{Probe, Stage, Test, run};

pub(crate) const PROBES: &[Probe] = &[Probe::new("open", |_, _| {
    assert!(std::env::var_os("PCM_TEST_SECRET").is_some());
    assert!(std::fs::File::open("/proc/self/environ").is_ok());
    assert!(std::net::TcpListener::bind("127.0.0.1:0").is_ok());
})];

pub(crate) fn tests() -> Vec<Test> {
    vec![
        ("reports::every_part_holds_that_this_machine_permits", permitted_holds),
        ("reports::what_is_missing_is_named_with_the_reason", missing),
        ("reports::strict_refuses_to_go_on_without_a_part", strict),
        ("reports::off_does_nothing_and_says_so", off),
    ]
}

/// Tries one thing, in a process of its own, as directly as can be.
pub(crate) fn be_permitted(arguments: &[String]) {
    // SAFETY: system calls that name no memory, in a process that ends with them.
    let outcome = unsafe {
        match arguments[0].as_str() {
            "landlock" => libc::syscall(libc::SYS_landlock_create_ruleset, 0, 0, 1).min(0),
            "seccomp" => libc::prctl(libc::PR_GET_SECCOMP).min(0).into(),
            flags => {
                // With rights over the new namespace, where there are none over the machine.
                libc::unshare(libc::CLONE_NEWUSER);
                libc::unshare(flags.parse().unwrap()).into()
            }
        }
    };
    std::process::exit(i32::from(outcome != 0));
}

fn is_permitted(what: &str) -> bool {
    let program = std::env::current_exe().unwrap();
    Command::new(program).args(["permitted", what]).status().unwrap().success()
}

fn permitted_holds() {
    let report = run("nothing", &[]);
    for part in [
        Part::NoNewPrivileges,
        Part::Rlimits,
        Part::Environment,
        Part::Descriptors,
        Part::ParentDeath,
        Part::Capabilities,
    ] {
        assert!(report.holds(part), "{report}");
    }
    for (part, what) in [
        (Part::Landlock, "landlock".to_owned()),
        (Part::Seccomp, "seccomp".to_owned()),
        (Part::NetworkNamespace, libc::CLONE_NEWNET.to_string()),
        (Part::PidNamespace, libc::CLONE_NEWPID.to_string()),
        (Part::MountNamespace, libc::CLONE_NEWNS.to_string()),
        (Part::IpcNamespace, libc::CLONE_NEWIPC.to_string()),
    ] {
        assert_eq!(report.holds(part), is_permitted(&what), "{part}: {report}");
    }
    assert_eq!(report.state(Part::Cgroup), None);
}

fn missing() {
    for (without, part) in [
        ("seccomp", Part::Seccomp),
        ("landlock", Part::Landlock),
        ("namespaces", Part::UserNamespace),
        ("namespaces", Part::PidNamespace),
        ("pivot_root", Part::MountNamespace),
    ] {
        let report = Stage::new(JailMode::Default).without(without).run("nothing", &[]).fine();
        let Some(PartState::Missing { reason }) = report.state(part) else { panic!("{report}") };
        assert!(reason.len() > 10, "{reason}");
        assert!(report.holds(Part::Rlimits) && !report.is_complete());
    }
}

fn strict() {
    let complete = run("nothing", &[]).is_complete();
    let outcome = Stage::new(JailMode::Strict).run("nothing", &[]);
    assert_eq!(outcome.status.success(), complete, "{}", outcome.errors);
    let outcome = Stage::new(JailMode::Strict).without("landlock").run("nothing", &[]);
    assert_eq!(outcome.status.code(), Some(3));
    assert!(outcome.report.is_none());
    assert!(outcome.errors.contains("Landlock (this kernel has no Landlock"), "{}", outcome.errors);
}

fn off() {
    let outcome = Stage::new(JailMode::Off).environment("PCM_TEST_SECRET", "x").run("open", &[]);
    let report: JailReport = outcome.fine();
    assert!(report.parts().all(|(_, state)| *state == PartState::Off));
    assert!(report.missing().next().is_none() && !report.is_complete());
}
