//! What native code that has escaped from an engine would try.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt as _;

use libc::{c_int, c_long};
use pcm_runtime_jail::{JailMode, Part};

use crate::stage::{Probe, Stage, Test, run};

pub(crate) const PROBES: &[Probe] = &[
    Probe::new("files", files),
    Probe { name: "status", before: a_file, inside: status },
    Probe::new("sockets", sockets),
    Probe::new("processes", processes),
    Probe::new("refused", refused),
    Probe::new("call", call),
    Probe::new("clone", clone),
    Probe::new("x32", x32),
    Probe::new("descriptors", descriptors),
    Probe::new("environment", environment),
    Probe { name: "memory", before: look_for_secret, inside: |_, _| {} },
    Probe::new("limits", limits),
];

pub(crate) fn tests() -> Vec<Test> {
    vec![
        ("attack::no_file_can_be_opened_listed_made_or_asked_about", || {
            run("files", &[]);
        }),
        ("attack::the_status_of_a_descriptor_is_told_and_that_of_a_path_is_not", || {
            run("status", &[]);
        }),
        ("attack::no_listener_of_the_machine_can_be_reached", reach_listeners),
        ("attack::no_other_process_can_be_signalled", || {
            run("processes", &[&std::process::id().to_string()]);
        }),
        ("attack::calls_off_the_list_fail", || {
            run("refused", &[]);
        }),
        ("attack::calls_that_only_attackers_make_end_the_process", deadly_calls),
        ("attack::processes_cannot_be_started", || {
            for flags in [libc::SIGCHLD, libc::CLONE_VM | libc::SIGCHLD, libc::CLONE_NEWUSER] {
                dies(&["clone", &flags.to_string()]);
            }
        }),
        #[cfg(target_arch = "x86_64")]
        ("attack::calls_of_another_abi_fail", || {
            run("x32", &[]);
        }),
        ("attack::no_descriptor_is_inherited", inherited),
        ("attack::no_descriptor_is_inherited_where_they_cannot_be_closed_at_once", || {
            let stage = Stage::new(JailMode::Default).without("close_range");
            let file = inheritable();
            stage.run("descriptors", &[&file.as_raw_fd().to_string()]).fine();
        }),
        ("attack::the_environment_of_the_parent_is_nowhere", secret),
        ("attack::there_are_no_core_dumps_and_few_of_everything", || {
            run("limits", &[]);
        }),
    ]
}

fn files(_: Option<File>, _: &[String]) {
    for path in ["/", "/etc/passwd", "/proc/self/environ", "/proc/1/mem", "/dev/null", "."] {
        assert_eq!(File::open(path).unwrap_err().raw_os_error(), Some(libc::EPERM), "{path}");
        assert!(fs::metadata(path).is_err(), "{path}");
        assert!(fs::symlink_metadata(path).is_err(), "{path}");
        assert!(fs::read_dir(path).is_err(), "{path}");
        assert!(fs::read_link(path).is_err(), "{path}");
    }
    assert!(File::create("/new").is_err());
    assert!(fs::create_dir("/new").is_err());
    assert!(fs::remove_file("/etc/passwd").is_err());
    assert!(std::env::current_dir().is_err());
    assert!(std::env::set_current_dir("/").is_err());
}

fn a_file(kept: &mut Option<File>) {
    *kept = Some(File::open("/proc/self/status").unwrap());
}

fn status(file: Option<File>, _: &[String]) {
    let file = file.unwrap();
    // By the C library, whichever call it uses; and by the one that takes a path.
    assert!(file.metadata().unwrap().is_file());
    let ask = |descriptor: c_int, path: &std::ffi::CStr, flags: c_int| {
        let mut status = std::mem::MaybeUninit::<libc::stat>::zeroed();
        // SAFETY: the path and the status outlive the call.
        let outcome = unsafe {
            let status = status.as_mut_ptr();
            libc::syscall(libc::SYS_newfstatat, descriptor, path.as_ptr(), status, flags)
        };
        let error = std::io::Error::last_os_error().raw_os_error();
        // SAFETY: zeros are valid, and so is what the kernel has written.
        if outcome == 0 { Ok(unsafe { status.assume_init() }.st_ino) } else { Err(error.unwrap()) }
    };
    let own = std::os::unix::fs::MetadataExt::ino(&file.metadata().unwrap());
    assert_eq!(ask(file.as_raw_fd(), c"", libc::AT_EMPTY_PATH), Ok(own));
    assert_eq!(ask(-1, c"", libc::AT_EMPTY_PATH), Err(libc::EBADF));
    assert_eq!(ask(libc::AT_FDCWD, c"/", 0), Err(libc::EPERM));
    assert_eq!(ask(libc::AT_FDCWD, c"/", libc::AT_EMPTY_PATH), Err(libc::EPERM));
    assert_eq!(ask(file.as_raw_fd(), c"..", libc::AT_EMPTY_PATH), Err(libc::EPERM));
}

/// Four listeners of the machine, to which nobody should come.
pub(crate) struct Listeners {
    tcp: TcpListener,
    udp: UdpSocket,
    named: UnixListener,
    hidden: UnixListener,
    name: String,
    folder: tempfile::TempDir,
}

impl Listeners {
    pub(crate) fn new(name: &str) -> Self {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        tcp.set_nonblocking(true).unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        udp.set_nonblocking(true).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let named = UnixListener::bind(folder.path().join("socket")).unwrap();
        named.set_nonblocking(true).unwrap();
        let name = format!("{name}-{}", std::process::id());
        let hidden = SocketAddr::from_abstract_name(&name).unwrap();
        let hidden = UnixListener::bind_addr(&hidden).unwrap();
        hidden.set_nonblocking(true).unwrap();
        Self { tcp, udp, named, hidden, name, folder }
    }

    pub(crate) fn arguments(&self) -> [String; 4] {
        [
            self.tcp.local_addr().unwrap().to_string(),
            self.udp.local_addr().unwrap().to_string(),
            self.folder.path().join("socket").to_str().unwrap().to_owned(),
            self.name.clone(),
        ]
    }

    pub(crate) fn nobody_came(&self) {
        assert!(self.tcp.accept().is_err());
        assert!(self.named.accept().is_err());
        assert!(self.hidden.accept().is_err());
        assert!(self.udp.recv(&mut [0]).is_err());
    }
}

fn reach_listeners() {
    let listeners = Listeners::new("attack");
    run("sockets", &listeners.arguments().each_ref().map(String::as_str));
    listeners.nobody_came();
}

pub(crate) fn sockets(_: Option<File>, arguments: &[String]) {
    let [tcp, udp, path, name] = arguments else { panic!("four") };
    TcpStream::connect(tcp).unwrap_err();
    UnixStream::connect(path).unwrap_err();
    let address = SocketAddr::from_abstract_name(name).unwrap();
    UnixStream::connect_addr(&address).unwrap_err();
    // A datagram is sent or not; who waits for it will say.
    let _ = UdpSocket::bind("0.0.0.0:0").and_then(|socket| socket.send_to(b"x", udp));
}

fn processes(_: Option<File>, arguments: &[String]) {
    let parent: c_int = arguments[0].parse().unwrap();
    let own = c_int::try_from(std::process::id()).unwrap();
    // SAFETY: signals with number 0, which are only tried; they touch no memory.
    unsafe {
        for other in [parent, -parent, 0, -1, own + 1] {
            assert_eq!(libc::kill(other, 0), -1, "{other}");
            assert_eq!(libc::kill(other, libc::SIGKILL), -1, "{other}");
        }
        assert_eq!(libc::kill(own, 0), 0);
        assert_eq!(libc::syscall(libc::SYS_tgkill, own, own, 0), 0);
        assert_eq!(libc::syscall(libc::SYS_tgkill, parent, parent, libc::SIGKILL), -1);
        assert_eq!(libc::syscall(libc::SYS_tkill, own, 0), -1);
    }
}

/// Each with arguments that would be accepted outside.
fn refused(_: Option<File>, _: &[String]) {
    let pair = [0_i32; 2];
    let pair = pair.as_ptr() as c_long;
    let path = c"/".as_ptr() as c_long;
    let text = c"x".as_ptr() as c_long;
    let times = [libc::timespec { tv_sec: 0, tv_nsec: 0 }; 2];
    let times = times.as_ptr() as c_long;
    let address = libc::sockaddr_un { sun_family: 1, sun_path: [0; 108] };
    let address = (&raw const address) as c_long;
    let int = c_long::from;
    for (call, arguments) in [
        (libc::SYS_socket, [int(libc::AF_INET), int(libc::SOCK_STREAM), 0, 0, 0, 0]),
        (libc::SYS_socket, [int(libc::AF_UNIX), int(libc::SOCK_STREAM), 0, 0, 0, 0]),
        (libc::SYS_socket, [int(libc::AF_NETLINK), int(libc::SOCK_RAW), 0, 0, 0, 0]),
        (libc::SYS_socketpair, [int(libc::AF_UNIX), int(libc::SOCK_STREAM), 0, pair, 0, 0]),
        (libc::SYS_setsockopt, [0, int(libc::SOL_SOCKET), 0, 0, 0, 0]),
        (libc::SYS_sendto, [0, text, 1, 0, address, 110]),
        (libc::SYS_utimensat, [int(libc::AT_FDCWD), path, times, 0, 0, 0]),
        (libc::SYS_userfaultfd, [0; 6]),
        (libc::SYS_prctl, [int(libc::PR_SET_DUMPABLE), 1, 0, 0, 0, 0]),
        (libc::SYS_prctl, [int(libc::PR_SET_PDEATHSIG), 0, 0, 0, 0, 0]),
        (libc::SYS_prlimit64, [1_000_000, 0, 0, 0, 0, 0]),
        (libc::SYS_ioctl, [0, 0x5412, text, 0, 0, 0]),
        // The system ignores the upper half of a command; a filter must not be fooled by it.
        (libc::SYS_ioctl, [0, 0x1_0000_5412, text, 0, 0, 0]),
        (libc::SYS_fcntl, [0, int(libc::F_SETOWN), 1, 0, 0, 0]),
        (libc::SYS_fchmod, [0, 0o777, 0, 0, 0, 0]),
        (libc::SYS_fchown, [0, 0, 0, 0, 0, 0]),
        (libc::SYS_flock, [0, int(libc::LOCK_SH), 0, 0, 0, 0]),
        (libc::SYS_setpriority, [0, 0, 0, 0, 0, 0]),
        (libc::SYS_personality, [0x0040_0000, 0, 0, 0, 0, 0]),
        (libc::SYS_seccomp, [1, 0, 0, 0, 0, 0]),
        (libc::SYS_shmget, [0, 4096, 0o1600, 0, 0, 0]),
        (libc::SYS_mlock, [text, 1, 0, 0, 0, 0]),
        (libc::SYS_inotify_init1, [0; 6]),
        (libc::SYS_setuid, [0; 6]),
        (libc::SYS_wait4, [-1, 0, 0, 0, 0, 0]),
        (999, [0; 6]),
    ] {
        let [first, second, third, fourth, fifth, sixth] = arguments;
        // SAFETY: what is pointed to outlives the call; none of the calls would change memory.
        let outcome = unsafe { libc::syscall(call, first, second, third, fourth, fifth, sixth) };
        let error = std::io::Error::last_os_error().raw_os_error();
        assert_eq!((outcome, error), (-1, Some(libc::EPERM)), "{call} {arguments:?}");
    }
    for call in [libc::SYS_clone3, libc::SYS_statx] {
        // SAFETY: no memory is named.
        let outcome = unsafe { libc::syscall(call, 0, 0, 0, 0, 0) };
        let error = std::io::Error::last_os_error().raw_os_error();
        assert_eq!((outcome, error), (-1, Some(libc::ENOSYS)), "{call}");
    }
}

fn deadly_calls() {
    let calls = [
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_pidfd_open,
        libc::SYS_pidfd_getfd,
        libc::SYS_pidfd_send_signal,
        libc::SYS_kcmp,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_move_mount,
        libc::SYS_fsopen,
        libc::SYS_open_tree,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_open_by_handle_at,
        libc::SYS_bpf,
        libc::SYS_keyctl,
        libc::SYS_io_uring_setup,
        libc::SYS_perf_event_open,
        libc::SYS_kexec_load,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_fork,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_vfork,
    ];
    for call in calls {
        dies(&["call", &call.to_string()]);
    }
}

fn dies(probe: &[&str]) {
    let [name, arguments @ ..] = probe else { panic!("a name") };
    let outcome = Stage::new(JailMode::Default).run(name, arguments);
    assert!(outcome.report.unwrap().holds(Part::Seccomp));
    // Its outer process has ended like this too: the filter's signal, and no other.
    assert_eq!(outcome.status.signal(), Some(libc::SIGSYS), "{probe:?}: {}", outcome.errors);
}

fn call(_: Option<File>, arguments: &[String]) {
    // SAFETY: no memory is named; the call is not made at all.
    unsafe { libc::syscall(arguments[0].parse::<c_long>().unwrap(), 0, 0, 0, 0, 0, 0) };
}

fn clone(_: Option<File>, arguments: &[String]) {
    // SAFETY: the process ends here.
    unsafe { libc::syscall(libc::SYS_clone, arguments[0].parse::<c_long>().unwrap(), 0, 0, 0, 0) };
}

/// The same calls have other numbers there, which a list of numbers does not name.
fn x32(_: Option<File>, _: &[String]) {
    for call in [libc::SYS_getpid, libc::SYS_openat, libc::SYS_socket] {
        // SAFETY: no memory is named.
        let outcome = unsafe { libc::syscall(call | 0x4000_0000, 0, 0, 0, 0) };
        let error = std::io::Error::last_os_error().raw_os_error();
        assert_eq!((outcome, error), (-1, Some(libc::EPERM)), "{call}");
    }
}

/// A file that every child inherits.
fn inheritable() -> File {
    let file = File::open("/proc/self/status").unwrap();
    let far = rustix::io::fcntl_dupfd_cloexec(file, 100).unwrap();
    rustix::io::fcntl_setfd(&far, rustix::io::FdFlags::empty()).unwrap();
    far.into()
}

fn inherited() {
    let file = inheritable();
    run("descriptors", &[&file.as_raw_fd().to_string()]);
}

fn descriptors(_: Option<File>, arguments: &[String]) {
    let inherited: c_int = arguments[0].parse().unwrap();
    let is_open = |descriptor: &c_int| {
        // SAFETY: asks whether it is open.
        unsafe { libc::fcntl(*descriptor, libc::F_GETFD) >= 0 }
    };
    assert!(!is_open(&inherited));
    // The three that were kept, and the one that the jail reads its own memory use from.
    let open: Vec<c_int> = (0..65_536).filter(is_open).collect();
    assert!(open.len() == 4 && open.starts_with(&[0, 1, 2]), "{open:?}");
}

const SECRET: &str = "hunter2-in-the-environment";

fn secret() {
    let report = Stage::new(JailMode::Default)
        .environment("PCM_TEST_SECRET", SECRET)
        .run("environment", &[])
        .fine();
    assert!(report.holds(Part::Environment));
    Stage::new(JailMode::Default).environment("PCM_TEST_SECRET", SECRET).run("memory", &[]).fine();
}

fn environment(_: Option<File>, _: &[String]) {
    assert_eq!(std::env::vars_os().count(), 0);
    assert_eq!(std::env::var_os("PATH"), None);
}

/// Looks through all memory that can be written. The secret itself is put together nowhere; this
/// program has it as a constant, in memory that cannot be written.
fn look_for_secret(_: &mut Option<File>) {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mut looked_at = 0;
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let from = usize::from_str_radix(from, 16).unwrap();
        let to = usize::from_str_radix(to, 16).unwrap();
        // SAFETY: it is mapped and readable; the process has one thread, and this one changes nothing
        // but its own stack while it looks.
        let memory = unsafe { std::slice::from_raw_parts(from as *const u8, to - from) };
        looked_at += memory.len();
        let found = memory.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
        assert!(!found, "the secret is in {line}");
    }
    assert!(looked_at > 100_000);
    let environment = fs::read("/proc/self/environ").unwrap();
    assert!(environment.iter().all(|byte| *byte == 0));
}

fn limits(_: Option<File>, _: &[String]) {
    use rustix::process::{Resource, getrlimit};
    for (resource, most) in [
        (Resource::Core, 0),
        (Resource::Memlock, 0),
        (Resource::Nofile, 512),
        (Resource::Fsize, 1 << 34),
    ] {
        let limit = getrlimit(resource);
        assert!(limit.current.is_some_and(|limit| limit <= most), "{resource:?}");
        assert_eq!(limit.current, limit.maximum, "{resource:?}");
    }
    // SAFETY: asks for a flag.
    assert_eq!(unsafe { libc::prctl(libc::PR_GET_DUMPABLE) }, 0);
    let files: Vec<_> = std::iter::from_fn(|| {
        rustix::event::epoll::create(rustix::event::epoll::CreateFlags::CLOEXEC).ok()
    })
    .take(1000)
    .collect();
    assert!(files.len() < 512);
}
