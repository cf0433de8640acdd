//! Sessions that share a storage, and sessions that must not.

use std::path::Path;
use std::sync::Arc;

use pcm_runtime_api::Namespace;
use pcm_session::Host;
use pcm_storage::{FileStorage, MemoryStorage, Storage, StorageError, WorkspaceId};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::{TestResult, World};

const SOURCE: &str = "async def run(n: int):\n    \"\"\"Triples it.\"\"\"\n    return n * 3\n";

async fn session(storage: impl Storage + 'static) -> Result<World, Box<dyn std::error::Error>> {
    World::start(Host::new().storage(Arc::new(storage))).await
}

fn in_files(base: &Path, workspace: Option<&str>) -> Result<FileStorage, StorageError> {
    let storage = FileStorage::open(base)?;
    match workspace {
        Some(id) => Ok(storage.workspace(&id.parse::<WorkspaceId>()?)),
        None => Ok(storage),
    }
}

async fn fill(world: &World) -> TestResult {
    let args = json!({"name": "triple", "source": SOURCE});
    world.ask(Namespace::Workflows, "create", args).await?;
    let args = json!({"name": "scans/one.json", "data": {"a": [1, 2]}, "description": "A scan"});
    world.ask(Namespace::Artifacts, "save", args).await?;
    Ok(())
}

/// What a session sees: its workflows, what a search finds, its artifacts, and one of them.
async fn seen(world: &World) -> Result<Value, Box<dyn std::error::Error>> {
    let workflows = world.ask(Namespace::Workflows, "list", json!({})).await?;
    let found = world.ask(Namespace::Workflows, "search", json!({"query": "triple"})).await?;
    let artifacts = world.ask(Namespace::Artifacts, "list", json!({})).await?;
    let one = json!({"name": "scans/one.json"});
    let exists = world.ask(Namespace::Artifacts, "exists", one).await?;
    let names = |list: &Value| -> Value {
        list.as_array().into_iter().flatten().map(|each| each["name"].clone()).collect()
    };
    Ok(json!([names(&workflows), names(&found), names(&artifacts), exists]))
}

#[tokio::test]
async fn sessions_of_one_workspace_share_it_and_others_see_nothing() -> TestResult {
    let everything = json!([["triple"], ["triple"], ["scans/one.json"], true]);
    let nothing = json!([[], [], [], false]);
    let folder = TempDir::new()?;
    let one = session(in_files(folder.path(), Some("client_a"))?).await?;
    let other = session(in_files(folder.path(), Some("client_a"))?).await?;
    let stranger = session(in_files(folder.path(), Some("client_b"))?).await?;
    let unscoped = session(in_files(folder.path(), None)?).await?;
    fill(&one).await?;
    assert_eq!(seen(&one).await?, everything);
    assert_eq!(seen(&other).await?, everything);
    assert_eq!(seen(&stranger).await?, nothing);
    assert_eq!(seen(&unscoped).await?, nothing);
    let place = folder.path().join("workspaces/client_a");
    assert_eq!(std::fs::read_to_string(place.join("workflows/triple.py"))?, SOURCE);
    assert!(place.join("artifacts/scans/one.json").is_file());

    fill(&unscoped).await?;
    assert_eq!(seen(&stranger).await?, nothing);
    assert!(folder.path().join("workflows/triple.py").is_file());

    let memory = MemoryStorage::new();
    let scoped = |id: &str| Ok::<_, StorageError>(memory.workspace(&id.parse()?));
    let (one, other) = (session(scoped("a")?).await?, session(scoped("a")?).await?);
    let stranger = session(scoped("b")?).await?;
    fill(&one).await?;
    assert_eq!(seen(&other).await?, everything);
    assert_eq!(seen(&stranger).await?, nothing);
    assert_eq!(seen(&session(memory).await?).await?, nothing);
    Ok(())
}

#[test]
fn an_id_that_could_leave_its_folder_names_no_workspace() {
    let long = "a".repeat(129);
    for id in ["", ".", "..", "../escape", "bad/name", "bad:name", "bad\\name", "a\0", "a\n", &long]
    {
        let error = id.parse::<WorkspaceId>().err().map(|error| error.error_type().to_owned());
        assert_eq!(error.as_deref(), Some("ValueError"), "{id:?}");
    }
}

#[tokio::test]
async fn host_and_sandbox_see_the_same() -> TestResult {
    let world = session(MemoryStorage::new()).await?;
    fill(&world).await?;
    let session = &world.session;
    assert_eq!(session.list_workflows().await?.len(), 1);
    assert_eq!(session.search_workflows("triple", 5).await?.len(), 1);
    let workflow = session.get_workflow("triple").await?.ok_or("there is none")?;
    assert_eq!((&*workflow.source, &*workflow.description), (SOURCE, "Triples it."));
    assert_eq!(session.list_artifacts().await?[0].description, "A scan");
    assert!(session.remove_workflow("triple").await?);
    assert!(!session.remove_workflow("triple").await?);
    session.delete_artifact("scans/one.json").await?;
    assert_eq!(seen(&world).await?, json!([[], [], [], false]));
    let (name, data) = ("a.txt", pcm_storage::ArtifactData::Text("hi".to_owned()));
    session.save_artifact(name, data, "", serde_json::Map::new()).await?;
    let loaded = world.ask(Namespace::Artifacts, "load", json!({"name": name})).await?;
    assert_eq!(loaded, json!("hi"));
    assert!(session.load_artifact("../x").await.is_err());
    assert!(session.get_workflow("a-b").await.is_err());
    Ok(())
}

#[tokio::test]
async fn a_hundred_calls_at_once_are_all_answered_and_nothing_is_lost() -> TestResult {
    let folder = TempDir::new()?;
    let one = session(in_files(folder.path(), Some("a"))?).await?;
    let other = session(in_files(folder.path(), Some("a"))?).await?;
    let saves = |from: usize| -> Vec<_> {
        (from..from + 50)
            .map(|number| {
                let args = json!({"name": format!("n{number}"), "data": [number]});
                super::support::call(Namespace::Artifacts, "save", args)
            })
            .collect()
    };
    let (first, second) = (saves(0), saves(50));
    let (first, second) = tokio::join!(one.gather(&first), other.gather(&second));
    for answer in first.into_iter().chain(second) {
        answer?;
    }
    for world in [one, other] {
        let list = world.ask(Namespace::Artifacts, "list", json!({})).await?;
        assert_eq!(list.as_array().map(Vec::len), Some(100));
        let loads: Vec<_> = (0..100)
            .map(|number| {
                let args = json!({"name": format!("n{number}")});
                super::support::call(Namespace::Artifacts, "load", args)
            })
            .collect();
        for (number, answer) in world.gather(&loads).await.into_iter().enumerate() {
            assert_eq!(answer?.value, json!([number]));
        }
    }
    Ok(())
}
