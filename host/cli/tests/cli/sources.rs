//! Where the code comes from.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::TestResult;
use crate::command::{pcm, pcm_reading};

/// A file that lives as long as the folder.
fn file(code: &[u8]) -> std::io::Result<(TempDir, PathBuf)> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("code.py");
    fs::write(&path, code)?;
    Ok((folder, path))
}

#[test]
fn a_file_is_run() -> TestResult {
    let (_folder, path) = file("print('ü')\n6 * 7\n".as_bytes())?;
    let ended = pcm(&["run", &path.to_string_lossy()])?;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "ü\n42\n"));
    Ok(())
}

#[test]
fn standard_input_is_run() -> TestResult {
    for arguments in [&["run", "-"][..], &["run"]] {
        assert_eq!(pcm_reading(arguments, b"print('in')\n1 + 1")?.stdout, "in\n2\n");
    }
    assert_eq!(pcm(&["run"])?.code, Some(0), "nothing is a program too");
    Ok(())
}

#[test]
fn a_file_may_declare_its_encoding() -> TestResult {
    let (_folder, path) = file(b"# coding: latin-1\n'\xe9'")?;
    assert_eq!(pcm(&["run", &path.to_string_lossy()])?.stdout, "'é'\n");
    Ok(())
}

#[test]
fn a_file_that_is_no_unicode_does_not_compile() -> TestResult {
    let (_folder, path) = file(b"'\xe9'")?;
    let ended = pcm(&["run", "--json", &path.to_string_lossy()])?;
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.json()?["error"]["kind"], "syntax");
    Ok(())
}

#[test]
fn codes_share_a_session_until_one_fails() -> TestResult {
    let ended = pcm(&["run", "-c", "x = 1", "-c", "print(x); nothing", "-c", "print('never')"])?;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), "1\n"));
    assert!(ended.stderr.contains("NameError"), "{}", ended.stderr);
    Ok(())
}

#[test]
fn code_may_begin_with_a_minus() -> TestResult {
    assert_eq!(pcm(&["run", "-c", "-1"])?.stdout, "-1\n");
    Ok(())
}

#[cfg(unix)]
#[test]
fn code_that_is_no_unicode_is_for_python_to_refuse() -> TestResult {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let code = OsStr::from_bytes(b"'\xff'");
    let output = crate::command::command(&["run", "--json", "-c"]).arg(code).output()?;
    assert_eq!(output.status.code(), Some(1));
    Ok(())
}

#[test]
fn a_file_that_cannot_be_read_is_named() -> TestResult {
    let folder = tempfile::tempdir()?;
    let missing = folder.path().join("missing.py");
    for path in [missing.as_path(), folder.path()] {
        let ended = pcm(&["run", "--json", &path.to_string_lossy()])?;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
        let expected = format!("error: cannot read {}: ", path.display());
        assert!(ended.stderr.starts_with(&expected), "{}", ended.stderr);
    }
    Ok(())
}

#[test]
fn a_file_and_code_exclude_each_other() -> TestResult {
    for file in ["-", "code.py"] {
        let ended = pcm(&["run", file, "-c", "1"])?;
        assert_eq!(ended.code, Some(2));
        assert!(ended.stderr.contains("cannot be used with"), "{}", ended.stderr);
    }
    Ok(())
}
