//! An app's manifest: its routes, parameters and models, parsed once from the component's JSON.
//!
//! The JSON comes from a guest and is hostile. This module validates all of it, and the rest of the host relies on
//! that: types are resolved, references are valid, defaults are already marshalled.

mod bounds;
pub mod choices;
pub mod constraints;
pub mod discriminator;
pub mod isolation;
pub mod openapi_pages;
pub mod pattern;
mod resolver;
pub mod router;
pub mod swagger_ui;
pub mod types;
pub mod wire;

use crate::manifest::isolation::RouteIsolation;
use crate::manifest::openapi_pages::OpenApiPages;
use crate::manifest::resolver::Resolver;
pub use crate::manifest::types::{Absent, Field, Model, Type};
pub use crate::manifest::wire::{Method, Source};

/// The ABI version of this host; see `wit/bolt.wit`.
pub const ABI: u32 = 4;
/// The marshal version that host and guest use.
const MARSHAL_VERSION: u32 = 4;

/// An app's manifest, checked and resolved.
#[derive(Debug, Clone)]
pub struct Manifest {
    pub app: String,
    pub title: String,
    /// Its instances run lifespan code when they are retired.
    pub lifespan: bool,
    /// Redirect a path that differs from a route only by a trailing slash.
    pub redirect_slashes: bool,
    /// Its documentation pages.
    pub docs: Option<OpenApiPages>,
    pub sdk: String,
    pub interpreter: String,
    pub models: Vec<Model>,
    pub routes: Vec<Route>,
    /// Handlers for requests that the host refuses; their numbers follow those of the routes.
    pub refusals: Vec<Refusal>,
}

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

impl Manifest {
    /// The guest's number for the handler of refusals with `status`, if the app has one.
    pub fn refusal(&self, status: u16) -> Option<usize> {
        let position = self.refusals.iter().position(|refusal| refusal.status == status)?;
        Some(self.routes.len() + position)
    }

    /// Parse and validate a manifest. Errors are sentences for people.
    pub fn parse(json: &str) -> Result<Self, String> {
        bounds::check_json(json)?;
        let wire: wire::Manifest =
            serde_json::from_str(json).map_err(|e| format!("the app's manifest cannot be read: {e}"))?;
        if wire.abi != ABI {
            return Err(format!(
                "the app was built for ABI {} and this host speaks ABI {ABI}: build it again with this version",
                wire.abi
            ));
        }
        if wire.marshal != MARSHAL_VERSION {
            return Err(format!(
                "the app uses marshal version {}, but this host uses {MARSHAL_VERSION}",
                wire.marshal
            ));
        }
        bounds::check(&wire)?;
        Resolver::new(&wire).resolve(&wire)
    }
}
