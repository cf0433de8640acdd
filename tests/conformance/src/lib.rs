//! One suite of given/when/then cases, run over every backend.
//!
//! What lives here: the cases as data (`cases/*.toml`), their model and loading ([`case`]), what a
//! step expects and how that is compared with a result ([`expect`]), and the one runner that drives
//! any [`Backend`] through a case ([`runner`]). Behind the port is a [`MemoryHost`], or, where a case
//! describes one, a real host over a folder ([`base`]).
//!
//! Beside it are the numbered list of what every backend does ([`behaviours`]), the walls and which cases each
//! of them gets ([`wall`]), what became of them ([`record`], [`matrix`]), and the page that says so
//! ([`document`]).
//!
//! What must never live here: anything that one backend needs. A backend that cannot do what a case
//! says is excepted in the case itself, with a reason.
//!
//! In: the files under `cases/`. Out: a [`Verdict`], or a [`Failure`] that names the case, the step,
//! what was expected and what came. `tests/conformance.rs` makes one test of each topic and wall.
//!
//! To add a case, copy one. [`case::Case`], [`case::Step`] and [`expect::Expectation`] say which keys
//! there are; a key that they do not know is an error with its line.

pub mod base;
pub mod behaviours;
pub mod case;
pub mod document;
pub mod expect;
mod failure;
mod load;
pub mod matrix;
mod memory_host;
pub mod record;
pub mod runner;
pub mod wall;

pub use behaviours::{Behaviour, load_behaviours};
pub use case::{Case, Step};
pub use document::compatibility;
pub use expect::{Expectation, Mismatch};
pub use failure::Failure;
pub use load::load_cases;
pub use matrix::Matrix;
pub use memory_host::MemoryHost;
pub use record::{Outcome, Row};
pub use runner::{Backend, Verdict, run_case};
pub use wall::{Sample, Wall};
