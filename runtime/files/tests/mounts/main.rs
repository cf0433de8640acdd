//! Folders of the host, opened here or by somebody else.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(clippy::duplicate_mod, reason = "the same cases for both ways to a folder")]

mod local;
mod served;
#[path = "../sources/mod.rs"]
mod sources;

use std::fs;

use pcm_runtime_api::{Mount, MountAccess};
use pcm_runtime_files::{Files, Quota};

#[test]
fn what_is_no_folder_is_not_mounted() {
    let host = tempfile::tempdir().unwrap();
    fs::write(host.path().join("file"), "").unwrap();
    for name in ["file", "none"] {
        let host = host.path().join(name).into();
        let mount = Mount { host, guest: "/f".to_owned(), access: MountAccess::ReadOnly };
        let told = Files::with_mounts(Quota::default(), &[mount], 1).unwrap_err().to_string();
        assert!(told.starts_with("the mount /f is refused: ") && told.contains(name), "{told}");
    }
}
