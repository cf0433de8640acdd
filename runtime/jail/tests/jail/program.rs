//! The walls around an installed program.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use pcm_runtime_jail::{JailError, JailMode, KernelWalls, Part, PartState, TcpPorts};

use crate::stage::Test;

pub(crate) fn tests() -> Vec<Test> {
    vec![
        ("program::it_runs_programs_and_sees_its_folders_and_ports_and_no_others", runs),
        ("program::its_memory_can_be_bounded", memory),
        ("program::it_dies_with_the_thread_that_has_started_it", || {
            let child = std::thread::spawn(|| {
                let mut command = Command::new("/bin/sleep");
                command.arg("1000");
                walls().prepare(JailMode::Default).unwrap().put_around(&mut command);
                command.spawn().unwrap()
            });
            let mut child = child.join().unwrap();
            assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
        }),
        ("program::a_path_that_is_not_there_is_an_error", || {
            let walls =
                KernelWalls { readable: vec!["/not/there".into()], ..KernelWalls::default() };
            let error = walls.prepare(JailMode::Default);
            // Where Landlock is missing, nobody looks at paths.
            if let Err(error) = error {
                assert!(matches!(error, JailError::Path { .. }), "{error}");
                assert!(error.to_string().contains("/not/there"), "{error}");
            }
        }),
        ("program::off_does_nothing_and_says_so", || {
            let prepared = KernelWalls::default().prepare(JailMode::Off).unwrap();
            assert!(prepared.report().parts().all(|(_, state)| *state == PartState::Off));
            let mut command = Command::new("/bin/cat");
            prepared.put_around(command.arg("/proc/self/status"));
            assert!(command.stdout(Stdio::null()).status().unwrap().success());
        }),
    ]
}

/// What programs of this machine need, and this one.
fn walls() -> KernelWalls {
    let own = std::env::current_exe().unwrap();
    let folders = ["/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/nix", "/gnu"];
    let folders = folders.map(std::path::PathBuf::from).into_iter().filter(|path| path.exists());
    KernelWalls { readable: folders.chain([own]).collect(), ..KernelWalls::default() }
}

fn runs() {
    let allowed = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
    let (readable, writable) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(readable.path().join("file"), "text").unwrap();
    let mut walls = walls();
    walls.readable.push(readable.path().to_owned());
    walls.writable.push(writable.path().to_owned());
    walls.tcp = TcpPorts::Only { listen: vec![0], connect: vec![port(&allowed)] };
    let prepared = walls.prepare(JailMode::Default).unwrap();
    let report = prepared.report().clone();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("program").args([readable.path(), writable.path()]);
    command.args([port(&allowed), port(&other)].map(|port| port.to_string()));
    command
        .args([report.holds(Part::Landlock), report.holds(Part::Seccomp)].map(|it| it.to_string()));
    command.arg(std::process::id().to_string()).env_clear();
    let file = File::open("/proc/self/status").unwrap();
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).unwrap();
    prepared.put_around(&mut command);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// `readable writable port other-port landlock seccomp parent`
pub(crate) fn be_program(arguments: &[String]) {
    let [readable, writable, port, other, landlock, seccomp, parent] = arguments else {
        return eat();
    };
    let (port, other): (u16, u16) = (port.parse().unwrap(), other.parse().unwrap());
    // It is a program like any other.
    assert!(Command::new("/bin/true").status().unwrap().success());
    std::thread::spawn(|| {}).join().unwrap();
    assert_eq!(fs::read(format!("{readable}/file")).unwrap(), b"text");
    fs::write(format!("{writable}/file"), "new").unwrap();
    fs::create_dir(format!("{writable}/folder")).unwrap();
    fs::rename(format!("{writable}/file"), format!("{writable}/folder/file")).unwrap();
    TcpStream::connect(("127.0.0.1", port)).unwrap();
    TcpListener::bind("127.0.0.1:0").unwrap();
    assert!(File::open("/dev/null").is_ok());
    assert!(rustix::thread::no_new_privs().unwrap());
    assert!(rustix::thread::capabilities(None).unwrap().effective.is_empty());
    only_standard_descriptors();
    if landlock == "true" {
        landlocked(readable, other, parent);
    }
    if seccomp == "true" {
        filtered();
    }
}

fn only_standard_descriptors() {
    // SAFETY: asks whether they are open.
    let open = |descriptor: &i32| unsafe { libc::fcntl(*descriptor, libc::F_GETFD) } >= 0;
    assert_eq!((0..4096).filter(open).collect::<Vec<_>>(), [0, 1, 2]);
}

fn landlocked(readable: &str, other: u16, parent: &str) {
    // SAFETY: asks for the version; no memory is named.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, 0, 0, 1) };
    for path in ["/etc/passwd", "/proc/self/environ", "/"] {
        assert!(File::open(path).is_err(), "{path}");
    }
    assert!(fs::write(format!("{readable}/file"), "x").is_err());
    assert!(fs::remove_file(format!("{readable}/file")).is_err());
    if version >= 4 {
        assert!(TcpStream::connect(("127.0.0.1", other)).is_err());
        assert!(TcpListener::bind(("127.0.0.1", other)).is_err());
    }
    if version >= 6 {
        let parent: libc::pid_t = parent.parse().unwrap();
        // SAFETY: a signal with number 0, which is only tried.
        assert_eq!(unsafe { libc::kill(parent, 0) }, -1);
    }
    assert!(Path::new("/usr").exists());
}

/// Each with arguments that an unfiltered system would refuse otherwise, or accept.
fn filtered() {
    let int = libc::c_long::from;
    for (call, arguments, expected) in [
        (libc::SYS_ptrace, [0; 4], libc::EPERM),
        (libc::SYS_unshare, [0; 4], libc::EPERM),
        (libc::SYS_setns, [0; 4], libc::EPERM),
        (libc::SYS_mount, [0; 4], libc::EPERM),
        (libc::SYS_bpf, [0; 4], libc::EPERM),
        (libc::SYS_keyctl, [0; 4], libc::EPERM),
        (libc::SYS_io_uring_setup, [0; 4], libc::EPERM),
        (libc::SYS_userfaultfd, [1, 0, 0, 0], libc::EPERM),
        (libc::SYS_perf_event_open, [0; 4], libc::EPERM),
        (libc::SYS_process_vm_readv, [0; 4], libc::EPERM),
        (libc::SYS_open_by_handle_at, [0; 4], libc::EPERM),
        (libc::SYS_kexec_load, [0; 4], libc::EPERM),
        (libc::SYS_clone, [int(libc::CLONE_NEWUSER), 0, 0, 0], libc::EPERM),
        (libc::SYS_ioctl, [0, 0x5412, 0, 0], libc::EPERM),
        (libc::SYS_clone3, [0; 4], libc::ENOSYS),
        (
            libc::SYS_socket,
            [int(libc::AF_NETLINK), int(libc::SOCK_RAW), int(libc::NETLINK_NETFILTER), 0],
            libc::EAFNOSUPPORT,
        ),
        (libc::SYS_socket, [int(libc::AF_VSOCK), int(libc::SOCK_STREAM), 0, 0], libc::EAFNOSUPPORT),
        (libc::SYS_socketpair, [int(libc::AF_TIPC), 1, 0, 0], libc::EAFNOSUPPORT),
        (467, [0; 4], libc::ENOSYS),
        (0x4000_0000 | libc::SYS_getpid, [0; 4], libc::ENOSYS),
    ] {
        let [a, b, c, d] = arguments;
        // SAFETY: no memory is named.
        let outcome = unsafe { libc::syscall(call, a, b, c, d, 0, 0) };
        let error = std::io::Error::last_os_error().raw_os_error();
        assert_eq!((outcome, error), (-1, Some(expected)), "{call} {arguments:?}");
    }
    std::os::unix::net::UnixStream::pair().unwrap();
}

fn memory() {
    let walls = KernelWalls { memory: Some(128 << 20), ..walls() };
    let mut command = Command::new(std::env::current_exe().unwrap());
    walls.prepare(JailMode::Default).unwrap().put_around(command.arg("program"));
    assert!(command.status().unwrap().success());
}

fn eat() {
    assert!(Vec::<u8>::new().try_reserve_exact(64 << 20).is_ok());
    assert!(Vec::<u8>::new().try_reserve_exact(256 << 20).is_err());
}
