//! Sessions in workers, when workers end: the engines are real, and so is the kill -9.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use pcm_sandbox::worker::{self, Pool, PoolConfig};
use pcm_sandbox::{BackendKind, Capability, ErrorKind, Session, SessionState, json};
use rustix::process::{Pid, Signal, kill_process};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Workers of the command: this program has no `main` of its own to make some.
fn pool(backend: BackendKind, warm: usize) -> Pool {
    let program = Some(env!("CARGO_BIN_EXE_pcm-sandbox").into());
    Pool::new(PoolConfig { program, warm, ..worker::config(backend) }).unwrap()
}

async fn session(pool: &Pool, backend: BackendKind) -> Session {
    let tools = Session::builder()
        .tool("wait", "Waits", |_| async {
            sleep(Duration::from_mins(1)).await;
            Ok(json!(null))
        })
        .tool("one", "Gives one", |_| async { Ok(json!(1)) });
    tools.backend(backend).workers(pool).start().await.unwrap()
}

/// All processes below this one: the test runner gives each test a process of its own.
fn below() -> BTreeSet<i32> {
    let (mut found, mut parents) =
        (BTreeSet::new(), vec![i32::try_from(std::process::id()).unwrap()]);
    while let Some(parent) = parents.pop() {
        let Ok(tasks) = fs::read_dir(format!("/proc/{parent}/task")) else { continue };
        for task in tasks.flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            let children = children.split_whitespace().map(|child| child.parse::<i32>().unwrap());
            let children: Vec<i32> = children.collect();
            found.extend(&children);
            parents.extend(children);
        }
    }
    found
}

fn kill(process: i32) {
    let _ = kill_process(Pid::from_raw(process).unwrap(), Signal::KILL); // it may have ended
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

#[tokio::test]
async fn a_worker_that_is_killed_costs_its_session_one_run() {
    for backend in [BackendKind::Wasm, BackendKind::DenoSandbox] {
        let pool = pool(backend, 1);
        let sibling = session(&pool, backend).await;
        sibling.run("x = 'sibling'").await;
        let before = below();
        let victim = session(&pool, backend).await;
        assert!(victim.supports(Capability::ProcessIsolation));
        victim.run("x = 'victim'").await;
        // What was started since, and what waited for the victim: not the sibling's.
        let run = tokio::spawn({
            let victim = victim.clone();
            async move { victim.run("print('begun'); tools.wait()").await }
        });
        sleep(Duration::from_millis(300)).await;
        let siblings = before.iter().copied().take(2).collect::<BTreeSet<_>>();
        below().difference(&siblings).copied().for_each(kill);
        let result = run.await.unwrap();
        let error = result.error.unwrap();
        assert_eq!(
            (error.kind, result.session),
            (ErrorKind::Crashed, SessionState::Reset),
            "{error}"
        );
        assert_eq!(victim.run("'x' in globals()").await.value, json!(false));
        assert_eq!(victim.run("tools.one()").await.value, json!(1));
        assert_eq!(sibling.run("x").await.value, json!("sibling"));
        victim.close().await;
        sibling.close().await;
    }
}

#[tokio::test]
async fn a_state_is_kept_in_a_worker_and_forked_into_another() {
    let pool = pool(BackendKind::Wasm, 1);
    let first = session(&pool, BackendKind::Wasm).await;
    first.run("x = [1]").await;
    let before = first.checkpoint().await.unwrap();
    first.run("x.append(2)").await;
    let second = first.fork().await.unwrap();
    second.run("x.append(3)").await;
    assert_eq!(first.run("x").await.value, json!([1, 2]));
    assert_eq!(second.run("x + [tools.one()]").await.value, json!([1, 2, 3, 1]));
    first.restore(before).await.unwrap();
    assert_eq!(first.run("x").await.value, json!([1]));
    let key = [7; 32];
    let saved = second.save(&key).await.unwrap();
    first.load(&saved, &key).await.unwrap();
    assert_eq!(first.run("x").await.value, json!([1, 2, 3]));
    assert!(first.load(&saved, &[8; 32]).await.is_err());
}

#[tokio::test]
async fn fuel_is_counted_in_a_worker_and_refilled_from_here() {
    let pool = pool(BackendKind::Wasm, 0);
    let builder = Session::builder().fuel(50_000_000).workers(&pool);
    let session = builder.start().await.unwrap();
    assert!(session.run("1").await.is_ok());
    let left = session.fuel().unwrap();
    assert!(left < 50_000_000);
    let spent = session.run("while True: pass").await;
    assert_eq!(spent.error.unwrap().kind, ErrorKind::Fuel);
    session.add_fuel(50_000_000).unwrap();
    assert!(session.run("2").await.is_ok());
}

#[tokio::test]
async fn a_program_that_makes_no_workers_is_told_how_to() {
    let builder = Session::builder().backend(BackendKind::DenoSandbox);
    let error = builder.start().await.err().unwrap().to_string();
    assert!(error.contains("pcm_sandbox::worker::init()"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_two_thousand_runs_end_while_workers_are_killed() {
    const SESSIONS: usize = 32;
    const RUNS: usize = 2000;
    let pool = pool(BackendKind::Wasm, 2);
    pool.warm().await.unwrap();
    settled(&pool).await;
    let descriptors_before = descriptors();
    let (left, crashed) = (Arc::new(AtomicUsize::new(RUNS)), Arc::new(AtomicUsize::new(0)));
    let done = Arc::new(AtomicBool::new(false));
    let mut all = Vec::new();
    for _ in 0..SESSIONS {
        all.push(session(&pool, BackendKind::Wasm).await);
    }
    let killer = tokio::spawn({
        let done = Arc::clone(&done);
        async move {
            let mut round: usize = 7;
            while !done.load(Ordering::Acquire) {
                let processes: Vec<i32> = below().into_iter().collect();
                round = round.wrapping_mul(25_214_903_917).wrapping_add(11);
                if let Some(process) = processes.get((round >> 16) % processes.len().max(1)) {
                    kill(*process);
                }
                sleep(Duration::from_millis(40)).await;
            }
        }
    });
    let mut sessions = JoinSet::new();
    for session in all {
        let (left, crashed) = (Arc::clone(&left), Arc::clone(&crashed));
        sessions.spawn(async move {
            while left
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1))
                .is_ok()
            {
                let result = session.run("sum(tools.one() for _ in range(5))").await;
                match result.error {
                    None => assert_eq!(result.value, json!(5)),
                    Some(error) => {
                        let kinds = [ErrorKind::Crashed, ErrorKind::Startup];
                        assert!(kinds.contains(&error.kind), "{error}");
                        crashed.fetch_add(1, Ordering::AcqRel);
                    }
                }
            }
            session.close().await;
        });
    }
    let all = async {
        while let Some(session) = sessions.join_next().await {
            session.unwrap();
        }
    };
    timeout(Duration::from_mins(4), all).await.unwrap();
    done.store(true, Ordering::Release);
    killer.await.unwrap();
    assert!(crashed.load(Ordering::Acquire) > 0, "nothing was killed");
    // Spares that were killed are noticed by whoever would get them.
    let last = session(&pool, BackendKind::Wasm).await;
    assert_eq!(last.run("6 * 7").await.value, json!(42));
    last.close().await;
    drop(last);
    settled(&pool).await;
    assert_eq!(pool.status().warm, 2);
    let descriptors_after = descriptors();
    assert!(
        descriptors_after <= descriptors_before + 8,
        "{descriptors_before} {descriptors_after}"
    );
}

/// Waits until the pool has its workers and nothing that ends is left.
async fn settled(pool: &Pool) {
    let settled = async {
        loop {
            let status = pool.status();
            if status.starting == 0 && status.busy == 0 && below().len() <= 2 * status.warm {
                break;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(30), settled).await.unwrap();
}
