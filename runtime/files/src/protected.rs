//! Names that a writable mount keeps from being written.

use pcm_fences::{Fence, holds};

/// Files and folders whose content the host may run or obey later without being asked: hooks and
/// configuration of version control, shells, editors, package managers and coding agents. Nothing
/// with such a name, and nothing below it, can be written, made, moved or deleted in a writable
/// mount. Reading is allowed.
///
/// The rule is about the names in a path at the moment of use, after symbolic links were resolved.
/// Moving a folder that *holds* such a name is allowed and gives nothing: what is in it has the
/// name in its path wherever the folder is.
///
/// It is a fence around what runs by itself, not around everything that may be run: a `Makefile`,
/// a `package.json` or a bare repository that sandboxed code leaves in the folder is run when
/// somebody runs it. An overlay keeps such things from the host altogether.
pub const PROTECTED_NAMES: [&str; 24] = [
    ".bash_profile",
    ".bashrc",
    ".claude",
    ".cursor",
    ".envrc",
    ".git",
    ".gitconfig",
    ".gitmodules",
    ".hg",
    ".husky",
    ".idea",
    ".mcp.json",
    ".npmrc",
    ".profile",
    ".pypirc",
    ".ssh",
    ".svn",
    ".vscode",
    ".zlogin",
    ".zlogout",
    ".zprofile",
    ".zshenv",
    ".zshrc",
    "git~1", // the short name of `.git` on file systems that have short names
];

/// Whether a component of `path` is a protected name.
pub(crate) fn is_protected(path: &str) -> bool {
    holds(Fence::Protected)
        && path.split('/').any(|name| {
            let name = folded(name);
            PROTECTED_NAMES.contains(&name.as_str())
        })
}

/// The name as a forgiving file system would compare it: without regard to case, to characters that
/// are ignored, and to dots and spaces at the end.
fn folded(name: &str) -> String {
    let folded: String = name
        .chars()
        .filter(|character| !is_ignored(*character))
        .flat_map(char::to_uppercase) // first up: the long s has no other way to an s
        .flat_map(char::to_lowercase)
        .collect();
    // An alternate data stream names the file before the colon.
    let folded = folded.split(':').next().unwrap_or_default();
    folded.trim_end_matches(['.', ' ']).to_owned()
}

/// Unicode's default-ignorable characters, which case-insensitive file systems skip.
fn is_ignored(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_protected_name_is_found_anywhere_in_a_path() {
        for path in [
            ".git",
            "a/.git/hooks/pre-commit",
            ".GIT",
            ".Git/config",
            "x/.vscode/tasks.json",
            ".mcp.json",
            ".\u{200c}git",
            ".gi\u{feff}t/hooks",
            ".\u{17f}\u{17f}h/authorized_keys",
            ".git.",
            ".git ",
            ".git::$INDEX_ALLOCATION",
            "GIT~1",
        ] {
            assert!(is_protected(path), "{path:?}");
        }
        for path in ["", "git", ".github/workflows", ".gitignore", "a.git", ".gitx", "bashrc"] {
            assert!(!is_protected(path), "{path:?}");
        }
    }

    #[test]
    fn the_table_is_folded_and_sorted() {
        assert!(PROTECTED_NAMES.is_sorted());
        assert!(PROTECTED_NAMES.iter().all(|name| folded(name) == *name));
    }
}
