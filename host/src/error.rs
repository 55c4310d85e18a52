//! Why a request has no reply of its handler: the client's fault or the host's.
//!
//! What the client is told and what the log is told are two things: see [`Fault::told`] and [`Fault::logged`].

use crate::codec::encode_error::EncodeError;
use crate::codec::reply::DecodeError;
use crate::config::limit_name::{grant, of};
use crate::config::limit_table::Limit;
use crate::validation::arguments::InvalidArgs;
use crate::validation::error_list::ErrorList;
use jiter::JsonValue;
use std::time::Duration;

/// A request that got no reply.
#[derive(Debug)]
pub enum Failure {
    Rejected(Rejection),
    Faulted(Fault),
    Overloaded(Overload),
}

/// More requests come than the app may have. Nobody is at fault, and there are too many of these to log each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overload {
    /// 503: too many wait already. When to come back.
    Queue(Duration),
    /// 429: too many came in this second. When there is room again.
    Rate(Duration),
    /// 503: too many large bodies are on their way.
    Transit,
}

impl Overload {
    pub fn status(self) -> u16 {
        match self {
            Self::Queue(_) | Self::Transit => 503,
            Self::Rate(_) => 429,
        }
    }

    pub fn told(self) -> &'static str {
        match self {
            Self::Queue(_) => "Too many requests are waiting",
            Self::Rate(_) => "Too many requests came in a short time",
            Self::Transit => "Too many large bodies are being transferred",
        }
    }

    /// The limit that was reached.
    pub fn limit(self) -> Limit {
        match self {
            Self::Queue(_) => Limit::Queue,
            Self::Rate(_) => Limit::Rate,
            Self::Transit => Limit::Transit,
        }
    }

    /// Whole seconds, as `Retry-After` has them.
    pub fn retry_after(self) -> u64 {
        match self {
            Self::Queue(time) | Self::Rate(time) => time.as_secs() + u64::from(time.subsec_nanos() > 0),
            Self::Transit => 1,
        }
    }

    /// An index into [`OVERLOADS`].
    pub fn kind(self) -> usize {
        match self {
            Self::Queue(_) => 0,
            Self::Rate(_) => 1,
            Self::Transit => 2,
        }
    }
}

/// Why requests are sent away, as they are counted.
pub const OVERLOADS: [&str; 3] = ["queue", "rate", "transit"];

impl From<Overload> for Failure {
    fn from(overload: Overload) -> Self {
        Self::Overloaded(overload)
    }
}

/// The request is at fault: 4xx.
#[derive(Debug)]
pub enum Rejection {
    NotFound,
    /// 307: the same path with or without its final slash is served.
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
    /// 507: a file that came with the request could not be kept.
    Unstored,
    BodyTimeout,
    Invalid(ErrorList),
}

/// The app or the host is at fault: 5xx.
#[derive(Debug)]
pub enum Fault {
    /// The handler took longer than the deadline.
    Deadline,
    /// The handler used more processor time than it may.
    CpuExhausted,
    /// Every instance stayed busy until the deadline.
    Busy,
    /// The instance trapped, and is gone.
    Trapped(String),
    /// The instance ended while others used it.
    Lost,
    /// No instance could be made.
    NoInstance(String),
    /// The app is not compiled yet, or cannot be.
    NotBuilt(String),
    /// The app's source, which is served as it is, is broken: a text for its developer, who was told already.
    NotLoaded(String),
    /// The reply is not what the contract says.
    BadReply(String),
    /// A reply's file lies in no folder that the app was granted.
    NoFolder(String),
    /// A reply's file is there and cannot be read.
    Unreadable(String),
    /// The reply holds what JSON cannot.
    Unencodable(EncodeError),
}

/// The kinds of faults, as they are counted.
pub const FAULTS: [&str; 9] =
    ["deadline", "cpu", "busy", "trap", "lost", "no_instance", "not_loaded", "reply", "not_built"];

impl From<InvalidArgs> for Rejection {
    fn from(bad: InvalidArgs) -> Self {
        match bad {
            InvalidArgs::Malformed(sentence) => Self::Malformed(sentence),
            InvalidArgs::Invalid(errors) => Self::Invalid(errors),
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
            DecodeError::Unencodable(why) => Self::Unencodable(why),
        }
    }
}

impl Failure {
    /// The limit that the client or the load has reached, if that is why.
    pub fn limit(&self) -> Option<Limit> {
        match self {
            Self::Rejected(rejection) => rejection.limit(),
            Self::Overloaded(overload) => Some(overload.limit()),
            Self::Faulted(_) => None,
        }
    }

    /// What the log is told.
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
            Self::Deadline => 0,
            Self::CpuExhausted => 1,
            Self::Busy => 2,
            Self::Trapped(_) => 3,
            Self::Lost => 4,
            Self::NoInstance(_) => 5,
            Self::NotLoaded(_) => 6,
            Self::BadReply(_) | Self::NoFolder(_) | Self::Unreadable(_) | Self::Unencodable(_) => 7,
            Self::NotBuilt(_) => 8,
        }
    }

    pub fn status(&self) -> u16 {
        match self {
            Self::Deadline => 504,
            Self::Busy | Self::CpuExhausted | Self::NoInstance(_) | Self::NotBuilt(_) => 503,
            Self::Trapped(_)
            | Self::Lost
            | Self::NotLoaded(_)
            | Self::NoFolder(_)
            | Self::Unreadable(_)
            | Self::BadReply(_)
            | Self::Unencodable(_) => 500,
        }
    }

    /// What the client is told: nothing of the app's inside.
    pub fn told(&self) -> &'static str {
        match self.status() {
            504 => "Gateway Timeout",
            503 => "Service Unavailable",
            _ => "Internal Server Error",
        }
    }

    /// What a client is told who is the developer.
    pub fn told_in_full(&self) -> String {
        match self {
            Self::NotLoaded(text) => format!("The app cannot be loaded.\n\n{text}\n"),
            other => format!("{}: {}\n", other.told(), other.logged()),
        }
    }

    /// What the log is told.
    pub fn logged(&self) -> String {
        match self {
            Self::Deadline => format!("the handler ran past its deadline ({})", of(Limit::Deadline)),
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
                let files = grant("--files", "[app.NAME.files]");
                format!("the reply's file {path:?} lies in no folder that the app may read ({files})")
            }
            Self::Unreadable(why) => format!("the reply's file cannot be read: {why}"),
            Self::Unencodable(EncodeError::TooLarge) => format!(
                "the handler's result cannot be sent: {} ({})",
                EncodeError::TooLarge,
                of(Limit::MaxResponse)
            ),
            Self::Unencodable(error) => format!("the handler's result cannot be sent: {error}"),
        }
    }
}

impl Rejection {
    /// What an app is told that answers refusals itself: the errors of a 422, or a sentence.
    pub fn told_to_app(self) -> JsonValue<'static> {
        match self {
            Self::Invalid(errors) => errors.into_values(),
            other => JsonValue::Str(other.told().into()),
        }
    }

    /// The limit that was reached, if one was.
    pub fn limit(&self) -> Option<Limit> {
        match self {
            Self::TooLarge { limit, .. } => Some(*limit),
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
            Self::Unstored => 507,
            Self::BodyTimeout => 408,
            Self::Invalid(_) => 422,
        }
    }

    /// The sentence in `{"detail": …}`; a 422 has a body of its own.
    pub fn told(&self) -> String {
        match self {
            Self::Elsewhere { .. } => "Temporary Redirect".to_owned(),
            Self::NotFound => "Not Found".to_owned(),
            Self::MethodNotAllowed { .. } => "Method Not Allowed".to_owned(),
            Self::Malformed(sentence) => sentence.clone(),
            Self::TooLarge { most, .. } => format!("The request body is larger than {most} bytes"),
            Self::Unstored => "Insufficient Storage".to_owned(),
            Self::BodyTimeout => "The request body did not arrive in time".to_owned(),
            Self::Invalid(_) => "Unprocessable Entity".to_owned(),
        }
    }
}
