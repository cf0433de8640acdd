//! From a declaration and arguments to the words that a program gets.

use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::OsString;

use pcm_runtime_api::ValueType;
use pcm_tools::{Arguments, CliTool, LoadOptions, ToolError};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::{TestResult, object};

const CURL: &str = "
name: curl
description: Makes HTTP requests
schema:
  options:
    silent: {type: boolean, short: s}
    location: {type: boolean, short: L}
    header: {type: array, short: H}
    max-time: {type: integer}
    user_agent: {type: string}
    limit: {type: number}
  positional:
    - {name: url, required: true}
    - {name: second}
recipes:
  get:
    preset: {silent: true, location: true}
    params:
      url: {required: true}
      user_agent: {default: agent}
  must:
    params: {user_agent: {required: true}, url: {}}
";

fn tool(yaml: &str) -> Result<CliTool, Box<dyn Error>> {
    CliTool::parse(yaml, None, &LoadOptions::default()).map_err(|problems| {
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n").into()
    })
}

fn argv(tool: &CliTool, recipe: Option<&str>, args: Value) -> Result<String, ToolError> {
    let words = tool.argv(recipe, &object(args).into())?;
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    Ok(words.join(" "))
}

#[test]
fn options_come_before_positionals_in_the_order_of_the_schema() -> TestResult {
    let curl = tool(CURL)?;
    for (recipe, args, expected) in [
        (
            Some("get"),
            json!({"url": "URL", "user_agent": null}),
            "curl -s -L --user_agent agent URL",
        ),
        (Some("get"), json!({"url": "URL", "user_agent": "x"}), "curl -s -L --user_agent x URL"),
        (
            Some("get"),
            json!({"url": "U", "silent": false, "user_agent": 1}),
            "curl -L --user_agent 1 U",
        ),
        (None, json!({"url": "U"}), "curl U"),
        (None, json!({"second": "2", "url": "1", "location": true}), "curl -L 1 2"),
        (None, json!({"url": "U", "header": ["a: b", "c"]}), "curl -H a: b -H c U"),
        (None, json!({"url": "U", "header": []}), "curl U"),
        (None, json!({"url": "U", "max-time": 5}), "curl --max-time 5 U"),
        (None, json!({"url": "U", "max_time": "5"}), "curl --max-time 5 U"),
        (None, json!({"url": "U", "limit": 1.0}), "curl --limit 1.0 U"),
        (None, json!({"url": "U", "limit": 1e22}), "curl --limit 1e+22 U"),
        (None, json!({"url": true, "user_agent": false}), "curl --user_agent False True"),
        (None, json!({"url": "U", "silent": 1, "location": 0}), "curl -s U"),
        (Some("must"), json!({"url": "U", "user_agent": ""}), "curl --user_agent  U"),
        (None, json!({"url": "-"}), "curl -"),
        (None, json!({"url": "U", "user_agent": "-x"}), "curl --user_agent -x U"),
    ] {
        assert_eq!(argv(&curl, recipe, args.clone())?, expected, "{args}");
    }
    Ok(())
}

#[test]
fn the_documented_examples_hold() -> TestResult {
    let plain = "
name: curl
schema:
  options:
    silent: {type: boolean, short: s}
    location: {type: boolean, short: L}
  positional: [{name: url, type: string, required: true}]
recipes: {get: {preset: {silent: true, location: true}, params: {url: {}}}}";
    assert_eq!(argv(&tool(plain)?, Some("get"), json!({"url": "URL"}))?, "curl -s -L URL");
    let copy = "
name: cp
schema: {positional: [{name: from, required: true}, {name: to, required: true}]}
recipes: {copy: {}}";
    assert_eq!(argv(&tool(copy)?, Some("copy"), json!({"to": "b", "from": "a"}))?, "cp a b");
    let grep = "
name: grep
schema:
  options: {i: {type: boolean, short: i}}
  positional: [{name: pattern, required: true}, {name: path}]
recipes: {grep: {preset: {i: yes}}}";
    // The recipe that is called as the tool is what a call of the tool means.
    let args = json!({"pattern": "error", "path": "log.txt"});
    assert_eq!(argv(&tool(grep)?, None, args)?, "grep -i error log.txt");
    Ok(())
}

#[test]
fn the_end_of_options_is_marked_where_it_was_asked_for() -> TestResult {
    let rm = tool(
        "
name: rm
end_of_options: true
schema:
  options: {force: {type: boolean, short: f}}
  positional: [{name: files, type: array}]
recipes: {remove: {preset: {force: true}}}",
    )?;
    let files = json!({"files": ["-r", "a"]});
    assert_eq!(argv(&rm, Some("remove"), files)?, "rm -f -- -r a");
    assert_eq!(argv(&rm, Some("remove"), json!({}))?, "rm -f");
    Ok(())
}

#[test]
fn a_positional_is_no_option_unless_that_was_asked_for() -> TestResult {
    let declared = |end_of_options: &str| {
        tool(&format!(
            "
name: head
{end_of_options}
schema:
  positional: [{{name: file, required: true}}, {{name: lines, type: integer}}, {{name: more, type: array}}]
recipes: {{head: {{}}, quiet: {{preset: {{file: -q}}}}}}"
        ))
    };
    let unsaid = declared("")?;
    for args in [
        json!({"file": "-o/etc/passwd"}),
        json!({"file": "--version"}),
        json!({"file": "--"}),
        json!({"file": -5}),
        json!({"file": "a", "more": ["b", "-c"]}),
    ] {
        let error = argv(&unsaid, None, args.clone()).err().map(|error| error.to_string());
        let error = error.unwrap_or_default();
        assert!(error.contains("might take it for an option"), "{args}: {error}");
    }
    let bytes = Arguments {
        values: json!({"file": "LW8="}).as_object().cloned().unwrap_or_default(),
        types: [("/file".to_owned(), ValueType::Bytes)].into(),
    };
    assert!(unsaid.argv(None, &bytes).is_err(), "as bytes neither");
    // What the declaration says itself, numbers that are declared as such, and other dashes stay.
    assert_eq!(argv(&unsaid, Some("quiet"), json!({"lines": -5}))?, "head -q -5");
    assert_eq!(argv(&unsaid, None, json!({"file": "a-b", "more": ["./-x"]}))?, "head a-b ./-x");
    let allowed = declared("end_of_options: false")?;
    assert_eq!(argv(&allowed, None, json!({"file": "-n5"}))?, "head -n5");
    Ok(())
}

#[test]
fn arguments_that_do_not_fit_are_refused_with_what_would() -> TestResult {
    let curl = tool(CURL)?;
    let long = "x".repeat(128 << 10);
    let many = vec!["x".repeat(100 << 10); 11];
    for (recipe, args, expected) in [
        (None, json!({}), "Required parameter \"url\" is missing"),
        (None, json!({"url": null}), "Required parameter \"url\" is missing"),
        (Some("must"), json!({"url": "U"}), "Required parameter \"user_agent\" is missing"),
        (None, json!({"url": "U", "silnt": true}), "did you mean \"silent\"?"),
        (None, json!({"url": "U", "a\nb": true}), "it takes: silent, location, header, max_time"),
        (
            None,
            json!({"url": "U", "max-time": "abc"}),
            "\"max_time\" has to be of the type int, and \"abc\" is not",
        ),
        (None, json!({"url": "U", "max-time": 5, "max_time": 6}), "is given twice"),
        (None, json!({"url": ["U"]}), "\"url\" has to be of the type str, and a list is not"),
        (None, json!({"url": {"U": 1}}), "a mapping is not"),
        (None, json!({"url": "U", "header": "a"}), "of the type list[str]"),
        (None, json!({"url": "U", "header": [["a"]]}), "of the type list[str]"),
        (None, json!({"url": "U", "header": [null]}), "of the type list[str]"),
        (None, json!({"url": "U", "silent": "yes"}), "of the type bool"),
        (None, json!({"url": "a\0b"}), "NUL"),
        (None, json!({"url": long}), "131071"),
        (None, json!({"url": "U", "header": many}), "1048576"),
        (
            Some("put"),
            json!({"url": "U"}),
            "ValueError: Recipe \"put\" not found; there are: get, must",
        ),
    ] {
        let error = argv(&curl, recipe, args.clone()).err().map(|error| error.to_string());
        let error = error.unwrap_or_default();
        assert!(error.contains(expected), "{}: {error}", args.to_string().split_at(20).0);
        assert!(error.starts_with("curl") && error.contains("ValueError"), "{error}");
        assert!(error.len() < 500, "{}", error.len());
    }
    Ok(())
}

#[test]
fn bytes_are_words_as_they_are() -> TestResult {
    use std::os::unix::ffi::OsStrExt as _;
    let curl = tool(CURL)?;
    let bytes = |args: Value, pointer: &str| Arguments {
        values: object(args),
        types: BTreeMap::from([(pointer.to_owned(), ValueType::Bytes)]),
    };
    let words = curl.argv(None, &bytes(json!({"url": "/2E="}), "/url"))?;
    assert_eq!(words[1].as_bytes(), b"\xffa", "{words:?}");
    Ok(())
}

#[test]
fn bytes_with_a_nul_and_bytes_for_a_number_are_refused() -> TestResult {
    let curl = tool(CURL)?;
    for (args, pointer) in [
        (json!({"url": "AGE="}), "/url"),
        (json!({"url": "U", "max-time": "1234"}), "/max-time"),
        (json!({"url": "U", "header": ["a", "not base64!"]}), "/header/1"),
    ] {
        let types = BTreeMap::from([(pointer.to_owned(), ValueType::Bytes)]);
        assert!(curl.argv(None, &Arguments { values: object(args), types }).is_err(), "{pointer}");
    }
    Ok(())
}

fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "-{1,2}[a-z]{0,4}".prop_map(Value::from),
    ];
    scalar.prop_recursive(2, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,4}", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn args() -> impl Strategy<Value = Map<String, Value>> {
    let names = [
        "silent",
        "location",
        "header",
        "max-time",
        "max_time",
        "user_agent",
        "url",
        "second",
        "limit",
        "other",
    ];
    prop::collection::vec((prop::sample::select(names.to_vec()), value()), 0..6)
        .prop_map(|pairs| pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

proptest! {
    /// Every word is the command, a flag of the schema, or the text of a value that was given,
    /// preset or a default.
    #[test]
    fn no_word_is_there_that_nobody_asked_for(
        args in args(),
        recipe in prop::sample::select(vec![None, Some("get"), Some("must")]),
    ) {
        let curl = tool(CURL).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let Ok(words) = curl.argv(recipe, &Arguments::from(args.clone())) else { return Ok(()) };
        let flags = ["-s", "-L", "-H", "--max-time", "--user_agent", "--limit", "agent"];
        let given: Vec<OsString> = args.values().flat_map(texts).map(OsString::from).collect();
        prop_assert_eq!(&words[0], "curl");
        for word in &words[1..] {
            let asked = flags.iter().any(|flag| word == flag) || given.contains(word);
            prop_assert!(asked, "{:?} of {:?}", word, words);
        }
    }
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Bool(true) => vec!["True".to_owned()],
        Value::Bool(false) => vec!["False".to_owned()],
        Value::String(text) => vec![text.clone()],
        // Of a number the value is compared, not the spelling.
        Value::Number(number) => {
            let plain = number.to_string();
            let float = number.as_f64().filter(|_| number.is_f64());
            let exponent = |value: f64| {
                let text = format!("{value:e}");
                let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
                let power: i32 = power.parse().unwrap_or_default();
                format!("{digits}e{}{:02}", if power < 0 { '-' } else { '+' }, power.abs())
            };
            let mut texts = vec![plain];
            texts.extend(float.map(exponent));
            texts.extend(float.map(|value| format!("{value:?}")));
            texts.extend(float.map(|value| value.to_string()));
            texts
        }
        Value::Null | Value::Object(_) => Vec::new(),
    }
}
