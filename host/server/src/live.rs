//! The sessions that live here.
//!
//! Each has a sandbox of its own, belongs to whoever made it, and ends when it is reset, when nobody has
//! used it for long enough, or with the server. Where it lives is noted in the records, so that other
//! servers can say so.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pcm_session::Session;
use pcm_storage::{RecordKey, RecordKind, Records, StorageError, WorkspaceId};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::answer::Refusal;
use crate::auth::Principal;
use crate::config::ServerLimits;
use crate::nodes::Node;
use crate::places::{Place, Places};
use crate::sessions::Sessions;
use crate::{ServerError, ids};

/// What a note in the records lives longer than its session may.
const MARGIN: Duration = Duration::from_mins(1);

/// How long a sandbox may take to close before nobody waits for it any more.
const CLOSES: Duration = Duration::from_secs(30);

/// The sessions of this server.
#[derive(Debug)]
pub(crate) struct Live {
    node: Node,
    records: Arc<dyn Records>,
    expiry: Duration,
    /// How long a note in the records lives.
    noted: Duration,
    start: Duration,
    places: Arc<Places>,
    state: Mutex<Table>,
    pub(crate) started: AtomicU64,
    pub(crate) expired: AtomicU64,
}

#[derive(Debug, Default)]
struct Table {
    by_id: HashMap<String, Arc<Entry>>,
    /// Sessions that were made ready before anybody was told their id, by the name of a token.
    prepared: HashMap<String, String>,
}

/// One session.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) session: Session,
    pub(crate) workspace: Option<WorkspaceId>,
    /// Whose it is, and that it counts.
    place: Place,
    /// One run at a time.
    pub(crate) running: tokio::sync::Mutex<()>,
    usage: Mutex<Use>,
}

#[derive(Debug)]
struct Use {
    users: usize,
    last: Instant,
    /// When the records were told last that it is used.
    noted: Instant,
}

/// A session that is being used, and so does not expire.
#[derive(Debug)]
pub(crate) struct InUse(Arc<Entry>);

impl std::ops::Deref for InUse {
    type Target = Entry;

    fn deref(&self) -> &Entry {
        &self.0
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut usage = lock(&self.0.usage);
        usage.users = usage.users.saturating_sub(1);
        usage.last = Instant::now();
    }
}

/// Where a session is.
#[derive(Debug)]
pub(crate) enum Found {
    Here(InUse),
    /// On another server, which is there.
    Elsewhere {
        node: String,
        workspace: Option<WorkspaceId>,
    },
}

/// What the records know of a session.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    workspace: Option<String>,
    principal: String,
    node: Node,
}

impl Live {
    pub(crate) fn new(node: Node, records: Arc<dyn Records>, limits: &ServerLimits) -> Self {
        Self {
            node,
            records,
            expiry: limits.session_expiry,
            noted: noted(limits),
            start: limits.start_timeout,
            places: Places::new(limits.max_sessions),
            state: Mutex::default(),
            started: AtomicU64::new(0),
            expired: AtomicU64::new(0),
        }
    }

    /// Starts a session for whoever asks.
    pub(crate) async fn open(
        &self,
        sessions: &dyn Sessions,
        principal: &Principal,
        workspace: Option<WorkspaceId>,
    ) -> Result<InUse, Refusal> {
        let place = self.places.take(principal)?;
        let id = ids::uuid4().map_err(|error| internal(&error))?;
        let started = tokio::time::timeout(self.start, sessions.start(workspace.as_ref())).await;
        let session = started.map_err(|_| {
            tracing::error!(limit = ?self.start, "a session did not start in time");
            Refusal::unavailable("the session did not start in time; the server's log says more")
        })??;
        let mut unless_kept = CloseUnlessKept(Some(session.clone()));
        let now = Instant::now();
        let entry = Arc::new(Entry {
            id: id.clone(),
            session,
            workspace,
            place,
            running: tokio::sync::Mutex::default(),
            usage: Mutex::new(Use { users: 1, last: now, noted: now }),
        });
        self.note(&entry).await?;
        unless_kept.0 = None;
        self.state().by_id.insert(id, Arc::clone(&entry));
        self.started.fetch_add(1, Ordering::Relaxed);
        Ok(InUse(entry))
    }

    /// Keeps an unscoped session for the next one that its owner asks for.
    pub(crate) fn prepare(&self, session: &InUse) {
        self.state().prepared.insert(session.place.owner().to_owned(), session.id.clone());
    }

    /// The session that was made ready for this owner, if there is one; `takes` hands it over.
    pub(crate) fn prepared(&self, principal: &Principal, takes: bool) -> Option<InUse> {
        let mut state = self.state();
        let id = if takes {
            state.prepared.remove(&principal.name)?
        } else {
            state.prepared.get(&principal.name)?.clone()
        };
        Some(used(state.by_id.get(&id)?))
    }

    /// The session of this id, if it is this owner's. What is nobody's and what is somebody else's are
    /// answered alike.
    pub(crate) async fn find(&self, principal: &Principal, id: &str) -> Result<Found, Refusal> {
        let here = self.state().by_id.get(id).map(used);
        if let Some(session) = here {
            let is_its = session.place.owner() == principal.name
                && principal.may_use(session.workspace.as_ref());
            if !is_its {
                return Err(Refusal::no_session());
            }
            self.note_again(&session);
            return Ok(Found::Here(session));
        }
        // Only what this or another server issued can be in the records.
        let Ok(key) = key(id) else { return Err(Refusal::no_session()) };
        let Some(note) = self.records.get(&key).await? else { return Err(Refusal::no_session()) };
        let Ok(note) = serde_json::from_slice::<Note>(&note) else {
            return Err(Refusal::no_session());
        };
        let workspace = match note.workspace.map(|id| id.parse::<WorkspaceId>()) {
            None => None,
            Some(Ok(id)) => Some(id),
            Some(Err(_)) => return Err(Refusal::no_session()),
        };
        if note.principal != principal.name || !principal.may_use(workspace.as_ref()) {
            return Err(Refusal::no_session());
        }
        if note.node.name == self.node.name {
            // It ended, or was lost with an earlier life of this server.
            self.records.remove(&key).await?;
            return Err(Refusal::no_session());
        }
        if !note.node.lives(&*self.records).await? {
            // The note stays: that server may only have been unable to say that it is there.
            return Err(Refusal::no_session());
        }
        Ok(Found::Elsewhere { node: note.node.name, workspace })
    }

    /// The id and the workspace of the session that calls come from which name it by its own id.
    pub(crate) fn of_calls(&self, inner: &str) -> Option<(String, Option<WorkspaceId>)> {
        let state = self.state();
        let entry = state.by_id.values().find(|entry| entry.session.id() == inner)?;
        Some((entry.id.clone(), entry.workspace.clone()))
    }

    /// Ends a session; its id is dead from here on.
    pub(crate) async fn end(&self, id: &str) {
        let Some(entry) = self.state().forget(id) else { return };
        self.finish(&entry).await;
    }

    /// Ends the sessions that nobody has used for too long, and gives them.
    pub(crate) fn take_expired(&self) -> Vec<Arc<Entry>> {
        let is_expired = |entry: &Arc<Entry>| {
            let usage = lock(&entry.usage);
            usage.users == 0 && usage.last.elapsed() >= self.expiry
        };
        let mut state = self.state();
        let ids: Vec<_> = state
            .by_id
            .iter()
            .filter(|(_, entry)| is_expired(entry))
            .map(|(id, _)| id.clone())
            .collect();
        let expired: Vec<_> = ids.iter().filter_map(|id| state.forget(id)).collect();
        self.expired.fetch_add(expired.len() as u64, Ordering::Relaxed);
        expired
    }

    /// Closes the sandbox of a session that was taken out.
    pub(crate) async fn finish(&self, entry: &Entry) {
        if tokio::time::timeout(CLOSES, entry.session.close()).await.is_err() {
            tracing::error!(session = ids::reference(&entry.id), "a sandbox does not close");
        }
        let removed = match key(&entry.id) {
            Ok(key) => self.records.remove(&key).await,
            Err(error) => Err(error),
        };
        if let Err(error) = removed {
            // It expires by itself, and until then its server says that it is gone.
            tracing::warn!(%error, session = ids::reference(&entry.id), "a session stays in the records");
        }
    }

    /// All sessions.
    pub(crate) fn all(&self) -> Vec<Arc<Entry>> {
        self.state().by_id.values().cloned().collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.state().by_id.len()
    }

    /// Tells the records where a session lives.
    fn note(
        &self,
        entry: &Entry,
    ) -> impl Future<Output = Result<(), StorageError>> + Send + 'static {
        let note = Note {
            workspace: entry.workspace.as_ref().map(ToString::to_string),
            principal: entry.place.owner().to_owned(),
            node: self.node.clone(),
        };
        let note = serde_json::to_vec(&note).unwrap_or_default();
        let (records, key) = (Arc::clone(&self.records), key(&entry.id));
        let lives = self.noted;
        async move { records.put(&key?, note, lives).await }
    }

    /// The same, once in a while, and without making anybody wait.
    fn note_again(&self, entry: &Entry) {
        {
            let mut usage = lock(&entry.usage);
            if usage.noted.elapsed() < again(self.expiry) {
                return;
            }
            usage.noted = Instant::now();
        }
        let noted = self.note(entry);
        tokio::spawn(async move {
            if let Err(error) = noted.await {
                // The session works all the same.
                tracing::warn!(%error, "a session cannot be noted in the records");
            }
        });
    }

    fn state(&self) -> MutexGuard<'_, Table> {
        lock(&self.state)
    }
}

impl Table {
    fn forget(&mut self, id: &str) -> Option<Arc<Entry>> {
        let entry = self.by_id.remove(id)?;
        self.prepared.retain(|_, prepared| prepared != id);
        Some(entry)
    }
}

/// A session that was started and that nobody will know of, should its request be given up here.
struct CloseUnlessKept(Option<Session>);

impl Drop for CloseUnlessKept {
    fn drop(&mut self) {
        if let Some(session) = self.0.take() {
            tokio::spawn(async move { session.close().await });
        }
    }
}

fn used(entry: &Arc<Entry>) -> InUse {
    let mut usage = lock(&entry.usage);
    usage.users += 1;
    usage.last = Instant::now();
    drop(usage);
    InUse(Arc::clone(entry))
}

/// How old a note may become before the use of its session renews it.
fn again(expiry: Duration) -> Duration {
    expiry / 4
}

/// How long a note lives: longer than its session, which may have been used just before the note would
/// have been renewed, then for as long as a run may wait and take, and then not any more. That it lives
/// too long does no harm, because it names its server, which has the last word.
fn noted(limits: &ServerLimits) -> Duration {
    let expiry = limits.session_expiry;
    let used = limits.max_timeout.saturating_mul(2);
    expiry.saturating_add(again(expiry)).saturating_add(used).saturating_add(MARGIN)
}

fn key(id: &str) -> Result<RecordKey, StorageError> {
    RecordKey::new(RecordKind::Session, id)
}

fn internal(error: &ServerError) -> Refusal {
    tracing::error!(%error, "no id can be made");
    Refusal::unavailable("the session could not be started; the server's log says why")
}

/// Each change is whole when the lock is let go.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_outlives_its_session_however_late_that_is_used() {
        for (expiry, run) in [(3600, 300), (10, 3600), (1, 1)] {
            let limits = ServerLimits {
                session_expiry: Duration::from_secs(expiry),
                max_timeout: Duration::from_secs(run),
                ..ServerLimits::default()
            };
            // Just not noted again, then waiting for another run, its own run, and then nothing.
            let session = expiry / 4 + 2 * run + expiry;
            assert!(noted(&limits) > Duration::from_secs(session), "{limits:?}");
        }
        let for_ever = ServerLimits { session_expiry: Duration::MAX, ..ServerLimits::default() };
        assert_eq!(noted(&for_ever), Duration::MAX);
    }
}
