//! Programs of the host as tools.

mod argv;
mod declaration;
mod run;
mod schema;

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pcm_runtime_api::{Payload, ValueType};
use serde_json::Value;
use tokio::sync::Semaphore;

pub(crate) use self::declaration::declare;

use self::run::{Bounds, Finished, RunError, run};
use self::schema::{Recipe, Schema};
use crate::error::Names;
use crate::name::full_name;
use crate::process::Endings;
use crate::program::Program;
use crate::text::tail;
use crate::{Adapter, Arguments, CallOptions, LoadOptions, Problem, Tool, ToolError, folder};

/// The runs of one tool at a time; further calls wait. Each may hold its output.
const CONCURRENT_RUNS: usize = 32;

/// A program of the host.
///
/// It is run without a shell, with nothing on its standard input, in a process group that ends with
/// the call: at the end, on timeout, and when nobody waits for the call any more. What it writes on
/// its standard output is the result, as text if it is UTF-8 and as bytes otherwise.
#[derive(Debug)]
pub struct CliTool {
    tool: Arc<Tool>,
    program: Program,
    schema: Schema,
    recipes: Vec<Recipe>,
    bounds: Bounds,
    origin: String,
    endings: Endings,
    places: Semaphore,
}

impl CliTool {
    /// Reads the text of a declaration. Relative paths in it begin at `folder`.
    pub fn parse(
        yaml: &str,
        folder: Option<&Path>,
        options: &LoadOptions,
    ) -> Result<Self, Vec<Problem>> {
        folder::parse_as(yaml, folder, options, |declared| match declared {
            folder::Declared::Cli(tool) => Some(tool),
            _ => None,
        })
    }

    /// The words that a call would run, the command first. Nothing is run.
    pub fn argv(&self, recipe: Option<&str>, args: &Arguments) -> Result<Vec<OsString>, ToolError> {
        let mut words = vec![OsString::from(&self.program.command)];
        words.append(&mut self.words(recipe, args)?);
        Ok(words)
    }

    pub(crate) fn name(&self) -> &str {
        &self.tool.name
    }

    /// Whether the program is on this host now.
    pub(crate) fn is_there(&self) -> bool {
        self.program.is_there()
    }

    pub(crate) fn command(&self) -> &str {
        &self.program.command
    }

    fn words(&self, recipe: Option<&str>, args: &Arguments) -> Result<Vec<OsString>, ToolError> {
        let tool = &self.tool.name;
        let called = recipe.unwrap_or(tool.rsplit('.').next().unwrap_or_default());
        let found = self.recipes.iter().find(|each| each.name == called);
        match (recipe, found) {
            (Some(recipe), None) => Err(ToolError::UnknownRecipe {
                tool: tool.clone(),
                recipe: recipe.to_owned(),
                available: Names::new(self.recipes.iter().map(|each| each.name.clone())),
            }),
            _ => argv::words(&full_name(tool, recipe), &self.schema, found, args),
        }
    }
}

#[async_trait]
impl Adapter for CliTool {
    fn kind(&self) -> &'static str {
        "cli"
    }

    fn origin(&self) -> String {
        self.origin.clone()
    }

    fn tools(&self) -> Vec<Arc<Tool>> {
        vec![Arc::clone(&self.tool)]
    }

    async fn call(
        &self,
        tool: &str,
        callable: Option<&str>,
        args: Arguments,
        options: CallOptions,
    ) -> Result<Payload, ToolError> {
        let name = full_name(tool, callable);
        let words = self.words(callable, &args)?;
        let _place = self.places.acquire().await.ok();
        let mut command = self.program.command(&words).ok_or_else(|| {
            let command = &self.program.command;
            ToolError::call(
                &name,
                format!("the program {command:?} is not on this host, or not executable"),
            )
        })?;
        let bounds = Bounds { timeout: options.timeout_within(self.bounds.timeout), ..self.bounds };
        let seconds = bounds.timeout.as_secs_f64();
        match run(&mut command, bounds, options.output.as_ref(), &self.endings).await {
            Ok(finished) => result(&name, finished),
            Err(RunError::TimedOut) => Err(ToolError::Timeout { tool: name, seconds }),
            Err(RunError::TooLong) => {
                let most = bounds.output_bytes;
                let reason = format!(
                    "wrote more than {most} bytes and was ended; ask it for less, or raise \
                     `output_bytes` in its declaration"
                );
                Err(ToolError::call(name, reason))
            }
            Err(RunError::Spawn(error)) => {
                let command = &self.program.command;
                let reason =
                    format!("the program {command:?} could not be started: {}", error.kind());
                Err(ToolError::call(name, reason))
            }
            Err(RunError::Io(error)) => Err(ToolError::call(
                name,
                format!("its output could not be read: {}", error.kind()),
            )),
        }
    }

    async fn close(&self) {
        self.endings.wait().await;
    }
}

fn result(name: &str, finished: Finished) -> Result<Payload, ToolError> {
    let Finished { status, stdout, stderr } = finished;
    if !status.success() {
        return Err(ToolError::call(name, failure(status, &stdout, &stderr.text())));
    }
    Ok(match String::from_utf8(stdout) {
        Ok(text) => Payload::from(Value::from(text)),
        Err(error) => {
            let bytes = Value::from(STANDARD.encode(error.as_bytes()));
            Payload::from(bytes).with_type("", ValueType::Bytes)
        }
    })
}

/// What the program said of its failure; some say it on standard output.
fn failure(status: ExitStatus, stdout: &[u8], stderr: &str) -> String {
    let ended = match (status.code(), status.signal()) {
        (Some(code), _) => format!("Exit code {code}"),
        (None, Some(signal)) => format!("Killed by signal {signal}"),
        (None, None) => "Exit code unknown".to_owned(),
    };
    let said = if stderr.trim().is_empty() {
        String::from_utf8_lossy(stdout).into_owned()
    } else {
        stderr.to_owned()
    };
    match said.trim() {
        "" => format!("Command failed: {ended}"),
        _ => format!("Command failed: {} ({ended})", tail(&said)),
    }
}
