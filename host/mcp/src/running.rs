//! What goes on for a client, and may have to ask its user: code that runs, or a call of another tool.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use pcm_runtime_api::{ErrorKind, ExecutionError, ExecutionResult, RunRequest, SessionState};
use rmcp::model::{
    CallToolResult, ElicitRequest, ElicitResult, InputRequest, InputRequests, InputResponses,
};
use rmcp::{ErrorData, Peer, RoleServer};
use tokio::sync::OwnedMutexGuard;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at};

use crate::elicitor::{Asked, Elicitor, Question, refused};
use crate::question;
use crate::seats::Seat;
use crate::telling::{Heard, Teller, listen};

/// How often a client hears of a run in which nothing happens.
const BEAT: Duration = Duration::from_secs(5);

/// How the user of a client is asked.
#[derive(Debug, Clone)]
pub(crate) enum Asking {
    /// By a request of this server, while the code waits.
    Now(Peer<RoleServer>),
    /// By the answer to the request, which the client then sends again.
    ByAnswer,
    /// Not at all: the client cannot.
    Never,
}

/// What goes on, and everything that ends with it. Dropping it cancels the work.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) seat: Arc<Seat>,
    /// What the client wants; it says so again when it comes back with answers.
    pub(crate) wanted: String,
    work: JoinSet<Done>,
    pub(crate) heard: Heard,
    asked: Asked,
    /// What was asked by an answer, by the name that it has there.
    open: BTreeMap<String, Question>,
    _turn: OwnedMutexGuard<()>,
}

/// Why a client is answered.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The work is done.
    Done(Done),
    /// Somebody has to be asked first.
    Asks,
}

/// What came of the work.
#[derive(Debug)]
pub(crate) enum Done {
    /// Of code.
    Code(Box<ExecutionResult>),
    /// Of a call: the answer, or what is wrong.
    Call(Box<Result<CallToolResult, String>>),
}

impl Running {
    /// Runs code. Begins when nothing else runs in the session.
    pub(crate) async fn begin(seat: Arc<Seat>, elicitor: &Elicitor, code: String) -> Self {
        let turn = seat.turn().await;
        let asked = elicitor.listen(seat.session.id());
        let (listener, heard) = listen();
        let request = RunRequest::new(code.clone()).with_repr().on_event(listener);
        let session = seat.session.clone();
        let mut work = JoinSet::new();
        work.spawn(async move { Done::Code(Box::new(session.run_request(request).await)) });
        Self { seat, wanted: code, work, heard, asked, open: BTreeMap::new(), _turn: turn }
    }

    /// Makes a call, in whose turn no code runs. Of its output nothing is heard: it has none.
    pub(crate) fn call(
        seat: Arc<Seat>,
        turn: OwnedMutexGuard<()>,
        elicitor: &Elicitor,
        wanted: String,
        call: impl Future<Output = Result<CallToolResult, String>> + Send + 'static,
    ) -> Self {
        let asked = elicitor.listen(seat.session.id());
        let (_, heard) = listen();
        let mut work = JoinSet::new();
        work.spawn(async move { Done::Call(Box::new(call.await)) });
        Self { seat, wanted, work, heard, asked, open: BTreeMap::new(), _turn: turn }
    }

    /// Waits for its end, and tells what happens meanwhile.
    pub(crate) async fn watch(&mut self, teller: &mut Teller, asking: &Asking) -> Ended {
        let mut beat = interval_at(Instant::now() + BEAT, BEAT);
        let mut questions = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                Some(batch) = self.heard.next() => teller.tell(batch).await,
                Some(question) = self.asked.next() => match asking {
                    Asking::Now(peer) => questions.push(ask(peer, question)),
                    Asking::ByAnswer => {
                        self.note(question);
                        while let Some(question) = self.asked.ready() {
                            self.note(question);
                        }
                        return Ended::Asks;
                    }
                    Asking::Never => {
                        let why = "it needs an approval, and the client cannot ask its user";
                        question.answer.send(refused(why)).ok();
                    }
                },
                Some(()) = questions.next() => {}
                Some(done) = self.work.join_next() => {
                    teller.close(&self.heard).await;
                    return Ended::Done(done.unwrap_or_else(|_| self.broken()));
                }
                _ = beat.tick() => teller.beat().await,
            }
        }
    }

    fn note(&mut self, question: Question) {
        self.open.insert(format!("approval_{}", question.request.reference()), question);
    }

    /// Takes the answers of a client. Those to nothing that was asked do not count.
    pub(crate) fn answer(&mut self, mut answers: InputResponses) {
        for (name, question) in std::mem::take(&mut self.open) {
            match answers.remove(&name) {
                Some(answer) => {
                    let answer = serde_json::from_value::<ElicitResult>(answer);
                    let outcome = answer.map_or_else(
                        |_| refused("the answer of the client cannot be understood"),
                        |answer| question::outcome(&question.request, answer),
                    );
                    question.answer.send(outcome).ok();
                }
                // Its time has run out.
                None if question.answer.is_closed() => {}
                None => {
                    self.open.insert(name, question);
                }
            }
        }
    }

    /// What is to be asked by an answer.
    pub(crate) fn questions(&self) -> Result<InputRequests, ErrorData> {
        let asked = self.open.iter().map(|(name, question)| {
            let form = question::form(&question.request)?;
            Ok((name.clone(), InputRequest::Elicitation(ElicitRequest::new(form))))
        });
        asked.collect()
    }

    fn broken(&self) -> Done {
        tracing::error!("a run ended in a way that none should");
        let error = ExecutionError::new(ErrorKind::Internal, "the run broke off");
        let key = self.seat.session.backend_key();
        Done::Code(Box::new(ExecutionResult::failed(key, error, SessionState::Reset)))
    }
}

/// Puts a question, until it is answered or nobody wants to know any more.
async fn ask(peer: &Peer<RoleServer>, question: Question) {
    let Question { request, mut answer } = question;
    let asked = async {
        let answered = match question::form(&request) {
            Ok(form) => peer.create_elicitation(form).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match answered {
            Ok(answered) => question::outcome(&request, answered),
            Err(error) => {
                tracing::warn!(%error, "a client cannot ask its user");
                refused("it needs an approval, and the client could not ask its user")
            }
        }
    };
    tokio::select! {
        () = answer.closed() => {}
        outcome = asked => {
            // The time may run out just now.
            answer.send(outcome).ok();
        }
    }
}
