//! Packages that code in a sandbox can import.

use std::fmt;
use std::path::PathBuf;

use async_trait::async_trait;

/// Hears every step that may take a second, in words for people.
pub type Progress<'a> = dyn Fn(&str) + Send + Sync + 'a;

/// Brings packages for a wall that cannot fetch them itself: most walls have no network.
#[async_trait]
pub trait PackageSource: fmt::Debug + Send + Sync {
    /// A folder with the packages that `specs` ask for and all that they require, and nothing else.
    /// Nobody writes to it any more.
    async fn provide(
        &self,
        specs: &[String],
        progress: &Progress<'_>,
    ) -> Result<PathBuf, NoPackages>;
}

/// Why packages could not be had. It is shown to the guest: no path of the host, no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoPackages(pub String);

/// The name of the package that a spec asks for, in its one spelling: `Jinja2[i18n]>=3` is `jinja2`.
///
/// ```
/// use pcm_runtime_api::package_name;
///
/// assert_eq!(package_name("My_Pkg [extra] >= 1"), "my-pkg");
/// ```
pub fn package_name(spec: &str) -> String {
    let is_part =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    let spec = spec.trim();
    let name = spec.find(|letter| !is_part(letter)).and_then(|end| spec.get(..end)).unwrap_or(spec);
    let mut normal = String::with_capacity(name.len());
    for letter in name.chars() {
        match letter {
            '.' | '_' | '-' if normal.ends_with('-') => {}
            '.' | '_' | '-' => normal.push('-'),
            letter => normal.push(letter.to_ascii_lowercase()),
        }
    }
    normal
}
