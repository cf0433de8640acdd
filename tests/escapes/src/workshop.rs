//! A real host over a folder: tools of every kind, storage, folders that are mounted, a policy with
//! approvals and a log. `workshop/` has its tools and its policy.
//!
//! ```text
//! secret.txt            the secret of the canary's file
//! base/tools/           workshop/tools, with {folder} and {echo} replaced
//! base/artifacts/, …    what the code stores
//! open/                 mounted at /open to be written, with names in it that are protected
//! closed/               mounted at /closed to be read
//! audit.jsonl           what the policy writes down
//! ```
//!
//! Whatever is not the code's to write looks the same afterwards, and what must not be called was not.

mod ledger;
mod traces;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use pcm_sandbox::middleware::{ActivePolicy, PolicyFile, PolicySetup, verify};
use pcm_sandbox::tools::{Function, Parameter, ParameterType};
use pcm_sandbox::{HostError, Mount, MountAccess, SessionBuilder, Value, json};
use tempfile::TempDir;

use self::ledger::Ledger;
use self::traces::Traces;
use crate::canary::Canaries;
use crate::case::Header;
use crate::echo::Echo;

/// Where the tools and the policy are in the repository.
const PLANS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/workshop");
/// What a session may store: more than any case means to.
const STORED: u64 = 32 << 20;
/// What the code may change, by its place in the folder.
const ITS_OWN: [&str; 7] = [
    "base/artifacts",
    "base/deps",
    "base/requirements.txt",
    "base/workflows",
    "base/workspaces",
    "open",
    "audit.jsonl",
];
/// What it may not change in a folder that it may write to.
const PROTECTED: [&str; 2] = ["open/.git", "open/.bashrc"];

/// The folder and its host. All sessions of a case share it.
#[derive(Debug)]
pub(crate) struct Workshop {
    folder: TempDir,
    policy: Option<ActivePolicy>,
    ledger: Arc<Ledger>,
    secret: String,
    before: Traces,
}

impl Workshop {
    pub(crate) fn open(header: &Header, canaries: &Canaries, echo: Echo) -> Result<Self> {
        let folder = TempDir::new().context("cannot make a folder")?;
        let at = |path: &str| folder.path().join(path);
        for made in ["base/tools", "base/programs", "open/.git/hooks", "open/plain", "closed"] {
            fs::create_dir_all(at(made))?;
        }
        let echo = echo.port().to_string();
        let place = folder.path().to_string_lossy().into_owned();
        let filled = |text: &str| text.replace("{folder}", &place).replace("{echo}", &echo);
        copy(&Path::new(PLANS).join("tools"), &at("base/tools"), &filled)?;
        copy(&Path::new(PLANS).join("programs"), &at("base/programs"), &filled)?;
        let secret = canaries.content();
        fs::write(at("secret.txt"), secret)?;
        fs::write(at("open/.git/hooks/pre-commit"), "#!/bin/sh\n")?;
        fs::write(at("open/.bashrc"), "# nothing\n")?;
        fs::write(at("open/note.txt"), "open\n")?;
        fs::write(at("closed/note.txt"), "closed\n")?;
        symlink("../secret.txt", at("open/leak"))?;
        symlink("..", at("open/up"))?;
        symlink(".git", at("open/plain/link"))?;
        symlink("../secret.txt", at("closed/leak"))?;
        let ledger = Arc::new(Ledger::default());
        let policy = if header.policy { Some(activate(folder.path())?) } else { None };
        let before = Traces::of(folder.path(), &ITS_OWN, &PROTECTED)?;
        Ok(Self { folder, policy, ledger, secret: secret.to_owned(), before })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn mounts(&self) -> Vec<Mount> {
        let mount = |name: &str, access| Mount {
            host: self.folder.path().join(name).into(),
            guest: format!("/{name}"),
            access,
        };
        vec![mount("open", MountAccess::ReadWrite), mount("closed", MountAccess::ReadOnly)]
    }

    /// Gives a session what it finds here.
    pub(crate) fn furnish(&self, builder: SessionBuilder, places: &Value) -> SessionBuilder {
        let builder = self.functions(places).into_iter().fold(builder, SessionBuilder::function);
        let builder = builder.base(self.folder.path().join("base")).stored_bytes(STORED);
        match &self.policy {
            Some(policy) => builder.policy(policy),
            None => builder,
        }
    }

    /// `math.add`, `places`, and those that only the policy stands before:
    ///
    /// * `vault.open()`: always denied; `hall.door()` as well, by a rule before one that allows all around it,
    /// * `vault.read(path)`: a path within `data` only,
    /// * `vault.count()`: at most three times,
    /// * `bank.transfer(to, amount)`: after an approval, which `clerk.approve()` gives to whatever waits for
    ///   one, as somebody would who reads it.
    fn functions(&self, places: &Value) -> Vec<Function> {
        let places = places.clone();
        let mut functions = vec![
            Function::new("math.add", "Adds two numbers", |args| async move { Ok(sum(&args)) }),
            Function::new("places", "Where the canaries are", move |_| {
                let places = places.clone();
                async move { Ok(places) }
            }),
        ];
        for name in ["vault.open", "hall.door"] {
            let (ledger, secret) = (Arc::clone(&self.ledger), self.secret.clone());
            functions.push(Function::new(name, "Opens", move |_| {
                ledger.trespass(&format!("tools.{name} was called, which the policy denies"));
                let secret = secret.clone();
                async move { Ok(Value::from(secret)) }
            }));
        }
        let (ledger, secret) = (Arc::clone(&self.ledger), self.secret.clone());
        let read = Function::new("vault.read", "Reads a file", move |args| {
            let answer = if leads_out(args["path"].as_str()) {
                ledger.trespass(&format!("tools.vault.read was called with {args}"));
                Value::from(secret.clone())
            } else {
                json!("data")
            };
            async move { Ok(answer) }
        });
        functions.push(read.parameter(Parameter::new("path", ParameterType::Any)));
        let ledger = Arc::clone(&self.ledger);
        functions.push(Function::new("vault.count", "Counts its calls", move |_| {
            let count = ledger.count();
            async move { Ok(count.into()) }
        }));
        let ledger = Arc::clone(&self.ledger);
        functions.push(Function::new("bank.transfer", "Transfers money", move |args| {
            ledger.pay(&args);
            async move { Ok(json!("paid")) }
        }));
        let (ledger, policy) = (Arc::clone(&self.ledger), self.policy.clone());
        functions.push(Function::new("clerk.approve", "Approves what is asked", move |_| {
            let approved = policy.as_ref().map(|policy| ledger.approve_all(policy));
            async move {
                let approved = approved
                    .transpose()
                    .map_err(|error| HostError::new("RuntimeError", error.to_string()))?;
                Ok(approved.into())
            }
        }));
        functions
    }

    /// What should not have happened.
    pub(crate) fn faults(&self) -> Result<Vec<String>> {
        let mut faults = self.ledger.faults();
        let after = Traces::of(self.folder.path(), &ITS_OWN, &PROTECTED)?;
        faults.extend(self.before.differences(&after));
        if self.policy.is_some() {
            let log = fs::File::open(self.folder.path().join("audit.jsonl"))?;
            if let Err(error) = verify(log) {
                faults.push(format!("the log of the policy does not verify: {error}"));
            }
        }
        Ok(faults)
    }
}

/// Whether a path is not plainly below `data`.
fn leads_out(path: Option<&str>) -> bool {
    let Some(path) = path else { return true };
    !(path == "data" || path.starts_with("data/")) || path.split('/').any(|part| part == "..")
}

fn sum(args: &Value) -> Value {
    (args["a"].as_i64().unwrap_or(0) + args["b"].as_i64().unwrap_or(0)).into()
}

/// With the log beside it.
fn activate(folder: &Path) -> Result<ActivePolicy> {
    let file = folder.join("policy.yaml");
    fs::copy(Path::new(PLANS).join("policy.yaml"), &file)?;
    let policy = PolicyFile::load(&file)?.activate(PolicySetup::default())?;
    Ok(policy)
}

fn copy(from: &Path, to: &Path, filled: &dyn Fn(&str) -> String) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        let copy: PathBuf = to.join(name);
        fs::write(&copy, filled(&fs::read_to_string(&path)?))?;
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}
