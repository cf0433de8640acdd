//! The subprocess backend: an `IPython` kernel in a process and an environment of its own.
//!
//! It has the Python of this machine, with any package, its files and its network: a process is between
//! the code and the host, bounds are on what it uses, and, where that is wanted, the walls of the system.
//! For code that shall not reach those there are the other backends.
//!
//! 1. `venv`: an environment, made once by `uv` or `venv`.
//! 2. `process`, `kernel`: a kernel in it, started ahead of time. Runs are execute requests of the Jupyter
//!    protocol (`jupyter`, over `zmtp`), and end when it has replied and is idle.
//! 3. `frames`: calls of the host, output and outcomes go over a socket that the kernel inherits, which has
//!    no name. `pcm_kernel`, in Python, is the other end.
//! 4. [`SubprocessSandbox`]: a session. What had to be stopped the hard way goes on in another kernel.
//!
//! Code in a kernel can read its key and speak for it. So all that comes from it is bounded before it is
//! kept, and none of it is believed beyond what the code could do anyway.
//!
//! What must never live here: tools, storage, policy.

mod config;
mod engine;
mod error;
mod frames;
mod going;
mod guest;
mod jupyter;
mod kernel;
mod packages;
mod process;
mod sandbox;
mod venv;
mod zmtp;

pub use config::KernelConfig;
pub use engine::SubprocessEngine;
pub use error::SubprocessError;
pub use packages::EnvironmentPackages;
pub use sandbox::SubprocessSandbox;
