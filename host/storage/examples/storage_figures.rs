//! What stores cost: `cargo run --release -p pcm-storage --example storage_figures`, with the URL of
//! a Redis server for its figures, too. Each line is the fastest of a hundred, the median
//! and the 95th percentile.

#![expect(clippy::print_stdout, reason = "it prints figures")]

use std::error::Error;
use std::future::Future;
use std::time::{Duration, Instant};

use pcm_storage::{ArtifactData, FileStorage, RedisStorage, Storage};
use serde_json::Map;

const WORKFLOWS: usize = 5000;
const ARTIFACTS: usize = 10_000;
const ROUNDS: usize = 100;

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let folder = tempfile::tempdir_in(std::env::current_dir()?)?;
    println!("files");
    for index in 0..WORKFLOWS {
        let path = folder.path().join("workflows").join(format!("workflow_{index}.py"));
        if index == 0 {
            std::fs::create_dir_all(folder.path().join("workflows"))?;
        }
        std::fs::write(path, source(index))?;
    }
    workflows(&FileStorage::open(folder.path())?).await?;
    artifacts(&FileStorage::open(folder.path())?).await?;
    if let Some(url) = std::env::args().nth(1) {
        println!("redis");
        let storage = RedisStorage::connect(&url, "figures")?;
        for index in 0..WORKFLOWS {
            let name = format!("workflow_{index}").parse()?;
            storage.workflows().create(&name, &source(index), "").await?;
        }
        workflows(&RedisStorage::connect(&url, "figures")?).await?;
        artifacts(&storage).await?;
    }
    Ok(())
}

fn source(index: usize) -> String {
    let subject = ["pages", "images", "tables", "letters", "invoices"][index % 5];
    format!(
        "\"\"\"Collects {subject} of kind {index} and sums them up.\"\"\"\n\nimport json\n\n\n\
         async def run(url: str, limit: int = {index}, tags: list = []):\n    \
         found = []\n    for page in range(limit):\n        \
         text = tools.curl.get(url=f\"{{url}}?page={{page}}\")\n        \
         found.extend(json.loads(text)[\"{subject}\"])\n    \
         artifacts.save(\"{subject}_{index}.json\", found)\n    return len(found)\n"
    )
}

async fn workflows(storage: &dyn Storage) -> Outcome {
    let workflows = storage.workflows();
    let begun = Instant::now();
    assert_eq!(workflows.list().await?.len(), WORKFLOWS);
    println!("  first list of {WORKFLOWS} workflows: {:.1?}", begun.elapsed());
    let begun = Instant::now();
    workflows.search("collects invoices", 5).await?;
    println!("  first search: {:.1?}", begun.elapsed());
    tokio::time::sleep(Duration::from_millis(200)).await; // until the times of the files are past
    workflows.list().await?;
    measured("list", |_| async { workflows.list().await.map(drop) }).await?;
    measured("search", |_| async { workflows.search("collects invoices", 5).await.map(drop) })
        .await?;
    let name = "workflow_77".parse()?;
    measured("get", |_| async { workflows.get(&name).await.map(drop) }).await?;
    measured("create", |round| {
        let (name, source) = (format!("new_{round}").parse(), source(round));
        async move { workflows.create(&name?, &source, "").await.map(drop) }
    })
    .await?;
    measured("search after a change", |round| {
        let (name, source) = (format!("newer_{round}").parse(), source(round));
        async move {
            workflows.create(&name?, &source, "").await?;
            workflows.search("collects invoices", 5).await.map(drop)
        }
    })
    .await
}

async fn artifacts(storage: &dyn Storage) -> Outcome {
    let artifacts = storage.artifacts();
    let save = |number: usize| async move {
        let name = format!("results/run_{number}.json").parse()?;
        let data = ArtifactData::Text(format!("{{\"run\": {number}}}"));
        artifacts.save(&name, data, "what a run gave", Map::new()).await.map(drop)
    };
    let begun = Instant::now();
    measured("save into an empty store", save).await?;
    for number in ROUNDS..ARTIFACTS {
        save(number).await?;
    }
    println!("  {ARTIFACTS} saves: {:.1?}", begun.elapsed());
    measured("save, new", |round| save(ARTIFACTS + round)).await?;
    measured("save, again", |round| save(round * 77)).await?;
    measured("list", |_| async { artifacts.list().await.map(drop) }).await?;
    let name = "results/run_77.json".parse()?;
    measured("get", |_| async { artifacts.get(&name).await.map(drop) }).await?;
    measured("load", |_| async { artifacts.load(&name).await.map(drop) }).await?;
    measured("delete", |round| async move {
        let name = format!("results/run_{}.json", ARTIFACTS + round).parse()?;
        artifacts.delete(&name).await.map(drop)
    })
    .await
}

async fn measured<F, E>(what: &str, mut work: impl FnMut(usize) -> F) -> Outcome
where
    F: Future<Output = Result<(), E>>,
    E: Error + 'static,
{
    let mut times = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS {
        let begun = Instant::now();
        work(round).await?;
        times.push(begun.elapsed());
    }
    times.sort();
    let at = |percent: usize| times[(ROUNDS - 1) * percent / 100];
    println!("  {what}: {:.2?}, {:.2?}, {:.2?}", at(0), at(50), at(95));
    Ok(())
}
