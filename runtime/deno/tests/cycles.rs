//! Sessions over and over in one process: what they held comes back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pcm_runtime_api::{ErrorKind, Executor as _, Limits, NoHost, RunRequest, SessionState};
use pcm_runtime_deno::{DenoEngine, DenoSandbox};

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_timeouts_leave_nothing_behind() {
    let engine = DenoEngine::new();
    let limits = Limits { timeout: Some(Duration::from_millis(100)), ..Limits::default() };
    let sandbox = DenoSandbox::new(engine, limits);
    sandbox.start(Arc::new(NoHost)).await.unwrap();
    let hard = "while True:\n  try:\n    while True: pass\n  except BaseException: pass";
    let mut begun = 0;
    for cycle in 0..200 {
        let t = Instant::now();
        let result = sandbox.run(RunRequest::new("40 + 2")).await;
        assert_eq!(result.value, 42, "{result:?}");
        let first = t.elapsed();
        let result = sandbox.run(RunRequest::new(hard)).await;
        assert_eq!(result.error.map(|error| error.kind), Some(ErrorKind::Timeout));
        assert_eq!(result.session, SessionState::Reset);
        if cycle == 20 {
            begun = resident();
        }
        if cycle % 10 == 0 {
            eprintln!("{cycle}: {} kB, run {first:?}, cycle {:?}", resident(), t.elapsed());
        }
    }
    sandbox.close().await;
    eprintln!("begun {begun} end {}", resident());
}

#[tokio::test(flavor = "multi_thread")]
async fn zz_many() {
    let engine = DenoEngine::new();
    engine.set_spares(0);
    let mut all = Vec::new();
    for _ in 0..30 {
        let sandbox = DenoSandbox::new(engine.clone(), Limits::default());
        sandbox.start(Arc::new(NoHost)).await.unwrap();
        if all.is_empty() { eprintln!("first {}", resident()); }
        let r = sandbox.run(RunRequest::new("x = bytearray(200_000_000); len(x)")).await;
        assert!(r.is_ok(), "{r:?}");
        all.push(sandbox);
    }
    eprintln!("all {}", resident());
    for one in &all { one.close().await; }
    drop(all);
    eprintln!("closed {}", resident());
    tokio::time::sleep(Duration::from_secs(1)).await;
    eprintln!("later {}", resident());
    let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let mut name = String::new(); let mut big = Vec::new();
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or("");
        if first.contains('-') && !first.ends_with(':') { name = line.to_owned(); }
        if first == "Rss:" { let kb: u64 = words.next().unwrap().parse().unwrap(); if kb > 0 { big.push((kb, name.clone())); } }
    }
    big.sort(); big.reverse();
    let mut groups = std::collections::BTreeMap::<String,(u64,u64)>::new();
    for (kb, name) in &big { let range = name.split(' ').next().unwrap(); let (a,b)=range.split_once('-').unwrap();
      let len=(u64::from_str_radix(b,16).unwrap()-u64::from_str_radix(a,16).unwrap())>>10; let perms=name.split(' ').nth(1).unwrap(); let file=name.split_whitespace().nth(5).unwrap_or("anon");
      let e=groups.entry(format!("{perms} {len} {file}")).or_default(); e.0+=kb; e.1+=1; }
    let mut groups: Vec<_> = groups.into_iter().collect(); groups.sort_by_key(|g| std::cmp::Reverse(g.1.0));
    for (g,(kb,n)) in groups.iter().take(16) { eprintln!("{kb} kB in {n}: {g}"); }
}
