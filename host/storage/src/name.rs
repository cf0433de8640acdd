//! Names of workflows, artifacts and workspaces: what is taken, decided once for all stores.

use std::fmt;
use std::str::FromStr;

use pcm_fences::{Fence, holds};
use serde::{Serialize, Serializer};

use crate::StorageError;
use crate::error::shortened;

const MAX_WORKFLOW_NAME: usize = 128;
const MAX_WORKSPACE_ID: usize = 128;
const MAX_ARTIFACT_NAME: usize = 1024;
const MAX_SEGMENT: usize = 255;
const MAX_SEGMENTS: usize = 32;

/// What `workflows.NAME` means something else for.
const RESERVED: [&str; 6] = ["list", "search", "get", "invoke", "create", "delete"];

/// What the stores keep for themselves: the index, its lock and files that are being written, in
/// folders; the index, in Redis.
const OWN_FILES: &str = ".artifacts.";
const OWN_KEY: &str = "__index__";

macro_rules! name {
    ($type:ident, $check:path) => {
        impl FromStr for $type {
            type Err = StorageError;

            fn from_str(text: &str) -> Result<Self, StorageError> {
                $check(text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, formatter)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}

/// The name of a workflow: an identifier of Python in ASCII that does not begin with `_` and is no
/// method of `workflows`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkflowName(String);

name!(WorkflowName, check_workflow);

/// The name of an artifact: one segment, or several with `/` between them. It is the same in every
/// store, so that what was saved in one can be moved to another.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ArtifactName(String);

name!(ArtifactName, check_artifact);

impl ArtifactName {
    /// Whether it is parsed as JSON when it is loaded, however it was saved.
    pub(crate) fn is_json(&self) -> bool {
        self.0.strip_suffix(".json").is_some()
    }

    /// The folder that it is in, below that of all artifacts, and its name there.
    pub(crate) fn split(&self) -> (Option<&str>, &str) {
        match self.0.rsplit_once('/') {
            Some((folder, name)) => (Some(folder), name),
            None => (None, &self.0),
        }
    }
}

/// The name of a scope of workflows and artifacts: letters, digits, `-` and `_`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkspaceId(String);

name!(WorkspaceId, check_workspace);

/// Whether a name in a folder of artifacts is the store's own.
pub(crate) fn is_own_file(name: &str) -> bool {
    name.starts_with(OWN_FILES)
}

fn check_workflow(text: &str) -> Result<(), StorageError> {
    if !holds(Fence::WorkflowNames) {
        return Ok(());
    }
    let refused = |reason: &str| Err(refused("a workflow's name", text, reason));
    let Some(first) = text.chars().next() else {
        return refused("it is empty");
    };
    if text.len() > MAX_WORKFLOW_NAME {
        return refused(&format!("it is longer than {MAX_WORKFLOW_NAME} characters"));
    }
    if first.is_ascii_digit() {
        return refused("an identifier does not begin with a digit");
    }
    if let Some(other) = text.chars().find(|&char| !char.is_ascii_alphanumeric() && char != '_') {
        return refused(&format!("{other:?} is not a letter, a digit or '_'"));
    }
    if first == '_' {
        return refused("names that begin with '_' are not listed");
    }
    if RESERVED.contains(&text) {
        return refused(&format!("workflows.{text} is a method"));
    }
    Ok(())
}

fn check_artifact(text: &str) -> Result<(), StorageError> {
    if !holds(Fence::ArtifactNames) {
        return Ok(());
    }
    let refused = |reason: &str| Err(refused("an artifact's name", text, reason));
    if text.is_empty() {
        return refused("it is empty");
    }
    if text.len() > MAX_ARTIFACT_NAME {
        return refused(&format!("it is longer than {MAX_ARTIFACT_NAME} bytes"));
    }
    if let Some(control) = text.chars().find(|char| char.is_control()) {
        return refused(&format!("it has the control character {control:?}"));
    }
    if text.contains('\\') {
        return refused("segments are separated by '/', and '\\' is not taken");
    }
    if text.starts_with('/') {
        return refused("it is absolute; a name is relative to the artifacts");
    }
    for (count, segment) in text.split('/').enumerate() {
        match segment {
            "" => return refused("a segment is empty"),
            "." => return refused("a segment is '.'"),
            ".." => return refused("a segment is '..': it leads out of the artifacts"),
            _ if segment.len() > MAX_SEGMENT => {
                return refused(&format!("a segment is longer than {MAX_SEGMENT} bytes"));
            }
            _ if is_own_file(segment) => {
                return refused(&format!("segments that begin with {OWN_FILES:?} are the store's"));
            }
            _ if count >= MAX_SEGMENTS => {
                return refused(&format!("it has more than {MAX_SEGMENTS} segments"));
            }
            _ => {}
        }
    }
    if text == OWN_KEY {
        return refused("the name is the store's own");
    }
    Ok(())
}

fn check_workspace(text: &str) -> Result<(), StorageError> {
    let refused = |reason: &str| Err(refused("a workspace's id", text, reason));
    if text.is_empty() {
        return refused("it is empty");
    }
    if text.len() > MAX_WORKSPACE_ID {
        return refused(&format!("it is longer than {MAX_WORKSPACE_ID} characters"));
    }
    let is_taken = |char: char| char.is_ascii_alphanumeric() || char == '_' || char == '-';
    match text.chars().find(|&char| !is_taken(char)) {
        Some(other) => refused(&format!("{other:?} is not a letter, a digit, '-' or '_'")),
        None => Ok(()),
    }
}

fn refused(what: &'static str, text: &str, reason: &str) -> StorageError {
    StorageError::Name { what, text: shortened(text), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reason<T: FromStr<Err = StorageError>>(text: &str) -> Option<String> {
        let error = text.parse::<T>().err()?;
        assert_eq!(error.error_type(), "ValueError");
        Some(error.to_string())
    }

    #[test]
    fn identifiers_name_workflows() {
        for name in ["a", "fetch_page", "X9", "list_all", &"n".repeat(128)] {
            assert_eq!(reason::<WorkflowName>(name), None);
        }
    }

    #[test]
    fn what_is_no_identifier_or_a_method_names_no_workflow() {
        let long = "n".repeat(129);
        let refused = [
            "", "a-b", "../x", "a.b", "9a", "_a", "a b", "a\n", "a\0", "é", "list", "search",
            "get", "invoke", "create", "delete", &long,
        ];
        for name in refused {
            assert!(reason::<WorkflowName>(name).is_some(), "{name:?}");
        }
    }

    #[test]
    fn relative_paths_name_artifacts() {
        let long = format!("{}/{}", "a".repeat(255), "b".repeat(255));
        for name in ["a", "scans/nmap.json", "Ünïcödé ☃", ".hidden", "a..b", "...", "a b", &long]
        {
            assert_eq!(reason::<ArtifactName>(name), None, "{name:?}");
        }
    }

    #[test]
    fn what_leads_out_of_the_artifacts_or_into_the_stores_files_names_none() {
        let segment = "a".repeat(256);
        let total = "a/".repeat(600) + "a";
        let deep = "a/".repeat(40) + "a";
        let refused = [
            "",
            "/",
            "/etc/passwd",
            "..",
            "../x",
            "a/../../x",
            "a/..",
            "a//b",
            "a/",
            ".",
            "./a",
            "a/.",
            "a\0b",
            "a\nb",
            "a\u{85}b",
            "..\\x",
            ".artifacts.json",
            "a/.artifacts.json",
            ".artifacts.lock",
            ".artifacts.json/x",
            "__index__",
            &segment,
            &total,
            &deep,
        ];
        for name in refused {
            assert!(reason::<ArtifactName>(name).is_some(), "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn what_names_an_artifact_stays_below_its_folder(text in "[a./\\\\\\x00_~ é-]{0,12}") {
            if let Ok(name) = text.parse::<ArtifactName>() {
                let path = std::path::Path::new(name.as_str());
                let is_plain = |part| matches!(part, std::path::Component::Normal(_));
                prop_assert!(path.components().all(is_plain), "{name}");
                prop_assert_eq!(path.components().count(), name.as_str().split('/').count());
            }
        }
    }

    #[test]
    fn a_refusal_says_why() {
        let said = reason::<ArtifactName>("../../etc/passwd");
        assert!(said.is_some_and(|said| said.contains("leads out")));
        let said = reason::<WorkflowName>("a-b");
        assert!(said.is_some_and(|said| said.contains("'-' is not a letter")));
    }

    #[test]
    fn a_workspace_has_letters_digits_and_two_signs() {
        for id in ["client_a", "A-1", &"w".repeat(128)] {
            assert_eq!(reason::<WorkspaceId>(id), None);
        }
        let long = "w".repeat(129);
        for id in ["", ".", "..", "../escape", "bad/name", "bad:name", "a\n", "é", "a b", &long] {
            assert!(reason::<WorkspaceId>(id).is_some(), "{id:?}");
        }
    }
}
