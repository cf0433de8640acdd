//! One endpoint, and the request that a call of it makes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pcm_fences::{Fence, holds};
use pcm_runtime_api::ValueType;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use url::Url;

use crate::arguments::complete;
use crate::name::is_word;
use crate::{Arguments, Callable, Parameter, ParameterType, ToolError, ToolsError, python};

/// What stands unescaped in a segment of a path: RFC 3986, 2.3.
const UNESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

const IN_PATH: &str = "is a part of the path, so it has to be a text that is not empty";
const IN_QUERY: &str =
    "is a part of the query, so it has to be a text, a number, a truth value or a list of them";

/// One thing that can be asked of an HTTP server.
///
/// ```
/// use pcm_tools::{Endpoint, Parameter, ParameterType};
///
/// let repo = Endpoint::new("get_repo", "GET", "/repos/{owner}/{repo}")?
///     .about("Looks up a repository")
///     .parameter(Parameter::new("page", ParameterType::Integer));
/// let expected = "get_repo(owner: str, repo: str, page: int | None = None)";
/// assert_eq!(repo.callable().signature(), expected);
/// # Ok::<(), pcm_tools::ToolsError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Endpoint {
    name: String,
    description: String,
    method: Method,
    path: Vec<Part>,
    parameters: Vec<Parameter>,
    query: Vec<String>,
    body: Option<String>,
    headers: HeaderMap,
}

#[derive(Debug, Clone)]
enum Part {
    Literal(String),
    Argument(String),
}

impl Endpoint {
    /// An endpoint. `{NAME}` in the path is a required argument; others are declared with
    /// [`parameter`](Self::parameter).
    pub fn new(name: impl Into<String>, method: &str, path: &str) -> Result<Self, ToolsError> {
        let name = name.into();
        let refused =
            |reason: String| ToolsError::declaration(format!("endpoint {name:?}"), reason);
        if !is_word(&name) {
            return Err(ToolsError::Name { name });
        }
        let known =
            [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::HEAD];
        let method = known
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(method))
            .ok_or_else(|| {
                refused(format!("{method:?} is none of GET, POST, PUT, PATCH, DELETE, HEAD"))
            })?;
        let path = parts(path).map_err(refused)?;
        let mut parameters: Vec<Parameter> = Vec::new();
        for part in &path {
            if let Part::Argument(name) = part
                && !parameters.iter().any(|other| other.name == *name)
            {
                parameters.push(Parameter::new(name, ParameterType::Text).required());
            }
        }
        Ok(Self {
            name,
            description: String::new(),
            method,
            path,
            parameters,
            query: Vec::new(),
            body: None,
            headers: HeaderMap::new(),
        })
    }

    /// Says what it does.
    #[must_use]
    pub fn about(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Declares an argument, or says more about one of the path.
    #[must_use]
    pub fn parameter(mut self, mut parameter: Parameter) -> Self {
        match self.parameters.iter_mut().find(|other| other.name == parameter.name) {
            Some(other) => {
                parameter.required = parameter.default.is_none();
                *other = parameter;
            }
            None => self.parameters.push(parameter),
        }
        self
    }

    /// Names the arguments that belong into the query whatever the method.
    #[must_use]
    pub fn query<Name: Into<String>>(mut self, names: impl IntoIterator<Item = Name>) -> Self {
        self.query.extend(names.into_iter().map(Into::into));
        self
    }

    /// Names the argument that is the whole body.
    #[must_use]
    pub fn body(mut self, name: impl Into<String>) -> Self {
        self.body = Some(name.into());
        self
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, ToolsError> {
        insert_header(&mut self.headers, name, value)?;
        Ok(self)
    }

    /// The endpoint as code in the sandbox sees it.
    pub fn callable(&self) -> Callable {
        Callable {
            name: self.name.clone(),
            description: self.description.clone(),
            parameters: self.parameters.clone(),
            returns: ParameterType::Any,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The names among `query` and `body` that no parameter has.
    pub(crate) fn undeclared(&self) -> Option<&str> {
        let mut named = self.query.iter().chain(&self.body);
        let declared = |name: &str| self.parameters.iter().any(|each| each.name == name);
        named.find(|name| !declared(name)).map(String::as_str)
    }

    /// The request that a call makes, without the headers of all endpoints.
    pub(crate) fn request(
        &self,
        tool: &str,
        base: &Url,
        args: Arguments,
    ) -> Result<reqwest::Request, ToolError> {
        let whole_body_is_bytes = self
            .body
            .as_ref()
            .is_some_and(|name| args.type_at(name, None) == Some(ValueType::Bytes));
        let mut values = args.values;
        complete(tool, &self.parameters, &mut values)?;
        let mut url = base.clone();
        let path = self.filled_path(tool, base.path(), &values)?;
        url.set_path(&path);
        values.retain(|name, _| !self.is_in_path(name));
        let body = self.body.as_ref().and_then(|name| values.shift_remove(name));
        let takes_body = matches!(self.method, Method::POST | Method::PUT | Method::PATCH);
        let (query, rest): (Map<_, _>, Map<_, _>) = values
            .into_iter()
            .partition(|(name, _)| !takes_body || self.body.is_some() || self.query.contains(name));
        push_query(tool, &mut url, &query)?;
        let mut request = reqwest::Request::new(self.method.clone(), url);
        *request.headers_mut() = self.headers.clone();
        if let (Some(Value::String(text)), true) = (&body, whole_body_is_bytes) {
            let bytes =
                STANDARD.decode(text).map_err(|_| ToolError::arguments(tool, "bad bytes"))?;
            set_body(&mut request, bytes, "application/octet-stream");
        } else if let Some(body) = body {
            set_body(&mut request, body.to_string().into_bytes(), "application/json");
        } else if takes_body && self.body.is_none() {
            set_body(
                &mut request,
                Value::Object(rest).to_string().into_bytes(),
                "application/json",
            );
        }
        Ok(request)
    }

    fn is_in_path(&self, name: &str) -> bool {
        self.path.iter().any(|part| matches!(part, Part::Argument(other) if other == name))
    }

    fn filled_path(
        &self,
        tool: &str,
        base: &str,
        values: &Map<String, Value>,
    ) -> Result<String, ToolError> {
        let mut path = base.trim_end_matches('/').to_owned();
        for part in &self.path {
            match part {
                Part::Literal(text) => path.push_str(text),
                Part::Argument(name) => {
                    let text = values.get(name).and_then(scalar).filter(|text| !text.is_empty());
                    let text = text
                        .ok_or_else(|| ToolError::arguments(tool, format!("{name:?} {IN_PATH}")))?;
                    if holds(Fence::PathParts) {
                        path.extend(utf8_percent_encode(&text, UNESCAPED));
                    } else {
                        path.push_str(&text);
                    }
                }
            }
        }
        // These would climb out of what was declared.
        let climbs = path.split('/').any(|segment| segment == "." || segment == "..");
        if climbs && holds(Fence::PathParts) {
            let reason = "\".\" and \"..\" are no values for a part of the path";
            return Err(ToolError::arguments(tool, reason));
        }
        Ok(path)
    }
}

fn parts(path: &str) -> Result<Vec<Part>, String> {
    let plain = |each: char| each.is_ascii_graphic() && !matches!(each, '?' | '#' | '\\' | '}');
    if !path.starts_with('/') {
        return Err(format!("the path {path:?} does not begin with /"));
    }
    let mut parts = Vec::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            return Err(format!("the path {path:?} has a {{ without its }}"));
        };
        if !crate::name::is_identifier(name) {
            return Err(format!("in the path, {name:?} is no name for an argument"));
        }
        parts.push(Part::Literal(before.to_owned()));
        parts.push(Part::Argument(name.to_owned()));
        rest = after;
    }
    parts.push(Part::Literal(rest.to_owned()));
    for part in &parts {
        if let Part::Literal(text) = part
            && (!text.chars().all(plain) || text.split('/').any(|part| part == "." || part == ".."))
        {
            return Err(format!("the path {path:?} holds what no path can: blanks, ?, #, \\ or ."));
        }
    }
    Ok(parts)
}

/// As JSON writes it, which is what servers read.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(_) | Value::String(_) => python::text(value),
        _ => None,
    }
}

fn push_query(tool: &str, url: &mut Url, values: &Map<String, Value>) -> Result<(), ToolError> {
    let mut pairs = Vec::new();
    for (name, value) in values {
        let items = match value {
            Value::Null => continue,
            Value::Array(items) => items.iter().collect(),
            value => vec![value],
        };
        for item in items {
            let text = scalar(item)
                .ok_or_else(|| ToolError::arguments(tool, format!("{name:?} {IN_QUERY}")))?;
            pairs.push((name, text));
        }
    }
    if !pairs.is_empty() {
        url.query_pairs_mut().extend_pairs(pairs);
    }
    Ok(())
}

fn set_body(request: &mut reqwest::Request, body: Vec<u8>, kind: &'static str) {
    *request.body_mut() = Some(body.into());
    let headers = request.headers_mut();
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(kind));
}

/// Adds a header whose value may be a secret.
pub(crate) fn insert_header(
    headers: &mut HeaderMap,
    name: &str,
    value: &str,
) -> Result<(), ToolsError> {
    let refused = |reason| ToolsError::declaration(format!("header {name:?}"), reason);
    let name = HeaderName::try_from(name).map_err(|_| refused("this is no name of a header"))?;
    let mut value =
        HeaderValue::try_from(value).map_err(|_| refused("its value cannot stand in a header"))?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}
