//! `--format` and `--json`.

use serde_json::{Value, json};

use crate::TestResult;
use crate::command::pcm;

#[test]
fn text_is_what_is_printed_and_then_the_value() -> TestResult {
    let ended = pcm(&["run", "-c", "print('hi')\n{'a': (1, 'b')}"])?;
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("hi\n{'a': (1, 'b')}\n", ""));
    Ok(())
}

#[test]
fn the_value_stands_on_a_line_of_its_own() -> TestResult {
    assert_eq!(pcm(&["run", "-c", "print('no newline', end='')\n1"])?.stdout, "no newline\n1\n");
    Ok(())
}

#[test]
fn none_is_not_shown() -> TestResult {
    assert_eq!(pcm(&["run", "-c", "x = 1"])?.stdout, "");
    assert_eq!(pcm(&["run", "-c", "None"])?.stdout, "");
    Ok(())
}

#[test]
fn only_the_last_value_is_shown() -> TestResult {
    assert_eq!(pcm(&["run", "-c", "object()", "-c", "x = 1", "-c", "x + 1"])?.stdout, "2\n");
    Ok(())
}

#[test]
fn the_streams_stay_apart() -> TestResult {
    let ended = pcm(&["run", "-c", "import sys\nprint('o')\nprint('e', file=sys.stderr)"])?;
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("o\n", "e\n"));
    Ok(())
}

#[test]
fn an_exception_shows_its_traceback() -> TestResult {
    let ended = pcm(&["run", "-c", "print('before')\n1 / 0"])?;
    assert_eq!(ended.stdout, "before\n");
    assert!(ended.stderr.starts_with("Traceback (most recent call last):\n"), "{}", ended.stderr);
    assert!(ended.stderr.ends_with("ZeroDivisionError: division by zero\n"), "{}", ended.stderr);
    Ok(())
}

#[test]
fn a_pipe_gets_control_characters_as_they_are() -> TestResult {
    assert_eq!(pcm(&["run", "-c", r"print('\x1b[1m\x00')"])?.stdout, "\x1b[1m\0\n");
    Ok(())
}

#[test]
fn what_is_displayed_shows_as_text() -> TestResult {
    let code = "
class Bold:
    def __repr__(self): return 'plain'
    def _repr_html_(self): return '<b>'
display(Bold())
Bold()";
    assert_eq!(pcm(&["run", "-c", code])?.stdout, "plain\nplain\n");
    Ok(())
}

#[test]
fn json_is_one_result_of_all_codes() -> TestResult {
    let ended = pcm(&["run", "--json", "-c", "x = 40", "-c", "print('hi'); x + 2"])?;
    assert_eq!(ended.stderr, "");
    assert_eq!(ended.stdout.lines().count(), 1);
    let result = ended.json()?;
    assert_eq!(result["value"], 42);
    assert_eq!(result["stdout"], "hi\n");
    assert_eq!(result["is_ok"], true);
    assert_eq!(result["session"], "kept");
    assert_eq!(result["error"], Value::Null);
    assert_eq!(result["backend"], "wasm");
    assert_eq!(result["usage"]["output_bytes"], 3);
    Ok(())
}

#[test]
fn json_joins_the_output() -> TestResult {
    let code = "import sys; print(1, file=sys.stderr); print(2); display(3)";
    let result = pcm(&["run", "--format", "json", "-c", code, "-c", code])?.json()?;
    assert_eq!((&result["stdout"], &result["stderr"]), (&json!("2\n2\n"), &json!("1\n1\n")));
    assert_eq!(result["display"], json!([{"text/plain": "3"}, {"text/plain": "3"}]));
    Ok(())
}

#[test]
fn json_has_the_error_and_what_came_before() -> TestResult {
    let ended = pcm(&["run", "--json", "-c", "print('a')", "-c", "int('x')", "-c", "print('c')"])?;
    let result = ended.json()?;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), ""));
    assert_eq!(result["stdout"], "a\n");
    assert_eq!(result["error"]["type"], "ValueError");
    assert_eq!(result["error"]["kind"], "exception");
    assert_eq!(result["is_ok"], false);
    Ok(())
}

#[test]
fn json_lines_tell_what_happens() -> TestResult {
    let ended = pcm(&["run", "--format", "jsonl", "-c", "print('a')", "-c", "display(1); 2"])?;
    let lines: Vec<Value> =
        ended.stdout.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let names: Vec<&str> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
    assert_eq!(names.len(), lines.len());
    let printed: String = lines.iter().filter_map(|line| line["text"].as_str()).collect();
    assert_eq!(printed, "a\n");
    let results: Vec<&Value> = lines.iter().filter(|line| line["event"] == "result").collect();
    assert_eq!((&results[0]["stdout"], &results[1]["value"]), (&json!("a\n"), &json!(2)));
    assert_eq!(results.len(), 2);
    assert_eq!(names[names.len() - 2..], ["display", "result"]);
    Ok(())
}
