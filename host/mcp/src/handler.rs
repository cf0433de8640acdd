//! The requests of one connection, as `rmcp` brings them.
#![expect(deprecated, reason = "clients of all protocols before 2026-07-28 set the level of a log")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use hyper::http::request::Parts;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams, CompleteResult,
    GetPromptRequestParams, GetPromptResponse, Implementation, InitializeRequestParams,
    InitializeResult, InputRequiredResult, InputResponses, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, LoggingLevel,
    PaginatedRequestParams, PromptsCapability, ProtocolVersion, ReadResourceRequestParams,
    ReadResourceResponse, ResourcesCapability, ServerCapabilities, ServerConfig as Info,
    SetLevelRequestParams, Tool, ToolsCapability,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use crate::arguments::Arguments;
use crate::parked::Parked;
use crate::running::{Asking, Done, Ended, Running};
use crate::seats::{Seat, Seats};
use crate::telling::Teller;
use crate::{ServerConfig, Sessions, catalogue, prompts, reply, resources, tools};

/// The most connections that have shaken hands. Each is forgotten when nobody has used it for long enough.
const MOST_CONNECTIONS: usize = 256;

/// What models are told before they have seen a tool.
const INSTRUCTIONS: &str = "\
Python in a sandbox. Run code with run_code; variables stay from call to call. In the code, `tools` are \
what the host offers (the resource pcm://tools.py declares them), `workflows` are stored coroutines, \
`artifacts` is stored data, and `deps` are packages. Look for a tool or a workflow before you write what \
there is already, and do with one piece of code what belongs together.";

/// What all connections of a server share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: ServerConfig,
    pub(crate) seats: Seats,
    pub(crate) parked: Parked,
    tools: Vec<Tool>,
    connections: Arc<Semaphore>,
}

impl Shared {
    pub(crate) fn new(config: ServerConfig, sessions: Arc<dyn Sessions>) -> Self {
        let seats = Seats::new(sessions, &config);
        let tools = catalogue::tools(config.runtime_deps);
        let connections = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        Self { config, seats, parked: Parked::default(), tools, connections }
    }

    /// Ends everything that runs, and all sessions.
    pub(crate) async fn close(&self) {
        self.parked.clear();
        self.seats.close().await;
    }
}

/// Answers the requests of one connection, over whatever transport of `rmcp`. Its session ends with its
/// last clone.
///
/// Made by [`Server::handler`](crate::Server::handler).
#[derive(Debug, Clone)]
pub struct Handler {
    shared: Arc<Shared>,
    connection: Arc<Connection>,
}

#[derive(Debug)]
struct Connection {
    seat: OnceCell<Arc<Seat>>,
    /// Whether there was a handshake: then this connection lives longer than one request.
    is_open: AtomicBool,
    /// That it counts.
    place: OnceLock<OwnedSemaphorePermit>,
    level: Mutex<LoggingLevel>,
}

impl Handler {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        let connection = Connection {
            seat: OnceCell::new(),
            is_open: AtomicBool::new(false),
            place: OnceLock::new(),
            level: Mutex::new(LoggingLevel::Info),
        };
        Self { shared: Arc::clone(shared), connection: Arc::new(connection) }
    }

    /// The session of a request: the one that it names, or that of the connection; else one in which no
    /// code runs.
    async fn seat(
        &self,
        context: &RequestContext<RoleServer>,
        id: Option<&str>,
    ) -> Result<Arc<Seat>, String> {
        match id {
            Some(id) => self.shared.seats.find(id).ok_or_else(|| {
                "there is no session with this session_id; it ends when it is not used: run the code \
                 without one"
                    .to_owned()
            }),
            None if self.is_alone(context) => self.shared.seats.common().await,
            None => self.own_seat().await,
        }
    }

    async fn own_seat(&self) -> Result<Arc<Seat>, String> {
        self.connection.seat.get_or_try_init(|| self.shared.seats.open()).await.cloned()
    }

    /// The session that code runs in, or that is to be stopped: never the common one.
    async fn seat_of_code(
        &self,
        context: &RequestContext<RoleServer>,
        id: Option<&str>,
        may_begin: bool,
    ) -> Result<Arc<Seat>, String> {
        if id.is_some() || !self.is_alone(context) {
            return self.seat(context, id).await;
        }
        if !may_begin {
            return Err("the argument session_id is missing: run_code gave it".to_owned());
        }
        self.shared.seats.open_named().await
    }

    /// Whether the request came without a connection that would keep a session: over HTTP, and without
    /// a handshake before it.
    fn is_alone(&self, context: &RequestContext<RoleServer>) -> bool {
        context.extensions.get::<Parts>().is_some()
            && !self.connection.is_open.load(Ordering::Relaxed)
    }

    async fn run_code(
        &self,
        params: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let (code, id) = match read_run(params.arguments) {
            Ok(read) => read,
            Err(error) => return Ok(reply::failure(error).into()),
        };
        let running = match params.request_state {
            Some(state) => self.resume(&state, &code, params.input_responses)?,
            None => match self.seat_of_code(context, id.as_deref(), true).await {
                Ok(seat) => Running::begin(seat, &self.shared.config.elicitor, code).await,
                Err(error) => return Ok(reply::failure(error).into()),
            },
        };
        self.drive(running, context, (false, false)).await
    }

    /// What waits for the answers of a client, with these.
    fn resume(
        &self,
        state: &str,
        wanted: &str,
        answers: Option<InputResponses>,
    ) -> Result<Running, ErrorData> {
        let mut running = self.shared.parked.take(state, wanted).ok_or_else(|| {
            let message = "nothing waits for this requestState: it is not as it was given, it was used, or \
                           its time is over";
            ErrorData::invalid_params(message, None)
        })?;
        running.answer(answers.unwrap_or_default());
        Ok(running)
    }

    /// Goes on until there is an answer, or a question. A call that succeeds changes workflows, artifacts.
    async fn drive(
        &self,
        mut running: Running,
        context: &RequestContext<RoleServer>,
        changes: (bool, bool),
    ) -> Result<CallToolResponse, ErrorData> {
        let questions = running.questions()?;
        if !questions.is_empty() {
            return self.park(running);
        }
        let token = context.meta.get_progress_token();
        let mut teller = Teller::new(context.peer.clone(), token, self.level(context));
        match running.watch(&mut teller, &self.asking(context)).await {
            Ended::Asks => self.park(running),
            Ended::Done(Done::Call(answer)) => {
                drop(running);
                if answer.is_ok() {
                    self.tell_changes(context, changes.0, changes.1).await;
                }
                Ok((*answer).unwrap_or_else(reply::failure).into())
            }
            Ended::Done(Done::Code(result)) => {
                let (workflows, artifacts) = running.heard.changes();
                let answer = reply::run(&result, running.seat.id.as_deref());
                // The next run need not wait for what is told about this one.
                drop(running);
                self.tell_changes(context, workflows, artifacts).await;
                Ok(answer.into())
            }
        }
    }

    /// Answers with what the user is to be asked.
    fn park(&self, running: Running) -> Result<CallToolResponse, ErrorData> {
        let questions = running.questions()?;
        let state = self.shared.parked.park(running);
        let state = state.map_err(|error| ErrorData::internal_error(error, None))?;
        Ok(InputRequiredResult::new(Some(questions), Some(state)).into())
    }

    async fn call(
        &self,
        params: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let changes = match &*params.name {
            "create_workflow" | "delete_workflow" => (true, false),
            "save_artifact" | "delete_artifact" => (false, true),
            _ => (false, false),
        };
        let running = if let Some(state) = &params.request_state {
            self.resume(state, &wanted(&params), params.input_responses.clone())?
        } else {
            match self.begin(params, context).await {
                Ok(Begun::Asks(running)) => *running,
                Ok(Begun::Answers(answer)) => {
                    self.tell_changes(context, changes.0, changes.1).await;
                    return Ok((*answer).into());
                }
                Err(error) => return Ok(reply::failure(error).into()),
            }
        };
        self.drive(running, context, changes).await
    }

    /// Makes the call of a tool other than `run_code`.
    async fn begin(
        &self,
        params: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<Begun, String> {
        let wanted = wanted(&params);
        let mut args = Arguments::new(params.arguments);
        let name = &*params.name;
        let has_session =
            matches!(name, "reset_session" | "interrupt" | "list_deps" | "add_dep" | "remove_dep");
        let id = if has_session { args.text_or_none("session_id")? } else { None };
        let answer = match name {
            "interrupt" => {
                args.finish()?;
                let seat = self.seat_of_code(context, id.as_deref(), false).await?;
                let interrupted = seat.is_running();
                if !self.shared.parked.cancel(&seat) {
                    seat.session.interrupt();
                }
                reply::object(serde_json::json!({"interrupted": interrupted}))
            }
            "reset_session" => {
                args.finish()?;
                let seat = self.seat_of_code(context, id.as_deref(), false).await?;
                self.shared.parked.cancel(&seat);
                let _turn = seat.turn().await;
                seat.session.reset().await.map_err(|error| error.to_string())?;
                let answer = serde_json::json!({"session": "reset"});
                reply::structured("The session was reset.".to_owned(), answer)
            }
            name => {
                let seat = self.seat(context, id.as_deref()).await?;
                // Where code runs, it is the client of that which is asked. In a session that clients share
                // nobody is: whose user would it be?
                let is_shared = id.is_none() && self.is_alone(context);
                if let Some(turn) = seat.turn_now().filter(|_| !is_shared) {
                    let (name, session) = (name.to_owned(), seat.session.clone());
                    let shared = Arc::clone(&self.shared);
                    let call =
                        async move { tools::call(&name, &session, args, &shared.config).await };
                    let elicitor = &self.shared.config.elicitor;
                    let running = Running::call(seat, turn, elicitor, wanted, call);
                    return Ok(Begun::Asks(Box::new(running)));
                }
                tools::call(name, &seat.session, args, &self.shared.config).await?
            }
        };
        Ok(Begun::Answers(Box::new(answer)))
    }

    /// Tells a client that keeps lists that they have changed.
    async fn tell_changes(
        &self,
        context: &RequestContext<RoleServer>,
        workflows: bool,
        artifacts: bool,
    ) {
        if !self.connection.is_open.load(Ordering::Relaxed) {
            return;
        }
        // A client that is gone hears nothing.
        if workflows {
            context.peer.notify_prompt_list_changed().await.ok();
        }
        if artifacts {
            context.peer.notify_resource_list_changed().await.ok();
        }
    }

    /// How the user of the client can be asked.
    fn asking(&self, context: &RequestContext<RoleServer>) -> Asking {
        let elicitation = context.client_capabilities().and_then(|can| can.elicitation);
        // Who says nothing of forms and URLs means forms.
        if !elicitation.is_some_and(|can| can.form.is_some() || can.url.is_none()) {
            Asking::Never
        } else if speaks_newest(context) {
            Asking::ByAnswer
        } else if self.is_alone(context) {
            // What the user says would come with a request that nobody connects with this one.
            Asking::Never
        } else {
            Asking::Now(context.peer.clone())
        }
    }

    /// From which level on the client wants a log, if it does.
    fn level(&self, context: &RequestContext<RoleServer>) -> Option<LoggingLevel> {
        if speaks_newest(context) {
            return context.meta.log_level();
        }
        Some(*self.connection.level.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How a call of a tool other than `run_code` begins.
enum Begun {
    /// It goes on, and may ask.
    Asks(Box<Running>),
    Answers(Box<CallToolResult>),
}

/// What a client says again when it comes back with answers.
fn wanted(params: &CallToolRequestParams) -> String {
    let arguments = params.arguments.clone().map(serde_json::Value::Object);
    format!("{} {}", params.name, arguments.unwrap_or_default())
}

fn read_run(
    arguments: Option<rmcp::model::JsonObject>,
) -> Result<(String, Option<String>), String> {
    let mut args = Arguments::new(arguments);
    let read = (args.text("code")?, args.text_or_none("session_id")?);
    args.finish()?;
    Ok(read)
}

/// Since this version a server asks by its answers alone, and a client says with each request what it
/// can do.
fn speaks_newest(context: &RequestContext<RoleServer>) -> bool {
    context.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
}

fn cancelled() -> ErrorData {
    ErrorData::internal_error("the client has cancelled the request", None)
}

fn internal(error: String) -> ErrorData {
    ErrorData::internal_error(error, None)
}

impl ServerHandler for Handler {
    fn get_info(&self) -> Info {
        let mut capabilities = ServerCapabilities::default();
        capabilities.tools = Some(ToolsCapability::default());
        let mut prompts = PromptsCapability::default();
        prompts.list_changed = Some(true);
        capabilities.prompts = Some(prompts);
        let mut resources = ResourcesCapability::default();
        resources.list_changed = Some(true);
        capabilities.resources = Some(resources);
        capabilities.logging = Some(rmcp::model::JsonObject::new());
        capabilities.completions = Some(rmcp::model::JsonObject::new());
        let about = Implementation::new(&*self.shared.config.name, env!("CARGO_PKG_VERSION"))
            .with_title("pcm-sandbox");
        Info::new(capabilities).with_server_info(about).with_instructions(INSTRUCTIONS)
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        context.peer.set_peer_info(request.clone());
        let answer = self.negotiate_initialize(&request)?;
        let place = Arc::clone(&self.shared.connections).try_acquire_owned().map_err(|_| {
            internal("there are too many connections; close one, or try again later".to_owned())
        })?;
        // A second handshake changes nothing.
        self.connection.place.set(place).ok();
        self.connection.is_open.store(true, Ordering::Relaxed);
        Ok(answer)
    }

    async fn set_level(
        &self,
        request: SetLevelRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        *self.connection.level.lock().unwrap_or_else(PoisonError::into_inner) = request.level;
        Ok(())
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.shared.tools.clone()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.shared.tools.iter().find(|tool| tool.name == name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if self.get_tool(&request.name).is_none() {
            let name: String = request.name.chars().take(64).collect();
            let message = format!("unknown tool {name:?}");
            return Err(ErrorData::invalid_params(message, None));
        }
        let answered = async {
            if request.name == "run_code" {
                return self.run_code(request, &context).await;
            }
            self.call(request, &context).await
        };
        tokio::select! {
            biased;
            () = context.ct.cancelled() => Err(cancelled()),
            answer = answered => answer,
        }
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let seat = self.seat(&context, None).await.map_err(internal)?;
        prompts::list(&seat.session, request.and_then(|request| request.cursor)).await
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let seat = self.seat(&context, None).await.map_err(internal)?;
        let arguments = request.arguments.unwrap_or_default();
        Ok(GetPromptResponse::Complete(
            prompts::get(&seat.session, &request.name, &arguments).await?,
        ))
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let seat = self.seat(&context, None).await.map_err(internal)?;
        resources::list(&seat.session, request.and_then(|request| request.cursor)).await
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(resources::templates())
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let seat = self.seat(&context, None).await.map_err(internal)?;
        let most = self.shared.config.artifact_bytes;
        let read = resources::read(&seat.session, &request.uri, most).await?;
        Ok(ReadResourceResponse::Complete(read))
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let seat = self.seat(&context, None).await.map_err(internal)?;
        resources::complete(&seat.session, &request).await
    }
}
