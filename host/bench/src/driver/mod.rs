//! The driver of a backend: reads requests, measures, writes replies. It is to a backend what
//! `peers/driver.py` is to a library.

mod measuring;

use std::io::{self, BufRead, Write};

use tokio::runtime::{Builder, Runtime};

use crate::Backend;
use crate::protocol::{Reply, Request};
use crate::scenario::Scenario;
use measuring::Measuring;

/// Answers requests about a backend until there are no more.
pub fn serve(
    backend: &dyn Backend,
    requests: impl BufRead,
    mut replies: impl Write,
) -> io::Result<()> {
    let mut driver = Driver { backend, current: None };
    for line in requests.lines() {
        let reply = match serde_json::from_str(&line?) {
            Ok(request) => driver.answer(request),
            Err(error) => Err(format!("this is no request: {error}")),
        };
        let reply = reply.unwrap_or_else(|error| Reply { error: Some(error), ..Reply::default() });
        let mut line = serde_json::to_vec(&reply)?;
        line.push(b'\n');
        replies.write_all(&line)?;
        replies.flush()?;
    }
    driver.end();
    Ok(())
}

struct Driver<'b> {
    backend: &'b dyn Backend,
    /// Every scenario has a runtime of its own, which ends after its sessions.
    current: Option<(Measuring, Runtime)>,
}

impl Driver<'_> {
    fn answer(&mut self, request: Request) -> Result<Reply, String> {
        match request {
            Request::Hello => Ok(Reply { hello: Some(self.backend.hello()), ..Reply::default() }),
            Request::Begin { scenario, text } => {
                self.end();
                let Some(scenario) = Scenario::find(&scenario) else {
                    return Err(format!("this driver does not know the scenario {scenario}"));
                };
                let runtime = runtime(scenario).map_err(|error| error.to_string())?;
                let begun = Measuring::begin(self.backend, scenario, text);
                let measuring = runtime.block_on(begun)?;
                self.current = Some((measuring, runtime));
                Ok(Reply::default())
            }
            Request::Batch { count } => {
                let (measuring, runtime) = self.current.as_mut().ok_or(NOT_BEGUN)?;
                let samples = runtime.block_on(measuring.batch(count))?;
                let output = measuring.output.clone();
                Ok(Reply { samples: Some(samples), output, ..Reply::default() })
            }
            Request::Hold { count } => {
                let (measuring, runtime) = self.current.as_mut().ok_or(NOT_BEGUN)?;
                runtime.block_on(measuring.hold(count))?;
                Ok(Reply::default())
            }
            Request::End => {
                self.end();
                Ok(Reply::default())
            }
        }
    }

    fn end(&mut self) {
        if let Some((measuring, runtime)) = self.current.take() {
            runtime.block_on(measuring.end());
        }
    }
}

const NOT_BEGUN: &str = "no scenario has begun";

/// One thread, as the command line has; or as many as there are cores, where that is the question.
fn runtime(scenario: &Scenario) -> io::Result<Runtime> {
    let is_wide = scenario.group() == "throughput" && !scenario.key.ends_with("one-thread");
    if is_wide {
        return Builder::new_multi_thread().enable_all().build();
    }
    Builder::new_current_thread().enable_all().build()
}
