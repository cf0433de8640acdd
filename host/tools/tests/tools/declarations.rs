//! Declarations that are broken, and where.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;

use pcm_tools::{LoadOptions, Place, Problem, Registry, Severity, Variables, check};

use crate::{TestResult, folder, load, load_with};

const GOOD: &str = "{name: good, command: echo, recipes: {run: {}}}";

fn variables(pairs: &[(&str, &str)]) -> LoadOptions {
    let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut options = LoadOptions::default();
    options.variables = Variables::Only(pairs.collect::<BTreeMap<_, _>>());
    options
}

/// The problem of a declaration that is read beside a good one.
async fn problem(yaml: &str) -> Result<Problem, Box<dyn std::error::Error>> {
    let (registry, mut problems) =
        load_with(&[GOOD, yaml], variables(&[("TOKEN", "s3cret")])).await?;
    assert!(registry.tool("good").is_some(), "the other one is there");
    assert_eq!(registry.list().len(), 1, "the broken one is not: {yaml}");
    assert_eq!(problems.len(), 1, "{yaml}: {problems:?}");
    let problem = problems.remove(0);
    assert_eq!((problem.severity, problem.file.as_str()), (Severity::Error, "1.yaml"));
    assert!(!problem.to_string().contains("s3cret"), "{problem}");
    Ok(problem)
}

/// A declaration, the line and the key of its mistake, and a part of what is said of it.
type Mistake<'a> = (&'a str, u64, &'a str, &'a str);

async fn are_told(mistakes: &[Mistake<'_>]) -> TestResult {
    for (yaml, line, key, expected) in mistakes {
        let problem = problem(yaml).await?;
        assert_eq!(problem.key, *key, "{yaml}: {problem}");
        assert!(problem.message.contains(expected), "{yaml}: {problem}");
        assert_eq!(problem.place.map(|place| place.line), Some(*line), "{yaml}: {problem}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_no_declaration_is_told_with_its_place() -> TestResult {
    are_told(&[
        ("name: a\nrecipes:\n  - [", 3, "", "not YAML"),
        ("name: a\nname: b\nrecipes: {r: {}}", 2, "", "duplicate"),
        ("- a", 1, "", "expected a mapping, found a list"),
        ("", 1, "", "\"name\" is missing"),
        ("name: a\nrecipes: {r: {}}\n---\nname: b\nrecipes: {r: {}}", 3, "", "not YAML"),
    ])
    .await
}

#[tokio::test]
async fn mistakes_about_a_program_are_told_with_their_places() -> TestResult {
    are_told(&[
        ("name: a\nrecipes: {r: {}}\ncomand: x", 3, "comand", "did you mean \"command\"?"),
        ("name: a\ntype: grpc\nrecipes: {}", 2, "type", "there are: cli, http, mcp"),
        ("description: x\nrecipes: {r: {}}", 1, "", "\"name\" is missing"),
        ("name: a-b\nrecipes: {r: {}}", 1, "name", "no name for a tool"),
        ("name: import\nrecipes: {r: {}}", 1, "name", "no name for a tool"),
        ("name: a", 1, "", "\"recipes\" is missing"),
        ("name: a\nrecipes: {}", 2, "recipes", "at least one recipe"),
        ("name: a\nrecipes: [r]", 2, "recipes", "expected a mapping, found a list"),
        ("name: a\nrecipes:\n  list: {}", 3, "recipes.list", "list, call_sync"),
        ("name: a\ncommand: echo -n\nrecipes: {r: {}}", 2, "command", "one word"),
        ("name: a\ncommand: -n\nrecipes: {r: {}}", 2, "command", "one word"),
        ("name: a\ntimeout: 0\nrecipes: {r: {}}", 2, "timeout", "above 0"),
        ("name: a\ntimeout: soon\nrecipes: {r: {}}", 2, "timeout", "above 0"),
        ("name: a\noutput_bytes: -1\nrecipes: {r: {}}", 2, "output_bytes", "whole number"),
        (
            "name: a\nenv:\n  T: ${TOKEN}${MISSING}\nrecipes: {r: {}}",
            3,
            "env.T",
            "variable MISSING is not set",
        ),
        (
            "name: a\nenv:\n  \"a b\": ${TOKEN}\nrecipes: {r: {}}",
            3,
            "env",
            "\"a b\" is not the name",
        ),
        ("name: a\nenv: {T: [1]}\nrecipes: {r: {}}", 2, "env.T", "found a list"),
        ("name: a\nenv_pass: [A B]\nrecipes: {r: {}}", 2, "env_pass", "\"A B\" is not the name"),
    ])
    .await
}

#[tokio::test]
async fn mistakes_about_arguments_are_told_with_their_places() -> TestResult {
    are_told(&[
(
            "name: a\nrecipes:\n  r: {}\nschema:\n  options:\n    x:\n      shrt: y",
            7,
            "schema.options.x.shrt",
            "did you mean \"short\"?",
        ),
("name: a\nargs: \"{x}\"\nrecipes: {r: {}}", 2, "args", "schema: {options"),
("name: a\nrecipes:\n  r: {preset: {x: 1}}", 3, "recipes.r.preset.x", "neither an option"),
("name: a\nrecipes:\n  r: {params: {x: {}}}", 3, "recipes.r.params.x", "neither an option"),
(
            "name: a\nschema:\n  options:\n    x: {type: blob}\nrecipes: {r: {}}",
            4,
            "schema.options.x.type",
            "string, integer, number, boolean, array",
        ),
(
            "name: a\nschema:\n  options:\n    -x: {}\nrecipes: {r: {}}",
            4,
            "schema.options.-x",
            "long form",
        ),
(
            "name: a\nschema:\n  options:\n    x: {short: -x}\nrecipes: {r: {}}",
            4,
            "schema.options.x.short",
            "without its dash",
        ),
(
            "name: a\nschema:\n  positional:\n    - {type: string}\nrecipes: {r: {}}",
            4,
            "schema.positional.0",
            "\"name\" is missing",
        ),
(
            "name: a\nschema:\n  options:\n    x: {}\n  positional: [{name: x}]\nrecipes: {r: {}}",
            5,
            "schema.positional.0",
            "already",
        ),
(
            "name: a\nschema:\n  options:\n    x: {type: integer}\nrecipes:\n  r: {preset: {x: many}}",
            6,
            "recipes.r.preset.x",
            "of the type int",
        ),
    ])
    .await
}

#[tokio::test]
async fn mistakes_about_servers_are_told_with_their_places() -> TestResult {
    are_told(&[
("name: a\ntype: http\nendpoints: {e: {path: /}}", 1, "", "\"base_url\" is missing"),
(
            "name: a\ntype: http\nbase_url: ftp://x\nendpoints: {e: {path: /}}",
            3,
            "base_url",
            "http://",
        ),
("name: a\ntype: http\nbase_url: http://x\nendpoints: {}", 4, "endpoints", "at least one"),
(
            "name: a\ntype: http\nbase_url: http://x\nheaders: {X: \"${TOKEN}\\n\"}\nendpoints: {e: {path: /}}",
            4,
            "headers",
            "its value cannot",
        ),
(
            "name: a\ntype: http\nbase_url: http://x\nendpoints:\n  e: {path: x}",
            5,
            "endpoints.e",
            "begin with /",
        ),
(
            "name: a\ntype: http\nbase_url: http://x\nendpoints:\n  e: {path: /x, method: PUSH}",
            5,
            "endpoints.e",
            "PUSH",
        ),
(
            "name: a\ntype: http\nbase_url: http://x\nendpoints:\n  e: {path: /, query: [q]}",
            5,
            "endpoints.e",
            "not declared",
        ),
("name: a\ntype: mcp", 1, "", "\"command\" is missing"),
("name: a\ntype: mcp\ntransport: smoke", 3, "transport", "stdio, http"),
("name: a\ntype: mcp\ntransport: sse\nurl: ${NO:-nowhere}", 4, "url", "expected a URL"),
(
            "name: a\ntype: mcp\ntransport: http\nurl: http://x\ncommand: y",
            5,
            "command",
            "unknown key",
        ),
    ])
    .await
}

#[tokio::test]
async fn a_problem_reads_like_one_of_a_compiler() -> TestResult {
    let problem = problem("name: a\nrecipes:\n  r:\n    presets: {}").await?;
    assert_eq!(problem.place, Some(Place { line: 4, column: 5 }));
    assert_eq!(
        problem.to_string(),
        "1.yaml:4:5: error: recipes.r.presets: unknown key; did you mean \"preset\"?"
    );
    Ok(())
}

#[tokio::test]
async fn several_mistakes_are_told_at_once() -> TestResult {
    let yaml = "name: a\nfoo: 1\ntimeout: x\nrecipes: {r: {bar: 1}}";
    let (_, problems) = load(&[yaml]).await?;
    let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["recipes.r.bar", "timeout", "foo"]);
    Ok(())
}

#[tokio::test]
async fn bombs_are_defused() -> TestResult {
    let mut aliases = "name: a\nb0: &b0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let items = vec![format!("*b{}", level - 1); 10].join(", ");
        writeln!(aliases, "b{level}: &b{level} [{items}]")?;
    }
    let deep = format!("name: a\nx: {}{}", "[".repeat(10_000), "]".repeat(10_000));
    let wide = format!("name: a\nx: [{}]", "1,".repeat(100_000));
    let long = format!("name: a # {}", "x".repeat(1 << 20));
    for yaml in [aliases, deep, wide, long] {
        let problem = problem(&yaml).await?;
        assert!(problem.to_string().len() < 500, "{problem}");
    }
    Ok(())
}

#[tokio::test]
async fn aliases_and_merges_of_a_sensible_size_work() -> TestResult {
    let yaml = "
name: a
schema:
  options:
    one: &flag {type: boolean}
    two: *flag
    three: {<<: *flag, short: t}
recipes: {r: {}}";
    let (registry, problems) = load(&[yaml]).await?;
    assert!(problems.is_empty(), "{problems:?}");
    let tool = registry.tool("a").ok_or("there")?;
    let expected = "r(one: bool | None = None, two: bool | None = None, three: bool | None = None)";
    assert_eq!(tool.callables[0].signature(), expected);
    Ok(())
}

#[tokio::test]
async fn two_tools_of_one_name_are_told_apart_by_their_files() -> TestResult {
    let (registry, problems) = load(&[GOOD, GOOD]).await?;
    assert_eq!(registry.list().len(), 1);
    let expected =
        "1.yaml: error: two tools are called \"good\": one is of 0.yaml, the other of 1.yaml";
    assert_eq!(problems[0].to_string(), expected);
    let folder = folder(&[GOOD, GOOD])?;
    assert_eq!(check(folder.path(), &LoadOptions::default()), problems);
    Ok(())
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_a_warning() -> TestResult {
    let folder = tempfile::tempdir()?;
    let (registry, problems) =
        Registry::load(&folder.path().join("none"), LoadOptions::default()).await?;
    assert!(registry.list().is_empty());
    assert!(matches!(problems.as_slice(), [only] if only.severity == Severity::Warning));
    Ok(())
}

#[tokio::test]
async fn regular_files_of_both_endings_are_read_also_behind_links() -> TestResult {
    let folder = tempfile::tempdir()?;
    let outside = tempfile::tempdir()?;
    let inside = |name: &str| folder.path().join(name);
    let declaration =
        |name: &str| format!("{{name: {name}, command: echo, recipes: {{run: {{}}}}}}");
    fs::write(inside("b.yml"), declaration("b"))?;
    fs::write(outside.path().join("x"), declaration("c"))?;
    symlink(outside.path().join("x"), inside("c.yaml"))?;
    fs::write(inside("ignored.txt"), "[")?;
    fs::create_dir(inside("below"))?;
    fs::write(inside("below").join("d.yaml"), declaration("d"))?;
    fs::create_dir(inside("folder.yaml"))?;
    symlink(inside("nowhere"), inside("dangling.yaml"))?;
    fs::write(inside("bytes.yaml"), b"\xff")?;
    let fifo = std::process::Command::new("mkfifo").arg(inside("pipe.yaml")).status()?;
    assert!(fifo.success());
    let (registry, problems) = Registry::load(folder.path(), LoadOptions::default()).await?;
    let names: Vec<String> = registry.list().iter().map(|tool| tool.name.clone()).collect();
    assert_eq!(names, ["b", "c"]);
    let files: Vec<&str> = problems.iter().map(|problem| problem.file.as_str()).collect();
    assert_eq!(files, ["bytes.yaml", "dangling.yaml", "folder.yaml", "pipe.yaml"]);
    Ok(())
}

#[test]
fn a_check_warns_of_programs_that_are_missing() -> TestResult {
    let folder = folder(&[GOOD, "{name: a, command: no-such-program-here, recipes: {r: {}}}"])?;
    let problems = check(folder.path(), &LoadOptions::default());
    let expected = "1.yaml: warning: the program \"no-such-program-here\" is not on this host now";
    assert_eq!(problems.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
    Ok(())
}
