//! The wheels that the cache has, unpacked, by their hashes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::PackagesError;
use crate::digest::Digest;
use crate::folder::{aside, open_plain, private, publish, remove_abandoned, write};
use crate::name::WheelName;
use crate::resolver::{Choice, Fetched};
use crate::wheel::{Native, Unpacked, pack, pure_name, unpack};

/// Both in the folder of a wheel; the list is written last, and a folder with one is complete.
const FILES: &str = "files";
const LIST: &str = "wheel.json";

/// A wheel as files that are there.
#[derive(Debug)]
pub(crate) struct Shelved {
    pub(crate) sha256: Digest,
    pub(crate) folder: PathBuf,
    pub(crate) unpacked: Unpacked,
}

/// Where unpacked wheels are, and native ones that were made pure.
#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    wheels: PathBuf,
    pure: PathBuf,
}

impl Shelf {
    /// In a folder of the store.
    pub(crate) fn open(store: &Path) -> io::Result<Self> {
        let shelf = Self { wheels: store.join("wheels"), pure: store.join("made-pure") };
        for folder in [&shelf.wheels, &shelf.pure] {
            private(folder)?;
            remove_abandoned(folder);
        }
        Ok(shelf)
    }

    /// The wheel of a choice, if it is here and whole.
    pub(crate) fn get(&self, choice: &Choice) -> Option<Shelved> {
        let sha256 = choice.sha256;
        let place = self.place(choice);
        let list = fs::read(place.join(LIST)).ok()?;
        let unpacked: Unpacked = serde_json::from_slice(&list).ok()?;
        let folder = place.join(FILES);
        let is_whole = unpacked.files.iter().all(|(path, content)| {
            fs::symlink_metadata(folder.join(path))
                .is_ok_and(|metadata| metadata.is_file() && metadata.len() == content.bytes)
        });
        is_whole.then_some(Shelved { sha256, folder, unpacked })
    }

    /// What is native in one wheel may be so only by its name: it is unpacked with its libraries, and
    /// must not be taken for another with the same content and a pure one's name.
    fn place(&self, choice: &Choice) -> PathBuf {
        let suffix = match native(&choice.wheel) {
            Native::Keep => "-native",
            Native::Refuse | Native::Drop => "",
        };
        self.wheels.join(format!("{}{suffix}", choice.sha256))
    }

    /// Unpacks what was fetched for a choice, with its libraries if it is native: then the target
    /// loads them, or it would not have been chosen.
    pub(crate) fn put(&self, fetched: &Fetched, choice: &Choice) -> Result<Shelved, PackagesError> {
        check(fetched, choice)?;
        let cannot = || PackagesError::cache("keep a wheel");
        let aside = aside(&self.wheels).map_err(cannot())?;
        let folder = aside.path().join(FILES);
        let unpacked = unpack(fetched, &choice.wheel, native(&choice.wheel), &folder)?;
        let list = serde_json::to_vec(&unpacked).map_err(|error| cannot()(error.into()))?;
        write(&aside.path().join(LIST), &list).map_err(cannot())?;
        let is_whole = || self.get(choice).is_some();
        publish(aside, &self.place(choice), is_whole).map_err(cannot())?;
        self.get(choice)
            .ok_or_else(|| cannot()(io::Error::other("it changed while it was written")))
    }

    /// The pure wheel that was made of the native one with that hash.
    pub(crate) fn made_pure(&self, native: Digest) -> Option<PathBuf> {
        let mut entries = fs::read_dir(self.pure.join(native.to_string())).ok()?;
        entries.next()?.ok().map(|entry| entry.path())
    }

    /// Makes a pure wheel of the native one that was fetched for a choice.
    pub(crate) fn make_pure(
        &self,
        fetched: &Fetched,
        choice: &Choice,
    ) -> Result<PathBuf, PackagesError> {
        check(fetched, choice)?;
        let cannot = || PackagesError::cache("keep a wheel");
        let files = aside(&self.pure).map_err(cannot())?;
        let unpacked = unpack(fetched, &choice.wheel, Native::Drop, files.path())?;
        let aside = aside(&self.pure).map_err(cannot())?;
        let wheel = aside.path().join(pure_name(&unpacked));
        pack(&unpacked, files.path(), &wheel).map_err(cannot())?;
        let place = self.pure.join(choice.sha256.to_string());
        publish(aside, &place, || self.made_pure(choice.sha256).is_some()).map_err(cannot())?;
        self.made_pure(choice.sha256)
            .ok_or_else(|| cannot()(io::Error::other("it changed while it was written")))
    }
}

/// What becomes of the libraries of a wheel that was chosen for a target.
fn native(wheel: &WheelName) -> Native {
    if wheel.is_pure() { Native::Refuse } else { Native::Keep }
}

/// Whether a wheel is the one that was chosen. Of what `uv` installed `uv` checked it.
fn check(fetched: &Fetched, choice: &Choice) -> Result<(), PackagesError> {
    let Fetched::Wheel(path) = fetched else { return Ok(()) };
    let sha256 = open_plain(path).and_then(|mut file| Digest::of_reader(&mut file));
    if sha256.map_err(PackagesError::cache("read a wheel"))? == choice.sha256 {
        return Ok(());
    }
    let wheel = choice.wheel.to_string();
    Err(PackagesError::Wheel {
        wheel,
        reason: "its hash is not the one that was chosen".to_owned(),
    })
}
