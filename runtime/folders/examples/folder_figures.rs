//! What a path and a small file cost, opened here and served: `cargo run --release -p
//! pcm-runtime-folders --example folder_figures`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program for people")]

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use pcm_runtime_api::{Mount, MountAccess, MountSource};
use pcm_runtime_files::{Files, Opening, Quota, ROOT};
use pcm_runtime_folders::{connect, pair};

const ROUNDS: u32 = 20_000;
const READ: Opening = Opening::READ;

/// The median of nine times, in microseconds for each round.
fn measure(rounds: u32, mut round: impl FnMut()) -> f64 {
    let mut times: Vec<_> = (0..9)
        .map(|_| {
            let start = Instant::now();
            (0..rounds / 9).for_each(|_| round());
            start.elapsed().as_secs_f64() * 1e6 / f64::from(rounds / 9)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[4]
}

fn show(name: &str, source: MountSource) {
    let access = MountAccess::ReadOnly;
    let mount = Mount { host: source, guest: "/data".to_owned(), access };
    let mut files = Files::with_mounts(Quota::default(), &[mount], 1).unwrap();
    for path in ["/data/a.txt", "/data/d/e/b.txt", "/data/none"] {
        let stat = measure(ROUNDS, || _ = black_box(files.stat_path(ROOT, path, true)));
        println!("{name:<7} stat {path:<16} {stat:8.2} µs");
    }
    for path in ["/data/a.txt", "/data/d/e/b.txt"] {
        let mut buffer = [0; 4096];
        let read = measure(ROUNDS, || {
            let fd = files.open(ROOT, path, READ, 1).unwrap();
            assert_eq!(files.read(fd, &mut buffer).unwrap(), 2000);
            files.close(fd).unwrap();
        });
        println!("{name:<7} open, read {path:<10} {read:8.2} µs");
    }
    let fd = files.open(ROOT, "/data/a.txt", READ, 1).unwrap();
    let mut buffer = [0; 4096];
    let read = measure(ROUNDS, || {
        assert_eq!(files.read_at(fd, 0, &mut buffer).unwrap(), 2000);
    });
    println!("{name:<7} read of an open file   {read:8.2} µs");
    let fstat = measure(ROUNDS, || _ = black_box(files.stat(fd)));
    println!("{name:<7} stat of an open file   {fstat:8.2} µs");
    let list = measure(ROUNDS / 40, || assert_eq!(files.list("/data/many").unwrap().len(), 1000));
    println!("{name:<7} list of 1000 names     {list:8.2} µs");
}

fn served(host: &Path) -> MountSource {
    let (server, inside) = pair().unwrap();
    let (guest, access) = ("/data".to_owned(), MountAccess::ReadOnly);
    server.serve(&[Mount { host: host.into(), guest, access }], |ended| ended.unwrap()).unwrap();
    MountSource::Served(connect(inside, 1).remove(0))
}

fn main() {
    let host = tempfile::tempdir().unwrap();
    fs::create_dir_all(host.path().join("d/e")).unwrap();
    fs::create_dir(host.path().join("many")).unwrap();
    for path in ["a.txt", "d/e/b.txt"] {
        fs::write(host.path().join(path), [b'x'; 2000]).unwrap();
    }
    for number in 0..1000 {
        fs::write(host.path().join(format!("many/a file of some name {number}")), "").unwrap();
    }
    show("local", host.path().into());
    show("served", served(host.path()));
}
