//! The container backend: sessions in containers of an engine on this machine (Docker, or what speaks as it
//! does).
//!
//! A container is a worker elsewhere. Its main process is this program as a worker (`runtime/worker`), which
//! finds its host at a socket and holds a kernel (`runtime/subprocess`) of the image's Python. So runs,
//! calls, output and files are what they are in every worker; what is here is the container around it.
//!
//! 1. `image`: an image with a Python, an environment for kernels, and this program; made when it is
//!    missing or stale.
//! 2. `container`: one container, with nothing of this machine in it but a folder with a socket, and no network.
//! 3. [`ContainerEngine`]: containers that wait, one for each session, never used again.
//! 4. `proxy` (here) and `forward` (in the container): the way to the hosts on a list, where there is one.
//! 5. `serving`, `served`, [`ToolsInside`]: containers whose program is a session server with the tools in it, and
//!    a session there.
//!
//! What is in a container is hostile: it may take over its worker, whose frames are held against what may be
//! said. A container ends when its session does, when its socket closes, and at the latest when the next host
//! finds that its owner is gone.
//!
//! What must never live here: tools, storage, policy, what may be reached.

mod container;
mod engine;
mod error;
mod folder;
mod forward;
mod from_host;
mod image;
mod inside;
mod owner;
mod program;
mod proxy;
mod sandbox;
mod served;
mod serving;
mod settings;
mod socket;
mod tarball;
mod tools_inside;

pub use engine::{ContainerEngine, ContainerInfo};
pub use error::ContainerError;
pub use image::{BASE_IMAGE, Base, BuildRequest, DEFAULT_IMAGE, ImageInfo, Images, TOOLS_IMAGE};
/// What a server in a container knows us by.
pub use pcm_runtime_remote::Token;

pub use inside::{entry, served_kernels};
pub use proxy::Connect;
pub use sandbox::ContainerSandbox;
pub use serving::{ServedStorage, ServingSettings};
pub use settings::{ContainerSettings, Network};
pub use tools_inside::ToolsInside;
