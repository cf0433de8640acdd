//! One worker, seen from the host.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use pcm_runtime_api::Limits;
use pcm_runtime_folders::Server;
use pcm_runtime_jail::JailReport;
use pcm_runtime_wire::{Answer, News, Order, Told};
use tokio::time::timeout;

use crate::WorkerError;
use crate::channel::{Channel, Resting};
use crate::pool::Place;
use crate::workers::{Fate, Holder, Reach};

/// How long a worker may take for what is no run of code.
const PATIENCE: Duration = Duration::from_mins(1);

/// What an engine needs besides the memory of its guest.
const ENGINE_BYTES: u64 = 512 << 20;
/// How many times `host_call_bytes` calls and their answers may take on the worker's side of them.
const CALLS: u64 = 32;

/// The memory that a worker may have for a session with these limits.
pub(crate) fn memory_of(limits: &Limits) -> u64 {
    let calls = limits.host_call_bytes.saturating_mul(CALLS);
    let parts = [limits.memory_bytes, limits.vfs_bytes, limits.output_bytes, calls];
    parts.into_iter().fold(ENGINE_BYTES, u64::saturating_add)
}

/// A worker that is ready and has nobody's session.
#[derive(Debug)]
pub struct Spare<H> {
    resting: Resting,
    holder: H,
}

/// What an order came to.
pub(crate) struct Done {
    pub(crate) answer: Result<Answer, Told>,
    /// The fuel that it says is left.
    pub(crate) fuel: Option<u64>,
    pub(crate) bytes: Vec<u8>,
}

/// A worker that has a session. It ends with this.
#[derive(Debug)]
pub struct Worker {
    pub(crate) channel: Channel,
    holder: Box<dyn Holder>,
    /// What serves folders of the host to it, where something does.
    pub(crate) folders: Option<Server>,
    /// What it takes of what there is for all.
    place: Option<Place>,
}

impl<H: Holder + 'static> Spare<H> {
    /// Waits until the worker at the other end of a socket is ready.
    pub async fn greet(
        socket: UnixStream,
        holder: H,
        progress: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<(Self, JailReport), WorkerError> {
        let mut channel = Resting::new(socket).wake()?;
        match greeting(&mut channel, progress).await? {
            Some(jail) => Ok((Self { resting: channel.rest()?, holder }, jail)),
            None => Err(match Box::new(holder).fate().await {
                Fate::Ended(how) => WorkerError::Ended(how),
                Fate::OutOfMemory => WorkerError::OutOfMemory,
            }),
        }
    }

    /// Whether it lives.
    pub fn lives(&mut self) -> bool {
        self.holder.lives()
    }

    /// What holds it.
    pub fn holder(&mut self) -> &mut H {
        &mut self.holder
    }

    /// It, for a session that this runtime has.
    pub fn into_worker(self) -> Result<Worker, WorkerError> {
        let Self { resting, holder } = self;
        let (channel, holder) = (resting.wake()?, Box::new(holder));
        Ok(Worker { channel, holder, folders: None, place: None })
    }
}

/// What it says next, in good time; None when it has ended.
async fn next(channel: &mut Channel) -> Result<Option<(News, Vec<u8>)>, WorkerError> {
    timeout(PATIENCE, channel.hear()).await.map_err(|_| WorkerError::Silent)?
}

/// The parts of its jail; None when it has ended.
async fn greeting(
    channel: &mut Channel,
    progress: &(dyn Fn(&str) + Send + Sync),
) -> Result<Option<JailReport>, WorkerError> {
    let mut report = JailReport::default();
    // Who says what it is doing is waited for.
    while let Some((news, _)) = next(channel).await? {
        match news {
            News::Hello { version, .. } if version != env!("CARGO_PKG_VERSION") => {
                let reason = format!("it is version {version} of the program");
                return Err(WorkerError::Failed(reason));
            }
            News::Hello { jail, .. } => report = serde_json::from_value(jail).unwrap_or_default(),
            News::Progress(line) => progress(&line),
            News::Ready => return Ok(Some(report)),
            _ => {} // the dialogue has refused it
        }
    }
    Ok(None)
}

impl Worker {
    /// The same in that place, with somebody who serves folders to it.
    pub(crate) fn placed(self, place: Place, folders: Server) -> Self {
        Self { place: Some(place), folders: Some(folders), ..self }
    }

    /// What can be done to it from anywhere.
    pub(crate) fn reach(&self) -> Option<Arc<dyn Reach>> {
        self.holder.reach()
    }

    pub(crate) fn id(&self) -> Option<u32> {
        self.holder.id()
    }

    /// Has an order done, and gives what it came to. A worker that fails to is of no further use.
    pub(crate) async fn ask(
        &mut self,
        order: &Order,
        bytes: &[u8],
        expected: u64,
    ) -> Result<Done, WorkerError> {
        self.settle().await?;
        self.channel.tell(order, bytes, expected)?;
        match self.next().await? {
            (News::Done { answer, fuel }, bytes) => Ok(Done { answer, fuel, bytes }),
            _ => Err(WorkerError::Silent), // the dialogue lets nothing else pass
        }
    }

    /// What it says next, in good time.
    async fn next(&mut self) -> Result<(News, Vec<u8>), WorkerError> {
        let heard = next(&mut self.channel).await?;
        heard.ok_or_else(|| WorkerError::Ended("while it worked".to_owned()))
    }

    /// Takes the answer to an order whose asker did not wait for it. Then there is nothing else.
    pub(crate) async fn settle(&mut self) -> Result<(), WorkerError> {
        while !self.channel.dialogue.is_idle() {
            self.next().await?;
        }
        self.channel.expect_silence()
    }

    /// Ends it.
    pub(crate) async fn gone(self) {
        let Self { channel, holder, place, .. } = self;
        drop(channel);
        holder.gone().await;
        drop(place);
    }

    /// How it ended.
    pub(crate) async fn fate(self) -> Fate {
        self.holder.fate().await
    }
}
