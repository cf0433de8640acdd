//! What the parent says about the jails of its children.

use std::path::PathBuf;

/// What an installed program may reach that the parent is going to start: a Python with any package,
/// the kernel of a notebook.
///
/// Unlike a worker it starts programs, opens files and talks over sockets. What it may open is a matter
/// of Landlock, under the folders named here; what it may ask of the kernel is everything but what only
/// attackers need.
#[derive(Clone, Debug, Default)]
pub struct KernelWalls {
    /// Files and folders that it may read and execute, with all below them.
    pub readable: Vec<PathBuf>,
    /// Files and folders that it may read and change too.
    pub writable: Vec<PathBuf>,
    /// Which TCP ports it may listen on and connect to.
    pub tcp: TcpPorts,
    /// Whether it may open whatever its user may open, and ask the kernel for anything. Then bounds on
    /// what it uses are left, and that it ends with its parent.
    pub open: bool,
    /// How many bytes of private memory each of its processes may have.
    pub memory: Option<u64>,
}

/// Which TCP ports a program may use. Landlock knows ports, not addresses.
#[derive(Clone, Debug)]
pub enum TcpPorts {
    /// Those listed; none where nothing is listed.
    Only {
        /// Ports to listen on; 0 stands for one that the system chooses.
        listen: Vec<u16>,
        /// Ports to connect to.
        connect: Vec<u16>,
    },
    /// All.
    Any,
}

impl Default for TcpPorts {
    fn default() -> Self {
        Self::Only { listen: Vec::new(), connect: Vec::new() }
    }
}

/// The bounds of a cgroup. What is None is not bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CgroupLimits {
    /// Bytes of memory, that of files in memory included, and without swap.
    pub memory: Option<u64>,
    /// Threads and processes.
    pub tasks: Option<u64>,
}
