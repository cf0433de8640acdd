//! Approvals by the user of the client that runs the code.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use pcm_middleware::{ApprovalRequest, Approver, Outcome};
use tokio::sync::{mpsc, oneshot};

/// Asks the user of the client in whose run a call is made.
///
/// One serves all sessions of a server: it is the approver of their layers, and a part of the
/// [`ServerConfig`](crate::ServerConfig). A call of a session in which no client runs code is refused.
#[derive(Clone, Default)]
pub struct Elicitor(Arc<Mutex<Runs>>);

/// By the session that they are in, the runs that can ask.
type Runs = HashMap<String, mpsc::UnboundedSender<Question>>;

/// A call that waits for an answer.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) request: ApprovalRequest,
    pub(crate) answer: oneshot::Sender<Outcome>,
}

/// The questions of one run, until it is dropped.
#[derive(Debug)]
pub(crate) struct Asked {
    elicitor: Elicitor,
    session: String,
    questions: mpsc::UnboundedReceiver<Question>,
}

impl Elicitor {
    /// One that asks nobody, until a server has it.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on the questions of a session come here. It has one run at a time.
    pub(crate) fn listen(&self, session: &str) -> Asked {
        // The layers bound how many can be open.
        let (sender, questions) = mpsc::unbounded_channel();
        self.runs().insert(session.to_owned(), sender);
        Asked { elicitor: self.clone(), session: session.to_owned(), questions }
    }

    fn runs(&self) -> MutexGuard<'_, Runs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked {
    /// The next question.
    pub(crate) async fn next(&mut self) -> Option<Question> {
        self.questions.recv().await
    }

    /// The next question, if there is one already.
    pub(crate) fn ready(&mut self) -> Option<Question> {
        self.questions.try_recv().ok()
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.elicitor.runs().remove(&self.session);
    }
}

#[async_trait]
impl Approver for Elicitor {
    async fn decide(&self, request: &ApprovalRequest) -> Outcome {
        let asks = self.runs().get(&request.session_id).cloned();
        let (answer, answered) = oneshot::channel();
        let question = Question { request: request.clone(), answer };
        if asks.is_none_or(|asks| asks.send(question).is_err()) {
            return refused("no client runs this code, so nobody can be asked");
        }
        answered.await.unwrap_or_else(|_| refused("the client has gone before it answered"))
    }
}

pub(crate) fn refused(reason: &str) -> Outcome {
    Outcome::Reject(reason.to_owned())
}

impl fmt::Debug for Elicitor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Elicitor").field("runs", &self.runs().len()).finish()
    }
}
