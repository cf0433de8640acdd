//! What a call of a server gives back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pcm_runtime_api::{Payload, ValueType};
use rmcp::model::{CallToolResult, ContentBlock, ResourceContents};
use serde_json::{Value, json};

use crate::text::tail;

/// The result of a call: its structured content, or its texts joined, or a list of records where
/// there is more than texts. The error is what the server said.
pub(crate) fn payload(result: CallToolResult, most: usize) -> Result<Payload, String> {
    if result.is_error == Some(true) {
        let said = texts(&result.content).join("\n");
        let said =
            if said.trim().is_empty() { "it failed and did not say why".to_owned() } else { said };
        return Err(tail(&said));
    }
    let length = match &result.structured_content {
        Some(value) => value.to_string().len(),
        None => result.content.iter().map(length).sum(),
    };
    if length > most {
        return Err(format!(
            "the result is longer than {most} bytes; ask for less, or raise `output_bytes` in its \
             declaration"
        ));
    }
    if let Some(value) = result.structured_content {
        return Ok(Payload::from(value));
    }
    if result.content.is_empty() {
        return Ok(Payload::default());
    }
    if result.content.iter().all(|block| matches!(block, ContentBlock::Text(_))) {
        return Ok(Payload::from(Value::from(texts(&result.content).join("\n"))));
    }
    let mut payload = Payload::default();
    let mut records = Vec::new();
    for (index, block) in result.content.into_iter().enumerate() {
        let (record, bytes) = record(block);
        if let Some(key) = bytes {
            payload = payload.with_type(format!("/{index}/{key}"), ValueType::Bytes);
        }
        records.push(record);
    }
    payload.value = records.into();
    Ok(payload)
}

fn texts<'a>(content: &'a [ContentBlock]) -> Vec<&'a str> {
    let text = |block: &'a ContentBlock| match block {
        ContentBlock::Text(text) => Some(text.text.as_str()),
        _ => None,
    };
    content.iter().filter_map(text).collect()
}

fn length(block: &ContentBlock) -> usize {
    match block {
        ContentBlock::Text(text) => text.text.len(),
        ContentBlock::Image(image) => image.data.len(),
        ContentBlock::Audio(audio) => audio.data.len(),
        other => serde_json::to_string(other).map_or(0, |text| text.len()),
    }
}

/// The block as a record, and the key under which there are bytes.
fn record(block: ContentBlock) -> (Value, Option<&'static str>) {
    let bytes = |data: &str, key| STANDARD.decode(data).is_ok().then_some(key);
    match block {
        ContentBlock::Text(text) => (json!({"type": "text", "text": text.text}), None),
        ContentBlock::Image(image) => {
            let key = bytes(&image.data, "data");
            (json!({"type": "image", "mime_type": image.mime_type, "data": image.data}), key)
        }
        ContentBlock::Audio(audio) => {
            let key = bytes(&audio.data, "data");
            (json!({"type": "audio", "mime_type": audio.mime_type, "data": audio.data}), key)
        }
        ContentBlock::Resource(resource) => match resource.resource {
            ResourceContents::TextResourceContents { uri, mime_type, text, .. } => (
                json!({"type": "resource", "uri": uri, "mime_type": mime_type, "text": text}),
                None,
            ),
            ResourceContents::BlobResourceContents { uri, mime_type, blob, .. } => {
                let key = bytes(&blob, "data");
                (json!({"type": "resource", "uri": uri, "mime_type": mime_type, "data": blob}), key)
            }
            other => (serde_json::to_value(other).unwrap_or_default(), None),
        },
        ContentBlock::ResourceLink(link) => {
            let record = json!({
                "type": "resource_link",
                "uri": link.uri,
                "name": link.name,
                "description": link.description,
                "mime_type": link.mime_type,
            });
            (record, None)
        }
        other => (serde_json::to_value(other).unwrap_or_default(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(value: Value) -> Result<Payload, String> {
        let result: CallToolResult = serde_json::from_value(value).map_err(|e| e.to_string())?;
        payload(result, 100)
    }

    #[test]
    fn structured_content_comes_before_texts() {
        let text = json!([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]);
        let both = json!({"content": text, "structuredContent": {"a": 1}});
        assert_eq!(result(both), Ok(json!({"a": 1}).into()));
        assert_eq!(result(json!({"content": text})), Ok(json!("one\ntwo").into()));
        assert_eq!(result(json!({"content": []})), Ok(Value::Null.into()));
    }

    #[test]
    fn images_are_records_with_bytes() {
        let content = json!([
            {"type": "text", "text": "see"},
            {"type": "image", "data": "aGk=", "mimeType": "image/png"},
            {"type": "image", "data": "no base64", "mimeType": "image/png"},
        ]);
        let expected = Payload::from(json!([
            {"type": "text", "text": "see"},
            {"type": "image", "mime_type": "image/png", "data": "aGk="},
            {"type": "image", "mime_type": "image/png", "data": "no base64"},
        ]))
        .with_type("/1/data", ValueType::Bytes);
        assert_eq!(result(json!({"content": content})), Ok(expected));
    }

    #[test]
    fn errors_and_long_results_are_errors() {
        let failed = json!({"isError": true, "content": [{"type": "text", "text": "no such key"}]});
        assert_eq!(result(failed), Err("no such key".to_owned()));
        assert!(result(json!({"isError": true, "content": []})).is_err());
        let long = json!({"content": [{"type": "text", "text": "x".repeat(101)}]});
        assert!(result(long).is_err_and(|error| error.contains("100 bytes")));
    }
}
