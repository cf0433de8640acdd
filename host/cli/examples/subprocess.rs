//! A kernel in a process of its own: the Python of this machine, with packages, in an environment that
//! goes with the session.
//!
//! `cargo run --example subprocess`

#![expect(clippy::print_stdout, reason = "a program for people")]

use pcm_sandbox::{Session, SubprocessConfig, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = SubprocessConfig {
        default_timeout: Some(60.0),
        startup_timeout: 30.0,
        ..SubprocessConfig::default()
    };
    let folder = tempfile::tempdir()?;
    let session = Session::from_base(folder.path())
        .subprocess_config(&config)?
        .tool("add", "Adds two numbers", |args| async move {
            let number = |name: &str| args[name].as_i64().unwrap_or_default();
            Ok(json!(number("a") + number("b")))
        })
        // The first time on a machine an environment is made, which takes seconds.
        .on_progress(|line| println!("{line}"))
        .start()
        .await?;

    let result = session.run("1 + 1").await;
    println!("{} says {}", result.backend, result.value);
    assert_eq!(result.value, json!(2));

    let result = session.run("import os\n[os.getpid() > 1, tools.add(a=40, b=2)]").await;
    assert_eq!(result.value, json!([true, 42]));

    // Whatever happens, the next run works: another kernel takes over.
    let result = session.run("import os; os._exit(1)").await;
    println!("{:?}, session {:?}", result.error.map(|error| error.kind), result.session);
    assert_eq!(session.run("6 * 7").await.value, json!(42));
    session.close().await;
    Ok(())
}
