//! One option, from the environment or the file.

use std::ffi::OsString;
use std::fmt;

use clap::{Arg, ArgAction, Command};
use toml::Value;

use super::super::exit::Failure;
use super::file::SettingsFile;
use super::options;

/// Gives a variable of the environment.
type Variable = dyn Fn(&str) -> Option<OsString>;

/// What is set outside of the command line.
pub(super) struct Settings {
    file: SettingsFile,
    variable: Box<Variable>,
}

/// An option that is set.
#[derive(Debug)]
pub(super) struct Setting {
    /// How the command line says it.
    pub(super) words: Vec<OsString>,
    /// How people read it.
    pub(super) shown: String,
    /// Who says it.
    pub(super) source: String,
}

impl Settings {
    pub(super) fn new(
        file: SettingsFile,
        variable: impl Fn(&str) -> Option<OsString> + 'static,
    ) -> Self {
        Self { file, variable: Box::new(variable) }
    }

    /// An option of a command, if it is set.
    pub(super) fn of(&self, command: &str, argument: &Arg) -> Result<Option<Setting>, Failure> {
        let Some(option) = argument.get_long() else { return Ok(None) };
        let name = format!("PCM_{}", option.replace('-', "_").to_uppercase());
        if let Some(text) = (self.variable)(&name).filter(|text| !text.is_empty()) {
            return Self::of_variable(&name, option, argument, text).map(Some);
        }
        match self.file.get(command, option) {
            Some(value) => self.of_file(option, argument, value).map(Some),
            None => Ok(None),
        }
    }

    fn of_variable(
        name: &str,
        option: &str,
        argument: &Arg,
        text: OsString,
    ) -> Result<Setting, Failure> {
        let shown = text.to_string_lossy().into_owned();
        let words = if takes_value(argument) {
            let mut word = OsString::from(format!("--{option}="));
            word.push(text);
            vec![word]
        } else {
            match shown.to_lowercase().as_str() {
                "1" | "true" | "yes" | "on" => vec![OsString::from(format!("--{option}"))],
                "0" | "false" | "no" | "off" => Vec::new(),
                _ => {
                    return Err(Failure::usage(format!(
                        "{name} is {shown:?}; it is true or false"
                    )));
                }
            }
        };
        Ok(Setting { words, shown, source: name.to_owned() })
    }

    fn of_file(&self, option: &str, argument: &Arg, value: &Value) -> Result<Setting, Failure> {
        let wrong = |rule: &str| {
            Failure::usage(format!("{}: {option} is {value}; {rule}", self.file.name()))
        };
        let values = match value {
            Value::Array(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        let is_list = matches!(argument.get_action(), ArgAction::Append);
        if values.len() != 1 && !is_list {
            return Err(wrong("it is one value"));
        }
        let mut words = Vec::new();
        for value in values {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Boolean(is_on) if !takes_value(argument) => {
                    words.extend(is_on.then(|| OsString::from(format!("--{option}"))));
                    continue;
                }
                Value::Integer(_) | Value::Float(_) => value.to_string(),
                _ => {
                    return Err(wrong("it is a text, a number, true or false, or a list of texts"));
                }
            };
            if !takes_value(argument) {
                return Err(wrong("it is true or false"));
            }
            words.push(OsString::from(format!("--{option}={text}")));
        }
        let shown = match value {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        Ok(Setting { words, shown, source: self.file.name() })
    }

    /// Refuses what no command has: somebody relies on it.
    pub(super) fn check(&self, whole: &Command) -> Result<(), Failure> {
        let mut whole = whole.clone();
        whole.build();
        let commands: Vec<&Command> = whole.get_subcommands().collect();
        for (section, key) in self.file.keys() {
            let option = key.replace('_', "-");
            let of_section: Vec<&Command> = match section {
                None => commands.clone(),
                Some(name) => {
                    let found: Vec<_> =
                        commands.iter().copied().filter(|one| one.get_name() == name).collect();
                    if found.is_empty() {
                        // A table of its own, or the option of that name with a table for a value.
                        let what =
                            if has(&commands, name) { "takes no table" } else { "is no command" };
                        return Err(self.unknown(&format!("{name} {what}"), name, &commands));
                    }
                    found
                }
            };
            if !has(&of_section, &option) {
                let what = match section {
                    Some(section) => format!("{section} has no option {key}"),
                    None => format!("no command has an option {key}"),
                };
                return Err(self.unknown(&what, &option, &of_section));
            }
        }
        Ok(())
    }

    fn unknown(&self, what: &str, option: &str, commands: &[&Command]) -> Failure {
        let names = all(commands).filter_map(|command| {
            let near = |name: &&str| strsim::jaro_winkler(name, option) > 0.85;
            options(command).filter_map(Arg::get_long).find(near).map(str::to_owned)
        });
        let hint = names.into_iter().next().map(|name| format!("; there is {name}"));
        Failure::usage(format!("{}: {what}{}", self.file.name(), hint.unwrap_or_default()))
    }
}

/// The commands, and those below them.
fn all<'a>(commands: &'a [&'a Command]) -> impl Iterator<Item = &'a Command> {
    commands.iter().copied().chain(commands.iter().flat_map(|command| command.get_subcommands()))
}

fn has(commands: &[&Command], option: &str) -> bool {
    all(commands).any(|command| options(command).any(|one| one.get_long() == Some(option)))
}

fn takes_value(argument: &Arg) -> bool {
    !matches!(argument.get_action(), ArgAction::SetTrue | ArgAction::SetFalse | ArgAction::Count)
}

impl fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Settings").field("file", &self.file).finish_non_exhaustive()
    }
}
