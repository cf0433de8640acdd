//! Disks without room.

use std::path::Path;
use std::process::{Command, Stdio};

use pcm_storage::{ArtifactData, FileStorage, Storage};
use serde_json::Map;

use crate::place::{artifact, folder, left_aside, workflow};

/// Set in the process that may write small files only.
const SMALL_FILES: &str = "PCM_TEST_SMALL_FILES";

/// A small disk in memory; unmounted when it is dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// Nothing where this is not permitted.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

/// Fills what room there is, and looks whether all that was there still is.
async fn nothing_is_lost_without_room(base: &Path) {
    let storage = FileStorage::open(base).unwrap();
    let small = || ArtifactData::Text("before".to_owned());
    let large = || ArtifactData::Bytes(vec![1; 900 << 10]);
    let source = "async def run(): return 1";
    storage.artifacts().save(&artifact("a"), small(), "first", Map::new()).await.unwrap();
    storage.artifacts().save(&artifact("filler"), large(), "", Map::new()).await.unwrap();
    storage.workflows().create(&workflow("one"), source, "given").await.unwrap();
    storage.deps().add(&"requests".parse().unwrap()).await.unwrap();

    for name in ["a", "new", "folder/new"] {
        let data = ArtifactData::Bytes(vec![2; 2 << 20]);
        let saved = storage.artifacts().save(&artifact(name), data, "second", Map::new()).await;
        let error = saved.unwrap_err();
        assert_eq!(error.error_type(), "StorageWriteError");
        assert!(!error.to_string().contains(base.to_str().unwrap()), "{error}");
    }
    let comment = "#".repeat(1 << 19);
    let sources = [format!("{source}\n{comment}"), format!("{source} + 1\n{comment}")];
    for source in sources {
        let created = storage.workflows().create(&workflow("one"), &source, "").await;
        assert_eq!(created.unwrap_err().error_type(), "StorageWriteError");
    }

    let other = FileStorage::open(base).unwrap();
    for storage in [&storage, &other] {
        assert_eq!(storage.artifacts().load(&artifact("a")).await.unwrap(), small());
        let infos = storage.artifacts().list().await.unwrap();
        let names: Vec<_> = infos.iter().map(|info| info.name.as_str()).collect();
        assert_eq!(names, ["a", "filler"]);
        assert_eq!(infos[0].description, "first");
        let workflow = storage.workflows().get(&workflow("one")).await.unwrap().unwrap();
        assert_eq!((workflow.source.as_str(), workflow.description.as_str()), (source, "given"));
    }
    assert_eq!(left_aside(&base.join("artifacts")), Vec::<std::path::PathBuf>::new());

    // Whoever is out of room can make some.
    assert!(storage.artifacts().delete(&artifact("filler")).await.unwrap());
    assert_eq!(storage.artifacts().list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_changes_nothing() {
    match SmallDisk::mount() {
        Some(disk) => {
            nothing_is_lost_without_room(disk.0.path()).await;
            to_the_last_byte(disk.0.path()).await;
        }
        // Without the right to mount, a process that may not write large files fails alike.
        None => in_a_process_with_small_files(),
    }
}

#[test]
fn a_limit_on_files_is_an_error_and_changes_nothing() {
    in_a_process_with_small_files();
}

/// Leaves room for a few blocks, one more each time, so that each file of a save once is the one that
/// does not fit.
async fn to_the_last_byte(base: &Path) {
    const BLOCK: u64 = 4096;
    let storage = FileStorage::open(base).unwrap();
    let mut last = "before".to_owned();
    let mut outcomes = Vec::new();
    for blocks in 0..12 {
        let ballast = std::fs::File::create(base.join("ballast")).unwrap();
        let mut written = 0;
        while std::io::Write::write(&mut &ballast, &[0; 512]).is_ok_and(|count| count > 0) {
            written += 512;
        }
        ballast.set_len((written / BLOCK - blocks) * BLOCK).unwrap();
        let next = format!("{blocks}").repeat(5000);
        let data = ArtifactData::Text(next.clone());
        let saved = storage.artifacts().save(&artifact("a"), data, &next[..9], Map::new()).await;
        outcomes.push(saved.is_ok());
        if saved.is_ok() {
            last = next;
        }
        let loaded = storage.artifacts().load(&artifact("a")).await.unwrap();
        assert_eq!(loaded, ArtifactData::Text(last.clone()));
        let fresh = FileStorage::open(base).unwrap();
        let info = fresh.artifacts().get(&artifact("a")).await.unwrap().unwrap();
        let description = if last == "before" { "first" } else { &last[..9] };
        assert_eq!(info.description, description);
        drop(ballast);
        std::fs::remove_file(base.join("ballast")).unwrap();
    }
    assert!(outcomes.contains(&false) && outcomes.contains(&true), "{outcomes:?}");
}

fn in_a_process_with_small_files() {
    let ended = Command::new("sh")
        // In blocks of 512 or of 1024 bytes, as the shell has it.
        // The signal for a file that is too large would end the process; ignored, it is an error.
        .args(["-c", "trap '' XFSZ && ulimit -f 1000 && exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "full::writes_with_a_limit_on_files", "--nocapture"])
        .env(SMALL_FILES, "yes")
        .output()
        .unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}

#[tokio::test]
#[ignore = "a part of other tests, which start it in a process of its own"]
async fn writes_with_a_limit_on_files() {
    assert!(std::env::var_os(SMALL_FILES).is_some());
    let (folder, storage) = folder();
    let small = || ArtifactData::Text("before".to_owned());
    storage.artifacts().save(&artifact("a"), small(), "first", Map::new()).await.unwrap();
    let data = ArtifactData::Bytes(vec![2; 2 << 20]);
    let saved = storage.artifacts().save(&artifact("a"), data, "second", Map::new()).await;
    assert_eq!(saved.unwrap_err().error_type(), "StorageWriteError");
    assert_eq!(storage.artifacts().load(&artifact("a")).await.unwrap(), small());
    assert_eq!(storage.artifacts().list().await.unwrap()[0].description, "first");
    assert_eq!(left_aside(&folder.path().join("artifacts")), Vec::<std::path::PathBuf>::new());
}
