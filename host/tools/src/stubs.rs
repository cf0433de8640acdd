//! Tools as Python declarations.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::name::is_identifier;
use crate::python::{docstring, literal};
use crate::{Callable, Parameter, Tool};

const INDENT: &str = "    ";

/// A group of tools, or a tool with what can be called of it.
#[derive(Default)]
struct Class<'a> {
    description: &'a str,
    functions: BTreeMap<&'a str, &'a Callable>,
    classes: BTreeMap<&'a str, Class<'a>>,
}

/// A class `tools` with everything that can be called in it.
pub(crate) fn write(tools: &[Arc<Tool>]) -> String {
    let mut root = Class { description: "Tools of the host.", ..Class::default() };
    for tool in tools {
        root.add(tool);
    }
    let mut text = String::from("from typing import Any\n\n\n");
    root.write("tools", "", &mut text);
    text
}

impl<'a> Class<'a> {
    fn add(&mut self, tool: &'a Tool) {
        let (group, name) = tool.name.rsplit_once('.').unwrap_or(("", &tool.name));
        let mut class = self;
        for word in group.split('.').filter(|word| !word.is_empty()) {
            class = class.classes.entry(word).or_default();
        }
        if let [only] = tool.callables.as_slice()
            && only.name == name
        {
            class.functions.insert(name, only);
            return;
        }
        let class = class.classes.entry(name).or_default();
        class.description = &tool.description;
        for callable in &tool.callables {
            class.functions.insert(&callable.name, callable);
        }
    }

    fn write(&self, name: &str, indent: &str, text: &mut String) {
        let inner = format!("{indent}{INDENT}");
        text.push_str(indent);
        text.push_str("class ");
        text.push_str(name);
        text.push_str(":\n");
        let mut parts = Vec::new();
        if !self.description.trim().is_empty() {
            parts.push(format!("{inner}{}\n", docstring(self.description, &inner)));
        }
        for (name, callable) in &self.functions {
            // A group may have the name of a function; then the function is what the group calls.
            let both = self.classes.contains_key(name);
            parts.push(declaration(if both { "__call__" } else { name }, callable, &inner));
        }
        for (name, class) in &self.classes {
            let mut part = String::new();
            class.write(name, &inner, &mut part);
            parts.push(part);
        }
        if parts.is_empty() {
            parts.push(format!("{inner}...\n"));
        }
        text.push_str(&parts.join("\n"));
    }
}

fn declaration(name: &str, callable: &Callable, indent: &str) -> String {
    let (usual, unusual): (Vec<_>, Vec<_>) =
        callable.parameters.iter().partition(|parameter| is_identifier(&parameter.name));
    let (required, optional): (Vec<_>, Vec<_>) =
        usual.into_iter().partition(|parameter| parameter.required);
    let mut list: Vec<String> = Vec::new();
    if !required.is_empty() || !optional.is_empty() {
        list.push("*".to_owned());
    }
    list.extend(required.into_iter().chain(optional).map(ToString::to_string));
    if !unusual.is_empty() {
        list.push("**others: Any".to_owned());
    }
    let returns = &callable.returns;
    let head =
        format!("{indent}@staticmethod\n{indent}def {name}({}) -> {returns}:", list.join(", "));
    let about = about(callable, &unusual);
    if about.is_empty() {
        return format!("{head} ...\n");
    }
    let inner = format!("{indent}{INDENT}");
    format!("{head}\n{inner}{}\n", docstring(&about, &inner))
}

/// What it does, what the parameters mean, and those that only `**{…}` can name.
fn about(callable: &Callable, unusual: &[&Parameter]) -> String {
    let mut about = callable.description.trim().to_owned();
    let described = callable.parameters.iter().filter(|parameter| {
        !parameter.description.trim().is_empty() && is_identifier(&parameter.name)
    });
    let mut lines: Vec<String> = described
        .map(|parameter| {
            let words: Vec<&str> = parameter.description.split_whitespace().collect();
            format!("{}: {}", parameter.name, words.join(" "))
        })
        .collect();
    for Parameter { name, kind, required, .. } in unusual {
        let name = literal(&name.as_str().into());
        let optional = if *required { "" } else { " | None = None" };
        lines.push(format!("**{{{name}: …}}: {kind}{optional}"));
    }
    if !lines.is_empty() {
        if !about.is_empty() {
            about.push_str("\n\n");
        }
        about.push_str(&lines.join("\n"));
    }
    about
}
