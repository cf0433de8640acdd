//! How deep a source is, from its tokens, before a parser builds a tree of it.
//!
//! Each level costs a recursive parser about two kilobytes; a megabyte of `(` would be two gigabytes.
//! The limits on brackets and blocks are Python's own.

use ruff_python_ast::token::TokenKind;
use ruff_python_parser::{Mode, lexer};

use super::{MAX_SOURCE_BYTES, Refusal};

const MAX_BRACKETS: usize = 200;
const MAX_BLOCKS: usize = 100;
/// Operators, calls, attributes and the like in one expression, those around it included.
const MAX_CHAIN: usize = 2000;
/// Where a parser recovers from an error inside an f-string it can take text for code that was no
/// code when it was measured. So such sources are kept so short that no depth of them costs much.
const MAX_INTERPOLATED_BYTES: usize = 128 << 10;

pub(super) fn check(source: &str) -> Result<(), Refusal> {
    if source.len() > MAX_SOURCE_BYTES {
        let length = source.len();
        return Err(Refusal::Rule(format!(
            "it has {length} bytes, and at most {MAX_SOURCE_BYTES} are taken"
        )));
    }
    let mut depth =
        Depth { source_bytes: source.len(), open: vec![Element::default()], chain: 0, blocks: 0 };
    let mut lexer = lexer::lex(source, Mode::Module);
    loop {
        match lexer.next_token() {
            TokenKind::EndOfFile => return Ok(()),
            token => depth.take(token)?,
        }
    }
}

struct Depth {
    source_bytes: usize,
    /// One for the statement, and one for each open bracket.
    open: Vec<Element>,
    /// The sum over all of them.
    chain: usize,
    blocks: usize,
}

/// What nests without brackets, since the last comma of this bracket.
#[derive(Default)]
struct Element {
    /// What a comma ends.
    chain: usize,
    /// What it does not, because commas are part of it.
    lasting: usize,
}

impl Depth {
    fn take(&mut self, token: TokenKind) -> Result<(), Refusal> {
        match token {
            TokenKind::FStringStart | TokenKind::TStringStart => {
                if self.source_bytes > MAX_INTERPOLATED_BYTES {
                    let length = self.source_bytes;
                    return Err(Refusal::Rule(format!(
                        "it has {length} bytes, and with f-strings at most \
                         {MAX_INTERPOLATED_BYTES} are taken"
                    )));
                }
                self.open()
            }
            TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace => self.open(),
            TokenKind::Rpar
            | TokenKind::Rsqb
            | TokenKind::Rbrace
            | TokenKind::FStringEnd
            | TokenKind::TStringEnd => {
                self.close();
                Ok(())
            }
            TokenKind::Indent => {
                self.blocks += 1;
                if self.blocks > MAX_BLOCKS { too_deep(MAX_BLOCKS, "blocks") } else { Ok(()) }
            }
            TokenKind::Dedent => {
                self.blocks = self.blocks.saturating_sub(1);
                Ok(())
            }
            TokenKind::Comma | TokenKind::Semi => {
                if let Some(element) = self.open.last_mut() {
                    self.chain -= element.chain;
                    element.chain = 0;
                }
                Ok(())
            }
            TokenKind::Newline => {
                self.open.clear();
                self.open.push(Element::default());
                self.chain = 0;
                Ok(())
            }
            TokenKind::Lambda | TokenKind::Yield => self.deepen(|element| &mut element.lasting),
            _ if is_flat(token) => Ok(()),
            _ => self.deepen(|element| &mut element.chain),
        }
    }

    fn open(&mut self) -> Result<(), Refusal> {
        self.deepen(|element| &mut element.chain)?;
        self.open.push(Element::default());
        if self.open.len() > MAX_BRACKETS { too_deep(MAX_BRACKETS, "brackets") } else { Ok(()) }
    }

    fn close(&mut self) {
        if self.open.len() > 1
            && let Some(element) = self.open.pop()
        {
            self.chain -= element.chain + element.lasting;
        }
    }

    fn deepen(&mut self, count: impl FnOnce(&mut Element) -> &mut usize) -> Result<(), Refusal> {
        if let Some(element) = self.open.last_mut() {
            *count(element) += 1;
            self.chain += 1;
        }
        if self.chain > MAX_CHAIN {
            too_deep(MAX_CHAIN, "operators in one expression")
        } else {
            Ok(())
        }
    }
}

/// Whether any number of these makes a list and no tree.
fn is_flat(token: TokenKind) -> bool {
    matches!(
        token,
        TokenKind::Name
            | TokenKind::Int
            | TokenKind::Float
            | TokenKind::Complex
            | TokenKind::String
            | TokenKind::FStringMiddle
            | TokenKind::TStringMiddle
            | TokenKind::True
            | TokenKind::False
            | TokenKind::None
            | TokenKind::Ellipsis
            | TokenKind::Comment
            | TokenKind::NonLogicalNewline
            | TokenKind::Colon
            | TokenKind::Equal
            | TokenKind::And
            | TokenKind::Or
    )
}

fn too_deep(limit: usize, what: &str) -> Result<(), Refusal> {
    Err(Refusal::Nesting(format!("it is too deep: at most {limit} {what} are taken")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_taken(source: &str) -> bool {
        check(source).is_ok()
    }

    #[test]
    fn brackets_and_blocks_are_counted_while_they_are_open() {
        let nested = |depth| "(".repeat(depth) + &")".repeat(depth);
        assert!(is_taken(&nested(199)));
        assert!(!is_taken(&nested(200)));
        assert!(is_taken(&"()\n".repeat(10_000)));
        let blocks =
            |depth| -> String { (0..depth).map(|at| " ".repeat(at) + "if 1:\n").collect() };
        assert!(is_taken(&blocks(101)));
        assert!(!is_taken(&blocks(102)));
    }

    #[test]
    fn commas_end_elements_and_line_ends_everything() {
        assert!(is_taken(&"-a + b.c,".repeat(10_000)));
        assert!(is_taken(&"-a + b.c\n".repeat(10_000)));
        assert!(is_taken(&("1+".repeat(1999) + "1")));
        assert!(!is_taken(&("1+".repeat(2001) + "1")));
    }

    #[test]
    fn the_commas_of_a_lambda_do_not_end_it() {
        assert!(!is_taken(&"lambda a, b: ".repeat(2001)));
        assert!(!is_taken(&"yield a, ".repeat(2001)));
    }

    #[test]
    fn what_is_around_a_bracket_counts_inside_it() {
        let around = "1+".repeat(1000) + "(";
        assert!(!is_taken(&(around.clone() + &"1+".repeat(1000) + "1)")));
        assert!(is_taken(&(around + &"1+".repeat(900) + "1)")));
    }

    #[test]
    fn sources_with_f_strings_are_shorter() {
        let comment = "#".repeat(MAX_INTERPOLATED_BYTES);
        assert!(is_taken(&format!("'a'\n{comment}")));
        assert!(!is_taken(&format!("f'a'\n{comment}")));
        assert!(!is_taken(&"#".repeat(MAX_SOURCE_BYTES + 1)));
    }
}
