//! `pcm-sandbox image`: sessions that begin with packages imported.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::time::Instant;

use bytesize::ByteSize;
use clap::Subcommand;
use pcm_sandbox::{BuiltImage, Error, ExaminedImage, Image, ImageDistribution, json};

use super::exit::{self, Failure};
use super::key::{self, Signs};
use super::output::{Stream, Streams};
use super::progress;

/// Make and look at images: files that sessions begin as, with packages imported
///
/// A session of an image starts as fast as one without packages.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct ImageArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Build(BuildArgs),
    Info(InfoArgs),
}

/// Make an image; takes about half a minute
#[derive(Debug, clap::Args)]
#[command(after_help = BUILD_EXAMPLES)]
struct BuildArgs {
    /// A package that the image shall bring: jinja2, 'pydantic>=1.10'. Its modules are imported
    #[arg(long, value_name = "SPEC", required_unless_present = "import")]
    dep: Vec<String>,

    /// A further module to import
    #[arg(long, value_name = "MODULE")]
    import: Vec<String>,

    /// The file to make
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// The file with the 64 hexadecimal digits that sign images; made at its first use. Who has it
    /// can make images that run any program on the machines that accept it
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,

    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Show what is in an image and whether it would be run here
///
/// Nothing of the image is run or unpacked. Succeeds if it would be run.
#[derive(Debug, clap::Args)]
struct InfoArgs {
    /// The image
    file: PathBuf,

    /// The key that it was signed with, where it is not your own
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,

    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

const BUILD_EXAMPLES: &str = "\
Examples:
  pcm-sandbox image build --dep pydantic --dep jinja2 -o img
  pcm-sandbox run --image img -c 'from jinja2 import Template; Template(\"{{ 6 * 7 }}\").render()'";

pub(crate) fn main(args: ImageArgs) -> Result<ExitCode, Failure> {
    match args.command {
        Command::Build(args) => build(args),
        Command::Info(args) => info(&args),
    }
}

fn build(args: BuildArgs) -> Result<ExitCode, Failure> {
    let began = Instant::now();
    let key = key::of(Signs::Images, args.key.as_deref())?;
    let builder = Image::builder()
        .packages(args.dep)
        .modules(args.import)
        .on_progress(progress::with_seconds());
    let built =
        super::runtime()?.block_on(builder.build(&key)).map_err(|error| not_built(&error))?;
    put(&args.output, &built.bytes).map_err(|error| {
        Failure::usage(format!("cannot write {}: {error}", args.output.display()))
    })?;
    let seconds = began.elapsed().as_secs_f64();
    print(&if args.json {
        built_as_json(&args.output, &built, seconds)
    } else {
        built_as_text(&args.output, &built, seconds)
    });
    Ok(ExitCode::SUCCESS)
}

/// What was asked for is not to be had, or the sandbox fails.
fn not_built(error: &Error) -> Failure {
    match error {
        Error::Packages(_) | Error::Image(_) => Failure::usage(error.to_string()),
        _ => Failure::startup(error.to_string()),
    }
}

/// Written aside and moved into place: nobody sees half an image.
fn put(file: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = file.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(format!(".new-{}", process::id()));
    let aside = file.with_file_name(name);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&aside)
        .and_then(|mut fresh| fresh.write_all(content).and_then(|()| fresh.sync_all()))
        .and_then(|()| fs::rename(&aside, file));
    if written.is_err() {
        drop(fs::remove_file(&aside)); // the first error is the one to tell
    }
    written
}

fn built_as_json(file: &Path, built: &BuiltImage, seconds: f64) -> String {
    let object = json!({
        "file": file.to_string_lossy(),
        "file_bytes": built.bytes.len(),
        "distributions": built.distributions,
        "modules": built.preloaded.imported,
        "not_imported": built.preloaded.missing,
        "seconds": seconds,
    });
    format!("{object:#}\n")
}

fn built_as_text(file: &Path, built: &BuiltImage, seconds: f64) -> String {
    let size = size(built.bytes.len() as u64);
    let mut text = format!("{}: {size}, made in {seconds:.1} s\n", file.display());
    add_contents(&mut text, &built.distributions, &built.preloaded.imported);
    for (module, reason) in &built.preloaded.missing {
        text.extend([format!("not imported: {module}: {reason}\n")]);
    }
    text
}

fn info(args: &InfoArgs) -> Result<ExitCode, Failure> {
    let key = key::existing(Signs::Images, args.key.as_deref())?;
    let examined = super::runtime()?
        .block_on(Image::examine(&args.file, key.as_ref()))
        .map_err(|error| Failure::usage(error.to_string()))?;
    print(&if args.json { info_as_json(&examined)? } else { info_as_text(&args.file, &examined) });
    Ok(match examined.problem {
        None => ExitCode::SUCCESS,
        Some(_) => ExitCode::from(exit::CODE_FAILED),
    })
}

fn info_as_json(examined: &ExaminedImage) -> Result<String, Failure> {
    serde_json::to_string_pretty(examined)
        .map(|text| text + "\n")
        .map_err(|error| Failure::startup(format!("cannot write JSON: {error}")))
}

fn info_as_text(file: &Path, examined: &ExaminedImage) -> String {
    let ExaminedImage { contents, file_bytes, problem, .. } = examined;
    let verdict = match problem {
        None => "verified: it is what the owner of the key made".to_owned(),
        Some(problem) => format!("not verified, so what follows may be wrong: {problem}"),
    };
    let mut text = format!("{}: {}\n{verdict}\n", file.display(), size(*file_bytes));
    text.extend([format!(
        "Python {}, wasmtime {}, {}, image {:.12}\nmemory: {} at the start of a session\n",
        contents.python,
        contents.wasmtime,
        contents.platform,
        contents.image,
        size(contents.memory_bytes),
    )]);
    add_contents(&mut text, &contents.distributions, &contents.modules);
    if contents.package_files > 0 {
        let bytes = size(contents.package_bytes);
        text.extend([format!("files of packages: {}, {bytes}\n", contents.package_files)]);
    }
    text
}

fn add_contents(text: &mut String, distributions: &[ImageDistribution], modules: &[String]) {
    let packages: Vec<String> =
        distributions.iter().map(|one| format!("{} {}", one.name, one.version)).collect();
    for (label, names) in [("packages", &packages[..]), ("imported", modules)] {
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        text.extend([format!("{label}: {names}\n")]);
    }
}

fn size(bytes: u64) -> String {
    ByteSize::b(bytes).display().iec().to_string()
}

fn print(text: &str) {
    let mut streams = Streams::standard();
    streams.write_text(Stream::Out, text);
    streams.flush();
}
