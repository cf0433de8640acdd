//! A guest that calls the functions directly, with whatever it likes.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use pcm_python_wasm::Signals;
use pcm_runtime_api::{Limits, NoHost, SandboxConfig};
use pcm_runtime_guest::{Active, Control, Run};
use wasmtime::{Engine, Extern, Linker, Memory, MemoryType, Store, StoreLimits, Val, ValType};

use super::{Exited, MODULE, Wasi, define};
use crate::imports::GuestState;

const PAGE: u32 = 64 << 10;
const BADF: i32 = 8;
const FAULT: i32 = 21;
const ILSEQ: i32 = 25;
const INTR: i32 = 27;
const INVAL: i32 = 28;
const NAMETOOLONG: i32 = 37;
const NOENT: i32 = 44;
const NOTSUP: i32 = 58;
const PERM: i32 = 63;
const SPIPE: i32 = 70;

struct Guest {
    store: Store<GuestState>,
    linker: Linker<GuestState>,
    memory: Memory,
}

impl Guest {
    /// A guest with one page of memory.
    fn new(config: &SandboxConfig) -> Self {
        let engine = Engine::default();
        let mut linker = Linker::new(&engine);
        define(&mut linker).unwrap();
        let limits = config.limits.clone();
        let control = Arc::new(Control::new(&limits));
        let run = Arc::new(Run::new(limits, Arc::new(NoHost), None));
        let signals = Signals { any: 0, interrupt: 4, breaker: 8, breaker_bit: 1 };
        let state = GuestState {
            wasi: Wasi::new(config).unwrap(),
            limiter: StoreLimits::default(),
            memory: None,
            signals,
            active: Some(Active::new(run, control, false)),
        };
        let mut store = Store::new(&engine, state);
        let memory = Memory::new(&mut store, MemoryType::new(1, Some(1))).unwrap();
        store.data_mut().memory = Some(memory);
        Self { store, linker, memory }
    }

    async fn try_call(&mut self, name: &str, arguments: &[u64]) -> wasmtime::Result<i32> {
        let function = self.linker.get(&mut self.store, MODULE, name);
        let Ok(Extern::Func(function)) = function else { panic!("there is no {name}") };
        let kind = function.ty(&self.store);
        assert_eq!(kind.params().len(), arguments.len(), "{name}");
        let arguments: Vec<Val> = kind
            .params()
            .zip(arguments)
            .map(|(kind, value)| match kind {
                ValType::I64 => Val::I64(value.cast_signed()),
                _ => Val::I32(i32::from_le_bytes(*value.to_le_bytes().first_chunk().unwrap())),
            })
            .collect();
        let mut results = vec![Val::I32(0); kind.results().len()];
        function.call_async(&mut self.store, &arguments, &mut results).await?;
        Ok(results.first().map_or(0, Val::unwrap_i32))
    }

    async fn call(&mut self, name: &str, arguments: &[u64]) -> i32 {
        self.try_call(name, arguments).await.unwrap()
    }

    fn put(&mut self, at: u32, bytes: &[u8]) {
        self.memory.write(&mut self.store, at as usize, bytes).unwrap();
    }

    fn number(&mut self, at: u32) -> u32 {
        let mut bytes = [0; 4];
        self.memory.read(&self.store, at as usize, &mut bytes).unwrap();
        u32::from_le_bytes(bytes)
    }

    /// Opens a file of the session to read and write.
    async fn open(&mut self, path: &str) -> u64 {
        self.put(0, path.as_bytes());
        let length = path.len() as u64;
        let rights = u64::MAX;
        assert_eq!(self.call("path_open", &[3, 1, 0, length, 1, rights, rights, 0, 100]).await, 0);
        self.number(100).into()
    }
}

fn guest() -> Guest {
    Guest::new(&SandboxConfig::default())
}

#[tokio::test]
async fn what_is_not_in_memory_is_a_fault() {
    let mut guest = guest();
    let fd = guest.open("/work/a").await;
    let end = u64::from(PAGE);
    let far = u64::from(u32::MAX);
    for at in [end, end - 3, far, far - 7] {
        assert_eq!(guest.call("clock_time_get", &[0, 0, at]).await, FAULT);
        assert_eq!(guest.call("random_get", &[at, 100]).await, FAULT);
        assert_eq!(guest.call("fd_filestat_get", &[fd, at]).await, FAULT);
        assert_eq!(guest.call("fd_prestat_get", &[3, at]).await, FAULT);
        assert_eq!(guest.call("fd_write", &[fd, at, 1, 0]).await, FAULT);
        assert_eq!(guest.call("fd_readdir", &[3, at, 100, 0, 0]).await, FAULT);
        assert_eq!(guest.call("path_create_directory", &[3, at, 100]).await, FAULT);
        assert_eq!(guest.call("poll_oneoff", &[at, 0, 1, 0]).await, FAULT);
        assert_eq!(guest.call("poll_oneoff", &[0, at, 1, 0]).await, FAULT);
    }
    guest.put(0, b"/work/b");
    let open = [3, 1, 0, 7, 1, u64::MAX, 0, 0, end - 3];
    for _ in 0..1000 {
        assert_eq!(guest.call("path_open", &open).await, FAULT, "no descriptor is left behind");
    }
    let bad_part = [0_u32.to_le_bytes(), u32::MAX.to_le_bytes()].concat();
    guest.put(200, &bad_part);
    assert_eq!(guest.call("fd_write", &[fd, 200, 1, 0]).await, FAULT);
    assert_eq!(guest.call("fd_read", &[fd, 200, 1, 0]).await, FAULT);
    assert_eq!(guest.call("fd_write", &[fd, 200, 0, end]).await, FAULT);
}

#[tokio::test]
async fn counts_and_lengths_are_bounded() {
    let mut guest = guest();
    let fd = guest.open("/work/a").await;
    for count in [1025, 1 << 20, u32::MAX.into()] {
        assert_eq!(guest.call("fd_write", &[fd, 0, count, 0]).await, INVAL);
        assert_eq!(guest.call("fd_read", &[fd, 0, count, 0]).await, INVAL);
        assert_eq!(guest.call("poll_oneoff", &[0, 0, count, 0]).await, INVAL);
    }
    assert_eq!(guest.call("poll_oneoff", &[0, 0, 65, 0]).await, INVAL);
    assert_eq!(guest.call("poll_oneoff", &[0, 0, 0, 0]).await, INVAL);
    assert_eq!(guest.call("random_get", &[0, u32::MAX.into()]).await, INVAL);
    assert_eq!(guest.call("path_create_directory", &[3, 0, u64::from(PAGE)]).await, NAMETOOLONG);
    // A thousand times the whole memory is written as far as one call goes.
    let part = [0_u32.to_le_bytes(), PAGE.to_le_bytes()].concat();
    guest.put(1000, &part.repeat(1024));
    assert_eq!(guest.call("fd_write", &[fd, 1000, 1024, 0]).await, 0);
    assert_eq!(guest.number(0), 1 << 20);
    assert_eq!(guest.store.data().wasi.files.bytes(), 1 << 20);
}

#[tokio::test]
async fn paths_and_flags_are_checked() {
    let mut guest = guest();
    guest.put(0, b"\xff\xfe");
    assert_eq!(guest.call("path_create_directory", &[3, 0, 2]).await, ILSEQ);
    guest.put(0, b"a\0b");
    assert_eq!(guest.call("path_create_directory", &[3, 0, 3]).await, INVAL);
    assert_eq!(guest.call("path_create_directory", &[3, 0, 0]).await, NOENT);
    for fd in [0, 1, 2, 4, 1 << 31, u64::from(u32::MAX)] {
        assert_eq!(guest.call("path_create_directory", &[fd, 0, 1]).await, BADF, "{fd}");
    }
    let fd = guest.open("/work/a").await;
    assert_eq!(guest.call("fd_fdstat_set_flags", &[fd, 1 << 1]).await, NOTSUP);
    assert_eq!(guest.call("fd_fdstat_set_flags", &[fd, 1 << 2]).await, 0);
    assert_eq!(guest.call("fd_seek", &[fd, 0, 3, 0]).await, INVAL);
    assert_eq!(guest.call("fd_seek", &[fd, u64::MAX, 0, 0]).await, INVAL);
    assert_eq!(guest.call("fd_seek", &[1, 0, 0, 0]).await, SPIPE);
    assert_eq!(guest.call("fd_filestat_set_times", &[fd, 0, 0, 3]).await, INVAL);
    assert_eq!(guest.call("clock_time_get", &[4, 0, 0]).await, INVAL);
    assert_eq!(guest.call("fd_prestat_get", &[4, 0]).await, BADF);
    assert_eq!(guest.call("fd_prestat_dir_name", &[3, 0, 0]).await, NAMETOOLONG);
    assert_eq!(guest.call("path_symlink", &[0, 1, 3, 0, 1]).await, PERM);
    assert_eq!(guest.call("path_link", &[3, 0, 0, 1, 3, 0, 1]).await, PERM);
    let exit = guest.try_call("proc_exit", &[3]).await.unwrap_err();
    assert_eq!(exit.downcast_ref(), Some(&Exited(3)));
}

/// A subscription to a clock.
fn clock(id: u32, nanoseconds: u64, flags: u16) -> [u8; 48] {
    let mut wish = [0; 48];
    wish[0] = 77;
    wish[16..20].copy_from_slice(&id.to_le_bytes());
    wish[24..32].copy_from_slice(&nanoseconds.to_le_bytes());
    wish[40..42].copy_from_slice(&flags.to_le_bytes());
    wish
}

/// A subscription to a descriptor.
fn descriptor(kind: u8, fd: u32) -> [u8; 48] {
    let mut wish = [0; 48];
    wish[8] = kind;
    wish[16..20].copy_from_slice(&fd.to_le_bytes());
    wish
}

#[tokio::test]
async fn the_first_of_many_events_ends_a_wait() {
    let mut guest = guest();
    let day = 86_400_000_000_000;
    let wishes = [clock(1, day, 0), clock(1, 2_000_000, 0), clock(0, 1, 1)];
    guest.put(0, wishes.as_flattened());
    assert_eq!(guest.call("poll_oneoff", &[0, 1000, 3, 500]).await, 0);
    assert_eq!((guest.number(500), guest.number(1000)), (1, 77), "what was due long ago");
    let wishes = [clock(1, day, 0), descriptor(1, 0), descriptor(2, 1), descriptor(1, 99)];
    guest.put(0, wishes.as_flattened());
    assert_eq!(guest.call("poll_oneoff", &[0, 1000, 4, 500]).await, 0);
    assert_eq!(guest.number(500), 3);
    assert_eq!(guest.number(1000 + 2 * 32 + 8) & 0xffff, BADF.cast_unsigned());
    guest.put(0, &clock(1, 3_000_000, 0));
    let start = Instant::now();
    assert_eq!(guest.call("poll_oneoff", &[0, 1000, 1, 500]).await, 0);
    assert!(start.elapsed() >= Duration::from_millis(3));
    guest.put(8, &[9]);
    assert_eq!(guest.call("poll_oneoff", &[0, 1000, 1, 500]).await, INVAL);
}

#[tokio::test]
async fn a_wait_is_cut_short_by_an_interrupt() {
    let mut guest = guest();
    let control = Arc::clone(&guest.store.data().active.as_ref().unwrap().control);
    guest.put(100, &clock(1, u64::MAX, 0));
    control.cancel();
    assert_eq!(guest.call("poll_oneoff", &[100, 1000, 1, 500]).await, INTR);
    assert_eq!(guest.number(0), 1, "Python is told of its signal");
}

#[tokio::test]
async fn made_up_time_does_not_wait() {
    let limits = Limits::default();
    let config = SandboxConfig { deterministic: true, limits, ..SandboxConfig::default() };
    let mut guest = Guest::new(&config);
    guest.put(100, &clock(0, u64::MAX / 2, 0));
    assert_eq!(guest.call("poll_oneoff", &[100, 1000, 1, 500]).await, 0);
    assert_eq!(guest.number(500), 1);
}

#[tokio::test]
async fn a_listing_fills_buffers_of_every_size() {
    let mut guest = guest();
    for name in ["a", "bb", "a longer name than the others"] {
        guest.open(&format!("/work/{name}")).await;
    }
    guest.put(0, b"/work");
    assert_eq!(guest.call("path_open", &[3, 1, 0, 5, 2, 0, 0, 0, 100]).await, 0);
    let fd = guest.number(100).into();
    for size in [0, 1, 24, 25, 26, 60, 200, u64::from(PAGE) - 200] {
        assert_eq!(guest.call("fd_readdir", &[fd, 200, size, 0, 100]).await, 0, "{size}");
        assert_eq!(guest.number(100), u32::try_from(size).unwrap().min(155), "{size}");
    }
    assert_eq!(guest.call("fd_readdir", &[fd, 200, 200, u64::MAX, 100]).await, 0);
    assert_eq!(guest.number(100), 0);
    assert_eq!(guest.call("fd_readdir", &[1, 200, 200, 0, 100]).await, SPIPE);
}

/// Every function with numbers from the borders: none panics, and none ends the guest but the one
/// that is for it.
#[tokio::test]
async fn nothing_that_a_guest_passes_ends_its_host() {
    const NAMES: [&str; 37] = [
        "environ_get",
        "environ_sizes_get",
        "clock_res_get",
        "clock_time_get",
        "fd_advise",
        "fd_close",
        "fd_datasync",
        "fd_fdstat_get",
        "fd_fdstat_set_flags",
        "fd_filestat_get",
        "fd_filestat_set_size",
        "fd_filestat_set_times",
        "fd_pread",
        "fd_prestat_get",
        "fd_prestat_dir_name",
        "fd_pwrite",
        "fd_read",
        "fd_readdir",
        "fd_seek",
        "fd_sync",
        "fd_tell",
        "fd_write",
        "path_create_directory",
        "path_filestat_get",
        "path_filestat_set_times",
        "path_link",
        "path_open",
        "path_readlink",
        "path_remove_directory",
        "path_rename",
        "path_symlink",
        "path_unlink_file",
        "poll_oneoff",
        "sched_yield",
        "random_get",
        "sock_accept",
        "sock_recv",
    ];
    const BORDERS: [u64; 20] = [
        0,
        1,
        2,
        3,
        4,
        5,
        6,
        8,
        48,
        255,
        1024,
        4096,
        65_528,
        65_535,
        65_536,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        i64::MAX as u64,
        u64::MAX,
    ];
    // Made-up clocks, so that nothing waits; output is bounded by the run.
    let config = SandboxConfig { deterministic: true, ..SandboxConfig::default() };
    let mut guest = Guest::new(&config);
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % below as u64).unwrap()
    };
    guest.open("/work/a").await;
    guest.put(0, &[0, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0, 200, 0, 0, 0]);
    for round in 0..40_000 {
        let name = NAMES[next(NAMES.len())];
        let Ok(Extern::Func(function)) = guest.linker.get(&mut guest.store, MODULE, name) else {
            panic!("there is no {name}")
        };
        let count = function.ty(&guest.store).params().len();
        let arguments: Vec<u64> = (0..count).map(|_| BORDERS[next(BORDERS.len())]).collect();
        let answer = guest.try_call(name, &arguments).await;
        let is_flood = matches!(name, "fd_write" | "fd_pwrite") && answer.is_err();
        assert!(is_flood || answer.is_ok_and(|errno| errno < 77), "{round} {name} {arguments:?}");
        if round % 100 == 0 {
            guest.put(u32::try_from(next(60_000)).unwrap(), b"/work/b/../\xff..//tmp/x");
            let wasi = &guest.store.data().wasi;
            assert!(wasi.files.bytes() <= config.limits.vfs_bytes);
            assert!(Wasi::from_bytes(&wasi.to_bytes(), &config).is_ok(), "{round}");
        }
    }
}
