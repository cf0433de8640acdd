//! What a client can read without a tool: the declarations of the tools, and the artifacts.

use std::borrow::Cow;

use pcm_runtime_api::Namespace;
use pcm_session::Session;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use rmcp::ErrorData;
use rmcp::model::{
    CompleteRequestParams, CompleteResult, CompletionInfo, ListResourceTemplatesResult,
    ListResourcesResult, ReadResourceResult, Reference, Resource, ResourceContents,
    ResourceTemplate,
};

use serde::Deserialize;
use serde_json::json;

use crate::calls::{call, typed};
use crate::tools::{Data, fits};

/// The tools as Python, for prompts.
const STUBS: &str = "pcm://tools.py";
const ARTIFACTS: &str = "pcm://artifacts/";
const TEMPLATE: &str = "pcm://artifacts/{+name}";
/// The most entries of one page.
const PAGE: usize = 100;
/// What stays as it is in a part of a path, besides letters and digits.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Where an artifact is read.
pub(crate) fn uri(name: &str) -> String {
    format!("{ARTIFACTS}{}", utf8_percent_encode(name, PLAIN))
}

/// The entries whose names come after `cursor`, and the cursor of those after them. They are sorted.
pub(crate) fn page<Entry>(
    entries: Vec<Entry>,
    name: impl Fn(&Entry) -> &str,
    cursor: Option<&str>,
) -> (Vec<Entry>, Option<String>) {
    let is_after = |entry: &Entry| cursor.is_none_or(|cursor| name(entry) > cursor);
    let mut page: Vec<Entry> = entries.into_iter().filter(is_after).take(PAGE + 1).collect();
    if page.len() <= PAGE {
        return (page, None);
    }
    page.truncate(PAGE);
    let next = page.last().map(|last| name(last).to_owned());
    (page, next)
}

/// The tools, and then the artifacts.
pub(crate) async fn list(
    session: &Session,
    cursor: Option<String>,
) -> Result<ListResourcesResult, ErrorData> {
    let artifacts = artifacts(session).await?;
    let mut listed = Vec::new();
    if cursor.is_none() {
        listed.push(
            Resource::new(STUBS, "tools.py")
                .with_title("Tools of the sandbox")
                .with_description("What code in the sandbox can call, as Python declarations")
                .with_mime_type("text/x-python"),
        );
    }
    let (page, next) = page(artifacts, |info| info.name.as_str(), cursor.as_deref());
    listed.extend(page.iter().map(|info| {
        let name = info.name.as_str();
        let resource = Resource::new(uri(name), name).with_mime_type(media_type(name, &[]));
        match &*info.description {
            "" => resource,
            about => resource.with_description(about),
        }
    }));
    let mut result = ListResourcesResult::with_all_items(listed);
    result.next_cursor = next;
    Ok(result)
}

/// What a list says of an artifact.
#[derive(Deserialize)]
struct Listed {
    name: String,
    description: String,
}

async fn artifacts(session: &Session) -> Result<Vec<Listed>, ErrorData> {
    let listed = typed(session, Namespace::Artifacts, "list", json!({})).await;
    listed.map_err(|error| internal(error.message))
}

/// How an artifact is found whose name is known.
pub(crate) fn templates() -> ListResourceTemplatesResult {
    let template = ResourceTemplate::new(TEMPLATE, "artifact")
        .with_title("Artifact")
        .with_description("Stored data, by its name");
    ListResourceTemplatesResult::with_all_items(vec![template])
}

/// Reads what has this URI.
pub(crate) async fn read(
    session: &Session,
    uri: &str,
    most: usize,
) -> Result<ReadResourceResult, ErrorData> {
    if uri == STUBS {
        let contents = ResourceContents::text(session.tools().stubs(), uri);
        return Ok(ReadResourceResult::new(vec![contents.with_mime_type("text/x-python")]));
    }
    let missing = || {
        let shown: String = uri.chars().take(256).collect();
        let data = json!({"uri": shown});
        ErrorData::resource_not_found("there is no such resource", Some(data))
    };
    let name = uri.strip_prefix(ARTIFACTS).ok_or_else(missing)?;
    let name: Cow<'_, str> = percent_decode_str(name).decode_utf8().map_err(|_| missing())?;
    let data = match call(session, Namespace::Artifacts, "load", json!({"name": name})).await {
        Ok(data) => Data::of(data).map_err(internal)?,
        // Also a name that none can have.
        Err(error) if matches!(&*error.error_type, "ArtifactNotFoundError" | "ValueError") => {
            return Err(missing());
        }
        Err(error) => return Err(internal(error.message)),
    };
    let (contents, bytes) = match data {
        Data::Text(text) => (ResourceContents::text(&*text, uri), text.into_bytes()),
        Data::Json(value) => {
            let text = value.to_string();
            (ResourceContents::text(&*text, uri), text.into_bytes())
        }
        Data::Bytes(bytes, data) => (ResourceContents::blob(data, uri), bytes),
    };
    fits(&name, bytes.len(), most).map_err(invalid)?;
    Ok(ReadResourceResult::new(vec![contents.with_mime_type(media_type(&name, &bytes))]))
}

/// The names of artifacts that begin like this.
pub(crate) async fn complete(
    session: &Session,
    request: &CompleteRequestParams,
) -> Result<CompleteResult, ErrorData> {
    let is_artifact =
        matches!(&request.r#ref, Reference::Resource(template) if template.uri == TEMPLATE);
    if !is_artifact || request.argument.name != "name" {
        return Ok(CompleteResult::default());
    }
    let artifacts = artifacts(session).await?;
    let begins = |name: &str| name.starts_with(&*request.argument.value);
    let mut names: Vec<String> = artifacts
        .iter()
        .map(|info| info.name.as_str())
        .filter(|name| begins(name))
        .map(ToOwned::to_owned)
        .collect();
    let total = u32::try_from(names.len()).unwrap_or(u32::MAX);
    let has_more = names.len() > CompletionInfo::MAX_VALUES;
    names.truncate(CompletionInfo::MAX_VALUES);
    let found = CompletionInfo::with_pagination(names, Some(total), has_more).map_err(internal)?;
    Ok(CompleteResult::new(found))
}

/// What data is, by its first bytes or by its name.
pub(crate) fn media_type(name: &str, bytes: &[u8]) -> &'static str {
    const MAGIC: [(&[u8], &str); 7] = [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"%PDF-", "application/pdf"),
        (b"ID3", "audio/mpeg"),
        (b"OggS", "audio/ogg"),
    ];
    if let Some((_, kind)) = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return kind;
    }
    match (bytes.get(..4), bytes.get(8..12)) {
        (Some(b"RIFF"), Some(b"WEBP")) => return "image/webp",
        (Some(b"RIFF"), Some(b"WAVE")) => return "audio/wav",
        _ => {}
    }
    let is_text = std::str::from_utf8(bytes).is_ok();
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    match ending.as_deref() {
        Some("json") if is_text => "application/json",
        Some("csv") if is_text => "text/csv",
        Some("html" | "htm") if is_text => "text/html",
        Some("md") if is_text => "text/markdown",
        Some("py") if is_text => "text/x-python",
        Some("svg") if is_text => "image/svg+xml",
        // What has no bytes is only named.
        Some("png") if bytes.is_empty() => "image/png",
        Some("jpg" | "jpeg") if bytes.is_empty() => "image/jpeg",
        Some("txt" | "log") if is_text => "text/plain",
        _ if is_text && !bytes.is_empty() => "text/plain",
        _ => "application/octet-stream",
    }
}

fn internal(error: String) -> ErrorData {
    ErrorData::internal_error(error, None)
}

fn invalid(error: String) -> ErrorData {
    ErrorData::invalid_params(error, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_on_one_page() {
        let entries: Vec<String> = (0..250).map(|number| format!("{number:04}")).collect();
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let (found, next) = page(entries.clone(), String::as_str, cursor.as_deref());
            assert!(found.len() <= PAGE);
            seen.extend(found);
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, entries);
        assert_eq!(page(vec!["a".to_owned()], String::as_str, None).1, None);
    }

    #[test]
    fn a_uri_names_one_artifact() {
        assert_eq!(uri("plots/a b.png"), "pcm://artifacts/plots/a%20b.png");
        assert_eq!(uri("100%?#é"), "pcm://artifacts/100%25%3F%23%C3%A9");
    }

    #[test]
    fn data_is_what_its_first_bytes_say() {
        assert_eq!(media_type("a.json", b"\x89PNG\r\n\x1a\n"), "image/png");
        assert_eq!(media_type("a", b"RIFF\0\0\0\0WAVEfmt "), "audio/wav");
        assert_eq!(media_type("a.json", b"{}"), "application/json");
        assert_eq!(media_type("a.json", b"\xff\0"), "application/octet-stream");
        assert_eq!(media_type("a.png", b"no picture"), "text/plain");
        assert_eq!(media_type("a.png", b""), "image/png");
        assert_eq!(media_type("a", b""), "application/octet-stream");
    }
}
