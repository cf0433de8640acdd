//! Code that an agent has written once, kept under a name: it uses tools and artifacts, runs in the
//! sandbox, and is there for later sessions over the same folder.
//!
//! `cargo run --example workflows`

#![expect(clippy::print_stdout, reason = "a program for people")]

use pcm_sandbox::{Session, json};

const REPORT: &str = r#"
"""Counts the words of a page and keeps the result."""

async def run(page: str, longest: int = 3):
    text = await tools.pages.read(name=page)
    counts = {}
    for word in text.split():
        counts[word] = counts.get(word, 0) + 1
    top = dict(sorted(counts.items(), key=lambda item: -item[1])[:longest])
    artifacts.save(f"reports/{page}.json", top, f"The words of {page}")
    return top
"#;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;

    let first = Session::from_base(folder.path())
        .tool("pages.read", "The text of a page", |_| async {
            Ok(json!("to be or not to be that is"))
        })
        .start()
        .await?;
    // Nothing of it is executed here: it is read, checked and written to workflows/report.py.
    first.add_workflow("report", REPORT, "").await?;
    let result = first.run("workflows.report(page='hamlet', longest=2)").await;
    println!("the report: {}", result.value);
    assert_eq!(result.value, json!({"to": 2, "be": 2}));
    first.close().await;

    // Another session, perhaps tomorrow, finds the workflow by what it is for.
    let later = Session::from_base(folder.path()).start().await?;
    for found in later.search_workflows("count words", 5).await? {
        println!("found {}: {}", found.name, found.description);
    }
    let result = later.run("artifacts.load('reports/hamlet.json')['be']").await;
    assert_eq!(result.value, json!(2));
    later.close().await;
    Ok(())
}
