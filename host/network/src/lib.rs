//! HTTP requests of sandboxed code, made by the host.
//!
//! Code in the sandbox has no sockets. What it asks for arrives as a `HostCall` of the namespace
//! `network`; [`NetworkPort`] looks at it under a [`NetworkProfile`], makes at most one request, and
//! gives back what came. [`WithNetwork`] puts that in front of any other port.
//!
//! A call passes four stages, and each hands the next only what it has checked: `request` reads the
//! arguments, `profile` decides on the name and then on every address that the name has, `connection`
//! connects to one of exactly those addresses, `exchange` sends and receives with bounds on
//! everything that comes back. No redirect is followed: the next hop is the guest's next call.
//!
//! What must never live here: host names or addresses of anybody in particular, a proxy, a cookie
//! jar, a cache, or anything else that outlives one request.
//!
//! ```
//! use pcm_network::{NetworkPort, NetworkProfile};
//!
//! let rules = ["example.org".parse()?, "https://*.example.org:8443".parse()?];
//! let port = NetworkPort::new(NetworkProfile::Allow(rules.into()));
//! # let _ = port;
//! # Ok::<(), pcm_network::NetworkError>(())
//! ```

mod address;
mod connection;
mod error;
mod exchange;
mod port;
mod profile;
mod reach;
mod request;
mod resolver;
mod rule;
mod target;
mod trust;

pub use crate::error::NetworkError;
pub use crate::port::{NetworkPort, NetworkTimes, WithNetwork};
pub use crate::profile::NetworkProfile;
pub use crate::resolver::{Resolver, SystemResolver};
pub use crate::rule::HostRule;
pub use crate::trust::Trust;
