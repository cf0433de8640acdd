//! The run: every contestant in its turn, a batch at a time.

use std::time::{Duration, Instant};

use crate::contestant::{Driver, process_start};
use crate::machine;
use crate::processes;
use crate::protocol::{Hello, Request};
use crate::record::{About, Absence, Entry, Record, Row};
use crate::scenario::How;
use crate::{BenchError, Contestant, Scenario};

/// What is to be measured, and how long that may take.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What.
    pub scenarios: Vec<&'static Scenario>,
    /// How many turns each contestant has in a scenario.
    pub rounds: u32,
    /// How long a contestant is measured in a scenario, all turns together.
    pub each: Duration,
    /// How long everything may take. What is not measured by then is told as such.
    pub whole: Duration,
    /// Whether this is a quick run.
    pub quick: bool,
    /// The version of this program, and how it was built.
    pub program: String,
}

/// How far a run is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Scenarios that are done.
    pub done: usize,
    /// All scenarios.
    pub all: usize,
    /// What is being measured.
    pub what: &'a str,
    /// Of whom.
    pub whom: &'a str,
}

/// Contestants that run.
#[derive(Debug)]
pub struct Bench {
    settings: Settings,
    entrants: Vec<Entrant>,
    record: Record,
    deadline: Instant,
    began: Instant,
    /// What is left of the time to wait until the machine is at rest.
    patience: Duration,
}

/// A contestant whose driver has said who it is.
#[derive(Debug)]
struct Entrant {
    contestant: Contestant,
    /// None after it failed; the next scenario gets another.
    driver: Option<Driver>,
    hello: Hello,
}

/// What an entrant has in one scenario.
#[derive(Debug)]
struct Turns {
    entrant: usize,
    /// Samples in the next turn.
    count: u32,
    taken: u32,
    spent: Duration,
    /// No more of them.
    over: bool,
    samples: Vec<f64>,
    cpu: f64,
    failed: Option<String>,
}

/// The longest that is waited for one reply.
const PATIENCE: Duration = Duration::from_mins(1);
/// The part of all time that may pass until the machine is at rest, a turn at a time.
const REST: u32 = 10;
/// How many turns there are at least, and how many where one takes longer than a second.
const FEWEST: u32 = 5;
const FEWEST_SLOW: u32 = 3;
/// What takes longer is slow.
const SLOW: Duration = Duration::from_secs(1);
/// What takes longer is not done again to see the same.
const LONG: Duration = Duration::from_secs(2);

impl Bench {
    /// Starts the drivers. Contestants that cannot take part are in the record with the reason.
    pub fn start(
        settings: Settings,
        contestants: Vec<Contestant>,
        on_progress: &mut dyn FnMut(Progress<'_>),
    ) -> Self {
        let began = Instant::now();
        let mut record = Record::begin(settings.program.clone(), settings.quick);
        let mut entrants = Vec::new();
        let all = settings.scenarios.len();
        for contestant in contestants {
            on_progress(Progress { done: 0, all, what: "getting ready", whom: &contestant.key });
            let mut about = About {
                key: contestant.key.clone(),
                kind: contestant.kind,
                name: contestant.key.clone(),
                version: String::new(),
                about: std::collections::BTreeMap::new(),
                absent: None,
            };
            match Driver::start(&contestant, PATIENCE) {
                Ok(driver) => {
                    let hello = driver.hello.clone();
                    about.name.clone_from(&hello.name);
                    about.version.clone_from(&hello.version);
                    about.about.clone_from(&hello.about);
                    entrants.push(Entrant { contestant, driver: Some(driver), hello });
                }
                Err(error) => about.absent = Some(error.to_string()),
            }
            record.contestants.push(about);
        }
        let deadline = Instant::now() + settings.whole;
        let patience = settings.whole / REST;
        Self { settings, entrants, record, deadline, began, patience }
    }

    /// Measures everything.
    pub fn run(mut self, on_progress: &mut dyn FnMut(Progress<'_>)) -> Record {
        let scenarios = self.settings.scenarios.clone();
        for (done, scenario) in scenarios.iter().enumerate() {
            let all = scenarios.len();
            let mut tell = |whom: &str| {
                on_progress(Progress { done, all, what: scenario.title, whom });
            };
            let entry = self.measure(scenario, &mut tell);
            self.record.scenarios.push(entry);
            self.record.machine.look_again();
        }
        self.record.took = self.began.elapsed().as_secs_f64();
        self.record
    }

    fn measure(&mut self, scenario: &'static Scenario, tell: &mut dyn FnMut(&str)) -> Entry {
        let mut turns = Vec::new();
        for entrant in 0..self.entrants.len() {
            let Some(one) = self.entrants.get_mut(entrant).filter(|one| one.takes_part(scenario))
            else {
                continue;
            };
            tell(&one.contestant.key);
            let mut turn = Turns::new(entrant);
            if Instant::now() >= self.deadline {
                turn.over = true;
            } else {
                match one.begin(scenario) {
                    Ok(one_sample) => turn.plan(one_sample, &self.settings),
                    Err(error) => turn.fail(one, &error),
                }
            }
            turns.push(turn);
        }
        self.take_turns(scenario, &mut turns, tell);
        for turn in &turns {
            if let Some(one) = self.entrants.get_mut(turn.entrant) {
                one.end();
            }
        }
        self.entry(scenario, turns)
    }

    /// A B C, B C A, C A B …: nobody is always first, and whatever else the machine does meets everybody.
    fn take_turns(
        &mut self,
        scenario: &'static Scenario,
        turns: &mut [Turns],
        tell: &mut dyn FnMut(&str),
    ) {
        let mut expected: Option<String> = scenario.printed().map(str::to_owned);
        for _ in 0..self.settings.rounds {
            for turn in turns.iter_mut() {
                let Some(one) = self.entrants.get_mut(turn.entrant) else { continue };
                if turn.is_over(scenario, &self.settings) || Instant::now() >= self.deadline {
                    turn.over = true;
                    continue;
                }
                tell(&one.contestant.key);
                machine::rest(&mut self.patience);
                let begin = Instant::now();
                match one.take(scenario, turn.count, &mut expected) {
                    Ok((samples, cpu)) => {
                        turn.samples.extend(samples);
                        turn.cpu += cpu;
                        turn.taken += 1;
                        turn.spent += begin.elapsed();
                        turn.plan(begin.elapsed() / turn.count, &self.settings);
                    }
                    Err(error) => turn.fail(one, &error),
                }
            }
            turns.rotate_left(usize::from(!turns.is_empty()));
        }
        turns.sort_by_key(|turn| turn.entrant);
    }

    fn entry(&self, scenario: &Scenario, turns: Vec<Turns>) -> Entry {
        let (mut rows, mut absences) = (Vec::new(), Vec::new());
        for turn in turns {
            let Some(one) = self.entrants.get(turn.entrant) else { continue };
            let key = &one.contestant.key;
            let is_time = !matches!(scenario.how, How::Memory(_));
            let cpu = (is_time && !one.contestant.works_elsewhere)
                .then(|| turn.cpu / turn.samples.len() as f64);
            let note = one.hello.notes.get(scenario.key).cloned();
            let row =
                if turn.failed.is_none() { Row::new(key, &turn.samples, cpu, note) } else { None };
            match row {
                Some(row) => rows.push(row),
                None => absences.push(Absence {
                    contestant: key.clone(),
                    reason: turn.failed.unwrap_or_else(|| "there was no time left".to_owned()),
                }),
            }
        }
        Entry { scenario: scenario.key.to_owned(), rows, absences }
    }
}

impl Turns {
    fn new(entrant: usize) -> Self {
        let (samples, spent) = (Vec::new(), Duration::ZERO);
        Self { entrant, count: 1, taken: 0, spent, over: false, samples, cpu: 0.0, failed: None }
    }

    /// So many samples in the next turn as its share of the time has room for.
    fn plan(&mut self, one_sample: Duration, settings: &Settings) {
        const MOST: f64 = 1000.0;
        let seconds = one_sample.as_secs_f64().max(1e-7);
        let fitting = settings.each.as_secs_f64() / f64::from(settings.rounds.max(1)) / seconds;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between one and a thousand"
        )]
        let count = fitting.clamp(1.0, MOST) as u32;
        self.count = count;
    }

    /// Whether its time is used up, and there are as many samples as there have to be.
    fn is_over(&self, scenario: &Scenario, settings: &Settings) -> bool {
        let each = self.spent / self.taken.max(1);
        if matches!(scenario.how, How::Memory(_)) {
            // It is the same each time, but for what takes little.
            let most = if settings.quick { 1 } else { FEWEST_SLOW };
            return self.over || self.taken >= most || each > LONG;
        }
        let fewest = match (settings.quick, each > SLOW) {
            (true, true) => 1,
            (true, false) | (false, true) => FEWEST_SLOW,
            (false, false) => FEWEST,
        };
        self.over || (self.taken >= fewest && self.spent >= settings.each)
    }

    fn fail(&mut self, entrant: &mut Entrant, error: &BenchError) {
        self.failed = Some(error.to_string());
        self.over = true;
        if !matches!(error, BenchError::Failed { .. }) {
            entrant.driver = None;
        }
    }
}

impl Entrant {
    fn takes_part(&self, scenario: &Scenario) -> bool {
        let named = |name: &str| self.hello.scenarios.iter().any(|each| each == name);
        named(scenario.key) || named(scenario.group())
    }

    fn driver(&mut self) -> Result<&mut Driver, BenchError> {
        let driver = match self.driver.take() {
            Some(driver) => driver,
            None => Driver::start(&self.contestant, PATIENCE)?,
        };
        Ok(self.driver.insert(driver))
    }

    /// Makes ready, does it a first time, which does not count, and tells how long a sample takes.
    fn begin(&mut self, scenario: &'static Scenario) -> Result<Duration, BenchError> {
        const QUICK: Duration = Duration::from_millis(500);
        if matches!(scenario.how, How::Memory(_)) {
            return Ok(Duration::ZERO);
        }
        if scenario.how != How::Process {
            let begin = Request::Begin { scenario: scenario.key.to_owned(), text: scenario.text() };
            self.driver()?.ask(&begin, PATIENCE)?;
        }
        // The time until it is done, not the sample: of a throughput that is no time.
        let mut once = || {
            let begin = Instant::now();
            self.samples(scenario, 1).map(|_| begin.elapsed())
        };
        let first = once()?;
        if first > QUICK { Ok(first) } else { once() }
    }

    /// Samples, and the seconds that they took on processors.
    fn take(
        &mut self,
        scenario: &'static Scenario,
        count: u32,
        expected: &mut Option<String>,
    ) -> Result<(Vec<f64>, f64), BenchError> {
        if let How::Memory(sessions) = scenario.how {
            return Ok((vec![self.memory(sessions)?], 0.0));
        }
        let before = self.cpu_seconds();
        let begin = Instant::now();
        let (samples, output) = self.samples(scenario, count)?;
        let outside = begin.elapsed().as_secs_f64();
        let cpu = (self.cpu_seconds() - before).max(0.0);
        self.check(scenario, &samples, count, outside)?;
        if let Some(output) = output {
            let output = output.trim().to_owned();
            let first = expected.get_or_insert_with(|| output.clone());
            if *first != output {
                let reason =
                    format!("it printed {:?}, not {:?}", shortened(&output), shortened(first));
                return Err(BenchError::Failed { reason });
            }
        }
        Ok((samples, cpu))
    }

    fn samples(
        &mut self,
        scenario: &Scenario,
        count: u32,
    ) -> Result<(Vec<f64>, Option<String>), BenchError> {
        if scenario.how == How::Process {
            let nothing = || BenchError::Failed { reason: "it has no process".to_owned() };
            let spec = self.hello.process.clone().ok_or_else(nothing)?;
            let one = |_| process_start(&self.contestant, &spec, PATIENCE);
            let times: Vec<Duration> = (0..count).map(one).collect::<Result<_, _>>()?;
            return Ok((times.iter().map(Duration::as_secs_f64).collect(), None));
        }
        let reply = self.driver()?.ask(&Request::Batch { count }, PATIENCE)?;
        Ok((reply.samples.unwrap_or_default(), reply.output))
    }

    /// What a driver tells has to fit to what is seen from outside.
    fn check(
        &self,
        scenario: &Scenario,
        samples: &[f64],
        count: u32,
        outside: f64,
    ) -> Result<(), BenchError> {
        let broken = |reason: String| BenchError::Protocol {
            contestant: self.contestant.key.clone(),
            reason,
        };
        if samples.len() != count as usize {
            return Err(broken(format!("{} samples came, not {count}", samples.len())));
        }
        if samples.iter().any(|sample| !sample.is_finite() || *sample < 0.0) {
            return Err(broken("a sample is no figure".to_owned()));
        }
        let inside: f64 = samples.iter().sum();
        if !scenario.unit.more_is_better() && inside > outside {
            return Err(broken(format!(
                "its clock says {inside:.6} s, from outside it was {outside:.6} s"
            )));
        }
        Ok(())
    }

    /// In a driver of its own, in which nothing else has left anything.
    fn memory(&mut self, sessions: u32) -> Result<f64, BenchError> {
        self.driver = None;
        let hidden = || BenchError::Failed {
            reason: "the system does not tell the memory of its processes".to_owned(),
        };
        let scenario = format!("memory-{sessions}");
        let driver = self.driver()?;
        driver.ask(&Request::Begin { scenario, text: Vec::new() }, PATIENCE)?;
        let mut held = |count| {
            driver.ask(&Request::Hold { count }, PATIENCE)?;
            // What is freed behind the scenes, and processes that wait, settle down.
            std::thread::sleep(Duration::from_millis(300));
            processes::memory_bytes(&processes::tree(driver.process())).ok_or_else(hidden)
        };
        let one = held(1)?;
        let bytes = match sessions.checked_sub(1).filter(|more| *more > 0) {
            None => one as f64,
            Some(more) => held(sessions)?.saturating_sub(one) as f64 / f64::from(more),
        };
        self.driver = None;
        Ok(bytes)
    }

    /// Of its driver and all below; and of what this process has started and seen the end of, which are
    /// the processes of the scenario about them.
    fn cpu_seconds(&self) -> f64 {
        let driver = self.driver.as_ref().map(|driver| processes::tree(driver.process()));
        let own = processes::ended_children_seconds();
        driver.map_or(0.0, |tree| processes::cpu_seconds(&tree)) + own
    }

    fn end(&mut self) {
        let ended = self.driver.as_mut().map(|driver| driver.ask(&Request::End, PATIENCE));
        if ended.is_some_and(|ended| ended.is_err()) {
            self.driver = None;
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}
