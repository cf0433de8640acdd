//! An HTTP server as YAML declares it.

use super::{Endpoint, HttpTools};
use crate::declaration::{Head, MOST_OUTPUT_BYTES, parameter};
use crate::yaml::{Field, Fields, Report};
use crate::{Parameter, ParameterType, Tool};

/// Reads what is left of a declaration behind its head.
pub(crate) fn declare(
    head: Head<'_>,
    mut fields: Fields<'_>,
    report: &mut Report,
) -> Option<HttpTools> {
    let base = fields.require("base_url", report);
    let mut tools = base.as_ref().and_then(|field| {
        let url = field.expanded(head.environment, report)?;
        HttpTools::new(&url).map_err(|error| field.error(report, error.to_string())).ok()
    });
    let headers = fields.take("headers");
    let at = headers.clone();
    for (name, value) in head.expanded(headers, report) {
        tools = tools.and_then(|tools| accepted(tools.header(&name, &value), at.as_ref(), report));
    }
    let timeout = fields.take("timeout").and_then(|field| field.seconds(report));
    let connect_timeout = fields.take("connect_timeout").and_then(|field| field.seconds(report));
    let output_bytes = fields.take("output_bytes");
    let output_bytes = output_bytes.and_then(|field| field.whole(1, MOST_OUTPUT_BYTES, report));
    let proxy = fields.take("proxy").and_then(|field| field.proxy(report));
    let endpoints = fields.require("endpoints", report);
    let entries = endpoints.as_ref().and_then(|field| field.entries(report));
    if let (Some(field), Some([])) = (&endpoints, entries.as_deref()) {
        field.error(report, "expected at least one endpoint");
    }
    for (name, field) in entries.into_iter().flatten() {
        if let Some(endpoint) = endpoint(name, &field, &head, report) {
            tools =
                tools.and_then(|tools| accepted(tools.endpoint(endpoint), Some(&field), report));
        }
    }
    fields.finish(report);
    let mut tools = tools?;
    if let Some(timeout) = timeout {
        tools.timeout = timeout;
    }
    if let Some(timeout) = connect_timeout {
        tools.connections.connect_timeout = timeout;
    }
    if let Some(most) = output_bytes {
        tools.output_bytes = usize::try_from(most).unwrap_or(usize::MAX);
    }
    tools.connections.proxy_from_environment = proxy.unwrap_or_default();
    let Head { name, description, tags, origin, .. } = head;
    tools.origin = origin;
    tools.whole = Some(Tool { name, description, tags, ..Tool::default() });
    tools.update();
    Some(tools)
}

fn accepted<T>(
    result: Result<T, crate::ToolsError>,
    at: Option<&Field<'_>>,
    report: &mut Report,
) -> Option<T> {
    result
        .map_err(|error| {
            if let Some(at) = at {
                at.error(report, error.to_string());
            }
        })
        .ok()
}

fn endpoint(
    name: &str,
    field: &Field<'_>,
    head: &Head<'_>,
    report: &mut Report,
) -> Option<Endpoint> {
    let mut fields = field.fields(report)?;
    let method = fields.take("method").and_then(|field| field.text(report));
    let path = fields.require("path", report).and_then(|field| field.text(report));
    let description = fields.take("description").and_then(|field| field.text(report));
    let parameters = fields.take("parameters").and_then(|field| field.entries(report));
    let query = fields.take("query").and_then(|field| field.texts(report));
    let body = fields.take("body").and_then(|field| field.text(report));
    let headers = fields.take("headers");
    let at = headers.clone();
    let headers = head.expanded(headers, report);
    let endpoint = Endpoint::new(name, method.as_deref().unwrap_or("GET"), path.as_deref()?);
    let mut endpoint = accepted(endpoint, Some(field), report)?;
    for (name, field) in parameters.into_iter().flatten() {
        if let Some(parameter) = argument(name, &field, report) {
            endpoint = endpoint.parameter(parameter);
        }
    }
    for (name, value) in headers {
        endpoint = accepted(endpoint.header(&name, &value), at.as_ref(), report)?;
    }
    if let Some(body) = body {
        endpoint = endpoint.body(body);
    }
    fields.finish(report);
    Some(endpoint.about(description.unwrap_or_default()).query(query.unwrap_or_default()))
}

fn argument(name: &str, field: &Field<'_>, report: &mut Report) -> Option<Parameter> {
    let declared = parameter(name, field, &ParameterType::NAMES, None, report)?;
    let mut parameter = declared.parameter;
    // As upstream has it: what is declared is required, unless it says otherwise.
    parameter.required = declared.required.unwrap_or(parameter.default.is_none());
    Some(parameter)
}
