//! What a program takes, as its declaration says it.

use serde_json::{Map, Value};

use crate::name::{identifier, is_identifier};
use crate::{Callable, Parameter, ParameterType};

/// The options and positionals of a program.
#[derive(Debug, Clone, Default)]
pub(crate) struct Schema {
    /// In the order in which they are given to the program.
    pub(crate) options: Vec<Argument>,
    /// In the order in which they are given to the program, behind the options.
    pub(crate) positional: Vec<Argument>,
    /// Whether `--` stands before the positionals. Where that is not said, a positional that looks like
    /// an option is refused.
    pub(crate) end_of_options: Option<bool>,
}

/// One option or positional.
#[derive(Debug, Clone)]
pub(crate) struct Argument {
    /// As it is declared, and by which it may be given.
    pub(crate) name: String,
    /// As Python can write it, and by which it may be given too: `dry_run` for `dry-run`.
    pub(crate) word: String,
    /// What it is.
    pub(crate) kind: ParameterType,
    /// What stands before the value: `-s` or `--silent`. None for a positional.
    pub(crate) flag: Option<String>,
    pub(crate) required: bool,
    pub(crate) default: Option<Value>,
    pub(crate) description: String,
}

/// A named way to call a program.
#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    pub(crate) name: String,
    pub(crate) description: String,
    /// By the names of the schema.
    pub(crate) preset: Map<String, Value>,
    /// What it lists, by the words of the schema; empty if it lists everything.
    pub(crate) params: Vec<Parameter>,
}

impl Argument {
    /// The word by which Python can name an argument.
    pub(crate) fn word(name: &str) -> String {
        if is_identifier(name) { name.to_owned() } else { identifier(name) }
    }

    pub(crate) fn parameter(&self) -> Parameter {
        Parameter {
            name: self.word.clone(),
            kind: self.kind.clone(),
            required: self.required,
            default: self.default.clone(),
            description: self.description.clone(),
        }
    }
}

impl Schema {
    /// The options, then the positionals.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = &Argument> + Clone {
        self.options.iter().chain(&self.positional)
    }

    /// The argument that is declared by a name, or that Python calls so.
    pub(crate) fn argument(&self, name: &str) -> Option<&Argument> {
        let declared = self.arguments().find(|argument| argument.name == name);
        declared.or_else(|| self.arguments().find(|argument| argument.word == name))
    }
}

impl Recipe {
    /// The recipe as code in the sandbox sees it.
    pub(crate) fn callable(&self, schema: &Schema) -> Callable {
        let parameters = if self.params.is_empty() {
            let all = schema.positional.iter().chain(&schema.options);
            all.map(|argument| {
                let mut parameter = argument.parameter();
                // What is preset need not be given.
                if let Some(preset) = self.preset.get(&argument.name) {
                    parameter.required = false;
                    parameter.default = Some(preset.clone());
                }
                parameter
            })
            .collect()
        } else {
            self.params.clone()
        };
        Callable {
            name: self.name.clone(),
            description: self.description.clone(),
            parameters,
            returns: ParameterType::Text,
        }
    }
}
