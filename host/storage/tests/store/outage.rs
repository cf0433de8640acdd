//! Servers that go, come back, or are there and do not answer.

use std::time::{Duration, Instant};

use pcm_storage::{ArtifactData, RedisStorage, Storage, StorageError};
use serde_json::{Map, json};

use crate::place::{artifact, workflow};
use crate::server::Server;
use crate::sharing::assert_stored;

const SOURCE: &str = "async def run(): return 1";
/// Nobody waits longer for a server.
const BOUND: Duration = Duration::from_secs(35);

async fn save(storage: &RedisStorage, name: &str) -> Result<(), StorageError> {
    let data = ArtifactData::Json(json!({ "name": name }));
    storage.artifacts().save(&artifact(name), data, name, Map::new()).await?;
    let source = format!("async def run(): return {name:?}");
    storage.workflows().create(&workflow(name), &source, name).await?;
    storage.deps().add(&format!("package-{name}==1").parse()?).await.map(drop)
}

#[tokio::test]
async fn a_killed_server_is_an_error_and_loses_nothing_that_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start_in(folder.path(), &[]);
    let storage = RedisStorage::connect(&server.url(), "app").unwrap();
    let mut names = Vec::new();
    for round in 0..3 {
        for number in 0..5 {
            let name = format!("round{round}x{number}");
            save(&storage, &name).await.unwrap();
            names.push(name);
        }
        server.kill();
        let asked = Instant::now();
        let error = save(&storage, "lost").await.unwrap_err();
        assert_eq!(error.error_type(), "StorageWriteError");
        assert!(error.to_string().contains("cannot be reached"), "{error}");
        assert!(!error.to_string().contains("redis.sock"), "no path of the host: {error}");
        let error = storage.workflows().list().await.unwrap_err();
        assert_eq!(error.error_type(), "StorageReadError");
        assert!(asked.elapsed() < BOUND);
        server.start_again();
        assert_stored(&storage, &names).await;
    }
}

#[tokio::test]
async fn the_first_call_after_a_restart_works_whatever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start_in(folder.path(), &[]);
    let storage = RedisStorage::connect(&server.url(), "app").unwrap();
    save(&storage, "a").await.unwrap();
    let mut restart = || {
        server.kill();
        server.start_again();
    };
    restart();
    assert_eq!(storage.workflows().list().await.unwrap().len(), 1);
    restart();
    save(&storage, "b").await.unwrap();
    restart();
    assert!(storage.artifacts().delete(&artifact("a")).await.unwrap());
    restart();
    assert!(storage.workflows().delete(&workflow("a")).await.unwrap());
    restart();
    assert!(storage.deps().remove("package-a").await.unwrap());
    restart();
    storage.workflows().create(&workflow("c"), SOURCE, "").await.unwrap();
    assert!(storage.artifacts().exists(&artifact("b")).await.unwrap());
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_an_error_within_a_bound() {
    let server = Server::start();
    let storage = RedisStorage::connect(&server.url(), "app").unwrap();
    save(&storage, "a").await.unwrap();
    server.freeze();
    let asked = Instant::now();
    let name = artifact("a");
    let (written, read) = tokio::join!(save(&storage, "b"), storage.artifacts().load(&name));
    let error = written.unwrap_err();
    assert_eq!(error.error_type(), "StorageWriteError");
    assert!(error.to_string().contains("does not answer"), "{error}");
    assert_eq!(read.unwrap_err().error_type(), "StorageReadError");
    assert!(asked.elapsed() < BOUND);
}

#[tokio::test]
async fn a_server_that_was_never_there_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("unix://{}/none.sock", folder.path().display());
    let storage = RedisStorage::connect(&url, "app").unwrap();
    let error = storage.deps().list().await.unwrap_err();
    assert_eq!(error.error_type(), "StorageReadError");
    assert!(!error.to_string().contains("none.sock"), "{error}");
}

#[tokio::test]
async fn a_server_without_room_says_so() {
    let server = Server::start();
    let storage = RedisStorage::connect(&server.url(), "app").unwrap();
    save(&storage, "a").await.unwrap();
    redis::cmd("CONFIG").arg(&["SET", "maxmemory", "1"]).exec(&mut server.raw()).unwrap();
    let data = ArtifactData::Bytes(vec![1; 1 << 20]);
    let saved = storage.artifacts().save(&artifact("a"), data, "second", Map::new()).await;
    let source = "async def run(): return 2";
    let created = storage.workflows().create(&workflow("a"), source, "").await.map(drop);
    for error in [saved.map(drop).unwrap_err(), created.unwrap_err()] {
        assert_eq!(error.error_type(), "StorageWriteError");
        assert!(error.to_string().contains("refused with OOM"), "{error}");
    }
    assert_stored(&storage, &["a".to_owned()]).await;
    assert!(storage.artifacts().delete(&artifact("a")).await.unwrap(), "that makes room");
}
