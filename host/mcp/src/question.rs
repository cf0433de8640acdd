//! What a user is asked about a call, and what the answer means.
//!
//! The model that wrote the code chose the arguments. They are shown as JSON, on one line each, so that
//! none can pose as a part of the question.

use std::fmt::Write as _;

use pcm_middleware::{ApprovalRequest, Outcome};
use rmcp::ErrorData;
use rmcp::model::{ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationSchema};
use serde_json::{Value, json};

use crate::elicitor::refused;

/// The longest value that is shown whole.
const MOST_SHOWN: usize = 2000;
const MOST_LINES: usize = 40;

/// The question as a client shows it.
pub(crate) fn form(request: &ApprovalRequest) -> Result<ElicitRequestParams, ErrorData> {
    let schema = ElicitationSchema::from_json_schema(schema(request)).map_err(|error| {
        ErrorData::internal_error(format!("the question cannot be put: {error}"), None)
    })?;
    Ok(ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: message(request),
        requested_schema: schema,
    })
}

fn schema(request: &ApprovalRequest) -> serde_json::Map<String, Value> {
    let mut schema = json!({
        "type": "object",
        "properties": {
            "decision": {
                "type": "string",
                "title": "Decision",
                "description": "Whether the call may be made",
                "oneOf": [
                    {"const": "approve", "title": "Allow this call"},
                    {"const": "reject", "title": "Refuse it"},
                ],
            },
            "reason": {
                "type": "string",
                "title": "Reason",
                "description": "Why it is refused; the code reads it",
            },
        },
        "required": ["decision"],
    });
    if is_editable(request) {
        schema["properties"]["arguments"] = json!({
            "type": "string",
            "title": "Arguments",
            "description": "Other arguments in place of those above, as a JSON object; empty to leave them",
        });
    }
    match schema {
        Value::Object(schema) => schema,
        _ => serde_json::Map::new(),
    }
}

/// What JSON has no word for would be lost.
fn is_editable(request: &ApprovalRequest) -> bool {
    request.args.types.is_empty()
}

fn message(request: &ApprovalRequest) -> String {
    let mut text = format!("The code wants to call {}.", shown_text(&request.name));
    if let Value::Object(args) = &request.args.value {
        for (name, value) in args.iter().take(MOST_LINES) {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n  {} = {}", shown_text(name), shown(value));
        }
        if args.len() > MOST_LINES {
            let _ = write!(text, "\n  … and {} more arguments", args.len() - MOST_LINES);
        }
    }
    for (label, said) in [("Rule", &request.rule), ("Reason", &request.reason)] {
        if let Some(said) = said {
            let _ = write!(text, "\n{label}: {}", shown_text(said));
        }
    }
    text
}

fn shown(value: &Value) -> String {
    cut(&visible(&value.to_string()))
}

/// A text as it is, where nothing in it can be mistaken; else in quotes.
fn shown_text(text: &str) -> String {
    let is_plain = |each: char| {
        !each.is_control() && visible(each.encode_utf8(&mut [0; 4])).len() == each.len_utf8()
    };
    if text.chars().all(is_plain) { cut(text) } else { shown(&Value::from(text)) }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => {
            let start = text.get(..end).unwrap_or_default();
            format!(
                "{start} … ({} characters, of which {MOST_SHOWN} are shown)",
                text.chars().count()
            )
        }
        None => text.to_owned(),
    }
}

/// Control characters, and those that turn the direction of writing, by their numbers.
fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for each in text.chars() {
        let is_hidden = each.is_control()
            || matches!(
                each,
                '\u{200b}'..='\u{200f}'
                    | '\u{2028}'..='\u{202e}'
                    | '\u{2060}'..='\u{2069}'
                    | '\u{feff}'
            );
        if is_hidden {
            let _ = write!(visible, "\\u{:04x}", u32::from(each));
        } else {
            visible.push(each);
        }
    }
    visible
}

/// What the user has decided. What cannot be understood is no approval.
pub(crate) fn outcome(request: &ApprovalRequest, answer: ElicitResult) -> Outcome {
    match answer.action {
        ElicitationAction::Accept => {}
        ElicitationAction::Decline => return refused("the user declined"),
        _ => return refused("the user dismissed the question"),
    }
    let content = answer.content.unwrap_or_default();
    let text = |key| content.get(key).and_then(Value::as_str).map(str::trim);
    match text("decision") {
        Some("approve") => {}
        Some("reject") => {
            return refused(
                text("reason").filter(|why| !why.is_empty()).unwrap_or("the user said no"),
            );
        }
        _ => return refused("the answer of the client is no decision"),
    }
    let edited = match text("arguments") {
        None | Some("") => return Outcome::Approve,
        Some(edited) => edited,
    };
    match serde_json::from_str::<Value>(edited) {
        Ok(args) if args == request.args.value => Outcome::Approve,
        Ok(args @ Value::Object(_)) if is_editable(request) => Outcome::ApproveWith(args.into()),
        _ => refused("the arguments that the user gave are no JSON object"),
    }
}
