//! A request body that its handler reads in parts, with the limits that a whole one has: its size, and the time to the next part.

use crate::config::Limits;
use crate::config::limit_table::Limit;
use crate::error::Rejection;
use crate::http::head::{NOT_WELL_FORMED, RequestBody};
use crate::sandbox::body_stream::{BodyClock, BodyFailure, BodyStream};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout};

/// Bodies up to this size are read before their handler is called, in bytes: that is one call of the guest less.
const SMALL: u64 = 64 * 1024;

/// Whether a body is read before its handler is called although the handler could read it in parts. A client that waits to be
/// asked for its body is asked by the handler.
pub fn is_read_first(body: &impl RequestBody, is_expecting: bool) -> bool {
    body.is_end_stream() || !is_expecting && body.size_hint().upper().is_some_and(|size| size <= SMALL)
}

/// The body in parts, each of which the client has to send within `body_timeout`.
pub fn flow(body: impl RequestBody, limits: &Limits) -> Result<BodyStream, Rejection> {
    let (most, patience) = (limits.max_upload, limits.body_timeout);
    let too_large = move || Rejection::TooLarge { most, limit: Limit::MaxUpload };
    if body.size_hint().lower() > most as u64 {
        return Err(too_large());
    }
    let late = Instant::now() + limits.stream_max;
    let start = (body.into_data_stream(), 0_usize);
    let parts = stream::unfold(start, move |(mut body, read)| async move {
        let next = timeout(patience, body.next()).await;
        let part = match next {
            Ok(None) => return None,
            _ if Instant::now() > late => Err(Rejection::BodyTimeout),
            Err(_) => Err(Rejection::BodyTimeout),
            Ok(Some(Err(_))) => Err(Rejection::Malformed(NOT_WELL_FORMED.to_owned())),
            Ok(Some(Ok(part))) if part.len() > most - read => Err(too_large()),
            Ok(Some(Ok(part))) => Ok(part),
        };
        let read = read + part.as_ref().map_or(0, Bytes::len);
        let part = part.map_err(|why| BodyFailure { status: why.status(), detail: why.told() });
        Some((part, (body, read)))
    });
    Ok(BodyStream { parts: Box::pin(parts), clock: BodyClock::start() })
}
