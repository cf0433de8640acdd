//! Workers that end, in all the ways in which a process can.

use std::sync::Arc;
use std::time::Instant;

use libtest_mimic::Trial;
use pcm_runtime_api::{ErrorKind, Limits, SandboxConfig, SessionState};
use pcm_runtime_jail::Part;

use crate::act::Act;
use crate::fixture::{Check, Fixture, Session, check, pool, until};
use crate::jail::without;
use crate::probe::Probe;

/// What ends a worker.
const ENDS: [(&str, Probe); 7] = [
    ("aborts", Probe::Abort),
    ("exits", Probe::Exit),
    ("segfaults", Probe::Segfault),
    ("overflows_its_stack", Probe::StackOverflow),
    ("panics", Probe::Panic),
    ("panics_in_another_thread", Probe::PanicElsewhere),
    ("takes_all_memory", Probe::Bomb),
];

/// What ends a worker, or is refused to it: by a filter, or because nobody is there.
const ATTEMPTS: [(&str, Probe); 5] = [
    ("kills_itself", Probe::KillSelf),
    ("forks", Probe::Fork),
    ("kills_its_parent", Probe::KillParent),
    ("kills_everybody", Probe::KillAll),
    ("kills_its_group", Probe::KillGroup),
];

pub(crate) fn trials(fixture: &Arc<Fixture>) -> Vec<Trial> {
    let ends = ENDS.into_iter().map(|(name, probe)| {
        fixture.trial(&format!("a_worker_that_{name}_is_a_crash"), move |fixture| {
            crashes(fixture, probe)
        })
    });
    let attempts = ATTEMPTS.into_iter().map(|(name, probe)| {
        let trial = fixture
            .trial(&format!("a_worker_that_{name}_harms_nobody_else"), move |fixture| {
                harms_nobody(fixture, probe)
            });
        // Where nothing holds them in, these would end the tests and more.
        without(fixture, trial, &[Part::PidNamespace, Part::Seccomp])
    });
    let others = [
        fixture.trial("a_worker_that_closes_everything_is_a_crash", closes_all),
        fixture.trial("memory_is_bounded", bounded),
        fixture.trial("a_run_after_a_crash_takes_a_spare", replaced),
    ];
    ends.chain(attempts).chain(others).collect()
}

/// A session beside it, which is to notice nothing.
async fn with_sibling(fixture: &Fixture) -> Result<(Session, Session), libtest_mimic::Failed> {
    // As little as there can be, so that a bomb is soon over.
    let limits = Limits {
        memory_bytes: 1 << 20,
        vfs_bytes: 1 << 20,
        host_call_bytes: 64 << 10,
        ..Limits::default()
    };
    let (session, sibling) = (fixture.session_with(limits).await?, fixture.session().await?);
    sibling.value(&Act::Remember(5)).await?;
    session.value(&Act::Remember(6)).await?;
    Ok((session, sibling))
}

async fn crashes(fixture: Arc<Fixture>, probe: Probe) -> Check {
    let (session, sibling) = with_sibling(&fixture).await?;
    let result = session.run(&Act::Probe(probe)).await;
    let kind = result.error.as_ref().map(|error| error.kind);
    check(kind == Some(ErrorKind::Crashed), || format!("{result:?}"))?;
    check(result.session == SessionState::Reset, || format!("{result:?}"))?;
    check(session.value(&Act::Recall).await? == 0, || "it is not fresh".to_owned())?;
    check(sibling.value(&Act::Recall).await? == 5, || "its sibling forgot".to_owned())
}

async fn harms_nobody(fixture: Arc<Fixture>, probe: Probe) -> Check {
    let (session, sibling) = with_sibling(&fixture).await?;
    let result = session.run(&Act::Probe(probe)).await;
    let kind = result.error.as_ref().map(|error| error.kind);
    check(matches!(kind, None | Some(ErrorKind::Crashed)), || format!("{result:?}"))?;
    session.works().await?;
    check(sibling.value(&Act::Recall).await? == 5, || "its sibling forgot".to_owned())
}

async fn closes_all(fixture: Arc<Fixture>) -> Check {
    crashes(fixture, Probe::CloseAll).await
}

async fn bounded(fixture: Arc<Fixture>) -> Check {
    let (session, _sibling) = with_sibling(&fixture).await?;
    let told = session.text(&Act::Probe(Probe::Map)).await?;
    let had = told.strip_prefix("done: ").and_then(|count| count.parse::<u64>().ok());
    // What an engine needs, and the little above.
    check(had.is_some_and(|mib| (256..=640).contains(&mib)), || told.clone())
}

async fn replaced(_: Arc<Fixture>) -> Check {
    let pool = pool(|_| {})?;
    pool.warm().await?;
    let session = Session::start(&pool, SandboxConfig::default()).await?;
    let mut took = Vec::new();
    for _ in 0..10 {
        until(|| pool.status().warm == 1).await;
        session.run(&Act::Probe(Probe::Abort)).await;
        let begun = Instant::now();
        session.works().await?;
        took.push(begun.elapsed());
    }
    took.sort();
    report(&format!("the run after a crash: {took:?}"));
    Ok(())
}

/// Shown with `--nocapture`.
#[expect(clippy::print_stderr, reason = "figures, for whoever asks for them")]
pub(crate) fn report(figures: &str) {
    if std::env::args().any(|argument| argument == "--nocapture") {
        eprintln!("{figures}");
    }
}
