//! Where a member of a wheel goes.

/// Longer ones could not be opened on every system.
const MAX_PATH: usize = 512;
const MAX_PART: usize = 255;
const MAX_DEPTH: usize = 32;

/// What becomes of a member.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Destination<'a> {
    /// The file of that path.
    File(&'a str),
    /// Nothing: the sandbox has no use for it, or must not have it.
    Nowhere,
    /// The native library of that path.
    Library(&'a str),
    /// The native library of a system that has its own kind of them.
    ForeignLibrary,
}

/// Whether a path stays inside the folder that it is put into, whatever reads it.
pub(super) fn is_inside(path: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && part.len() <= MAX_PART
            && !part.contains(|c: char| c.is_control() || c == '\\' || c == ':')
    };
    path.len() <= MAX_PATH && path.split('/').count() <= MAX_DEPTH && path.split('/').all(is_part)
}

/// Where the member `path` of the wheel with the folder `info` (`….dist-info`) goes. The path is
/// inside.
pub(super) fn destination<'a>(path: &'a str, info: &str) -> Destination<'a> {
    let data = info.strip_suffix(".dist-info").unwrap_or(info);
    let in_data = path
        .strip_prefix(data)
        .and_then(|rest| rest.strip_prefix(".data/"))
        .map(|rest| rest.split_once('/').unwrap_or((rest, "")));
    let path = match in_data {
        // Both are the folder that is on `sys.path`.
        Some(("purelib" | "platlib", "")) => return Destination::Nowhere,
        Some(("purelib" | "platlib", inside)) => inside,
        Some(_) => return Destination::Nowhere, // programs, C headers, files for the system
        None => path,
    };
    let name = path.rsplit('/').next().unwrap_or(path);
    let lower = name.to_ascii_lowercase();
    let suffix = lower.rsplit_once('.').map(|(_, suffix)| suffix);
    if is_library(&lower) {
        return Destination::Library(path);
    }
    if [".pyd", ".dylib", ".dll"].iter().any(|suffix| lower.ends_with(suffix)) {
        return Destination::ForeignLibrary;
    }
    let is_at_top = !path.contains('/');
    let from_installer = path.strip_prefix(info).and_then(|rest| rest.strip_prefix('/'));
    let is_unwanted = (is_at_top && suffix == Some("pth")) // lines that run at every start
        || suffix == Some("pyc") // would run in place of the source that a reader sees
        || path.split('/').any(|part| part == "__pycache__")
        || from_installer.is_some_and(|name| INSTALLERS.contains(&name));
    if is_unwanted { Destination::Nowhere } else { Destination::File(path) }
}

/// What installers write beside a wheel's own files, and signatures that nobody checks.
const INSTALLERS: [&str; 6] =
    ["INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "RECORD.jws", "RECORD.p7s"];

/// `x.so`, `x.so.6`; in small letters.
fn is_library(name: &str) -> bool {
    let is_numbered = name
        .rsplit_once(".so.")
        .is_some_and(|(_, version)| version.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
    is_numbered || name.strip_suffix(".so").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_inside_are_inside() {
        for path in ["a.py", "a/b/c.py", "a-1.dist-info/RECORD", "ü/é.txt", "a/..b", "...", "a b"]
        {
            assert!(is_inside(path), "{path}");
        }
        for path in [
            "",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a/..",
            ".",
            "./a",
            "a//b",
            "a/",
            "..\\..\\x",
            "C:\\x",
            "c:x",
            "a\0b",
            "a\nb",
            &"x".repeat(256),
            &"x/".repeat(300),
            &["x"; 33].join("/"),
        ] {
            assert!(!is_inside(path), "{path:?}");
        }
    }

    #[test]
    fn members_go_where_they_belong() {
        use Destination::{File, ForeignLibrary, Library, Nowhere};
        for (path, expected) in [
            ("a/b.py", File("a/b.py")),
            ("x-1.data/purelib/a/b.py", File("a/b.py")),
            ("x-1.data/platlib/b.py", File("b.py")),
            ("x-1.data/scripts/run", Nowhere),
            ("x-1.data/data/etc/passwd", Nowhere),
            ("x-1.data/headers/x.h", Nowhere),
            ("x-1.data/purelib", Nowhere),
            ("x-1.data/unknown/b.py", Nowhere),
            ("y-1.data/scripts/run", File("y-1.data/scripts/run")),
            ("evil.pth", Nowhere),
            ("evil.PTH", Nowhere),
            ("x-1.data/purelib/evil.pth", Nowhere),
            ("model/weights.pth", File("model/weights.pth")),
            ("a/__pycache__/b.cpython-313.pyc", Nowhere),
            ("a/b.pyc", Nowhere),
            ("a/b.cpython-313-x86_64-linux-gnu.so", Library("a/b.cpython-313-x86_64-linux-gnu.so")),
            ("x.libs/libz.so.1.2", Library("x.libs/libz.so.1.2")),
            ("x-1.data/platlib/a/b.abi3.so", Library("a/b.abi3.so")),
            ("x-1.data/platlib/a.PYD", ForeignLibrary),
            ("x-1.data/scripts/a.so", Nowhere),
            ("a/b.so.py", File("a/b.so.py")),
            ("x-1.dist-info/METADATA", File("x-1.dist-info/METADATA")),
            ("x-1.dist-info/INSTALLER", Nowhere),
            ("x-1.dist-info/licenses/REQUESTED", File("x-1.dist-info/licenses/REQUESTED")),
        ] {
            assert_eq!(destination(path, "x-1.dist-info"), expected, "{path}");
        }
    }
}
