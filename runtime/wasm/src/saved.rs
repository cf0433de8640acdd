//! A session's state as bytes, to be kept or sent elsewhere.
//!
//! A magic word, the version of the format, a keyed BLAKE3 of all that follows, and a compressed
//! body: a description, the numbers of the pages, the pages. Nothing of the body is looked at before
//! the signature was found right, and everything in it is bounded all the same: the key may be
//! known to others.

use std::io::Read;
use std::sync::Arc;

use pcm_runtime_api::SandboxConfig;
use pcm_runtime_files::FilesError;
use serde::{Deserialize, Serialize};

use crate::instance::{Place, State, WASM_PAGE};
use crate::pages::{PAGE, Pages};
use crate::wasi::Wasi;

const MAGIC: &[u8; 12] = b"pcm-session\n";
const VERSION: u32 = 1;
/// The description is a few hundred bytes.
const LONGEST_DESCRIPTION: usize = 4096;
/// Quick: a state is saved while somebody waits.
const COMPRESSION_LEVEL: i32 = 1;
const SIGNATURE: usize = 32;

/// What a state can be loaded into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    /// The engine and its version.
    pub(crate) engine: String,
    /// The hash of the image's snapshot.
    pub(crate) image: String,
}

/// Why a saved state is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("it is not a saved session")]
    NotOne,
    #[error("it has version {0} of the format, and this program reads version {VERSION}")]
    Version(u32),
    #[error("its signature is wrong: it was changed, or signed with another key")]
    Signature,
    #[error("it is of the engine {0}, and this is {1}")]
    Engine(String, String),
    #[error("it is of another Python image ({0:.12}), and this program has {1:.12}")]
    Image(String, String),
    #[error("it needs {0} bytes of memory, and the session may have {1}")]
    TooLarge(u64, u64),
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    #[error(transparent)]
    Files(#[from] FilesError),
}

#[derive(Debug, Serialize, Deserialize)]
struct Description {
    origin: Origin,
    memory_size: u64,
    buffer_at: u32,
    buffer_size: u32,
    pages: u32,
    files: u64,
}

/// The bytes of a state.
pub(crate) fn encode(state: &State, origin: Origin, key: &[u8; 32]) -> std::io::Result<Vec<u8>> {
    let pages = state.pages.iter();
    let files = state.wasi.to_bytes();
    let description = serde_json::to_vec(&Description {
        origin,
        memory_size: state.memory_size,
        buffer_at: state.place.at,
        buffer_size: state.place.size,
        pages: u32::try_from(pages.len()).map_err(std::io::Error::other)?,
        files: files.len() as u64,
    })?;
    let mut body = Vec::with_capacity(description.len() + pages.len() * (PAGE + 4) + files.len());
    body.extend(u32::try_from(description.len()).map_err(std::io::Error::other)?.to_le_bytes());
    body.extend(description);
    body.extend(state.pages.iter().flat_map(|(number, _)| number.to_le_bytes()));
    state.pages.iter().for_each(|(_, content)| body.extend(content));
    body.extend(files);
    let packed = zstd::encode_all(body.as_slice(), COMPRESSION_LEVEL)?;
    let mut saved = Vec::with_capacity(MAGIC.len() + 4 + SIGNATURE + packed.len());
    saved.extend(MAGIC);
    saved.extend(VERSION.to_le_bytes());
    saved.extend(sign(key, &packed));
    saved.extend(packed);
    Ok(saved)
}

/// The state of these bytes, for a session with these settings.
pub(crate) fn decode(
    saved: &[u8],
    key: &[u8; 32],
    here: &Origin,
    config: &SandboxConfig,
) -> Result<State, Refused> {
    let mut body = zstd::Decoder::new(signed_body(saved, key)?)
        .map_err(|_| Refused::Damaged("it does not unpack"))?;
    let description = read_description(&mut body)?;
    let most_files = Wasi::longest_saved(&config.limits);
    check(&description, here, config.limits.memory_bytes, most_files)?;
    read_state(&mut body, &description, config)
}

/// Signs a state that was signed with the key `from` with the key `to`, in place.
pub(crate) fn resign(saved: &mut [u8], from: &[u8; 32], to: &[u8; 32]) -> Result<(), Refused> {
    let packed = signed_body(saved, from)?;
    let (signature, end) = (sign(to, packed), saved.len() - packed.len());
    saved[end - SIGNATURE..end].copy_from_slice(&signature);
    Ok(())
}

/// What follows a signature with this key.
fn signed_body<'a>(saved: &'a [u8], key: &[u8; 32]) -> Result<&'a [u8], Refused> {
    let rest = saved.strip_prefix(MAGIC).ok_or(Refused::NotOne)?;
    let (version, rest) = rest.split_first_chunk().ok_or(Refused::NotOne)?;
    let version = u32::from_le_bytes(*version);
    if version != VERSION {
        return Err(Refused::Version(version));
    }
    let (signature, packed) = rest.split_first_chunk::<SIGNATURE>().ok_or(Refused::NotOne)?;
    // `blake3::Hash` compares in constant time.
    if blake3::Hash::from_bytes(*signature) != blake3::Hash::from_bytes(sign(key, packed)) {
        return Err(Refused::Signature);
    }
    Ok(packed)
}

fn check(
    description: &Description,
    here: &Origin,
    most_memory: u64,
    most_files: u64,
) -> Result<(), Refused> {
    let Description { origin, memory_size, pages, files, .. } = description;
    if origin.engine != here.engine {
        return Err(Refused::Engine(origin.engine.clone(), here.engine.clone()));
    }
    if origin.image != here.image {
        return Err(Refused::Image(origin.image.clone(), here.image.clone()));
    }
    let memory = memory_size.saturating_mul(WASM_PAGE);
    if memory > most_memory {
        return Err(Refused::TooLarge(memory, most_memory));
    }
    if u64::from(*pages) * PAGE as u64 > memory {
        return Err(Refused::Damaged("it has more pages than memory"));
    }
    if *files > most_files {
        return Err(Refused::TooLarge(*files, most_files));
    }
    Ok(())
}

fn read_description(body: &mut impl Read) -> Result<Description, Refused> {
    let length = u32::from_le_bytes(read_array(body)?) as usize;
    if length > LONGEST_DESCRIPTION {
        return Err(Refused::Damaged("its description is too long"));
    }
    serde_json::from_slice(&read_bytes(body, length)?)
        .map_err(|_| Refused::Damaged("its description cannot be read"))
}

fn read_state(
    body: &mut impl Read,
    about: &Description,
    config: &SandboxConfig,
) -> Result<State, Refused> {
    let numbers = read_bytes(body, about.pages as usize * 4)?;
    let mut pages = Vec::with_capacity(about.pages as usize);
    for number in numbers.as_chunks().0 {
        pages.push((u32::from_le_bytes(*number), Arc::new(read_array(body)?)));
    }
    let pages = Pages::from_saved(pages).ok_or(Refused::Damaged("its pages are not in order"))?;
    let length = usize::try_from(about.files).map_err(|_| Refused::Damaged("its files"))?;
    let wasi = Wasi::from_bytes(&read_bytes(body, length)?, config)?;
    let place = Place { at: about.buffer_at, size: about.buffer_size };
    Ok(State { memory_size: about.memory_size, pages, place, wasi })
}

fn read_array<const LENGTH: usize>(from: &mut impl Read) -> Result<[u8; LENGTH], Refused> {
    let mut bytes = [0; LENGTH];
    from.read_exact(&mut bytes).map_err(|_| Refused::Damaged("it ends too early"))?;
    Ok(bytes)
}

/// `length` is bounded by what the session may hold.
fn read_bytes(from: &mut impl Read, length: usize) -> Result<Vec<u8>, Refused> {
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).map_err(|_| Refused::Damaged("it ends too early"))?;
    Ok(bytes)
}

fn sign(key: &[u8; 32], packed: &[u8]) -> [u8; SIGNATURE] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(MAGIC).update(&VERSION.to_le_bytes()).update(packed);
    *hasher.finalize().as_bytes()
}
