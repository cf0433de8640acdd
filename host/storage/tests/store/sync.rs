//! Between folders and stores.

use std::fmt::Write as _;
use std::path::Path;

use pcm_storage::{
    ChangeKind, DepsStore as _, FileStorage, RedisDeps, RedisWorkflows, Report, Storage,
    StoredTools, WorkflowStore, bootstrap_deps, bootstrap_tools, bootstrap_workflows, diff_deps,
    diff_tools, diff_workflows, list_deps, list_tools, list_workflows, pull_deps, pull_tools,
    pull_workflows, read_requirements_file,
};

use crate::place::{folder, names_in, workflow};
use crate::server::Server;

fn write(folder: &Path, name: &str, content: &str) {
    std::fs::write(folder.join(name), content).unwrap();
}

fn source(number: u32) -> String {
    format!("async def run():\n    '''Gives {number}.'''\n    return {number}\n")
}

fn changes(report: &Report) -> Vec<String> {
    let line = |change: &pcm_storage::Change| format!("{}{}", change.kind.sign(), change.name);
    report.changes.iter().map(line).collect()
}

async fn workflows_travel(store: &dyn WorkflowStore) {
    let local = tempfile::tempdir().unwrap();
    for (name, number) in [("one", 1), ("two", 2), ("three", 3)] {
        write(local.path(), &format!("{name}.py"), &source(number));
    }
    write(local.path(), "broken.py", "def (");
    write(local.path(), "_private.py", &source(0));

    let report = bootstrap_workflows(local.path(), store, false).await.unwrap();
    assert_eq!(changes(&report), ["+one", "+three", "+two"]);
    assert_eq!(report.skipped.len(), 1);
    assert_eq!(report.skipped[0].name, "broken");
    let report = bootstrap_workflows(local.path(), store, false).await.unwrap();
    assert_eq!(report.names(ChangeKind::Same).len(), 3);

    store
        .create(
            &workflow("agents"),
            &source(4),
            "Made by an agent, with a long description, very long",
        )
        .await
        .unwrap();
    write(local.path(), "two.py", &source(22));
    write(local.path(), "mine.py", &source(5));
    std::fs::remove_file(local.path().join("broken.py")).unwrap();
    let report = diff_workflows(local.path(), store).await.unwrap();
    assert_eq!(changes(&report), ["+agents", "-mine", "=one", "=three", "~two"]);

    let listed = list_workflows(store).await.unwrap();
    assert_eq!(listed[0].name, "agents");
    assert_eq!(listed[0].description, "Made by an agent, with a long description, very lo");

    let pulled = tempfile::tempdir().unwrap();
    let destination = pulled.path().join("new/folder");
    let report = pull_workflows(store, &destination).await.unwrap();
    assert_eq!(report.names(ChangeKind::Added).len(), 4);
    assert_eq!(names_in(&destination), ["agents.py", "one.py", "three.py", "two.py"]);
    assert_eq!(std::fs::read_to_string(destination.join("two.py")).unwrap(), source(2));
    let report = diff_workflows(&destination, store).await.unwrap();
    assert_eq!(report.names(ChangeKind::Same).len(), 4, "descriptions come along");

    let report = bootstrap_workflows(local.path(), store, true).await.unwrap();
    assert_eq!(changes(&report), ["-agents", "+mine", "=one", "=three", "~two"]);
    assert_eq!(store.list().await.unwrap().len(), 4);
}

#[tokio::test]
async fn workflows_travel_to_redis_and_back() {
    let server = Server::start();
    workflows_travel(&RedisWorkflows::new(&server.open(), "app:workflows")).await;
}

#[tokio::test]
async fn workflows_travel_to_a_folder_and_back() {
    let (_folder, storage) = folder();
    workflows_travel(storage.workflows()).await;
}

#[tokio::test]
async fn hostile_names_in_a_store_are_written_nowhere() {
    let server = Server::start();
    let mut raw = server.raw();
    let names = ["../escaped", "/tmp/escaped", "..", "a/b", "a\0b", "ok"];
    for name in names {
        let record = serde_json::json!({"source": source(1)}).to_string();
        redis::cmd("HSET").arg("w:__workflows__").arg(name).arg(record).exec(&mut raw).unwrap();
        let tool = serde_json::json!({"name": name}).to_string();
        redis::cmd("HSET").arg("t:__tools__").arg(name).arg(tool).exec(&mut raw).unwrap();
    }
    let outside = tempfile::tempdir().unwrap();
    let inside = outside.path().join("inside");

    let store = RedisWorkflows::new(&server.open(), "w");
    let report = pull_workflows(&store, &inside).await.unwrap();
    assert_eq!(changes(&report), ["+ok"]);
    assert_eq!(report.skipped.len(), names.len() - 1);
    let tools = StoredTools::in_redis(&server.open(), "t");
    let report = pull_tools(&tools, &inside).await.unwrap();
    assert_eq!(changes(&report), ["+ok"]);
    assert_eq!(report.skipped.len(), names.len() - 1);
    assert_eq!(names_in(outside.path()), ["inside"]);
    assert_eq!(names_in(&inside), ["ok.py", "ok.yaml"]);
}

#[tokio::test]
async fn a_link_in_the_destination_is_replaced_and_not_written_through() {
    let (_folder, storage) = folder();
    storage.workflows().create(&workflow("one"), &source(1), "").await.unwrap();
    let outside = tempfile::NamedTempFile::new().unwrap();
    let destination = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), destination.path().join("one.py")).unwrap();
    pull_workflows(storage.workflows(), destination.path()).await.unwrap();
    assert_eq!(std::fs::read(outside.path()).unwrap(), b"");
    assert_eq!(std::fs::read_to_string(destination.path().join("one.py")).unwrap(), source(1));
}

#[tokio::test]
async fn tools_travel() {
    let server = Server::start();
    let store = StoredTools::in_redis(&server.open(), "app:tools");
    let local = tempfile::tempdir().unwrap();
    write(
        local.path(),
        "curl.yaml",
        "name: curl\ndescription: Fetches.\nrecipes:\n  get:\n    preset: {silent: true}\n",
    );
    write(local.path(), "jq.yaml", "name: jq\n");
    write(local.path(), "broken.yaml", "name: [");
    write(local.path(), "nameless.yaml", "description: x");
    write(local.path(), "ignored.yml", "name: ignored");
    let mut bomb = String::new();
    for (level, below) in (1..60).zip(0..) {
        writeln!(bomb, "a{level}: &a{level} [*a{below}, *a{below}, *a{below}]").unwrap();
    }
    write(local.path(), "bomb.yaml", &format!("name: bomb\na0: &a0 [x]\n{bomb}"));

    let report = bootstrap_tools(local.path(), &store, false).await.unwrap();
    assert_eq!(changes(&report), ["+curl", "+jq"]);
    assert_eq!(report.skipped.len(), 3);
    let stored = store.list().await.unwrap();
    assert_eq!(stored[0].definition["recipes"]["get"]["preset"]["silent"], true);
    assert_eq!(list_tools(&store).await.unwrap()[0].description, "Fetches.");

    write(local.path(), "jq.yaml", "name: jq\ncommand: jq\n");
    write(local.path(), "mine.yaml", "name: mine\n");
    let report = diff_tools(local.path(), &store).await.unwrap();
    assert_eq!(changes(&report), ["=curl", "~jq", "-mine"]);

    let pulled = tempfile::tempdir().unwrap();
    pull_tools(&store, pulled.path()).await.unwrap();
    assert_eq!(names_in(pulled.path()), ["curl.yaml", "jq.yaml"]);
    let report = diff_tools(pulled.path(), &store).await.unwrap();
    assert_eq!(changes(&report), ["=curl", "=jq"]);

    std::fs::remove_file(local.path().join("curl.yaml")).unwrap();
    let report = bootstrap_tools(local.path(), &store, true).await.unwrap();
    assert_eq!(changes(&report), ["-curl", "~jq", "+mine"]);
}

#[tokio::test]
async fn dependencies_travel() {
    let server = Server::start();
    let store = RedisDeps::new(&server.open(), "app");
    let lines = "# ours\n\nMy_Pkg>=1\nrequests\nbad; rm -rf /\n";
    let report = bootstrap_deps(lines, &store, false).await.unwrap();
    assert_eq!(changes(&report), ["+my-pkg>=1", "+requests"]);
    assert_eq!(report.skipped.len(), 1);
    assert!(report.skipped[0].reason.contains("';'"));

    let report = diff_deps("my-pkg>=2\nnumpy\n", &store).await.unwrap();
    assert_eq!(changes(&report), ["~my-pkg", "-numpy", "+requests"]);
    let report = bootstrap_deps("my-pkg>=2\nnumpy", &store, true).await.unwrap();
    assert_eq!(changes(&report), ["~my-pkg>=2", "+numpy", "-requests"]);
    assert_eq!(list_deps(&store).await.unwrap().len(), 2);

    let pulled = tempfile::tempdir().unwrap();
    let report = pull_deps(&store, pulled.path()).await.unwrap();
    assert_eq!(changes(&report), ["+my-pkg", "+numpy"]);
    let file = pulled.path().join("requirements.txt");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "my-pkg>=2\nnumpy\n");
    assert_eq!(read_requirements_file(&file).unwrap(), store.list().await.unwrap());
    let storage = FileStorage::open(&pulled.path().join("base")).unwrap();
    let report = bootstrap_deps("numpy", storage.deps(), true).await.unwrap();
    assert_eq!(changes(&report), ["+numpy"]);
}

#[test]
fn a_requirements_file_says_which_line_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "requirements.txt", "requests\nx @ https://example.org\n");
    let error = read_requirements_file(&folder.path().join("requirements.txt")).unwrap_err();
    assert_eq!(error.error_type(), "ValueError");
    let error = read_requirements_file(&folder.path().join("missing.txt")).unwrap_err();
    assert!(!error.to_string().contains(folder.path().to_str().unwrap()), "{error}");
}
