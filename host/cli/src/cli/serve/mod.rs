//! `pcm-sandbox serve`: sessions over HTTP.

mod environment;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use pcm_sandbox::server::{Access, Server, ServerConfig, ServerError};
use pcm_sandbox::storage::{
    FileRecords, MemoryRecords, Records, RedisRecords, RedisServer, RedisStorage, StorageError,
};
use pcm_sandbox::{Places, SessionBuilder, SessionTemplate, StoragePlace};

use super::common::CommonArgs;
use super::ending::told_to_end;
use super::exit::Failure;
use super::host;
use super::key::token;
use super::log::LogArgs;
use super::output::{Stream, Streams};
use super::progress::Waiting;
use super::session::time;
use environment::Environment;

/// Serve sessions over HTTP: a sandbox for each, over the storage of its workspace
///
/// What is not said is taken from the environment: HOST, PORT, `DEFAULT_TIMEOUT`, `MAX_EXECUTION_TIME`,
/// `CONTAINER_AUTH_TOKEN` or `CONTAINER_AUTH_DISABLED`, `STORAGE_BASE_PATH` or `REDIS_URL` with
/// `STORAGE_PREFIX`, `TOOLS_PATH` or `REDIS_TOOLS_PREFIX`, `CONTAINER_DEPS`, `ALLOW_RUNTIME_DEPS`. The first
/// SIGTERM or Ctrl-C lets what goes on end, the second ends everything.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    server: ServerArgs,

    #[command(flatten)]
    log: LogArgs,

    #[command(flatten)]
    common: CommonArgs,
}

/// The server itself.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Server")]
struct ServerArgs {
    /// Where it listens; 127.0.0.1:8080 unless told otherwise, and port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,

    /// The file with the one token that may do everything
    #[arg(long, value_name = "FILE", conflicts_with_all = ["tokens", "no_auth"])]
    token_file: Option<PathBuf>,

    /// The file that lists tokens, with the workspaces and rights of each
    #[arg(long, value_name = "FILE", conflicts_with = "no_auth")]
    tokens: Option<PathBuf>,

    /// Serve this machine alone, and whoever is on it
    #[arg(long)]
    no_auth: bool,

    /// What it is called among servers that share a storage; the name of the machine and the port unless
    /// told otherwise
    #[arg(long, value_name = "NAME")]
    node: Option<String>,

    /// A name that clients know it by; without any, a server on loopback takes loopback's names, and
    /// others take all
    #[arg(long = "hostname", value_name = "NAME")]
    hosts: Vec<String>,

    /// A web page that may use it: `https://app.example.org`
    #[arg(long = "origin", value_name = "URL")]
    origins: Vec<String>,

    /// How long a run may take, whatever it asks for; 5min unless told otherwise
    #[arg(long, value_name = "TIME", value_parser = time)]
    max_timeout: Option<Duration>,

    /// How long a session lives that nobody uses; 1h unless told otherwise
    #[arg(long, value_name = "TIME", value_parser = time)]
    session_expiry: Option<Duration>,

    /// How many sessions live at a time; 1000 unless told otherwise, half of them one token's
    #[arg(long, value_name = "COUNT")]
    max_sessions: Option<usize>,

    /// How many requests a token may make in a second; 200 unless told otherwise
    #[arg(long, value_name = "COUNT")]
    requests_per_second: Option<u32>,

    /// How long what goes on may take when the server shall end; 30s unless told otherwise
    #[arg(long, value_name = "TIME", value_parser = time)]
    drain: Option<Duration>,

    /// How many sandboxes wait ahead of time, on backends that start processes
    #[arg(long, value_name = "COUNT", default_value_t = 2)]
    warm: usize,
}

const EXAMPLES: &str = "\
Examples:
  pcm-sandbox serve --no-auth
  pcm-sandbox serve --token-file token --base ./agent
  pcm-sandbox serve --listen 0.0.0.0:8080 --tokens tokens.yaml --storage redis://localhost:6379/0
  curl -s --json '{\"code\": \"6 * 7\"}' http://127.0.0.1:8080/execute";

/// Serves until it is told to end.
pub(crate) fn main(args: ServeArgs) -> Result<ExitCode, Failure> {
    let environment = Environment::of_this_process();
    args.log.start();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::startup(format!("cannot start the event loop: {error}")))?;
    runtime.block_on(serve(args, &environment))?;
    // What runs on in threads of engines has nobody any more.
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}

async fn serve(args: ServeArgs, environment: &Environment) -> Result<(), Failure> {
    let mut config = args.server.config(environment)?;
    let common = &args.common;
    let limits = common.limits.limits();
    if let Some(timeout) = limits.timeout.filter(|_| common.limits.has_timeout()) {
        config.limits.default_timeout = timeout;
        config.limits.max_timeout = config.limits.max_timeout.max(timeout);
    }
    let places = environment.places(common.host.places()?)?;
    if places.workspace.is_some() {
        return Err(Failure::usage("a server takes the workspace of each session: no --workspace"));
    }
    config.records = records(&places).map_err(|error| host::failed(&error))?;
    let builder = common.sandbox.builder(common.wall.backend(), limits)?;
    let builder = builder.network(common.network.profile()?);
    let (builder, approvals) = common.policy.add_with(builder, None)?;
    config.approvals = approvals;
    let builder = common.wall.add_for(builder, args.server.warm, config.limits.max_sessions)?;
    let builder = environment.packages(common.packages.add_to(builder).await?);
    let template = template(builder, places, environment).await?;
    host::tell(template.tool_problems());
    let server = Server::bind(config, Arc::new(template)).await.map_err(|error| failed(&error))?;
    let mut streams = Streams::standard();
    streams.write_own(Stream::Out, &format!("listening on http://{}\n", server.address()));
    streams.flush();
    server.serve(told_to_end()?).await.map_err(|error| failed(&error))
}

/// What sessions are made of, after one of them was: what cannot work is told before anybody asks.
async fn template(
    builder: SessionBuilder,
    places: Places,
    environment: &Environment,
) -> Result<SessionTemplate, Failure> {
    let waiting = Waiting::default();
    let fetched = environment.stored_tools(&places).await?;
    let tools = fetched.as_ref().map(|folder| folder.path().to_owned());
    let places = Places { tools: tools.or(places.tools), ..places };
    let started = async {
        let template = builder.on_progress(waiting.listener()).places(places).template().await?;
        template.start(None).await?.close().await;
        Ok::<_, pcm_sandbox::Error>(template)
    };
    let template = waiting.during(started).await;
    template.map_err(|error| Failure::startup(error.to_string()))
}

/// Where what outlives the server is kept: beside everything else.
fn records(places: &Places) -> Result<Arc<dyn Records>, StorageError> {
    Ok(match places.storage_place() {
        Some(StoragePlace::Redis { url, prefix }) => {
            let prefix = prefix.as_deref().unwrap_or(RedisStorage::DEFAULT_PREFIX);
            Arc::new(RedisRecords::on(&RedisServer::open(&url)?, prefix))
        }
        Some(StoragePlace::Folder(folder)) => Arc::new(FileRecords::open(&folder)?),
        None => Arc::new(MemoryRecords::new()),
    })
}

impl ServerArgs {
    fn config(&self, environment: &Environment) -> Result<ServerConfig, Failure> {
        let variable = |name: &str| environment.variable(name);
        let access = match (&self.token_file, &self.tokens) {
            (Some(file), _) => Access::token(&token(file)?),
            (_, Some(file)) => Access::Tokens(file.clone()),
            _ if self.no_auth => Access::Open,
            _ => Access::from_environment(variable).ok_or_else(|| {
                Failure::usage(
                    "who may use the server? --token-file or --tokens name files (or \
                     CONTAINER_AUTH_TOKEN has the token), --no-auth serves this machine alone",
                )
            })?,
        };
        let config = ServerConfig::new(access).environment(variable);
        let mut config = config.map_err(|error| Failure::usage(error.to_string()))?;
        config.address = self.listen.unwrap_or(config.address);
        config.node = self.node.clone().or_else(|| usual_name(config.address));
        config.hosts.clone_from(&self.hosts);
        config.origins.clone_from(&self.origins);
        let limits = &mut config.limits;
        limits.max_timeout = self.max_timeout.unwrap_or(limits.max_timeout);
        limits.default_timeout = limits.default_timeout.min(limits.max_timeout);
        limits.session_expiry = self.session_expiry.unwrap_or(limits.session_expiry);
        limits.drain = self.drain.unwrap_or(limits.drain);
        if let Some(most) = self.max_sessions {
            limits.max_sessions = most;
            limits.max_sessions_per_token = match config.access {
                Access::Tokens(_) => most.div_ceil(2),
                _ => most,
            };
        }
        if let Some(requests) = self.requests_per_second {
            limits.requests_per_second = requests;
        }
        Ok(config)
    }
}

/// A name that is the same after a restart, and another one for each server that a machine has. None
/// where the machine or the port has none that is its own.
fn usual_name(address: SocketAddr) -> Option<String> {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    name_of(machine.trim(), address.port())
}

fn name_of(machine: &str, port: u16) -> Option<String> {
    let is_letter = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
    let is_name = (1..=100).contains(&machine.len()) && machine.chars().all(is_letter);
    // What many machines are called is no name of one.
    let is_own = !matches!(machine, "localhost" | "localhost.localdomain" | "(none)");
    (port != 0 && is_name && is_own).then(|| format!("{machine}-{port}"))
}

fn failed(error: &ServerError) -> Failure {
    match error {
        ServerError::Bind { .. } | ServerError::Records(_) | ServerError::NoRandomness(_) => {
            Failure::startup(error.to_string())
        }
        _ => Failure::usage(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn config(arguments: &[&str], variables: &[(&str, &str)]) -> Result<ServerConfig, String> {
        let cli = Cli::try_parse_from([&["pcm-sandbox", "serve"], arguments].concat());
        let Ok(Cli { command: Command::Serve(args), .. }) = cli else {
            return Err("the arguments are not taken".to_owned());
        };
        args.server.config(&Environment::new(variables)).map_err(|failure| failure.to_string())
    }

    #[test]
    fn nobody_is_served_before_it_is_said_who() {
        let refused = config(&[], &[]).err().unwrap_or_default();
        assert!(refused.contains("--token-file") && refused.contains("--no-auth"), "{refused}");
        assert!(config(&["--no-auth"], &[]).is_ok());
        assert!(config(&[], &[("CONTAINER_AUTH_TOKEN", "t")]).is_ok());
        assert!(config(&["--no-auth", "--tokens", "file"], &[]).is_err());
    }

    #[test]
    fn arguments_come_before_the_environment() {
        let address = |arguments: &[&str]| {
            let variables = [("HOST", "0.0.0.0"), ("PORT", "9000"), ("CONTAINER_AUTH_TOKEN", "t")];
            config(arguments, &variables).map(|config| config.address.to_string())
        };
        assert_eq!(address(&[]), Ok("0.0.0.0:9000".to_owned()));
        assert_eq!(address(&["--listen", "127.0.0.1:1"]), Ok("127.0.0.1:1".to_owned()));
    }

    #[test]
    fn a_server_has_the_same_name_after_a_restart() {
        assert_eq!(name_of("box.example", 8080).as_deref(), Some("box.example-8080"));
        for (machine, port) in [("box", 0), ("localhost", 8080), ("", 1), ("a b", 1), ("ü", 1)] {
            assert_eq!(name_of(machine, port), None, "{machine:?}");
        }
        let named = config(&["--no-auth", "--node", "n"], &[]).map(|config| config.node);
        assert_eq!(named, Ok(Some("n".to_owned())));
    }

    #[test]
    fn bounds_fit_each_other() {
        let config = config(&["--no-auth", "--max-timeout", "10s", "--max-sessions", "7"], &[]);
        let limits = config.map(|config| config.limits);
        let seen = limits.map(|limits| (limits.default_timeout, limits.max_sessions_per_token));
        assert_eq!(seen, Ok((Duration::from_secs(10), 7)));
    }
}
