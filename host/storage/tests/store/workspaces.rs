//! Workspaces: who sees what.

use std::sync::Arc;

use pcm_storage::{ArtifactData, FileStorage, MemoryStorage, RedisStorage, Storage};
use serde_json::{Map, json};

use crate::place::{artifact, folder, names_in, workflow, workspace_id};
use crate::server::Server;

const SOURCE: &str = "async def run():\n    '''Counts.'''";

async fn store(storage: &dyn Storage) {
    storage.workflows().create(&workflow("count"), SOURCE, "").await.unwrap();
    let data = ArtifactData::Text("x".to_owned());
    storage.artifacts().save(&artifact("a"), data, "", Map::new()).await.unwrap();
}

/// How many workflows, found workflows and artifacts a storage sees.
async fn seen(storage: &dyn Storage) -> (usize, usize, usize) {
    (
        storage.workflows().list().await.unwrap().len(),
        storage.workflows().search("count", 5).await.unwrap().len(),
        storage.artifacts().list().await.unwrap().len(),
    )
}

/// The one space outside of all workspaces, one of `a` twice, and one of `b`.
async fn are_apart([outside, a, again, b]: [Arc<dyn Storage>; 4]) {
    const NOTHING: (usize, usize, usize) = (0, 0, 0);
    const ALL: (usize, usize, usize) = (1, 1, 1);
    store(a.as_ref()).await;
    assert_eq!(seen(a.as_ref()).await, ALL);
    assert_eq!(seen(again.as_ref()).await, ALL, "the same id is the same space");
    assert_eq!(seen(b.as_ref()).await, NOTHING);
    assert_eq!(seen(outside.as_ref()).await, NOTHING);

    store(outside.as_ref()).await;
    assert_eq!(seen(b.as_ref()).await, NOTHING);
    outside.workflows().delete(&workflow("count")).await.unwrap();
    outside.artifacts().delete(&artifact("a")).await.unwrap();
    assert_eq!(seen(a.as_ref()).await, ALL);

    a.deps().add(&"requests".parse().unwrap()).await.unwrap();
    for storage in [&outside, &again, &b] {
        assert_eq!(storage.deps().list().await.unwrap().len(), 1, "dependencies are shared");
    }
    let ids = [&outside, &a, &b].map(|storage| storage.workspace().map(ToString::to_string));
    assert_eq!(ids, [None, Some("a".to_owned()), Some("b".to_owned())]);
}

#[tokio::test]
async fn in_memory_they_are_apart() {
    let storage = MemoryStorage::new();
    let scoped = |id| storage.workspace(&workspace_id(id));
    let (a, again, b) = (scoped("a"), scoped("a"), scoped("b"));
    are_apart([Arc::new(storage.clone()), Arc::new(a), Arc::new(again), Arc::new(b)]).await;
}

#[tokio::test]
async fn in_files_they_are_apart() {
    let (folder, _) = folder();
    let outside = || FileStorage::open(folder.path()).unwrap();
    let scoped = |id| Arc::new(outside().workspace(&workspace_id(id)));
    are_apart([Arc::new(outside()), scoped("a"), scoped("a"), scoped("b")]).await;
    let inside = folder.path().join("workspaces/a");
    assert_eq!(names_in(&inside), ["artifacts", "workflows"]);
    assert_eq!(names_in(&inside.join("workflows")), ["count.py"]);
    assert_eq!(names_in(&folder.path().join("deps")), ["requirements.txt"]);
    assert_eq!(
        names_in(&folder.path().join("workspaces/b")),
        Vec::<String>::new(),
        "made on demand"
    );
}

#[tokio::test]
async fn in_redis_they_are_apart() {
    let server = Server::start();
    let outside = || RedisStorage::connect(&server.url(), "app").unwrap();
    let scoped = |id| Arc::new(outside().workspace(&workspace_id(id)));
    are_apart([Arc::new(outside()), scoped("a"), scoped("a"), scoped("b")]).await;
    let mut keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut server.raw()).unwrap();
    keys.sort();
    let expected = [
        "app:deps",
        "app:ws:a:artifacts:__index__",
        "app:ws:a:artifacts:a",
        "app:ws:a:workflows:__workflows__",
    ];
    assert_eq!(keys, expected);
}

#[tokio::test]
async fn a_storage_says_where_things_are_and_no_secret() {
    let (folder, storage) = folder();
    let base = folder.path().display();
    let expected = json!({
        "workflows_path": format!("{base}/workspaces/a/workflows"),
        "artifacts_path": format!("{base}/workspaces/a/artifacts"),
        "vectors_path": null,
        "root_path": format!("{base}/workspaces/a"),
    });
    assert_eq!(storage.workspace(&workspace_id("a")).describe(), expected);

    let storage = RedisStorage::connect("redis://me:hush@localhost:1/3", "app").unwrap();
    let expected = json!({
        "redis_url": "redis://localhost:1/3",
        "workflows_prefix": "app:ws:a:workflows",
        "artifacts_prefix": "app:ws:a:artifacts",
        "vectors_prefix": null,
        "root_prefix": "app:ws:a",
    });
    assert_eq!(storage.workspace(&workspace_id("a")).describe(), expected);
    assert!(!format!("{storage:?}").contains("hush"));
}
