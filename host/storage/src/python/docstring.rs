//! Docstrings.

use ruff_python_ast::{Expr, Stmt};

/// Long enough for a sentence; what a list of workflows shows of a docstring.
const MAX_CHARS: usize = 500;

/// The first line that says something of the docstring that a body begins with.
pub(super) fn first_line(body: &[Stmt]) -> Option<String> {
    let Stmt::Expr(statement) = body.first()? else { return None };
    let Expr::StringLiteral(literal) = statement.value.as_ref() else { return None };
    let line = literal.value.to_str().lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.chars().take(MAX_CHARS).collect())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use crate::python::outline_of;

    fn described(source: &str) -> String {
        outline_of(source).unwrap().unwrap().description
    }

    #[test]
    fn the_modules_docstring_goes_before_that_of_run() {
        assert_eq!(described("'module'\nasync def run():\n    'run'"), "module");
        assert_eq!(described("import os\nasync def run():\n    'run'"), "run");
        assert_eq!(described("async def run(): pass"), "");
    }

    #[test]
    fn only_plain_strings_are_docstrings() {
        assert_eq!(described("f'module'\nasync def run():\n    b'run'"), "");
        assert_eq!(described("'mod' 'ule'\nasync def run(): pass"), "module");
    }

    #[test]
    fn the_first_line_that_says_something_is_taken() {
        assert_eq!(described("'''\n\n   First.  \n second'''\nasync def run(): pass"), "First.");
    }
}
