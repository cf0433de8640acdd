//! The machine's own Python, in a process of its own for every run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::{Column, Program};

/// Runs a file and says on standard error how much processor time that took, without the start of
/// the interpreter, the compilation and the imports: those are in the image of the wall, too.
const DRIVER: &str = "
import heapq, json, math, random, re, sys, time
with open(sys.argv[1], encoding='utf-8') as file:
    code = compile(file.read(), sys.argv[1], 'exec')
scope = {'__name__': '__main__'}
start = time.process_time()
exec(code, scope)
print(time.process_time() - start, file=sys.stderr)
";

pub(crate) struct Native {
    python: PathBuf,
    pub(crate) version: String,
}

impl Native {
    pub(crate) fn find(python: &Path) -> Result<Self> {
        let output = Command::new(python)
            .args(["-c", "import sys; print(sys.version)"])
            .output()
            .with_context(|| python.display().to_string())?;
        ensure!(output.status.success(), "{} does not run", python.display());
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok(Self { python: python.to_owned(), version })
    }
}

impl Column for Native {
    fn name(&self) -> &'static str {
        "native"
    }

    fn run(&self, program: &Program) -> Result<(Duration, String)> {
        let output = Command::new(&self.python)
            .args(["-c", DRIVER])
            .arg(&program.path)
            .env("PYTHONHASHSEED", "1") // as in the image
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{said}");
        let time = Duration::try_from_secs_f64(said.trim().parse()?)?;
        Ok((time, String::from_utf8(output.stdout)?))
    }
}
