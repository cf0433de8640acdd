//! Many runs, after which the host is what it was before.

use std::env;
use std::sync::Arc;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use pcm_runtime_api::{Executor as _, SandboxConfig};
use serde_json::json;

use crate::act::Act;
use crate::crashes::report;
use crate::fixture::{Check, Fixture, Session, check, pool, until};
use crate::system;

/// Says how many runs there shall be.
const VARIABLE: &str = "PCM_SOAK";
const RUNS: u64 = 3000;
const SESSIONS: usize = 4;
/// What the host may have grown by, in KiB: pieces of the heap that are not given back.
const SLACK: u64 = 4 << 10;
/// No machine takes that long for a hundred thousand.
const LONGEST: Duration = Duration::from_mins(30);

pub(crate) fn trials(fixture: &Arc<Fixture>) -> Vec<Trial> {
    vec![fixture.trial_within(LONGEST, "heavy_many_runs_leave_nothing_behind", soak)]
}

async fn soak(fixture: Arc<Fixture>) -> Check {
    fixture.settles().await;
    let others = system::descendants(std::process::id()).len();
    let runs = env::var(VARIABLE).ok().and_then(|runs| runs.parse().ok()).unwrap_or(RUNS);
    let begun = Instant::now();
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("in"), "from the host")?;
    let config = SandboxConfig {
        mounts: vec![pcm_runtime_api::Mount {
            host: folder.path().to_path_buf().into(),
            guest: "/data".to_owned(),
            access: pcm_runtime_api::MountAccess::ReadOnly,
        }],
        ..SandboxConfig::default()
    };
    let pool = pool(|config| config.warm = 1)?;
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        sessions.push(Session::start(&pool, config.clone()).await?);
    }
    let (mut early, warmed) = (None, runs / 5);
    for number in 0..runs {
        let place = usize::try_from(number).unwrap_or(0) % SESSIONS;
        if number % 301 == 0 {
            sessions[place] = Session::start(&pool, config.clone()).await?;
        } else if number % 199 == 0 {
            sessions[place].sandbox.reset().await?;
        }
        let session = &sessions[place];
        session.value(&act(number)).await?;
        if number % 50 == 0 {
            session.sandbox.put_file("/a", vec![1; 10_000]).await?;
            let kept = session.sandbox.checkpoint().await?;
            session.sandbox.drop_checkpoint(kept).await;
        }
        if number == warmed {
            early = Some(Figures::now(&pool, others).await);
        }
    }
    let (Some(early), late) = (early, Figures::now(&pool, others).await) else {
        return Err("no runs".into());
    };
    report(&format!("{runs} runs in {:?}: {early:?}, then {late:?}", begun.elapsed()));
    check(late.memory <= early.memory + SLACK, || format!("{early:?}, then {late:?}"))?;
    let same = (late.descriptors, late.threads, late.processes)
        == (early.descriptors, early.threads, early.processes);
    check(same, || format!("{early:?}, then {late:?}"))
}

fn act(number: u64) -> Act {
    match number % 5 {
        0 => Act::Call { op: "echo".to_owned(), args: json!({"number": number}) },
        1 => Act::Gather { op: "later".to_owned(), count: 10 },
        2 => Act::ReadMounted { mount: 0, path: "in".to_owned() },
        3 => Act::Abandon { op: "forever".to_owned() },
        _ => Act::Value(json!([number, "text"])),
    }
}

/// What the host has, when nothing is on its way.
#[derive(Debug)]
struct Figures {
    /// In KiB.
    memory: u64,
    descriptors: usize,
    threads: usize,
    processes: usize,
}

impl Figures {
    async fn now(pool: &pcm_runtime_worker::Pool, others: usize) -> Self {
        // What has ended is buried a little later; the spare is ready a little later.
        let settled = || {
            let status = pool.status();
            let left = system::descendants(std::process::id()).len() - others;
            // A jailed worker is two processes, or one.
            let workers = SESSIONS + status.warm;
            (status.warm, status.starting) == (1, 0) && [workers, 2 * workers].contains(&left)
        };
        until(settled).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        Self {
            memory: system::memory("VmRSS"),
            descriptors: system::descriptors(),
            threads: system::threads(),
            processes: system::descendants(std::process::id()).len(),
        }
    }
}
