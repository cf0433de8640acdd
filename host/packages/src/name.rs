//! Names of distributions, and of the files they come in.

use std::fmt;

use pcm_runtime_api::package_name;

/// No distribution on an index comes near it.
const MAX_NAME: usize = 128;
const MAX_VERSION: usize = 64;
/// What file systems take. It also bounds how many tags a wheel has.
const MAX_FILE: usize = 255;

/// The one spelling of a name (PEP 503), or None for what cannot be a name.
pub(crate) fn normalised(name: &str) -> Option<String> {
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    let is_name = bytes.len() <= MAX_NAME
        && is_end(bytes.first())
        && is_end(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte));
    is_name.then(|| package_name(name))
}

/// Whether a text can stand for a version in a file name or in a line of the terminal.
pub(crate) fn is_version(text: &str) -> bool {
    text.len() <= MAX_VERSION
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".+!_-".contains(&byte))
}

/// What the name of a wheel says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WheelName {
    /// The file name itself.
    file: String,
    /// The distribution, normalised.
    pub(crate) name: String,
    pub(crate) version: String,
    python: String,
    abi: String,
    platform: String,
}

/// One of the things that a wheel is for: its name may list several of each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tags<'a> {
    pub(crate) python: &'a str,
    pub(crate) abi: &'a str,
    pub(crate) platform: &'a str,
}

impl WheelName {
    /// Reads `name-version[-build]-python-abi-platform.whl`.
    pub(crate) fn parse(file: &str) -> Option<Self> {
        let parts: Vec<&str> = file.strip_suffix(".whl")?.split('-').collect();
        let ([name, version, python, abi, platform] | [name, version, _, python, abi, platform]) =
            parts.as_slice()
        else {
            return None;
        };
        let is_tag = |tag: &str| {
            !tag.is_empty() && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b"._".contains(&b))
        };
        let is_build = |tag: &str| tag.starts_with(|first: char| first.is_ascii_digit());
        if parts.len() == 6 && !parts.get(2).is_some_and(|build| is_build(build)) {
            return None;
        }
        if file.len() > MAX_FILE
            || !is_version(version)
            || !parts.iter().skip(2).all(|tag| is_tag(tag))
        {
            return None;
        }
        Some(Self {
            file: file.to_owned(),
            name: normalised(name)?,
            version: (*version).to_owned(),
            python: (*python).to_owned(),
            abi: (*abi).to_owned(),
            platform: (*platform).to_owned(),
        })
    }

    /// Everything that it is for.
    pub(crate) fn tags(&self) -> impl Iterator<Item = Tags<'_>> {
        self.platform.split('.').flat_map(move |platform| {
            self.abi.split('.').flat_map(move |abi| {
                self.python.split('.').map(move |python| Tags { python, abi, platform })
            })
        })
    }

    /// Whether it is for every platform: without native code, unless it lies.
    pub(crate) fn is_pure(&self) -> bool {
        self.tags().any(|tags| tags.platform == "any" && tags.abi == "none")
    }
}

impl fmt::Display for WheelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_spelling() {
        for name in ["Zope.Interface", "zope-interface", "zope__interface", "ZOPE-_.interface"] {
            assert_eq!(normalised(name).as_deref(), Some("zope-interface"));
        }
        for name in ["", "-x", "x-", "a b", "a/b", "..", "ünicode", &"x".repeat(129)] {
            assert_eq!(normalised(name), None, "{name}");
        }
    }

    #[test]
    fn a_wheel_says_whether_it_is_pure() {
        for (file, pure) in [
            ("attrs-26.1.0-py3-none-any.whl", true),
            ("six-1.17.0-py2.py3-none-any.whl", true),
            ("x-1-1build-py3-none-any.whl", true),
            ("x-1-cp313-none-any.whl", true),
            ("MarkupSafe-3.0.4-cp313-cp313-manylinux2014_x86_64.manylinux_2_17_x86_64.whl", false),
            ("x-1-py3-none-manylinux2014_x86_64.whl", false),
            ("x-1-cp313-cp313-any.whl", false),
            ("x-1-py3-none-pyemscripten_2026_0_wasm32.any.whl", true),
        ] {
            assert_eq!(WheelName::parse(file).map(|wheel| wheel.is_pure()), Some(pure), "{file}");
        }
    }

    #[test]
    fn other_files_are_no_wheels() {
        for file in [
            "attrs-26.1.0.tar.gz",
            "attrs-py3-none-any.whl",
            "a/b-1-py3-none-any.whl",
            "../x-1-py3-none-any.whl",
            "x-1/../..-py3-none-any.whl",
            "x-1-py3-none-a/ny.whl",
            "x--py3-none-any.whl",
            "x-1-py3--any.whl",
            "-1-py3-none-any.whl",
            "x-1-build-py3-none-any.whl",
            &format!("x-1-py3-none-{}.whl", "any.".repeat(100) + "any"),
        ] {
            assert_eq!(WheelName::parse(file), None, "{file}");
        }
    }
}
