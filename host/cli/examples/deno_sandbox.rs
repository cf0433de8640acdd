//! Pyodide in place of the default backend: the same session, another wall, in a process of its own.
//!
//! `cargo run --example deno_sandbox`

#![expect(clippy::print_stdout, reason = "a program for people")]

use pcm_sandbox::{DenoNetworkProfile, DenoSandboxConfig, Session, json, worker};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A worker is this program once more: here it becomes one.
    worker::init();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(use_it())
}

async fn use_it() -> Result<(), Box<dyn std::error::Error>> {
    let config = DenoSandboxConfig {
        default_timeout: Some(5.0),
        deno_executable: Some("deno".to_owned()),
        network_profile: DenoNetworkProfile::None,
        ..DenoSandboxConfig::default()
    };
    for line in config.not_needed() {
        println!("{line}");
    }

    let session = Session::builder()
        .deno_config(&config)?
        .tool("add", "Adds two numbers", |args| async move {
            let number = |name: &str| args[name].as_i64().unwrap_or_default();
            Ok(json!(number("a") + number("b")))
        })
        // The first time on a machine some things are made, which takes seconds.
        .on_progress(|line| println!("{line}"))
        .start()
        .await?;
    let result = session.run("import sys\n[sys.platform, tools.add(a=40, b=2)]").await;
    println!("{} says {}", result.backend, result.value);
    assert_eq!(result.value, json!(["emscripten", 42]));

    // Whatever happens, the next run works: another worker takes over.
    let result = session.run("import os; os.abort()").await;
    println!("{:?}, session {:?}", result.error.map(|error| error.kind), result.session);
    assert_eq!(session.run("6 * 7").await.value, json!(42));
    session.close().await;
    Ok(())
}
