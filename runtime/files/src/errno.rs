//! What sandboxed code is told when something does not work.

use std::io;

use rustix::io::Errno as System;

/// Why an operation was refused, and nothing more: no path, no text of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Errno {
    /// EACCES: what a mount does not allow.
    #[error("permission denied")]
    Access,
    /// EBADF.
    #[error("bad file descriptor")]
    BadDescriptor,
    /// EBUSY: a mount point, or a folder above one.
    #[error("it is in use")]
    Busy,
    /// EXDEV.
    #[error("it cannot be moved between mounts")]
    CrossDevice,
    /// EEXIST.
    #[error("it exists")]
    Exists,
    /// EFBIG: past the largest offset there is.
    #[error("the file is too large")]
    FileTooLarge,
    /// EINVAL.
    #[error("invalid argument")]
    Invalid,
    /// EIO: the host's own trouble.
    #[error("input or output error")]
    Io,
    /// EISDIR.
    #[error("it is a folder")]
    IsFolder,
    /// ELOOP.
    #[error("too many symbolic links")]
    Loop,
    /// ENAMETOOLONG: a name, a path, or a path with too many folders in it.
    #[error("the path is too long or too deep")]
    NameTooLong,
    /// ENOSPC: the quota of bytes or of entries.
    #[error("no space is left")]
    NoSpace,
    /// ENOTEMPTY.
    #[error("the folder is not empty")]
    NotEmpty,
    /// ENOTDIR.
    #[error("it is not a folder")]
    NotFolder,
    /// ENOENT.
    #[error("no such file or folder")]
    NotFound,
    /// EPERM: what nobody may do here.
    #[error("operation not permitted")]
    NotPermitted,
    /// EROFS.
    #[error("it is mounted read-only")]
    ReadOnly,
    /// EMFILE.
    #[error("too many files are open")]
    TooManyOpen,
}

impl From<System> for Errno {
    fn from(error: System) -> Self {
        match error {
            System::BADF => Self::BadDescriptor,
            System::BUSY | System::TXTBSY => Self::Busy,
            System::XDEV => Self::CrossDevice,
            System::EXIST => Self::Exists,
            System::FBIG | System::OVERFLOW => Self::FileTooLarge,
            System::INVAL => Self::Invalid,
            System::ISDIR => Self::IsFolder,
            System::LOOP => Self::Loop,
            System::NAMETOOLONG => Self::NameTooLong,
            System::NOSPC | System::DQUOT => Self::NoSpace,
            System::NOTEMPTY => Self::NotEmpty,
            System::NOTDIR => Self::NotFolder,
            System::NOENT => Self::NotFound,
            System::PERM => Self::NotPermitted,
            System::ROFS => Self::ReadOnly,
            System::MFILE | System::NFILE => Self::TooManyOpen,
            // The other end of a pipe, a device without a driver: neither can be opened.
            System::ACCESS | System::NXIO | System::NODEV => Self::Access,
            _ => Self::Io,
        }
    }
}

impl Errno {
    /// The system's number for it: what another process of this system takes for the same.
    pub fn number(self) -> i32 {
        let system = match self {
            Self::Access => System::ACCESS,
            Self::BadDescriptor => System::BADF,
            Self::Busy => System::BUSY,
            Self::CrossDevice => System::XDEV,
            Self::Exists => System::EXIST,
            Self::FileTooLarge => System::FBIG,
            Self::Invalid => System::INVAL,
            Self::Io => System::IO,
            Self::IsFolder => System::ISDIR,
            Self::Loop => System::LOOP,
            Self::NameTooLong => System::NAMETOOLONG,
            Self::NoSpace => System::NOSPC,
            Self::NotEmpty => System::NOTEMPTY,
            Self::NotFolder => System::NOTDIR,
            Self::NotFound => System::NOENT,
            Self::NotPermitted => System::PERM,
            Self::ReadOnly => System::ROFS,
            Self::TooManyOpen => System::MFILE,
        };
        system.raw_os_error()
    }
}

impl From<io::Error> for Errno {
    fn from(error: io::Error) -> Self {
        Self::from(&error)
    }
}

impl From<&io::Error> for Errno {
    fn from(error: &io::Error) -> Self {
        match (System::from_io_error(error), error.kind()) {
            (Some(system), _) => system.into(),
            // How cap-std refuses a path that leaves its folder.
            (None, io::ErrorKind::PermissionDenied) => Self::Access,
            (None, _) => Self::Io,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stands_for_the_same_in_another_process() {
        let mut numbers = 0;
        for raw in 1..4096 {
            let errno = Errno::from(io::Error::from_raw_os_error(raw));
            let again = Errno::from(io::Error::from_raw_os_error(errno.number()));
            assert_eq!(again, errno, "{raw}");
            numbers += usize::from(errno.number() == raw);
        }
        assert_eq!(numbers, 18, "every errno has a number of its own");
    }
}
