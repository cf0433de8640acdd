//! What engines and their hosts need must work.

use std::fs::File;
use std::io::{IoSliceMut, Read as _, Seek as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::panic::catch_unwind;
use std::time::Duration;

use libc::{c_int, c_void};
use pcm_runtime_jail::{JailMode, bound_memory, bound_processor_time};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap, mmap_anonymous, mprotect};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

use crate::stage::{Probe, Stage, Test, run};

pub(crate) const PROBES: &[Probe] = &[
    Probe { name: "tokio", before: warm_tokio, inside: tokio },
    Probe::new("threads", threads),
    Probe::new("code", code),
    Probe::new("memory files", memory_files),
    Probe { name: "written pages", before: pagemap, inside: written_pages },
    Probe::new("faults", faults),
    Probe::new("panics", panics),
    Probe::new("a lot", a_lot),
    Probe::new("bounded", bounded),
    Probe::new("forever", forever),
    Probe::new("too many threads", too_many_threads),
];

pub(crate) fn tests() -> Vec<Test> {
    vec![
        ("needs::tokio_runs_with_threads_timers_and_the_kept_socket", || {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let child = Stage::new(JailMode::Default).stdin(theirs).start("tokio", &[]);
            let mut ours = ours;
            ours.write_all(b"ping").unwrap();
            let mut answer = [0; 4];
            ours.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"pong");
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }),
        ("needs::threads_start_name_themselves_and_end", || {
            run("threads", &[]);
        }),
        ("needs::code_can_be_made_and_called", || {
            run("code", &[]);
        }),
        ("needs::files_in_memory_can_be_made_mapped_and_come_over_a_socket", || {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let child = Stage::new(JailMode::Default).stdin(theirs).start("memory files", &[]);
            send_file(&ours);
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }),
        ("needs::written_pages_can_be_found", || {
            run("written pages", &[]);
        }),
        ("needs::a_fault_is_handled_on_a_stack_of_its_own", || {
            run("faults", &[]);
        }),
        ("needs::a_panic_unwinds_and_has_a_backtrace", || {
            run("panics", &[]);
        }),
        ("needs::a_gibibyte_can_be_allocated", || {
            run("a lot", &[]);
        }),
        ("needs::bounded_memory_is_bounded_from_any_thread", || {
            run("bounded", &[]);
        }),
        ("needs::bounded_processor_time_ends", || {
            let outcome = Stage::new(JailMode::Default).run("forever", &[]);
            let signal = outcome.status.signal();
            assert!(matches!(signal, Some(libc::SIGKILL | libc::SIGXCPU)), "{}", outcome.errors);
        }),
        ("needs::threads_are_bounded_where_it_is_said", || {
            run("too many threads", &[]);
        }),
    ]
}

/// Signals of tokio use a pair of sockets, which is made once per process.
fn warm_tokio(_: &mut Option<File>) {
    drop(tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap());
}

fn tokio(_: Option<File>, _: &[String]) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    // SAFETY: nothing else in this process uses its standard input.
    let socket = unsafe { UnixStream::from_raw_fd(0) };
    socket.set_nonblocking(true).unwrap();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut socket = tokio::net::UnixStream::from_std(socket).unwrap();
        let mut question = [0; 4];
        socket.read_exact(&mut question).await.unwrap();
        assert_eq!(&question, b"ping");
        let tasks: Vec<_> = (0..100_u64)
            .map(|number| {
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(number % 7)).await;
                    tokio::task::spawn_blocking(move || number).await.unwrap()
                })
            })
            .collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await.unwrap();
        }
        assert_eq!(sum, 4950);
        tokio::time::timeout(Duration::from_millis(1), std::future::pending::<()>())
            .await
            .unwrap_err();
        socket.write_all(b"pong").await.unwrap();
    });
}

fn threads(_: Option<File>, _: &[String]) {
    let threads: Vec<_> = (0..64)
        .map(|number| {
            let builder = std::thread::Builder::new().name(format!("thread {number}"));
            builder.stack_size(64 << 20).spawn(std::thread::yield_now).unwrap()
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(std::thread::available_parallelism().unwrap().get() > 0);
    std::thread::sleep(Duration::from_millis(1));
}

fn code(_: Option<File>, _: &[String]) {
    #[cfg(target_arch = "x86_64")]
    let forty_two = [0xb8_u8, 42, 0, 0, 0, 0xc3];
    #[cfg(target_arch = "aarch64")]
    let forty_two = [0x40_u8, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6];
    // SAFETY: the mapping is new and this function's own; what is called are the bytes above.
    let answer = unsafe {
        let write = ProtFlags::READ | ProtFlags::WRITE;
        let memory = mmap_anonymous(std::ptr::null_mut(), 4096, write, MapFlags::PRIVATE).unwrap();
        std::ptr::copy_nonoverlapping(forty_two.as_ptr(), memory.cast(), forty_two.len());
        mprotect(memory, 4096, MprotectFlags::READ | MprotectFlags::EXEC).unwrap();
        #[cfg(target_arch = "aarch64")]
        std::arch::asm!("ic ivau, {0}", "dsb ish", "isb", in(reg) memory);
        std::mem::transmute::<*mut c_void, extern "C" fn() -> c_int>(memory)()
    };
    assert_eq!(answer, 42);
}

fn send_file(socket: &UnixStream) {
    let mut file = File::from(memfd_create("sent", MemfdFlags::CLOEXEC).unwrap());
    file.write_all(b"from outside").unwrap();
    let files = [file.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = SendAncillaryBuffer::new(&mut space);
    assert!(message.push(SendAncillaryMessage::ScmRights(&files)));
    let bytes = [std::io::IoSlice::new(b"x")];
    rustix::net::sendmsg(socket, &bytes, &mut message, SendFlags::empty()).unwrap();
}

fn receive_file() -> File {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let mut bytes = [IoSliceMut::new(&mut byte)];
    rustix::net::recvmsg(rustix::stdio::stdin(), &mut bytes, &mut message, RecvFlags::CMSG_CLOEXEC)
        .unwrap();
    let mut files = message.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut files) => files.next(),
        _ => None,
    });
    files.next().unwrap().into()
}

fn memory_files(_: Option<File>, _: &[String]) {
    let mut received = receive_file();
    let mut text = String::new();
    received.rewind().unwrap();
    received.read_to_string(&mut text).unwrap();
    assert_eq!(text, "from outside");

    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(memfd_create("made", flags).unwrap());
    file.set_len(1 << 20).unwrap();
    file.write_all(b"made inside").unwrap();
    // Whoever has a descriptor to read may be the owner, and would change the times of what it only reads.
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap_err();
    assert_eq!(file.metadata().unwrap().len(), 1 << 20);
    fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::SHRINK).unwrap();
    assert!(file.write_all(b"x").is_err());
    let copy = file.try_clone().unwrap();
    // SAFETY: a new mapping of a file that nobody changes.
    let mapped = unsafe {
        let write = ProtFlags::READ | ProtFlags::WRITE;
        mmap(std::ptr::null_mut(), 1 << 20, write, MapFlags::PRIVATE, &copy, 0).unwrap()
    };
    // SAFETY: as above; the mapping is as long as the file.
    let bytes = unsafe { std::slice::from_raw_parts_mut(mapped.cast::<u8>(), 1 << 20) };
    assert_eq!(&bytes[..11], b"made inside");
    bytes[0] = b'M';
}

fn pagemap(kept: &mut Option<File>) {
    *kept = Some(File::open("/proc/self/pagemap").unwrap());
}

/// `struct pm_scan_arg` of `linux/fs.h`.
#[repr(C)]
#[derive(Default)]
struct Scan {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    regions: u64,
    regions_length: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// The kernel may be too old for either; what it must not be is refused.
fn written_pages(pagemap: Option<File>, _: &[String]) {
    let pagemap = pagemap.unwrap();
    let mut scan = Scan {
        size: size_of::<Scan>() as u64,
        start: 0x1000,
        end: 0x2000,
        category_mask: 1,
        return_mask: 1,
        ..Scan::default()
    };
    // SAFETY: the argument is what the call takes, and outlives it.
    let outcome = unsafe { libc::ioctl(pagemap.as_raw_fd(), 0xc060_6610, &raw mut scan) };
    let error = std::io::Error::last_os_error().raw_os_error();
    assert!(outcome >= 0 || error == Some(libc::ENOTTY), "{error:?}");

    // SAFETY: makes a descriptor.
    let faults = unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC | 1) };
    let error = std::io::Error::last_os_error().raw_os_error();
    assert!(faults >= 0 || matches!(error, Some(libc::ENOSYS | libc::EINVAL)), "{error:?}");
    if faults >= 0 {
        let mut hello = [0xaa_u64, 0, 0];
        // SAFETY: the argument is what the call takes, and outlives it.
        let outcome =
            unsafe { libc::ioctl(faults.try_into().unwrap(), 0xc018_aa3f, &raw mut hello) };
        assert_eq!(outcome, 0);
    }
}

/// As engines handle the end of a guest's memory.
fn faults(_: Option<File>, _: &[String]) {
    extern "C" fn handle(_: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
        // SAFETY: the kernel gives a handler its information; the page is the test's.
        unsafe {
            let page = ((*info).si_addr() as usize & !4095) as *mut c_void;
            libc::mprotect(page, 4096, libc::PROT_READ | libc::PROT_WRITE);
        }
    }
    std::thread::spawn(|| {
        let mut stack = vec![0_u8; 64 << 10];
        // SAFETY: the stack outlives the handler's use: the thread ends here. The page is new.
        unsafe {
            let alternate = libc::stack_t {
                ss_sp: stack.as_mut_ptr().cast(),
                ss_flags: 0,
                ss_size: stack.len(),
            };
            assert_eq!(libc::sigaltstack(&raw const alternate, std::ptr::null_mut()), 0);
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handle as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            assert_eq!(libc::sigaction(libc::SIGSEGV, &raw const action, std::ptr::null_mut()), 0);
            let none = ProtFlags::empty();
            let page = mmap_anonymous(std::ptr::null_mut(), 4096, none, MapFlags::PRIVATE).unwrap();
            page.cast::<u8>().write_volatile(7);
            assert_eq!(page.cast::<u8>().read_volatile(), 7);
        }
    })
    .join()
    .unwrap();
}

fn panics(_: Option<File>, _: &[String]) {
    assert!(catch_unwind(|| panic!("caught")).is_err());
    let backtrace = std::backtrace::Backtrace::force_capture().to_string();
    assert!(backtrace.contains("0:"), "{backtrace}");
}

fn a_lot(_: Option<File>, _: &[String]) {
    let mut memory = vec![0_u8; 1 << 30];
    memory.iter_mut().step_by(1 << 20).for_each(|byte| *byte = 1);
    assert_eq!(memory.iter().step_by(1 << 20).map(|byte| usize::from(*byte)).sum::<usize>(), 1024);
}

fn bounded(_: Option<File>, _: &[String]) {
    let has = |bytes: usize| Vec::<u8>::new().try_reserve_exact(bytes).is_ok();
    assert!(has(256 << 20));
    std::thread::spawn(|| bound_memory(64 << 20).unwrap()).join().unwrap();
    assert!(has(32 << 20));
    assert!(!has(65 << 20));
    // For good: it can only be lowered.
    bound_memory(1 << 40).unwrap();
    assert!(!has(65 << 20));
    let raised = rustix::process::Rlimit { current: None, maximum: None };
    assert!(rustix::process::setrlimit(rustix::process::Resource::Data, raised).is_err());
    // Addresses that are only reserved do not count.
    // SAFETY: a new mapping, which nobody uses.
    unsafe {
        let none = ProtFlags::empty();
        mmap_anonymous(
            std::ptr::null_mut(),
            1 << 42,
            none,
            MapFlags::PRIVATE | MapFlags::NORESERVE,
        )
        .unwrap();
    }
}

fn forever(_: Option<File>, _: &[String]) {
    bound_processor_time(Duration::from_millis(200)).unwrap();
    loop {
        std::hint::spin_loop();
    }
}

fn too_many_threads(_: Option<File>, _: &[String]) {
    use rustix::process::{Resource, getrlimit};
    // Where the jail does not bound them there is nothing to see.
    if getrlimit(Resource::Nproc).current.is_some_and(|bound| bound <= 512) {
        let (end, wait) = std::sync::mpsc::channel::<()>();
        let wait = std::sync::Arc::new(std::sync::Mutex::new(wait));
        let threads: Vec<_> = (0..1000)
            .map_while(|_| {
                let wait = wait.clone();
                let builder = std::thread::Builder::new().stack_size(16 << 10);
                builder.spawn(move || wait.lock().unwrap().recv()).ok()
            })
            .collect();
        assert!((256..512).contains(&threads.len()), "{}", threads.len());
        drop(end);
        for thread in threads {
            assert!(thread.join().unwrap().is_err());
        }
    }
}
