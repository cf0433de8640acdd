//! The host half of the evaluator: what every backend does around `pcm_guest`.
//!
//! `pcm_guest/`, beside this file, is the Python package that runs inside the sandbox. This crate is
//! its counterpart outside: a [`Run`] takes the guest's output, answers its calls through the
//! session's port, reads its [outcome](Ending::Outcome) and says how the run ended. A backend carries
//! bytes between the two and adds the wall.
//!
//! Every byte that comes in is the guest's and hostile: lengths are checked before anything is
//! allocated, JSON is bounded in size, count and depth, and nothing it says is believed beyond what
//! it could do anyway.
//!
//! What must never live here: anything about one backend, and any decision about what the guest may
//! do. The port decides.

/// The modules of `pcm_guest` by the names of their files, for a Python that is brought them as they are.
pub const MODULES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/modules.rs"));

mod calls;
mod clock;
mod control;
mod frames;
mod left_behind;
mod output;
mod pace;
mod packages;
mod run;
mod stop;

pub use calls::{Active, CallsError, Refused};
pub use clock::Clock;
pub use control::{Control, Step};
pub use frames::{RunOptions, refusal};
pub use left_behind::LeftBehind;
pub use output::OutputRefused;
pub use pace::Pace;
pub use packages::{PACKAGES_FOLDER, Packages};
pub use run::{Ending, Measured, Run};
pub use stop::Stop;
