//! Processes that are killed at random, while many sessions run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use libtest_mimic::{Failed, Trial};
use pcm_runtime_api::{ErrorKind, Executor as _, ExecutorError, SandboxConfig, SessionState};
use serde_json::json;

use crate::act::Act;
use crate::crashes::report;
use crate::fixture::{Check, Fixture, Session, check, pool, until};
use crate::system;

const SESSIONS: usize = 32;
const RUNS: usize = 2000;
const WARM: usize = 4;
/// How many are killed at a time.
const AT_ONCE: usize = 4;

pub(crate) fn trials(fixture: &Arc<Fixture>) -> Vec<Trial> {
    vec![fixture.trial("heavy_workers_that_are_killed_at_random_cost_their_runs_alone", chaos)]
}

async fn chaos(fixture: Arc<Fixture>) -> Check {
    fixture.settles().await;
    // What the runtime opens for its first timer and process is there before it is counted.
    tokio::time::sleep(Duration::from_millis(1)).await;
    let host = std::process::id();
    let others = system::descendants(host);
    let (descriptors, threads) = (system::descriptors(), system::threads());
    let pool = pool(|config| (config.warm, config.most) = (WARM, SESSIONS))?;
    let (over, killed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let attacker = {
        let (over, killed, others) = (Arc::clone(&over), Arc::clone(&killed), others.clone());
        tokio::spawn(async move {
            let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
            while !over.load(Ordering::SeqCst) {
                let mut found = system::descendants(host);
                found.retain(|process| others.iter().all(|other| other.id != process.id));
                for _ in 0..found.len().min(AT_ONCE) {
                    seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                    let chosen = usize::try_from(seed >> 33).unwrap_or(0) % found.len();
                    // SAFETY: a process that this one, or a worker of it, has started. If it has
                    // ended by now its number is not given away again that soon.
                    unsafe { libc::kill(found[chosen].id.cast_signed(), libc::SIGKILL) };
                    killed.fetch_add(1, Ordering::SeqCst);
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
    };
    let sessions = (0..SESSIONS).map(|_| tokio::spawn(session(pool.clone())));
    let outcomes = join_all(sessions).await;
    over.store(true, Ordering::SeqCst);
    attacker.await?;
    let mut counted = BTreeMap::new();
    for outcome in outcomes {
        for outcome in outcome?? {
            *counted.entry(outcome).or_insert(0_usize) += 1;
        }
    }
    report(&format!("{counted:?}, {} processes killed", killed.load(Ordering::SeqCst)));
    let runs: usize = counted.values().sum();
    check(runs == RUNS.div_ceil(SESSIONS) * SESSIONS, || format!("{runs} runs have ended"))?;
    check(counted.contains_key("ok") && counted.contains_key("crashed"), || {
        format!("{counted:?}")
    })?;
    // All as it was.
    Session::start(&pool, SandboxConfig::default()).await?.works().await?;
    let settled = || {
        let status = pool.status();
        (status.warm, status.starting, status.busy) == (WARM, 0, 0)
    };
    until(settled).await;
    drop(pool);
    until(|| {
        let mut left = system::descendants(host);
        left.retain(|process| others.iter().all(|other| other.id != process.id));
        left.is_empty()
    })
    .await;
    until(|| system::threads() <= threads && system::descriptors() <= descriptors).await;
    Ok(())
}

/// Runs, and what became of each.
async fn session(pool: pcm_runtime_worker::Pool) -> Result<Vec<&'static str>, Failed> {
    // A worker may be killed while it starts.
    let session = loop {
        match Session::start(&pool, SandboxConfig::default()).await {
            Ok(session) => break session,
            Err(error) if error.message().is_some_and(|told| told.contains("be started")) => {}
            Err(error) => return Err(error),
        }
    };
    let mut outcomes = Vec::new();
    for number in 0..RUNS.div_ceil(SESSIONS) {
        let act = match number % 4 {
            0 => Act::Value(json!(number)),
            1 => Act::Gather { op: "later".to_owned(), count: 20 },
            2 => Act::Call { op: "pause".to_owned(), args: json!(20) },
            _ => Act::Call { op: "long".to_owned(), args: json!(100_000) },
        };
        let result = session.run(&act).await;
        let outcome = match result.error.as_ref().map(|error| error.kind) {
            None => "ok",
            Some(ErrorKind::Crashed) => "crashed",
            Some(ErrorKind::Startup) => "startup",
            Some(_) => return Err(format!("{result:?}").into()),
        };
        let expected = if outcome == "ok" { SessionState::Kept } else { SessionState::Reset };
        check(result.session == expected, || format!("{result:?}"))?;
        outcomes.push(outcome);
        if number % 16 == 0 {
            match session.sandbox.put_file("/a", vec![1; 100_000]).await {
                Ok(()) | Err(ExecutorError::Startup { .. } | ExecutorError::Ended { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(outcomes)
}
