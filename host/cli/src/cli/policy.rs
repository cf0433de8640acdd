//! What calls may be made: the options of a session, and `pcm-sandbox policy`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use clap::Subcommand;
use pcm_sandbox::middleware::{
    Action, ActivePolicy, ApprovalLayer, ApprovalRequest, Approvals, Approver, AuditLog, Layer,
    MiddlewareError, NameGlob, Outcome, PolicyFile, PolicySetup, PolicyWarning, Rule,
};
use pcm_sandbox::{Limits, SessionBuilder, Value, json};

use super::approve::Terminal;
use super::arguments::arguments;
use super::exit::{self, Failure};
use super::host::{failed, show};
use super::output::{Stream, Streams};

/// Who decides about calls, and what is written down.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Policy")]
pub(crate) struct PolicyArgs {
    /// Hold every call against the rules of a file
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,

    /// Ask before calls: those that the policy asks about, or else all of tools; or those of these
    /// names, as `tools.mail.*`. A command asks on the terminal, and while somebody thinks no time
    /// runs: without --timeout only processor time is limited. A server has them wait at /approvals, or asks the user of its MCP client
    #[arg(
        long,
        value_name = "NAMES",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = ""
    )]
    approve: Option<Asked>,

    /// Append a line of JSON for every call to a file
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,

    /// Tie each line to the one before it, for `pcm-sandbox audit verify`
    #[arg(long, requires = "audit")]
    audit_chain: bool,
}

/// What a person is asked about.
#[derive(Debug, Clone)]
enum Asked {
    /// What the policy asks about, or all tools where there is none.
    Usual,
    Names(NameGlob),
}

impl FromStr for Asked {
    type Err = MiddlewareError;

    fn from_str(names: &str) -> Result<Self, MiddlewareError> {
        if names.is_empty() { Ok(Self::Usual) } else { names.parse().map(Self::Names) }
    }
}

/// The processor time of a code that may have to wait for a person.
const CPU_WHILE_ASKING: Duration = Duration::from_secs(30);
/// What is asked about where no policy says it.
const ALL_TOOLS: &str = "tools.**";
const ALLOW_ALL: &str = "version: 1\ndefault: allow\n";

impl PolicyArgs {
    /// The limits, when a person is to be waited for.
    pub(crate) fn limits(&self, mut limits: Limits, timeout_was_given: bool) -> Limits {
        if self.approve.is_some() && !timeout_was_given {
            limits.timeout = None;
            limits.cpu = limits.cpu.or(Some(CPU_WHILE_ASKING));
        }
        limits
    }

    /// The limits of a server that asks the users of its clients: those of rules, too.
    #[cfg(feature = "mcp")]
    pub(crate) fn limits_while_asked(&self, mut limits: Limits, timeout_was_given: bool) -> Limits {
        if (self.approve.is_some() || self.policy.is_some()) && !timeout_was_given {
            limits.timeout = None;
            limits.cpu = limits.cpu.or(Some(CPU_WHILE_ASKING));
        }
        limits
    }

    /// Adds what the arguments say; whoever sits at the terminal is asked.
    pub(crate) fn add_to(&self, builder: SessionBuilder) -> Result<SessionBuilder, Failure> {
        let approver: Arc<dyn Approver> = match &self.approve {
            Some(_) => Arc::new(Terminal::open()?),
            None => Arc::new(Nobody),
        };
        let (builder, _) = self.add_with(builder, Some(approver))?;
        Ok(builder)
    }

    /// The same, where this one is asked, or calls wait in the approvals that are given back.
    pub(crate) fn add_with(
        &self,
        builder: SessionBuilder,
        approver: Option<Arc<dyn Approver>>,
    ) -> Result<(SessionBuilder, Option<Approvals>), Failure> {
        if self.policy.is_none() && self.approve.is_none() && self.audit.is_none() {
            return Ok((builder, None));
        }
        let file = match &self.policy {
            Some(file) => load(file)?,
            None => ALLOW_ALL.parse().map_err(|error| failed(&error))?,
        };
        tell_warnings(&file);
        let audit = self.audit_log()?;
        let setup = PolicySetup { approver, audit, ..PolicySetup::default() };
        let active = file.activate(setup).map_err(|error| failed(&error))?;
        let own = self.asked_about(&active)?;
        let builder = builder.policy_with(&active, own);
        Ok((builder, Some(active.approvals().clone())))
    }

    fn audit_log(&self) -> Result<Option<AuditLog>, Failure> {
        let Some(path) = &self.audit else { return Ok(None) };
        let log =
            if self.audit_chain { AuditLog::chained_file(path) } else { AuditLog::file(path) };
        log.map(Some).map_err(|error| failed(&error))
    }

    /// A layer that asks by name, where the arguments name something.
    fn asked_about(&self, active: &ActivePolicy) -> Result<Vec<Arc<dyn Layer>>, Failure> {
        let names = match &self.approve {
            Some(Asked::Names(names)) => names.clone(),
            Some(Asked::Usual) if self.policy.is_none() => {
                ALL_TOOLS.parse().map_err(|error| failed(&error))?
            }
            _ => return Ok(Vec::new()),
        };
        Ok(vec![Arc::new(ApprovalLayer::new(active.approvals().clone(), vec![names]))])
    }
}

/// Answers where nobody is there to be asked.
#[derive(Debug)]
struct Nobody;

#[async_trait]
impl Approver for Nobody {
    async fn decide(&self, _request: &ApprovalRequest) -> Outcome {
        Outcome::Reject("nobody is asked; --approve asks on the terminal".to_owned())
    }
}

fn load(file: &PathBuf) -> Result<PolicyFile, Failure> {
    PolicyFile::load(file).map_err(|error| match error {
        MiddlewareError::File { path, source } => {
            Failure::usage(format!("cannot read {path}: {source}"))
        }
        error => Failure::usage(format!("{}: {error}", file.display())),
    })
}

fn tell_warnings(file: &PolicyFile) {
    let mut streams = Streams::standard();
    for warning in file.check() {
        streams.write_text(Stream::Err, &format!("the policy, {warning}\n"));
    }
    streams.flush();
}

/// Check policy files, and see what they say to a call
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct PolicyCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check a policy file: whether it can be understood, and what is likely not meant
    Check {
        /// The file
        file: PathBuf,
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Show which rule decides about a call. Succeeds if the call is allowed
    Explain {
        /// The file
        file: PathBuf,
        /// The call: tools.mail.send, artifacts.save
        call: String,
        /// Its arguments; a value that is JSON is taken as that, any other as text
        #[arg(value_name = "KEY=VALUE")]
        args: Vec<String>,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn main(args: PolicyCommand) -> Result<ExitCode, Failure> {
    match args.command {
        Command::Check { file, json } => {
            let policy = load(&file)?;
            let json_of = |one: &PolicyWarning| json!({"line": one.line, "column": one.column, "message": one.message});
            let text_of = |one: &PolicyWarning| {
                format!("{}:{}:{}: {}", file.display(), one.line, one.column, one.message)
            };
            let warnings = policy.check();
            show(json, warnings.iter().map(json_of).collect::<Vec<_>>(), || match warnings {
                [] => format!("{}: nothing to complain about\n", file.display()),
                _ => warnings.iter().map(text_of).collect::<Vec<_>>().join("\n") + "\n",
            });
            Ok(ExitCode::SUCCESS)
        }
        Command::Explain { file, call, args, json } => {
            let policy = load(&file)?;
            let decision = policy.explain(&call, &Value::Object(arguments(&args)?).into());
            let allowed = decision.action == Action::Allow;
            let value = json!({
                "action": decision.action,
                "rule": decision.rule.map(Rule::label),
                "explanation": decision.to_string(),
            });
            show(json, value, || format!("{}\n", decision.to_string().trim_end()));
            Ok(ExitCode::from(if allowed { 0 } else { exit::CODE_FAILED }))
        }
    }
}
