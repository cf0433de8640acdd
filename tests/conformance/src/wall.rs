//! The walls that the suite runs over, and which of its cases each of them gets.

use std::{env, fmt};

use anyhow::{Context as _, Result};

use crate::Case;

/// Of the cases about the evaluator alone, every so many runs on a wall that has only another place for it.
const ONE_OF: u64 = 5;

/// The variable that chooses other cases for the sample, or `all`.
const SEED: &str = "PCM_CONFORMANCE_SEED";

/// A wall in one of the places that it can stand in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wall {
    /// What its tests are called by.
    pub name: &'static str,
    /// The backend's key, as in a case's `[case.except.KEY]`.
    pub key: &'static str,
    /// The wall that has the same evaluator, if of the cases about that a sample is enough here.
    pub again: Option<&'static str>,
}

impl Wall {
    /// All of them. A worker holds the engine of its wall, and a container a kernel of the subprocess
    /// backend. A worker of wasm starts in milliseconds: nothing is gained by a sample.
    pub const ALL: [Self; 7] = [
        Self::new("wasm", "wasm"),
        Self::new("wasm-worker", "wasm"),
        Self::new("deno-sandbox", "deno-sandbox"),
        Self::new("deno-sandbox-worker", "deno-sandbox").again("deno-sandbox"),
        Self::new("subprocess", "subprocess"),
        Self::new("container", "container").again("subprocess"),
        Self::new("in-process", "in-process"),
    ];

    const fn new(name: &'static str, key: &'static str) -> Self {
        Self { name, key, again: None }
    }

    const fn again(mut self, wall: &'static str) -> Self {
        self.again = Some(wall);
        self
    }

    /// The one that is called so.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|wall| wall.name == name)
    }

    /// Whether of these cases a sample is enough here.
    pub fn samples(self, case: &Case) -> bool {
        self.again.is_some() && case.evaluator_alone && !case.except.contains_key(self.key)
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name)
    }
}

/// Which cases run where a sample is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Without one all cases run.
    seed: Option<u64>,
}

impl Sample {
    /// As the environment says: a number in `PCM_CONFORMANCE_SEED`, or `all`. Else always the same one.
    pub fn of_environment() -> Result<Self> {
        let seed = match env::var(SEED) {
            Ok(word) if word == "all" => None,
            Ok(number) => Some(number.parse().with_context(|| {
                format!("{SEED} is {number:?}, and should be a number or the word all")
            })?),
            Err(_) => Some(1),
        };
        Ok(Self { seed })
    }

    /// Whether the case runs on the wall.
    pub fn has(self, wall: Wall, case: &Case) -> bool {
        let Some(seed) = self.seed.filter(|_| wall.samples(case)) else { return true };
        let name = format!("{seed}/{}/{}/{}", wall.name, case.topic(), case.id);
        fnv(name.as_bytes()).is_multiple_of(ONE_OF)
    }
}

/// FNV-1a: the same on every machine and with every version of Rust.
pub(crate) fn fnv(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use std::path::Path;

    use super::*;
    use crate::load_cases;

    #[test]
    fn a_sample_is_a_fifth_of_what_is_about_the_evaluator_alone() {
        let cases = load_cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")).unwrap();
        let sample = Sample { seed: Some(1) };
        for wall in Wall::ALL {
            let sampled: Vec<&Case> = cases.iter().filter(|case| wall.samples(case)).collect();
            let run = sampled.iter().filter(|case| sample.has(wall, case)).count();
            assert_eq!(sampled.is_empty(), wall.again.is_none(), "{wall}");
            let (run, of) = (run as u64, sampled.len() as u64);
            assert!(run * 10 >= of && run * 3 <= of, "{wall}: {run} of {of}");
        }
    }

    #[test]
    fn what_is_about_a_wall_is_in_every_sample() {
        let cases = load_cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")).unwrap();
        let sample = Sample { seed: Some(7) };
        let all = |case: &&Case| !case.evaluator_alone || case.except.contains_key("container");
        let container = Wall::named("container").unwrap();
        assert!(cases.iter().filter(all).all(|case| sample.has(container, case)));
        let other = Sample { seed: None };
        assert!(cases.iter().all(|case| other.has(container, case)));
    }
}
