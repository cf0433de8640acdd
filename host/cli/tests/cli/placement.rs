//! `run --placement` and `--jail`: engines in processes of their own.

use serde_json::json;

use crate::TestResult;
use crate::command::{command, pcm};
use crate::world::World;

const BACKENDS: [&str; 2] = ["wasm", "deno-sandbox"];

fn in_worker(backend: &str, arguments: &[&str]) -> std::io::Result<crate::command::Ended> {
    let run = ["run", "-b", backend, "--placement", "worker", "--json"];
    pcm(&[&run[..], arguments].concat())
}

#[test]
fn a_session_in_a_worker_is_like_any_other() -> TestResult {
    for backend in BACKENDS {
        let ended = in_worker(backend, &["-c", "x = 40", "-c", "print('hi'); x + 2"])?;
        let result = ended.json()?;
        assert_eq!((ended.code, &result["value"]), (Some(0), &json!(42)), "{result}");
        assert_eq!((&result["stdout"], &result["backend"]), (&json!("hi\n"), &json!(backend)));
        let ended = in_worker(backend, &["--timeout", "200ms", "-c", "while True: pass"])?;
        assert_eq!(ended.code, Some(124), "{}", ended.stdout);
        assert_eq!(ended.json()?["error"]["limit"]["name"], "timeout");
    }
    Ok(())
}

#[test]
fn folders_and_files_reach_a_worker() -> TestResult {
    let world = World::new()?;
    std::fs::create_dir(world.path("data"))?;
    std::fs::write(world.path("data/in"), "in")?;
    std::fs::write(world.path("put"), "put")?;
    for backend in BACKENDS {
        let arguments = [
            "run",
            "-b",
            backend,
            "--placement",
            "worker",
            "--mount",
            "data:/data:rw",
            "--put",
            "put",
            "--get",
            "/work/got",
            "--json",
            "-c",
            "open('/data/out', 'w').write('out'); open('got', 'w').write(open('put').read())\n\
             open('/data/in').read()",
        ];
        let ended = world.pcm(&arguments)?;
        assert_eq!(ended.json()?["value"], "in", "{}{}", ended.stdout, ended.stderr);
        assert_eq!(std::fs::read_to_string(world.path("data/out"))?, "out");
        assert_eq!(std::fs::read_to_string(world.path("got"))?, "put");
        std::fs::remove_file(world.path("data/out"))?;
    }
    Ok(())
}

#[test]
fn saved_sessions_go_from_process_to_process() -> TestResult {
    let world = World::new()?;
    let places = ["in-process", "worker"];
    for (from, to) in places.into_iter().zip(places.into_iter().rev()) {
        let saved = ["run", "--placement", from, "--save", "session", "-c", "x = 40"];
        assert_eq!(world.pcm(&saved)?.code, Some(0), "{from}");
        let ended = world.pcm(&["run", "--placement", to, "--load", "session", "-c", "x + 2"])?;
        assert_eq!(ended.stdout, "42\n", "{from} {to} {}", ended.stderr);
    }
    Ok(())
}

#[test]
fn a_jail_that_must_be_whole_is_refused_where_a_part_is_missing() -> TestResult {
    let report = pcm(&["doctor", "--json"])?.json()?;
    let parts = report["jail"]["parts"].as_object().ok_or("no worker starts")?;
    assert!(parts.len() >= 15, "{parts:?}");
    let whole = parts.values().all(|state| state == "held");
    let ended = in_worker("wasm", &["--jail", "strict", "-c", "6 * 7"])?;
    if whole {
        assert_eq!(ended.json()?["value"], 42, "{}", ended.stdout);
    } else {
        assert_eq!(ended.code, Some(3), "{}", ended.stdout);
        assert!(ended.stdout.contains("missing"), "{}", ended.stdout);
    }
    assert_eq!(in_worker("wasm", &["--jail", "off", "-c", "6 * 7"])?.json()?["value"], 42);
    let text = pcm(&["doctor"])?.stdout;
    assert!(text.contains("\njail:  "), "{text}");
    Ok(())
}

#[test]
fn a_name_that_is_none_is_told_what_there_is() -> TestResult {
    for (option, names) in
        [("--placement", ["in-process", "worker"]), ("--jail", ["strict", "off"])]
    {
        let ended = pcm(&["run", option, "else", "-c", "1"])?;
        assert_eq!(ended.code, Some(2));
        assert!(names.iter().all(|name| ended.stderr.contains(name)), "{}", ended.stderr);
    }
    Ok(())
}

#[test]
fn nowhere_to_keep_what_is_made_once_is_told() -> TestResult {
    let output = command(&["run", "-b", "deno-sandbox", "-c", "1"]).env_clear().output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("set XDG_CACHE_HOME or HOME"), "{told}");
    let here = ["run", "-b", "deno-sandbox", "--placement", "in-process", "-c", "6 * 7"];
    let output = command(&here).env_clear().output()?;
    assert_eq!(String::from_utf8_lossy(&output.stdout), "42\n");
    Ok(())
}
