//! Other processes: this test program, started again to do one thing.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use pcm_storage::{ArtifactData, FileStorage, RedisStorage, Storage, StorageError};
use serde_json::{Map, json};

use crate::place::{artifact, folder, left_aside, workflow};
use crate::server::Server;

/// Where the storage is, what the names begin with, and how many are stored.
const PLACE: &str = "PCM_TEST_PLACE";
const PREFIX: &str = "PCM_TEST_PREFIX";
const COUNT: &str = "PCM_TEST_COUNT";

/// A process that stores one thing after the other, and says of each that it is stored.
pub(crate) fn writer(place: &str, prefix: &str, count: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "sharing::stores_until_it_is_stopped", "--nocapture"])
        .env(PLACE, place)
        .env(PREFIX, prefix)
        .env(COUNT, count.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::piped()) // the harness of the tests writes to the other
        .spawn()
        .unwrap()
}

/// What a writer says until it ends or said enough.
pub(crate) fn acknowledged(child: &mut Child, enough: usize) -> Vec<String> {
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let names = lines
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix("stored ").map(str::to_owned));
    names.take(enough).collect()
}

pub(crate) fn open(place: &str) -> Box<dyn Storage> {
    if place.starts_with("unix:") {
        Box::new(RedisStorage::connect(place, "app").unwrap())
    } else {
        Box::new(FileStorage::open(&PathBuf::from(place)).unwrap())
    }
}

#[tokio::test]
#[ignore = "a part of other tests, which start it in a process of its own"]
async fn stores_until_it_is_stopped() {
    let variable = |name| std::env::var(name).unwrap();
    let storage = open(&variable(PLACE));
    let prefix = variable(PREFIX);
    for number in 0..variable(COUNT).parse::<usize>().unwrap() {
        let name = format!("{prefix}{number}");
        store(storage.as_ref(), &name).await.unwrap();
        writeln!(std::io::stderr(), "stored {name}").unwrap();
    }
}

async fn store(storage: &dyn Storage, name: &str) -> Result<(), StorageError> {
    let data = ArtifactData::Json(json!({ "name": name }));
    storage.artifacts().save(&artifact(name), data, name, Map::new()).await?;
    let source = format!("async def run(): return {name:?}");
    storage.workflows().create(&workflow(name), &source, name).await?;
    storage.deps().add(&format!("package-{name}==1").parse()?).await.map(drop)
}

/// Whether everything of these names is there as it was stored.
pub(crate) async fn assert_stored(storage: &dyn Storage, names: &[String]) {
    let infos = storage.artifacts().list().await.unwrap();
    let specs = storage.deps().list().await.unwrap();
    for name in names {
        let data = storage.artifacts().load(&artifact(name)).await.unwrap();
        assert_eq!(data, ArtifactData::Json(json!({ "name": name })));
        let info = infos.iter().find(|info| info.name.as_str() == name);
        assert_eq!(info.map(|info| info.description.as_str()), Some(name.as_str()));
        let workflow = storage.workflows().get(&workflow(name)).await.unwrap().unwrap();
        assert_eq!(&workflow.description, name);
        assert!(specs.iter().any(|spec| spec.as_str() == format!("package-{name}==1")));
    }
}

async fn lose_nothing(place: &str) {
    let mut writers = [writer(place, "a", 60), writer(place, "b", 60), writer(place, "c", 60)];
    let mut names = Vec::new();
    for writer in &mut writers {
        names.extend(acknowledged(writer, usize::MAX));
        assert!(writer.wait().unwrap().success());
    }
    assert_eq!(names.len(), 180);
    let storage = open(place);
    assert_stored(storage.as_ref(), &names).await;
    assert_eq!(storage.artifacts().list().await.unwrap().len(), 180);
    assert_eq!(storage.workflows().list().await.unwrap().len(), 180);
    assert_eq!(storage.deps().list().await.unwrap().len(), 180);
}

#[tokio::test]
async fn three_processes_that_write_files_lose_nothing() {
    let (folder, _) = folder();
    lose_nothing(folder.path().to_str().unwrap()).await;
    for inside in ["artifacts", "workflows", "deps"] {
        assert_eq!(left_aside(&Path::new(folder.path()).join(inside)), Vec::<PathBuf>::new());
    }
}

#[tokio::test]
async fn three_processes_that_write_to_redis_lose_nothing() {
    let server = Server::start();
    lose_nothing(&server.url()).await;
}
