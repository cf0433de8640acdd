//! From arguments to the words that a program gets.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pcm_fences::{Fence, holds};
use pcm_runtime_api::ValueType;
use serde_json::Value;

use super::schema::{Argument, Recipe, Schema};
use crate::arguments::{mismatch, missing, unknown};
use crate::{Arguments, ParameterType, ToolError, python};

/// The longest word that the kernel takes, its end included (`MAX_ARG_STRLEN`).
const MOST_WORD_BYTES: usize = (128 << 10) - 1;
/// All words together, with a pointer each. The kernel takes a quarter of the stack, usually 2 MiB,
/// for these and the environment.
const MOST_BYTES: usize = 1 << 20;

/// The words of a call: the options in the order of the schema, then the positionals.
pub(crate) fn words(
    tool: &str,
    schema: &Schema,
    recipe: Option<&Recipe>,
    args: &Arguments,
) -> Result<Vec<OsString>, ToolError> {
    let given = Given::new(tool, schema, args)?;
    let mut words = Words { tool, list: Vec::new(), bytes: 0, takes_dashes: true };
    for argument in &schema.options {
        words.push_argument(argument, given.value(argument, recipe)?)?;
    }
    let mut positionals = Words { tool, list: Vec::new(), bytes: words.bytes, takes_dashes: true };
    for argument in &schema.positional {
        let chosen = given.value(argument, recipe)?;
        let is_guests = chosen.as_ref().is_some_and(|chosen| chosen.given_as.is_some());
        // A number is what was declared, with its sign.
        let is_number = matches!(argument.kind, ParameterType::Integer | ParameterType::Number);
        positionals.takes_dashes = schema.end_of_options.is_some() || !is_guests || is_number;
        positionals.push_argument(argument, chosen)?;
    }
    let marked = schema.end_of_options == Some(true) && holds(Fence::EndOfOptions);
    if marked && !positionals.list.is_empty() {
        words.list.push("--".into());
    }
    words.list.append(&mut positionals.list);
    Ok(words.list)
}

/// The arguments of a call, each found in the schema.
struct Given<'a> {
    tool: &'a str,
    args: &'a Arguments,
    /// The argument, and the name by which it was given.
    found: Vec<(&'a Argument, &'a str)>,
}

/// The value of an argument and where it comes from.
struct Chosen<'a> {
    value: &'a Value,
    /// What the guest called it, if it is the guest's.
    given_as: Option<(&'a Arguments, &'a str)>,
}

impl<'a> Given<'a> {
    fn new(tool: &'a str, schema: &'a Schema, args: &'a Arguments) -> Result<Self, ToolError> {
        let mut found: Vec<(&Argument, &str)> = Vec::new();
        for (name, value) in &args.values {
            let Some(argument) = schema.argument(name) else {
                return Err(unknown(tool, name, schema.arguments().map(|each| each.word.as_str())));
            };
            if found.iter().any(|(other, _)| std::ptr::eq(*other, argument)) {
                let reason = format!("{:?} is given twice", argument.name);
                return Err(ToolError::arguments(tool, reason));
            }
            // `None` is what Python passes for an argument that is not there.
            if !value.is_null() {
                found.push((argument, name));
            }
        }
        Ok(Self { tool, args, found })
    }

    /// What the guest gave, or the recipe's preset, or the recipe's default.
    fn value(
        &self,
        argument: &'a Argument,
        recipe: Option<&'a Recipe>,
    ) -> Result<Option<Chosen<'_>>, ToolError> {
        if let Some((_, name)) = self.found.iter().find(|(each, _)| std::ptr::eq(*each, argument)) {
            let given_as = Some((self.args, *name));
            return Ok(self.args.values.get(*name).map(|value| Chosen { value, given_as }));
        }
        let own = recipe.and_then(|recipe| {
            let declared = recipe.params.iter().find(|each| each.name == argument.word);
            let preset = recipe.preset.get(&argument.name);
            preset.or_else(|| declared.and_then(|declared| declared.default.as_ref()))
        });
        if let Some(value) = own
            && !value.is_null()
        {
            return Ok(Some(Chosen { value, given_as: None }));
        }
        let declared =
            recipe.and_then(|recipe| recipe.params.iter().find(|each| each.name == argument.word));
        let required = match declared {
            Some(declared) => declared.required || is_required_positional(argument),
            None => is_required_positional(argument),
        };
        if required {
            return Err(missing(self.tool, &argument.word));
        }
        Ok(None)
    }
}

/// An option that the schema calls required is only shown as such; a positional has to be there.
fn is_required_positional(argument: &Argument) -> bool {
    argument.flag.is_none() && argument.required
}

struct Words<'a> {
    tool: &'a str,
    list: Vec<OsString>,
    bytes: usize,
    /// Whether words may look like options.
    takes_dashes: bool,
}

impl Words<'_> {
    fn push_argument(
        &mut self,
        argument: &Argument,
        chosen: Option<Chosen<'_>>,
    ) -> Result<(), ToolError> {
        let Some(chosen) = chosen else { return Ok(()) };
        if !argument.kind.admits(chosen.value) {
            return Err(mismatch(self.tool, &argument.parameter(), chosen.value));
        }
        if argument.kind == ParameterType::Boolean && argument.flag.is_some() {
            let on = chosen.value.as_bool().unwrap_or(chosen.value.as_u64() == Some(1));
            return if on { self.push_flag(argument) } else { Ok(()) };
        }
        let Value::Array(items) = chosen.value else {
            self.push_flag(argument)?;
            return self.push_value(argument, chosen.value, chosen.kind(None));
        };
        for (index, item) in items.iter().enumerate() {
            self.push_flag(argument)?;
            self.push_value(argument, item, chosen.kind(Some(index)))?;
        }
        Ok(())
    }

    fn push_flag(&mut self, argument: &Argument) -> Result<(), ToolError> {
        match &argument.flag {
            Some(flag) => self.push(argument, flag.into()),
            None => Ok(()),
        }
    }

    fn push_value(
        &mut self,
        argument: &Argument,
        value: &Value,
        kind: Option<ValueType>,
    ) -> Result<(), ToolError> {
        let text =
            python::text(value).ok_or_else(|| mismatch(self.tool, &argument.parameter(), value))?;
        if kind != Some(ValueType::Bytes) {
            return self.push(argument, text.into());
        }
        let is_text = match &argument.kind {
            ParameterType::List(items) => **items == ParameterType::Text,
            kind => *kind == ParameterType::Text,
        };
        match STANDARD.decode(text) {
            Ok(bytes) if is_text => self.push(argument, OsString::from_vec(bytes)),
            _ => Err(mismatch(self.tool, &argument.parameter(), &"bytes".into())),
        }
    }

    fn push(&mut self, argument: &Argument, word: OsString) -> Result<(), ToolError> {
        let refused = |reason: String| {
            Err(ToolError::arguments(self.tool, format!("{:?} {reason}", argument.word)))
        };
        if word.as_encoded_bytes().contains(&0) {
            return refused("holds a NUL character, which no program can be given".to_owned());
        }
        let begins_with_dash = word.as_encoded_bytes().first() == Some(&b'-');
        let is_option = begins_with_dash && word.len() > 1 && holds(Fence::Dashes);
        if is_option && !self.takes_dashes {
            return refused(
                "begins with \"-\", so the program might take it for an option; a path can be \
                 written as \"./-…\", and `end_of_options` in its declaration can allow it"
                    .to_owned(),
            );
        }
        if word.len() > MOST_WORD_BYTES {
            return refused(format!(
                "has {} bytes, and a program takes at most {MOST_WORD_BYTES} in one argument",
                word.len()
            ));
        }
        self.bytes += word.len() + 1 + size_of::<usize>();
        if self.bytes > MOST_BYTES {
            return refused(format!("makes the arguments longer than {MOST_BYTES} bytes together"));
        }
        self.list.push(word);
        Ok(())
    }
}

impl Chosen<'_> {
    fn kind(&self, index: Option<usize>) -> Option<ValueType> {
        let (args, name) = self.given_as?;
        args.type_at(name, index)
    }
}
