//! A base image of this machine's own Debian: the files of Python and of all that it needs, for machines that
//! reach no registry.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ContainerError;
use crate::tarball::Tarball;

/// What it has, and all that they depend on.
const PACKAGES: [&str; 10] = [
    "base-files",
    "bash",
    "ca-certificates",
    "coreutils",
    "dash",
    "grep",
    "libc-bin",
    "libgcc-s1",
    "libstdc++6",
    "python3",
];
/// What nothing in an image reads.
const LEFT_OUT: [&str; 7] = [
    "/usr/share/doc",
    "/usr/share/info",
    "/usr/share/lintian",
    "/usr/share/locale",
    "/usr/share/man",
    "/usr/share/bug",
    "/var",
];
/// What packages make when they are installed.
const MADE: [&str; 2] = ["/etc/ld.so.cache", "/etc/nsswitch.conf"];
/// The certificates of the package; those that this machine trusts besides are nobody else's matter.
const CERTIFICATES: &str = "/usr/share/ca-certificates/mozilla";

/// What every image has.
const FOLDERS: [&str; 9] = ["dev", "etc", "opt", "proc", "run", "sys", "tmp", "usr", "var"];
/// What are links into `/usr` where they are links.
const LINKS: [&str; 6] = ["bin", "lib", "lib32", "lib64", "libx32", "sbin"];
/// Users and groups: root alone.
const TEXTS: [&str; 2] = ["etc/passwd", "etc/group"];

/// The archive of such an image.
pub(crate) fn tarball() -> Result<Tarball, ContainerError> {
    let mut paths = BTreeSet::new();
    for package in closure(&PACKAGES)? {
        let listed = dpkg(&["--listfiles", &package])?;
        paths.extend(listed.lines().filter(|line| line.starts_with('/')).map(PathBuf::from));
    }
    paths.extend(MADE.map(PathBuf::from));
    // Where names of programs lead by way of a choice.
    let chosen: Vec<PathBuf> = paths
        .iter()
        .filter_map(|path| fs::read_link(path).ok())
        .filter(|to| to.starts_with("/etc/alternatives"))
        .collect();
    paths.extend(chosen);
    let paths: BTreeSet<PathBuf> = paths
        .into_iter()
        .filter(|path| !LEFT_OUT.iter().any(|out| path.starts_with(out)))
        .filter_map(|path| real_place(&path))
        .collect();
    let mut tarball = Tarball::new()?;
    for name in FOLDERS {
        tarball.folder(Path::new(name))?;
    }
    // Where these are links into /usr, no path above leads through them.
    for name in LINKS {
        if let Ok(to) = fs::read_link(Path::new("/").join(name)) {
            tarball.link(Path::new(name), &to)?;
        }
    }
    let is_made = |path: &Path| {
        let name = path.strip_prefix("/").unwrap_or(path);
        name == Path::new("")
            || FOLDERS.iter().chain(&LINKS).chain(&TEXTS).any(|made| name == Path::new(made))
    };
    for path in paths.iter().filter(|path| !is_made(path)) {
        add(&mut tarball, path)?;
    }
    tarball.text("etc/ssl/certs/ca-certificates.crt", &certificates())?;
    tarball.text(TEXTS[0], "root:x:0:0:root:/root:/bin/sh\n")?;
    tarball.text(TEXTS[1], "root:x:0:\n")?;
    Ok(tarball)
}

fn add(tarball: &mut Tarball, path: &Path) -> io::Result<()> {
    let name = path.strip_prefix("/").unwrap_or(path);
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    let kind = metadata.file_type();
    if kind.is_dir() {
        tarball.folder(name)
    } else if kind.is_symlink() {
        tarball.link(name, &fs::read_link(path)?)
    } else if kind.is_file() {
        tarball.file(name, path)
    } else {
        Ok(())
    }
}

/// The path with no links on the way to its last name: packages still name /bin/sh where /bin is a link.
fn real_place(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?;
    Some(fs::canonicalize(path.parent()?).ok()?.join(name))
}

/// All of them in one file, in the order of their names.
fn certificates() -> String {
    let mut files: Vec<PathBuf> = fs::read_dir(CERTIFICATES)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    files.iter().filter_map(|file| fs::read_to_string(file).ok()).collect()
}

/// The packages and all that they depend on, as far as they are installed.
fn closure(packages: &[&str]) -> Result<BTreeSet<String>, ContainerError> {
    let format = "-f=${Package}\t${Pre-Depends}, ${Depends}\t${Provides}\n";
    let output = Command::new("dpkg-query").args(["-W", format]).output();
    let output = output.map_err(|error| failed(format!("dpkg-query: {error}")))?;
    let known = read(&String::from_utf8_lossy(&output.stdout));
    let mut wanted: Vec<String> = packages.iter().map(|&name| name.to_owned()).collect();
    if !known.depends.contains_key("python3") {
        return Err(failed(
            "there is no python3 of the system's: `apt-get install python3`".to_owned(),
        ));
    }
    let mut all = BTreeSet::new();
    while let Some(name) = wanted.pop() {
        let name = known
            .provided
            .get(&name)
            .filter(|_| !known.depends.contains_key(&name))
            .unwrap_or(&name);
        if let Some(depends) = known.depends.get(name)
            && all.insert(name.clone())
        {
            wanted.extend(depends.iter().cloned());
        }
    }
    Ok(all)
}

/// What is installed.
#[derive(Debug, Default)]
struct Known {
    depends: BTreeMap<String, Vec<String>>,
    /// Who provides what there is no package of.
    provided: BTreeMap<String, String>,
}

fn read(table: &str) -> Known {
    // `a (>= 1) | b:any, c` is about a, b and c.
    let names = |list: &str| -> Vec<String> {
        let parts = list.split([',', '|']).filter_map(|part| part.split_whitespace().next());
        parts.map(|name| name.split(':').next().unwrap_or(name).to_owned()).collect()
    };
    let mut known = Known::default();
    for line in table.lines() {
        let mut parts = line.split('\t');
        let Some(name) = parts.next() else { continue };
        known.depends.insert(name.to_owned(), names(parts.next().unwrap_or_default()));
        for provided in names(parts.next().unwrap_or_default()) {
            known.provided.insert(provided, name.to_owned());
        }
    }
    known
}

fn dpkg(arguments: &[&str]) -> Result<String, ContainerError> {
    let output = Command::new("dpkg").args(arguments).output();
    let output = output.map_err(|error| failed(format!("dpkg: {error}")))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn failed(reason: String) -> ContainerError {
    ContainerError::Build {
        step: "making an image of this machine's files (it has to be a Debian)",
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_package_needs_is_read_with_its_alternatives() {
        let known = read("a\t, b (>= 1) | c:any, d:amd64\t\nm\t, \tawk, other (= 2)\n");
        assert_eq!(
            known.depends.get("a").map(Vec::as_slice),
            Some(&["b", "c", "d"].map(str::to_owned)[..])
        );
        assert_eq!(known.provided.get("awk").map(String::as_str), Some("m"));
        assert_eq!(known.provided.get("other").map(String::as_str), Some("m"));
    }
}
