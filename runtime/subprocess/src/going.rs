//! One run in a kernel: what it has said so far, and what that comes to.

use std::time::Duration;

use pcm_runtime_guest::{Active, Refused, Stop, refusal};
use tokio::time::Instant;

use crate::frames::{Pipe, Said};
use crate::jupyter::Heard;

/// How long a kernel that has told the outcome of a run may take to be idle.
const TO_BE_IDLE: Duration = Duration::from_secs(2);

/// What goes on in a run.
pub(crate) struct Going {
    number: u32,
    /// The request that it is, as its replies name it.
    request: String,
    pub(crate) active: Active,
    /// The numbers that the guest has given to the calls that were submitted, in their order.
    calls: Vec<u32>,
    pub(crate) has_begun: bool,
    pub(crate) outcome: Option<Vec<u8>>,
    /// When it has to be idle, once the outcome is told.
    pub(crate) idle_by: Option<Instant>,
    replied: bool,
    is_idle: bool,
}

/// Why a kernel is of no further use.
#[derive(Debug)]
pub(crate) enum Lost {
    Stopped(Stop),
    Ended,
    Broken,
}

impl Going {
    pub(crate) fn new(number: u32, request: String, active: Active) -> Self {
        Self {
            number,
            request,
            active,
            calls: Vec::new(),
            has_begun: false,
            outcome: None,
            idle_by: None,
            replied: false,
            is_idle: false,
        }
    }

    /// Whether the kernel has replied and is idle again.
    pub(crate) fn is_over(&self) -> bool {
        self.replied && self.is_idle
    }

    /// Takes what the kernel said by its protocol.
    pub(crate) fn hear(&mut self, heard: Option<Heard>) {
        if let Some(heard) = heard.filter(|heard| heard.request == self.request) {
            self.replied |= heard.kind == "execute_reply";
            self.is_idle |= heard.is_idle;
        }
    }

    /// Hands the reply to a call to whoever made it.
    pub(crate) fn answer(
        &self,
        reply: Option<(i32, Vec<u8>)>,
        pipe: &mut Pipe,
    ) -> Result<(), Lost> {
        let (number, reply) = reply.ok_or(Lost::Broken)?;
        let place = usize::try_from(number - 1).ok();
        let call = place.and_then(|place| self.calls.get(place)).ok_or(Lost::Broken)?;
        pipe.answer(*call, &reply).map_err(|_| Lost::Ended)
    }

    /// Takes what the guest said.
    pub(crate) fn take(&mut self, said: Said, pipe: &mut Pipe) -> Result<(), Lost> {
        let of_this = |run: u32| run == self.number && self.outcome.is_none();
        match said {
            Said::Hello => return Err(Lost::Broken),
            Said::Begun => self.has_begun = true,
            Said::Output { run, channel, data } => {
                let refused = run == self.number && self.active.run.emit(channel, &data).is_err();
                if refused && self.active.run.is_flooding() {
                    return Err(Lost::Stopped(Stop::Output));
                }
            }
            Said::Call { run, number, request } if of_this(run) => {
                self.submit(Ok(request), number)?;
            }
            Said::TooLong { run, number, length } if of_this(run) => {
                self.submit(Err(Refused::TooLong(length)), number)?;
            }
            Said::Call { number, .. } | Said::TooLong { number, .. } => {
                let reply = refusal("RunOver", "the run that made this call is over");
                pipe.answer(number, &reply).map_err(|_| Lost::Ended)?;
            }
            Said::Outcome { run, outcome } => {
                if run == self.number && self.outcome.is_none() {
                    self.outcome = Some(outcome);
                    self.idle_by = Some(Instant::now() + TO_BE_IDLE);
                }
            }
        }
        Ok(())
    }

    fn submit(&mut self, request: Result<Vec<u8>, Refused>, number: u32) -> Result<(), Lost> {
        self.active.submit(request).map_err(|_| Lost::Broken)?;
        self.calls.push(number);
        Ok(())
    }
}
