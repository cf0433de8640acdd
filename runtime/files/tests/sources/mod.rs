//! The two ways to a folder of the host.

use std::path::Path;

use pcm_runtime_api::{Mount, MountAccess, MountSource};
use pcm_runtime_folders::{connect, pair};

/// Opened here.
pub(crate) fn local(host: &Path, _access: MountAccess) -> MountSource {
    host.into()
}

/// As a sandbox in another process has it; served until nobody has it any more.
pub(crate) fn served(host: &Path, access: MountAccess) -> MountSource {
    let (server, inside) = pair().unwrap();
    let mount = Mount { host: host.into(), guest: String::new(), access };
    server.serve(&[mount], |ended| ended.unwrap()).unwrap();
    let [folder] = connect(inside, 1).try_into().unwrap();
    MountSource::Served(folder)
}
