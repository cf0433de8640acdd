//! Attacks on the walls, and what the host looks like afterwards.
//!
//! What lives here: the attacks as Python programs (`cases/<group>/<line>-<name>.py`, one program
//! each, numbered as the list of attacks numbers them), their headers ([`case`]), how an attack may
//! end ([`expect`]), what an attacker would love to find ([`canary`]), the hosts behind the port (one in
//! memory, [`host`], and a real one with tools, policy, storage and folders, [`workshop`]), and the one
//! runner that lets a program loose on a backend ([`attack()`]).
//!
//! After every program the runner looks whether the session still works, whether a session beside
//! it is untouched, whether a secret of the host came out, and whether the host gave its memory
//! back. No case has to ask for that.
//!
//! What must never live here: what evaluation, encoding or limits look like to code that means
//! well; that is `tests/conformance`.
//!
//! To add a case, copy one; [`case::Header`] says which keys there are.

pub mod attack;
pub mod canary;
pub mod case;
#[cfg(test)]
mod documents;
pub mod echo;
pub mod expect;
pub mod fences;
pub mod host;
pub mod lines;
mod memory;
pub mod mutations;
mod processes;
pub mod wall;
pub mod workshop;

pub use attack::{Sibling, attack};
pub use canary::Canaries;
pub use case::{Case, load_cases};
pub use echo::Echo;
pub use fences::load_fences;
pub use lines::load_lines;
pub use wall::Wall;
