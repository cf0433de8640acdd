//! An MCP server as YAML declares it.

use std::time::Duration;

use reqwest::header::HeaderMap;
use url::Url;

use super::{McpServerConfig, Transport};
use crate::Tool;
use crate::declaration::{Head, MOST_OUTPUT_BYTES, OUTPUT_BYTES, TIMEOUT, program};
use crate::http::insert_header;
use crate::yaml::{Fields, Report};

/// How long a server may take to start and to list its tools, where its declaration does not say.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
const TRANSPORTS: [&str; 4] = ["stdio", "http", "streamable-http", "sse"];

/// Reads what is left of a declaration behind its head.
pub(crate) fn declare(
    head: Head<'_>,
    mut fields: Fields<'_>,
    report: &mut Report,
) -> Option<McpServerConfig> {
    let kind = match fields.take("transport") {
        None => "stdio".to_owned(),
        Some(field) => {
            let kind = field.text(report)?;
            if !TRANSPORTS.contains(&kind.as_str()) {
                let kinds = TRANSPORTS.join(", ");
                field.error(report, format!("there is no transport {kind:?}; there are: {kinds}"));
                return None;
            }
            kind
        }
    };
    let timeout = fields.take("timeout").and_then(|field| field.seconds(report));
    let connect_timeout = fields.take("connect_timeout").and_then(|field| field.seconds(report));
    let output_bytes = fields.take("output_bytes");
    let output_bytes = output_bytes.and_then(|field| field.whole(1, MOST_OUTPUT_BYTES, report));
    let (transport, proxy) = match kind.as_str() {
        "stdio" => (stdio(&head, &mut fields, report), None),
        kind => {
            let proxy = fields.take("proxy").and_then(|field| field.proxy(report));
            (remote(kind == "sse", &head, &mut fields, report), proxy)
        }
    };
    fields.finish(report);
    let Head { name, description, tags, origin, .. } = head;
    Some(McpServerConfig {
        tool: Tool { name, description, tags, ..Tool::default() },
        transport: transport?,
        timeout: timeout.unwrap_or(TIMEOUT),
        connect_timeout: connect_timeout.unwrap_or(CONNECT_TIMEOUT),
        output_bytes: usize::try_from(output_bytes.unwrap_or(OUTPUT_BYTES)).unwrap_or(usize::MAX),
        proxy_from_environment: proxy.unwrap_or_default(),
        origin,
    })
}

fn stdio(head: &Head<'_>, fields: &mut Fields<'_>, report: &mut Report) -> Option<Transport> {
    let command = fields.require("command", report);
    let items = fields.take("args").and_then(|field| field.list(report)).unwrap_or_default();
    let args: Vec<_> =
        items.iter().filter_map(|item| item.expanded(head.environment, report)).collect();
    let program = program(command, head, fields, report)?;
    Some(Transport::Stdio { program, args })
}

fn remote(
    is_sse: bool,
    head: &Head<'_>,
    fields: &mut Fields<'_>,
    report: &mut Report,
) -> Option<Transport> {
    let url = fields.require("url", report).and_then(|field| {
        let url = field.expanded(head.environment, report)?;
        let url = Url::parse(&url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        if url.is_none() {
            field.error(report, "expected a URL with http:// or https://");
        }
        url
    });
    let field = fields.take("headers");
    let at = field.clone();
    let mut headers = HeaderMap::new();
    for (name, value) in head.expanded(field, report) {
        if let (Err(error), Some(at)) = (insert_header(&mut headers, &name, &value), &at) {
            at.error(report, error.to_string());
        }
    }
    let url = url?;
    Some(if is_sse { Transport::Sse { url, headers } } else { Transport::Http { url, headers } })
}
