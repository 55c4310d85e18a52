//! The manifest's JSON format, as the guest writes it: deserialized but not validated.

use crate::manifest::isolation::Isolation;
use crate::manifest::openapi_pages::OpenApiPages;
use crate::manifest::table_query::TableQuery;
use serde::{Deserialize, Deserializer};
use serde_json::{Number, Value};
use std::collections::BTreeMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
    /// No method of HTTP: the handshake of a WebSocket.
    WebSocket,
}

impl Method {
    /// Those of HTTP.
    pub const ALL: [Method; 7] =
        [Self::Get, Self::Head, Self::Post, Self::Put, Self::Patch, Self::Delete, Self::Options];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::WebSocket => "WEBSOCKET",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == name)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    Path,
    Query,
    Header,
    Cookie,
    Form,
    File,
    Body,
    /// The whole request, for handlers that ask for it.
    Request,
    /// The body, which the handler reads in parts.
    Stream,
}

impl Source {
    /// The name of the source in an error's location.
    pub fn place(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
            Self::Cookie => "cookie",
            Self::Form | Self::File | Self::Body | Self::Stream => "body",
            Self::Request => "request",
        }
    }
}

#[derive(Deserialize)]
pub struct Manifest {
    pub abi: u32,
    pub sdk: String,
    pub interpreter: String,
    pub marshal: u32,
    pub app: String,
    #[serde(default)]
    pub title: String,
    #[serde(default)]
    pub lifespan: bool,
    #[serde(default)]
    pub redirect_slashes: bool,
    /// The app's `Request` takes the prefix that the host removed from its path. Those of earlier SDKs do not.
    #[serde(default)]
    pub takes_prefix: bool,
    /// The app's `Request` can read a body in parts. Those of earlier SDKs cannot.
    #[serde(default)]
    pub reads_streams: bool,
    /// What the build fixes that only run time knows.
    #[serde(default)]
    pub frozen: Vec<Frozen>,
    #[serde(default)]
    pub docs: Option<OpenApiPages>,
    #[serde(default)]
    pub defs: BTreeMap<String, Def>,
    pub routes: Vec<Route>,
    #[serde(default)]
    pub refusals: Vec<Refusal>,
    #[serde(default)]
    pub sleepers: Vec<Sleeper>,
}

/// A handler of a WebSocket that sleeps.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Sleeper {
    /// The index of its route.
    pub route: usize,
    pub event: SleeperEvent,
    #[serde(rename = "async")]
    pub is_async: bool,
}

/// When it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SleeperEvent {
    Message,
    Disconnect,
}

/// A value that the app read when it was built.
#[derive(Debug, Clone, Deserialize)]
pub struct Frozen {
    pub kind: String,
    /// The variable, or "" for all of them.
    pub name: String,
    /// A sentence.
    pub text: String,
}

/// A handler for requests that the host refuses.
#[derive(Deserialize)]
pub struct Refusal {
    pub status: u16,
    #[serde(rename = "async")]
    pub is_async: bool,
}

#[derive(Deserialize)]
pub struct Def {
    pub name: String,
    #[serde(default)]
    pub kind: ModelKind,
    #[serde(default)]
    pub forbid: bool,
    #[serde(default)]
    pub tag: Option<(String, String)>,
    pub fields: Vec<Field>,
}

/// The kinds of records, which differ in what they take and in what their errors say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    #[default]
    Struct,
    Dataclass,
    NamedTuple,
    Attrs,
    TypedDict,
}

#[derive(Deserialize)]
pub struct Field {
    pub name: String,
    #[serde(rename = "type")]
    pub ty: Typed,
    pub required: bool,
    #[serde(default, deserialize_with = "present")]
    pub default: Option<Value>,
}

#[derive(Deserialize)]
pub struct Route {
    pub method: Method,
    pub path: String,
    pub name: String,
    pub file: String,
    pub line: u32,
    #[serde(rename = "async")]
    pub is_async: bool,
    #[serde(default)]
    pub handler_is_async: Option<bool>,
    #[serde(default)]
    pub isolation: Option<Isolation>,
    #[serde(default)]
    pub max_concurrency: Option<u32>,
    #[serde(default)]
    pub max_requests: Option<u64>,
    pub status: u16,
    pub params: Vec<Param>,
    /// Of a WebSocket: the origins whose pages may open it; without a list, those of the app's own host.
    #[serde(default)]
    pub origins: Option<Vec<String>>,
    /// The host answers by itself.
    #[serde(default)]
    pub query: Option<TableQuery>,
}

#[derive(Deserialize)]
pub struct Param {
    #[serde(rename = "in")]
    pub source: Source,
    pub alias: String,
    #[serde(default)]
    pub spread: bool,
    #[serde(default)]
    pub hyphens: bool,
    #[serde(default)]
    pub embed: bool,
    #[serde(default)]
    pub max_size: Option<u64>,
    #[serde(default)]
    pub max_files: Option<usize>,
    #[serde(default)]
    pub allowed_types: Option<Vec<String>>,
    #[serde(rename = "type")]
    pub ty: Typed,
    pub required: bool,
    #[serde(default, deserialize_with = "present")]
    pub default: Option<Value>,
}

/// Distinguishes `"default": null`, a default of None, from an absent default.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// A type with constraints on its values.
#[derive(Deserialize)]
pub struct Typed {
    #[serde(flatten)]
    pub ty: Type,
    #[serde(default)]
    pub check: Option<Constraints>,
}

/// A bound of a number. Decimals, and integers beyond 64 bits, are text.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Bound {
    Number(Number),
    Text(String),
}

#[derive(Deserialize)]
pub struct Constraints {
    pub gt: Option<Bound>,
    pub ge: Option<Bound>,
    pub lt: Option<Bound>,
    pub le: Option<Bound>,
    pub multiple_of: Option<Bound>,
    pub min_length: Option<usize>,
    pub max_length: Option<usize>,
    pub pattern: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "t", rename_all = "lowercase")]
pub enum Type {
    Str,
    Int,
    Float,
    Bool,
    None,
    Any,
    Bytes,
    Datetime,
    Date,
    Uuid,
    Decimal,
    Upload,
    /// The whole request.
    Request,
    List {
        item: Box<Typed>,
    },
    Set {
        item: Box<Typed>,
    },
    Frozenset {
        item: Box<Typed>,
    },
    Vartuple {
        item: Box<Typed>,
    },
    Tuple {
        items: Vec<Typed>,
    },
    Dict {
        key: Box<Typed>,
        value: Box<Typed>,
    },
    Literal {
        values: Vec<Value>,
    },
    Enum {
        #[serde(default)]
        name: String,
        /// The plain type that the members are as well: `str`, `int` or `float`.
        #[serde(default)]
        base: Option<String>,
        values: Vec<Value>,
    },
    Union {
        of: Vec<Typed>,
    },
    Ref {
        id: String,
    },
}
