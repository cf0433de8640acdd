//! From tokens to the tree.

use std::vec;

use super::ConditionError;
use super::folder::Folder;
use super::lexer::{Token, tokens};
use super::text_glob::TextGlob;
use super::tree::{Comparison, Expression, Literal, Operand, Path, RESERVED, Step};

/// The longest condition. Longer ones are better several rules.
const MAX_TEXT: usize = 4096;
/// The deepest nesting of parentheses and `not`.
const MAX_DEPTH: usize = 32;

pub(super) fn parse(text: &str) -> Result<Expression, ConditionError> {
    if text.len() > MAX_TEXT {
        let message = format!("a condition of {} bytes; the most is {MAX_TEXT}", text.len());
        return Err(ConditionError { column: 1, message });
    }
    let end = text.chars().count() + 1;
    let mut parser = Parser { tokens: tokens(text)?.into_iter().peekable(), end };
    let expression = parser.any_of(0)?;
    match parser.tokens.next() {
        None => Ok(expression),
        Some((token, column)) => {
            let message =
                format!("{} is too much; expected `and`, `or` or the end", token.describe());
            Err(ConditionError { column, message })
        }
    }
}

struct Parser {
    tokens: std::iter::Peekable<vec::IntoIter<(Token, usize)>>,
    end: usize,
}

impl Parser {
    fn any_of(&mut self, depth: usize) -> Result<Expression, ConditionError> {
        let first = self.all_of(depth)?;
        let mut parts = vec![first];
        while self.accept_word("or") {
            parts.push(self.all_of(depth)?);
        }
        Ok(one_or(parts, Expression::Or))
    }

    fn all_of(&mut self, depth: usize) -> Result<Expression, ConditionError> {
        let first = self.negation(depth)?;
        let mut parts = vec![first];
        while self.accept_word("and") {
            parts.push(self.negation(depth)?);
        }
        Ok(one_or(parts, Expression::And))
    }

    fn negation(&mut self, depth: usize) -> Result<Expression, ConditionError> {
        if depth > MAX_DEPTH {
            return Err(self.error(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        if self.accept_word("not") {
            return Ok(Expression::Not(Box::new(self.negation(depth + 1)?)));
        }
        if self.accept_sign("(") {
            let inner = self.any_of(depth + 1)?;
            self.expect_sign(")")?;
            return Ok(inner);
        }
        self.test()
    }

    fn test(&mut self) -> Result<Expression, ConditionError> {
        if self.accept_word("has") {
            self.expect_sign("(")?;
            let path = self.path()?;
            self.expect_sign(")")?;
            return Ok(Expression::Has(path));
        }
        let operand = self.operand()?;
        if let Some(comparison) = self.accept_comparison() {
            return Ok(Expression::Compare(operand, comparison, self.operand()?));
        }
        if self.accept_word("not") {
            self.expect_word("in")?;
            return Ok(Expression::Not(Box::new(Expression::In(operand, self.list()?))));
        }
        if self.accept_word("in") {
            return Ok(Expression::In(operand, self.list()?));
        }
        if self.accept_word("starts_with") {
            return Ok(Expression::StartsWith(operand, self.text("starts_with")?.0));
        }
        if self.accept_word("ends_with") {
            return Ok(Expression::EndsWith(operand, self.text("ends_with")?.0));
        }
        if self.accept_word("contains") {
            return Ok(Expression::Contains(operand, self.literal()?));
        }
        if self.accept_word("within") {
            let (folder, column) = self.text("within")?;
            let folder = Folder::parse(&folder).map_err(|reason| at(column, reason))?;
            return Ok(Expression::Within(operand, folder));
        }
        if self.accept_word("matches") {
            let (glob, column) = self.text("matches")?;
            let glob = TextGlob::parse(&glob).map_err(|reason| at(column, reason))?;
            return Ok(Expression::Matches(operand, glob));
        }
        match operand {
            Operand::Literal(Literal::Bool(value)) => Ok(Expression::Constant(value)),
            operand => Err(self.error(format!(
                "`{operand}` alone is no condition; compare it, as with `{operand} == …`"
            ))),
        }
    }

    fn operand(&mut self) -> Result<Operand, ConditionError> {
        if self.accept_word("len") {
            self.expect_sign("(")?;
            let path = self.path()?;
            self.expect_sign(")")?;
            return Ok(Operand::Length(path));
        }
        let is_path = match self.tokens.peek() {
            Some((Token::Word(word), _)) => !RESERVED.contains(&word.as_str()),
            Some((Token::Sign(sign), _)) => *sign == "$",
            _ => false,
        };
        if is_path { self.path().map(Operand::Path) } else { self.literal().map(Operand::Literal) }
    }

    fn path(&mut self) -> Result<Path, ConditionError> {
        let mut steps = Vec::new();
        if !self.accept_sign("$") {
            let (name, column) = self.word("the name of an argument")?;
            if RESERVED.contains(&name.as_str()) {
                let message =
                    format!("`{name}` is a word of the language; the argument is `$[\"{name}\"]`");
                return Err(at(column, message));
            }
            steps.push(Step::Key(name));
        }
        loop {
            if self.accept_sign(".") {
                steps.push(Step::Key(self.word("a name after the `.`")?.0));
            } else if self.accept_sign("[") {
                steps.push(self.index()?);
                self.expect_sign("]")?;
            } else {
                return Ok(Path(steps));
            }
        }
    }

    fn index(&mut self) -> Result<Step, ConditionError> {
        let error = self.error("expected a number from 0 or a text after the `[`");
        match self.tokens.next() {
            Some((Token::Text(key), _)) => Ok(Step::Key(key)),
            Some((Token::Number(super::number::Number::Int(index)), _)) => {
                usize::try_from(index).map(Step::Index).map_err(|_| error)
            }
            _ => Err(error),
        }
    }

    fn list(&mut self) -> Result<Vec<Literal>, ConditionError> {
        self.expect_sign("[")?;
        let mut literals = vec![self.literal()?];
        while self.accept_sign(",") {
            literals.push(self.literal()?);
        }
        self.expect_sign("]")?;
        Ok(literals)
    }

    fn literal(&mut self) -> Result<Literal, ConditionError> {
        let error = self.error("expected an argument, a number, a text, true, false or null");
        match self.tokens.next() {
            Some((Token::Number(number), _)) => Ok(Literal::Number(number)),
            Some((Token::Text(text), _)) => Ok(Literal::Text(text)),
            Some((Token::Word(word), _)) => match word.as_str() {
                "true" => Ok(Literal::Bool(true)),
                "false" => Ok(Literal::Bool(false)),
                "null" => Ok(Literal::Null),
                _ => Err(error),
            },
            _ => Err(error),
        }
    }

    /// A text and its column.
    fn text(&mut self, after: &str) -> Result<(String, usize), ConditionError> {
        let error = self.error(format!("expected a text in quotes after `{after}`"));
        match self.tokens.next() {
            Some((Token::Text(text), column)) => Ok((text, column)),
            _ => Err(error),
        }
    }

    fn word(&mut self, expected: &str) -> Result<(String, usize), ConditionError> {
        let error = self.error(format!("expected {expected}"));
        match self.tokens.next() {
            Some((Token::Word(word), column)) => Ok((word, column)),
            _ => Err(error),
        }
    }

    fn accept_comparison(&mut self) -> Option<Comparison> {
        let Some((Token::Sign(sign), _)) = self.tokens.peek() else { return None };
        let comparison = match *sign {
            "==" => Comparison::Equal,
            "!=" => Comparison::NotEqual,
            "<" => Comparison::Less,
            "<=" => Comparison::AtMost,
            ">" => Comparison::Greater,
            ">=" => Comparison::AtLeast,
            _ => return None,
        };
        self.tokens.next();
        Some(comparison)
    }

    fn accept_word(&mut self, word: &str) -> bool {
        self.tokens.next_if(|(token, _)| token.is_word(word)).is_some()
    }

    fn accept_sign(&mut self, sign: &str) -> bool {
        self.tokens
            .next_if(|(token, _)| matches!(token, Token::Sign(own) if *own == sign))
            .is_some()
    }

    fn expect_word(&mut self, word: &str) -> Result<(), ConditionError> {
        if self.accept_word(word) { Ok(()) } else { Err(self.error(format!("expected `{word}`"))) }
    }

    fn expect_sign(&mut self, sign: &str) -> Result<(), ConditionError> {
        if self.accept_sign(sign) { Ok(()) } else { Err(self.error(format!("expected `{sign}`"))) }
    }

    /// An error at the token that comes next.
    fn error(&mut self, message: impl Into<String>) -> ConditionError {
        let found = match self.tokens.peek() {
            Some((token, column)) => (token.describe(), *column),
            None => ("the end".to_owned(), self.end),
        };
        at(found.1, format!("{}, found {}", message.into(), found.0))
    }
}

fn at(column: usize, message: impl Into<String>) -> ConditionError {
    ConditionError { column, message: message.into() }
}

fn one_or(mut parts: Vec<Expression>, many: fn(Vec<Expression>) -> Expression) -> Expression {
    match (parts.pop(), parts.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            parts.extend(last);
            many(parts)
        }
    }
}
