//! `run --base` and the commands that work on tools and on what is stored.

use std::fs;

use serde_json::{Value, json};

use crate::TestResult;
use crate::command::Ended;
use crate::testing::TestWheel;
use crate::world::World;

const ECHO: &str = "
name: echo
description: Prints what it gets
schema:
  positional: [{name: text, type: string, required: true}]
recipes:
  say:
    description: Prints a text
    params: {text: {type: string, required: true}}
";

const DOUBLE: &str = "\"\"\"Doubles a number.\"\"\"\nasync def run(n: int):\n    return n * 2\n";

/// A user with a folder `base`: a tool, a workflow and an artifact.
fn with_base() -> Result<World, Box<dyn std::error::Error>> {
    let world = World::new()?;
    for (file, content) in
        [("tools/echo.yaml", ECHO), ("workflows/double.py", DOUBLE), ("artifacts/note.txt", "kept")]
    {
        let path = world.path("base").join(file);
        fs::create_dir_all(path.parent().ok_or("no folder")?)?;
        fs::write(path, content)?;
    }
    Ok(world)
}

fn value(
    world: &World,
    arguments: &[&str],
    code: &str,
) -> Result<Value, Box<dyn std::error::Error>> {
    let run = world.pcm(&[&["run", "--json"], arguments, &["-c", code]].concat())?;
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    Ok(run.json()?["value"].clone())
}

fn ok(ended: Ended) -> Ended {
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    ended
}

#[test]
fn code_uses_what_is_in_the_base() -> TestResult {
    let world = with_base()?;
    let base = ["--base", "base"];
    assert_eq!(value(&world, &base, "tools.echo.say(text='hi').strip()")?, "hi");
    assert_eq!(value(&world, &base, "(await tools.echo.say(text='hi')).strip()")?, "hi");
    let code = "[workflows.double(n=21), artifacts.load('note.txt')]";
    assert_eq!(value(&world, &base, code)?, json!([42, "kept"]));
    Ok(())
}

#[test]
fn places_are_named_one_by_one_and_as_workspaces() -> TestResult {
    let world = with_base()?;
    let places = ["--tools", "base/tools", "--storage", "elsewhere", "--workspace", "one"];
    let code = "artifacts.save('a', tools.echo(text='x'))\nlen(workflows.list())";
    assert_eq!(value(&world, &places, code)?, 0);
    let file = world.path("elsewhere").join("workspaces/one/artifacts/a");
    assert_eq!(fs::read_to_string(file)?, "x\n");
    let run = world.pcm(&["run", "--workspace", "../x", "--base", "base", "-c", "1"])?;
    assert!(run.code != Some(0) && run.stderr.contains("../x"), "{}", run.stderr);
    let run = world.pcm(&["run", "--workspace", "x", "-c", "1"])?;
    assert!(run.stderr.contains("name a base"), "{}", run.stderr);
    Ok(())
}

#[test]
fn a_broken_tool_is_told_and_keeps_no_other_away() -> TestResult {
    let world = with_base()?;
    fs::write(world.path("base/tools/bad.yaml"), "name: bad\ncommnad: ls\n")?;
    let run = ok(world.pcm(&["run", "--base", "base", "-c", "len(tools.list())"])?);
    assert_eq!(run.stdout, "1\n");
    assert!(run.stderr.contains("bad.yaml:2:"), "{}", run.stderr);
    let check = world.pcm(&["tools", "check", "base/tools"])?;
    assert_eq!(check.code, Some(1));
    assert!(
        check.stdout.contains("bad.yaml:2:") && check.stdout.contains("command"),
        "{}",
        check.stdout
    );
    let check = world.pcm(&["tools", "check", "--json", "base/tools"])?.json()?;
    let found = check.as_array().map(|problems| problems.iter().find(|one| one["line"] == 2));
    let key = found.flatten().ok_or("nothing about the line")?;
    assert_eq!((&key["file"], &key["severity"]), (&json!("bad.yaml"), &json!("error")));
    Ok(())
}

#[test]
fn tools_are_listed_searched_told_and_called() -> TestResult {
    let world = with_base()?;
    let tools = |words: &[&str]| world.pcm(&[&["tools"], words, &["--base", "base"]].concat());
    let list = ok(tools(&["list"])?).stdout;
    assert!(list.contains("echo") && list.contains("say(text: str)"), "{list}");
    assert_eq!(ok(tools(&["search", "prints", "--json"])?).json()?[0]["name"], "echo");
    assert!(ok(tools(&["stubs"])?).stdout.contains("def say("), "{list}");
    assert_eq!(ok(tools(&["call", "echo.say", "text=hi there"])?).stdout, "hi there\n");
    let failed = tools(&["call", "echo.shout"])?;
    assert_eq!(failed.code, Some(1));
    assert!(failed.stderr.contains("shout"), "{}", failed.stderr);
    let nowhere = world.pcm(&["tools", "list"])?;
    assert_eq!(nowhere.code, Some(2));
    Ok(())
}

#[test]
fn workflows_are_added_and_run() -> TestResult {
    let world = with_base()?;
    fs::write(world.path("triple.py"), "async def run(n):\n    return n * 3\n")?;
    fs::write(world.path("bad.py"), "def run(n):\n    return n * 3\n")?;
    let workflows =
        |words: &[&str]| world.pcm(&[&["workflows"], words, &["--base", "base"]].concat());
    ok(workflows(&["add", "triple", "triple.py", "--description", "Triples"])?);
    let refused = workflows(&["add", "bad", "bad.py"])?;
    assert!(refused.code == Some(2) && refused.stderr.contains("async def run"), "{refused:?}");
    let list = ok(workflows(&["list"])?).stdout;
    assert_eq!(list, "double(n)  Doubles a number.\ntriple(n)  Triples\n");
    assert_eq!(ok(workflows(&["search", "triples", "--json"])?).json()?[0]["name"], "triple");
    assert_eq!(ok(workflows(&["show", "double"])?).stdout, DOUBLE);
    assert_eq!(value(&world, &["--base", "base"], "workflows.triple(n=3)")?, 9);
    ok(workflows(&["remove", "triple"])?);
    assert_eq!(workflows(&["remove", "triple"])?.code, Some(2));
    Ok(())
}

#[test]
fn artifacts_go_in_and_out_as_bytes() -> TestResult {
    let world = with_base()?;
    let artifacts =
        |words: &[&str]| world.command(&[&["artifacts"], words, &["--base", "base"]].concat());
    fs::write(world.path("data"), b"\xff\x00data")?;
    ok(artifacts(&["save", "in/data", "data", "--description", "Some bytes"]).output()?.into());
    let loaded = artifacts(&["load", "in/data"]).output()?;
    assert_eq!(loaded.stdout, b"\xff\x00data");
    assert_eq!(value(&world, &["--base", "base"], "len(artifacts.load('in/data'))")?, 6);
    let list = ok(artifacts(&["list"]).output()?.into()).stdout;
    assert!(
        list.contains("in/data") && list.contains("Some bytes") && list.contains("note.txt"),
        "{list}"
    );
    ok(artifacts(&["remove", "in/data"]).output()?.into());
    assert_eq!(artifacts(&["load", "in/data"]).output()?.status.code(), Some(2));
    Ok(())
}

#[test]
fn packages_are_listed_and_installed_when_asked_for() -> TestResult {
    let world = with_base()?;
    world.add(&TestWheel::new("tiny-dep", "1.0").file("tiny_dep.py", "x = 5\n"))?;
    let deps = |words: &[&str]| world.pcm(&[&["deps"], words, &["--base", "base"]].concat());
    assert_eq!(ok(deps(&["list"])?).stdout, "no packages\n");
    assert_eq!(ok(deps(&["add", "Tiny_Dep>=1"])?).stdout, "tiny-dep>=1\n");
    assert_eq!(deps(&["add", "a; rm -rf /"])?.code, Some(2));
    let run = world.pcm(&["run", "--base", "base", "-c", "import tiny_dep"])?;
    assert_eq!(run.code, Some(1));
    assert_eq!(
        value(&world, &["--base", "base", "--sync-deps"], "import tiny_dep\ntiny_dep.x")?,
        5
    );
    let run = "deps.sync()\nimport tiny_dep\ntiny_dep.x";
    assert_eq!(value(&world, &["--base", "base"], run)?, 5);
    ok(deps(&["remove", "tiny_dep"])?);
    assert_eq!(deps(&["remove", "tiny_dep"])?.code, Some(2));
    Ok(())
}

#[test]
fn files_of_requirements_are_installed_and_the_list_can_be_closed() -> TestResult {
    let world = with_base()?;
    world.add(&TestWheel::new("tiny-dep", "1.0").file("tiny_dep.py", "x = 5\n"))?;
    fs::write(world.path("wanted.txt"), "# what is wanted\n\ntiny-dep\n")?;
    let arguments = ["--requirements", "wanted.txt", "--no-runtime-deps"];
    assert_eq!(value(&world, &arguments, "import tiny_dep\ntiny_dep.x")?, 5);
    let run = world.pcm(&[&["run"], &arguments[..], &["-c", "deps.add('other')"]].concat())?;
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("RuntimeDepsDisabledError"), "{}", run.stderr);
    fs::write(world.path("base/requirements.txt"), "tiny-dep\n")?;
    assert_eq!(value(&world, &["--base", "base"], "import tiny_dep\ntiny_dep.x")?, 5);
    Ok(())
}

/// How such servers crash and are started again, the tests of `pcm-tools` show.
#[test]
fn an_mcp_server_of_others_is_driven_from_the_sandbox() -> TestResult {
    let server = std::env::var("PCM_MCP_EVERYTHING")
        .map_err(|_| "PCM_MCP_EVERYTHING names no server: `./x test` installs one and sets it")?;
    let world = with_base()?;
    let declared = format!("name: every\ntype: mcp\ncommand: node\nargs: [{server:?}]\n");
    fs::write(world.path("base/tools/every.yaml"), declared)?;
    let code = "
names = [recipe.name for recipe in tools.every.list()]
said = tools.every.echo(message='hi')
total = tools.every.get_sum(a=2, b=3)
weather = tools.every.get_structured_content(location='Chicago')
try:
    tools.every.get_sum(a='x')
except ToolError as error:
    failed = error.original_type
import asyncio
both = await asyncio.gather(tools.every.echo(message='1'), tools.every.echo(message='2'))
['echo' in names, said, total, sorted(weather), failed, both]";
    let value = value(&world, &["--base", "base"], code)?;
    assert_eq!(value[0], true, "{value}");
    assert!(value[1].as_str().is_some_and(|text| text.contains("hi")), "{value}");
    assert!(value[2].as_str().is_some_and(|text| text.contains('5')), "{value}");
    assert_eq!(value[3], json!(["conditions", "humidity", "temperature"]));
    assert_eq!(value[4], "ToolCallError");
    assert_eq!(value[5].as_array().map(Vec::len), Some(2));
    Ok(())
}
