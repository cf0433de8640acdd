//! Packages: some that a session begins with, others that the code adds while it runs. The sandbox
//! has no network all the time: this process fetches them, from the index it is configured for.
//!
//! `cargo run --example deps`

#![expect(clippy::print_stderr, clippy::print_stdout, reason = "a program for people")]

use pcm_sandbox::{Session, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let session = Session::builder()
        .packages(["tabulate"])
        .on_progress(|step| eprintln!("… {step}"))
        .start()
        .await?;
    let result =
        session.run("import tabulate\ntabulate.tabulate([[1, 2]], tablefmt='plain')").await;
    println!("{}", result.value);

    let code = "
deps.add('packaging>=23')
from packaging.version import Version
Version('1.10') > Version('1.9')";
    assert_eq!(session.run(code).await.value, json!(true));
    println!("the session has {}", session.list_deps().await?.join(", "));

    // What the sandbox cannot load is told, with what to do.
    let error = session.add_dep("numpy").await?.failed;
    println!("{}", error.first().map_or("numpy was installed", |failed| &failed.reason));

    // Where agents shall not choose packages themselves, the host says so.
    let locked = Session::builder().packages(["tabulate"]).without_runtime_deps().start().await?;
    let refused = locked.run("deps.add('packaging')").await.error;
    println!("{}", refused.as_ref().map_or("it was added", |error| &error.message));
    assert!(refused.is_some());
    Ok(())
}
