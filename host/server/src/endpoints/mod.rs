//! The endpoints: one table, from which both the router and the document in `openapi` are made.

mod approvals;
mod artifacts;
mod deps;
mod execute;
mod files;
mod server;
mod sessions;
mod tools;
mod workflows;

use std::future::Future;
use std::pin::Pin;

use serde_json::Value;

use crate::answer::{Answer, Refusal};
use crate::auth::Right;
use crate::openapi::schemas;
use crate::request::Call;

pub(crate) use execute::Run;

/// What an endpoint answers with, in the end.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<Answer, Refusal>> + Send>>;
pub(crate) type Handler = fn(Call) -> Answering;

/// One method of one path: what it takes, what it answers, and who may use it.
pub(crate) struct Endpoint {
    pub(crate) method: &'static str,
    /// As the router writes it: `{name}`, and `{*name}` for what may have slashes.
    pub(crate) path: &'static str,
    /// Nothing where nobody is asked for a token.
    pub(crate) right: Option<Right>,
    pub(crate) session: SessionUse,
    pub(crate) body: BodyKind,
    pub(crate) query: &'static [Query],
    pub(crate) summary: &'static str,
    pub(crate) answers: &'static [(u16, &'static str, Content)],
    /// What it refuses beyond what every endpoint does.
    pub(crate) refusals: &'static [(u16, &'static str)],
    pub(crate) handler: Handler,
}

/// What an endpoint makes of `X-Session-ID`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionUse {
    /// Nothing.
    None,
    /// It says which workspace is meant; any server does.
    Workspace,
    /// It names the sandbox to use, which lives on one server.
    Sandbox,
    /// The same, and there has to be one: in the header, or in the path.
    Required,
}

/// The body that an endpoint takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum BodyKind {
    None,
    Json(fn() -> Value),
    /// Anything.
    Bytes,
}

/// The body that an endpoint answers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Content {
    Json(fn() -> Value),
    /// JSON, or another type where the request or the data is so.
    JsonOr(fn() -> Value, &'static str),
    Other(&'static str),
}

/// A parameter after the `?`.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    pub(crate) about: &'static str,
    pub(crate) schema: fn() -> Value,
}

const SEARCHED: Query =
    Query { name: "query", required: true, about: "What to search for.", schema: schemas::text };
const LIMIT: Query =
    Query { name: "limit", required: false, about: "The most results.", schema: schemas::count };

const BYTES: &str = "application/octet-stream";

const fn get(path: &'static str, right: Right, handler: Handler) -> Endpoint {
    Endpoint {
        method: "GET",
        path,
        right: Some(right),
        session: SessionUse::None,
        body: BodyKind::None,
        query: &[],
        summary: "",
        answers: &[],
        refusals: &[],
        handler,
    }
}

const fn post(path: &'static str, right: Right, handler: Handler) -> Endpoint {
    Endpoint { method: "POST", ..get(path, right, handler) }
}

const fn put(path: &'static str, right: Right, handler: Handler) -> Endpoint {
    Endpoint { method: "PUT", body: BodyKind::Bytes, ..get(path, right, handler) }
}

const fn delete(path: &'static str, right: Right, handler: Handler) -> Endpoint {
    Endpoint { method: "DELETE", ..get(path, right, handler) }
}

/// An answer that nobody has to wait for.
fn at_once(answer: Answer) -> Answering {
    Box::pin(std::future::ready(Ok(answer)))
}

/// All endpoints.
pub(crate) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        right: None,
        summary: "Whether the server is there.",
        answers: &[(200, "It is.", Content::Json(schemas::health))],
        ..get("/health", Right::Read, |call| at_once(server::health(&call)))
    },
    Endpoint {
        summary: "This document.",
        answers: &[(200, "An OpenAPI 3.1 document.", Content::Json(schemas::object))],
        ..get("/openapi.json", Right::Read, |_| at_once(server::openapi()))
    },
    Endpoint {
        summary: "The server's figures, as Prometheus reads them.",
        answers: &[(200, "The figures.", Content::Other("text/plain; version=0.0.4"))],
        ..get("/metrics", Right::Metrics, |call| at_once(server::metrics(&call)))
    },
    Endpoint {
        session: SessionUse::Workspace,
        summary: "Tools, workflows, and where artifacts are.",
        answers: &[(200, "What there is.", Content::Json(schemas::info))],
        ..get("/info", Right::Read, |call| Box::pin(server::info(call)))
    },
    Endpoint {
        body: BodyKind::Json(schemas::new_session),
        summary: "Makes a session in a workspace, or outside of all.",
        answers: &[(200, "The session.", Content::Json(schemas::session))],
        ..post("/sessions", Right::Execute, |call| Box::pin(sessions::create(call)))
    },
    Endpoint {
        session: SessionUse::Required,
        summary: "Stops what runs in a session; the session goes on.",
        answers: &[(200, "It was told to stop.", Content::Json(schemas::interrupted))],
        ..post("/sessions/{id}/interrupt", Right::Execute, |call| {
            Box::pin(sessions::interrupt(call))
        })
    },
    Endpoint {
        session: SessionUse::Required,
        summary: "A file of a session's sandbox.",
        answers: &[(200, "Its content.", Content::Other(BYTES))],
        refusals: &[(404, "There is no such file."), (409, "The backend has no files.")],
        ..get("/sessions/{id}/files/{*path}", Right::Execute, |call| Box::pin(files::get(call)))
    },
    Endpoint {
        session: SessionUse::Required,
        summary: "Writes a file into a session's sandbox.",
        answers: &[(200, "It is there.", Content::Json(schemas::file))],
        refusals: &[(409, "The backend has no files.")],
        ..put("/sessions/{id}/files/{*path}", Right::Execute, |call| Box::pin(files::put(call)))
    },
    Endpoint {
        session: SessionUse::Sandbox,
        body: BodyKind::Json(schemas::code),
        summary: "Runs code. Without X-Session-ID in a new session, whose id is answered.",
        answers: &[(
            200,
            "How the run ended; or, where text/event-stream is accepted, what happens and then that.",
            Content::JsonOr(schemas::result, "text/event-stream"),
        )],
        refusals: &[(409, "Another run of the session does not end.")],
        ..post("/execute", Right::Execute, |call| Box::pin(execute::execute(call)))
    },
    Endpoint {
        session: SessionUse::Required,
        summary: "Ends a session; its id is dead from then on.",
        answers: &[(200, "It has ended.", Content::Json(schemas::reset))],
        ..post("/reset", Right::Execute, |call| Box::pin(sessions::reset(call)))
    },
    Endpoint {
        session: SessionUse::Workspace,
        summary: "The tools.",
        answers: &[(200, "All tools.", Content::Json(schemas::tools))],
        ..get("/api/tools", Right::Read, |call| Box::pin(tools::list(call)))
    },
    Endpoint {
        session: SessionUse::Workspace,
        query: &[SEARCHED, LIMIT],
        summary: "The tools that a query is about, the best first.",
        answers: &[(200, "What was found.", Content::Json(schemas::tools))],
        ..get("/api/tools/search", Right::Read, |call| Box::pin(tools::search(call)))
    },
    Endpoint {
        session: SessionUse::Workspace,
        summary: "The workflows, without their sources.",
        answers: &[(200, "All workflows.", Content::Json(schemas::workflows))],
        ..get("/api/workflows", Right::Read, |call| Box::pin(workflows::list(call)))
    },
    Endpoint {
        session: SessionUse::Workspace,
        query: &[SEARCHED, LIMIT],
        summary: "The workflows that a query is about, the best first.",
        answers: &[(200, "What was found.", Content::Json(schemas::workflows))],
        ..get("/api/workflows/search", Right::Read, |call| Box::pin(workflows::search(call)))
    },
    Endpoint {
        session: SessionUse::Workspace,
        summary: "A workflow with its source.",
        answers: &[(200, "The workflow, or null.", Content::Json(schemas::workflow_or_null))],
        ..get("/api/workflows/{name}", Right::Read, |call| Box::pin(workflows::get(call)))
    },
    Endpoint {
        session: SessionUse::Workspace,
        body: BodyKind::Json(schemas::new_workflow),
        summary: "Stores a workflow; nothing of it is executed.",
        answers: &[(200, "The workflow.", Content::Json(schemas::workflow))],
        ..post("/api/workflows", Right::Write, |call| Box::pin(workflows::create(call)))
    },
    Endpoint {
        session: SessionUse::Workspace,
        summary: "Removes a workflow.",
        answers: &[(200, "Whether there was one.", Content::Json(schemas::boolean))],
        ..delete("/api/workflows/{name}", Right::Write, |call| Box::pin(workflows::delete(call)))
    },
    Endpoint {
        session: SessionUse::Workspace,
        summary: "What is known of the artifacts.",
        answers: &[(200, "All artifacts.", Content::Json(schemas::artifacts))],
        ..get("/api/artifacts", Right::Read, |call| Box::pin(artifacts::list(call)))
    },
    Endpoint {
        session: SessionUse::Workspace,
        body: BodyKind::Json(schemas::new_artifact),
        summary: "Stores an artifact.",
        answers: &[(200, "What is known of it.", Content::Json(schemas::artifact))],
        ..post("/api/artifacts", Right::Write, |call| Box::pin(artifacts::save(call)))
    },
    Endpoint {
        session: SessionUse::Workspace,
        summary: "An artifact: texts and data as JSON, bytes as they are.",
        answers: &[(200, "The data.", Content::JsonOr(schemas::anything, BYTES))],
        refusals: &[(404, "There is no such artifact.")],
        ..get("/api/artifacts/{*name}", Right::Read, |call| Box::pin(artifacts::load(call)))
    },
    Endpoint {
        session: SessionUse::Workspace,
        summary: "Stores the body as an artifact of bytes.",
        answers: &[(200, "What is known of it.", Content::Json(schemas::artifact))],
        ..put("/api/artifacts/{*name}", Right::Write, |call| Box::pin(artifacts::put(call)))
    },
    Endpoint {
        session: SessionUse::Workspace,
        summary: "Removes an artifact.",
        answers: &[(200, "It is gone.", Content::Json(schemas::null))],
        refusals: &[(404, "There is no such artifact.")],
        ..delete("/api/artifacts/{*name}", Right::Write, |call| Box::pin(artifacts::delete(call)))
    },
    Endpoint {
        session: SessionUse::Workspace,
        summary: "The packages that are configured or stored.",
        answers: &[(200, "Their specs.", Content::Json(schemas::texts))],
        ..get("/api/deps", Right::Read, |call| Box::pin(deps::list(call)))
    },
    Endpoint {
        session: SessionUse::Sandbox,
        body: BodyKind::Json(schemas::package),
        summary: "Installs a package and stores that it is wanted.",
        answers: &[(200, "What became of it.", Content::Json(schemas::deps_added))],
        ..post("/api/deps/add", Right::Deps, |call| Box::pin(deps::add(call)))
    },
    Endpoint {
        session: SessionUse::Sandbox,
        body: BodyKind::Json(schemas::package),
        summary: "Removes a package from what is stored, and from the session.",
        answers: &[(200, "What became of it.", Content::Json(schemas::deps_removed))],
        ..post("/api/deps/remove", Right::Deps, |call| Box::pin(deps::remove(call)))
    },
    Endpoint {
        session: SessionUse::Sandbox,
        summary: "Installs everything that is configured or stored.",
        answers: &[(200, "What became of them.", Content::Json(schemas::deps_added))],
        ..post("/api/deps/sync", Right::Deps, |call| Box::pin(deps::sync(call)))
    },
    Endpoint {
        session: SessionUse::Sandbox,
        body: BodyKind::Json(schemas::packages),
        summary: "Installs packages, whatever code may install; nothing is stored.",
        answers: &[(200, "What became of them.", Content::Json(schemas::deps_changed))],
        ..post("/install_deps", Right::Deps, |call| Box::pin(deps::install(call)))
    },
    Endpoint {
        session: SessionUse::Sandbox,
        body: BodyKind::Json(schemas::packages),
        summary: "Removes packages, whatever code may remove; what is stored stays.",
        answers: &[(200, "What became of them.", Content::Json(schemas::deps_changed))],
        ..post("/uninstall_deps", Right::Deps, |call| Box::pin(deps::uninstall(call)))
    },
    Endpoint {
        summary: "The calls that wait for an approval, the oldest first.",
        answers: &[(200, "The calls.", Content::Json(schemas::approvals))],
        ..get("/approvals", Right::Approve, |call| Box::pin(approvals::list(call)))
    },
    Endpoint {
        summary: "Approves a call as it is.",
        answers: DECIDED,
        refusals: UNDECIDED,
        ..post("/approvals/{id}/approve", Right::Approve, |call| Box::pin(approvals::approve(call)))
    },
    Endpoint {
        body: BodyKind::Json(schemas::reason),
        summary: "Refuses a call; its code reads the reason.",
        answers: DECIDED,
        refusals: UNDECIDED,
        ..post("/approvals/{id}/reject", Right::Approve, |call| Box::pin(approvals::reject(call)))
    },
    Endpoint {
        body: BodyKind::Json(schemas::edited),
        summary: "Approves a call with other arguments, which are judged like its own.",
        answers: DECIDED,
        refusals: UNDECIDED,
        ..post("/approvals/{id}/edit", Right::Approve, |call| Box::pin(approvals::edit(call)))
    },
];

const DECIDED: &[(u16, &str, Content)] = &[
    (200, "It is decided.", Content::Json(schemas::decided)),
    (202, "The server of its session was told.", Content::Json(schemas::decided)),
];
const UNDECIDED: &[(u16, &str)] =
    &[(404, "There is no such call, or not any more."), (409, "Somebody else has decided it.")];
