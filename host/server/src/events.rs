//! A run as it happens: server-sent events, and at their end the result.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use futures_util::stream;
use pcm_runtime_api::RunEvent;
use serde::Serialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::answer::{Answer, with_type};
use crate::endpoints::Run;
use crate::request::Call;

/// What may wait for a client that reads slowly. What comes on top is left out of the stream; the
/// result has the output all the same.
const MOST_QUEUED: usize = 4 << 20;
/// So that nobody between takes a silent run for a broken connection.
const ALIVE: Duration = Duration::from_secs(15);

/// Whether the client wants to hear what happens.
pub(crate) fn are_wanted(call: &Call) -> bool {
    let accepted = call.headers.get_all(header::ACCEPT).iter();
    accepted.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|one| {
        let kind = one.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case("text/event-stream")
    })
}

/// Begins a run, and answers with its events. When nobody reads them any more, it is cancelled.
pub(crate) fn stream(run: Run) -> Answer {
    let (sender, receiver) = mpsc::unbounded_channel();
    let queue =
        Arc::new(Queue { queued: AtomicUsize::new(0), left_out: AtomicU64::new(0), sender });
    queue.send_always(event("session", &json!({"session_id": run.session_id()})));
    let task = tokio::spawn({
        let queue = Arc::clone(&queue);
        async move {
            let heard = Arc::clone(&queue);
            let sink = Arc::new(move |happened: RunEvent| heard.happened(&happened));
            let done = run.done(Some(sink)).await;
            let left_out = queue.left_out.load(Ordering::Relaxed);
            if left_out > 0 {
                queue.send_always(event("left_out", &json!({"events": left_out})));
            }
            match done {
                Ok(result) => queue.send_always(event("result", &result)),
                Err(refusal) => {
                    let status = refusal.status().as_u16();
                    let refused = json!({"detail": refusal.detail(), "status": status});
                    queue.send_always(event("refused", &refused));
                }
            }
            queue.end();
        }
    });
    let events = Events { receiver, queue, task };
    let frames = stream::unfold(events, |mut events| async move {
        let bytes = events.next().await?;
        Some((Ok::<_, std::convert::Infallible>(bytes), events))
    });
    with_type(StatusCode::OK, "text/event-stream", Body::from_stream(frames))
}

/// What waits for the client.
struct Queue {
    queued: AtomicUsize,
    left_out: AtomicU64,
    sender: mpsc::UnboundedSender<Option<Bytes>>,
}

impl Queue {
    fn happened(&self, happened: &RunEvent) {
        let bytes = event("event", happened);
        if self.queued.load(Ordering::Relaxed) + bytes.len() > MOST_QUEUED {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.send_always(bytes);
    }

    fn send_always(&self, bytes: Bytes) {
        self.queued.fetch_add(bytes.len(), Ordering::Relaxed);
        // Nobody may be listening any more.
        self.sender.send(Some(bytes)).ok();
    }

    fn end(&self) {
        self.sender.send(None).ok();
    }
}

/// The events of a run, which ends with them.
struct Events {
    receiver: mpsc::UnboundedReceiver<Option<Bytes>>,
    queue: Arc<Queue>,
    task: JoinHandle<()>,
}

impl Events {
    async fn next(&mut self) -> Option<Bytes> {
        match tokio::time::timeout(ALIVE, self.receiver.recv()).await {
            Ok(bytes) => {
                let bytes = bytes??;
                self.queue.queued.fetch_sub(bytes.len(), Ordering::Relaxed);
                Some(bytes)
            }
            Err(_) if self.task.is_finished() => None,
            Err(_) => Some(Bytes::from_static(b": the run goes on\n\n")),
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One event: its kind on one line, its JSON on the next. JSON written like this has no line ends.
fn event(kind: &str, data: &impl Serialize) -> Bytes {
    let data = serde_json::to_string(data).unwrap_or_else(|_| "null".to_owned());
    format!("event: {kind}\ndata: {data}\n\n").into()
}
