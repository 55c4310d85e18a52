//! Why a request got no reply from its handler: rejections, faults and overloads.
//!
//! The client and the log get different texts: see [`Fault::told`] and [`Fault::logged`].

use crate::codec::encode_error::EncodeError;
use crate::codec::reply::DecodeError;
use crate::codec::work::Stop;
use crate::config::limit_name::{of, pick};
use crate::config::limit_table::Limit;
use crate::validation::arguments::InvalidArgs;
use crate::validation::error_list::ErrorList;
use crate::websocket::handshake::Refusal;
use jiter::JsonValue;
use std::time::Duration;

/// Why a request got no reply.
#[derive(Debug)]
pub enum Failure {
    Rejected(Rejection),
    Faulted(Fault),
    Overloaded(Overload),
}

/// More requests arrive than the app's limits allow. Nobody is at fault, and there are too many to log each one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overload {
    /// 503: the queue is full. Holds the time until a retry.
    Queue(Duration),
    /// 429: the rate is exceeded. Holds the time until there is room again.
    Rate(Duration),
    /// 503: too many large bodies are in transit.
    Transit,
    /// 503: the app has too many streams.
    Streams,
}

impl Overload {
    pub fn status(self) -> u16 {
        match self {
            Self::Queue(_) | Self::Transit | Self::Streams => 503,
            Self::Rate(_) => 429,
        }
    }

    pub fn told(self) -> &'static str {
        match self {
            Self::Queue(_) => "Too many requests are waiting",
            Self::Rate(_) => "Too many requests arrived in a short time",
            Self::Transit => "Too many large bodies are being transferred",
            Self::Streams => "Too many streams are open",
        }
    }

    /// The limit that was reached.
    pub fn limit(self) -> Limit {
        match self {
            Self::Queue(_) => Limit::Queue,
            Self::Rate(_) => Limit::Rate,
            Self::Transit => Limit::Transit,
            Self::Streams => Limit::MaxStreams,
        }
    }

    /// Whole seconds, for `Retry-After`.
    pub fn retry_after(self) -> u64 {
        match self {
            Self::Queue(time) | Self::Rate(time) => time.as_secs() + u64::from(time.subsec_nanos() > 0),
            Self::Transit | Self::Streams => 1,
        }
    }

    /// An index into [`OVERLOADS`].
    pub fn kind(self) -> usize {
        match self {
            Self::Queue(_) => 0,
            Self::Rate(_) => 1,
            Self::Transit => 2,
            Self::Streams => 3,
        }
    }
}

/// The kinds of overload, as they are counted.
pub const OVERLOADS: [&str; 4] = ["queue", "rate", "transit", "streams"];

impl From<Overload> for Failure {
    fn from(overload: Overload) -> Self {
        Self::Overloaded(overload)
    }
}

/// The request is at fault: 4xx.
#[derive(Debug)]
pub enum Rejection {
    NotFound,
    /// 307: the path has a route if its trailing slash is added or removed.
    Elsewhere {
        location: String,
    },
    MethodNotAllowed {
        allow: String,
    },
    /// 400 and a sentence.
    Malformed(String),
    /// 413: the body has more bytes than `limit` allows.
    TooLarge {
        most: usize,
        limit: Limit,
    },
    /// 507: a file of the request could not be stored.
    Unstored {
        limit: Option<Limit>,
    },
    BodyTimeout,
    Invalid(ErrorList),
    /// The request is no valid handshake of a WebSocket.
    Handshake(Refusal),
    /// 403: a page of another origin may not open the WebSocket.
    Origin,
    /// 403: the handshake of a WebSocket has invalid parameters.
    Unacceptable(ErrorList),
}

/// Most bytes of a path in a message.
const MOST_PATH: usize = 1000;

/// The app or the host is at fault: 5xx.
#[derive(Debug)]
pub enum Fault {
    /// The handler took longer than the deadline.
    Deadline,
    /// The host had not checked the request, or not encoded the reply, by the deadline.
    Late,
    /// The handler exceeded its CPU time.
    CpuExhausted,
    /// Every instance stayed busy until the deadline.
    Busy,
    /// The instance trapped, and was retired.
    Trapped(String),
    /// Another request caused the instance to end.
    Lost,
    /// No instance could be created.
    NoInstance(String),
    /// The app is not compiled yet, or cannot be compiled.
    NotBuilt(String),
    /// The app runs from source, and the source is broken. Holds a text for its developer, which was already printed.
    NotLoaded(String),
    /// The reply violates the contract.
    BadReply(String),
    /// A reply's file is outside the folders that the app was granted.
    NoFolder(String),
    /// A reply's file exists but cannot be read.
    Unreadable(String),
    /// The query whose rows are the reply has failed.
    Query {
        /// The database is away or overloaded, and the request may be sent again.
        is_away: bool,
        why: String,
    },
    /// The reply contains a value that JSON cannot represent.
    Unencodable(EncodeError),
    /// The same, and which handler made it: its name, file and line.
    UnencodableOf(EncodeError, String),
}

/// The kinds of faults, as they are counted.
pub const FAULTS: [&str; 10] =
    ["deadline", "cpu", "busy", "trap", "lost", "no_instance", "not_loaded", "reply", "not_built", "query"];

impl Failure {
    /// The failure of a call of this handler, for the log.
    pub fn of_handler(self, handler: impl FnOnce() -> String) -> Self {
        match self {
            Self::Faulted(Fault::Unencodable(error)) => Self::Faulted(Fault::UnencodableOf(error, handler())),
            other => other,
        }
    }
}

impl From<InvalidArgs> for Failure {
    fn from(bad: InvalidArgs) -> Self {
        match bad {
            InvalidArgs::Malformed(sentence) => Rejection::Malformed(sentence).into(),
            InvalidArgs::Invalid(errors) => Rejection::Invalid(errors).into(),
            InvalidArgs::Stopped(stop) => stop.into(),
        }
    }
}

/// Work that has been done in the background as well.
impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Room => Overload::Transit.into(),
            Stop::Late | Stop::Long | Stop::Spent => Fault::Late.into(),
        }
    }
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Unencodable(EncodeError::Stopped(stop)) => stop.into(),
            error => Fault::from(error).into(),
        }
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Faulted(fault)
    }
}

impl From<DecodeError> for Fault {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Malformed(why) => Self::BadReply(why),
            DecodeError::Unencodable(EncodeError::Stopped(_)) => Self::Late,
            DecodeError::Unencodable(why) => Self::Unencodable(why),
        }
    }
}

impl Failure {
    /// The limit that the client or the load reached, if that is the cause.
    pub fn limit(&self) -> Option<Limit> {
        match self {
            Self::Rejected(rejection) => rejection.limit(),
            Self::Overloaded(overload) => Some(overload.limit()),
            Self::Faulted(_) => None,
        }
    }

    /// The text for the log.
    pub fn logged(&self) -> String {
        match self {
            Self::Rejected(rejection) => rejection.told(),
            Self::Faulted(fault) => fault.logged(),
            Self::Overloaded(overload) => overload.told().to_owned(),
        }
    }
}

impl Fault {
    pub fn unreadable(why: impl std::fmt::Display) -> Self {
        Self::Unreadable(why.to_string())
    }

    /// An index into [`FAULTS`].
    pub fn kind(&self) -> usize {
        match self {
            Self::Deadline | Self::Late => 0,
            Self::CpuExhausted => 1,
            Self::Busy => 2,
            Self::Trapped(_) => 3,
            Self::Lost => 4,
            Self::NoInstance(_) => 5,
            Self::NotLoaded(_) => 6,
            Self::BadReply(_)
            | Self::NoFolder(_)
            | Self::Unreadable(_)
            | Self::Unencodable(_)
            | Self::UnencodableOf(..) => 7,
            Self::NotBuilt(_) => 8,
            Self::Query { .. } => 9,
        }
    }

    pub fn status(&self) -> u16 {
        match self {
            Self::Deadline | Self::Late => 504,
            Self::Busy
            | Self::CpuExhausted
            | Self::NoInstance(_)
            | Self::NotBuilt(_)
            | Self::Query { is_away: true, .. } => 503,
            Self::Trapped(_)
            | Self::Lost
            | Self::NotLoaded(_)
            | Self::NoFolder(_)
            | Self::Unreadable(_)
            | Self::Query { .. }
            | Self::BadReply(_)
            | Self::Unencodable(_)
            | Self::UnencodableOf(..) => 500,
        }
    }

    /// The text for the client: it reveals nothing about the app's internals.
    pub fn told(&self) -> &'static str {
        match self.status() {
            504 => "Gateway Timeout",
            503 => "Service Unavailable",
            _ => "Internal Server Error",
        }
    }

    /// The text for a client who is the developer.
    pub fn told_in_full(&self) -> String {
        match self {
            Self::NotLoaded(text) => format!("The app cannot be loaded.\n\n{text}\n"),
            other => format!("{}: {}\n", other.told(), other.logged()),
        }
    }

    /// The text for the log.
    pub fn logged(&self) -> String {
        match self {
            Self::Deadline => format!("the handler ran past its deadline ({})", of(Limit::Deadline)),
            Self::Late => format!(
                "the host had not checked the request, or not encoded the reply, by the deadline ({})",
                of(Limit::Deadline)
            ),
            Self::CpuExhausted => format!(
                "the handler used up its processor time and its instance was retired ({})",
                of(Limit::MaxCpu)
            ),
            Self::Busy => format!(
                "every instance was busy until the deadline ({}, {})",
                of(Limit::Instances),
                of(Limit::Deadline)
            ),
            Self::Trapped(why) => format!("the instance trapped and was retired: {why}"),
            Self::Lost => "the instance ended because of another request".to_owned(),
            Self::NotLoaded(_) => "the app cannot be loaded".to_owned(),
            Self::NoInstance(why) => format!("no instance could be made: {why}"),
            Self::NotBuilt(why) => format!("the app cannot be served: {why}"),
            Self::BadReply(why) => format!("the guest's reply is malformed: {why}"),
            Self::NoFolder(path) => {
                let path = &path[..path.floor_char_boundary(MOST_PATH)];
                let files = pick("--files", "[app.NAME.files]", "AppConfig::preopens");
                format!("the reply's file {path:?} lies in no folder that the app may read ({files})")
            }
            Self::Unreadable(why) => format!("the reply's file cannot be read: {why}"),
            Self::Query { why, .. } => format!("the query of the reply has failed: {why}"),
            Self::Unencodable(EncodeError::TooLarge) => format!(
                "the handler's result cannot be sent: {} ({})",
                EncodeError::TooLarge,
                of(Limit::MaxResponse)
            ),
            Self::Unencodable(error) => format!("the handler's result cannot be sent: {error}"),
            Self::UnencodableOf(error, handler) => {
                format!("{handler}: {}", Self::Unencodable(error.clone()).logged())
            }
        }
    }
}

impl Rejection {
    /// The reason for an app's own refusal handler: the errors of a 422, or a sentence.
    pub fn told_to_app(self) -> JsonValue<'static> {
        match self {
            Self::Invalid(errors) | Self::Unacceptable(errors) => errors.into_values(),
            other => JsonValue::Str(other.told().into()),
        }
    }

    /// The limit that was reached, if one was.
    pub fn limit(&self) -> Option<Limit> {
        match self {
            Self::TooLarge { limit, .. } => Some(*limit),
            Self::Unstored { limit } => *limit,
            Self::BodyTimeout => Some(Limit::BodyTimeout),
            _ => None,
        }
    }

    pub fn status(&self) -> u16 {
        match self {
            Self::Elsewhere { .. } => 307,
            Self::NotFound => 404,
            Self::MethodNotAllowed { .. } => 405,
            Self::Malformed(_) => 400,
            Self::TooLarge { .. } => 413,
            Self::Unstored { .. } => 507,
            Self::BodyTimeout => 408,
            Self::Invalid(_) => 422,
            Self::Handshake(refusal) => refusal.status(),
            Self::Origin | Self::Unacceptable(_) => 403,
        }
    }

    /// The sentence in `{"detail": …}`; a 422 has its own body.
    pub fn told(&self) -> String {
        match self {
            Self::Elsewhere { .. } => "Temporary Redirect".to_owned(),
            Self::NotFound => "Not Found".to_owned(),
            Self::MethodNotAllowed { .. } => "Method Not Allowed".to_owned(),
            Self::Malformed(sentence) => sentence.clone(),
            Self::TooLarge { most, .. } => format!("The request body is larger than {most} bytes"),
            Self::Unstored { .. } => "Insufficient Storage".to_owned(),
            Self::BodyTimeout => "The request body did not arrive in time".to_owned(),
            Self::Invalid(_) => "Unprocessable Entity".to_owned(),
            Self::Handshake(refusal) => refusal.to_string(),
            Self::Origin => "Pages of this origin may not open this WebSocket".to_owned(),
            Self::Unacceptable(_) => "Forbidden".to_owned(),
        }
    }
}
