//! Tools of the host for sandboxed code: programs, HTTP endpoints, MCP servers, functions.
//!
//! A [`Registry`] knows the tools of any number of [adapters](Adapter), lists and searches them, and
//! calls one by its [dotted name](ToolPath). A folder of YAML declarations becomes a registry with
//! [`Registry::load`]; closures of the program that embeds the sandbox become [`Functions`].
//!
//! A call comes in as a name and arguments that the guest may have made up. `registry` finds the
//! tool; the adapter holds the arguments against what was declared and runs it: `cli` a program,
//! without a shell and in a process group that ends with the call, `http` a request, `mcp` a call of
//! a server. What comes back is bounded everywhere, and becomes a `Payload`.
//!
//! What must never live here: who may call what (that is a layer around the port), sessions,
//! storage, and any wall of a sandbox.

mod adapter;
mod arguments;
mod cli;
mod declaration;
mod error;
mod excerpt;
mod folder;
mod functions;
mod http;
mod mcp;
mod name;
mod problem;
mod process;
mod program;
mod python;
mod registry;
mod stubs;
mod text;
mod tool;
mod variables;
mod yaml;

pub use adapter::{Adapter, CallOptions, OutputSink, OutputStream};
pub use arguments::Arguments;
pub use cli::CliTool;
pub use error::{Names, ToolError, ToolsError};
pub use folder::{LoadOptions, check};
pub use functions::{Function, Functions};
pub use http::{Endpoint, HttpTools};
pub use mcp::{McpServer, McpServerConfig};
pub use name::ToolPath;
pub use problem::{Place, Problem, Severity};
pub use registry::{Registry, Resolved};
pub use tool::{Callable, Parameter, ParameterType, Tool};
pub use variables::Variables;
