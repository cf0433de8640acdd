//! A session: one executor, one storage, and the port that joins them.
//!
//! What lives here: [`Host`] (what code in sandboxes may reach: tools, storage, packages, and the
//! layers that every call passes), and [`Session`] (an executor that was started with one). Code goes
//! in by [`Session::run`]; what it asks for arrives at the host as calls, which are read here and
//! handed on as typed ones (`namespaces/`). The host's own program uses the same tools, workflows,
//! artifacts and packages through the methods of [`Session`].
//!
//! What must never live here: a wall, a way to run a tool, a format of a store.

mod arguments;
mod budget;
mod deps;
mod entrance;
mod error;
mod facade;
mod host;
mod namespaces;
mod session;

pub use deps::{DepsChange, DepsRemoval};
pub use error::SessionError;
pub use host::Host;
pub use session::Session;
