//! Names: what is taken for one is harmless wherever it goes, and is read as the same again.

use std::fmt::{Debug, Display};
use std::path::{Component, Path};
use std::str::FromStr;

use pcm_middleware::{NameGlob, Rate};
use pcm_network::HostRule;
use pcm_packages::Requirement;
use pcm_storage::{ArtifactName, DepSpec, WorkflowName, WorkspaceId};
use pcm_tools::ToolPath;

/// The longest message about a name that is none.
const MOST_MESSAGE: usize = 4096;

/// Every kind of name.
pub fn names(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(name) = read::<ToolPath>(text) {
        assert_eq!(name.to_string(), text);
        assert!(text.split('.').all(is_word), "a tool {text:?}");
    }
    if let Some(name) = read::<WorkflowName>(text) {
        assert_eq!(name.as_str(), text);
        assert!(is_word(text), "a workflow {text:?}");
    }
    if let Some(name) = read::<WorkspaceId>(text) {
        assert_eq!(name.as_str(), text);
        let parts: Vec<_> = Path::new(text).components().collect();
        assert!(matches!(parts.as_slice(), [Component::Normal(_)]), "a workspace {text:?}");
    }
    if let Some(name) = read::<ArtifactName>(text) {
        assert_eq!(name.as_str(), text);
        let mut parts = Path::new(text).components();
        let within = parts.all(|part| matches!(part, Component::Normal(_)));
        assert!(within && !text.contains(['\0', '\n', '\\']), "an artifact {text:?}");
    }
    if let Some(spec) = read::<DepSpec>(text) {
        dep(&spec);
    }
    if let Some(requirement) = read::<Requirement>(text) {
        let again = requirement.to_string().parse::<Requirement>();
        assert_eq!(again.as_ref().ok(), Some(&requirement));
        assert!(!requirement.to_string().contains(['\n', '\0', '@']), "{requirement}");
    }
    if let Some(rule) = read::<HostRule>(text) {
        let again = rule.to_string().parse::<HostRule>();
        assert_eq!(again.as_ref().ok(), Some(&rule), "{rule}");
    }
    if let Some(glob) = read::<NameGlob>(text) {
        assert_eq!(glob.as_str(), text);
        assert!(text.contains('*') || glob.matches(text), "{text:?} is not itself");
    }
    _ = read::<Rate>(text);
}

/// Reads it. A text that is refused is told of with a short message on one line.
fn read<T>(text: &str) -> Option<T>
where
    T: FromStr<Err: Display> + Debug,
{
    match text.parse() {
        Ok(name) => Some(name),
        Err(error) => {
            let message = T::Err::to_string(&error);
            let length = message.len();
            assert!(length <= MOST_MESSAGE.max(2 * text.len()), "a message of {length} bytes");
            None
        }
    }
}

fn dep(spec: &DepSpec) {
    let text = spec.as_str();
    assert!(!text.contains([';', '|', '&', '`', '$', '\n', '\r', '\0', '@']), "{text:?}");
    assert!(text.starts_with(spec.name()) && !text.starts_with('-'), "{text:?}");
    assert!(text.chars().count() <= 256, "{} characters", text.len());
    let again = text.parse::<DepSpec>();
    assert_eq!(again.as_ref().ok(), Some(spec));
}

/// What Python and every file system take for a name.
fn is_word(word: &str) -> bool {
    let first = word.starts_with(|char: char| char.is_ascii_alphabetic());
    first && word.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
}
