//! What agents, and what lies in a folder, may try.

use std::os::unix::fs::symlink;
use std::time::Duration;

use pcm_storage::{ArtifactData, ArtifactName, Storage, WorkspaceId};
use serde_json::Map;

use crate::place::{artifact, folder, left_aside, names_in, workflow};

fn text(text: &str) -> ArtifactData {
    ArtifactData::Text(text.to_owned())
}

#[tokio::test]
async fn links_do_not_lead_out_of_the_artifacts() {
    let (folder, storage) = folder();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    let artifacts = folder.path().join("artifacts");
    std::fs::create_dir_all(&artifacts).unwrap();
    symlink(outside.path(), artifacts.join("way")).unwrap();
    symlink(outside.path().join("secret"), artifacts.join("file")).unwrap();
    symlink("../../../../../../etc/passwd", artifacts.join("up")).unwrap();
    symlink("nowhere", artifacts.join("dangling")).unwrap();
    symlink("loop", artifacts.join("loop")).unwrap();

    for name in ["way/secret", "file", "up", "way", "dangling", "loop"] {
        let name = artifact(name);
        assert!(storage.artifacts().load(&name).await.is_err(), "{name}");
        assert!(!storage.artifacts().exists(&name).await.unwrap(), "{name}");
        assert_eq!(storage.artifacts().get(&name).await.unwrap(), None, "{name}");
    }
    assert!(storage.artifacts().list().await.unwrap().is_empty());
    for name in ["way/new", "way/secret", "way/deeper/new"] {
        let saved = storage.artifacts().save(&artifact(name), text("mine"), "", Map::new()).await;
        let error = saved.unwrap_err();
        assert!(!error.to_string().contains("tmp"), "no path of the host: {error}");
    }
    // A link is replaced, not written through.
    storage.artifacts().save(&artifact("file"), text("mine"), "", Map::new()).await.unwrap();
    assert_eq!(storage.artifacts().load(&artifact("file")).await.unwrap(), text("mine"));
    assert_eq!(names_in(outside.path()), ["secret"]);
    assert_eq!(std::fs::read(outside.path().join("secret")).unwrap(), b"secret");
    assert_eq!(left_aside(&artifacts), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn an_index_that_is_a_link_leads_nowhere() {
    let (folder, storage) = folder();
    let outside = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(outside.path(), r#"{"a": {"description": "secret"}}"#).unwrap();
    let artifacts = folder.path().join("artifacts");
    std::fs::create_dir_all(&artifacts).unwrap();
    std::fs::write(artifacts.join("a"), "x").unwrap();
    symlink(outside.path(), artifacts.join(".artifacts.json")).unwrap();
    let infos = storage.artifacts().list().await;
    assert!(infos.is_err_and(|error| error.error_type() == "StorageReadError"));
}

#[tokio::test]
async fn pipes_and_folders_are_no_artifacts_and_nobody_waits_for_them() {
    let (folder, storage) = folder();
    let artifacts = folder.path().join("artifacts");
    std::fs::create_dir_all(artifacts.join("folder")).unwrap();
    std::fs::create_dir_all(folder.path().join("workflows/folder.py")).unwrap();
    for pipe in ["artifacts/pipe", "workflows/pipe.py"] {
        let made = std::process::Command::new("mkfifo").arg(folder.path().join(pipe)).status();
        assert!(made.unwrap().success());
    }
    let all = async {
        for name in ["pipe", "folder"] {
            let error = storage.artifacts().load(&artifact(name)).await.unwrap_err();
            assert_eq!(error.error_type(), "ArtifactNotFoundError");
            assert!(!storage.artifacts().exists(&artifact(name)).await.unwrap());
            assert_eq!(storage.workflows().get(&workflow(name)).await.unwrap(), None);
        }
        assert!(storage.artifacts().list().await.unwrap().is_empty());
        assert!(storage.workflows().list().await.unwrap().is_empty());
    };
    tokio::time::timeout(Duration::from_secs(20), all).await.unwrap();
}

#[tokio::test]
async fn a_name_is_a_file_or_a_folder_and_not_both() {
    let (_folder, storage) = folder();
    storage.artifacts().save(&artifact("a/b"), text("x"), "", Map::new()).await.unwrap();
    for name in ["a", "a/b/c"] {
        let saved = storage.artifacts().save(&artifact(name), text("y"), "", Map::new()).await;
        assert_eq!(saved.unwrap_err().error_type(), "ValueError");
    }
    assert_eq!(storage.artifacts().list().await.unwrap().len(), 1);
    let error = storage.artifacts().load(&artifact("a/b/c")).await.unwrap_err();
    assert_eq!(error.error_type(), "ArtifactNotFoundError");
}

#[test]
fn names_that_lead_out_are_no_names() {
    for name in ["../../etc/passwd", "/etc/passwd", "a/../../b", ".artifacts.json"] {
        assert_eq!(name.parse::<ArtifactName>().unwrap_err().error_type(), "ValueError");
    }
    for id in ["", ".", "..", "../escape", "bad/name", "bad:name"] {
        assert_eq!(id.parse::<WorkspaceId>().unwrap_err().error_type(), "ValueError");
    }
}

#[tokio::test]
async fn an_index_that_is_no_json_is_kept_aside_and_the_artifacts_stay() {
    let (folder, storage) = folder();
    storage.artifacts().save(&artifact("a"), text("x"), "known", Map::new()).await.unwrap();
    let artifacts = folder.path().join("artifacts");
    std::fs::write(artifacts.join(".artifacts.json"), "{\"a\": {").unwrap();
    let infos = storage.artifacts().list().await.unwrap();
    assert_eq!((infos.len(), infos[0].description.as_str()), (1, ""));
    assert_eq!(storage.artifacts().load(&artifact("a")).await.unwrap(), text("x"));
    storage.artifacts().save(&artifact("b"), text("y"), "known", Map::new()).await.unwrap();
    assert_eq!(storage.artifacts().list().await.unwrap().len(), 2);
    let kept = std::fs::read_to_string(artifacts.join(".artifacts.damaged.json")).unwrap();
    assert_eq!(kept, "{\"a\": {");
}

#[tokio::test]
async fn a_workflow_changed_in_place_with_the_same_length_is_read_again() {
    let (folder, storage) = folder();
    let file = folder.path().join("workflows/number.py");
    storage
        .workflows()
        .create(&workflow("number"), "async def run(): return 10", "")
        .await
        .unwrap();
    for number in 11..99 {
        let source = format!("async def run(): return {number}");
        std::fs::write(&file, &source).unwrap();
        assert_eq!(storage.workflows().list().await.unwrap()[0].source, source);
        let one = storage.workflows().get(&workflow("number")).await.unwrap().unwrap();
        assert_eq!(one.source, source);
    }
}

#[tokio::test]
async fn what_was_left_aside_long_ago_goes() {
    let (folder, storage) = folder();
    let artifacts = folder.path().join("artifacts");
    std::fs::create_dir_all(&artifacts).unwrap();
    for (name, age) in [("old", 48), ("new", 1)] {
        let path = artifacts.join(format!(".artifacts.{name}.tmp"));
        let file = std::fs::File::create(path).unwrap();
        let time = std::time::SystemTime::now() - Duration::from_hours(age);
        file.set_modified(time).unwrap();
    }
    storage.artifacts().save(&artifact("a"), text("x"), "", Map::new()).await.unwrap();
    assert_eq!(left_aside(&artifacts), [artifacts.join(".artifacts.new.tmp")]);
    assert_eq!(storage.artifacts().list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn reading_makes_nothing() {
    let (folder, storage) = folder();
    storage.artifacts().save(&artifact("a"), text("x"), "", Map::new()).await.unwrap();
    std::fs::remove_file(folder.path().join("artifacts/.artifacts.lock")).unwrap();
    assert_eq!(storage.artifacts().load(&artifact("a")).await.unwrap(), text("x"));
    assert_eq!(storage.artifacts().list().await.unwrap().len(), 1);
    assert!(!folder.path().join("artifacts/.artifacts.lock").exists(), "readers take no lock");
}
