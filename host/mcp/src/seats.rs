//! The sessions of a server.
//!
//! A connection has one, which ends with it. Where the protocol knows no connections (HTTP since
//! 2026-07-28) a session has an id that nobody guesses: whoever has it goes on with the session, and it
//! ends when nobody has used it for long enough.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use pcm_session::Session;
use tokio::sync::{OnceCell, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::{ServerConfig, Sessions};

/// How long all sandboxes together may take to close.
const CLOSES: Duration = Duration::from_secs(10);

/// The sessions of a server.
#[derive(Debug)]
pub(crate) struct Seats {
    sessions: Arc<dyn Sessions>,
    most: usize,
    idle: Duration,
    places: Arc<Semaphore>,
    table: Mutex<Table>,
    /// Serves what needs no session of one's own, where there are no connections.
    common: OnceCell<Arc<Seat>>,
}

#[derive(Debug, Default)]
struct Table {
    named: HashMap<String, Arc<Seat>>,
    all: Vec<Weak<Seat>>,
}

/// One session.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) session: Session,
    /// What it is known by, where it is known.
    pub(crate) id: Option<String>,
    /// One run at a time.
    turn: Arc<tokio::sync::Mutex<()>>,
    used: Mutex<Instant>,
    is_closed: AtomicBool,
    place: Option<OwnedSemaphorePermit>,
}

impl Seats {
    pub(crate) fn new(sessions: Arc<dyn Sessions>, config: &ServerConfig) -> Self {
        let most = config.max_sessions.clamp(1, Semaphore::MAX_PERMITS);
        let places = Arc::new(Semaphore::new(most));
        let (idle, common) = (config.idle, OnceCell::new());
        Self { sessions, most, idle, places, table: Mutex::default(), common }
    }

    /// A session for a connection, which ends with the last one who has it.
    pub(crate) async fn open(&self) -> Result<Arc<Seat>, String> {
        self.start(None).await
    }

    /// A session that is found again by its id.
    pub(crate) async fn open_named(&self) -> Result<Arc<Seat>, String> {
        let id = random_id()?;
        let seat = self.start(Some(id.clone())).await?;
        self.table().named.insert(id, Arc::clone(&seat));
        Ok(seat)
    }

    /// The session with this id.
    pub(crate) fn find(&self, id: &str) -> Option<Arc<Seat>> {
        let seat = self.table().named.get(id).cloned()?;
        seat.touch();
        Some(seat)
    }

    /// The session of nobody, in which no code runs.
    pub(crate) async fn common(&self) -> Result<Arc<Seat>, String> {
        self.common.get_or_try_init(|| self.start(None)).await.cloned()
    }

    async fn start(&self, id: Option<String>) -> Result<Arc<Seat>, String> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            format!(
                "there are {} sessions already, and no more may be open at a time; try again later",
                self.most
            )
        })?;
        let session = self.sessions.start().await.map_err(|error| {
            tracing::error!(%error, "a session does not start");
            "the session does not start; the log of the server says why".to_owned()
        })?;
        let (turn, used) = (Arc::default(), Mutex::new(Instant::now()));
        let seat = Arc::new(Seat {
            session,
            id,
            turn,
            used,
            is_closed: AtomicBool::new(false),
            place: Some(place),
        });
        let mut table = self.table();
        table.all.retain(|other| other.strong_count() > 0);
        table.all.push(Arc::downgrade(&seat));
        Ok(seat)
    }

    /// Ends named sessions that nobody uses.
    pub(crate) fn end_idle(&self) {
        // A run has the session too, and then it is used.
        let is_idle = |seat: &Arc<Seat>| Arc::strong_count(seat) == 1 && seat.unused() >= self.idle;
        let ended: Vec<_> =
            self.table().named.extract_if(|_, seat| is_idle(seat)).map(|(_, seat)| seat).collect();
        drop(ended);
    }

    /// How often it is worth to look for those.
    pub(crate) fn looks(&self) -> Duration {
        (self.idle / 4).clamp(Duration::from_millis(20), Duration::from_mins(1))
    }

    /// Ends all sessions, and waits until their sandboxes are closed.
    pub(crate) async fn close(&self) {
        let all = {
            let mut table = self.table();
            table.named.clear();
            std::mem::take(&mut table.all)
        };
        let mut closing = JoinSet::new();
        for seat in all.iter().filter_map(Weak::upgrade) {
            closing.spawn(async move { seat.close().await });
        }
        let closed = async { while closing.join_next().await.is_some() {} };
        if tokio::time::timeout(CLOSES, closed).await.is_err() {
            tracing::error!("not all sessions could be closed in time");
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Waits until nothing runs in the session, and keeps it so.
    pub(crate) async fn turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.turn).lock_owned().await
    }

    /// The same where nothing runs now.
    pub(crate) fn turn_now(&self) -> Option<OwnedMutexGuard<()>> {
        Arc::clone(&self.turn).try_lock_owned().ok()
    }

    /// Whether something runs.
    pub(crate) fn is_running(&self) -> bool {
        self.turn.try_lock().is_err()
    }

    async fn close(&self) {
        if !self.is_closed.swap(true, Ordering::Relaxed) {
            self.session.close().await;
        }
    }

    fn touch(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn unused(&self) -> Duration {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

/// The sandbox ends with its session; the place is free when it has ended.
impl Drop for Seat {
    fn drop(&mut self) {
        if *self.is_closed.get_mut() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (session, place) = (self.session.clone(), self.place.take());
        runtime.spawn(async move {
            session.close().await;
            drop(place);
        });
    }
}

/// 128 bits that nobody guesses, in hexadecimal.
pub(crate) fn random_id() -> Result<String, String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| format!("the machine has no random numbers: {error}"))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}
