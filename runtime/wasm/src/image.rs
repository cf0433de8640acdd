//! The embedded image.

use std::io::{self, Read as _};

use pcm_python_wasm::{ImageInfo, Metering};

use crate::cache::Packed;

/// Compressed with Zstandard.
static PACKED: &[u8] = include_bytes!(concat!(env!("PCM_IMAGE"), "/python.cwasm.zst"));
static PACKED_FUEL: &[u8] = include_bytes!(concat!(env!("PCM_IMAGE"), "/python-fuel.cwasm.zst"));
static CODE: &[u8] = include_bytes!(concat!(env!("PCM_IMAGE"), "/code.wasm.zst"));
static INFO: &str = include_str!(concat!(env!("PCM_IMAGE"), "/image.json"));

/// Several times what it is.
const LONGEST_CODE: u64 = 256 << 20;

/// What is known of the embedded image.
pub(crate) fn info() -> io::Result<ImageInfo> {
    Ok(serde_json::from_str(INFO)?)
}

/// The variant that counts what `metering` says.
pub(crate) fn variant(info: &ImageInfo, metering: Metering) -> io::Result<Packed<'_>> {
    let content = match metering {
        Metering::Epochs => PACKED,
        Metering::Fuel => PACKED_FUEL,
    };
    match info.variants.get(&metering) {
        Some(about) => Ok(Packed { content, about }),
        None => Err(io::Error::other("the embedded image is incomplete: build pcm-sandbox again")),
    }
}

/// The module without its memory, to give it another one.
pub(crate) fn code() -> io::Result<Vec<u8>> {
    let mut code = Vec::new();
    zstd::Decoder::new(CODE)?.take(LONGEST_CODE).read_to_end(&mut code)?;
    Ok(code)
}
