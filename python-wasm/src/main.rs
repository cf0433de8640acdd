//! `pcm-image`: makes the image of the current sources, unless the cache has it.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use pcm_python_wasm::{Inputs, build_image};

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stderr, reason = "a program for people")]
async fn main() -> Result<()> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no workspace")?;
    let inputs = Inputs::locate(workspace)?;
    let folder = inputs.image_folder().context("CPython is not in the cache: run `./x setup`")?;
    if folder.join("image.json").exists() {
        return Ok(());
    }
    let start = Instant::now();
    let info = build_image(&inputs, |step| {
        eprintln!("  image {step:<18} {:6.1} s", start.elapsed().as_secs_f64());
    })
    .await?;
    eprintln!(
        "  image {:<18} {:6.1} s, {} MB, {}",
        "done",
        start.elapsed().as_secs_f64(),
        info.variants.values().map(|variant| variant.size).sum::<u64>() / 1_000_000,
        folder.display()
    );
    Ok(())
}
