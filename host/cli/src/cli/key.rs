//! The keys that sign saved sessions and images, and the tokens of servers.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::exit::Failure;

const DIGITS: usize = 64;

/// What a key signs. An image may do more than a saved session: each has a key of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signs {
    Sessions,
    #[cfg(feature = "wasm")]
    Images,
}

impl Signs {
    fn file_name(self) -> &'static str {
        match self {
            Self::Sessions => "session.key",
            #[cfg(feature = "wasm")]
            Self::Images => "image.key",
        }
    }
}

/// The key in `file`, or in the user's own file. It is made where there is none.
pub(crate) fn of(signs: Signs, file: Option<&Path>) -> Result<[u8; 32], Failure> {
    let file = place(signs, file)?;
    read_or_make(&file).map_err(|error| refused(&file, &error))
}

/// The same without making one: None where there is none.
#[cfg(feature = "wasm")]
pub(crate) fn existing(signs: Signs, file: Option<&Path>) -> Result<Option<[u8; 32]>, Failure> {
    let place = place(signs, file)?;
    match File::open(&place).and_then(read) {
        Ok(key) => Ok(Some(key)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && file.is_none() => Ok(None),
        Err(error) => Err(refused(&place, &error)),
    }
}

/// The token in a file, without the end of its line.
#[cfg(any(feature = "mcp", feature = "remote", feature = "server"))]
pub(crate) fn token(file: &Path) -> Result<String, Failure> {
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", file.display())))?;
    match text.trim() {
        "" => Err(Failure::usage(format!("{} has no token in it", file.display()))),
        token => Ok(token.to_owned()),
    }
}

fn refused(file: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("{}: {error}", file.display()))
}

/// Where the key is: `${XDG_DATA_HOME:-~/.local/share}/pcm-sandbox` if no place is named.
fn place(signs: Signs, file: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(file) = file {
        return Ok(file.to_owned());
    }
    let named = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    named
        .filter(|path| path.is_absolute())
        .or_else(|| home.map(|home| PathBuf::from(home).join(".local/share")))
        .map(|data| data.join("pcm-sandbox").join(signs.file_name()))
        .ok_or_else(|| Failure::usage("there is no place for the key: name a file for it"))
}

fn read_or_make(file: &Path) -> io::Result<[u8; 32]> {
    match File::open(file) {
        Ok(opened) => read(opened),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(file),
        Err(error) => Err(error),
    }
}

fn read(file: File) -> io::Result<[u8; 32]> {
    if file.metadata()?.mode() & 0o077 != 0 {
        return Err(io::Error::other("others can read this key: make it yours alone (chmod 600)"));
    }
    let mut text = String::new();
    file.take(DIGITS as u64 + 2).read_to_string(&mut text)?;
    from_hex(text.trim_end()).ok_or_else(|| io::Error::other("a key has 64 hexadecimal digits"))
}

fn make(file: &Path) -> io::Result<[u8; 32]> {
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut key = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    let mut fresh = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Ok(fresh) => fresh,
        // Somebody else made one at the same moment: that one counts.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return read(File::open(file)?);
        }
        Err(error) => return Err(error),
    };
    let written = fresh.write_all((to_hex(&key) + "\n").as_bytes());
    if written.is_err() {
        fs::remove_file(file)?; // half a key would be in everybody's way
    }
    written.map(|()| key)
}

fn to_hex(key: &[u8; 32]) -> String {
    key.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != key.len() || !rest.is_empty() {
        return None;
    }
    for (byte, pair) in key.iter_mut().zip(pairs) {
        let digit = |character: u8| char::from(character).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_read_again() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("below/session.key");
        let key = read_or_make(&file)?;
        assert_eq!(read_or_make(&file)?, key);
        assert_ne!(read_or_make(&folder.path().join("other.key"))?, key);
        assert_eq!(fs::metadata(&file)?.mode() & 0o777, 0o600);
        Ok(())
    }

    #[test]
    fn a_key_that_others_can_read_or_that_is_none_is_refused() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("session.key");
        read_or_make(&file)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644))?;
        assert!(read_or_make(&file).is_err());
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
        for text in ["", "00", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64)] {
            fs::write(&file, text)?;
            assert!(read_or_make(&file).is_err(), "{text}");
        }
        Ok(())
    }
}
