//! From the file of an image to what an engine is made of.
//!
//! The first time the file is read, its signature checked, and what is in it unpacked into the
//! cache. A note remembers which file that was (device, number, size, times) and under which key, so
//! that the next process does not have to read it. What is used then is what was unpacked, under the
//! hashes that were signed, from folders that only the user can write.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pcm_python_wasm::{ImageInfo, Metering};
use rustix::fs::{OFlags, syncfs};
use serde::Serialize;
use tempfile::{NamedTempFile, TempDir};

use crate::bundle::{self, Bundle, Description, ImageDistribution, LARGEST, Refused};
use crate::cache::{Cache, Packed, Unpacked};
use crate::engine::EngineError;
use crate::packages::{self, Tree};

/// The folder of notes and packages in the cache.
const IMAGES: &str = "images";
/// A description, and nothing else.
const LONGEST_NOTE: u64 = 8 << 20;
/// What was not used for so long goes; whoever still needs it unpacks it again.
const UNUSED: Duration = Duration::from_hours(30 * 24);
/// Use is noted once a day.
const DAY: Duration = Duration::from_hours(24);

/// An image that can be run.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) description: Description,
    modules: BTreeMap<Metering, Unpacked>,
    packages: Option<Packages>,
}

/// A folder of packages.
#[derive(Debug)]
struct Packages {
    folder: PathBuf,
    /// Where the cache cannot be written: it ends with the engine.
    _temporary: Option<TempDir>,
}

/// What is in an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ImageContents {
    /// The hash of its snapshot: saved sessions belong to one.
    pub image: String,
    /// The version of Python.
    pub python: String,
    /// The version of wasmtime that compiled it.
    pub wasmtime: String,
    /// The machine that it was compiled for.
    pub platform: String,
    /// The memory that a session begins with.
    pub memory_bytes: u64,
    /// The packages that it brings.
    pub distributions: Vec<ImageDistribution>,
    /// The modules that are imported already.
    pub modules: Vec<String>,
    /// The files of its packages.
    pub package_files: u64,
    /// What is in them, together.
    pub package_bytes: u64,
}

/// The file of an image, looked at and not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ExaminedImage {
    /// What it says of itself. That is true if there is no problem, and may be a lie if there is one.
    #[serde(flatten)]
    pub contents: ImageContents,
    /// The size of the file.
    pub file_bytes: u64,
    /// Why this program would not run it.
    pub problem: Option<String>,
}

impl From<&Description> for ImageContents {
    fn from(description: &Description) -> Self {
        let Description { image, platform, memory_bytes, distributions, modules, packages, .. } =
            description;
        Self {
            image: image.snapshot.clone(),
            python: image.python.clone(),
            wasmtime: image.wasmtime.clone(),
            platform: platform.clone(),
            memory_bytes: *memory_bytes,
            distributions: distributions.clone(),
            modules: modules.clone(),
            package_files: packages.as_ref().map_or(0, |tree| tree.files),
            package_bytes: packages.as_ref().map_or(0, |tree| tree.bytes),
        }
    }
}

impl Opened {
    /// A compiled module.
    pub(crate) fn module(&self, metering: Metering) -> io::Result<Unpacked> {
        match self.modules.get(&metering) {
            Some(Unpacked { file, path }) => {
                Ok(Unpacked { file: file.try_clone()?, path: path.clone() })
            }
            None => Err(io::Error::other("the image is incomplete")),
        }
    }

    /// The folder of its packages.
    pub(crate) fn packages(&self) -> Option<&Path> {
        self.packages.as_ref().map(|packages| packages.folder.as_path())
    }
}

/// The image in the file, if it was signed with the key and is one for this program, whose own image
/// is `own`.
pub(crate) fn open(
    path: &Path,
    key: &[u8; 32],
    own: &ImageInfo,
    cache: &Cache,
) -> Result<Opened, EngineError> {
    let file = open_file(path).map_err(unreadable(path))?;
    let identity = pcm_runtime_cache::identity(&file.metadata().map_err(unreadable(path))?);
    let images = cache.folder(IMAGES);
    let note = images.as_ref().map(|folder| folder.join(note_name(key, &identity)));
    if let Some((note, images)) = note.as_ref().zip(images.as_ref())
        && let Some(description) = read_note(note)
    {
        description.check(own)?;
        if let Some(opened) = find(cache, images, description) {
            return Ok(opened);
        }
    }
    let bytes = read(file).map_err(unreadable(path))?;
    let bundle = bundle::decode(&bytes, key)?;
    bundle.description.check(own)?;
    let opened = unpack(cache, bundle, images.as_deref())?;
    if let Some((note, images)) = note.zip(images) {
        // Without a note the file is read the next time too.
        drop(write_note(&images, &note, &opened.description));
    }
    Ok(opened)
}

/// What is in the file, and whether `open` would take it. Nothing is unpacked.
pub(crate) fn examine(
    path: &Path,
    key: Option<&[u8; 32]>,
    own: &ImageInfo,
) -> Result<ExaminedImage, EngineError> {
    let bytes = open_file(path).and_then(read).map_err(unreadable(path))?;
    let description = bundle::claims(&bytes)?;
    let problem = match key {
        None => Some("there is no key to verify it with".to_owned()),
        Some(key) => {
            let checked =
                bundle::decode(&bytes, key).and_then(|image| image.description.check(own));
            checked.err().map(|refused| refused.to_string())
        }
    };
    let contents = ImageContents::from(&description);
    Ok(ExaminedImage { contents, file_bytes: bytes.len() as u64, problem })
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> EngineError {
    move |source| EngineError::File { path: path.to_owned(), source }
}

/// A plain file; a pipe's other end is not waited for.
fn open_file(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a file")) }
}

/// All of it: what is checked must be what is used, and a file may change meanwhile.
fn read(file: File) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    let mut bytes = Vec::new();
    if length <= LARGEST {
        bytes.reserve_exact(usize::try_from(length).unwrap_or(0));
        file.take(LARGEST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 <= LARGEST {
            return Ok(bytes);
        }
    }
    Err(io::Error::other(Refused::TooLarge))
}

/// What was unpacked before, all of it.
fn find(cache: &Cache, images: &Path, description: Description) -> Option<Opened> {
    let mut modules = BTreeMap::new();
    for (metering, about) in &description.image.variants {
        modules.insert(*metering, cache.find(about)?);
    }
    let packages = match &description.packages {
        None => None,
        Some(tree) => Some(find_packages(images, tree)?),
    };
    Some(Opened { description, modules, packages })
}

/// Of a folder that nobody else can look into.
fn ours() -> fs::Permissions {
    fs::Permissions::from_mode(0o700)
}

fn unpack(cache: &Cache, bundle: Bundle<'_>, images: Option<&Path>) -> Result<Opened, EngineError> {
    let mut modules = BTreeMap::new();
    for metering in Metering::ALL {
        let (content, about) = bundle.module(metering)?;
        modules.insert(metering, cache.open(Packed { content, about })?);
    }
    let packages = match &bundle.description.packages {
        None => None,
        Some(tree) => Some(unpack_packages(images, bundle.packages, tree)?),
    };
    Ok(Opened { description: bundle.description, modules, packages })
}

fn place(images: &Path, tree: &Tree) -> PathBuf {
    images.join(format!("packages-{}", tree.blake3))
}

fn find_packages(images: &Path, tree: &Tree) -> Option<Packages> {
    let folder = place(images, tree);
    let metadata = fs::symlink_metadata(&folder).ok()?;
    if !metadata.is_dir() {
        return None;
    }
    let is_old = metadata.modified().is_ok_and(|time| time.elapsed().is_ok_and(|age| age > DAY));
    if is_old && let Ok(opened) = File::open(&folder) {
        drop(opened.set_modified(SystemTime::now())); // who cannot say so unpacks it once more
    }
    Some(Packages { folder, _temporary: None })
}

/// Unpacked aside and moved into place: a folder with that name is complete.
fn unpack_packages(images: Option<&Path>, packed: &[u8], tree: &Tree) -> io::Result<Packages> {
    let Some(images) = images else {
        let folder =
            tempfile::Builder::new().permissions(ours()).prefix("pcm-packages-").tempdir()?;
        packages::unpack(packed, tree, folder.path())?;
        return Ok(Packages { folder: folder.path().to_owned(), _temporary: Some(folder) });
    };
    if let Some(found) = find_packages(images, tree) {
        return Ok(found);
    }
    let fresh = tempfile::Builder::new().permissions(ours()).prefix(".new-").tempdir_in(images)?;
    packages::unpack(packed, tree, fresh.path())?;
    syncfs(File::open(fresh.path())?)?; // a name must not outlive the content
    let folder = place(images, tree);
    match fs::rename(fresh.path(), &folder) {
        Ok(()) => drop(fresh.keep()), // there is nothing at its old place
        Err(_) if folder.is_dir() => drop(fresh), // somebody else was faster
        Err(error) => return Err(error),
    }
    remove_unused(images, &folder);
    Ok(Packages { folder, _temporary: None })
}

/// Removes notes, packages and what killed processes left. Failing is harmless: the next one tries.
fn remove_unused(images: &Path, current: &Path) {
    for entry in fs::read_dir(images).into_iter().flatten().flatten() {
        let path = entry.path();
        let age = entry.metadata().and_then(|metadata| metadata.modified());
        let is_old = age.is_ok_and(|time| time.elapsed().is_ok_and(|age| age > UNUSED));
        if is_old && path != current {
            drop(if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) });
        }
    }
}

/// Whoever does not know the key does not find the note.
fn note_name(key: &[u8; 32], identity: &str) -> String {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(b"pcm-sandbox: the note of an image\n").update(identity.as_bytes());
    format!("{}.json", hasher.finalize().to_hex())
}

fn read_note(path: &Path) -> Option<Description> {
    serde_json::from_str(&pcm_runtime_cache::read_note(path, LONGEST_NOTE).ok()?).ok()
}

fn write_note(images: &Path, path: &Path, description: &Description) -> io::Result<()> {
    let file = NamedTempFile::with_prefix_in(".new-", images)?;
    serde_json::to_writer(file.as_file(), description)?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use pcm_python_wasm::{Compiled, Packed as Modules};

    use super::*;
    use crate::image;

    const KEY: [u8; 32] = [7; 32];

    type TestResult<T = ()> = Result<T, Box<dyn std::error::Error>>;

    /// A cache, and an image with modules that no engine would run, and two packages.
    struct World {
        folder: TempDir,
        own: ImageInfo,
    }

    impl World {
        fn new() -> TestResult<Self> {
            let world = Self { folder: tempfile::tempdir()?, own: image::info()? };
            fs::create_dir(world.path("from"))?;
            for name in ["a.py", "b.py"] {
                fs::write(world.path("from").join(name), name)?;
            }
            let (tree, packages) = packages::pack(&world.path("from"))?;
            let mut description =
                Description::new(world.own.clone(), world.own.snapshot.clone(), 1 << 20);
            description.packages = Some(tree);
            let mut modules = Modules::new();
            for (seed, metering) in (1..).zip(Metering::ALL) {
                let module = noise(seed);
                let about = Compiled {
                    blake3: blake3::hash(&module).to_hex().to_string(),
                    size: module.len() as u64,
                };
                description.image.variants.insert(metering, about);
                modules.insert(metering, zstd::encode_all(module.as_slice(), 1)?);
            }
            let bytes = bundle::encode(description, &modules, &packages, &KEY)?;
            fs::write(world.path("img"), bytes)?;
            Ok(world)
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn open(&self) -> Result<Opened, EngineError> {
            open(&self.path("img"), &KEY, &self.own, &Cache::at(&self.path("cache")))
        }
    }

    /// A megabyte that cannot be compressed.
    fn noise(seed: u8) -> Vec<u8> {
        let mut noise = vec![0; 1 << 20];
        blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut noise);
        noise
    }

    /// The bytes that this thread has read so far, if the system counts them.
    fn bytes_read() -> Option<u64> {
        let text = fs::read_to_string("/proc/thread-self/io").ok()?;
        text.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse().ok())
    }

    #[test]
    fn what_is_in_the_file_is_unpacked() -> TestResult {
        let world = World::new()?;
        let opened = world.open()?;
        for (seed, metering) in (1..).zip(Metering::ALL) {
            let mut module = Vec::new();
            opened.module(metering)?.file.read_to_end(&mut module)?;
            assert!(module == noise(seed));
        }
        let packages = opened.packages().ok_or("no packages")?;
        assert_eq!(fs::read_to_string(packages.join("a.py"))?, "a.py");
        assert_eq!(fs::metadata(packages)?.permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(packages.join("b.py"))?.permissions().mode() & 0o777, 0o400);
        Ok(())
    }

    #[test]
    fn the_second_time_the_file_is_not_read() -> TestResult {
        let world = World::new()?;
        let read = || -> TestResult<Option<u64>> {
            let before = bytes_read();
            world.open()?;
            Ok(bytes_read().zip(before).map(|(after, before)| after - before))
        };
        let (Some(first), Some(second)) = (read()?, read()?) else { return Ok(()) };
        assert!(first > 2 << 20, "{first}");
        assert!(second < 64 << 10, "{second}");
        Ok(())
    }

    #[test]
    fn what_is_gone_from_the_cache_is_unpacked_again() -> TestResult {
        let world = World::new()?;
        for folder in ["engine", "images"] {
            world.open()?;
            fs::remove_dir_all(world.path("cache").join(folder))?;
        }
        let opened = world.open()?;
        assert!(opened.packages().is_some_and(|packages| packages.join("a.py").is_file()));
        Ok(())
    }

    #[test]
    fn a_changed_file_is_refused_though_it_was_accepted_before() -> TestResult {
        let world = World::new()?;
        world.open()?;
        let mut bytes = fs::read(world.path("img"))?;
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        fs::write(world.path("img"), &bytes)?;
        assert!(matches!(world.open(), Err(EngineError::Refused(_))));
        Ok(())
    }

    #[test]
    fn another_key_does_not_find_the_note() -> TestResult {
        let world = World::new()?;
        world.open()?;
        let cache = Cache::at(&world.path("cache"));
        let refused = open(&world.path("img"), &[8; 32], &world.own, &cache);
        assert!(matches!(refused, Err(EngineError::Refused(_))));
        Ok(())
    }

    #[test]
    fn a_note_does_not_make_an_image_one_for_another_version() -> TestResult {
        let mut world = World::new()?;
        world.open()?;
        world.own.snapshot = "0".repeat(64);
        assert!(matches!(world.open(), Err(EngineError::Refused(_))));
        Ok(())
    }

    #[test]
    fn without_a_cache_everything_is_unpacked_each_time() -> TestResult {
        let world = World::new()?;
        fs::write(world.path("cache"), "a file in its place")?;
        let opened = world.open()?;
        let packages = opened.packages().ok_or("no packages")?.to_owned();
        assert_eq!(fs::read_to_string(packages.join("a.py"))?, "a.py");
        drop(opened);
        assert!(!packages.exists());
        Ok(())
    }

    #[test]
    fn what_is_no_image_is_told_so() -> TestResult {
        let folder = tempfile::tempdir()?;
        let (file, own) = (folder.path().join("file"), image::info()?);
        let message = |path: &Path| examine(path, None, &own).err().map(|error| error.to_string());
        fs::write(&file, "text")?;
        assert_eq!(message(&file).as_deref(), Some("the image is refused: it is not an image"));
        assert!(message(folder.path()).is_some_and(|text| text.ends_with("it is not a file")));
        assert!(matches!(
            examine(&folder.path().join("missing"), None, &own),
            Err(EngineError::File { .. })
        ));
        Ok(())
    }

    #[test]
    fn examining_tells_whether_it_would_be_opened() -> TestResult {
        let world = World::new()?;
        let problem = |key: Option<&[u8; 32]>| -> TestResult<Option<String>> {
            Ok(examine(&world.path("img"), key, &world.own)?.problem)
        };
        assert_eq!(problem(Some(&KEY))?, None);
        assert!(problem(Some(&[8; 32]))?.is_some_and(|text| text.contains("signature")));
        assert!(problem(None)?.is_some());
        assert!(!world.path("cache").exists(), "nothing was unpacked");
        Ok(())
    }
}
