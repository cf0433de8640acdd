//! The MCP server: sessions for clients that speak the Model Context Protocol.
//!
//! What lives here: [`Server`], which offers the tools of the original system's MCP server, and more, on
//! standard input and output or over streamable HTTP. An embedder brings [`Sessions`], which starts a
//! session, and a [`ServerConfig`]. A client runs code in a session, sees what the code writes while it
//! runs, and its user is asked about calls that need an approval, by an [`Elicitor`]. `docs/mcp.md` has
//! the tools. [`Installation`] tells a client's configuration of a server.
//!
//! A message comes in through `rmcp`, over a pair of streams (`server`) or HTTP (`http`), and reaches
//! `handler`. A call of a tool finds its session (`seats`); running code is in `running`, what it tells
//! meanwhile in `telling`, all other tools in `tools`: they are calls that code could make, and pass the
//! same layers (`calls`). Results leave as `reply` and `schemas` say.
//!
//! What must never live here: a backend, a way to run a tool, the format of a store, and anything that
//! writes to standard output, which belongs to the protocol.

mod arguments;
mod calls;
mod catalogue;
mod config;
mod elicitor;
mod error;
mod handler;
mod http;
mod install;
mod parked;
mod prompts;
mod question;
mod reply;
mod resources;
mod running;
mod schemas;
mod seats;
mod server;
mod sessions;
mod telling;
mod tools;

pub use config::{HttpConfig, ServerConfig};
pub use elicitor::Elicitor;
pub use error::McpError;
pub use handler::Handler;
pub use http::HttpServer;
pub use install::{Client, Installation};
pub use server::Server;
pub use sessions::Sessions;
