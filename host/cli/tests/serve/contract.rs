//! The server against its own document, by somebody else's program: schemathesis makes requests of
//! `/openapi.json`, and looks whether the answers are as it says.

use std::io::ErrorKind;
use std::process::{Command, Output, Stdio};

use crate::ask::TOKEN;
use crate::program::{Place, Program};

/// The most requests that are made up for an endpoint, beside those that its parameters ask for.
const EXAMPLES: &str = "8";

/// What it looks for. Left out is whether everything that fits the document is taken: sessions, keys that
/// were used before and names of packages are more than a schema can say.
const LEFT_OUT: &str = "positive_data_acceptance";

/// What ends the session that all other requests are about.
const ENDS: &str = "/reset";

/// A server that nothing leads out of: packages are asked for by the hundred.
fn server(place: &Place, folder: &std::path::Path) -> Program {
    let index = folder.join("index.toml");
    std::fs::write(&index, "no-index = true\nfind-links = []\n").unwrap();
    let mut command = place.command(&["--max-timeout", "1s", "--max-sessions", "10000"]);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("PIP_") || name.starts_with("UV_")) {
            command.env_remove(name);
        }
    }
    command.env("PIP_NO_INDEX", "1").env("UV_CONFIG_FILE", index).env("UV_OFFLINE", "1");
    Program::start(command)
}

/// Runs it; None, and a line that says so, where it is not installed.
fn schemathesis(server: &Program, folder: &std::path::Path, arguments: &[&str]) -> Option<Output> {
    let named = std::env::var_os("PCM_SCHEMATHESIS");
    let mut command = Command::new(named.clone().unwrap_or_else(|| "schemathesis".into()));
    command
        .args(["--no-color", "run", &format!("http://{}/openapi.json", server.address)])
        .args(["--header", &format!("Authorization: Bearer {TOKEN}")])
        .args(["--exclude-checks", LEFT_OUT, "--max-examples", EXAMPLES, "--seed", "1"])
        .args(["--continue-on-failure", "--request-timeout", "60", "--warnings", "off"])
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null());
    match command.output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == ErrorKind::NotFound && named.is_none() => {
            println!("skipped: schemathesis is missing; ./x test installs it");
            None
        }
        Err(error) => panic!("schemathesis: {error}"),
    }
}

async fn holds(place: &Place, with_session: bool) {
    let folder = tempfile::tempdir().unwrap();
    let server = server(place, folder.path());
    let session = server.session(Some("w")).await;
    let header = format!("X-Session-ID: {session}");
    let about = ["--header", &header, "--exclude-path", ENDS];
    let arguments = if with_session { &about[..] } else { &[] };
    let Some(output) = schemathesis(&server, folder.path(), arguments) else { return };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("Tested: 3"), "some thirty operations: {said}");
    // It is still there, and so is the session.
    let result = server.run(&session, "6 * 7").await;
    assert_eq!(result["value"], 42, "{result}");
}

#[tokio::test]
async fn heavy_answers_are_as_the_document_says_without_a_session() {
    holds(&Place::folder(), false).await;
}

#[tokio::test]
async fn heavy_answers_are_as_the_document_says_about_one_session() {
    // Over Redis where there is one.
    let place = Place::each().pop().unwrap();
    holds(&place, true).await;
}
