//! Paths that lie in a folder.

use pcm_fences::{Fence, holds};

use super::text_glob::leads_back;

/// A folder that paths may be within, relative or absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folder {
    source: String,
    is_absolute: bool,
    parts: Vec<String>,
}

impl Folder {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let Some((is_absolute, parts)) = parts_of(text) else {
            return Err(format!(
                "{text:?} is no folder: it leads out of where it begins, or has a character that paths \
                 here do not have (`\\`, a colon or `~` at the beginning, a control character)"
            ));
        };
        let parts = parts.into_iter().map(ToOwned::to_owned).collect();
        Ok(Self { source: text.to_owned(), is_absolute, parts })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether `path` is the folder or lies in it, `..` resolved. None where nobody can say: the path
    /// begins elsewhere, leads out of where it begins, or reads differently on different systems.
    pub(super) fn holds(&self, path: &str) -> Option<bool> {
        if !holds(Fence::Within) {
            return Some(path.starts_with(&self.source));
        }
        let (is_absolute, parts) = parts_of(path)?;
        if path.is_empty() || is_absolute != self.is_absolute {
            return None;
        }
        Some(parts.len() >= self.parts.len() && parts.iter().zip(&self.parts).all(|(a, b)| a == b))
    }
}

/// The parts of a path without `.` and `..`.
fn parts_of(path: &str) -> Option<(bool, Vec<&str>)> {
    let is_strange = path.contains(|one: char| one == '\\' || one.is_control())
        || path.starts_with('~')
        // For those who decode it.
        || (path.contains('%') && leads_back(path))
        // A drive, or a scheme.
        || path.split('/').next().is_some_and(|first| first.contains(':'));
    if is_strange {
        return None;
    }
    let is_absolute = path.starts_with('/');
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some((is_absolute, parts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_is_judged_by_where_it_leads() -> Result<(), String> {
        let data = Folder::parse("data/")?;
        for (path, expected) in [
            ("data", Some(true)),
            ("data/x.csv", Some(true)),
            ("./data//x/../y", Some(true)),
            ("other/../data/x", Some(true)),
            ("data2/x", Some(false)),
            ("Data/x", Some(false)),
            ("data/../secrets", Some(false)),
            ("data/..", Some(false)),
            ("data/../../etc/passwd", None),
            ("../data/x", None),
            ("/data/x", None),
            ("//data/x", None),
            ("~/data", None),
            ("C:/data", None),
            ("file:data", None),
            ("data\\..\\..\\x", None),
            ("data/\u{0}", None),
            ("data/%2e%2E/x", None),
            ("data/..%2fx", None),
            ("data/100%", Some(true)),
            ("", None),
        ] {
            assert_eq!(data.holds(path), expected, "{path:?}");
        }
        let absolute = Folder::parse("/srv/data")?;
        assert_eq!(absolute.holds("/srv/data/x"), Some(true));
        assert_eq!(absolute.holds("/srv/data/../x"), Some(false));
        assert_eq!(absolute.holds("/../srv/data/x"), None);
        assert_eq!(absolute.holds("srv/data/x"), None);
        Ok(())
    }

    #[test]
    fn a_folder_that_leads_out_is_none() {
        for text in ["..", "data/../..", "~", "a\\b", "c:/"] {
            assert!(Folder::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_lies_within_stays_within(path in "(data|\\.\\.|\\.|x|/){0,12}") {
            let folder = Folder::parse("data");
            let inside = folder.is_ok_and(|folder| folder.holds(&path) == Some(true));
            // The same by counting: after every step the path is below its beginning, and at the
            // end it is below `data`.
            let mut at: Vec<&str> = Vec::new();
            let mut left = path.starts_with('/');
            for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
                if part == ".." { left |= at.pop().is_none(); } else { at.push(part); }
            }
            prop_assert_eq!(inside, !left && at.first() == Some(&"data"));
        }
    }
}
