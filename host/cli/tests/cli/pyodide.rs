//! `run -b deno-sandbox`: what the command says, and packages for Pyodide.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;

use serde_json::json;

use crate::TestResult;
use crate::testing::TestWheel;
use crate::world::World;

const TAG: &str = "cp314-cp314-pyemscripten_2026_0_wasm32";
/// A module of WebAssembly that has nothing: enough to be taken for a library.
const LIBRARY: &[u8] = b"\0asm\x01\0\0\0";

fn shapes(version: &str, tag: &str) -> TestWheel {
    let source = format!("version = {version:?}\n");
    TestWheel::new("shapes", version).tag(tag).file("shapes/__init__.py", source)
}

#[test]
fn a_wheel_for_pyodide_is_taken_from_a_folder() -> TestResult {
    let world = World::new()?;
    let own = world.path("own");
    fs::create_dir(&own)?;
    shapes("2.0", TAG).file("shapes/_native.so", LIBRARY).write(&own)?;
    shapes("3.0", "cp313-cp313-pyemscripten_2025_0_wasm32").write(&own)?;
    let run = |code| {
        let arguments = ["--dep", "shapes", "--wheels", "own", "-c", code];
        world.pcm(&[&["run", "-b", "deno-sandbox", "--json"][..], &arguments].concat())
    };
    let code = "import os, shapes\n[shapes.version, os.listdir('/packages/shapes')]";
    let first = run(code)?;
    assert_eq!(first.code, Some(0), "{}{}", first.stdout, first.stderr);
    assert!(first.stderr.contains("preparing Pyodide (some seconds, once)"), "{}", first.stderr);
    let value = &first.json()?["value"];
    assert_eq!(value[0], "2.0");
    assert!(value[1].as_array().is_some_and(|names| names.contains(&json!("_native.so"))));
    fs::remove_file(own.join(shapes("2.0", TAG).file_name()))?;
    let second = run("1")?;
    assert_eq!(second.code, Some(3), "{}{}", second.stdout, second.stderr);
    let told = second.json()?["error"]["message"].to_string();
    assert!(told.contains("it is for pyemscripten_2025_0_wasm32"), "{told}");
    assert!(!second.stderr.contains("preparing"), "{}", second.stderr);
    Ok(())
}

#[test]
fn a_package_without_such_a_wheel_is_told_how_to_get_one() -> TestResult {
    let world = World::new()?;
    world.add(&TestWheel::new("numpy", "2.3").tag("cp314-cp314-manylinux_2_28_x86_64"))?;
    let run = world.pcm(&["run", "-b", "deno-sandbox", "--dep", "numpy", "-c", "1"])?;
    assert_eq!(run.code, Some(3));
    for part in ["numpy has no wheel for Pyodide", TAG, "--wheels DIR", "--backend subprocess"] {
        assert!(run.stderr.contains(part), "{part} in {}", run.stderr);
    }
    Ok(())
}

/// An index with one package, for as many requests as come, which it counts.
fn serve(wheel: &TestWheel, world: &World) -> std::io::Result<(u16, Arc<AtomicU32>)> {
    let content = fs::read(wheel.write(&world.path("wheels"))?)?;
    let name = wheel.file_name();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let page = json!({
        "meta": {"api-version": "1.0"},
        "name": "shapes",
        "versions": ["1.0"],
        "files": [{"filename": name, "url": format!("http://127.0.0.1:{port}/{name}"), "hashes": {}}],
    });
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            count.fetch_add(1, Relaxed);
            // Whoever hangs up early is not served.
            drop(answer(stream, page.to_string().as_bytes(), &content));
        }
    });
    Ok((port, asked))
}

fn answer(mut stream: TcpStream, page: &[u8], wheel: &[u8]) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?.take(1 << 16));
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let (kind, body) = if first.contains(".whl") {
        ("application/octet-stream", wheel)
    } else {
        ("application/vnd.pypi.simple.v1+json", page)
    };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n",
        body.len()
    )?;
    stream.write_all(b"Connection: close\r\n\r\n")?;
    stream.write_all(body)
}

#[test]
fn micropip_installs_over_the_network_that_the_session_has() -> TestResult {
    let world = World::new()?;
    let (port, asked) = serve(&shapes("1.0", "py3-none-any"), &world)?;
    let code = format!(
        "import micropip\n\
         micropip.set_index_urls('http://127.0.0.1:{port}/simple')\n\
         await micropip.install('shapes')\n\
         import shapes\n\
         [shapes.version, shapes.__file__, micropip.list()['shapes'].version]"
    );
    let run = |network: &str| {
        let arguments = ["run", "-b", "deno-sandbox", "--json", "--dep", "micropip"];
        let network = ["--network", network, "-c", &code];
        // micropip itself comes from the index that this machine is configured with.
        world.online(&[&arguments[..], &network].concat()).output().map(crate::command::Ended::from)
    };
    let listed = run(&format!("127.0.0.1:{port}"))?;
    assert_eq!(listed.code, Some(0), "{}{}", listed.stdout, listed.stderr);
    let installed = "/tmp/site-packages/shapes/__init__.py";
    assert_eq!(listed.json()?["value"], json!(["1.0", installed, "1.0"]));
    let before = asked.load(Relaxed);
    assert_eq!(before, 2, "the page and the wheel");
    let off = run("none")?;
    assert_eq!(off.json()?["error"]["type"], "ValueError", "{}{}", off.stdout, off.stderr);
    assert_eq!(asked.load(Relaxed), before, "nobody came");
    Ok(())
}
