//! Which case fails when a fence is down: `fences.toml`, that `./x mutations` goes through.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// A fence, and how its absence is noticed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FenceCase {
    /// Its name in `runtime/fences`.
    pub name: String,
    /// What it stops.
    pub stops: String,
    /// The case that fails without it, as its test is called: `wasm::C1::while_true`.
    pub case: String,
}

/// All of the file.
pub fn load_fences(file: &Path) -> Result<Vec<FenceCase>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Fences {
        fence: Vec<FenceCase>,
    }
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    Ok(toml::from_str::<Fences>(&text)?.fence)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::panic, clippy::unwrap_used, reason = "a test may stop at once")]

    use pcm_fences::Fence;

    use super::*;
    use crate::load_cases;

    fn here() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    #[test]
    fn every_fence_has_a_case_that_fails_without_it() {
        let fences = load_fences(&here().join("fences.toml")).unwrap();
        let names: Vec<&str> = fences.iter().map(|fence| fence.name.as_str()).collect();
        assert_eq!(names, Fence::ALL.map(Fence::name));
        let cases = load_cases(&here().join("cases")).unwrap();
        for fence in &fences {
            let parts: Vec<&str> = fence.case.split("::").collect();
            let [wall, line, name] = parts[..] else { panic!("{} is no test", fence.case) };
            let found = cases.iter().find(|case| case.line == line && case.name == name);
            let found = found.unwrap_or_else(|| panic!("there is no case {}", fence.case));
            assert!(found.is_for(wall), "{} is not for {wall}", fence.case);
            assert!(!fence.stops.is_empty(), "{} says nothing", fence.name);
        }
    }
}
