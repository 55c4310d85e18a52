//! The rows of a query on their way to a client: the host runs it, and no interpreter waits for it.

use crate::quota::streams::StreamPlace;
use crate::sql::job::{Part, Sent, Ticket};
use crate::sql::problem::{Kind, SqlProblem};
use bytes::Bytes;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc::Receiver;

/// A result in JSON. Dropping it interrupts the query.
pub struct Rows {
    parts: Receiver<Sent>,
    ticket: Arc<Ticket>,
    /// It was read before the others.
    first: Option<Bytes>,
    is_over: bool,
    /// It counts as one of the app's streams.
    _place: StreamPlace,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").finish_non_exhaustive()
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        self.ticket.cancel();
    }
}

impl Rows {
    pub fn new(parts: Receiver<Sent>, ticket: Arc<Ticket>, place: StreamPlace) -> Self {
        Self { parts, ticket, first: None, is_over: false, _place: place }
    }

    /// The whole result if it is small. Otherwise its first part is kept for `poll`: whoever has that may send a head.
    pub async fn whole(&mut self) -> Result<Option<Bytes>, SqlProblem> {
        let first = poll_fn(|cx| self.poll(cx)).await.unwrap_or_else(|| Ok(Bytes::new()))?;
        if self.is_over {
            return Ok(Some(first));
        }
        self.first = Some(first);
        Ok(None)
    }

    /// Whether the last part was read.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// The next bytes; `None` at the end.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, SqlProblem>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if self.is_over {
            return Poll::Ready(None);
        }
        let part = ready!(self.parts.poll_recv(cx)).map(|sent| sent.part);
        self.is_over = !matches!(part, Some(Part::Batch(_)));
        Poll::Ready(Some(match part {
            Some(Part::Batch(batch) | Part::Last(batch)) => Ok(batch.into()),
            Some(Part::Failed(problem)) => Err(problem),
            None => Err(SqlProblem::new(Kind::Operational, "the connection was lost")),
        }))
    }
}
