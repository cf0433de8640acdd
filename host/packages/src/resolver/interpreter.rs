//! A Python that tells uv that it is another.
//!
//! uv takes a platform by its name or from an interpreter, and has names for few. For those that it
//! has none for, it is given a program that answers as the interpreter of the sandbox would: a
//! wrapper of the Python that uv would use itself. It runs a script of uv's and nothing else.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::command::run;
use super::{Kind, Tool};
use crate::PackagesError;
use crate::folder::{private, write};
use crate::target::Target;

const SCRIPT: &str = include_str!("python_for_uv.py");
/// The longest path that is taken.
const MAX_PATH: usize = 4096;

/// Gives a tool that needs one its interpreter, in a folder that stays: uv remembers what an
/// interpreter said by its path. False if there is no Python to make it of.
pub(super) async fn provide(
    tool: &mut Tool,
    folder: &Path,
    interpreters: &Path,
) -> Result<bool, PackagesError> {
    if (tool.kind, tool.target) != (Kind::Uv, Target::Pyodide) {
        return Ok(true);
    }
    // A version, so that none is taken from a file in a folder above.
    let arguments =
        ["python", "find", ">=3.9", "--no-python-downloads", "--no-project", "--color=never"];
    let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
    let ended = run(tool, &arguments, folder).await?;
    let path = ended.output.trim_end_matches('\n');
    let is_path = path.starts_with('/') && path.len() < MAX_PATH && !path.contains('\n');
    if !ended.success || !is_path {
        return Ok(false);
    }
    let made = make(path, interpreters).map_err(PackagesError::cache("write an interpreter"))?;
    tool.interpreter = Some(made);
    Ok(true)
}

/// Writes the wrapper of the Python at `python`, unless it is there.
fn make(python: &str, interpreters: &Path) -> std::io::Result<PathBuf> {
    let key = blake3::hash(format!("{python}\n{SCRIPT}").as_bytes()).to_hex();
    let folder = interpreters.join(&key.as_str()[..32]);
    private(&folder)?;
    let (script, wrapper) = (folder.join("python_for_uv.py"), folder.join("python3"));
    if !(script.is_file() && wrapper.is_file()) {
        write(&script, SCRIPT.as_bytes())?;
        let (python, script) = (quoted(python), quoted(&script.to_string_lossy()));
        let text = format!("#!/bin/sh\nexec {python} -I -B {script} \"$0\" \"$@\"\n");
        // Comes to its place with the right to run it.
        let aside = tempfile::NamedTempFile::with_prefix_in(".new-", &folder)?;
        fs::write(aside.path(), text)?;
        fs::set_permissions(aside.path(), Permissions::from_mode(0o700))?;
        aside.persist(&wrapper)?;
    }
    Ok(wrapper)
}

/// A word for the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// What it says of itself, as uv asks for it.
    const QUESTION: &str = "import platform, struct, sys, sysconfig, os, json\n\
        print(json.dumps([sys.version_info[:2], sys.version_info.micro, sys.platform, os.name,\n\
        platform.system(), platform.machine(), platform.python_version(), sysconfig.get_platform(),\n\
        sysconfig.get_config_var('PYEMSCRIPTEN_PLATFORM_VERSION'), sys.executable, sys.argv]))";

    #[test]
    fn the_wrapper_says_that_it_is_the_python_of_pyodide() -> Result<(), Box<dyn std::error::Error>>
    {
        let folder = tempfile::tempdir()?;
        let interpreters = folder.path().join("it's $HOME");
        let mut question = Command::new("python3");
        question.args(["-c", "import sys; print(sys.executable)"]);
        let python = String::from_utf8(output_of(&mut question)?)?;
        let wrapper = make(python.trim(), &interpreters)?;
        assert_eq!(make(python.trim(), &interpreters)?, wrapper);
        let output = output_of(Command::new(&wrapper).args(["-I", "-B", "-c", QUESTION, "more"]))?;
        let said: serde_json::Value = serde_json::from_slice(&output)?;
        let expected = serde_json::json!([
            [3, 14],
            2,
            "emscripten",
            "posix",
            "Emscripten",
            "wasm32",
            "3.14.2",
            "emscripten-5.0.3-wasm32",
            "2026_0",
            wrapper,
            ["-c", "more"],
        ]);
        assert_eq!(said, expected);
        assert!(Command::new(&wrapper).arg("--version").output()?.stdout.is_empty());
        Ok(())
    }

    fn output_of(command: &mut Command) -> std::io::Result<Vec<u8>> {
        let output = command.output()?;
        let errors = String::from_utf8_lossy(&output.stderr);
        if output.status.success() { Ok(output.stdout) } else { Err(std::io::Error::other(errors)) }
    }

    #[test]
    fn a_path_is_one_word_whatever_is_in_it() {
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's $(id)"), "'it'\\''s $(id)'");
    }
}
