//! Files that people write: they are read within bounds, and what is wrong is told in short texts.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use pcm_middleware::{Action, PolicyFile};
use pcm_runtime_api::Payload;
use pcm_server::{Access, Server, ServerConfig};
use pcm_tools::{Arguments, CliTool, LoadOptions, McpServerConfig};
use tokio::runtime::{Builder, Runtime};

use crate::http::Echoes;

/// The longest text about one mistake, beside what it shows of the file.
const MOST_MESSAGE: usize = 4096;

/// Declarations of tools.
pub fn tools(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // No variable of this process is looked at.
    let options = LoadOptions::default();
    match CliTool::parse(text, None, &options) {
        Ok(tool) => {
            if let Ok(words) = tool.argv(None, &Arguments::default()) {
                assert!(words.first().is_some_and(|command| !command.is_empty()), "no command");
            }
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "it is refused without a reason");
            for problem in problems {
                let length = problem.to_string().len();
                assert!(length <= MOST_MESSAGE + text.len(), "a message of {length} bytes");
            }
        }
    }
    // One text is one kind of tool.
    let is_server = McpServerConfig::parse(text, None, &options).is_ok();
    assert!(!is_server || CliTool::parse(text, None, &options).is_err(), "it is read as two tools");
}

/// Policy files. What is read decides about every call, and in the same way each time.
pub fn policy(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(file) = text.parse::<PolicyFile>() else { return };
    let again = text.parse::<PolicyFile>();
    assert!(again.is_ok(), "it is read once");
    let args = Payload::from(serde_json::json!({"path": "data/x", "amount": 7, "to": "a@b.c"}));
    for name in ["tools.files.read", "tools.mail.send", "artifacts.save", "network.request"] {
        let decided: Action = file.explain(name, &args).action;
        assert_eq!(again.as_ref().ok().map(|file| file.explain(name, &args).action), Some(decided));
    }
}

/// Files of tokens: a server starts with them or says why it does not, in a text of a bounded length.
pub fn tokens(data: &[u8]) {
    static PLACE: OnceLock<(Runtime, PathBuf)> = OnceLock::new();
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let (runtime, folder) = PLACE.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("pcm-fuzz-{}", std::process::id()));
        let made =
            fs::create_dir_all(&folder).and(Builder::new_current_thread().enable_all().build());
        (made.expect("a folder and a runtime"), folder)
    });
    let file = folder.join(NUMBER.fetch_add(1, Ordering::Relaxed).to_string());
    fs::write(&file, data).expect("a file");
    let mut config = ServerConfig::new(Access::Tokens(file.clone()));
    config.address = ([127, 0, 0, 1], 0).into();
    let bound = runtime.block_on(Server::bind(config, Arc::new(Echoes::default())));
    drop(fs::remove_file(&file));
    match bound {
        Ok(_) => {
            let text = std::str::from_utf8(data).expect("a file that is read is text");
            assert!(text.contains("tokens"), "{text:?} lists no tokens");
        }
        Err(error) => {
            let told = error.to_string();
            assert!(told.len() <= MOST_MESSAGE, "a message of {} bytes", told.len());
        }
    }
}
