//! Sessions over HTTP: one sandbox per session, tokens per workspace, limits on everything.
//!
//! What lives here: [`Server`], which serves the endpoints of the original system's session server, and
//! more, over HTTP/1.1. An embedder brings [`Sessions`], which starts a session for a workspace, and a
//! [`ServerConfig`]; whoever asks gets sessions, runs code in them, and sees the workflows, artifacts
//! and packages of its workspace. `docs/server.md` has the endpoints.
//!
//! A request comes in through `connection` (bounds on a slow client), passes `request` (whose it is, what
//! it may, how much, how long) and reaches its endpoint in `endpoints`, one table from which the router
//! and the document that describes it (`openapi`) are both made. Sessions are in `live`. What outlives the process
//! is in `pcm_storage::Records`: whose session lives on which server (`nodes`), answers of requests that
//! may be repeated (`idempotency`), calls that wait for an approval (`approvals`).
//!
//! What must never live here: a backend, a way to run a tool, the format of a store, TLS (a proxy has
//! that), or a line of a log with a token or with code.

mod answer;
mod approvals;
mod auth;
mod body;
mod config;
mod connection;
mod endpoints;
mod error;
mod events;
mod idempotency;
mod ids;
mod live;
mod metrics;
mod nodes;
mod openapi;
mod origin;
mod places;
mod request;
mod server;
mod sessions;
mod state;

pub use auth::Secret;
pub use config::{Access, ServerConfig, ServerLimits};
pub use error::ServerError;
pub use server::Server;
pub use sessions::Sessions;
