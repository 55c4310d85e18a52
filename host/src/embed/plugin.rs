//! A loaded app as a set of functions: arguments and results are values, without HTTP.

use crate::apps::worker_apps::{WorkerApp, WorkerSlot};
use crate::codec::reply::Body;
use crate::codec::work::{Stop, Work};
use crate::embed::call_args::{self, BadCall};
use crate::error::Failure;
use crate::http::calling;
use crate::validation::arguments::InvalidArgs;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use tokio::time::Instant;

/// A handle of a loaded app. Dropping it does not unload the app.
#[derive(Clone)]
pub struct Plugin {
    pub(super) slot: Arc<WorkerSlot>,
}

/// Why a call of a plugin's function gave no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// There is no such function or argument, or the result does not have the caller's type: a message.
    #[error("{0}")]
    Mismatch(String),
    /// The arguments failed validation: FastAPI's list of errors.
    #[error("the arguments were refused: {0}")]
    Refused(Value),
    /// The handler answered with this error status, and this body.
    #[error("the handler answered {0}: {1}")]
    Answered(u16, Value),
    /// It took too long, trapped, or could not run: a message for the log.
    #[error("{0}")]
    Failed(String),
    /// The plugin was unloaded.
    #[error("the plugin was unloaded")]
    Gone,
}

impl Plugin {
    pub fn name(&self) -> &str {
        self.slot.name()
    }

    /// The functions that can be called: the names of its handlers.
    pub fn functions(&self) -> Vec<String> {
        let app = self.slot.app();
        let routes = app.iter().flat_map(|app| &app.manifest.routes);
        routes.map(|route| route.name.clone()).collect()
    }

    /// Call a handler with named arguments, whichever part of a request they normally come from. `args` has to be a map
    /// or a struct. The limits of requests apply.
    ///
    /// ```no_run
    /// # async fn example(plugin: bolt_host::embed::Plugin) {
    /// use bolt_host::embed::CallError;
    ///
    /// #[derive(serde::Serialize)]
    /// struct Order<'o> {
    ///     customer: &'o str,
    ///     amount: u32,
    /// }
    ///
    /// match plugin.call::<f64>("discount", Order { customer: "regular", amount: 3 }).await {
    ///     Ok(discount) => println!("{discount}"),
    ///     Err(CallError::Refused(errors)) => println!("the plugin takes other orders: {errors}"),
    ///     Err(error) => println!("no discount: {error}"),
    /// }
    /// # }
    /// ```
    pub async fn call<T: DeserializeOwned>(
        &self,
        function: &str,
        args: impl Serialize,
    ) -> Result<T, CallError> {
        let worker_app = self.slot.worker_app().ok_or(CallError::Gone)?;
        let args = match serde_json::to_value(args) {
            Ok(Value::Object(args)) => args,
            Ok(Value::Null) => serde_json::Map::new(),
            Ok(_) => return Err(CallError::Mismatch("arguments have to be named".to_owned())),
            Err(error) => return Err(CallError::Mismatch(error.to_string())),
        };
        let (status, body) = run(&worker_app, function, &args).await?;
        if status >= 400 {
            return Err(CallError::Answered(status, serde_json::from_slice(&body).unwrap_or(Value::Null)));
        }
        serde_json::from_slice(&body)
            .map_err(|e| CallError::Mismatch(format!("the result of {function}: {e}")))
    }
}

async fn run(
    worker_app: &WorkerApp,
    function: &str,
    args: &serde_json::Map<String, Value>,
) -> Result<(u16, Bytes), CallError> {
    let app = &worker_app.app;
    let deadline = Instant::now() + app.limits.deadline;
    let failed = |failure: Failure| CallError::Failed(failure.logged());
    let (route, args) =
        match call_args::arguments(&app.manifest, &app.router, function, args, &mut Work::brief()) {
            Err(BadCall::Invalid(InvalidArgs::Stopped(Stop::Long))) => {
                let (own, function, args) = (app.clone(), function.to_owned(), args.clone());
                let check = move |work: &mut Work| {
                    call_args::arguments(&own.manifest, &own.router, &function, &args, work)
                };
                let checked = app.checking.run(app.bodies.reserve(), deadline, check).await;
                checked.map_err(|fault| failed(fault.into()))?
            }
            outcome => outcome,
        }
        .map_err(refused)?;
    let id = calling::next_request();
    let calling::Answer { reply, .. } =
        calling::call(worker_app, id, route, args.into(), deadline).await.map_err(failed)?;
    match reply.body {
        Body::Bytes(body) => Ok((reply.status, body)),
        Body::Stream(_) | Body::Socket => {
            Err(CallError::Mismatch(format!("{function} answers with a stream")))
        }
        Body::File(_) => Err(CallError::Mismatch(format!("{function} answers with a file"))),
    }
}

fn refused(bad: BadCall) -> CallError {
    match bad {
        BadCall::Wrong(sentence) | BadCall::Invalid(InvalidArgs::Malformed(sentence)) => {
            CallError::Mismatch(sentence)
        }
        BadCall::Invalid(InvalidArgs::Stopped(stop)) => CallError::Failed(Failure::from(stop).logged()),
        BadCall::Invalid(InvalidArgs::Invalid(errors)) => {
            let body = serde_json::from_slice::<Value>(&errors.into_body()).unwrap_or_default();
            CallError::Refused(body.get("detail").cloned().unwrap_or_default())
        }
    }
}
