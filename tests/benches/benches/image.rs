//! The wasm wall: sessions of an image with many modules imported, against those without.
//!
//! The image is made at the first time (half a minute) and kept beside the benchmark.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a program for people")]

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use divan::Bencher;
use pcm_benches::machine;
use pcm_runtime_api::{Executor, Limits, NoHost, RunRequest};
use pcm_runtime_wasm::{WasmEngine, WasmSandbox};
use tokio::runtime::Runtime;

const KEY: [u8; 32] = [1; 32];
/// As many as a package with all that it requires; none is in the image of the program.
const MODULES: &[&str] = &[
    "cmd",
    "code",
    "codeop",
    "configparser",
    "doctest",
    "email.message",
    "email.parser",
    "email.policy",
    "http.cookies",
    "imaplib",
    "lib2to3.refactor",
    "logging.config",
    "logging.handlers",
    "mailbox",
    "netrc",
    "optparse",
    "pdb",
    "plistlib",
    "pstats",
    "pydoc",
    "sched",
    "shelve",
    "smtplib",
    "sqlite3",
    "symtable",
    "tarfile",
    "timeit",
    "trace",
    "tracemalloc",
    "unittest.mock",
    "urllib.request",
    "wsgiref.simple_server",
    "xml.dom.minidom",
    "xml.etree.ElementTree",
    "xml.sax",
    "xmlrpc.client",
    "zipapp",
    "zipfile",
];

fn main() {
    println!("{}", machine());
    divan::main();
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn bare() -> WasmEngine {
    WasmEngine::shared().expect("the engine starts")
}

/// The engine of the image, which is made if it is not there.
fn of_image() -> WasmEngine {
    WasmEngine::from_image(&image(), &KEY).expect("the image starts")
}

fn image() -> PathBuf {
    let bare = bare();
    let folder = env::current_exe().expect("a program").with_file_name("bench-images");
    let file = folder.join(format!("{}.img", bare.info().image));
    if !file.exists() {
        println!("making an image of {} modules", MODULES.len());
        fs::create_dir_all(&folder).expect("a folder for the image");
        fs::write(&file, runtime().block_on(made(bare))).expect("the image is kept");
    }
    file
}

async fn made(bare: WasmEngine) -> Vec<u8> {
    let limits = Limits { timeout: Some(Duration::from_mins(10)), ..Limits::default() };
    let sandbox = WasmSandbox::new(bare, limits);
    sandbox.start(Arc::new(NoHost)).await.expect("a session starts");
    let modules: Vec<String> = MODULES.iter().map(|&name| name.to_owned()).collect();
    let preloaded = sandbox.preload(&[], &modules).await.expect("modules are imported");
    println!("{} of them are there", preloaded.imported.len());
    let progress = Arc::new(|step: &str| println!("{step}"));
    sandbox.image(&preloaded, &[], &KEY, progress).await.expect("the image is made")
}

fn fresh(bencher: Bencher<'_, '_>, engine: &WasmEngine, code: &str) {
    let runtime = runtime();
    bencher.bench_local(|| {
        runtime.block_on(async {
            let sandbox = WasmSandbox::new(engine.clone(), Limits::default());
            sandbox.start(Arc::new(NoHost)).await.expect("a session starts");
            let result = sandbox.run(RunRequest::new(code)).await;
            assert!(result.is_ok(), "{:?}", result.error);
            sandbox
        })
    });
}

/// From nothing to the first result, without an image of one's own.
#[divan::bench(sample_count = 1000, sample_size = 1)]
fn image_none_fresh_session(bencher: Bencher<'_, '_>) {
    fresh(bencher, &bare(), "1 + 1");
}

/// The same in the image.
#[divan::bench(sample_count = 1000, sample_size = 1)]
fn image_fresh_session(bencher: Bencher<'_, '_>) {
    fresh(bencher, &of_image(), "1 + 1");
}

const USE: &str = "import unittest.mock, xml.dom.minidom, email.parser, sqlite3";

/// What some of the modules cost a session that has to import them.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn image_none_imports(bencher: Bencher<'_, '_>) {
    fresh(bencher, &bare(), USE);
}

/// The same in the image.
#[divan::bench(sample_count = 1000, sample_size = 1)]
fn image_imports(bencher: Bencher<'_, '_>) {
    fresh(bencher, &of_image(), USE);
}

/// Opening the image again, as every process does.
#[divan::bench(sample_count = 30, sample_size = 1)]
fn image_open(bencher: Bencher<'_, '_>) {
    let file = image();
    drop(of_image());
    bencher.bench_local(|| WasmEngine::from_image(&file, &KEY));
}

/// The whole command, where it was built.
#[divan::bench(sample_count = 50, sample_size = 1)]
fn image_none_whole_process(bencher: Bencher<'_, '_>) {
    whole_process(bencher, |_| {});
}

/// The same with the image.
#[divan::bench(sample_count = 50, sample_size = 1)]
fn image_whole_process(bencher: Bencher<'_, '_>) {
    let (file, key) = (image(), image().with_extension("key"));
    let digits: String = KEY.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    fs::write(&key, digits).expect("the key is written");
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(&key, permissions).expect("the key is the user's alone");
    whole_process(bencher, |command| {
        command.arg("--image").arg(&file).arg("--image-key").arg(&key);
    });
}

fn whole_process(bencher: Bencher<'_, '_>, add: impl Fn(&mut Command)) {
    let bench = env::current_exe().expect("a program");
    let mut command = Command::new(bench.with_file_name("../pcm-sandbox"));
    command.args(["run", "-c", "1+1"]);
    add(&mut command);
    bencher.bench_local(|| {
        let output = command.output().expect("build pcm-sandbox first");
        assert!(output.status.success(), "{output:?}");
    });
}
