//! Landlock: what can be opened by name, and reached by signals and sockets.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, NetPort, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
};

use crate::error::JailError;
use crate::walls::{KernelWalls, TcpPorts};

/// The newest that is asked for; a kernel that knows less does what it knows.
const NEWEST: ABI = ABI::V7;

/// The devices that every program expects, and that give nothing away.
const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// Refuses everything that this kernel can refuse, from here on.
pub(super) fn refuse_all() -> io::Result<()> {
    let ruleset = all().and_then(Ruleset::create).map_err(io::Error::other)?;
    let status = ruleset.restrict_self().map_err(io::Error::other)?;
    if status.ruleset == RulesetStatus::NotEnforced { Err(none()) } else { Ok(()) }
}

fn all() -> Result<Ruleset, RulesetError> {
    Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))
}

fn none() -> io::Error {
    io::Error::other("this kernel has no Landlock, or it is switched off")
}

/// The rules for an installed program, to be put in force between fork and exec. The inner result is
/// why this kernel cannot.
pub(super) fn rules(walls: &KernelWalls) -> Result<io::Result<OwnedFd>, JailError> {
    let mut ruleset = match create(walls) {
        Ok(ruleset) => ruleset,
        Err(error) => return Ok(Err(io::Error::other(error))),
    };
    let (read, all) = (AccessFs::from_read(NEWEST), AccessFs::from_all(NEWEST));
    let file = AccessFs::from_file(NEWEST);
    let device = AccessFs::ReadFile | AccessFs::WriteFile;
    let devices = DEVICES.map(PathBuf::from);
    let devices = devices.iter().filter(|path| path.exists()).map(|path| (path, device));
    let paths = walls.readable.iter().map(|path| (path, read));
    let paths = paths.chain(walls.writable.iter().map(|path| (path, all)));
    for (path, rights) in devices.chain(paths) {
        let rights = if path.is_dir() { rights } else { rights & file };
        ruleset = match allow(ruleset, path, rights)? {
            Ok(ruleset) => ruleset,
            Err(error) => return Ok(Err(error)),
        };
    }
    let descriptor: Option<OwnedFd> = ruleset.into();
    Ok(descriptor.ok_or_else(none))
}

fn allow(
    ruleset: RulesetCreated,
    path: &Path,
    rights: BitFlags<AccessFs>,
) -> Result<io::Result<RulesetCreated>, JailError> {
    let opened = PathFd::new(path).map_err(|error| JailError::Path {
        path: path.to_owned(),
        source: io::Error::other(error),
    })?;
    Ok(ruleset.add_rule(PathBeneath::new(opened, rights)).map_err(io::Error::other))
}

fn create(walls: &KernelWalls) -> Result<RulesetCreated, RulesetError> {
    let ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?;
    let TcpPorts::Only { listen, connect } = &walls.tcp else { return ruleset.create() };
    let ports = |ports: &[u16], access| {
        let ports = ports.to_vec();
        ports.into_iter().map(move |port| Ok::<_, RulesetError>(NetPort::new(port, access)))
    };
    ruleset
        .handle_access(AccessNet::from_all(NEWEST))?
        .create()?
        .add_rules(ports(listen, AccessNet::BindTcp))?
        .add_rules(ports(connect, AccessNet::ConnectTcp))
}
