//! Tells the crate which architecture it compiles Python for.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = std::env::var("TARGET").unwrap_or_default();
    println!("cargo:rustc-env=PCM_TARGET={target}");
}
