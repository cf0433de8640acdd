//! How a client learns of a server: the lines of its configuration, and how they get there.
//!
//! A configuration is the user's. What is not about this server stays as it is, nothing is written before
//! all of it was understood, and the file is replaced at once or not at all.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::McpError;

/// The longest configuration that is read.
const MOST_BYTES: u64 = 8 << 20;

/// A program with an MCP client in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Client {
    /// Claude Desktop, for the user.
    ClaudeDesktop,
    /// Claude Code, for the project in a folder.
    ClaudeCode,
    /// Cursor, for the user.
    Cursor,
    /// Visual Studio Code, for the workspace in a folder.
    VsCode,
    /// Windsurf, for the user.
    Windsurf,
}

impl Client {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::ClaudeDesktop, Self::ClaudeCode, Self::Cursor, Self::VsCode, Self::Windsurf];

    /// Its name on the command line.
    pub fn key(self) -> &'static str {
        match self {
            Self::ClaudeDesktop => "claude-desktop",
            Self::ClaudeCode => "claude-code",
            Self::Cursor => "cursor",
            Self::VsCode => "vscode",
            Self::Windsurf => "windsurf",
        }
    }

    /// Its file, for a user with this home who works in this folder.
    pub fn file(self, home: Option<&Path>, folder: &Path) -> Result<PathBuf, McpError> {
        let reason = "the variable HOME is not set";
        let in_home = |path: &str| match home {
            Some(home) => Ok(home.join(path)),
            None => Err(McpError::NoPlace { client: self.key(), reason }),
        };
        match self {
            Self::ClaudeDesktop if cfg!(target_os = "macos") => {
                in_home("Library/Application Support/Claude/claude_desktop_config.json")
            }
            Self::ClaudeDesktop => in_home(".config/Claude/claude_desktop_config.json"),
            Self::ClaudeCode => Ok(folder.join(".mcp.json")),
            Self::Cursor => in_home(".cursor/mcp.json"),
            Self::VsCode => Ok(folder.join(".vscode/mcp.json")),
            Self::Windsurf => in_home(".codeium/windsurf/mcp_config.json"),
        }
    }

    /// What the servers are under.
    fn table(self) -> &'static str {
        match self {
            Self::VsCode => "servers",
            _ => "mcpServers",
        }
    }

    /// Whether an entry says that the server is a program.
    fn has_type(self) -> bool {
        matches!(self, Self::ClaudeCode | Self::VsCode)
    }
}

/// A server on standard input and output, as a client starts it.
///
/// ```
/// use pcm_mcp::{Client, Installation};
///
/// let installation = Installation::new("pcm-sandbox", "/usr/bin/pcm-sandbox", ["mcp", "--base", "/srv/agent"]);
/// let text = installation.text(Client::Cursor);
/// assert!(text.contains(r#""command": "/usr/bin/pcm-sandbox""#));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    name: String,
    command: String,
    args: Vec<String>,
}

impl Installation {
    /// A server that clients call `name`, and start by a command with these words.
    pub fn new<Word: Into<String>>(
        name: impl Into<String>,
        command: impl Into<String>,
        args: impl IntoIterator<Item = Word>,
    ) -> Self {
        let args = args.into_iter().map(Into::into).collect();
        Self { name: name.into(), command: command.into(), args }
    }

    /// The lines for a configuration that has nothing else in it.
    pub fn text(&self, client: Client) -> String {
        let mut configuration = Map::new();
        self.add_to(&mut configuration, client);
        pretty(&configuration)
    }

    /// Adds the server to a configuration, in place of one of the same name; whether that changed
    /// anything. A file that is missing is made, with the folders above it.
    pub fn write(&self, client: Client, file: &Path) -> Result<bool, McpError> {
        // A link stays one: what it leads to is replaced.
        let file = match fs::canonicalize(file) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => file.to_owned(),
            Err(source) => return Err(McpError::File { path: file.to_owned(), source }),
        };
        let before = read(&file)?;
        let mut after = before.clone().unwrap_or_default();
        let is_table = |value: &Value| value.is_object();
        let servers = after.get(client.table());
        let entry = servers.and_then(|servers| servers.get(&self.name));
        if !servers.is_none_or(is_table) || !entry.is_none_or(is_table) {
            let reason = format!("{} and what is in it have to be objects", client.table());
            return Err(McpError::Configuration { path: file, reason });
        }
        self.add_to(&mut after, client);
        if before.as_ref() == Some(&after) {
            return Ok(false);
        }
        replace(&file, &pretty(&after)).map_err(|source| McpError::File { path: file, source })?;
        Ok(true)
    }

    /// What an entry of the same name has besides (variables, what is switched off) stays.
    fn add_to(&self, configuration: &mut Map<String, Value>, client: Client) {
        let empty = || Value::Object(Map::new());
        let servers = configuration.entry(client.table()).or_insert_with(empty);
        let Some(servers) = servers.as_object_mut() else { return };
        let entry = servers.entry(self.name.clone()).or_insert_with(empty);
        let Some(entry) = entry.as_object_mut() else { return };
        if client.has_type() {
            entry.insert("type".to_owned(), "stdio".into());
        }
        entry.insert("command".to_owned(), self.command.clone().into());
        entry.insert("args".to_owned(), json!(self.args));
    }
}

/// A configuration; None if there is no file, or nothing in it.
fn read(path: &Path) -> Result<Option<Map<String, Value>>, McpError> {
    let failed = |source| McpError::File { path: path.to_owned(), source };
    let wrong = |reason: String| McpError::Configuration { path: path.to_owned(), reason };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut text = String::new();
    file.take(MOST_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(wrong(format!("it has more than {MOST_BYTES} bytes")));
    }
    if text.trim().is_empty() {
        return Ok(None);
    }
    match serde_json::from_str(&text) {
        Ok(Value::Object(configuration)) => Ok(Some(configuration)),
        Ok(_) => Err(wrong("it is not an object".to_owned())),
        Err(error) => Err(wrong(format!("it is not plain JSON ({error})"))),
    }
}

/// The file is the old one or the new one, whenever somebody looks. Its rights stay; a new one is for the
/// user alone, because clients keep secrets there, too.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    match fs::metadata(path) {
        Ok(old) => file.as_file().set_permissions(old.permissions())?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn pretty(configuration: &Map<String, Value>) -> String {
    // A map with keys that are texts can always be written.
    let text = serde_json::to_string_pretty(configuration).unwrap_or_default();
    format!("{text}\n")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn installation() -> Installation {
        Installation::new("sandbox", "/bin/pcm-sandbox", ["mcp", "--base", "/b"])
    }

    fn json_of(path: &Path) -> Value {
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    }

    #[test]
    fn every_client_is_told_in_its_own_words() {
        let entry = json!({"command": "/bin/pcm-sandbox", "args": ["mcp", "--base", "/b"]});
        for client in Client::ALL {
            let told: Value = serde_json::from_str(&installation().text(client)).unwrap();
            let mut found = told[client.table()]["sandbox"].clone();
            let kind = found.as_object_mut().unwrap().shift_remove("type");
            assert_eq!(kind, client.has_type().then(|| json!("stdio")), "{client:?}");
            assert_eq!(found, entry, "{client:?}");
        }
    }

    #[test]
    fn everything_else_in_the_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/mcp.json");
        assert!(installation().write(Client::Cursor, &path).unwrap());
        assert!(!installation().write(Client::Cursor, &path).unwrap());
        let others = r#"{"z": [1, 2.50], "mcpServers": {"other": {"command": "x"},
            "sandbox": {"command": "old", "env": {"A": "b"}}}, "a": null}"#;
        fs::write(&path, others).unwrap();
        assert!(installation().write(Client::Cursor, &path).unwrap());
        let expected = json!({
            "z": [1, 2.5],
            "mcpServers": {
                "other": {"command": "x"},
                "sandbox": {
                    "command": "/bin/pcm-sandbox", "env": {"A": "b"}, "args": ["mcp", "--base", "/b"]},
            },
            "a": null,
        });
        assert_eq!(json_of(&path), expected);
        let keys: Vec<_> = json_of(&path).as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["z", "mcpServers", "a"]);
    }

    #[test]
    fn what_is_not_understood_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mcp.json");
        for text in [
            "// mine\n{}",
            "{\"a\": 1,}",
            "[]",
            "{\"servers\": []}",
            "{\"servers\": {\"sandbox\": 1}}",
            "\u{0}",
        ] {
            fs::write(&path, text).unwrap();
            let refused = installation().write(Client::VsCode, &path);
            assert!(matches!(refused, Err(McpError::Configuration { .. })), "{text}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn links_and_rights_stay() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("real.json"), folder.path().join("link.json"));
        fs::write(&file, "{}").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        installation().write(Client::Windsurf, &link).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(json_of(&file)["mcpServers"]["sandbox"]["command"], "/bin/pcm-sandbox");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        let new = folder.path().join("new.json");
        installation().write(Client::Windsurf, &new).unwrap();
        assert_eq!(fs::metadata(&new).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn files_are_where_the_clients_look() {
        let (home, folder) = (Path::new("/home/me"), Path::new("/work"));
        let file = |client: Client| client.file(Some(home), folder).unwrap();
        assert_eq!(file(Client::Cursor), home.join(".cursor/mcp.json"));
        assert_eq!(file(Client::VsCode), folder.join(".vscode/mcp.json"));
        assert!(Client::Windsurf.file(None, folder).is_err());
        assert!(Client::ClaudeCode.file(None, folder).is_ok());
    }
}
