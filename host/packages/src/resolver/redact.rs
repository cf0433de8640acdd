//! What a resolver said, fit for a message: short, and without addresses, credentials or paths.

use super::command::Ended;

/// Enough for the reasons of a conflict.
const MAX_REASON: usize = 1500;

/// The lines of an output that say why, in one.
pub(super) fn reason(ended: &Ended) -> String {
    let lines: Vec<&str> = ended.errors.lines().chain(ended.output.lines()).collect();
    let is_reason = |line: &&&str| {
        let line = line.trim_start();
        ["ERROR:", "error:", "cause:", "hint:", "×", "╰─▶", "Because", "And because"]
            .iter()
            .any(|start| line.starts_with(start))
            || line.contains(" depends on ")
            || line.contains("The user requested ")
    };
    let mut reasons: Vec<&str> = lines.iter().filter(is_reason).copied().collect();
    if reasons.is_empty() {
        reasons = lines.into_iter().rev().filter(|line| !line.trim().is_empty()).take(3).collect();
        reasons.reverse();
    }
    let text = reasons.iter().map(|line| line.trim()).collect::<Vec<_>>().join("; ");
    let text = without_addresses(&text);
    match text.char_indices().nth(MAX_REASON) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None if text.is_empty() => "nothing".to_owned(),
        None => text,
    }
}

/// Replaces what could be an address, a host, a credential or a path, and takes out control
/// characters, which could command a terminal.
pub(crate) fn without_addresses(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words: Vec<&str> = plain.split(' ').filter(|word| !word.is_empty()).collect();
    let mut shown = Vec::with_capacity(words.len());
    for (at, word) in words.iter().enumerate() {
        let after_at = at.checked_sub(1).and_then(|before| words.get(before)) == Some(&"@");
        if after_at || is_address(word) {
            shown.push("<address>");
        } else {
            shown.push(word);
        }
    }
    shown.join(" ")
}

fn is_address(word: &str) -> bool {
    let inner = word.trim_matches(|c: char| "'\"`()[]{}<>,;:".contains(c));
    word.contains("://")
        || inner.contains('/')
        || (inner.contains('@') && inner.len() > 1)
        || word.contains("host=")
        || word.contains("port=")
        || is_host(inner)
}

/// `index.example`, but neither a version nor a file or module name that ends a sentence: three
/// parts and more, or a port.
fn is_host(word: &str) -> bool {
    let (name, port) = word.split_once(':').unwrap_or((word, ""));
    let parts: Vec<&str> = name.split('.').collect();
    let is_label = |part: &&str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let ends_as_host = parts
        .last()
        .is_some_and(|last| last.len() > 1 && last.bytes().all(|b| b.is_ascii_alphabetic()));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (parts.len() > 1 || is_number(port))
        && parts.iter().all(is_label)
        && (is_number(port) || (parts.len() > 2 && ends_as_host && parts.last() != Some(&"whl")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_credentials_and_paths_are_replaced() {
        for (text, expected) in [
            (
                "Looking in indexes: https://user:secret@host/simple",
                "Looking in indexes: <address>",
            ),
            ("at `https://host/x.whl`, twice", "at <address> twice"),
            ("HTTPSConnectionPool(host='index.corp', port=443): Max", "<address> <address> Max"),
            ("with url: /simple/attrs/ (Caused", "with url: <address> (Caused"),
            ("Looking in links: /opt/wheels", "Looking in links: <address>"),
            ("user:secret@host failed", "<address> failed"),
            ("x @ y", "x @ <address>"),
            ("resolve 'index.corp.example'", "resolve <address>"),
            ("connect to localhost:3141", "connect to <address>"),
            ("a\u{1b}[31mred\nline", "a [31mred line"),
        ] {
            assert_eq!(without_addresses(text), expected);
        }
    }

    #[test]
    fn what_tells_the_reason_stays() {
        for text in [
            "Could not find a version that satisfies the requirement numpy>=99 (from versions: none)",
            "Because all versions of markupsafe have no usable wheels and jinja2>=2.8,<=2.8.1 depends",
            "jinja2 2.11.1 depends on MarkupSafe>=0.23",
            "zope.interface 8.7 needs python 3.13.5.",
        ] {
            assert_eq!(without_addresses(text), text);
        }
    }

    #[test]
    fn a_reason_is_short_and_found_among_other_lines() {
        let ended = |errors: String| Ended { success: false, output: String::new(), errors };
        let text = "WARNING: x\nERROR: No matching distribution found for numpy\nmore\n".to_owned();
        assert_eq!(reason(&ended(text)), "ERROR: No matching distribution found for numpy");
        assert_eq!(reason(&ended("a\n\nb\nc\nd\n".to_owned())), "b; c; d");
        assert_eq!(reason(&ended(String::new())), "nothing");
        let flood = format!("ERROR: {}", "é".repeat(100_000));
        assert_eq!(reason(&ended(flood)).chars().count(), MAX_REASON + 1);
    }
}
