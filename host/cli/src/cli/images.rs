//! `pcm-sandbox images`: what the containers of the container backend are made of.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use bytesize::ByteSize;
use clap::Subcommand;
use pcm_sandbox::{
    BASE_IMAGE, Base, BuildRequest, ContainerError, DEFAULT_IMAGE, ImageInfo, Images, TOOLS_IMAGE,
    json,
};

use super::exit::Failure;
use super::output::{Stream, Streams};
use super::{progress, table};

/// Make, list and remove the images that containers of the container backend are of
///
/// An image has a Python, what kernels need, and this program. Needs a container engine on this machine.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct ImagesArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Build(BuildArgs),
    List(ListArgs),
    Prune(ListArgs),
}

/// Make an image; takes about a minute
#[derive(Debug, clap::Args)]
#[command(after_help = BUILD_EXAMPLES)]
struct BuildArgs {
    /// The image that it is made from: Debian, or one like it; one with a python3 needs no network
    #[arg(long, value_name = "IMAGE", default_value = BASE_IMAGE)]
    base: String,

    /// Make it from the files of this machine's own Debian, where no registry is reachable
    #[arg(long, conflicts_with = "base")]
    base_from_host: bool,

    /// With programs that tools are made of: curl, jq, nmap and their like
    #[arg(long)]
    tools: bool,

    /// Its name; without this it is pcm-sandbox:base, or pcm-sandbox:tools
    #[arg(long, value_name = "NAME")]
    tag: Option<String>,

    /// The program in it, in place of this one: the same version, built smaller or for an older system
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,

    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Show our images, or remove those that no program of this version needs
#[derive(Debug, clap::Args)]
struct ListArgs {
    /// The program that images are held against, in place of this one
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,

    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

const BUILD_EXAMPLES: &str = "\
Examples:
  pcm-sandbox images build
  pcm-sandbox images build --base python:3.12-slim --tag agents:3.12
  pcm-sandbox images build --tools
  pcm-sandbox images build --base-from-host
  pcm-sandbox run -b container --container-image agents:3.12 -c '6 * 7'";

pub(crate) fn main(args: ImagesArgs) -> Result<ExitCode, Failure> {
    let runtime = super::runtime()?;
    let text = match args.command {
        Command::Build(args) => runtime.block_on(build(args)),
        Command::List(args) => runtime.block_on(list(&args)),
        Command::Prune(args) => runtime.block_on(prune(&args)),
    };
    let text = text.map_err(|error| Failure::startup(error.to_string()))?;
    let mut streams = Streams::standard();
    streams.write_text(Stream::Out, &text);
    streams.flush();
    Ok(ExitCode::SUCCESS)
}

async fn build(args: BuildArgs) -> Result<String, ContainerError> {
    let began = Instant::now();
    let tag = if args.tools { TOOLS_IMAGE } else { DEFAULT_IMAGE };
    let request = BuildRequest {
        base: if args.base_from_host { Base::Host } else { Base::Image(args.base) },
        tag: args.tag.unwrap_or_else(|| tag.to_owned()),
        tools: args.tools,
        program: args.program,
    };
    let image = Images::connect(None).await?.build(&request, &progress::with_seconds()).await?;
    let seconds = began.elapsed().as_secs_f64();
    if args.json {
        return Ok(format!("{:#}\n", as_json(&image)));
    }
    let (name, size) = (&image.name, size(image.bytes));
    Ok(format!("{name}: {size}, Python {}, made in {seconds:.1} s\n", image.python))
}

async fn list(args: &ListArgs) -> Result<String, ContainerError> {
    let images = Images::connect(None).await?.list(args.program.as_deref()).await?;
    if args.json {
        let all: Vec<_> = images.iter().map(as_json).collect();
        return Ok(format!("{:#}\n", json!(all)));
    }
    let rows: Vec<[String; 4]> = images
        .iter()
        .map(|image| {
            let state = if image.current { "current" } else { "stale" };
            let python = format!("Python {}", image.python);
            [image.name.clone(), size(image.bytes), python, state.to_owned()]
        })
        .collect();
    if rows.is_empty() {
        return Ok("there are none: `pcm-sandbox images build` makes one\n".to_owned());
    }
    Ok(table::aligned(&rows))
}

async fn prune(args: &ListArgs) -> Result<String, ContainerError> {
    let removed = Images::connect(None).await?.prune(args.program.as_deref()).await?;
    if args.json {
        return Ok(format!("{:#}\n", json!(removed)));
    }
    Ok(removed.iter().fold(String::new(), |all, name| all + "removed " + name + "\n"))
}

fn as_json(image: &ImageInfo) -> pcm_sandbox::Value {
    let ImageInfo { name, id, python, bytes, current } = image;
    json!({"name": name, "id": id, "python": python, "bytes": bytes, "current": current})
}

fn size(bytes: u64) -> String {
    ByteSize::b(bytes).display().iec().to_string()
}
