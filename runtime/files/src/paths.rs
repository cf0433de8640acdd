//! Paths as the guest and the embedder write them.

use crate::quota::{LONGEST_NAME, LONGEST_PATH};
use crate::{Errno, FilesError};

/// Refuses what is no path.
pub(crate) fn check(path: &str) -> Result<(), Errno> {
    if path.is_empty() {
        return Err(Errno::NotFound);
    }
    if path.len() > LONGEST_PATH {
        return Err(Errno::NameTooLong);
    }
    if path.contains('\0') {
        return Err(Errno::Invalid);
    }
    Ok(())
}

/// Refuses a name that is too long.
pub(crate) fn check_name(name: &str) -> Result<(), Errno> {
    if name.len() > LONGEST_NAME { Err(Errno::NameTooLong) } else { Ok(()) }
}

/// A path below a mount and a name in it.
pub(crate) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// The folder of a path below a mount, and the name in it; None for the mount itself.
pub(crate) fn split(path: &str) -> Option<(&str, &str)> {
    if path.is_empty() { None } else { Some(path.rsplit_once('/').unwrap_or(("", path))) }
}

/// The number of names in a path.
pub(crate) fn depth(path: &str) -> usize {
    path.split('/').filter(|name| !name.is_empty()).count()
}

/// The names of a mount point, if the embedder wrote it the one way it is written.
pub(crate) fn mount_point(guest: &str) -> Result<Vec<&str>, FilesError> {
    let refuse = |reason: &str| {
        Err(FilesError::Mount { guest: guest.to_owned(), reason: reason.to_owned() })
    };
    let Some(relative) = guest.strip_prefix('/') else {
        return refuse("the path in the sandbox must be absolute");
    };
    if relative.is_empty() {
        return refuse("the root of the sandbox cannot be a mount");
    }
    let names: Vec<&str> = relative.split('/').collect();
    if names.iter().any(|name| matches!(*name, "" | "." | "..")) {
        return refuse("the path in the sandbox must be written without `.`, `..` or empty names");
    }
    if check(guest).is_err() || names.iter().any(|name| check_name(name).is_err()) {
        return refuse("the path in the sandbox is too long or has a NUL in it");
    }
    Ok(names)
}
