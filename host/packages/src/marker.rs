//! The marker of a requirement: `python_version < "3.14" and sys_platform != "win32"`.
//!
//! It is read to its end and written anew, so that nothing in it can mean anything else to the
//! installer. Strings hold what versions and platforms are made of: neither quotes, `#`, `$` and
//! backslashes, nor spaces, because pip takes what follows ` -` in a line for an option.

use crate::requirement::Cursor;

/// The variables of PEP 508, less `extra`, which means nothing in what somebody asks for.
const VARIABLES: [&str; 11] = [
    "os_name",
    "sys_platform",
    "platform_machine",
    "platform_python_implementation",
    "platform_release",
    "platform_system",
    "platform_version",
    "python_version",
    "python_full_version",
    "implementation_name",
    "implementation_version",
];
const OPERATORS: [&str; 8] = ["===", "<=", ">=", "==", "!=", "~=", "<", ">"];
/// Parentheses within parentheses.
const MAX_DEPTH: usize = 8;

const MALFORMED: &str =
    "its marker must compare variables with strings, as python_version < \"3.14\"";

/// Reads a marker up to its end and gives it in one spelling.
pub(crate) fn marker(rest: &mut Cursor<'_>) -> Result<String, &'static str> {
    either(rest, 0)
}

fn either(rest: &mut Cursor<'_>, depth: usize) -> Result<String, &'static str> {
    let mut text = both(rest, depth)?;
    while rest.eat_word("or") {
        text = format!("{text} or {}", both(rest, depth)?);
    }
    Ok(text)
}

fn both(rest: &mut Cursor<'_>, depth: usize) -> Result<String, &'static str> {
    let mut text = one(rest, depth)?;
    while rest.eat_word("and") {
        text = format!("{text} and {}", one(rest, depth)?);
    }
    Ok(text)
}

fn one(rest: &mut Cursor<'_>, depth: usize) -> Result<String, &'static str> {
    if rest.eat("(") {
        if depth == MAX_DEPTH {
            return Err("its marker has too many parentheses");
        }
        let inner = either(rest, depth + 1)?;
        return if rest.eat(")") { Ok(format!("({inner})")) } else { Err(MALFORMED) };
    }
    let left = operand(rest)?;
    let operator = operator(rest).ok_or(MALFORMED)?;
    let right = operand(rest)?;
    if left.is_variable || right.is_variable {
        Ok(format!("{} {operator} {}", left.text, right.text))
    } else {
        Err(MALFORMED)
    }
}

fn operator(rest: &mut Cursor<'_>) -> Option<&'static str> {
    if rest.eat_word("in") {
        return Some("in");
    }
    if rest.eat_word("not") {
        return rest.eat_word("in").then_some("not in");
    }
    OPERATORS.into_iter().find(|operator| rest.eat(operator))
}

struct Operand {
    text: String,
    is_variable: bool,
}

fn operand(rest: &mut Cursor<'_>) -> Result<Operand, &'static str> {
    for quote in ["\"", "'"] {
        if rest.eat(quote) {
            let text = rest.take_while(|c| c.is_ascii_alphanumeric() || "._+!*,-".contains(c));
            return if rest.eat_here(quote) {
                Ok(Operand { text: format!("\"{text}\""), is_variable: false })
            } else {
                Err(MALFORMED)
            };
        }
    }
    let variable = VARIABLES.into_iter().find(|variable| rest.eat_word(variable));
    let text = variable.ok_or(MALFORMED)?.to_owned();
    Ok(Operand { text, is_variable: true })
}

#[cfg(test)]
mod tests {
    use crate::Requirement;

    fn canonical(marker: &str) -> Option<String> {
        let requirement: Requirement = format!("x;{marker}").parse().ok()?;
        requirement.to_string().strip_prefix("x ; ").map(str::to_owned)
    }

    #[test]
    fn a_marker_has_one_spelling() {
        for (text, expected) in [
            ("python_version<'3.14'", "python_version < \"3.14\""),
            (" 'linux' == sys_platform ", "\"linux\" == sys_platform"),
            ("os_name not  in \"nt,java\"", "os_name not in \"nt,java\""),
            (
                "(os_name=='a' or os_name=='b')and sys_platform in 'x,y'",
                "(os_name == \"a\" or os_name == \"b\") and sys_platform in \"x,y\"",
            ),
        ] {
            assert_eq!(canonical(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_marker_is_refused() {
        for text in [
            "",
            "python_version",
            "python_version <",
            "'a' == 'b'",
            "extra == 'x'",
            "os.name == 'x'",
            "__import__('os')",
            "python_version < '3'; x",
            "python_version < '3' y",
            "python_version < '3' or",
            "python_version < '3' andos_name == 'x'",
            "python_versions < '3'",
            "python_version < '3",
            "python_version < '3\"",
            "python_version < '3\\'",
            "python_version < '$HOME'",
            "os_name == 'x --index-url=http://host'",
            "os_name == 'x -r /etc/passwd'",
            "python_version < '3' # x",
            "(python_version < '3'",
            "python_version not '3'",
            &format!("{}python_version < '3'{}", "(".repeat(9), ")".repeat(9)),
        ] {
            assert_eq!(canonical(text), None, "{text}");
        }
    }
}
