//! Text as the words that are looked for.

/// Longer words are cut: they are data, not language.
const MAX_WORD: usize = 64;

/// The words of `text` in lower case, without the ends that English puts on plurals.
///
/// Words are runs of letters and digits; `snake_case` and `camelCase` are several. Ideographs, which
/// no space divides, are a word each.
pub(crate) fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|letter: char| !letter.is_alphanumeric());
        let end = end_of_word(rest)?;
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(singular(word.chars().take(MAX_WORD).flat_map(char::to_lowercase).collect()))
    })
}

/// Where the word that `text` begins with ends; None where there is none.
fn end_of_word(text: &str) -> Option<usize> {
    let mut letters = text.char_indices().peekable();
    let mut before = letters.next()?.1;
    if is_ideograph(before) {
        return Some(before.len_utf8());
    }
    while let Some((at, letter)) = letters.next() {
        let next = letters.peek().map(|(_, next)| *next);
        let hump = letter.is_uppercase()
            && (before.is_lowercase()
                || before.is_uppercase() && next.is_some_and(char::is_lowercase));
        if !letter.is_alphanumeric() || hump || is_ideograph(letter) {
            return Some(at);
        }
        before = letter;
    }
    Some(text.len())
}

/// Han, Hiragana, Katakana.
fn is_ideograph(letter: char) -> bool {
    matches!(letter, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

fn singular(mut word: String) -> String {
    let plural = word.len() > 3
        && word.is_ascii()
        && word.ends_with('s')
        && !["ss", "us", "is"].iter().any(|end| word.ends_with(end));
    if plural {
        word.pop();
    }
    word
}

#[cfg(test)]
mod tests {
    use super::words;

    fn of(text: &str) -> Vec<String> {
        words(text).collect()
    }

    #[test]
    fn names_are_taken_apart() {
        assert_eq!(of("fetch_web_page"), ["fetch", "web", "page"]);
        assert_eq!(of("getHTTPStatus2xx"), ["get", "http", "status2xx"]);
        assert_eq!(of("scans/nmap-top.100"), ["scan", "nmap", "top", "100"]);
    }

    #[test]
    fn plurals_are_what_they_are_of() {
        assert_eq!(
            of("pages status class analysis gas bus"),
            ["page", "status", "class", "analysis", "gas", "bus"]
        );
    }

    #[test]
    fn every_script_has_words() {
        assert_eq!(of("Größe ÉTÉ 天気 привет!"), ["größe", "été", "天", "気", "привет"]);
        assert!(of(" \u{0} \t…—").is_empty());
    }

    #[test]
    fn endless_words_are_cut() {
        assert_eq!(of(&"x".repeat(10_000)), ["x".repeat(64)]);
    }
}
