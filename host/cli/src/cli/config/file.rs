//! The file of settings.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::super::exit::Failure;

/// The settings of a file. One that is not there has none.
#[derive(Debug, Clone, Default)]
pub(super) struct SettingsFile {
    path: Option<PathBuf>,
    table: Option<Table>,
}

impl SettingsFile {
    /// A file that somebody has named.
    pub(super) fn read(path: PathBuf) -> Result<Self, Failure> {
        let text = fs::read_to_string(&path)
            .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
        Self::parse(path, &text)
    }

    /// `${XDG_CONFIG_HOME:-~/.config}/pcm-sandbox/pcm-sandbox.toml`.
    ///
    /// What lies in the current folder may be somebody else's, and could open the sandbox; so it is not
    /// looked at.
    pub(super) fn of_user() -> Result<Self, Failure> {
        let absolute = |name: &str| {
            std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
        };
        let folder =
            absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")));
        let Some(folder) = folder else { return Ok(Self::default()) };
        let path = folder.join("pcm-sandbox").join("pcm-sandbox.toml");
        match fs::read_to_string(&path) {
            Ok(text) => Self::parse(path, &text),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Ok(Self { path: Some(path), table: None })
            }
            Err(error) => Err(Failure::usage(format!("cannot read {}: {error}", path.display()))),
        }
    }

    pub(super) fn parse(path: PathBuf, text: &str) -> Result<Self, Failure> {
        let table = text
            .parse::<Table>()
            .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
        Ok(Self { path: Some(path), table: Some(table) })
    }

    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    pub(super) fn is_there(&self) -> bool {
        self.table.is_some()
    }

    /// What messages call it.
    pub(super) fn name(&self) -> String {
        self.path.as_ref().map_or_else(String::new, |path| path.display().to_string())
    }

    /// An option of a command: what the file says for that one, or else for all.
    pub(super) fn get(&self, command: &str, option: &str) -> Option<&Value> {
        let table = self.table.as_ref()?;
        let own = table.get(command).and_then(Value::as_table);
        own.and_then(|own| find(own, option)).or_else(|| find(table, option))
    }

    /// Everything that is set: the command that it is for, if it is for one, and the option.
    pub(super) fn keys(&self) -> impl Iterator<Item = (Option<&str>, &str)> {
        let all = self.table.iter().flatten();
        all.flat_map(|(name, value)| {
            let of_command = value.as_table().into_iter().flatten();
            let own = of_command.map(|(option, _)| (Some(name.as_str()), option.as_str()));
            let common = (!value.is_table()).then_some((None, name.as_str()));
            own.chain(common)
        })
    }
}

/// Hyphens and underscores are the same.
fn find<'a>(table: &'a Table, option: &str) -> Option<&'a Value> {
    table.get(option).or_else(|| table.get(&option.replace('-', "_"))).filter(|it| !it.is_table())
}
