//! The parameters of `run`.

use ruff_python_ast::{Expr, ExprNumberLiteral, Number, ParameterWithDefault, Parameters, UnaryOp};
use ruff_text_size::Ranged as _;
use serde_json::{Map, Value};

use crate::Parameter;

/// What the caller does not pass, because every workflow has it.
const INJECTED: [&str; 4] = ["tools", "workflows", "artifacts", "deps"];

/// A default that is longer is not shown.
const MAX_DEFAULT_BYTES: usize = 4096;

pub(super) fn parameters(parameters: &Parameters, source: &str) -> Vec<Parameter> {
    parameters
        .iter_non_variadic_params()
        .filter(|parameter| !INJECTED.contains(&parameter.parameter.name.as_str()))
        .map(|parameter| described(parameter, source))
        .collect()
}

fn described(parameter: &ParameterWithDefault, source: &str) -> Parameter {
    let annotation = parameter.parameter.annotation.as_deref();
    let default = parameter.default.as_deref();
    Parameter {
        name: parameter.parameter.name.as_str().to_owned(),
        kind: annotation.map_or("string", type_name).to_owned(),
        description: String::new(),
        required: default.is_none(),
        default: default.map_or(Value::Null, |default| default_value(default, source)),
    }
}

/// The type of JSON that an annotation stands for, by its name alone.
fn type_name(annotation: &Expr) -> &'static str {
    let annotation = match annotation {
        Expr::Subscript(subscript) => subscript.value.as_ref(),
        other => other,
    };
    let Expr::Name(name) = annotation else { return "string" };
    match name.id.as_str() {
        "int" | "Integer" => "integer",
        "float" | "number" | "Number" => "number",
        "bool" | "Boolean" => "boolean",
        "list" | "List" | "Sequence" | "Iterable" => "array",
        "dict" | "Dict" | "Mapping" => "object",
        _ => "string",
    }
}

/// The value of a literal; of anything else, its source text.
fn default_value(default: &Expr, source: &str) -> Value {
    let range = default.range();
    let text = source.get(range.start().to_usize()..range.end().to_usize()).unwrap_or_default();
    if text.len() > MAX_DEFAULT_BYTES {
        return Value::String("...".to_owned());
    }
    literal(default).unwrap_or_else(|| Value::String(text.to_owned()))
}

/// Recursion is as deep as the source is, and that was measured.
fn literal(expression: &Expr) -> Option<Value> {
    match expression {
        Expr::NoneLiteral(_) => Some(Value::Null),
        Expr::BooleanLiteral(literal) => Some(Value::Bool(literal.value)),
        Expr::StringLiteral(literal) => Some(Value::String(literal.value.to_str().to_owned())),
        Expr::NumberLiteral(literal) => number(literal, false),
        Expr::UnaryOp(operation) => match (operation.op, operation.operand.as_ref()) {
            (UnaryOp::USub, Expr::NumberLiteral(literal)) => number(literal, true),
            (UnaryOp::UAdd, Expr::NumberLiteral(literal)) => number(literal, false),
            _ => None,
        },
        Expr::List(list) => list.elts.iter().map(literal).collect(),
        Expr::Tuple(tuple) => tuple.elts.iter().map(literal).collect(),
        Expr::Dict(dict) => {
            let mut object = Map::new();
            for item in &dict.items {
                let Some(Expr::StringLiteral(key)) = &item.key else { return None };
                object.insert(key.value.to_str().to_owned(), literal(&item.value)?);
            }
            Some(Value::Object(object))
        }
        _ => None,
    }
}

/// What JSON has no number for stays text: huge integers, infinities, complex numbers.
fn number(literal: &ExprNumberLiteral, negative: bool) -> Option<Value> {
    match &literal.value {
        Number::Int(int) => {
            let value = int.as_u64()?;
            if negative {
                Some(Value::from(0_i64.checked_sub_unsigned(value)?))
            } else {
                Some(Value::from(value))
            }
        }
        Number::Float(value) => {
            let value = if negative { -value } else { *value };
            serde_json::Number::from_f64(value).map(Value::Number)
        }
        Number::Complex { .. } => None,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::{Value, json};

    use crate::python::outline_of;

    fn signature(parameters: &str) -> Vec<(String, String, bool, Value)> {
        let outline = outline_of(&format!("async def run({parameters}): pass")).unwrap().unwrap();
        outline
            .parameters
            .into_iter()
            .map(|parameter| {
                (parameter.name, parameter.kind, parameter.required, parameter.default)
            })
            .collect()
    }

    fn default_of(expression: &str) -> Value {
        signature(&format!("x={expression}")).remove(0).3
    }

    #[test]
    fn all_named_parameters_are_listed_but_those_that_are_injected() {
        let names: Vec<_> =
            signature("a, /, b, tools, *args, workflows=None, c, artifacts, deps, **rest")
                .into_iter()
                .map(|parameter| parameter.0)
                .collect();
        assert_eq!(names, ["a", "b", "c"]);
    }

    #[test]
    fn types_come_from_the_name_of_the_annotation() {
        let types = [
            ("int", "integer"),
            ("float", "number"),
            ("Number", "number"),
            ("bool", "boolean"),
            ("str", "string"),
            ("list", "array"),
            ("list[int]", "array"),
            ("Sequence[str]", "array"),
            ("dict[str, int]", "object"),
            ("Mapping", "object"),
            ("int | None", "string"),
            ("typing.List[int]", "string"),
            ("'int'", "string"),
            ("Custom", "string"),
        ];
        for (annotation, expected) in types {
            assert_eq!(signature(&format!("x: {annotation}"))[0].1, expected, "{annotation}");
        }
        assert_eq!(signature("x")[0].1, "string");
    }

    #[test]
    fn literals_are_values() {
        let values = [
            ("None", json!(null)),
            ("True", json!(true)),
            ("5", json!(5)),
            ("-5", json!(-5)),
            ("0xff", json!(255)),
            ("18446744073709551615", json!(u64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("1.5", json!(1.5)),
            ("-1e3", json!(-1000.0)),
            ("'a' 'b'", json!("ab")),
            ("[1, 'a', (2,)]", json!([1, "a", [2]])),
            ("{'a': {'b': []}}", json!({"a": {"b": []}})),
        ];
        for (expression, expected) in values {
            assert_eq!(default_of(expression), expected, "{expression}");
        }
    }

    #[test]
    fn what_is_no_literal_is_its_source() {
        let texts = [
            "1 + 1",
            "f(x)",
            "{1: 2}",
            "{1, 2}",
            "b'x'",
            "f'x'",
            "1j",
            "1e999",
            "18446744073709551616",
            "[f(x)]",
            "os.environ",
        ];
        for text in texts {
            assert_eq!(default_of(text), json!(text));
        }
    }

    #[test]
    fn a_default_makes_a_parameter_optional() {
        let parameters = signature("a, b=None, *, c, d=1");
        let required: Vec<_> = parameters.iter().map(|parameter| parameter.2).collect();
        assert_eq!(required, [true, false, true, false]);
    }

    #[test]
    fn a_long_default_is_not_shown() {
        assert_eq!(default_of(&format!("'{}'", "x".repeat(5000))), json!("..."));
    }
}
