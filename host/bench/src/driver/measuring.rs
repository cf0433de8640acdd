//! One scenario of one backend, from its beginning to its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use serde_json::{Value, json};
use tokio::task::yield_now;

use crate::scenario::{How, Scenario};
use crate::wall::{Backend, Ran, Sandbox, Wall};

const CALLS: u32 = 100;
const BYTES: usize = 1 << 20;
const DEADLINE: Duration = Duration::from_millis(50);
/// What one sample of a throughput takes.
const THROUGHPUT: Duration = Duration::from_millis(400);

const TRIVIAL: &str = "1 + 1";
const TOOL_CALLS: &str = "for i in range(100): last = tools.echo(a=i, text='hi')['a']\nlast";
const GATHERED: &str = "import asyncio
all = await asyncio.gather(*[tools.echo(a=i, text='hi') for i in range(100)])
len(all)";
const TAKES: &str = "len(tools.blob())";
const GIVES: &str = "'x' * 1048576";

pub(super) struct Measuring {
    wall: Box<dyn Wall>,
    scenario: &'static Scenario,
    text: Vec<String>,
    sessions: Vec<Arc<dyn Sandbox>>,
    /// What the last sample printed, where that is looked at.
    pub(super) output: Option<String>,
}

impl Measuring {
    pub(super) async fn begin(
        backend: &dyn Backend,
        scenario: &'static Scenario,
        text: Vec<String>,
    ) -> Result<Self, String> {
        let wall = backend.wall(scenario.group() == "pooled").await?;
        let mut begun = Self { wall, scenario, text, sessions: Vec::new(), output: None };
        match scenario.key {
            "fork" | "checkpoint" | "roll-back" => {
                let standing = begun.standing().await?;
                standing.run(begun.first_text()?).await?;
                if scenario.key == "roll-back" {
                    standing.checkpoint().await?;
                }
            }
            key if scenario.how == How::Throughput => {
                let count = key.split('-').nth(1).and_then(|count| count.parse().ok());
                begun.hold(count.unwrap_or(1)).await?;
            }
            _ => {}
        }
        Ok(begun)
    }

    pub(super) async fn batch(&mut self, count: u32) -> Result<Vec<f64>, String> {
        let mut samples = Vec::new();
        for _ in 0..count {
            samples.push(self.sample().await?);
        }
        Ok(samples)
    }

    /// Opens sessions until there are so many, each of which has run.
    pub(super) async fn hold(&mut self, count: u32) -> Result<(), String> {
        while self.sessions.len() < count as usize {
            let session = self.wall.open().await?;
            expect(&session.run(TRIVIAL).await?, &json!(2))?;
            self.sessions.push(Arc::from(session));
        }
        Ok(())
    }

    pub(super) async fn end(self) {
        for session in self.sessions {
            session.close().await;
        }
    }

    async fn sample(&mut self) -> Result<f64, String> {
        let calls = f64::from(CALLS);
        match (self.scenario.key, self.scenario.how) {
            ("fresh-session" | "pooled-checkout", _) => self.first_result().await,
            ("trivial-run", _) => self.timed(TRIVIAL, json!(2)).await,
            ("tool-call", _) => Ok(self.timed(TOOL_CALLS, json!(CALLS - 1)).await? / calls),
            ("tool-gather", _) => Ok(self.timed(GATHERED, json!(CALLS)).await? / calls),
            ("data-in", _) => self.timed(TAKES, json!(BYTES)).await,
            ("data-out", _) => self.data_out().await,
            ("agent-run", _) => self.agent_run().await,
            ("imports", _) => self.imports().await,
            ("timeout", _) => self.timeout().await,
            ("reset" | "pooled-reset", _) => self.reset().await,
            ("fork", _) => self.fork().await,
            ("checkpoint", _) => self.checkpoint().await,
            ("roll-back", _) => self.roll_back().await,
            (_, How::Program(_)) => self.program().await,
            (_, How::Throughput) => self.throughput().await,
            (key, _) => Err(format!("{key} is not measured in a session")),
        }
    }

    fn first_text(&self) -> Result<&str, String> {
        self.text.first().map(String::as_str).ok_or_else(|| "the scenario came without code".into())
    }

    async fn standing(&mut self) -> Result<Arc<dyn Sandbox>, String> {
        self.hold(1).await?;
        self.sessions.first().cloned().ok_or_else(|| "there is no session".into())
    }

    async fn first_result(&self) -> Result<f64, String> {
        self.wall.ready().await?;
        let begin = Instant::now();
        let session = self.wall.open().await?;
        let ran = session.run(TRIVIAL).await?;
        let took = begin.elapsed();
        session.close().await;
        expect(&ran, &json!(2))?;
        Ok(took.as_secs_f64())
    }

    async fn timed(&mut self, code: &str, expected: Value) -> Result<f64, String> {
        let session = self.standing().await?;
        let begin = Instant::now();
        let ran = session.run(code).await?;
        let took = begin.elapsed();
        expect(&ran, &expected)?;
        Ok(took.as_secs_f64())
    }

    async fn data_out(&mut self) -> Result<f64, String> {
        let session = self.standing().await?;
        let begin = Instant::now();
        let ran = session.run(GIVES).await?;
        let took = begin.elapsed();
        let length = ran.value.as_str().map_or(0, str::len);
        if length != BYTES {
            return Err(format!("{length} bytes came out, not {BYTES}"));
        }
        Ok(took.as_secs_f64())
    }

    async fn agent_run(&mut self) -> Result<f64, String> {
        self.wall.ready().await?;
        let mut printed = String::new();
        let begin = Instant::now();
        let session = self.wall.open().await?;
        for block in &self.text {
            printed += &session.run(block).await?.stdout;
        }
        let took = begin.elapsed();
        session.close().await;
        self.output = Some(printed);
        Ok(took.as_secs_f64())
    }

    async fn program(&mut self) -> Result<f64, String> {
        let session = self.standing().await?;
        let begin = Instant::now();
        let ran = session.run(self.first_text()?).await?;
        let took = begin.elapsed();
        self.output = Some(ran.stdout);
        Ok(took.as_secs_f64())
    }

    async fn imports(&self) -> Result<f64, String> {
        self.wall.ready().await?;
        let session = self.wall.open().await?;
        session.run(TRIVIAL).await?;
        let begin = Instant::now();
        session.run(self.first_text()?).await?;
        let took = begin.elapsed();
        session.close().await;
        Ok(took.as_secs_f64())
    }

    async fn timeout(&self) -> Result<f64, String> {
        let session = self.wall.open().await?;
        session.run(TRIVIAL).await?;
        let begin = Instant::now();
        session.run_until("while True: pass", DEADLINE).await?;
        let took = begin.elapsed();
        session.close().await;
        let early = || format!("it was stopped after {took:?}, before its deadline");
        Ok(took.checked_sub(DEADLINE).ok_or_else(early)?.as_secs_f64())
    }

    async fn reset(&mut self) -> Result<f64, String> {
        let session = self.standing().await?;
        self.wall.ready().await?;
        let begin = Instant::now();
        session.reset().await?;
        let ran = session.run(TRIVIAL).await?;
        let took = begin.elapsed();
        expect(&ran, &json!(2))?;
        Ok(took.as_secs_f64())
    }

    async fn fork(&mut self) -> Result<f64, String> {
        let session = self.standing().await?;
        let begin = Instant::now();
        let fork = session.fork().await?;
        let took = begin.elapsed();
        let ran = fork.run("len(data)").await?;
        fork.close().await;
        expect(&ran, &json!(BYTES))?;
        Ok(took.as_secs_f64())
    }

    async fn checkpoint(&mut self) -> Result<f64, String> {
        let session = self.standing().await?;
        // Something has changed since the last one, as it has after any run.
        session.run("data[7] ^= 1").await?;
        let begin = Instant::now();
        session.checkpoint().await?;
        Ok(begin.elapsed().as_secs_f64())
    }

    async fn roll_back(&mut self) -> Result<f64, String> {
        let session = self.standing().await?;
        session.run("late = True").await?;
        let begin = Instant::now();
        session.roll_back().await?;
        let ran = session.run(TRIVIAL).await?;
        let took = begin.elapsed();
        expect(&ran, &json!(2))?;
        expect(&session.run("('late' in globals(), len(data))").await?, &json!([false, BYTES]))?;
        Ok(took.as_secs_f64())
    }

    /// Runs a second. Sessions are tasks of the runtime, which has one thread or one for each core.
    async fn throughput(&self) -> Result<f64, String> {
        let begin = Instant::now();
        let work = self.sessions.iter().map(|session| {
            let session = Arc::clone(session);
            let task = tokio::spawn(async move {
                let mut runs = 0_u32;
                while begin.elapsed() < THROUGHPUT {
                    session.run(TRIVIAL).await?;
                    runs += 1;
                    yield_now().await; // to the others: nobody runs twice in a row
                }
                Ok::<_, String>(runs)
            });
            async move { task.await.map_err(|error| error.to_string())? }
        });
        let runs: u32 = try_join_all(work).await?.into_iter().sum();
        Ok(f64::from(runs) / begin.elapsed().as_secs_f64())
    }
}

fn expect(ran: &Ran, expected: &Value) -> Result<(), String> {
    if ran.value == *expected {
        return Ok(());
    }
    Err(format!("the value is {}, not {expected}", ran.value))
}
