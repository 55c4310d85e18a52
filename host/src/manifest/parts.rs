//! The parts of a manifest, as the rest of the host uses them.

use crate::manifest::isolation::RouteIsolation;
use crate::manifest::openapi_pages::OpenApiPages;
use crate::manifest::table_query::TableQuery;
use crate::manifest::types::{Absent, Model, Type};
use crate::manifest::wire::{Frozen, Method, Source};

/// An app's manifest, checked and resolved.
#[derive(Debug, Clone)]
pub struct Manifest {
    pub app: String,
    pub title: String,
    /// Its instances run lifespan code when they are retired.
    pub lifespan: bool,
    /// Redirect a path that differs from a route only by a trailing slash.
    pub redirect_slashes: bool,
    /// What the build fixes that only run time knows.
    pub frozen: Vec<Frozen>,
    /// A request is written with the prefix that selected the app.
    pub takes_prefix: bool,
    /// A request may be written without its body, which its handler then reads in parts.
    pub reads_streams: bool,
    /// Its documentation pages.
    pub docs: Option<OpenApiPages>,
    pub sdk: String,
    pub interpreter: String,
    pub models: Vec<Model>,
    pub routes: Vec<Route>,
    /// Handlers for requests that the host refuses; their numbers follow those of the routes.
    pub refusals: Vec<Refusal>,
    /// Their numbers follow those of the refusals.
    pub sleepers: Vec<Sleeper>,
}

/// A handler of a WebSocket that sleeps: it is called for each message, or at its end.
pub use crate::manifest::wire::{Sleeper, SleeperEvent};

/// A handler for refused requests of one status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub is_async: bool,
}

/// One handler and how its arguments are built.
#[derive(Debug, Clone)]
pub struct Route {
    pub method: Method,
    pub path: String,
    pub name: String,
    /// `app.py:12`, for messages.
    pub source: String,
    /// A call may suspend and reply later.
    pub is_async: bool,
    /// The handler itself is an `async def`. A `def` handler may still have async code around it.
    pub handler_is_async: bool,
    pub isolation: RouteIsolation,
    pub status: u16,
    pub params: Vec<Param>,
    pub needs: Needs,
    /// Of a WebSocket: the origins whose pages may open it; `None`: those of the app's own host.
    pub origins: Option<Vec<String>>,
    /// The host answers by itself, from a table.
    pub query: Option<Box<TableQuery>>,
}

/// The parts of a request that a handler's parameters need, besides path and query.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    pub headers: bool,
    pub body: BodyKind,
    pub request: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BodyKind {
    #[default]
    None,
    /// One parameter takes the whole body.
    Json,
    /// Each parameter takes one key of the body.
    Keys,
    Form,
    /// The handler reads it in parts.
    Stream,
}

/// One argument of a handler.
#[derive(Debug, Clone)]
pub struct Param {
    pub alias: String,
    pub source: Source,
    pub ty: Type,
    pub absent: Absent,
    /// The type is a model, and each of its fields is read from the source separately.
    pub spread: bool,
    /// Those fields are named with `-` where the model has `_`.
    pub hyphens: bool,
    /// It takes one key of the body, not the whole body.
    pub embed: bool,
    pub files: FileRules,
}

/// Constraints on the files of a parameter.
#[derive(Debug, Clone, Default)]
pub struct FileRules {
    /// Maximum size of each file, in bytes.
    pub max_size: Option<u64>,
    pub max_files: Option<usize>,
    /// `image/png` or `image/*`; if absent, all types are allowed.
    pub allowed_types: Option<Vec<String>>,
}
