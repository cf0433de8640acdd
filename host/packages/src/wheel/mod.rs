//! Wheels: from a stranger's archive to plain files.
//!
//! [`archive`] reads a wheel, [`installed`] what `uv` made of one; both give their members to an
//! [`Unpacker`], which alone knows what may become a file. [`pack`] makes a wheel again of one that
//! lost its native parts.

mod archive;
mod installed;
mod pack;
mod path;
mod record;
mod unpack;

#[cfg(test)]
mod hostile;
#[cfg(test)]
pub(crate) mod testing;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::PackagesError;
use crate::name::WheelName;
use crate::resolver::Fetched;
pub(crate) use pack::{pack, pure_name};
use unpack::Unpacker;

/// What happens to the native libraries of a wheel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Native {
    /// The wheel is refused.
    Refuse,
    /// They are left out: the package is known to do without them.
    Drop,
    /// Those in WebAssembly stay: the target loads them. Those of other systems are left out.
    Keep,
}

/// A wheel as files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unpacked {
    /// Normalised.
    pub(crate) name: String,
    pub(crate) version: String,
    /// Its folder `….dist-info`.
    pub(crate) info: String,
    /// Paths as the guest imports them, with what is in them.
    pub(crate) files: BTreeMap<String, Content>,
}

/// What is in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Content {
    pub(crate) bytes: u64,
    /// As a RECORD writes it: SHA-256 in URL-safe base64.
    pub(crate) sha256: String,
}

/// Unpacks what a resolver brought into a folder that does not exist yet.
pub(crate) fn unpack(
    fetched: &Fetched,
    wheel: &WheelName,
    native: Native,
    into: &Path,
) -> Result<Unpacked, PackagesError> {
    let refuse = |reason| PackagesError::Wheel { wheel: wheel.to_string(), reason };
    let target = Unpacker::new(wheel.name.clone(), native, into);
    let unpacked = match fetched {
        Fetched::Wheel(file) => archive::unpack(file, target),
        Fetched::Installed(folder) => installed::unpack(folder, target),
    };
    unpacked.map_err(|error| match error {
        Bad::Wheel(reason) => refuse(reason),
        Bad::Disk(error) => PackagesError::cache("unpack a wheel")(error),
    })
}

/// Why a wheel was not unpacked.
#[derive(Debug)]
enum Bad {
    /// It is the wheel's fault.
    Wheel(String),
    /// It is not.
    Disk(std::io::Error),
}

impl From<&str> for Bad {
    fn from(reason: &str) -> Self {
        Self::Wheel(reason.to_owned())
    }
}

impl From<String> for Bad {
    fn from(reason: String) -> Self {
        Self::Wheel(reason)
    }
}

impl From<std::io::Error> for Bad {
    fn from(error: std::io::Error) -> Self {
        Self::Disk(error)
    }
}
