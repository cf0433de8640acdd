//! `pcm-sandbox mcp`: sessions for clients that speak MCP.

mod backends;
mod containers;
mod install;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Subcommand;
use pcm_sandbox::mcp::{Elicitor, HttpConfig, HttpServer, McpError, Server, ServerConfig};
use pcm_sandbox::{Error, Places, SessionBuilder, SessionTemplate};

use super::common::CommonArgs;
use super::ending::told_to_end;
use super::exit::Failure;
use super::host;
use super::key::token;
use super::log::LogArgs;
use super::output::{Stream, Streams};
use super::progress::Waiting;
use super::session::time;
use backends::BackendArgs;
use install::InstallArgs;

/// Serve sessions to a client that speaks MCP: on standard input and output, or over HTTP
///
/// The client's model runs code in a sandbox, and finds tools, workflows and artifacts of the base. Calls
/// that need an approval are put to the client's user.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
pub(crate) struct McpArgs {
    #[command(subcommand)]
    command: Option<McpCommand>,

    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
enum McpCommand {
    Install(InstallArgs),
}

#[derive(Debug, clap::Args)]
struct ServeArgs {
    #[command(flatten)]
    server: HttpArgs,

    #[command(flatten)]
    log: LogArgs,

    #[command(flatten)]
    common: CommonArgs,

    #[command(flatten)]
    backends: BackendArgs,

    /// Begin without the packages that earlier sessions have added
    #[arg(long, help_heading = "Packages", conflicts_with = "sync_deps")]
    no_sync_deps: bool,
}

/// How it is reached.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Server")]
struct HttpArgs {
    /// Serve over streamable HTTP at this address in place of standard input and output; port 0 takes a
    /// free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    http: Option<SocketAddr>,

    /// The file with the token that clients have to send; without one only this machine is served
    #[arg(long, value_name = "FILE", requires = "http")]
    token_file: Option<PathBuf>,

    /// A name that clients know the server by, besides those of loopback
    #[arg(long = "hostname", value_name = "NAME", requires = "http")]
    hosts: Vec<String>,

    /// A web page that may use it: `https://app.example.org`
    #[arg(long = "origin", value_name = "URL", requires = "http")]
    origins: Vec<String>,

    /// How long a session lives that nobody uses; 30min unless told otherwise
    #[arg(long, value_name = "TIME", value_parser = time, requires = "http")]
    session_expiry: Option<Duration>,

    /// How many sessions live at a time
    #[arg(long, value_name = "COUNT", default_value_t = 16)]
    max_sessions: usize,
}

const EXAMPLES: &str = "\
Examples:
  pcm-sandbox mcp --base ./agent
  pcm-sandbox mcp --base ./agent --approve='tools.mail.*'
  pcm-sandbox mcp --base ./agent --http 127.0.0.1:8090 --token-file token
  pcm-sandbox mcp install claude-desktop -- --base ./agent
  pcm-sandbox mcp install cursor --write -- --base ./agent --policy policy.yaml";

/// Serves until the client goes, or until it is told to end.
pub(crate) fn main(args: McpArgs) -> Result<ExitCode, Failure> {
    let args = match args.command {
        Some(McpCommand::Install(args)) => return install::main(&args),
        None => args.serve,
    };
    args.log.start();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::startup(format!("cannot start the event loop: {error}")))?;
    runtime.block_on(serve(args))?;
    // What reads standard input, or runs on in threads of engines, has nobody any more.
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}

async fn serve(args: ServeArgs) -> Result<(), Failure> {
    let elicitor = Elicitor::new();
    let (builder, places) = args.builder(&elicitor)?;
    let builder = args.common.packages.add_to(builder).await?;
    let builder = if args.no_sync_deps { builder } else { builder.sync_deps_on_start() };
    let template = template(builder, places, args.server.http.is_some()).await?;
    host::tell(template.tool_problems());
    let mut config = ServerConfig::default();
    config.elicitor = elicitor;
    config.runtime_deps = args.common.packages.may_change();
    config.max_sessions = args.server.max_sessions;
    config.idle = args.server.session_expiry.unwrap_or(config.idle);
    let server = Server::new(config, Arc::new(template));
    let Some(http) = args.server.config()? else {
        return server.serve_stdio(told_to_end()?).await.map_err(|error| failed(&error));
    };
    let server = HttpServer::bind(server, http).await.map_err(|error| failed(&error))?;
    let mut streams = Streams::standard();
    let line = format!("listening on http://{}{}\n", server.address(), HttpConfig::PATH);
    streams.write_own(Stream::Out, &line);
    streams.flush();
    server.serve(told_to_end()?).await;
    Ok(())
}

/// What sessions are made of. Over HTTP one of them is started first: what cannot work is told before
/// anybody asks. A client that waits at the other end of a pipe is told when it runs code.
async fn template(
    builder: SessionBuilder,
    places: Places,
    is_tried: bool,
) -> Result<SessionTemplate, Failure> {
    let waiting = Waiting::default();
    let made = async {
        let template = builder.on_progress(waiting.listener()).places(places).template().await?;
        if !template.backend().is_built_in() {
            return Err(Error::BackendNotBuilt { backend: template.backend() });
        }
        if is_tried {
            template.start(None).await?.close().await;
        }
        Ok(template)
    };
    waiting.during(made).await.map_err(|error| Failure::startup(error.to_string()))
}

impl ServeArgs {
    /// The sessions, but for their packages, and the places that they are over.
    fn builder(&self, elicitor: &Elicitor) -> Result<(SessionBuilder, Places), Failure> {
        let common = &self.common;
        let backend = common.wall.backend();
        self.backends.check(&common.wall)?;
        let places = common.host.places()?;
        if places.storage_place().is_none() {
            return Err(Failure::usage("one of --base, --storage and --redis is required"));
        }
        let limits = common.limits.limits();
        let limits = common.policy.limits_while_asked(limits, common.limits.has_timeout());
        let network = self.backends.network(common.network.profile()?)?;
        let builder = common.sandbox.builder(backend, limits.clone())?.network(network);
        let (builder, _) = common.policy.add_with(builder, Some(Arc::new(elicitor.clone())))?;
        let warm = usize::from(self.server.http.is_some());
        let builder = common.wall.add_for(builder, warm, self.server.max_sessions);
        let builder = builder.map_err(|error| Failure::startup(error.to_string()))?;
        Ok((self.backends.add_to(builder, &common.wall, &limits, warm)?, places))
    }
}

impl HttpArgs {
    fn config(&self) -> Result<Option<HttpConfig>, Failure> {
        let Some(address) = self.http else { return Ok(None) };
        let mut config = HttpConfig::at(address);
        config.hosts.clone_from(&self.hosts);
        config.origins.clone_from(&self.origins);
        if let Some(file) = &self.token_file {
            config = config.token(&token(file)?).map_err(|error| failed(&error))?;
        }
        Ok(Some(config))
    }
}

fn failed(error: &McpError) -> Failure {
    match error {
        McpError::Bind { .. } => Failure::startup(error.to_string()),
        McpError::Handshake(_) => Failure::failed(error.to_string()),
        _ => Failure::usage(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    /// What is wrong with the arguments, if anything is.
    fn refused(arguments: &[&str]) -> Option<String> {
        let cli = match Cli::try_parse_from([&["pcm-sandbox", "mcp"], arguments].concat()) {
            Ok(cli) => cli,
            Err(error) => return Some(error.to_string()),
        };
        let Command::Mcp(args) = cli.command else { return Some("another command".to_owned()) };
        args.serve.builder(&Elicitor::new()).err().map(|failure| failure.to_string())
    }

    #[test]
    fn a_server_has_a_place_for_what_it_keeps() {
        assert_eq!(refused(&["--base", "agent"]), None);
        assert_eq!(refused(&["--storage", "kept", "--tools", "tools"]), None);
        assert_eq!(refused(&["--redis", "redis://localhost", "--prefix", "app"]), None);
        for arguments in [&[][..], &["--tools", "tools"]] {
            let refused = refused(arguments).unwrap_or_default();
            assert_eq!(refused, "one of --base, --storage and --redis is required");
        }
    }

    #[test]
    fn the_flags_of_the_original_system_are_taken() {
        for arguments in [
            &["--executor", "subprocess", "--timeout", "30", "--no-sync-deps"][..],
            &["--executor", "in-process", "--inprocess-ipc-timeout", "5", "--no-runtime-deps"],
            &[
                "--executor",
                "subprocess",
                "--subprocess-python-version",
                "3.12",
                "--subprocess-venv-path",
                "env",
                "--subprocess-startup-timeout",
                "10",
                "--subprocess-ipc-timeout",
                "5",
                "--subprocess-no-cache-venv",
                "--subprocess-cleanup-venv-on-close",
            ],
            &[
                "--executor",
                "deno-sandbox",
                "--deno-executable",
                "deno",
                "--deno-runner-path",
                "r",
                "--deno-dir",
                "d",
                "--deno-network-profile",
                "deps-only",
                "--deno-ipc-timeout",
                "5",
                "--deno-deps-timeout",
                "60",
                "--deno-deps-net-allowlist",
                "index.example.org",
                // Tests are no program that can be a worker.
                "--placement",
                "in-process",
            ],
            &[
                "--executor",
                "container",
                "--container-image",
                "mine",
                "--container-port",
                "8081",
                "--container-host",
                "localhost",
                "--container-startup-timeout",
                "30",
                "--container-ipc-timeout",
                "5",
                "--container-no-auto-build",
                "--container-keep-container",
                "--container-auth-disabled",
            ],
            &[
                "--executor",
                "container",
                "--container-remote-url",
                "https://sandbox.example.org",
                "--container-auth-token",
                "t",
            ],
        ] {
            assert_eq!(refused(&[&["--base", "agent"], arguments].concat()), None, "{arguments:?}");
        }
    }

    #[test]
    fn a_flag_of_another_backend_is_refused() {
        for (executor, flag, needs) in [
            ("in-process", "--subprocess-startup-timeout=5", "subprocess"),
            ("subprocess", "--deno-dir=d", "deno-sandbox"),
            ("wasm", "--inprocess-ipc-timeout=5", "in-process"),
            ("deno-sandbox", "--container-port=1", "container"),
        ] {
            let refused =
                refused(&["--base", "b", "--executor", executor, flag]).unwrap_or_default();
            let flag = flag.split('=').next().unwrap_or_default();
            assert_eq!(refused, format!("{flag} requires --executor {needs}"));
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let both =
            ["--executor", "container", "--container-auth-token", "t", "--container-auth-disabled"];
        for arguments in [
            &both[..],
            &["--token-file", "t"],
            &["--sync-deps", "--no-sync-deps"],
            &["--executor", "subprocess", "--subprocess-startup-timeout", "-1"],
            &["--executor", "deno-sandbox", "--network", "full", "--deno-network-profile", "full"],
            &["--executor", "container", "--container-remote-url", "u", "--remote-url", "u"],
            &["--executor", "container", "--tools-in", "container", "--container-auth-disabled"],
            &["--prefix", "app"],
            &["install", "cursor"],
        ] {
            assert!(refused(&[&["--base", "b"], arguments].concat()).is_some(), "{arguments:?}");
        }
    }
}
