//! Error numbers of WASI, and how a function of the host ends.

use pcm_runtime_files::Errno as FilesErrno;
use wasmtime::Error;

/// A number that is not success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Errno(u16);

impl Errno {
    pub(super) const ACCESS: Self = Self(2);
    pub(super) const BADF: Self = Self(8);
    pub(super) const BUSY: Self = Self(10);
    pub(super) const EXIST: Self = Self(20);
    pub(super) const FAULT: Self = Self(21);
    pub(super) const FBIG: Self = Self(22);
    pub(super) const ILSEQ: Self = Self(25);
    pub(super) const INTR: Self = Self(27);
    pub(super) const INVAL: Self = Self(28);
    pub(super) const IO: Self = Self(29);
    pub(super) const ISDIR: Self = Self(31);
    pub(super) const LOOP: Self = Self(32);
    pub(super) const MFILE: Self = Self(33);
    pub(super) const NAMETOOLONG: Self = Self(37);
    pub(super) const NOENT: Self = Self(44);
    pub(super) const NOSPC: Self = Self(51);
    pub(super) const NOTDIR: Self = Self(54);
    pub(super) const NOTEMPTY: Self = Self(55);
    pub(super) const NOTSOCK: Self = Self(57);
    pub(super) const NOTSUP: Self = Self(58);
    pub(super) const PERM: Self = Self(63);
    pub(super) const ROFS: Self = Self(69);
    pub(super) const SPIPE: Self = Self(70);
    pub(super) const XDEV: Self = Self(75);

    /// As a function gives it.
    pub(super) fn code(self) -> i32 {
        self.0.into()
    }

    /// As it is written to memory.
    pub(super) fn bytes(self) -> [u8; 2] {
        self.0.to_le_bytes()
    }
}

impl From<FilesErrno> for Errno {
    fn from(errno: FilesErrno) -> Self {
        match errno {
            FilesErrno::Access => Self::ACCESS,
            FilesErrno::BadDescriptor => Self::BADF,
            FilesErrno::Busy => Self::BUSY,
            FilesErrno::CrossDevice => Self::XDEV,
            FilesErrno::Exists => Self::EXIST,
            FilesErrno::FileTooLarge => Self::FBIG,
            FilesErrno::Invalid => Self::INVAL,
            FilesErrno::IsFolder => Self::ISDIR,
            FilesErrno::Loop => Self::LOOP,
            FilesErrno::NameTooLong => Self::NAMETOOLONG,
            FilesErrno::NoSpace => Self::NOSPC,
            FilesErrno::NotEmpty => Self::NOTEMPTY,
            FilesErrno::NotFolder => Self::NOTDIR,
            FilesErrno::NotFound => Self::NOENT,
            FilesErrno::NotPermitted => Self::PERM,
            FilesErrno::ReadOnly => Self::ROFS,
            FilesErrno::TooManyOpen => Self::MFILE,
            _ => Self::IO,
        }
    }
}

/// Why a function did not do what it was called for.
#[derive(Debug)]
pub(super) enum Failure {
    /// The guest is told.
    Errno(Errno),
    /// The guest ends.
    Trap(Error),
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl From<FilesErrno> for Failure {
    fn from(errno: FilesErrno) -> Self {
        Self::Errno(errno.into())
    }
}

pub(super) type Answer<T = ()> = Result<T, Failure>;

/// What the guest gets: 0, a number, or nothing any more.
pub(super) fn answer(answer: Answer) -> wasmtime::Result<i32> {
    match answer {
        Ok(()) => Ok(0),
        Err(Failure::Errno(errno)) => Ok(errno.code()),
        Err(Failure::Trap(error)) => Err(error),
    }
}
