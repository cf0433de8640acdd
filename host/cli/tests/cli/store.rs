//! `store`: between folders and storages, in files and in Redis.

use std::fs;

use serde_json::json;

use crate::TestResult;
use crate::redis::Redis;
use crate::world::World;

fn with_files() -> Result<World, Box<dyn std::error::Error>> {
    let world = World::new()?;
    for (file, content) in [
        ("flows/one.py", "\"\"\"The first.\"\"\"\nasync def run():\n    return 1\n"),
        ("flows/two.py", "\"\"\"The second.\"\"\"\nasync def run():\n    return 2\n"),
        (
            "tools/echo.yaml",
            "name: echo\ndescription: Prints\nrecipes: {say: {description: Prints}}\n",
        ),
        ("wanted.txt", "jinja2>=3\n# a remark\nbad; rm -rf /\n"),
    ] {
        let path = world.path(file);
        fs::create_dir_all(path.parent().ok_or("no folder")?)?;
        fs::write(path, content)?;
    }
    Ok(world)
}

/// The same for a storage in Redis and one in a folder.
fn there_and_back(world: &World, target: &[&str], sessions: &[&str]) -> TestResult {
    let store = |words: &[&str]| world.pcm(&[&["store"], words, target].concat());
    let added = store(&["bootstrap", "--source", "flows"])?;
    assert_eq!(added.stdout, "Added: one\nAdded: two\nTotal: 2\n", "{}", added.stderr);
    assert_eq!(store(&["list"])?.stdout, "one  The first.\ntwo  The second.\nTotal: 2\n");
    let run = world.pcm(&[&["run", "--json"], sessions, &["-c", "workflows.two()"]].concat())?;
    assert_eq!(run.json()?["value"], json!(2), "{}", run.stderr);
    let diff = store(&["diff", "--source", "flows"])?;
    assert_eq!((diff.code, &*diff.stdout), (Some(0), "= one\n= two\n"));

    let create = "workflows.create('three', 'async def run():\\n    return 3\\n').name";
    let run = world.pcm(&[&["run"], sessions, &["-c", create]].concat())?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    fs::write(world.path("flows/two.py"), "async def run():\n    return 22\n")?;
    fs::remove_file(world.path("flows/one.py"))?;
    let diff = store(&["diff", "--source", "flows"])?;
    assert_eq!((diff.code, &*diff.stdout), (Some(1), "+ one\n+ three\n~ two\n"));

    let pulled = store(&["pull", "--dest", "pulled"])?;
    assert_eq!(pulled.code, Some(0), "{}", pulled.stderr);
    assert_eq!(
        fs::read_to_string(world.path("pulled/three.py"))?,
        "async def run():\n    return 3\n"
    );
    let cleared = store(&["bootstrap", "--source", "flows", "--clear"])?;
    assert_eq!(cleared.stdout, "Removed: one\nRemoved: three\nChanged: two\nTotal: 1\n");
    Ok(())
}

#[test]
fn workflows_go_to_a_folder_and_back() -> TestResult {
    let world = with_files()?;
    there_and_back(&world, &["--target", "state"], &["--storage", "state"])
}

#[test]
fn workflows_go_to_redis_and_back() -> TestResult {
    let (world, redis) = (with_files()?, Redis::start()?);
    let target = ["--target", redis.url(), "--prefix", "app:workflows"];
    there_and_back(&world, &target, &["--storage", redis.url(), "--prefix", "app"])
}

#[test]
fn packages_and_tools_go_too() -> TestResult {
    let (world, redis) = (with_files()?, Redis::start()?);
    for target in [redis.url(), "state"] {
        let store =
            |words: &[&str]| world.pcm(&[&["store"], words, &["--target", target]].concat());
        let added = store(&["bootstrap", "--type", "deps", "--source", "wanted.txt"])?;
        assert_eq!(added.stdout, "Added: jinja2>=3\nTotal: 1\n");
        assert!(added.stderr.contains("skipped bad; rm -rf /"), "{}", added.stderr);
        let listed = store(&["list", "--type", "deps", "--json"])?.json()?;
        assert_eq!(listed[0]["name"], "jinja2>=3");
        let added = store(&["bootstrap", "--type", "tools", "--source", "tools"])?;
        assert_eq!(added.stdout, "Added: echo\nTotal: 1\n", "{}", added.stderr);
        assert_eq!(store(&["list", "--type", "tools"])?.stdout, "echo  Prints\nTotal: 1\n");
    }
    Ok(())
}

#[test]
fn what_is_no_storage_is_refused() -> TestResult {
    let world = with_files()?;
    for target in ["s3://bucket/x", "cosmos://x"] {
        let refused = world.pcm(&["store", "list", "--target", target])?;
        assert_eq!(refused.code, Some(2));
        assert!(refused.stderr.contains("is no storage"), "{}", refused.stderr);
    }
    let nobody = world.pcm(&["store", "list", "--target", "redis://user:secret@127.0.0.1:1/0"])?;
    assert_eq!(nobody.code, Some(2));
    assert!(!nobody.stderr.contains("secret"), "{}", nobody.stderr);
    let both = world.pcm(&["store", "bootstrap", "--target", "state", "--deps", "a"])?;
    assert_eq!(both.code, Some(2));
    Ok(())
}

#[test]
fn sessions_share_what_is_in_redis() -> TestResult {
    let (world, redis) = (World::new()?, Redis::start()?);
    let run = |workspace: &str, code: &str| {
        let places = ["run", "--json", "--storage", redis.url(), "--workspace", workspace];
        world.pcm(&[&places[..], &["-c", code]].concat())
    };
    let saved = run("one", "artifacts.save('x', bytes(range(256)), 'all bytes').name")?;
    assert_eq!(saved.json()?["value"], "x", "{}", saved.stderr);
    let code = "[artifacts.load('x') == bytes(range(256)), artifacts.get('x').description]";
    assert_eq!(run("one", code)?.json()?["value"], json!([true, "all bytes"]));
    assert_eq!(run("two", "artifacts.list()")?.json()?["value"], json!([]));
    Ok(())
}
