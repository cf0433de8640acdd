//! Which Python packages are resolved for, and which wheels it loads.

use crate::name::{Tags, WheelName};

/// The Python that shall import the packages.
///
/// A wheel says in its name what it is for, as `name-version-python-abi-platform.whl`; a target says
/// which of those fit. Markers of requirements have the values of Emscripten for every target: it is
/// the platform by whose name packages know Python in WebAssembly, and leaves out what needs
/// processes and threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Target {
    /// CPython 3.13 of the wasm backend, which loads no native code: wheels for every platform, as
    /// `py3-none-any`.
    #[default]
    Wasi,
    /// CPython 3.14 of Pyodide 314, in the deno-sandbox backend: those, and native wheels for
    /// `pyemscripten_2026_0_wasm32`, or `pyodide_2026_0_wasm32` as the same platform was called
    /// before it was agreed upon; for `cp314`, or for `abi3` of any version up to that.
    Pyodide,
}

/// The platform of a native wheel for Pyodide, under its names, the better first. uv and Pyodide's own
/// installer know both.
const PYODIDE_PLATFORMS: [&str; 2] = ["pyemscripten_2026_0_wasm32", "pyodide_2026_0_wasm32"];

/// Ranks of wheels, the best lowest; in between are the versions of Python.
const OF_THIS_VERSION: u32 = 0;
const OF_THE_STABLE_ABI: u32 = 1000;
const WITHOUT_ABI: u32 = 2000;
const PURE: u32 = 3000;
/// A name of the platform that is the second best.
const OLD_NAME: u32 = 500;

impl Target {
    /// The version of Python, as `3.13`.
    pub fn python(self) -> &'static str {
        match self {
            Self::Wasi => "3.13",
            Self::Pyodide => "3.14",
        }
    }

    /// The version of Python in markers.
    pub(crate) fn full_python(self) -> &'static str {
        match self {
            Self::Wasi => "3.13.0",
            Self::Pyodide => "3.14.2",
        }
    }

    /// The tag that a wheel should have, for the name of one that somebody makes: the most specific.
    pub fn wheel_tag(self) -> &'static str {
        match self {
            Self::Wasi => "py3-none-any",
            Self::Pyodide => "cp314-cp314-pyemscripten_2026_0_wasm32",
        }
    }

    /// The platforms of native wheels that it loads, the better first.
    pub(crate) fn platforms(self) -> &'static [&'static str] {
        match self {
            Self::Wasi => &[],
            Self::Pyodide => &PYODIDE_PLATFORMS,
        }
    }

    fn minor(self) -> u32 {
        match self {
            Self::Wasi => 13,
            Self::Pyodide => 14,
        }
    }

    /// Whether it loads the wheel, by its name.
    pub(crate) fn fits(self, wheel: &WheelName) -> bool {
        self.rank(wheel).is_some()
    }

    /// How well the wheel fits, less is better; None if it does not.
    pub(crate) fn rank(self, wheel: &WheelName) -> Option<u32> {
        wheel.tags().filter_map(|tags| self.rank_of(tags)).min()
    }

    fn rank_of(self, tags: Tags<'_>) -> Option<u32> {
        let place = self.platforms().iter().position(|platform| *platform == tags.platform);
        let offset = match (tags.platform, place) {
            ("any", _) => PURE,
            (_, Some(0)) => 0,
            (_, Some(_)) => OLD_NAME,
            (_, None) => return None,
        };
        let python = Python::parse(tags.python)?;
        let age = self.minor().checked_sub(python.minor.unwrap_or(self.minor()))?;
        let is_this = python.is_cpython && age == 0 && python.minor.is_some();
        let rank = match tags.abi {
            "none" if is_this => WITHOUT_ABI,
            // `py3` comes after `py314`, before `py313`.
            "none" if !python.is_cpython => {
                WITHOUT_ABI + 1 + 2 * age + u32::from(python.minor.is_none())
            }
            _ if tags.platform == "any" => return None,
            "abi3" if python.is_cpython && python.minor.is_some_and(|minor| minor >= 2) => {
                OF_THE_STABLE_ABI + age
            }
            abi if is_this && abi == tags.python => OF_THIS_VERSION,
            _ => return None,
        };
        Some(rank + offset)
    }

    /// Why a wheel does not fit; None if it does.
    pub(crate) fn misfit(self, wheel: &WheelName) -> Option<String> {
        if self.fits(wheel) {
            return None;
        }
        let (mut platforms, mut others) = (Vec::new(), Vec::new());
        for tags in wheel.tags() {
            if tags.platform != "any" && !self.platforms().contains(&tags.platform) {
                platforms.push(tags.platform);
            } else {
                others.push(format!("{}-{}", tags.python, tags.abi));
            }
        }
        let (given, ours) = if others.is_empty() {
            platforms.dedup();
            let ours = match self {
                Self::Wasi => "any",
                Self::Pyodide => "pyemscripten_2026_0_wasm32 or any",
            };
            (platforms.join("."), ours)
        } else {
            let ours = match self {
                Self::Wasi => "py3-none",
                Self::Pyodide => "cp314-cp314, abi3 of that or an older version, or py3-none",
            };
            (others.join(", "), ours)
        };
        Some(format!("it is for {given}, not {ours}"))
    }
}

/// `cp314`, `py3`, `py314`.
struct Python {
    is_cpython: bool,
    /// Of Python 3.
    minor: Option<u32>,
}

impl Python {
    fn parse(tag: &str) -> Option<Self> {
        let (is_cpython, minor) = match (tag.strip_prefix("cp3"), tag.strip_prefix("py3")) {
            (Some(minor), _) => (true, minor),
            (None, Some(minor)) => (false, minor),
            (None, None) => return None,
        };
        let minor = if minor.is_empty() {
            None
        } else {
            Some(minor.parse().ok().filter(|_| minor.bytes().all(|byte| byte.is_ascii_digit()))?)
        };
        Some(Self { is_cpython, minor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rank(target: Target, tag: &str) -> Option<u32> {
        target.rank(&WheelName::parse(&format!("x-1-{tag}.whl"))?)
    }

    #[test]
    fn on_wasi_only_pure_wheels_fit() {
        for tag in ["py3-none-any", "py2.py3-none-any", "py313-none-any", "cp313-none-any"] {
            assert!(rank(Target::Wasi, tag).is_some(), "{tag}");
        }
        for tag in [
            "py2-none-any",
            "py314-none-any",
            "cp312-none-any",
            "cp313-cp313-any",
            "cp38-abi3-any",
            "cp313-cp313-manylinux2014_x86_64",
            "cp313-cp313-pyemscripten_2026_0_wasm32",
            "py3-none-pyodide_2026_0_wasm32",
        ] {
            assert_eq!(rank(Target::Wasi, tag), None, "{tag}");
        }
    }

    #[test]
    fn on_pyodide_the_most_specific_wheel_is_the_best() {
        let tags = [
            "cp314-cp314-pyemscripten_2026_0_wasm32",
            "cp314-cp314-pyodide_2026_0_wasm32",
            "cp314-abi3-pyemscripten_2026_0_wasm32",
            "cp39-abi3-pyemscripten_2026_0_wasm32",
            "cp39-abi3-pyodide_2026_0_wasm32",
            "cp314-none-pyemscripten_2026_0_wasm32",
            "py3-none-pyemscripten_2026_0_wasm32",
            "py3-none-pyodide_2026_0_wasm32",
            "cp314-none-any",
            "py314-none-any",
            "py2.py3-none-any",
            "py313-none-any",
        ];
        let ranks: Vec<Option<u32>> = tags.iter().map(|tag| rank(Target::Pyodide, tag)).collect();
        assert!(ranks.iter().all(Option::is_some), "{ranks:?}");
        assert!(ranks.is_sorted_by(|a, b| a < b), "{ranks:?}");
    }

    #[test]
    fn on_pyodide_wheels_for_other_platforms_do_not_fit() {
        for tag in [
            "cp314-cp314-pyemscripten_2025_0_wasm32",
            "cp314-cp314-pyemscripten_2026_0_wasm64",
            "cp314-cp314-emscripten_4_0_9_wasm32",
            "cp314-cp314-manylinux2014_x86_64",
            "cp314-cp314-wasi_0_0_0_wasm32",
            "cp313-cp313-pyemscripten_2026_0_wasm32",
            "cp315-abi3-pyemscripten_2026_0_wasm32",
            "cp314-cp314t-pyemscripten_2026_0_wasm32",
            "cp313-cp314-pyemscripten_2026_0_wasm32",
            "cp313-none-pyemscripten_2026_0_wasm32",
            "cp3-abi3-pyemscripten_2026_0_wasm32",
            "pp311-abi3-pyemscripten_2026_0_wasm32",
            "py315-none-any",
            "cp3+14-cp3+14-pyemscripten_2026_0_wasm32",
        ] {
            assert_eq!(rank(Target::Pyodide, tag), None, "{tag}");
        }
    }

    #[test]
    fn what_does_not_fit_is_said_in_the_words_of_its_tag() {
        let misfit = |target: Target, tag: &str| {
            WheelName::parse(&format!("x-1-{tag}.whl")).and_then(|wheel| target.misfit(&wheel))
        };
        assert_eq!(misfit(Target::Pyodide, Target::Pyodide.wheel_tag()), None);
        assert_eq!(misfit(Target::Wasi, Target::Wasi.wheel_tag()), None);
        assert_eq!(
            misfit(Target::Pyodide, "cp314-cp314-manylinux1_x86_64.manylinux2014_x86_64")
                .as_deref(),
            Some(
                "it is for manylinux1_x86_64.manylinux2014_x86_64, not pyemscripten_2026_0_wasm32 or any"
            )
        );
        assert_eq!(
            misfit(Target::Pyodide, "cp313-cp313-pyemscripten_2026_0_wasm32").as_deref(),
            Some(
                "it is for cp313-cp313, not cp314-cp314, abi3 of that or an older version, or py3-none"
            )
        );
        assert_eq!(
            misfit(Target::Wasi, "cp314-cp314-pyemscripten_2026_0_wasm32").as_deref(),
            Some("it is for pyemscripten_2026_0_wasm32, not any")
        );
    }
}
