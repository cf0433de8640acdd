//! Sessions on a session server somewhere else, over HTTP.
//!
//! What lives here: [`RemoteSandbox`], an executor whose sandbox is held by a session server: one of ours
//! (`pcm-sandbox serve`), or one of the system that this one replaces. The server has the tools, the
//! storage and the packages; from here come code, files and the name of a workspace. A session that the
//! server does not know any more, because it expired or the server was started again, is replaced by
//! another one in the same workspace.
//!
//! `client` makes requests and bounds their answers, `events` reads a run as it happens, `answer` makes
//! results of what a server says, `sandbox` keeps the session, `health` asks whether there is a server.
//!
//! What must never live here: what a server does with a request, tools, storage.

mod answer;
mod client;
mod config;
mod events;
mod health;
mod sandbox;

pub use config::{RemoteConfig, Token};
pub use health::HealthCheck;
pub use sandbox::RemoteSandbox;
