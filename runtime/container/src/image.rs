//! Images: a Python, an environment for kernels, and this program. Each says what it was made of, so that a
//! stale one is noticed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bollard::models::{ContainerCreateBody, HostConfig, ImageInspect, ImageSummary};
use bollard::query_parameters::{
    BuildImageOptions, CreateImageOptions, ListImagesOptions, LogsOptions, RemoveImageOptions,
    WaitContainerOptions,
};
use bollard::{Docker, body_try_stream};
use futures_util::StreamExt as _;
use pcm_runtime_api::{PackageSource as _, Progress};
use pcm_runtime_subprocess::{EnvironmentPackages, KernelConfig};

use crate::error::{is_missing, told};
use crate::owner::{self, LABEL};
use crate::program::{self, ENVIRONMENT, PROGRAM, ROOT, short};
use crate::tarball::Tarball;
use crate::{ContainerError, ContainerSettings, from_host};

/// The image that sessions run in unless told otherwise.
pub const DEFAULT_IMAGE: &str = "pcm-sandbox:base";
/// The same with programs for tools.
pub const TOOLS_IMAGE: &str = "pcm-sandbox:tools";
/// What images are made from unless told otherwise.
pub const BASE_IMAGE: &str = "debian:12-slim";
/// What `--base-from-host` makes.
const HOST_IMAGE: &str = "pcm-sandbox:host";
/// The base with a Python.
const PYTHON_IMAGE: &str = "pcm-sandbox:python";

const DOCKERFILE: &str = include_str!("../../../docker/Dockerfile.base");
const DOCKERFILE_TOOLS: &str = include_str!("../../../docker/Dockerfile.tools");

/// The digest of the program in an image.
const PROGRAM_LABEL: &str = "pcm-sandbox.program";
/// The digest of what else it was made of.
const RECIPE_LABEL: &str = "pcm-sandbox.recipe";
/// Its Python, as `3.12`.
const PYTHON_LABEL: &str = "pcm-sandbox.python";
/// Tells the path and the version of an image's Python.
const ASK: &str = "import sys; print(sys.executable, '%d.%d' % sys.version_info[:2])";

/// An image that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageInfo {
    /// Its name.
    pub name: String,
    /// The digest that it has for the engine.
    pub id: String,
    /// Its Python, as `3.12`.
    pub python: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Whether it has the program and all else that one made now would have.
    pub current: bool,
}

/// What an image is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildRequest {
    /// What it is made from.
    pub base: Base,
    /// Its name.
    pub tag: String,
    /// Whether it has the programs of `docker/Dockerfile.tools` besides.
    pub tools: bool,
    /// The program in it; None is this one.
    pub program: Option<PathBuf>,
}

/// What an image is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// This image, which the engine has or fetches.
    Image(String),
    /// The files of this machine's own Debian: for machines that reach no registry.
    Host,
}

impl Default for BuildRequest {
    fn default() -> Self {
        Self {
            base: Base::Image(BASE_IMAGE.to_owned()),
            tag: DEFAULT_IMAGE.to_owned(),
            tools: false,
            program: None,
        }
    }
}

/// The images of an engine.
#[derive(Debug, Clone)]
pub struct Images(Docker);

impl Images {
    /// Those of the engine that is there: at this address, or where it usually is.
    pub async fn connect(engine: Option<&str>) -> Result<Self, ContainerError> {
        Ok(Self(crate::socket::connect(engine).await?))
    }

    pub(crate) fn over(docker: Docker) -> Self {
        Self(docker)
    }

    /// The image that sessions with these settings run in, which is made where that is wanted.
    pub(crate) async fn find(
        &self,
        settings: &ContainerSettings,
        say: &Progress<'_>,
    ) -> Result<ImageInfo, ContainerError> {
        let name = &settings.image;
        let expected = expected(settings.program.as_deref())?;
        let found = self.inspect(name).await?;
        let problem = match &found {
            None => "is missing",
            Some(image) if !is_ours(image) => "was not made by pcm-sandbox",
            Some(image) if !is_current(image, &expected) => {
                "was made for another version of this program"
            }
            Some(_) => "",
        };
        let is_named = [DEFAULT_IMAGE, TOOLS_IMAGE].contains(&name.as_str());
        let image = match found {
            Some(image) if problem.is_empty() => image,
            _ if settings.auto_build && is_named => {
                let request = BuildRequest {
                    tag: name.clone(),
                    tools: name == TOOLS_IMAGE,
                    program: settings.program.clone(),
                    ..BuildRequest::default()
                };
                return self.build(&request, say).await;
            }
            _ => {
                let tools = if name == TOOLS_IMAGE { " --tools" } else { "" };
                let remedy = format!("make it with `pcm-sandbox images build{tools} --tag {name}`");
                return refused(name, problem, remedy);
            }
        };
        if let Some(volume) = volumes(&image).first() {
            let problem = format!("has a volume, {volume}, which could be written without bounds");
            return refused(name, &problem, "take another one".to_owned());
        }
        Ok(info(name, &image, &expected))
    }

    /// Makes an image, and gives what it is.
    pub async fn build(
        &self,
        request: &BuildRequest,
        say: &Progress<'_>,
    ) -> Result<ImageInfo, ContainerError> {
        let base = match &request.base {
            Base::Image(name) => name.clone(),
            Base::Host => self.import_host(say).await?,
        };
        say(&format!("making the image {} from {base}", request.tag));
        let step = "making an image with a Python";
        let mut context = Tarball::new()?;
        context.text("Dockerfile", DOCKERFILE)?;
        let options =
            BuildImageOptions { target: "python".to_owned(), ..options_for(&base, PYTHON_IMAGE) };
        self.build_one(options, context, step, say).await?;
        let (python, version) = self.python_of(PYTHON_IMAGE).await?;
        let program = program::of(request.program.as_deref())?;
        let context = context_of(&program, &python, &version, say).await?;
        let expected = expected(Some(&program))?;
        let base_tag = if request.tools { DEFAULT_IMAGE } else { &request.tag };
        let labels = HashMap::from([
            (LABEL.to_owned(), "1".to_owned()),
            (PROGRAM_LABEL.to_owned(), expected.program.clone()),
            (RECIPE_LABEL.to_owned(), expected.recipe.clone()),
            (PYTHON_LABEL.to_owned(), version),
        ]);
        let options = BuildImageOptions { labels: Some(labels), ..options_for(&base, base_tag) };
        self.build_one(options, context, "making the image", say).await?;
        if request.tools {
            let mut context = Tarball::new()?;
            context.text("Dockerfile", DOCKERFILE_TOOLS)?;
            let options = options_for(DEFAULT_IMAGE, &request.tag);
            self.build_one(options, context, "adding tools to the image", say).await?;
        }
        let image = self.inspect(&request.tag).await?;
        let image =
            image.ok_or_else(|| failed("making the image", "the engine does not have it"))?;
        Ok(info(&request.tag, &image, &expected))
    }

    /// The images that are ours, by their names.
    pub async fn list(&self, program: Option<&Path>) -> Result<Vec<ImageInfo>, ContainerError> {
        let expected = expected(program)?;
        let mut all = Vec::new();
        for summary in self.ours().await? {
            for name in names(&summary) {
                if let Some(image) = self.inspect(name).await? {
                    all.push(info(name, &image, &expected));
                }
            }
        }
        all.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(all)
    }

    /// Removes the images of ours that no program of now needs: those without a name and those that are
    /// stale. Gives the names of what was removed.
    pub async fn prune(&self, program: Option<&Path>) -> Result<Vec<String>, ContainerError> {
        let expected = expected(program)?;
        let mut removed = Vec::new();
        for summary in self.ours().await? {
            let label = |name: &str| summary.labels.get(name).map(String::as_str);
            let is_current = label(PROGRAM_LABEL) == Some(&expected.program)
                && label(RECIPE_LABEL) == Some(&expected.recipe);
            if is_current && !names(&summary).is_empty() {
                continue;
            }
            let mut all: Vec<String> = names(&summary).into_iter().cloned().collect();
            if all.is_empty() {
                all.push(summary.id.clone());
            }
            for name in all {
                // One that a container still uses stays.
                let options: Option<RemoveImageOptions> = None;
                match self.0.remove_image(&name, options, None).await {
                    Ok(_) => removed.push(name),
                    Err(error) => tracing::warn!(name, error = told(&error), "an image stays"),
                }
            }
        }
        Ok(removed)
    }

    async fn ours(&self) -> Result<Vec<ImageSummary>, ContainerError> {
        let filters = HashMap::from([("label".to_owned(), vec![format!("{LABEL}=1")])]);
        let options = ListImagesOptions { filters: Some(filters), ..Default::default() };
        Ok(self.0.list_images(Some(options)).await?)
    }

    async fn inspect(&self, name: &str) -> Result<Option<ImageInspect>, ContainerError> {
        match self.0.inspect_image(name).await {
            Ok(image) => Ok(Some(image)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn build_one(
        &self,
        options: BuildImageOptions,
        context: Tarball,
        step: &'static str,
        say: &Progress<'_>,
    ) -> Result<(), ContainerError> {
        let mut steps = std::pin::pin!(self.0.build_image(
            options,
            None,
            Some(body_try_stream(context.into_pieces()?))
        ));
        while let Some(said) = steps.next().await {
            let said = said.map_err(|error| failed(step, explained(&told(&error))))?;
            if let Some(error) = said.error_detail.and_then(|detail| detail.message) {
                return Err(failed(step, explained(&error)));
            }
            let line = said.stream.unwrap_or_default();
            if line.starts_with("Step ") {
                say(&shortened(&line));
            }
        }
        Ok(())
    }

    /// The Python of an image, and its version.
    async fn python_of(&self, image: &str) -> Result<(PathBuf, String), ContainerError> {
        const STEP: &str = "asking the image for its Python";
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            entrypoint: Some(["python3", "-I", "-c", ASK].map(str::to_owned).to_vec()),
            cmd: Some(Vec::new()),
            labels: Some(owner::labels()),
            host_config: Some(HostConfig {
                network_mode: Some("none".to_owned()),
                cap_drop: Some(vec!["ALL".to_owned()]),
                ..Default::default()
            }),
            ..Default::default()
        };
        let id = self.0.create_container(None, body).await?.id;
        let asked = async {
            self.0.start_container(&id, None).await?;
            let ended = self.0.wait_container(&id, None::<WaitContainerOptions>).next().await;
            let options = LogsOptions { stdout: true, stderr: true, ..Default::default() };
            let mut said = String::new();
            let mut lines = std::pin::pin!(self.0.logs(&id, Some(options)));
            while let Some(Ok(line)) = lines.next().await {
                said.push_str(&String::from_utf8_lossy(&line.into_bytes()));
                if said.len() > 10_000 {
                    break;
                }
            }
            match ended {
                Some(Ok(_)) => Ok(said),
                _ => Err(failed(STEP, said.trim().to_owned())),
            }
        };
        let asked: Result<String, ContainerError> = asked.await;
        owner::remove(&self.0, &id).await;
        let said = asked?;
        let read = said.trim().rsplit_once(' ').filter(|(python, version)| {
            let is_version = |text: &str| {
                text.split_once('.').is_some_and(|(major, minor)| {
                    major == "3" && minor.parse::<u8>().is_ok_and(|minor| minor >= 10)
                })
            };
            python.starts_with('/') && is_version(version)
        });
        let strange = || failed(STEP, format!("it needs Python 3.10 or newer, and says {said:?}"));
        let (python, version) = read.ok_or_else(strange)?;
        Ok((PathBuf::from(python), version.to_owned()))
    }

    /// Makes an image of this machine's own files.
    async fn import_host(&self, say: &Progress<'_>) -> Result<String, ContainerError> {
        const STEP: &str = "making an image of this machine's files";
        say(STEP);
        let tarball = tokio::task::spawn_blocking(from_host::tarball).await;
        let tarball = tarball.map_err(std::io::Error::other)??;
        let (repo, tag) = HOST_IMAGE.split_once(':').unwrap_or((HOST_IMAGE, "latest"));
        let options = CreateImageOptions {
            from_src: Some("-".to_owned()),
            repo: Some(repo.to_owned()),
            tag: Some(tag.to_owned()),
            ..Default::default()
        };
        let mut steps = std::pin::pin!(self.0.create_image(
            Some(options),
            Some(body_try_stream(tarball.into_pieces()?)),
            None
        ));
        while let Some(said) = steps.next().await {
            said.map_err(|error| failed(STEP, told(&error)))?;
        }
        Ok(HOST_IMAGE.to_owned())
    }
}

fn options_for(base: &str, tag: &str) -> BuildImageOptions {
    BuildImageOptions {
        t: Some(tag.to_owned()),
        rm: true,
        forcerm: true,
        buildargs: Some(HashMap::from([("BASE_IMAGE".to_owned(), base.to_owned())])),
        ..Default::default()
    }
}

/// What an image made now would say of itself.
struct Expected {
    program: String,
    recipe: String,
}

fn expected(named: Option<&Path>) -> Result<Expected, ContainerError> {
    let program = program::of(named)?;
    let mut hasher = blake3::Hasher::new();
    for part in [DOCKERFILE, &requirements().join("\n"), ENVIRONMENT] {
        hasher.update(part.as_bytes()).update(b"\0");
    }
    Ok(Expected { program: program::digest(&program)?, recipe: short(hasher.finalize()) })
}

/// What kernels need.
fn requirements() -> Vec<String> {
    KernelConfig::default().base_deps
}

/// The names of an image; engines have a way to say that there is none.
fn names(summary: &ImageSummary) -> Vec<&String> {
    summary.repo_tags.iter().filter(|name| !name.contains('<')).collect()
}

fn labels(image: &ImageInspect) -> Option<&HashMap<String, String>> {
    image.config.as_ref()?.labels.as_ref()
}

fn label<'a>(image: &'a ImageInspect, name: &str) -> Option<&'a str> {
    labels(image)?.get(name).map(String::as_str)
}

fn is_ours(image: &ImageInspect) -> bool {
    label(image, LABEL).is_some() && label(image, PYTHON_LABEL).is_some()
}

fn is_current(image: &ImageInspect, expected: &Expected) -> bool {
    label(image, PROGRAM_LABEL) == Some(&expected.program)
        && label(image, RECIPE_LABEL) == Some(&expected.recipe)
}

fn volumes(image: &ImageInspect) -> &[String] {
    let config = image.config.as_ref();
    config.and_then(|config| config.volumes.as_deref()).unwrap_or_default()
}

fn info(name: &str, image: &ImageInspect, expected: &Expected) -> ImageInfo {
    ImageInfo {
        name: name.to_owned(),
        id: image.id.clone().unwrap_or_else(|| name.to_owned()),
        python: label(image, PYTHON_LABEL).unwrap_or_default().to_owned(),
        bytes: image.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
        current: is_current(image, expected),
    }
}

/// What the engine needs to make an image.
async fn context_of(
    program: &Path,
    python: &Path,
    version: &str,
    say: &Progress<'_>,
) -> Result<Tarball, ContainerError> {
    let source = EnvironmentPackages::of_version(version);
    let site = source.provide(&requirements(), say).await;
    let site = site.map_err(|error| failed("installing what kernels need", error.to_string()))?;
    let (program, python, version) = (program.to_owned(), python.to_owned(), version.to_owned());
    let packed = tokio::task::spawn_blocking(move || {
        let inside = |path: &str| PathBuf::from(format!("rootfs{path}"));
        let environment = inside(ENVIRONMENT);
        let mut tarball = Tarball::new()?;
        tarball.text("Dockerfile", DOCKERFILE)?;
        tarball.folder(&inside(ROOT))?;
        tarball.file(&inside(PROGRAM), &program)?;
        tarball.folder(&environment)?;
        let home = python.parent().unwrap_or(Path::new("/usr/bin")).display().to_string();
        let note =
            format!("home = {home}\ninclude-system-site-packages = false\nversion = {version}\n");
        tarball.text(&environment.join("pyvenv.cfg").display().to_string(), &note)?;
        tarball.folder(&environment.join("bin"))?;
        tarball.link(&environment.join("bin/python"), &python)?;
        let library = environment.join(format!("lib/python{version}/site-packages"));
        tarball.all(&library, &site)?;
        Ok::<_, std::io::Error>(tarball)
    });
    let packed = packed.await.map_err(std::io::Error::other)??;
    drop(source); // what it has installed goes with it
    Ok(packed)
}

/// A step of a recipe, on one line.
fn shortened(step: &str) -> String {
    const LONGEST: usize = 100;
    step.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(LONGEST).collect()
}

fn refused<T>(image: &str, problem: &str, remedy: String) -> Result<T, ContainerError> {
    Err(ContainerError::Image { image: image.to_owned(), problem: problem.to_owned(), remedy })
}

fn failed(step: &'static str, reason: impl Into<String>) -> ContainerError {
    ContainerError::Build { step, reason: reason.into() }
}

/// With what to do, where that is known.
fn explained(reason: &str) -> String {
    let unreachable = [
        "lookup ",
        "dial tcp",
        "pull access denied",
        "manifest unknown",
        "TLS handshake",
        "i/o timeout",
    ];
    let reason = reason.trim();
    if unreachable.iter().any(|sign| reason.contains(sign)) {
        return format!(
            "{reason}. Where no registry is reachable name an image that the engine has (--base), or make one of \
             this machine's own Debian files: `pcm-sandbox images build --base-from-host`"
        );
    }
    reason.to_owned()
}
