//! Every oracle over its seeds, and over what the mutator makes of them: as many as take about a second, or for
//! as long as `PCM_FUZZ_SECONDS` says, from the number that `PCM_FUZZ_NUMBER` says.

#![expect(clippy::print_stderr, reason = "whoever runs a test reads it")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, fs, panic};

use libtest_mimic::{Arguments, Failed, Trial};
use pcm_fuzz::{Mutator, TARGETS, Target};

/// The longest seed: what is committed stays small.
const MOST_SEED: usize = 4096;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for target in TARGETS {
        trials.push(Trial::test(format!("seeds_of_{}", target.name), move || seeds_hold(target)));
        trials.push(Trial::test(format!("mutations_of_{}", target.name), move || {
            mutations_hold(target)
        }));
    }
    trials.push(Trial::test("every_folder_of_seeds_has_an_oracle", folders_have_oracles));
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds")
}

/// The seeds of a target, by name.
fn seeds(target: Target) -> Result<Vec<(String, Vec<u8>)>, Failed> {
    let mut seeds = Vec::new();
    for entry in fs::read_dir(folder().join(target.name))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let seed = fs::read(&path)?;
        if seed.len() > MOST_SEED {
            return Err(
                format!("{name} has {} bytes, at most {MOST_SEED} are kept", seed.len()).into()
            );
        }
        seeds.push((name, seed));
    }
    seeds.sort();
    if seeds.is_empty() {
        return Err("there are no seeds".into());
    }
    Ok(seeds)
}

fn seeds_hold(target: Target) -> Result<(), Failed> {
    for (name, seed) in seeds(target)? {
        attempt(target, &seed).map_err(|reason| format!("{name}: {reason}"))?;
    }
    Ok(())
}

fn mutations_hold(target: Target) -> Result<(), Failed> {
    let seeds: Vec<Vec<u8>> = seeds(target)?.into_iter().map(|(_, seed)| seed).collect();
    let seconds = number("PCM_FUZZ_SECONDS")?;
    let mut mutator = Mutator::new(&seeds, number("PCM_FUZZ_NUMBER")?.unwrap_or(1));
    let (begin, mut tried) = (Instant::now(), 0_usize);
    let goes_on = |tried| match seconds {
        Some(seconds) => begin.elapsed() < Duration::from_secs(seconds),
        None => tried < target.rounds,
    };
    while goes_on(tried) {
        let input = mutator.make();
        attempt(target, &input).map_err(|reason| {
            format!(
                "{reason}\nof {:?}\nin hexadecimal {}",
                String::from_utf8_lossy(&input),
                hex(&input)
            )
        })?;
        tried += 1;
    }
    eprintln!("{tried} inputs in {:.1} s", begin.elapsed().as_secs_f64());
    Ok(())
}

fn number(variable: &str) -> Result<Option<u64>, Failed> {
    match env::var(variable) {
        Ok(text) => {
            Ok(Some(text.parse().map_err(|_| format!("{variable} is {text:?}, and no number"))?))
        }
        Err(_) => Ok(None),
    }
}

fn attempt(target: Target, input: &[u8]) -> Result<(), String> {
    panic::catch_unwind(|| (target.try_it)(input)).map_err(|panicked| {
        let text = panicked.downcast_ref::<String>().cloned();
        text.or_else(|| panicked.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_else(|| "it panics".to_owned())
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        _ = write!(text, "{byte:02x}");
        text
    })
}

fn folders_have_oracles() -> Result<(), Failed> {
    for entry in fs::read_dir(folder())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !TARGETS.iter().any(|target| target.name == name) {
            return Err(format!("seeds/{name} is of no target").into());
        }
    }
    Ok(())
}
