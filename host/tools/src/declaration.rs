//! What the declarations of all kinds of tools have in common.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::name;
use crate::program::Program;
use crate::variables::{Variables, is_name};
use crate::yaml::{Field, Fields, Report};
use crate::{Parameter, ParameterType};

/// How long a call may take where its declaration does not say.
pub(crate) const TIMEOUT: Duration = Duration::from_mins(1);
/// How long a result may be where its declaration does not say.
pub(crate) const OUTPUT_BYTES: u64 = 16 << 20;
/// The most that a declaration may allow.
pub(crate) const MOST_OUTPUT_BYTES: u64 = 1 << 30;

/// The keys that every declaration has, and where it comes from.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) tags: Vec<String>,
    /// For messages: the file.
    pub(crate) origin: String,
    pub(crate) folder: Option<&'a Path>,
    pub(crate) environment: &'a Variables,
}

impl<'a> Head<'a> {
    /// Takes the common keys.
    pub(crate) fn read(
        fields: &mut Fields<'_>,
        origin: &str,
        folder: Option<&'a Path>,
        environment: &'a Variables,
        report: &mut Report,
    ) -> Option<Self> {
        let name = fields.require("name", report).and_then(|field| {
            let name = field.text(report)?;
            name::check(&name).map_err(|error| field.error(report, error.to_string())).ok()?;
            Some(name)
        });
        let description = fields.take("description").and_then(|field| field.text(report));
        let tags = fields.take("tags").and_then(|field| field.texts(report));
        Some(Self {
            name: name?,
            description: description.unwrap_or_default(),
            tags: tags.unwrap_or_default(),
            origin: origin.to_owned(),
            folder,
            environment,
        })
    }

    /// Named texts in which variables of the environment are replaced.
    pub(crate) fn expanded(
        &self,
        field: Option<Field<'_>>,
        report: &mut Report,
    ) -> Vec<(String, String)> {
        let entries = field.and_then(|field| field.entries(report)).unwrap_or_default();
        let mut expanded = Vec::new();
        for (name, field) in entries {
            if let Some(value) = field.expanded(self.environment, report) {
                expanded.push((name.to_owned(), value));
            }
        }
        expanded
    }

    /// Variables for a process.
    pub(crate) fn variables(
        &self,
        field: Option<Field<'_>>,
        report: &mut Report,
    ) -> BTreeMap<String, String> {
        let at = field.clone();
        let variables = self.expanded(field, report);
        if let Some(at) = at {
            for (name, value) in &variables {
                if !is_name(name) {
                    at.error(report, format!("{name:?} is not the name of a variable"));
                }
                if value.contains('\0') {
                    at.error(report, format!("the value of {name} holds a NUL character"));
                }
            }
        }
        variables.into_iter().collect()
    }
}

/// The name of a type, one of those that make sense here.
pub(crate) fn kind(
    field: &Field<'_>,
    names: &[&str],
    report: &mut Report,
) -> Option<ParameterType> {
    let name = field.text(report)?;
    let kind = ParameterType::from_name(&name);
    let allowed = names.iter().filter_map(|name| ParameterType::from_name(name));
    let kind = kind.filter(|kind| {
        let is_list = |kind: &ParameterType| matches!(kind, ParameterType::List(_));
        allowed.clone().any(|each| each == *kind || is_list(&each) && is_list(kind))
    });
    if kind.is_none() {
        field.error(report, format!("unknown type; expected one of: {}", names.join(", ")));
    }
    kind
}

/// A parameter, and whether it was said that it is required.
pub(crate) struct Declared {
    pub(crate) parameter: Parameter,
    pub(crate) required: Option<bool>,
}

/// Reads `{type, required, default, description}`. `own` is the type if none is said.
pub(crate) fn parameter(
    name: &str,
    field: &Field<'_>,
    kinds: &[&str],
    own: Option<&ParameterType>,
    report: &mut Report,
) -> Option<Declared> {
    let mut fields = field.fields(report)?;
    let said = fields.take("type").and_then(|field| kind(&field, kinds, report));
    let own = own.cloned();
    // What the schema says is what the program is given; a recipe may only repeat it.
    let kind = own.or(said).unwrap_or(ParameterType::Text);
    let required = fields.take("required").and_then(|field| field.boolean(report));
    let default = fields.take("default").and_then(|field| field.value(&kind, report));
    let description = fields.take("description").and_then(|field| field.text(report));
    fields.finish(report);
    let mut parameter = Parameter::new(name, kind).about(description.unwrap_or_default());
    parameter.default = default;
    Some(Declared { parameter, required })
}

/// Reads which program runs, where, and with what. Without `command` it is called as the tool is.
pub(crate) fn program(
    command: Option<Field<'_>>,
    head: &Head<'_>,
    fields: &mut Fields<'_>,
    report: &mut Report,
) -> Option<Program> {
    let cwd = fields.take("cwd").and_then(|field| field.text(report));
    let env = head.variables(fields.take("env"), report);
    let env_pass = fields.take("env_pass").and_then(|field| {
        let names = field.texts(report)?;
        if let Some(name) = names.iter().find(|name| !is_name(name)) {
            field.error(report, format!("{name:?} is not the name of a variable"));
        }
        Some(names)
    });
    let command = match command {
        None => head.name.clone(),
        Some(field) => {
            let command = field.text(report)?;
            let is_one_word = !command.is_empty()
                && !command.starts_with('-')
                && !command.contains(|each: char| each.is_whitespace() || each.is_control());
            if !is_one_word {
                let message = "expected one word, the name or the path of a program; what it is \
                               given stands under other keys";
                field.error(report, message);
            }
            command
        }
    };
    Some(Program {
        command,
        folder: head.folder.map(ToOwned::to_owned),
        cwd: cwd.map(Into::into),
        env,
        env_pass: env_pass.unwrap_or_default(),
        variables: head.environment.clone(),
    })
}
