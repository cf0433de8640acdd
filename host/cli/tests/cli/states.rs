//! Files in and out, saved sessions, runs that are always the same.

use std::fs;

use crate::TestResult;
use crate::command::pcm;

#[test]
fn a_session_goes_on_in_the_next_process() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (saved, key) = (path("saved"), path("key"));
    let first = pcm(&[
        "run",
        "-c",
        "x = 40; open('f', 'w').write('kept')",
        "--save",
        &saved,
        "--key",
        &key,
    ])?;
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    let load = ["run", "--load", &saved, "--key", &key, "-c", "x + 2, open('f').read()"];
    let second = pcm(&load)?;
    assert_eq!(second.stdout, "(42, 'kept')\n", "{}", second.stderr);

    let other = path("other");
    let refused = pcm(&["run", "--load", &saved, "--key", &other, "-c", "x"])?;
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("signature"), "{}", refused.stderr);
    fs::write(&saved, b"something else")?;
    let refused = pcm(&load)?;
    assert!(refused.stderr.contains("not a saved session"), "{}", refused.stderr);
    Ok(())
}

#[test]
fn files_go_in_and_out() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("in.txt"), "hello")?;
    let code = "text = open('in.txt').read(); open('/tmp/out.txt', 'w').write(text.upper())";
    let get = format!("/tmp/out.txt:{}", path("out.txt"));
    let ended = pcm(&["run", "--json", "--put", &path("in.txt"), "--get", &get, "-c", code])?;
    assert_eq!(fs::read_to_string(path("out.txt"))?, "HELLO", "{}", ended.stderr);
    let files = ended.json()?["files"].clone();
    assert_eq!(files[0]["path"], "/tmp/out.txt");
    assert_eq!(files[0]["change"], "created");

    let missing = pcm(&["run", "-c", "1", "--get", "/work/nothing"])?;
    assert_eq!(missing.code, Some(2));
    assert!(missing.stderr.contains("/work/nothing"), "{}", missing.stderr);
    Ok(())
}

#[test]
fn a_mounted_folder_is_read() -> TestResult {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("a.txt"), "hello")?;
    for (access, code, expected) in [
        ("", "open('/data/a.txt').read()", "'hello'\n"),
        (":overlay", "open('/data/a.txt', 'w').write('x'); open('/data/a.txt').read()", "'x'\n"),
        (":rw", "open('/data/b.txt', 'w').write('y')", "1\n"),
    ] {
        let mount = format!("{}:/data{access}", folder.path().display());
        let ended = pcm(&["run", "--mount", &mount, "-c", code])?;
        assert_eq!(ended.stdout, expected, "{}", ended.stderr);
    }
    assert_eq!(fs::read_to_string(folder.path().join("a.txt"))?, "hello");
    assert_eq!(fs::read_to_string(folder.path().join("b.txt"))?, "y");
    let mount = format!("{}:/data", folder.path().display());
    let refused = pcm(&["run", "--mount", &mount, "-c", "open('/data/a.txt', 'w')"])?;
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    Ok(())
}

#[test]
fn a_deterministic_run_is_always_the_same() -> TestResult {
    let code = "import random, time, uuid; [random.random(), time.time(), str(uuid.uuid4())]";
    let run = || pcm(&["run", "--json", "--deterministic", "-c", code]);
    let (first, second) = (run()?.json()?, run()?.json()?);
    assert_eq!(first["value"], second["value"]);
    assert_eq!(first["usage"]["fuel"], second["usage"]["fuel"]);
    assert!(first["usage"]["fuel"].as_u64().is_some_and(|fuel| fuel > 1000), "{first}");
    Ok(())
}

#[test]
fn a_stubborn_code_is_taken_back() -> TestResult {
    let code = "
x = 2
while True:
    try:
        while True: pass
    except BaseException: pass";
    let ended = pcm(&[
        "run",
        "--format",
        "jsonl",
        "--rollback",
        "--timeout",
        "100ms",
        "-c",
        "x = 1",
        "-c",
        code,
    ])?;
    assert_eq!(ended.code, Some(124));
    assert!(ended.stdout.contains("\"session\":\"rolled_back\""), "{}", ended.stdout);
    Ok(())
}
