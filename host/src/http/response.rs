//! Turns replies and failures into HTTP responses.

use crate::codec::json_string::write_string;
use crate::codec::reply::{Body, ContentType, Reply};
use crate::error::{Failure, Fault, Overload, Rejection};
use crate::http::file_body::{Opened, Sent, Wanted};
use crate::http::response_body::ResponseBody;
use crate::http::stream_body::StreamBody;
use crate::manifest::openapi_pages::Page;
use crate::websocket::handshake::{self, Refusal};
use bytes::Bytes;
use hyper::header::{
    ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use hyper::{Response, StatusCode};

pub type HttpResponse = Response<ResponseBody>;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Connection and framing headers, which only the host may set.
const HOST_OWNED: [&str; 8] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

pub fn without_body(status: StatusCode) -> HttpResponse {
    let mut response = whole(Bytes::new());
    *response.status_mut() = status;
    response
}

/// Turn a handler's reply into a response. An invalid header is the app's fault.
pub fn from_reply(reply: Reply) -> Result<HttpResponse, Fault> {
    let status = StatusCode::from_u16(reply.status).map_err(|_| bad("status", &reply.status.to_string()))?;
    // These have no body by definition; a client would take a body for the next response.
    let bodiless = matches!(reply.status, 204 | 205 | 304);
    let body = match reply.body {
        Body::Bytes(body) if !bodiless => body,
        _ => Bytes::new(),
    };
    let mut response = whole(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if !bodiless {
        let content_type = match reply.content_type {
            ContentType::Json => Some(JSON),
            // Apps of other frameworks may say nothing of a body.
            ContentType::Other(name) if name.is_empty() => None,
            ContentType::Other(name) => {
                Some(HeaderValue::try_from(&name).map_err(|_| bad("content type", &name))?)
            }
        };
        content_type.map(|content_type| headers.insert(CONTENT_TYPE, content_type));
    }
    for (name, value) in reply.headers {
        let name = HeaderName::try_from(&name).map_err(|_| bad("header name", &name))?;
        let value = header_value(&value)?;
        if name == CONTENT_TYPE {
            headers.insert(name, value);
        } else if !HOST_OWNED.contains(&name.as_str()) {
            headers.append(name, value);
        }
    }
    Ok(response)
}

/// Turn a handler's reply into a response with a file as its body, or with the range that the client asks for.
pub fn from_file(reply: Reply, file: Opened, wanted: Wanted) -> Result<HttpResponse, Fault> {
    let mut response = from_reply(reply)?;
    let is_ok = response.status() == StatusCode::OK;
    let (status, body) = match file.answer(wanted, is_ok, response.headers_mut()) {
        Sent::Whole(body) => (response.status(), Some(body)),
        Sent::Part(body) => (StatusCode::PARTIAL_CONTENT, Some(body)),
        Sent::NotModified => (StatusCode::NOT_MODIFIED, None),
        Sent::NoSuchPart => (StatusCode::RANGE_NOT_SATISFIABLE, None),
    };
    *response.status_mut() = status;
    match body {
        Some(body) => *response.body_mut() = ResponseBody::file(body),
        None => {
            response.headers_mut().remove(CONTENT_TYPE);
        }
    }
    Ok(response)
}

/// Turn a handler's reply into a response whose body it sends in parts.
pub fn from_stream(reply: Reply, stream: StreamBody) -> Result<HttpResponse, Fault> {
    let is_bodiless = matches!(reply.status, 204 | 205 | 304);
    let mut response = from_reply(reply)?;
    if !is_bodiless {
        *response.body_mut() = ResponseBody::stream(stream);
    }
    Ok(response)
}

fn whole(body: Bytes) -> HttpResponse {
    Response::new(body.into())
}

/// A page of the app's API documentation.
pub fn from_page(page: Page) -> HttpResponse {
    let mut response = whole(page.body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(page.content_type));
    response
}

/// Header values are latin-1, as Python writes them.
fn header_value(text: &str) -> Result<HeaderValue, Fault> {
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
    let value = bytes.and_then(|bytes| HeaderValue::from_bytes(&bytes).ok());
    value.ok_or_else(|| bad("header value", text))
}

fn bad(what: &str, value: &str) -> Fault {
    // Truncated for the log.
    let shown: String = value.chars().take(100).collect();
    Fault::BadReply(format!("{shown:?} is not a valid {what}"))
}

/// Turn a failure into a response. A fault names its request, so that the client can ask about it; with `in_full` it
/// shows what is otherwise only logged.
pub fn from_failure(failure: Failure, request: u64, in_full: bool) -> HttpResponse {
    match failure {
        Failure::Faulted(fault) => {
            let mut response = detail(fault.status(), fault.told());
            if in_full {
                *response.body_mut() = Bytes::from(fault.told_in_full()).into();
                response.headers_mut().insert(CONTENT_TYPE, TEXT);
            }
            let headers = response.headers_mut();
            headers.insert(REQUEST_ID, HeaderValue::from(request));
            if fault.status() == 503 {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            response
        }
        Failure::Overloaded(overload) => {
            let mut response = detail(overload.status(), overload.told());
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(overload.retry_after()));
            if overload == Overload::Transit {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            response
        }
        Failure::Rejected(Rejection::Invalid(errors)) => json(422, errors.into_body()),
        Failure::Rejected(Rejection::Unacceptable(errors)) => json(403, errors.into_body()),
        Failure::Rejected(rejection) => {
            let mut response = detail(rejection.status(), &rejection.told());
            match rejection {
                Rejection::Elsewhere { location } => {
                    *response.body_mut() = Bytes::new().into();
                    response.headers_mut().remove(CONTENT_TYPE);
                    if let Ok(location) = HeaderValue::try_from(location) {
                        response.headers_mut().insert(LOCATION, location);
                    }
                }
                Rejection::MethodNotAllowed { allow } => {
                    if let Ok(allow) = HeaderValue::try_from(allow) {
                        response.headers_mut().insert(ALLOW, allow);
                    }
                }
                Rejection::Handshake(Refusal::Version) => {
                    let version = HeaderValue::from_static(handshake::VERSION);
                    response.headers_mut().insert(SEC_WEBSOCKET_VERSION, version);
                    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
                }
                // The rest of the body is not read, so nothing after it can be parsed.
                Rejection::TooLarge { .. }
                | Rejection::BodyTimeout
                | Rejection::Malformed(_)
                | Rejection::Unstored { .. } => {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                _ => {}
            }
            response
        }
    }
}

pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

fn detail(status: u16, sentence: &str) -> HttpResponse {
    let mut body = b"{\"detail\":".to_vec();
    write_string(sentence, &mut body);
    body.push(b'}');
    json(status, body)
}

fn json(status: u16, body: Vec<u8>) -> HttpResponse {
    let mut response = whole(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}
