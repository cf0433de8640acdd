//! A server that is killed while clients store things: what it said is stored, is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::ask::Client;
use crate::program::{Place, Program};

const CLIENTS: usize = 12;
const WORKSPACES: usize = 3;
/// How much of everything has to be stored before the server is killed.
const LOAD: usize = 150;
const ROUNDS: usize = 3;

/// Something that is stored under a name, by one of four ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    ArtifactByCode,
    ArtifactByHand,
    WorkflowByCode,
    WorkflowByHand,
}

const WAYS: [Way; 4] =
    [Way::ArtifactByCode, Way::ArtifactByHand, Way::WorkflowByCode, Way::WorkflowByHand];

/// What a client knows: by name, the newest version that it was told is stored, and the newest that it
/// asked for.
#[derive(Debug, Default)]
struct Known {
    told: usize,
    asked: usize,
}

type Notebook = BTreeMap<(Way, String), Known>;

/// Long enough that nobody writes it in one piece by chance, and every part says which version it is of.
fn content(name: &str, version: usize) -> String {
    format!("{name}-{version}/").repeat(4000)
}

fn source(name: &str, version: usize) -> String {
    let filler = format!("    # {name} {version}\n").repeat(500);
    format!("async def run():\n{filler}    return {version}\n")
}

/// Stores a version of something; whether the server said that it did.
async fn store(client: &Client, session: &str, way: Way, name: &str, version: usize) -> bool {
    let ask = match way {
        Way::ArtifactByCode => client.execute(&format!(
            "artifacts.save('{name}', b''.join([b'{name}-{version}/'] * 4000), 'v{version}')\n'saved'"
        )),
        Way::ArtifactByHand => {
            let data = BASE64_STANDARD.encode(content(name, version));
            let body = json!({
                "name": name, "data": data, "encoding": "base64", "description": format!("v{version}")
            });
            client.post("/api/artifacts", &body)
        }
        Way::WorkflowByCode => client.execute(&format!(
            "workflows.create('{name}', {}, 'v{version}')\n'saved'",
            json!(source(name, version))
        )),
        Way::WorkflowByHand => {
            let source = source(name, version);
            let body = json!({"name": name, "source": source, "description": format!("v{version}")});
            client.post("/api/workflows", &body)
        }
    };
    let Some(reply) = ask.session(session).try_send().await else { return false };
    let Ok(answer) = serde_json::from_slice::<Value>(&reply.body) else { return false };
    assert_eq!(reply.status, 200, "{answer}");
    match way {
        Way::ArtifactByCode | Way::WorkflowByCode => {
            assert_eq!(answer["value"], "saved", "{answer}");
        }
        Way::ArtifactByHand | Way::WorkflowByHand => {
            assert_eq!(answer["name"], name, "{answer}");
        }
    }
    true
}

/// Stores things until the server is gone.
fn storing(
    client: Client,
    session: String,
    number: usize,
    mut notebook: Notebook,
    stored: Arc<AtomicUsize>,
) -> JoinHandle<Notebook> {
    tokio::spawn(async move {
        for step in number.. {
            let way = WAYS[step % WAYS.len()];
            // Some things are new, others are there already.
            let name = format!("{way:?}_{number}_{}", step % 20).to_lowercase();
            let known = notebook.entry((way, name.clone())).or_default();
            let version = known.asked + 1;
            known.asked = version;
            if !store(&client, &session, way, &name, version).await {
                break;
            }
            known.told = version;
            stored.fetch_add(1, Ordering::Relaxed);
        }
        notebook
    })
}

/// Which version of something is there, and that it is there whole; 0 where it is not.
async fn version_of(server: &Client, session: &str, way: Way, name: &str) -> usize {
    let number = |text: &str| text.strip_prefix('v').unwrap_or("0").parse::<usize>().unwrap();
    match way {
        Way::ArtifactByCode | Way::ArtifactByHand => {
            let reply = server.get(&format!("/api/artifacts/{name}")).session(session).send().await;
            if reply.status == 404 {
                return 0;
            }
            assert_eq!(reply.status, 200, "{name}: {}", reply.text());
            let text = reply.text();
            let first = text.split('/').next().unwrap();
            let version = first.strip_prefix(&format!("{name}-")).unwrap().parse().unwrap();
            assert!(text == content(name, version), "{name} {version} is not whole");
            version
        }
        Way::WorkflowByCode | Way::WorkflowByHand => {
            let reply = server.get(&format!("/api/workflows/{name}")).session(session).send().await;
            let workflow = reply.json();
            if workflow.is_null() {
                return 0;
            }
            let text = workflow["source"].as_str().unwrap();
            let last = text.rsplit_once("return ").unwrap().1;
            let version = last.trim().parse().unwrap();
            assert!(text == source(name, version), "{name} {version} is not whole");
            // A description is a note about its source; the killed process may not have come to it.
            let description = workflow["description"].as_str().unwrap();
            assert!(
                description.is_empty() || number(description) == version,
                "{name} {version} is described as {description}"
            );
            version
        }
    }
}

async fn nothing_is_lost(place: &Place) {
    let start = || place.serve(&["--node", "n"]);
    let mut notebooks: Vec<Notebook> = (0..CLIENTS).map(|_| Notebook::default()).collect();
    let workspace = |number: usize| format!("w{}", number % WORKSPACES);
    let mut server: Program = start();
    for round in 0..ROUNDS {
        let mut sessions = Vec::new();
        for number in 0..CLIENTS {
            sessions.push(server.session(Some(&workspace(number))).await);
        }
        let stored = Arc::new(AtomicUsize::new(0));
        let storing: Vec<_> = sessions
            .iter()
            .zip(notebooks.drain(..))
            .enumerate()
            .map(|(number, (session, notebook))| {
                storing(*server, session.clone(), number, notebook, Arc::clone(&stored))
            })
            .collect();
        while stored.load(Ordering::Relaxed) < LOAD {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        server.kill();
        for client in storing {
            notebooks.push(client.await.unwrap());
        }
        server = start();
        for (number, (session, notebook)) in sessions.iter().zip(&mut notebooks).enumerate() {
            // The session is gone with its server; the same client goes on in the same workspace.
            let reply = server.execute("1").session(session).send().await;
            assert_eq!((reply.status, &*reply.detail()), (400, "Invalid session ID"));
            let session = server.session(Some(&workspace(number))).await;
            for ((way, name), known) in notebook {
                let there = version_of(&server, &session, *way, name).await;
                assert!(
                    (known.told..=known.asked).contains(&there),
                    "{name} in round {round} over {}: {there} is there, {known:?}",
                    place.name()
                );
                (known.told, known.asked) = (there, there);
            }
            let stranger = server.session(Some("another")).await;
            for path in ["/api/artifacts", "/api/workflows"] {
                let list = server.get(path).session(&stranger).send().await.json();
                assert_eq!(list, json!([]), "{path}");
            }
        }
        for number in 0..WORKSPACES {
            listed(&server, &workspace(number), number, &notebooks).await;
        }
    }
}

/// The lists of a workspace name what was stored in it by its clients, and nothing else.
async fn listed(server: &Client, workspace: &str, number: usize, notebooks: &[Notebook]) {
    let session = server.session(Some(workspace)).await;
    for (path, is_artifact) in [("/api/artifacts", true), ("/api/workflows", false)] {
        let list = server.get(path).session(&session).send().await.json();
        let mut names: Vec<&str> =
            list.as_array().unwrap().iter().map(|each| each["name"].as_str().unwrap()).collect();
        names.sort_unstable();
        let mut expected: Vec<&str> = notebooks
            .iter()
            .skip(number)
            .step_by(WORKSPACES)
            .flatten()
            .filter(|((way, _), known)| {
                matches!(way, Way::ArtifactByCode | Way::ArtifactByHand) == is_artifact
                    && known.told > 0
            })
            .map(|((_, name), _)| &**name)
            .collect();
        expected.sort_unstable();
        assert_eq!(names, expected, "{path} of {workspace}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_what_was_acknowledged_survives_kill_9_in_a_folder() {
    nothing_is_lost(&Place::folder()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_what_was_acknowledged_survives_kill_9_over_redis() {
    for place in Place::each().into_iter().filter(|place| matches!(place, Place::Redis(_))) {
        nothing_is_lost(&place).await;
    }
}
