//! A session from both of its sides: what code in the sandbox gets for the frames that it sends, and
//! what the program has that owns the session. The wall is a puppet that sends what it is told.

#![expect(clippy::indexing_slicing, reason = "a test may stop at once")]

mod arguments;
mod deps;
mod layers;
mod life;
mod support;
mod workspaces;
