//! From text to tokens.

use super::ConditionError;
use super::number::{MAX_LITERAL_DIGITS, Number};

/// What a condition consists of.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Word(String),
    Number(Number<'static>),
    Text(String),
    /// An operator or a bracket.
    Sign(&'static str),
}

impl Token {
    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self, Self::Word(own) if own == word)
    }

    pub(super) fn describe(&self) -> String {
        match self {
            Self::Word(word) => format!("`{word}`"),
            Self::Number(number) => format!("`{number}`"),
            Self::Text(_) => "a text".to_owned(),
            Self::Sign(sign) => format!("`{sign}`"),
        }
    }
}

/// Longer ones first: `<=` is not `<`.
const SIGNS: [&str; 15] =
    ["==", "!=", "<=", ">=", "<", ">", "(", ")", "[", "]", ",", ".", "$", "{", "}"];

/// The tokens, and the column of each.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, usize)>, ConditionError> {
    let mut rest = Rest { text, column: 1 };
    let mut tokens = Vec::new();
    loop {
        rest.skip(char::is_whitespace);
        let Some(first) = rest.text.chars().next() else { return Ok(tokens) };
        let column = rest.column;
        let token = match first {
            '"' | '\'' => Token::Text(rest.quoted(first)?),
            '0'..='9' | '-' => rest.number()?,
            _ if first.is_ascii_alphabetic() || first == '_' => {
                Token::Word(rest.take(|one| one.is_ascii_alphanumeric() || one == '_').to_owned())
            }
            _ => rest.sign(first)?,
        };
        tokens.push((token, column));
    }
}

/// What is still to be read.
struct Rest<'a> {
    text: &'a str,
    column: usize,
}

impl<'a> Rest<'a> {
    fn error(&self, message: impl Into<String>) -> ConditionError {
        ConditionError { column: self.column, message: message.into() }
    }

    fn next(&mut self) -> Option<char> {
        let one = self.text.chars().next()?;
        self.text = self.text.get(one.len_utf8()..).unwrap_or_default();
        self.column += 1;
        Some(one)
    }

    fn take(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let all = self.text;
        self.skip(belongs);
        all.strip_suffix(self.text).unwrap_or_default()
    }

    fn skip(&mut self, belongs: impl Fn(char) -> bool) {
        while self.text.starts_with(&belongs) {
            self.next();
        }
    }

    fn sign(&mut self, first: char) -> Result<Token, ConditionError> {
        let Some(sign) = SIGNS.into_iter().find(|sign| self.text.starts_with(sign)) else {
            let way_out = match first {
                '=' => "; equality is `==`",
                '&' => "; the word is `and`",
                '|' => "; the word is `or`",
                '!' => "; the word is `not`",
                _ => "; an argument of such a name is written `$[\"…\"]`",
            };
            return Err(self.error(format!("{first:?} means nothing here{way_out}")));
        };
        for _ in sign.chars() {
            self.next();
        }
        Ok(Token::Sign(sign))
    }

    fn number(&mut self) -> Result<Token, ConditionError> {
        let start = Self { text: self.text, column: self.column };
        let text =
            self.take(|one| one.is_ascii_alphanumeric() || matches!(one, '.' | '-' | '+' | '_'));
        if text.len() > MAX_LITERAL_DIGITS {
            return Err(start.error("a number of more than 400 digits"));
        }
        if let Some(number) = Number::integer(text)
            && !text.contains('x')
        {
            return Ok(Token::Number(match number {
                Number::Int(value) => Number::Int(value),
                Number::Big { negative, digits } => {
                    Number::Big { negative, digits: digits.into_owned().into() }
                }
                // Only hexadecimal ones are.
                Number::Huge { .. } | Number::Float(_) => return Err(start.error("no number")),
            }));
        }
        if !is_float(text) {
            return Err(
                start.error(format!("`{text}` is no number; numbers are as 12, -3, 0.5 or 1e6"))
            );
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Token::Number(Number::Float(value))),
            _ => Err(start.error(format!("`{text}` is beyond the numbers there are"))),
        }
    }

    fn quoted(&mut self, quote: char) -> Result<String, ConditionError> {
        let start = Self { text: self.text, column: self.column };
        self.next();
        let mut value = String::new();
        loop {
            match self.next() {
                None => return Err(start.error("a text without an end")),
                Some('\\') => value.push(self.escaped()?),
                Some(one) if one == quote => return Ok(value),
                Some(one) => value.push(one),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, ConditionError> {
        match self.next() {
            Some(one @ ('"' | '\'' | '\\')) => Ok(one),
            Some('n') => Ok('\n'),
            Some('r') => Ok('\r'),
            Some('t') => Ok('\t'),
            Some('u') if self.next() == Some('{') => {
                let digits = self.take(|one| one.is_ascii_hexdigit());
                let code = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
                match (code, self.next()) {
                    (Some(one), Some('}')) => Ok(one),
                    _ => Err(self.error("`\\u{…}` needs the number of a character")),
                }
            }
            _ => Err(self.error(
                "after `\\` comes one of `\"`, `'`, `\\`, n, r, t or u{…}; a `\\` itself is `\\\\`",
            )),
        }
    }
}

/// Digits, then a point with digits or an exponent, or both.
fn is_float(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent
            .is_none_or(|exponent| digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)))
        && (fraction.is_some() || exponent.is_some())
}
