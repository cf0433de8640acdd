//! An image of a session as bytes: one file, to be kept or carried to another machine.
//!
//! A magic word, the version of the format, a keyed BLAKE3 of all that follows, and then: a
//! description, the compiled modules, the packages. The modules are machine code that this process
//! will run outside of every wall: whoever can make a signature can run programs as its user.
//! Nothing is used before the signature over the whole was found right.

use std::collections::BTreeMap;

use pcm_python_wasm::{Compiled, ImageInfo, Metering, Packed};
use serde::{Deserialize, Serialize};

use crate::packages::Tree;

const MAGIC: &[u8; 12] = b"pcm-image\0\r\n";
const VERSION: u32 = 1;
const SIGNATURE: usize = 32;
/// The names of a few hundred packages and modules are a few kilobytes.
const LONGEST_DESCRIPTION: usize = 4 << 20;
/// The largest file that is read; the largest module in it, unpacked.
pub(crate) const LARGEST: u64 = 2 << 30;

/// Why an image is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("it is not an image")]
    NotOne,
    #[error("it has version {0} of the format, and this program reads version {VERSION}")]
    Version(u32),
    #[error("its signature is wrong: it was changed, or signed with another key")]
    Signature,
    #[error("it was compiled by {0}, and this program has {1}: build the image again")]
    Engine(String, String),
    #[error("it was compiled for {0}, and this machine is {1}: build the image here")]
    Platform(String, String),
    #[error(
        "it was made from another Python image ({0:.12}) than this program has ({1:.12}): build it \
         again"
    )]
    Base(String, String),
    #[error("it is larger than the {LARGEST} bytes that are read")]
    TooLarge,
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
}

/// What is known of an image of a session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Description {
    /// For the engine.
    pub(crate) image: ImageInfo,
    /// The snapshot of the image that it was made from: host and guest must be of one version.
    pub(crate) base: String,
    pub(crate) platform: String,
    pub(crate) memory_bytes: u64,
    pub(crate) distributions: Vec<ImageDistribution>,
    pub(crate) modules: Vec<String>,
    pub(crate) packages: Option<Tree>,
    /// Bytes of what follows, in the order in which it follows.
    sections: Vec<u64>,
}

/// A package in an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ImageDistribution {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// An image whose signature was right.
#[derive(Debug)]
pub(crate) struct Bundle<'a> {
    pub(crate) description: Description,
    modules: BTreeMap<Metering, &'a [u8]>,
    pub(crate) packages: &'a [u8],
}

impl Bundle<'_> {
    /// A module, compressed, with what is known of it.
    pub(crate) fn module(&self, metering: Metering) -> Result<(&[u8], &Compiled), Refused> {
        let content = self.modules.get(&metering);
        let about = self.description.image.variants.get(&metering);
        content.copied().zip(about).ok_or(Refused::Damaged("a module is missing"))
    }
}

/// The machine that modules are compiled for.
pub(crate) fn platform() -> String {
    format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS)
}

/// The bytes of an image.
pub(crate) fn encode(
    mut description: Description,
    modules: &Packed,
    packages: &[u8],
    key: &[u8; 32],
) -> Result<Vec<u8>, Refused> {
    let parts: Vec<&[u8]> = Metering::ALL
        .iter()
        .filter_map(|metering| modules.get(metering).map(Vec::as_slice))
        .chain([packages])
        .collect();
    description.sections = parts.iter().map(|part| part.len() as u64).collect();
    let description =
        serde_json::to_vec(&description).map_err(|_| Refused::Damaged("its description"))?;
    let length =
        u32::try_from(description.len()).map_err(|_| Refused::Damaged("its description"))?;
    let body = [&length.to_le_bytes()[..], &description]
        .into_iter()
        .chain(parts)
        .collect::<Vec<_>>()
        .concat();
    let mut bytes = Vec::with_capacity(MAGIC.len() + 4 + SIGNATURE + body.len());
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(sign(key, &body).as_bytes());
    bytes.extend(body);
    if bytes.len() as u64 > LARGEST { Err(Refused::TooLarge) } else { Ok(bytes) }
}

/// The image in these bytes, if they were signed with the key.
pub(crate) fn decode<'a>(bytes: &'a [u8], key: &[u8; 32]) -> Result<Bundle<'a>, Refused> {
    let (signature, body) = split(bytes)?;
    // `blake3::Hash` compares in constant time.
    if signature != sign(key, body) {
        return Err(Refused::Signature);
    }
    let (description, rest) = read_description(body)?;
    let mut parts = Vec::with_capacity(Metering::ALL.len() + 1);
    let mut rest = rest;
    for bytes in &description.sections {
        let cut = usize::try_from(*bytes).ok().and_then(|length| rest.split_at_checked(length));
        let (part, after) = cut.ok_or(Refused::Damaged("it ends too early"))?;
        parts.push(part);
        rest = after;
    }
    match (parts.pop(), rest) {
        (Some(packages), []) if parts.len() == Metering::ALL.len() => {
            let modules = Metering::ALL.into_iter().zip(parts).collect();
            Ok(Bundle { description, modules, packages })
        }
        _ => Err(Refused::Damaged("its sections are not what they should be")),
    }
}

/// What the bytes say of themselves, which may be a lie: no signature was looked at.
pub(crate) fn claims(bytes: &[u8]) -> Result<Description, Refused> {
    Ok(read_description(split(bytes)?.1)?.0)
}

fn split(bytes: &[u8]) -> Result<(blake3::Hash, &[u8]), Refused> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(Refused::NotOne)?;
    let (version, rest) = rest.split_first_chunk().ok_or(Refused::NotOne)?;
    let version = u32::from_le_bytes(*version);
    if version != VERSION {
        return Err(Refused::Version(version));
    }
    let (signature, body) = rest.split_first_chunk::<SIGNATURE>().ok_or(Refused::NotOne)?;
    Ok((blake3::Hash::from_bytes(*signature), body))
}

fn read_description(body: &[u8]) -> Result<(Description, &[u8]), Refused> {
    let short = Refused::Damaged("it ends too early");
    let Some((length, rest)) = body.split_first_chunk() else { return Err(short) };
    let length = u32::from_le_bytes(*length) as usize;
    if length > LONGEST_DESCRIPTION {
        return Err(Refused::Damaged("its description is too long"));
    }
    let Some((description, rest)) = rest.split_at_checked(length) else { return Err(short) };
    let description: Description = serde_json::from_slice(description)
        .map_err(|_| Refused::Damaged("its description cannot be read"))?;
    Ok((description, rest))
}

impl Description {
    /// What there is to say of an image before it has sections.
    pub(crate) fn new(image: ImageInfo, base: String, memory_bytes: u64) -> Self {
        Self {
            image,
            base,
            platform: platform(),
            memory_bytes,
            distributions: Vec::new(),
            modules: Vec::new(),
            packages: None,
            sections: Vec::new(),
        }
    }

    /// Refuses what this program, whose own image is `own`, cannot run.
    pub(crate) fn check(&self, own: &ImageInfo) -> Result<(), Refused> {
        let engine = |image: &ImageInfo| format!("wasmtime {}", image.wasmtime);
        if self.image.wasmtime != own.wasmtime {
            return Err(Refused::Engine(engine(&self.image), engine(own)));
        }
        if self.platform != platform() {
            return Err(Refused::Platform(self.platform.clone(), platform()));
        }
        if self.base != own.snapshot {
            return Err(Refused::Base(self.base.clone(), own.snapshot.clone()));
        }
        let hashes = self.image.variants.values().map(|variant| &variant.blake3);
        let hashes = hashes.chain(self.packages.iter().map(|tree| &tree.blake3));
        let is_hash =
            |text: &String| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        if !hashes.chain([&self.image.snapshot]).all(is_hash) {
            return Err(Refused::Damaged("one of its hashes is none"));
        }
        if self.image.variants.values().any(|variant| variant.size > LARGEST) {
            return Err(Refused::TooLarge);
        }
        Ok(())
    }
}

fn sign(key: &[u8; 32], body: &[u8]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(MAGIC).update(&VERSION.to_le_bytes()).update(body);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image;

    const KEY: [u8; 32] = [7; 32];

    fn described() -> std::io::Result<Description> {
        let own = image::info()?;
        Ok(Description::new(own.clone(), own.snapshot, 1 << 20))
    }

    fn encoded(description: Description) -> Result<Vec<u8>, Refused> {
        let modules =
            Packed::from([(Metering::Epochs, vec![1; 10]), (Metering::Fuel, vec![2; 20])]);
        encode(description, &modules, &[3; 30], &KEY)
    }

    #[test]
    fn what_was_put_in_comes_out() -> Result<(), Box<dyn std::error::Error>> {
        let bytes = encoded(described()?)?;
        let bundle = decode(&bytes, &KEY)?;
        assert_eq!(bundle.module(Metering::Epochs)?.0, [1; 10]);
        assert_eq!(bundle.module(Metering::Fuel)?.0, [2; 20]);
        assert_eq!(bundle.packages, [3; 30]);
        bundle.description.check(&image::info()?)?;
        assert_eq!(claims(&bytes)?.image.snapshot, bundle.description.image.snapshot);
        Ok(())
    }

    #[test]
    fn every_changed_byte_and_every_missing_end_is_noticed()
    -> Result<(), Box<dyn std::error::Error>> {
        let mut bytes = encoded(described()?)?;
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            assert!(decode(&bytes, &KEY).is_err(), "byte {at}");
            bytes[at] ^= 1;
            assert!(decode(&bytes[..at], &KEY).is_err(), "{at} bytes");
        }
        assert!(matches!(decode(&bytes, &[8; 32]), Err(Refused::Signature)));
        bytes.push(0);
        assert!(matches!(decode(&bytes, &KEY), Err(Refused::Signature)));
        Ok(())
    }

    /// Signed as it should be, but of something else.
    #[test]
    fn an_image_of_another_version_is_refused() -> Result<(), Box<dyn std::error::Error>> {
        let own = image::info()?;
        let refused =
            |change: &dyn Fn(&mut Description)| -> Result<String, Box<dyn std::error::Error>> {
                let mut description = described()?;
                change(&mut description);
                let bytes = encoded(description)?;
                let checked = decode(&bytes, &KEY)?.description.check(&own);
                Ok(checked.err().map(|refused| refused.to_string()).unwrap_or_default())
            };
        let message = refused(&|it| "47.0.0".clone_into(&mut it.image.wasmtime))?;
        assert!(message.starts_with("it was compiled by wasmtime 47.0.0, and this"), "{message}");
        let message = refused(&|it| "sparc-solaris".clone_into(&mut it.platform))?;
        assert!(message.starts_with("it was compiled for sparc-solaris, and this"), "{message}");
        let message = refused(&|it| it.base = "0".repeat(64))?;
        assert!(
            message.starts_with("it was made from another Python image (000000000000)"),
            "{message}"
        );
        for hash in ["", "../../x", &"g".repeat(64)] {
            let message = refused(&|it| {
                it.image
                    .variants
                    .values_mut()
                    .for_each(|variant| hash.clone_into(&mut variant.blake3));
            })?;
            assert_eq!(message, "it is damaged: one of its hashes is none");
        }
        Ok(())
    }

    #[test]
    fn sections_that_are_not_there_are_refused_though_signed()
    -> Result<(), Box<dyn std::error::Error>> {
        for sections in
            [vec![], vec![60], vec![10, 20, 31], vec![10, 20, u64::MAX], vec![10, 20, 29]]
        {
            let mut description = described()?;
            description.sections = sections.clone();
            let json = serde_json::to_vec(&description)?;
            let mut body = u32::try_from(json.len())?.to_le_bytes().to_vec();
            body.extend(json);
            body.extend([0; 60]);
            let mut bytes = [&MAGIC[..], &VERSION.to_le_bytes()].concat();
            bytes.extend(sign(&KEY, &body).as_bytes());
            bytes.extend(body);
            assert!(matches!(decode(&bytes, &KEY), Err(Refused::Damaged(_))), "{sections:?}");
        }
        Ok(())
    }
}
