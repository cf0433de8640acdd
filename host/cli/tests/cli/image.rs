//! The unpacked image in the cache is machine code: what is not the image to the last bit never runs.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use crate::TestResult;
use crate::command::{Ended, command};

/// A cache of its own, with the image in it.
struct Cache(tempfile::TempDir);

impl Cache {
    fn filled() -> io::Result<(Self, PathBuf)> {
        let cache = Self(tempfile::tempdir()?);
        cache.run()?;
        let mut images = Vec::new();
        for entry in fs::read_dir(cache.folder())? {
            images.push(entry?.path());
        }
        images.retain(|path| path.extension().is_some_and(|ending| ending == "cwasm"));
        match images.pop() {
            Some(image) if images.is_empty() => Ok((cache, image)),
            _ => Err(io::Error::other("there is not one image in the cache")),
        }
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("pcm-sandbox/engine")
    }

    /// Runs code with this cache; it works, whatever the cache holds.
    fn run(&self) -> io::Result<()> {
        let mut command = command(&["run", "-c", "6 * 7"]);
        let ended = Ended::from(command.env("XDG_CACHE_HOME", self.0.path()).output()?);
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("42\n", ""));
        Ok(())
    }
}

fn flip_bit(path: &Path, at: SeekFrom) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let at = file.seek(at)?;
    let mut byte = [0];
    file.read_exact(&mut byte)?;
    file.seek(SeekFrom::Start(at))?;
    file.write_all(&[byte[0] ^ 1])
}

#[test]
fn a_flipped_bit_is_found_and_the_image_replaced() -> TestResult {
    let (cache, image) = Cache::filled()?;
    let (content, length) = (fs::read(&image)?, i64::try_from(fs::metadata(&image)?.len())?);
    for at in [SeekFrom::Start(100), SeekFrom::End(-length / 2), SeekFrom::End(-1)] {
        let number = fs::metadata(&image)?.ino();
        flip_bit(&image, at)?;
        cache.run()?;
        assert!(fs::read(&image)? == content, "the image is still another one: {at:?}");
        assert_ne!(fs::metadata(&image)?.ino(), number, "it was written in place: {at:?}");
    }
    Ok(())
}

#[test]
fn a_cut_an_empty_and_another_image_are_replaced() -> TestResult {
    let (cache, image) = Cache::filled()?;
    let content = fs::read(&image)?;
    for other in [&content[..content.len() / 2], b"", &[b"another".as_slice(), &content].concat()] {
        fs::write(&image, other)?;
        cache.run()?;
        assert!(fs::read(&image)? == content, "{} bytes are still there", other.len());
    }
    Ok(())
}

#[test]
fn a_link_is_not_followed() -> TestResult {
    let (cache, image) = Cache::filled()?;
    let target = cache.0.path().join("elsewhere.cwasm");
    fs::rename(&image, &target)?;
    flip_bit(&target, SeekFrom::Start(100))?;
    let content = fs::read(&target)?;
    symlink(&target, &image)?;
    cache.run()?;
    assert!(fs::read(&target)? == content, "the file behind the link was written");
    Ok(())
}

#[test]
fn a_folder_that_others_can_write_is_not_used() -> TestResult {
    let (cache, image) = Cache::filled()?;
    flip_bit(&image, SeekFrom::Start(100))?;
    let content = fs::read(&image)?;
    fs::set_permissions(cache.folder(), fs::Permissions::from_mode(0o777))?;
    cache.run()?;
    assert!(fs::read(&image)? == content, "the image was used or replaced");
    Ok(())
}
