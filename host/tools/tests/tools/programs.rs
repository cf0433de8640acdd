//! Programs that run: what comes back, and what is gone afterwards.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pcm_runtime_api::{HostError, Payload, ValueType};
use pcm_tools::{CallOptions, LoadOptions, OutputStream, Registry, ToolError, Variables};
use serde_json::{Value, json};

use crate::{TestResult, call, call_with, load_with, registry, until};

/// A shell as a tool: `tools.sh.run(script=…)`. The tests need programs that misbehave.
const SHELL: &str = "
name: sh
timeout: 30
schema:
  options: {script: {type: string, short: c}}
  positional: [{name: rest, type: array}]
recipes: {run: {}}
";

fn shell(script: &str) -> Value {
    json!({ "script": script })
}

async fn run(script: &str) -> Result<Payload, Box<dyn std::error::Error>> {
    Ok(call(&registry(&[SHELL]).await?, "sh.run", shell(script)).await?)
}

async fn failure(script: &str) -> Result<String, Box<dyn std::error::Error>> {
    let error = call(&registry(&[SHELL]).await?, "sh.run", shell(script)).await.err();
    let error = HostError::from(error.ok_or("it did not fail")?);
    assert_eq!(error.error_type, "ToolCallError");
    Ok(error.message)
}

/// Whether a process of that number is there and not just waiting to be reaped.
fn is_alive(id: &str) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(id).join("stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().next());
    !matches!(state, None | Some("Z" | "X"))
}

#[tokio::test]
async fn echo_gives_back_what_it_was_given() -> TestResult {
    let echo = "
name: echo
schema: {positional: [{name: text, type: string, required: true}]}
recipes: {say: {description: Says it, params: {text: {}}}}";
    let registry = registry(&[echo]).await?;
    assert_eq!(call(&registry, "echo.say", json!({"text": "hi"})).await?, json!("hi\n").into());
    assert_eq!(call(&registry, "echo", json!({"text": "hello"})).await?, json!("hello\n").into());
    assert!(call(&registry, "echo.say", json!({})).await.is_err());
    Ok(())
}

#[tokio::test]
async fn two_mebibytes_arrive_whole() -> TestResult {
    let payload = run("head -c 2097152 /dev/zero | tr '\\0' x").await?;
    assert_eq!(payload.value.as_str().map(str::len), Some(2 << 20));
    Ok(())
}

#[tokio::test]
async fn nothing_is_on_the_standard_input() -> TestResult {
    assert_eq!(run("cat").await?, json!("").into());
    Ok(())
}

#[tokio::test]
async fn what_is_no_text_comes_back_as_bytes() -> TestResult {
    let payload = run("printf '\\377\\000a'").await?;
    assert_eq!(payload, Payload::from(json!("/wBh")).with_type("", ValueType::Bytes));
    Ok(())
}

#[tokio::test]
async fn a_failure_tells_what_the_program_said() -> TestResult {
    assert_eq!(
        failure("echo out; echo err >&2; exit 3").await?,
        "sh.run: Command failed: err (Exit code 3)"
    );
    assert_eq!(failure("echo out; exit 3").await?, "sh.run: Command failed: out (Exit code 3)");
    assert_eq!(failure("exit 3").await?, "sh.run: Command failed: Exit code 3");
    assert_eq!(failure("kill -9 $$").await?, "sh.run: Command failed: Killed by signal 9");
    let long = failure("head -c 1000000 /dev/zero | tr '\\0' x >&2; echo last >&2; exit 1").await?;
    assert!(long.len() < 9_000 && long.ends_with("xlast (Exit code 1)"), "{}", long.len());
    Ok(())
}

#[tokio::test]
async fn a_result_that_is_too_long_is_an_error_and_ends_the_program() -> TestResult {
    let small = SHELL.replace("timeout: 30", "output_bytes: 1000");
    let registry = registry(&[&small]).await?;
    let whole = call(&registry, "sh.run", shell("head -c 1000 /dev/zero | tr '\\0' x")).await?;
    assert_eq!(whole.value.as_str().map(str::len), Some(1000));
    let error = call(&registry, "sh.run", shell("yes")).await.err().ok_or("it did not fail")?;
    let expected = "sh.run: wrote more than 1000 bytes and was ended; ask it for less, or raise \
                    `output_bytes` in its declaration";
    assert_eq!(error.to_string(), expected);
    Ok(())
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() -> TestResult {
    let declaration = "{name: a, command: no-such-program-here, recipes: {r: {}}}";
    let error = call(&registry(&[declaration]).await?, "a.r", json!({})).await.err();
    let expected =
        "a.r: the program \"no-such-program-here\" is not on this host, or not executable";
    assert_eq!(error.map(|error| error.to_string()).as_deref(), Some(expected));
    Ok(())
}

#[tokio::test]
async fn the_environment_is_what_the_declaration_says() -> TestResult {
    let declaration =
        format!("{SHELL}\nenv: {{OWN: \"<${{SECRET}}>\", HOME: /}}\nenv_pass: [PASSED, UNSET]");
    let mut options = LoadOptions::default();
    let path = std::env::var("PATH")?;
    let variables = [
        ("PATH", path.as_str()),
        ("HOME", "/home/x"),
        ("LC_ALL", "C"),
        ("SECRET", "s"),
        ("PASSED", "p"),
        ("LD_PRELOAD", "evil.so"),
        ("TERM", "xterm"),
    ];
    options.variables =
        Variables::Only(variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    let (registry, problems) = load_with(&[&declaration], options).await?;
    assert!(problems.is_empty(), "{problems:?}");
    let output = call(&registry, "sh.run", shell("exec env")).await?;
    let mut lines: Vec<&str> = output.value.as_str().unwrap_or_default().lines().collect();
    lines.retain(|line| !line.starts_with("PATH=") && !line.starts_with("PWD="));
    lines.sort_unstable();
    assert_eq!(lines, ["HOME=/", "LC_ALL=C", "OWN=<s>", "PASSED=p"]);
    Ok(())
}

#[tokio::test]
async fn relative_paths_begin_at_the_folder_of_the_declaration() -> TestResult {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("bin/where");
    fs::create_dir(folder.path().join("bin"))?;
    fs::create_dir(folder.path().join("work"))?;
    fs::write(&script, "#!/bin/sh\nbasename \"$PWD\"")?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    let declaration = "{name: where, command: bin/where, cwd: work, recipes: {r: {}}}";
    fs::write(folder.path().join("where.yaml"), declaration)?;
    let (registry, _) = Registry::load(folder.path(), LoadOptions::default()).await?;
    assert_eq!(call(&registry, "where.r", json!({})).await?, json!("work\n").into());
    Ok(())
}

#[tokio::test]
async fn the_name_of_the_program_is_what_was_declared() -> TestResult {
    assert_eq!(run("echo $0").await?, json!("sh\n").into());
    Ok(())
}

/// A script that starts a child which ignores the request to end, writes both numbers into a file,
/// and waits.
fn stubborn(file: &Path) -> String {
    let file = file.display();
    format!(
        "sh -c 'trap \"\" TERM; echo $$ >> {file}; while :; do sleep 1; done' & echo $$ >> {file}; wait"
    )
}

fn numbers(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn on_timeout_the_children_are_gone_when_the_error_comes() -> TestResult {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("numbers");
    let registry = registry(&[SHELL]).await?;
    let options = CallOptions { timeout: Some(Duration::from_secs(3)), ..CallOptions::default() };
    let error = call_with(&registry, "sh.run", shell(&stubborn(&file)), options).await.err();
    let expected = ToolError::Timeout { tool: "sh.run".to_owned(), seconds: 3.0 };
    assert_eq!(error, Some(expected.clone()));
    assert!(expected.to_string().starts_with("sh.run: timed out after 3 s"), "{expected}");
    let numbers = numbers(&file);
    assert_eq!(numbers.len(), 2);
    for number in &numbers {
        assert!(until(|| !is_alive(number)).await, "{number}");
    }
    Ok(())
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_ends_with_its_children() -> TestResult {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("numbers");
    let registry = registry(&[SHELL]).await?;
    let script = stubborn(&file);
    let running = tokio::spawn({
        let registry = registry.clone();
        async move { call(&registry, "sh.run", shell(&script)).await }
    });
    assert!(until(|| numbers(&file).len() == 2).await);
    running.abort();
    let _ = running.await;
    registry.close().await;
    for number in numbers(&file) {
        assert!(!Path::new("/proc").join(&number).exists() || until(|| !is_alive(&number)).await);
    }
    Ok(())
}

#[tokio::test]
async fn a_child_that_keeps_the_pipe_does_not_keep_the_call() -> TestResult {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("numbers");
    let script = format!("sh -c 'echo $$ > {}; sleep 600' & echo done", file.display());
    assert_eq!(run(&script).await?, json!("done\n").into());
    for number in numbers(&file) {
        assert!(until(|| !is_alive(&number)).await, "{number}");
    }
    Ok(())
}

#[tokio::test]
async fn a_program_that_closes_its_output_is_waited_for() -> TestResult {
    let error = failure("exec >&- 2>&-; sleep 0.3; exit 7").await?;
    assert_eq!(error, "sh.run: Command failed: Exit code 7");
    Ok(())
}

#[tokio::test]
async fn no_zombie_is_left() -> TestResult {
    let registry = registry(&[SHELL]).await?;
    let number = call(&registry, "sh.run", shell("echo $$")).await?;
    let number = number.value.as_str().unwrap_or_default().trim().to_owned();
    assert!(!Path::new("/proc").join(&number).exists(), "{number} is reaped");
    Ok(())
}

/// Each of the eight calls waits until all eight are there: they can only end if they overlap.
#[tokio::test]
async fn calls_run_beside_each_other() -> TestResult {
    let folder = tempfile::tempdir()?;
    let place = folder.path().display();
    let registry = registry(&[SHELL]).await?;
    let calls = (0..8).map(|index| {
        let script = format!(
            "touch {place}/{index}; while [ $(ls {place} | wc -l) -lt 8 ]; do sleep 0.05; done"
        );
        let registry = registry.clone();
        async move { call(&registry, "sh.run", shell(&script)).await }
    });
    for result in futures_util::future::join_all(calls).await {
        assert_eq!(result?, json!("").into());
    }
    Ok(())
}

#[tokio::test]
async fn output_is_heard_while_the_program_runs() -> TestResult {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("heard");
    let heard: Arc<Mutex<Vec<(OutputStream, String)>>> = Arc::default();
    let sink = {
        let (heard, file) = (Arc::clone(&heard), file.clone());
        Arc::new(move |stream, bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            if text.contains("first") {
                // The program goes on only when it was heard.
                let _ = fs::write(&file, "");
            }
            if let Ok(mut heard) = heard.lock() {
                heard.push((stream, text));
            }
        })
    };
    let script = format!(
        "echo first; while [ ! -e {} ]; do sleep 0.05; done; echo second >&2",
        file.display()
    );
    let options = CallOptions { output: Some(sink), ..CallOptions::default() };
    let registry = registry(&[SHELL]).await?;
    let result = call_with(&registry, "sh.run", shell(&script), options).await?;
    assert_eq!(result, json!("first\n").into());
    let heard = heard.lock().map_err(|_| "poisoned")?.clone();
    let expected = [(OutputStream::Stdout, "first\n"), (OutputStream::Stderr, "second\n")];
    assert_eq!(heard, expected.map(|(stream, text)| (stream, text.to_owned())));
    Ok(())
}

#[tokio::test]
async fn no_shell_looks_at_the_arguments() -> TestResult {
    let echo = "{name: echo, schema: {positional: [{name: text}]}, recipes: {say: {}}}";
    let text = "$(id) `id` ; id | id > /tmp/x && * ~ \\ ' \" \n";
    let payload = call(&registry(&[echo]).await?, "echo.say", json!({ "text": text })).await?;
    assert_eq!(payload, json!(format!("{text}\n")).into());
    Ok(())
}
