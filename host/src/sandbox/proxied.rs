//! The response of another server on its way to a client: the host sends it, and no interpreter waits for it.

use crate::sandbox::exchange::Exchange;
use crate::sandbox::problem::Problem;
use bytes::Bytes;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// The body of a response that a guest has handed over. Dropping it ends the exchange.
pub struct Proxied {
    exchange: Exchange,
    /// Bytes that it has, if that is known.
    length: Option<u64>,
}

impl std::fmt::Debug for Proxied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxied").field("length", &self.length).finish_non_exhaustive()
    }
}

impl Proxied {
    pub fn new(exchange: Exchange, length: Option<u64>) -> Self {
        Self { exchange, length }
    }

    /// Bytes that are left, if that is known.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// End it when its client takes nothing for so long, on a connection that does not tell.
    pub fn guard(&self, patience: Duration) {
        self.exchange.limit(patience);
    }

    /// The next bytes; `None` at the end.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Problem>>> {
        let part = ready!(self.exchange.poll_part(cx));
        if let (Some(Ok(part)), Some(left)) = (&part, &mut self.length) {
            *left = left.saturating_sub(part.len() as u64);
        }
        Poll::Ready(part)
    }
}
