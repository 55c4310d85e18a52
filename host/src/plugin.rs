//! A loaded app, called as a set of functions: arguments and results as values, no HTTP.

use crate::app::App;
use crate::direct::{self, BadCall};
use crate::fault::Failure;
use crate::params::BadArgs;
use crate::pipeline;
use crate::reply::Body;
use crate::table::{Place, Staff};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// An app that is loaded. It stays until it is unloaded, whether or not this is kept.
#[derive(Clone)]
pub struct Plugin {
    pub(crate) place: Arc<Place>,
}

/// Why a function of a plugin gave no result.
#[derive(Debug)]
pub enum CallError {
    /// There is no such function or argument, or the result is not what the caller takes: a sentence.
    Mismatch(String),
    /// The arguments were refused, with FastAPI's list of errors.
    Refused(Value),
    /// The handler answered with a status of its own, and this body.
    Answered(u16, Value),
    /// It took too long, trapped, or could not be run: what a log should know.
    Failed(String),
    /// The plugin was unloaded.
    Gone,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mismatch(sentence) | Self::Failed(sentence) => f.write_str(sentence),
            Self::Refused(errors) => write!(f, "the arguments were refused: {errors}"),
            Self::Answered(status, body) => write!(f, "the handler answered {status}: {body}"),
            Self::Gone => f.write_str("the plugin was unloaded"),
        }
    }
}

impl std::error::Error for CallError {}

impl Plugin {
    pub fn name(&self) -> &str {
        self.place.name()
    }

    /// The functions that can be called: the names of its handlers.
    pub fn functions(&self) -> Vec<String> {
        let app = self.place.app();
        let routes = app.iter().flat_map(|app| &app.manifest.routes);
        routes.map(|route| route.name.clone()).collect()
    }

    /// Call a handler with arguments by name, whatever part of a request they come from otherwise. `args` has to be a
    /// map or a struct. Limits hold as for requests.
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
        let staff = self.place.staff().ok_or(CallError::Gone)?;
        let args = match serde_json::to_value(args) {
            Ok(Value::Object(args)) => args,
            Ok(Value::Null) => serde_json::Map::new(),
            Ok(_) => return Err(CallError::Mismatch("arguments are given by name".to_owned())),
            Err(error) => return Err(CallError::Mismatch(error.to_string())),
        };
        let (status, body) = run(&staff, function, &args).await?;
        if status >= 400 {
            return Err(CallError::Answered(status, serde_json::from_slice(&body).unwrap_or(Value::Null)));
        }
        serde_json::from_slice(&body)
            .map_err(|e| CallError::Mismatch(format!("the result of {function}: {e}")))
    }
}

async fn run(
    staff: &Staff,
    function: &str,
    args: &serde_json::Map<String, Value>,
) -> Result<(u16, Bytes), CallError> {
    let app: &App = &staff.app;
    let (route, args) = direct::arguments(&app.manifest, &app.router, function, args).map_err(refused)?;
    let failed = |failure: Failure| CallError::Failed(failure.logged());
    let reply = pipeline::call(staff, pipeline::next_request(), route, args.into()).await.map_err(failed)?;
    match reply.body {
        Body::Bytes(body) => Ok((reply.status, body)),
        Body::File(_) => Err(CallError::Mismatch(format!("{function} answers with a file"))),
    }
}

fn refused(bad: BadCall) -> CallError {
    match bad {
        BadCall::Wrong(sentence) | BadCall::Invalid(BadArgs::Malformed(sentence)) => {
            CallError::Mismatch(sentence)
        }
        BadCall::Invalid(BadArgs::Invalid(errors)) => {
            let body = serde_json::from_slice::<Value>(&errors.into_body()).unwrap_or_default();
            CallError::Refused(body.get("detail").cloned().unwrap_or_default())
        }
    }
}
