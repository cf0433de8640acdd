//! What a call answers: content for models, and the same as structured content for programs.

use pcm_runtime_api::{ExecutionResult, MimeBundle, SessionState, ValueType};
use rmcp::model::{CallToolResult, ContentBlock};
use serde::Serialize;
use serde_json::{Value, json};

/// The forms of a rich result that are pictures, the best first. The last one is text, the others are
/// base64.
const IMAGES: [&str; 5] = ["image/png", "image/jpeg", "image/webp", "image/gif", SVG];
const SVG: &str = "image/svg+xml";
/// The forms of one that is shown as text.
const TEXTS: [&str; 2] = ["text/markdown", "text/plain"];

/// A result with both, where the text is that of the structured content or of a part of it.
pub(crate) fn structured(text: String, value: impl Serialize) -> CallToolResult {
    let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
    result.structured_content = serde_json::to_value(value).ok();
    result
}

/// The same, where the text is the JSON of the value.
pub(crate) fn object(value: impl Serialize) -> CallToolResult {
    let value = serde_json::to_value(value).unwrap_or_default();
    structured(value.to_string(), value)
}

/// A list, which is one text even if it is empty.
pub(crate) fn list(name: &str, items: impl Serialize) -> CallToolResult {
    let items = serde_json::to_value(items).unwrap_or_default();
    structured(items.to_string(), json!({name: items}))
}

/// A call that failed. Models read it, and can do better.
pub(crate) fn failure(message: impl AsRef<str>) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(format!("Error: {}", message.as_ref()))])
}

/// A run, and what its session is known by where that has to be said.
pub(crate) fn run(result: &ExecutionResult, session_id: Option<&str>) -> CallToolResult {
    let mut content = vec![ContentBlock::text(text(result))];
    let mut structured = serde_json::to_value(result).unwrap_or_default();
    for (index, bundle) in result.display.iter().enumerate() {
        let (block, sent) = shown(bundle);
        content.extend(block);
        let form =
            structured.pointer_mut(&format!("/display/{index}")).and_then(Value::as_object_mut);
        if let (Some(form), Some(sent)) = (form, sent) {
            form.shift_remove(sent);
        }
    }
    content.extend(state(result.session).map(ContentBlock::text));
    if let Some(id) = session_id {
        structured["session_id"] = id.into();
        content.push(ContentBlock::text(format!(
            "session_id: {id} (pass it to go on with these variables)"
        )));
    }
    let mut reply = if result.is_ok() {
        CallToolResult::success(content)
    } else {
        CallToolResult::error(content)
    };
    reply.structured_content = Some(structured);
    reply
}

/// The text as the original system's server makes it.
fn text(result: &ExecutionResult) -> String {
    let first = match &result.error {
        Some(error) if error.traceback.trim().is_empty() => Some(format!("Error: {error}")),
        Some(error) => Some(format!("Error: {}", error.traceback.trim_end())),
        None => value(result),
    };
    let stdout = (!result.stdout.is_empty()).then(|| format!("Stdout:\n{}", result.stdout));
    match (first, stdout) {
        (Some(first), Some(stdout)) => format!("{first}\n\n{stdout}"),
        (Some(first), None) => first,
        (None, Some(stdout)) => stdout,
        (None, None) => "(no output)".to_owned(),
    }
}

/// The value as `str` gives it in Python; nothing for None.
fn value(result: &ExecutionResult) -> Option<String> {
    let repr = || result.value_repr.clone();
    match (&result.value, result.value_types.get("")) {
        // What is carried as a string is one that differs from Python's only for these.
        (
            Value::String(_),
            Some(ValueType::Bytes | ValueType::Float | ValueType::Int | ValueType::Timedelta),
        ) => repr(),
        (Value::String(text), Some(ValueType::Datetime)) => Some(text.replacen('T', " ", 1)),
        (Value::String(text), _) => Some(text.clone()),
        (Value::Null, _) => repr().filter(|repr| repr != "None"),
        (other, _) => repr().or_else(|| Some(other.to_string())),
    }
}

/// The one form of a rich result that is content, and which one that is if it need not be said twice.
fn shown(bundle: &MimeBundle) -> (Option<ContentBlock>, Option<&str>) {
    for form in IMAGES {
        let Some(data) = bundle.get(form).and_then(Value::as_str) else { continue };
        let data = if form == SVG { Some(base64(data)) } else { checked(data) };
        if let Some(data) = data {
            return (Some(ContentBlock::image(data, form)), Some(form));
        }
    }
    let sounds = bundle.iter().filter(|(form, _)| form.starts_with("audio/"));
    for (form, data) in sounds {
        if let Some(data) = data.as_str().and_then(checked) {
            return (Some(ContentBlock::audio(data, form)), Some(form));
        }
    }
    let text = TEXTS.iter().find_map(|form| bundle.get(*form)?.as_str());
    (text.map(ContentBlock::text), None)
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// Base64 without line ends; None for what is none: the code chose it, and clients rely on it.
fn checked(data: &str) -> Option<String> {
    let data: String = data.split_ascii_whitespace().collect();
    let digits = data.trim_end_matches('=');
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let is_base64 = !digits.is_empty()
        && data.len().is_multiple_of(4)
        && data.len() - digits.len() <= 2
        && digits.bytes().all(is_digit);
    is_base64.then_some(data)
}

/// What a model has to know of its variables.
fn state(session: SessionState) -> Option<&'static str> {
    match session {
        SessionState::Kept => None,
        SessionState::RolledBack => Some("The variables are as they were before this code."),
        SessionState::Reset => Some("The session was reset: its variables and imports are gone."),
        SessionState::Lost => Some("The session is closed."),
    }
}

#[cfg(test)]
mod tests {
    use pcm_runtime_api::{ErrorKind, ExecutionError};

    use super::*;

    fn ok(value: Value, repr: &str, stdout: &str) -> String {
        let mut result =
            ExecutionResult { value, stdout: stdout.to_owned(), ..ExecutionResult::new("x") };
        result.value_repr = Some(repr.to_owned());
        text(&result)
    }

    #[test]
    fn the_text_is_the_value_then_the_output() {
        assert_eq!(ok(json!(3), "3", ""), "3");
        assert_eq!(ok(json!("a"), "'a'", "out\n"), "a\n\nStdout:\nout\n");
        assert_eq!(ok(json!([1, null]), "[1, None]", ""), "[1, None]");
        assert_eq!(ok(json!(true), "True", ""), "True");
        assert_eq!(ok(Value::Null, "None", "out"), "Stdout:\nout");
        assert_eq!(ok(Value::Null, "None", ""), "(no output)");
        assert_eq!(ok(Value::Null, "<object>", ""), "<object>");
        assert_eq!(ok(json!(""), "''", ""), "");
    }

    #[test]
    fn what_json_cannot_say_is_shown_as_python_does() {
        let typed = |value: &str, kind, repr: &str| {
            let mut result = ExecutionResult { value: value.into(), ..ExecutionResult::new("x") };
            result.value_types.insert(String::new(), kind);
            result.value_repr = Some(repr.to_owned());
            text(&result)
        };
        assert_eq!(typed("aGk=", ValueType::Bytes, "b'hi'"), "b'hi'");
        assert_eq!(typed("NaN", ValueType::Float, "nan"), "nan");
        assert_eq!(typed("1.50", ValueType::Decimal, "Decimal('1.50')"), "1.50");
        let datetime = typed("2026-01-02T03:04:05", ValueType::Datetime, "datetime.datetime(…)");
        assert_eq!(datetime, "2026-01-02 03:04:05");
    }

    #[test]
    fn an_error_is_its_traceback_or_its_message() {
        let mut error = ExecutionError::new(ErrorKind::Timeout, "too slow");
        let failed = |error: &ExecutionError, stdout: &str| {
            let mut result = ExecutionResult::failed("x", error.clone(), SessionState::Kept);
            result.stdout = stdout.to_owned();
            text(&result)
        };
        assert_eq!(failed(&error, ""), "Error: TimeoutError: too slow");
        assert_eq!(failed(&error, "a\n"), "Error: TimeoutError: too slow\n\nStdout:\na\n");
        error.traceback = "Traceback …\nValueError: x\n".to_owned();
        assert_eq!(failed(&error, ""), "Error: Traceback …\nValueError: x");
    }

    #[test]
    fn a_picture_is_content_and_not_said_twice() {
        let bundle: MimeBundle = [
            ("image/png".to_owned(), json!("aGk=\n")),
            ("text/plain".to_owned(), json!("<Figure>")),
        ]
        .into();
        let result = ExecutionResult { display: vec![bundle], ..ExecutionResult::new("x") };
        let reply = run(&result, None);
        assert_eq!(reply.content.get(1), Some(&ContentBlock::image("aGk=", "image/png")));
        let display = reply.structured_content.map(|value| value["display"].clone());
        assert_eq!(display, Some(json!([{"text/plain": "<Figure>"}])));
    }

    #[test]
    fn a_picture_that_is_none_is_not_sent_as_one() {
        for data in ["", "=", "a", "aGk", "a b!", "====", "aGk=aGk="] {
            assert_eq!(checked(data), None, "{data}");
        }
        let bundle: MimeBundle = [("image/png".to_owned(), json!("no picture"))].into();
        assert_eq!(shown(&bundle), (None, None));
        let svg: MimeBundle = [(SVG.to_owned(), json!("<svg/>"))].into();
        assert_eq!(shown(&svg), (Some(ContentBlock::image("PHN2Zy8+", SVG)), Some(SVG)));
    }

    #[test]
    fn a_model_learns_that_its_variables_are_gone() {
        let error = ExecutionError::new(ErrorKind::Crashed, "gone");
        let reply = run(&ExecutionResult::failed("x", error, SessionState::Reset), Some("abc"));
        assert_eq!(reply.content.len(), 3);
        assert_eq!(reply.is_error, Some(true));
        assert_eq!(
            reply.structured_content.map(|value| value["session_id"].clone()),
            Some(json!("abc"))
        );
    }
}
