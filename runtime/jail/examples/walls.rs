//! What holds of a jail on this machine, and how long it takes to close one:
//! `cargo run -p pcm-runtime-jail --example walls`.

#![expect(clippy::print_stdout, reason = "it is what this program is for")]

use std::error::Error;
use std::process::Command;
use std::time::Instant;

use pcm_runtime_jail::{JailMode, separate};

const TIMES: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(parent) = std::env::args().nth(1) {
        return jailed(parent.parse()?);
    }
    let own = std::env::current_exe()?;
    let parent = std::process::id().to_string();
    for _ in 0..TIMES {
        Command::new(&own).arg(&parent).status()?;
    }
    Ok(())
}

fn jailed(parent: u32) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let separated = separate(JailMode::Default, &[1, 2], None, parent)?;
    let separate = start.elapsed();
    let report = separated.close()?;
    let all = start.elapsed();
    println!("separated in {separate:.1?}, closed after {all:.1?}; {report}");
    Ok(())
}
