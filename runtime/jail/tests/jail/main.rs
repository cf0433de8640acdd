//! The jail from inside and from outside.
//!
//! A jail changes the process that it is closed around, so each test starts this program a second time:
//! as a probe, which jails itself and then tries what an attacker or an engine would.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod attack;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod death;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod groups;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod layers;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod needs;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod program;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod reports;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod stage;

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let probes: &[&[stage::Probe]] = &[
        attack::PROBES,
        death::PROBES,
        groups::PROBES,
        layers::PROBES,
        needs::PROBES,
        reports::PROBES,
    ];
    match arguments.get(1).map(String::as_str) {
        Some("probe") => stage::be_probe(&arguments[2..], &probes.concat()),
        Some("program") => program::be_program(&arguments[2..]),
        Some("parent") => death::be_parent(&arguments[2..]),
        Some("permitted") => reports::be_permitted(&arguments[2..]),
        _ => {
            let tests = [
                attack::tests(),
                death::tests(),
                groups::tests(),
                layers::tests(),
                needs::tests(),
                program::tests(),
                reports::tests(),
            ];
            let tests = tests.into_iter().flatten().map(|(name, test)| {
                libtest_mimic::Trial::test(name, move || {
                    test();
                    Ok(())
                })
            });
            let arguments = libtest_mimic::Arguments::from_args();
            libtest_mimic::run(&arguments, tests.collect()).exit();
        }
    }
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn main() {}
