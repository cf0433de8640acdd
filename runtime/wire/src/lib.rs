//! What the host and a worker process say to each other, and in which order.
//!
//! A worker may have been taken over by the code that it holds, so this is the border at which its
//! bytes are met. An [`Inbox`] makes frames of bytes: nothing is allocated that a length asks for
//! before the length was checked. [`News`] is what a worker may say; what its JSON will take once it
//! is values is known before it is built. A [`Dialogue`] knows what a worker may say *now*: an answer
//! that nobody asked for, a number that was used before, a call after its run are a
//! [`ProtocolError`], which costs the worker its life and the host nothing.
//!
//! In: bytes of a socket. Out: [`Order`]s to a worker, [`News`] from one. All of it is pure, so that
//! it can be tried with arbitrary bytes; see `tests/hostile.rs` and `fuzz/`.
//!
//! What must never live here: sockets, processes, what a session means.

mod dialogue;
mod error;
mod frame;
mod limits;
mod news;
mod order;

pub use dialogue::Dialogue;
pub use error::ProtocolError;
pub use frame::{Bounds, Frame, Inbox, PROTOCOL, encode};
pub use news::{Answer, News, Told};
pub use order::{Opening, Order, Refusal, Running, ShownFolder};
