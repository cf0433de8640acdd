//! One script, and `--backend` the only thing that changes.

use std::fs;

use serde_json::json;

use crate::TestResult;
use crate::command::pcm;

/// Containers need an engine, which `./x test` starts where it can.
fn backends() -> Vec<&'static str> {
    let container = std::env::var_os("DOCKER_HOST").map(|_| "container");
    ["wasm", "deno-sandbox", "subprocess", "in-process"].into_iter().chain(container).collect()
}

/// Uses tools, workflows, artifacts and packages.
const SCRIPT: &str = r#"
said = tools.echo.say(text="hi").strip()
together = [it.strip() for it in [await tools.echo.say(text="one"), await tools.echo.say(text="two")]]
workflows.create("twice", "async def run(x):\n    return tools.echo.say(text=str(2 * x)).strip()", "Doubles")
doubled = workflows.invoke("twice", x=21)
artifacts.save("data.json", {"said": said, "bytes": [1, 2]}, "What was said")
loaded = artifacts.load("data.json")
added = deps.add("tabulate")
import tabulate
table = tabulate.tabulate([[1, 2]], tablefmt="plain")
workflows.delete("twice")
print("printed")
[said, together, doubled, loaded, added.installed, table, [1, 2.5, None, True, "\u00e9"]]
"#;

#[test]
fn one_script_gives_the_same_on_each_of_them() -> TestResult {
    let mut results = Vec::new();
    for backend in backends() {
        let base = tempfile::tempdir()?;
        let base = base.path();
        fs::create_dir(base.join("tools"))?;
        fs::write(
            base.join("tools/echo.yaml"),
            "name: echo\nschema:\n  positional: [{name: text, type: string, required: true}]\n\
             recipes:\n  say: {description: Says it, params: {text: {type: string}}}\n",
        )?;
        let script = base.join("script.py");
        fs::write(&script, SCRIPT)?;
        let (base, script) = (base.display().to_string(), script.display().to_string());
        let ended = pcm(&["run", "--backend", backend, "--base", &base, "--json", &script])?;
        let mut result = ended.json()?;
        assert_eq!(result["is_ok"], true, "{backend}: {result}");
        assert_eq!(result["backend"], backend);
        assert_eq!(result["usage"]["tool_calls"], json!(10), "{backend}");
        for part in ["usage", "backend", "files"] {
            result.as_object_mut().map(|result| result.remove(part));
        }
        results.push(result);
    }
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]), "{results:#?}");
    assert_eq!(results[0]["value"][5], "1  2");
    Ok(())
}

#[test]
fn a_body_of_a_function_runs_on_each_of_them() -> TestResult {
    let body = "text = '''one\n  two'''\nreturn [text, 6 * 7]";
    for backend in backends() {
        let ended = pcm(&["run", "-b", backend, "--function-body", "--json", "-c", body])?;
        assert_eq!(ended.json()?["value"], json!(["one\n  two", 42]), "{backend}");
    }
    let ended = pcm(&["run", "--function-body", "-c", "return 1 / 0"])?;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("ZeroDivisionError"), "{}", ended.stderr);
    Ok(())
}
