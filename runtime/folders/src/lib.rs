//! Folders of the host for a sandbox in a process that can open none.
//!
//! A jailed process opens no path. Its sessions have mounts nevertheless: for each session there is a
//! [`pair`] of sockets; on one end a thread of the process outside serves the folders, the other end
//! goes to the sandbox, where [`connect`] makes a [`ServedFolder`] of each mount.
//!
//! In: what the sandbox asks for, one request at a time, of a mount by its number. Out: one reply to
//! each, and with the reply to an opening the descriptor of a regular file, which is read and written
//! without us from there on.
//!
//! The sandbox is hostile. What it sends is read without a copy and without trust in a length, its
//! descriptors are dropped, and what no sandbox of ours would send ends the service. What a mount
//! allows is decided outside, by the [`LocalFolder`] that any other sandbox would use in its own
//! process.
//!
//! What must never live here: a path of the host in a reply, policy about who may mount what.
//!
//! [`LocalFolder`]: pcm_runtime_files::LocalFolder
//! [`ServedFolder`]: pcm_runtime_api::ServedFolder

mod client;
mod error;
mod fields;
mod page;
mod reply;
mod request;
mod server;
mod socket;
#[cfg(test)]
mod tests;

pub use client::connect;
pub use error::FoldersError;
pub use server::{Server, Service, pair};
