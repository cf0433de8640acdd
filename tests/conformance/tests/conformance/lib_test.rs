//! CPython's own tests of its core modules, from the sources that the image of the wasm backend was made of.
//! `tests/differential/lib-test` lists for each backend the modules, and what of them fails; these lists only
//! shrink.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context as _, Result, bail, ensure};
use libtest_mimic::{Completion, Failed, Trial};
use pcm_conformance::MemoryHost;
use pcm_runtime_api::{
    Executor, HostPort, Limits, Mount, MountAccess, MountSource, RunRequest, SandboxConfig,
};
use pcm_runtime_deno::{DenoEngine, DenoSandbox};
use pcm_runtime_wasm::{WasmEngine, WasmSandbox};
use serde::Deserialize;
use tokio::runtime::Runtime;

/// Names the folder `Lib` of the sources; `./x` sets it.
const SOURCES: &str = "PCM_PYTHON_LIB";
/// Set for all modules, and not only those of the sample.
const ALL: &str = "PCM_LIB_TEST_ALL";
/// How long a module may take.
const TIMEOUT: Duration = Duration::from_mins(5);

/// What runs the tests of one module.
const SCRIPT: &str = r#"
import io, sys, unittest

sys.path.insert(0, "/sources")
suite = unittest.defaultTestLoader.loadTestsFromName("test." + MODULE)
result = unittest.TextTestRunner(stream=io.StringIO(), buffer=True).run(suite)
failed = {test.id().split(" ")[0] for test, _ in result.failures + result.errors}
failed |= {test.id() for test in result.unexpectedSuccesses}
[result.testsRun, sorted(name.removeprefix("test." + MODULE + ".") for name in failed)]
"#;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Modules {
    module: Vec<Module>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Module {
    /// Below `Lib/test`.
    name: String,
    /// How many tests it has at least.
    tests: u64,
    /// Whether it runs in `./x test`; all run in `./x libtest`.
    #[serde(default)]
    sample: bool,
    /// The tests that fail, and why.
    #[serde(default)]
    fails: BTreeMap<String, String>,
}

/// Makes a session of a backend.
type Make = fn(SandboxConfig) -> Result<Arc<dyn Executor>>;

const WALLS: [(&str, Make); 2] = [
    ("wasm", |config| Ok(Arc::new(WasmSandbox::new(WasmEngine::shared()?, config)))),
    ("deno-sandbox", |config| Ok(Arc::new(DenoSandbox::new(DenoEngine::shared(), config)))),
];

pub(crate) fn trials(runtime: &Arc<Runtime>) -> impl Iterator<Item = Trial> {
    WALLS.into_iter().map(|(wall, make)| {
        let runtime = Arc::clone(runtime);
        Trial::ignorable_test(format!("{wall}::lib_test"), move || {
            let Some(sources) = env::var_os(SOURCES) else {
                let reason = format!("{SOURCES} names no sources; ./x does");
                return Ok(Completion::ignored_with(reason));
            };
            runtime.block_on(run_all(wall, make, Path::new(&sources)))?;
            Ok::<_, Failed>(Completion::Completed)
        })
    })
}

async fn run_all(wall: &str, make: Make, sources: &Path) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../differential/lib-test");
    let list = folder.join(format!("{wall}.toml"));
    let modules: Modules = toml::from_str(&fs::read_to_string(&list)?)?;
    let all = env::var_os(ALL).is_some();
    let mut wrong = Vec::new();
    for module in modules.module.iter().filter(|module| all || module.sample) {
        match run(module, make, &sources.join("test")).await {
            Ok((tests, failed)) => wrong.extend(module.compare(wall, tests, &failed)),
            Err(error) => wrong.push(format!("{}: {error:#}", module.name)),
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

impl Module {
    /// What came otherwise than the list says.
    fn compare(&self, wall: &str, tests: u64, failed: &BTreeSet<String>) -> Vec<String> {
        let Self { name, fails, .. } = self;
        eprintln!("{wall}, {name}: {tests} tests, {} fail", failed.len());
        let mut wrong = Vec::new();
        if tests < self.tests {
            wrong.push(format!("{name}: {tests} tests ran, there were {}", self.tests));
        }
        for test in failed.iter().filter(|test| !fails.contains_key(*test)) {
            wrong.push(format!("{name}: {test} fails"));
        }
        for test in fails.keys().filter(|test| !failed.contains(*test)) {
            let line = format!(
                "delete the line {test:?} of {name} in tests/differential/lib-test/{wall}.toml"
            );
            wrong.push(format!("{name}: {test} passes: {line}"));
        }
        wrong
    }
}

/// The number of tests, and the names of those that failed.
async fn run(module: &Module, make: Make, tests: &Path) -> Result<(u64, BTreeSet<String>)> {
    let mount = Mount {
        host: MountSource::Folder(tests.to_owned()),
        guest: "/sources/test".to_owned(),
        access: MountAccess::ReadOnly,
    };
    let limits = Limits { timeout: Some(TIMEOUT), ..Limits::default() };
    let config = SandboxConfig { limits, mounts: vec![mount], ..SandboxConfig::default() };
    let session = make(config)?;
    session.start(Arc::new(MemoryHost::default()) as Arc<dyn HostPort>).await?;
    let code = format!("MODULE = {:?}\n{SCRIPT}", module.name);
    let result = session.run(RunRequest::new(code.into_bytes())).await;
    session.close().await;
    if let Some(error) = result.error {
        bail!("{error}");
    }
    serde_json::from_value(result.value).context("it says something else than was asked")
}
