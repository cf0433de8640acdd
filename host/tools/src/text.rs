//! Texts that others chose, made fit for an error.

/// The most that an error repeats of what a program or a server said.
pub(crate) const MOST_QUOTED: usize = 8 << 10;

/// The end of the text, where the reason of a failure usually stands.
pub(crate) fn tail(text: &str) -> String {
    let text = text.trim_end();
    if text.len() <= MOST_QUOTED {
        return text.to_owned();
    }
    format!(
        "…{}",
        text.get(text.ceil_char_boundary(text.len() - MOST_QUOTED)..).unwrap_or_default()
    )
}

/// The beginning of the text.
pub(crate) fn head(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    format!("{}…", text.get(..text.floor_char_boundary(most)).unwrap_or_default())
}

/// The one of the names that was probably meant.
pub(crate) fn closest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// The longest word that is compared: the work grows with its square.
    const LONGEST: usize = 64;
    if word.len() > LONGEST {
        return None;
    }
    let distance = |name: &str| strsim::osa_distance(&word.to_lowercase(), &name.to_lowercase());
    let (distance, name) = names
        .into_iter()
        .filter(|name| name.len() <= LONGEST)
        .map(|name| (distance(name), name))
        .min()?;
    (distance <= 1 + word.len() / 4).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        let long = "ä".repeat(MOST_QUOTED);
        assert!(tail(&long).len() <= MOST_QUOTED + '…'.len_utf8());
        assert!(tail(&format!("{long}end\n")).ends_with("äend"));
        assert_eq!(head("äää", 3), "ä…");
        assert_eq!(head("abc", 3), "abc");
    }

    #[test]
    fn near_misses_are_recognised_and_strangers_are_not() {
        let names = ["description", "short", "type"];
        assert_eq!(closest("shrt", names), Some("short"));
        assert_eq!(closest("Descripton", names), Some("description"));
        assert_eq!(closest("elephant", names), None);
        assert_eq!(closest(&"x".repeat(10_000), names), None);
    }
}
