//! The chain of layers around a port.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use pcm_runtime_api::{HostCall, HostError, HostPort, Payload};

use crate::{CallContext, Caller};

/// The answer to a call, when it comes.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Payload, HostError>> + Send + 'a>>;

/// Something that happens around every call: before it, after it, or in its place.
///
/// ```
/// use async_trait::async_trait;
/// use pcm_middleware::{CallContext, Layer, Next};
/// use pcm_runtime_api::{HostError, Payload};
///
/// /// Refuses calls on behalf of the workspace `archive`.
/// #[derive(Debug)]
/// struct ReadOnlyArchive;
///
/// #[async_trait]
/// impl Layer for ReadOnlyArchive {
///     async fn call(&self, context: &mut CallContext, next: Next<'_>) -> Result<Payload, HostError> {
///         if context.caller().workspace.as_deref() == Some("archive") && context.op == "save" {
///             return Err(HostError::new("PermissionError", "the archive is read-only"));
///         }
///         next.run(context).await
///     }
/// }
/// ```
#[async_trait]
pub trait Layer: fmt::Debug + Send + Sync {
    /// Answers the call: with what [`Next::run`] gives, or without running it. An error goes to the
    /// guest as it is.
    async fn call(&self, context: &mut CallContext, next: Next<'_>) -> Result<Payload, HostError>;
}

/// What is inside of a layer: further layers, and the port.
#[derive(Debug)]
pub struct Next<'a> {
    layers: &'a [Arc<dyn Layer>],
    port: &'a dyn HostPort,
}

impl Next<'_> {
    /// Goes on with the call as `context` has it now.
    pub async fn run(self, context: &mut CallContext) -> Result<Payload, HostError> {
        match self.layers.split_first() {
            Some((layer, layers)) => layer.call(context, Next { layers, port: self.port }).await,
            None => self.port.call(context.take_call()).await,
        }
    }
}

/// A port with layers around it. The first layer is the outermost.
///
/// ```
/// use pcm_middleware::{Caller, Chain, layer_fn};
/// use pcm_runtime_api::{HostCall, HostPort, Namespace, NoHost};
/// use std::sync::Arc;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let shout = layer_fn(|context, next| {
///     Box::pin(async move {
///         if let Some(args) = context.args.value.as_object_mut() {
///             args.insert("text".to_owned(), "HELLO".into());
///         }
///         next.run(context).await
///     })
/// });
/// # #[derive(Debug)] struct Echo;
/// # #[async_trait::async_trait] impl HostPort for Echo {
/// #     async fn call(&self, call: HostCall) -> Result<pcm_runtime_api::Payload, pcm_runtime_api::HostError> { Ok(call.args) }
/// # }
/// let chain = Chain::new(Arc::new(Echo), Caller::sandbox("s-1", "wasm"), vec![shout]);
/// let args = serde_json::json!({"name": "echo", "args": {"text": "hello"}}).into();
/// let call = HostCall { namespace: Namespace::Tools, op: "call".to_owned(), args };
/// assert_eq!(chain.call(call).await?.value["args"]["text"], "HELLO");
/// # Ok::<(), pcm_runtime_api::HostError>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Chain {
    port: Arc<dyn HostPort>,
    caller: Arc<Caller>,
    layers: RwLock<Arc<[Arc<dyn Layer>]>>,
    calls: AtomicU64,
}

impl Chain {
    /// Puts `layers` around `port`, for calls of `caller`.
    pub fn new(port: Arc<dyn HostPort>, caller: Caller, layers: Vec<Arc<dyn Layer>>) -> Self {
        Self {
            port,
            caller: Arc::new(caller),
            layers: RwLock::new(layers.into()),
            calls: AtomicU64::new(0),
        }
    }

    /// Puts other layers in place of all that are there. Calls that are under way keep those that
    /// they began with.
    pub fn replace(&self, layers: Vec<Arc<dyn Layer>>) {
        *self.layers.write().unwrap_or_else(PoisonError::into_inner) = layers.into();
    }

    /// The layers, from the outermost.
    pub fn layers(&self) -> Arc<[Arc<dyn Layer>]> {
        Arc::clone(&self.layers.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whose calls these are.
    pub fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    /// A call on behalf of somebody else, as the host itself.
    pub async fn call_as(&self, caller: Arc<Caller>, call: HostCall) -> Result<Payload, HostError> {
        self.answer(caller, call).await
    }

    fn answer(&self, caller: Arc<Caller>, call: HostCall) -> Answer<'_> {
        let layers = self.layers();
        if layers.is_empty() {
            return self.port.call(call);
        }
        let call_id = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let mut context = CallContext::new(caller, call_id, call);
        let port = self.port.as_ref();
        Box::pin(async move { Next { layers: &layers, port }.run(&mut context).await })
    }
}

// By hand, so that a chain without layers is the port itself: no future around the port's own.
impl HostPort for Chain {
    fn call<'a, 'answer>(&'a self, call: HostCall) -> Answer<'answer>
    where
        'a: 'answer,
        Self: 'answer,
    {
        self.answer(Arc::clone(&self.caller), call)
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Chain")
            .field("caller", &self.caller)
            .field("layers", &self.layers())
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// A layer from a closure; see [`Chain`] for one.
pub fn layer_fn<F>(function: F) -> Arc<dyn Layer>
where
    F: for<'a> Fn(&'a mut CallContext, Next<'a>) -> Answer<'a> + Send + Sync + 'static,
{
    Arc::new(LayerFn(function))
}

struct LayerFn<F>(F);

#[async_trait]
impl<F> Layer for LayerFn<F>
where
    F: for<'a> Fn(&'a mut CallContext, Next<'a>) -> Answer<'a> + Send + Sync,
{
    async fn call(&self, context: &mut CallContext, next: Next<'_>) -> Result<Payload, HostError> {
        (self.0)(context, next).await
    }
}

impl<F> fmt::Debug for LayerFn<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("layer_fn(..)")
    }
}
