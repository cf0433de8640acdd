//! Tools of the host for sandboxed code: programs, HTTP endpoints, MCP servers, functions.
