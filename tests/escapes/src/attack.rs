//! Lets a program loose, and looks at what it left.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use pcm_sandbox::{
    BackendKind, ExecutionResult, Limits, SandboxConfig, Session, SessionState, json,
};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::canary::{Canaries, secret};
use crate::case::{Across, Case, Header};
use crate::echo::Echo;
use crate::expect::Outcome;
use crate::host::{Hosted, Setting};
use crate::memory::{Before, SLACK};
use crate::processes::left_behind;
use crate::wall::Wall;

/// How long a session may keep silent before it counts as stuck: twice the default timeout.
const PATIENCE: Duration = Duration::from_mins(1);
/// How late a program may be stopped. The figure that users care about is measured by the bench
/// `interrupts`; this one only has to tell a late end from none, on whatever machine.
const GRACE: Duration = Duration::from_secs(2);

/// Something that should not have been.
#[derive(Debug)]
pub struct Breach {
    case: String,
    faults: Vec<String>,
    results: Vec<ExecutionResult>,
}

impl fmt::Display for Breach {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 2000;
        writeln!(formatter, "{}", self.case)?;
        for fault in &self.faults {
            writeln!(formatter, "  - {fault}")?;
        }
        for result in self.results.iter().take(2) {
            let text = serde_json::to_string_pretty(result).map_err(|_| fmt::Error)?;
            let shown: String = text.chars().take(MOST).collect();
            writeln!(formatter, "a result: {shown}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Breach {}

/// Runs all programs of a case behind a wall, on which the other session is too.
pub async fn attack(
    wall: Wall,
    case: &Case,
    canaries: &Canaries,
    echo: Echo,
    sibling: &Sibling,
) -> Result<(), Breach> {
    let about = &case.header.about;
    let name = format!("{}-{}: {about} ({})", case.line, case.name, case.file.display());
    let setting = match Setting::new(wall, &case.header, canaries, echo) {
        Ok(setting) => setting,
        Err(error) => {
            let faults = vec![format!("there is no host: {error:#}")];
            return Err(Breach { case: name, faults, results: Vec::new() });
        }
    };
    let mut attack = Attack {
        wall,
        header: &case.header,
        expected: case.expected(wall.backend.key()),
        limits: case.header.limits.limits(),
        canaries,
        setting,
        faults: Vec::new(),
        results: Vec::new(),
    };
    if let Err(error) = attack.run(&case.programs, sibling).await {
        attack.fault(format!("{error:#}"));
    }
    if attack.faults.is_empty() {
        return Ok(());
    }
    Err(Breach { case: name, faults: attack.faults, results: attack.results })
}

struct Attack<'a> {
    wall: Wall,
    header: &'a Header,
    expected: Vec<Outcome>,
    limits: Limits,
    canaries: &'a Canaries,
    setting: Setting,
    faults: Vec<String>,
    /// Of the last program.
    results: Vec<ExecutionResult>,
}

impl Attack<'_> {
    fn fault(&mut self, fault: impl Into<String>) {
        self.faults.push(fault.into());
    }

    async fn run(&mut self, programs: &[String], sibling: &Sibling) -> Result<()> {
        if self.wall.is_here() {
            // A place for sessions that was used before keeps some memory; that is not the attack's.
            self.session(0).await?.session.close().await;
        }
        let before = Before::now();
        for (number, program) in (1..).zip(programs) {
            self.let_loose(program, number, number == programs.len(), &sibling.secret).await?;
        }
        let named = self.header.host_mib.map(|mib| mib << 20);
        // 16 times: what SECURITY.md allows for a frame.
        let host = named.unwrap_or_else(|| self.limits.host_call_bytes.saturating_mul(16));
        let each = self.limits.memory_bytes.saturating_add(besides(self.wall.backend));
        let sessions = each.saturating_mul(self.header.sessions as u64);
        self.faults.extend(before.faults(sessions.saturating_add(host), named.unwrap_or(SLACK)));
        if self.canaries.was_knocked() {
            self.fault("somebody connected to the canary's port");
        }
        self.faults.extend(self.setting.faults()?);
        sibling.check().await
    }

    /// For the program of this number.
    async fn session(&self, number: usize) -> Result<Hosted> {
        let Header { rollback, .. } = *self.header;
        let config = SandboxConfig { rollback, ..self.limits.clone().into() };
        Ok(self.setting.start(config, number).await?)
    }

    /// As many sessions as the header says.
    async fn victims(&self, number: usize) -> Result<Vec<Hosted>> {
        let mut victims: Vec<Hosted> = Vec::new();
        while victims.len() < self.header.sessions {
            let victim = match victims.first() {
                Some(first) if self.header.forked => first.fork().await?,
                _ => {
                    let fresh = self.session(number).await?;
                    let prepared = fresh.session.run("survivor = 41").await;
                    ensure!(prepared.is_ok(), "a session does not work: {:?}", prepared.error);
                    fresh
                }
            };
            victims.push(victim);
        }
        Ok(victims)
    }

    /// Runs a program in all sessions at once.
    async fn let_loose(
        &mut self,
        program: &str,
        number: usize,
        is_last: bool,
        sibling: &str,
    ) -> Result<()> {
        let victims = self.victims(number).await?;
        let start = |victim: &Hosted| {
            if let Some(after) = self.header.interrupt_after_ms {
                interrupt_later(victim.session.clone(), Duration::from_millis(after));
            }
            started(&victim.session, program)
        };
        let running: Vec<Running> = victims.iter().map(start).collect();
        self.results.clear();
        for running in running {
            let (result, wall) = ended(running).await?;
            self.judge(&result, wall, is_last, sibling);
            self.results.push(result);
        }
        if is_last && let Some(across) = self.header.across {
            self.faults.extend(across.fault(&self.results));
        }
        for (victim, state) in victims.iter().zip(self.states()) {
            self.aftermath(&victim.session, state).await?;
            victim.session.close().await;
        }
        let left = left_behind().await;
        if left > 0 {
            self.fault(format!("{left} of the programs that it started are left"));
        }
        Ok(())
    }

    fn states(&self) -> Vec<SessionState> {
        self.results.iter().map(|result| result.session).collect()
    }

    fn judge(&mut self, result: &ExecutionResult, wall: Duration, is_last: bool, sibling: &str) {
        let is_expected = if is_last {
            self.expected.iter().any(|outcome| outcome.allows(result))
        } else {
            result.is_ok()
        };
        if !is_expected {
            let expected: Vec<String> = self.expected.iter().map(ToString::to_string).collect();
            let got = result.error.as_ref().map_or_else(
                || format!("the value {}", result.value),
                |error| format!("{}, {error}", error.kind),
            );
            let wanted = if is_last { expected.join(" or ") } else { "success".to_owned() };
            self.fault(format!("expected {wanted}, got {got}"));
        }
        let states = self.header.session.all();
        if is_last && !states.contains(&result.session) {
            self.fault(format!("the session is {:?}, not one of {states:?}", result.session));
        }
        let limit = self.limits.timeout.unwrap_or(PATIENCE);
        if wall > limit + GRACE {
            self.fault(format!("it took {wall:.1?}, the limit is {limit:?}"));
        }
        self.look_for_secrets(result, sibling);
    }

    fn look_for_secrets(&mut self, result: &ExecutionResult, sibling: &str) {
        let text = serde_json::to_string(result).unwrap_or_default();
        for name in self.canaries.seen_in(&text) {
            self.fault(format!("the secret of the {name} came out"));
        }
        if text.contains(sibling) {
            self.fault("the secret of the session beside it came out");
        }
    }

    /// The session works, has its variables unless they are said to be gone, and has its host.
    async fn aftermath(&mut self, session: &Session, state: SessionState) -> Result<()> {
        let keeps = matches!(state, SessionState::Kept | SessionState::RolledBack);
        let survivor = if keeps { json!(41) } else { json!(null) };
        for (code, value) in [
            ("1 + 1", json!(2)),
            ("globals().get('survivor')", survivor),
            ("globals().get('sibling_secret')", json!(null)),
            ("tools.math.add(a=40, b=2)", json!(42)),
        ] {
            let (result, _) = ended(started(session, code)).await?;
            if result.error.is_some() || result.value != value {
                self.fault(format!("afterwards {code} gives {} {:?}", result.value, result.error));
            }
        }
        Ok(())
    }
}

impl Across {
    fn fault(self, results: &[ExecutionResult]) -> Option<String> {
        match self {
            Self::SameFuel => {
                let fuel: Vec<_> = results.iter().map(|result| result.usage.fuel).collect();
                let first = fuel.first().copied().flatten();
                let same = first.is_some() && fuel.iter().all(|fuel| *fuel == first);
                (!same).then(|| format!("the sessions used different fuel: {fuel:?}"))
            }
            Self::DifferentValues => {
                let values = results.iter().map(|result| match &result.value {
                    serde_json::Value::Array(items) => items.clone(),
                    other => vec![other.clone()],
                });
                let values: Vec<Vec<serde_json::Value>> = values.collect();
                let mut pairs = values.iter().enumerate().flat_map(|(number, first)| {
                    values[number + 1..].iter().flat_map(move |second| first.iter().zip(second))
                });
                let equal = pairs.find(|(first, second)| first == second);
                equal.map(|(value, _)| format!("two sessions have the same {value}"))
            }
        }
    }
}

type Running = JoinHandle<(ExecutionResult, Duration)>;

/// What a session of the backend needs besides the memory of Python.
fn besides(backend: BackendKind) -> u64 {
    match backend {
        BackendKind::DenoSandbox => 16 << 20, // the heap of its isolate
        _ => 0,
    }
}

/// On a task of its own: a backend that blocks its thread or panics is still noticed.
fn started(session: &Session, program: &str) -> Running {
    let (session, program) = (session.clone(), program.to_owned());
    tokio::spawn(async move {
        let begin = Instant::now();
        (session.run(program).await, begin.elapsed())
    })
}

fn interrupt_later(session: Session, after: Duration) {
    drop(tokio::spawn(async move {
        sleep(after).await;
        session.interrupt();
    }));
}

async fn ended(running: Running) -> Result<(ExecutionResult, Duration)> {
    match timeout(PATIENCE, running).await {
        Ok(result) => result.context("the backend panicked"),
        Err(_) => Err(anyhow!("the session is stuck: nothing came for {PATIENCE:?}")),
    }
}

/// A session that has nothing to do with the attacks.
#[derive(Debug)]
pub struct Sibling {
    hosted: Hosted,
    secret: String,
}

impl Sibling {
    /// Starts one that keeps a secret.
    pub async fn start(wall: Wall) -> Result<Self> {
        let hosted = Setting::plain(wall, json!(null)).start(SandboxConfig::default(), 1).await?;
        let sibling = Self { hosted, secret: secret() };
        let code = format!("sibling_secret = {:?}", sibling.secret);
        let result = sibling.hosted.session.run(code).await;
        ensure!(result.is_ok(), "the session beside it does not work: {:?}", result.error);
        Ok(sibling)
    }

    async fn check(&self) -> Result<()> {
        let names = "sorted(name for name in globals() if name in ('survivor', 'sibling_secret'))";
        for (code, value) in
            [("sibling_secret", json!(self.secret)), (names, json!(["sibling_secret"]))]
        {
            let (result, _) = ended(started(&self.hosted.session, code)).await?;
            ensure!(result.value == value, "the session beside it has changed: {result:?}");
        }
        Ok(())
    }

    /// Ends it.
    pub async fn close(self) {
        self.hosted.session.close().await;
    }
}
