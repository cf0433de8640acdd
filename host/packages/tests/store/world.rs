//! A store of its own for each test, and a compiler that is the Python of this machine.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use pcm_packages::{
    COMPILE_SCRIPT, Compiled, Compiler, PACKAGES_FOLDER, PackageSet, PackagesError, Requirement,
    Store, Target,
};
use tempfile::TempDir;

use crate::testing::TestWheel;

/// A program that resolves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    Pip,
    Uv,
}

/// Where uv is: in `PATH`, or where `PCM_TEST_UV` says.
fn uv() -> Option<PathBuf> {
    let named = env::var_os("PCM_TEST_UV").map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    named
        .or_else(|| env::split_paths(&path).map(|folder| folder.join("uv")).find(|uv| uv.is_file()))
}

/// Runs the same with each resolver that is here.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub(crate) async fn with_each(test: impl AsyncFn(World) -> crate::TestResult) -> crate::TestResult {
    test(World::new(Tool::Pip)?).await?;
    if uv().is_some() {
        test(World::new(Tool::Uv)?).await
    } else {
        eprintln!("skipped with uv: it is neither in PATH nor named by PCM_TEST_UV");
        Ok(())
    }
}

/// A store, folders of wheels, and the environment of one resolver.
#[derive(Debug)]
pub(crate) struct World {
    folder: TempDir,
    pub(crate) environment: Vec<(OsString, OsString)>,
    lines: Mutex<Vec<String>>,
}

impl World {
    pub(crate) fn new(tool: Tool) -> std::io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let programs = folder.path().join("programs");
        fs::create_dir_all(folder.path().join("wheels"))?;
        fs::create_dir_all(folder.path().join("ours"))?;
        fs::create_dir(&programs)?;
        let mut path = OsString::from(&programs);
        if tool == Tool::Uv {
            symlink(uv().unwrap_or_default(), programs.join("uv"))?;
        }
        // The rest of PATH, for python3: but no uv where pip is tested.
        for entry in env::split_paths(&env::var_os("PATH").unwrap_or_default()) {
            if !entry.join("uv").exists() {
                path.push(":");
                path.push(entry);
            }
        }
        let mut environment: Vec<(OsString, OsString)> =
            env::vars_os().filter(|(name, _)| name != "PATH").collect();
        environment.push(("PATH".into(), path));
        Ok(Self { folder, environment, lines: Mutex::default() })
    }

    /// Sees only the wheels of this world, and no index.
    pub(crate) fn offline(mut self) -> std::io::Result<Self> {
        let wheels = self.wheels();
        let is_configuration = |name: &OsString| {
            name.to_str().is_some_and(|name| name.starts_with("PIP_") || name.starts_with("UV_"))
        };
        self.environment.retain(|(name, _)| !is_configuration(name));
        let uv = self.folder.path().join("uv.toml");
        fs::write(
            &uv,
            format!("no-index = true\nfind-links = [{:?}]\n", wheels.display().to_string()),
        )?;
        self.environment.push(("PIP_NO_INDEX".into(), "1".into()));
        self.environment.push(("PIP_FIND_LINKS".into(), wheels.into()));
        self.environment.push(("UV_CONFIG_FILE".into(), uv.into()));
        Ok(self)
    }

    /// Where its index is.
    pub(crate) fn wheels(&self) -> PathBuf {
        self.folder.path().join("wheels")
    }

    pub(crate) fn add(&self, wheel: &TestWheel) -> std::io::Result<PathBuf> {
        wheel.write(&self.wheels())
    }

    /// A folder with wheels beside the index.
    pub(crate) fn ours(&self) -> PathBuf {
        self.folder.path().join("ours")
    }

    pub(crate) fn packages(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    pub(crate) fn store(&self) -> Result<Store, PackagesError> {
        Ok(Store::at(&self.packages())?.environment(self.environment.clone()))
    }

    pub(crate) async fn resolve(&self, texts: &[&str]) -> Result<PackageSet, PackagesError> {
        self.resolve_in(&self.store()?, texts, &Python::default()).await
    }

    /// The same for Pyodide, with the wheels of the folder beside the index.
    pub(crate) async fn resolve_for_pyodide(
        &self,
        texts: &[&str],
    ) -> Result<PackageSet, PackagesError> {
        let store = self.store()?.find_links(self.ours());
        let compiler = Python { target: Target::Pyodide, ..Python::default() };
        self.resolve_in(&store, texts, &compiler).await
    }

    pub(crate) async fn resolve_in(
        &self,
        store: &Store,
        texts: &[&str],
        compiler: &dyn Compiler,
    ) -> Result<PackageSet, PackagesError> {
        let requirements: Vec<Requirement> =
            texts.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
        let progress = |line: &str| {
            self.lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(line.into());
        };
        store.resolve(&requirements, compiler, &progress).await
    }

    /// What was said since the last time.
    pub(crate) fn lines(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// `name version` of each distribution.
pub(crate) fn titles(set: &PackageSet) -> Vec<String> {
    let title = |d: &pcm_packages::Distribution| format!("{} {}", d.name, d.version);
    set.distributions.iter().map(title).collect()
}

/// Runs Python with a set as the only packages, and gives what it printed.
pub(crate) fn python(set: &PackageSet, code: &str) -> Result<String, Box<dyn std::error::Error>> {
    let folder = set.folder.display().to_string();
    let code = format!("import sys\nsys.path.append({folder:?})\n{code}");
    let output = Command::new("python3").args(["-I", "-S", "-B", "-c", &code]).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Compiles with the Python of this machine, which no product does: the script is what is tested.
#[derive(Debug, Default)]
pub(crate) struct Python {
    pub(crate) calls: AtomicUsize,
    /// What it says that it is.
    pub(crate) target: Target,
}

#[async_trait]
impl Compiler for Python {
    fn key(&self) -> String {
        format!("the Python of this machine for {:?}", self.target)
    }

    fn target(&self) -> Target {
        self.target
    }

    async fn compile(&self, folder: &Path) -> Result<Compiled, PackagesError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let failed = |message: String| PackagesError::Compiler { message };
        let (functions, last) = COMPILE_SCRIPT
            .trim_end()
            .rsplit_once('\n')
            .ok_or_else(|| failed("the script has one line".to_owned()))?;
        let functions = functions
            .replace(&format!("{PACKAGES_FOLDER:?}"), &format!("{:?}", folder.to_string_lossy()));
        let script = format!("{functions}\nimport json\nprint(json.dumps({last}))");
        let output = Command::new("python3")
            .args(["-I", "-S", "-c", &script])
            .output()
            .map_err(|error| failed(error.to_string()))?;
        serde_json::from_slice(&output.stdout)
            .map_err(|_| failed(String::from_utf8_lossy(&output.stderr).into_owned()))
    }
}
