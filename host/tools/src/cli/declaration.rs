//! A program as YAML declares it.

use std::sync::Arc;

use serde_json::Map;
use tokio::sync::Semaphore;

use super::run::Bounds;
use super::schema::{Argument, Recipe, Schema};
use super::{CONCURRENT_RUNS, CliTool};
use crate::declaration::{
    Head, MOST_OUTPUT_BYTES, OUTPUT_BYTES, TIMEOUT, kind, parameter, program,
};
use crate::name::is_word;
use crate::process::Endings;
use crate::yaml::{Field, Fields, Report};
use crate::{Parameter, ParameterType, Tool};

/// The types that a program can be given.
const KINDS: [&str; 5] = ["string", "integer", "number", "boolean", "array"];

const OLD_FORMAT: &str = "templates in `args` are not supported; declare what the program takes \
    under `schema: {options: {…}, positional: [{name: …}]}`, and at least one call of it under \
    `recipes: {NAME: {preset: {…}, params: {…}}}`";

const OPTION_NAME: &str =
    "the name of an option is its long form without the two dashes: letters, digits, -, _ and .";
const RECIPE_NAME: &str =
    "the name of a recipe is a word that Python can write, and not list, call_sync or call_async";

/// Reads what is left of a declaration behind its head.
pub(crate) fn declare(
    head: Head<'_>,
    mut fields: Fields<'_>,
    report: &mut Report,
) -> Option<CliTool> {
    if let Some(args) = fields.take("args") {
        args.error(report, OLD_FORMAT);
    }
    let schema = schema(&mut fields, report);
    let recipes = recipes(&mut fields, &schema, report);
    let command = fields.take("command");
    let program = program(command, &head, &mut fields, report);
    let timeout = fields.take("timeout").and_then(|field| field.seconds(report));
    let output_bytes = fields.take("output_bytes");
    let output_bytes = output_bytes.and_then(|field| field.whole(1, MOST_OUTPUT_BYTES, report));
    fields.finish(report);
    let callables = recipes.iter().map(|recipe| recipe.callable(&schema)).collect();
    let Head { name, description, tags, origin, .. } = head;
    Some(CliTool {
        tool: Arc::new(Tool { name, description, tags, callables }),
        program: program?,
        schema,
        recipes,
        bounds: Bounds {
            timeout: timeout.unwrap_or(TIMEOUT),
            output_bytes: usize::try_from(output_bytes.unwrap_or(OUTPUT_BYTES))
                .unwrap_or(usize::MAX),
        },
        origin,
        endings: Endings::default(),
        places: Semaphore::new(CONCURRENT_RUNS),
    })
}

fn schema(fields: &mut Fields<'_>, report: &mut Report) -> Schema {
    let mut schema = Schema::default();
    let end_of_options = fields.take("end_of_options");
    schema.end_of_options = end_of_options.and_then(|field| field.boolean(report));
    let Some(mut parts) = fields.take("schema").and_then(|field| field.fields(report)) else {
        return schema;
    };
    let options = parts.take("options").and_then(|field| field.entries(report));
    for (name, field) in options.into_iter().flatten() {
        if let Some(option) = option(name, &field, report) {
            add(&mut schema, option, &field, report);
        }
    }
    let positional = parts.take("positional").and_then(|field| field.list(report));
    for field in positional.into_iter().flatten() {
        if let Some(positional) = positional_of(&field, report) {
            add(&mut schema, positional, &field, report);
        }
    }
    parts.finish(report);
    schema
}

fn add(schema: &mut Schema, argument: Argument, field: &Field<'_>, report: &mut Report) {
    if schema.arguments().any(|other| other.name == argument.name || other.word == argument.word) {
        field.error(report, format!("there is an argument {:?} already", argument.word));
        return;
    }
    match argument.flag {
        Some(_) => schema.options.push(argument),
        None => schema.positional.push(argument),
    }
}

fn option(name: &str, field: &Field<'_>, report: &mut Report) -> Option<Argument> {
    if !is_flag(name) {
        field.error(report, OPTION_NAME);
        return None;
    }
    let mut fields = field.fields(report)?;
    let short = fields.take("short").and_then(|short| {
        let text = short.text(report)?;
        if !is_flag(&text) {
            short.error(report, "expected a short form without its dash, as `s` for `-s`");
            return None;
        }
        Some(text)
    });
    let flag = short.map_or_else(|| format!("--{name}"), |short| format!("-{short}"));
    Some(argument(name, Some(flag), fields, report))
}

fn positional_of(field: &Field<'_>, report: &mut Report) -> Option<Argument> {
    let mut fields = field.fields(report)?;
    let name = fields.require("name", report)?;
    let text = name.text(report)?;
    if !is_flag(&text) {
        name.error(report, "expected a name of letters, digits, -, _ and .");
        return None;
    }
    Some(argument(&text, None, fields, report))
}

/// Letters, digits and a few signs; no dash in front, so that `--` stands only where we put it.
fn is_flag(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|first: char| {
            first.is_ascii_alphanumeric() || matches!(first, '_' | '?' | '@' | '#')
        })
        && name.chars().all(|each| {
            each.is_ascii_alphanumeric() || matches!(each, '-' | '_' | '.' | '?' | '@' | '#')
        })
}

fn argument(
    name: &str,
    flag: Option<String>,
    mut fields: Fields<'_>,
    report: &mut Report,
) -> Argument {
    let kind = fields.take("type").and_then(|field| kind(&field, &KINDS, report));
    // A list of what is text for a program.
    let kind = match kind.unwrap_or(ParameterType::Text) {
        ParameterType::List(_) => ParameterType::List(Box::new(ParameterType::Text)),
        kind => kind,
    };
    let description = fields.take("description").and_then(|field| field.text(report));
    let required = fields.take("required").and_then(|field| field.boolean(report));
    let default = fields.take("default").and_then(|field| field.value(&kind, report));
    fields.finish(report);
    Argument {
        name: name.to_owned(),
        word: Argument::word(name),
        kind,
        flag,
        required: required.unwrap_or_default(),
        default,
        description: description.unwrap_or_default(),
    }
}

fn recipes(fields: &mut Fields<'_>, schema: &Schema, report: &mut Report) -> Vec<Recipe> {
    let Some(field) = fields.require("recipes", report) else { return Vec::new() };
    let Some(entries) = field.entries(report) else { return Vec::new() };
    if entries.is_empty() {
        field.error(report, "expected at least one recipe");
    }
    let mut recipes = Vec::new();
    for (name, field) in entries {
        if !is_word(name) {
            field.error(report, RECIPE_NAME);
            continue;
        }
        if let Some(recipe) = recipe(name, &field, schema, report) {
            recipes.push(recipe);
        }
    }
    recipes
}

fn recipe(name: &str, field: &Field<'_>, schema: &Schema, report: &mut Report) -> Option<Recipe> {
    let mut fields = field.fields(report)?;
    let description = fields.take("description").and_then(|field| field.text(report));
    let mut preset = Map::new();
    let values = fields.take("preset").and_then(|field| field.entries(report));
    for (name, field) in values.into_iter().flatten() {
        let Some(argument) = known(name, &field, schema, report) else { continue };
        if let Some(value) = field.value(&argument.kind, report) {
            preset.insert(argument.name.clone(), value);
        }
    }
    let mut params = Vec::new();
    let declared = fields.take("params").and_then(|field| field.entries(report));
    for (name, field) in declared.into_iter().flatten() {
        let Some(argument) = known(name, &field, schema, report) else { continue };
        if let Some(param) = param(argument, &field, &preset, report) {
            params.push(param);
        }
    }
    fields.finish(report);
    let description = description.unwrap_or_default();
    Some(Recipe { name: name.to_owned(), description, preset, params })
}

/// What a recipe says of an argument, and where it says nothing, what the schema does.
fn param(
    argument: &Argument,
    field: &Field<'_>,
    preset: &Map<String, serde_json::Value>,
    report: &mut Report,
) -> Option<Parameter> {
    let said = parameter(&argument.word, field, &KINDS, Some(&argument.kind), report)?;
    let mut param = said.parameter;
    if let Some(preset) = preset.get(&argument.name) {
        param.default = Some(preset.clone());
    }
    let must_be = argument.flag.is_none() && argument.required;
    param.required = param.default.is_none() && said.required.unwrap_or(must_be);
    if param.description.is_empty() {
        param.description.clone_from(&argument.description);
    }
    Some(param)
}

fn known<'s>(
    name: &str,
    field: &Field<'_>,
    schema: &'s Schema,
    report: &mut Report,
) -> Option<&'s Argument> {
    let argument = schema.argument(name);
    if argument.is_none() {
        let names: Vec<&str> = schema.arguments().map(|each| each.name.as_str()).collect();
        let hint = match crate::text::closest(name, names.iter().copied()) {
            Some(meant) => format!("did you mean {meant:?}?"),
            None => format!("there are: {}", names.join(", ")),
        };
        field.error(report, format!("neither an option nor a positional of `schema`; {hint}"));
    }
    argument
}
