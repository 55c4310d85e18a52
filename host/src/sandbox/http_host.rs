//! Outbound requests of one instance, by the numbers that its guest knows them by.

use crate::config::limit_name;
use crate::config::limit_table::Limit;
use crate::quota::streams::StreamPlace;
use crate::sandbox::bindings::bolt::host::http::Chunk;
use crate::sandbox::exchange::{Exchange, Part};
use crate::sandbox::http_client::HttpClient;
use crate::sandbox::news::News;
use crate::sandbox::problem::Problem;
use crate::sandbox::proxied::Proxied;
use crate::sandbox::timer::GuestTimer;
use std::collections::HashMap;
use std::sync::Arc;

/// The number of every exchange above the limit. Nothing is kept of these.
const REFUSED: u64 = 0;

/// The exchanges of an instance.
pub struct Exchanges {
    client: Arc<HttpClient>,
    /// Most exchanges that are not closed, whatever became of them.
    most: usize,
    open: HashMap<u64, Exchange>,
    last: u64,
    news: Arc<News>,
}

impl Exchanges {
    /// `timer` rings when an exchange has changed.
    pub fn new(client: Arc<HttpClient>, most: usize, timer: Arc<GuestTimer>) -> Self {
        Self { client, most, open: HashMap::new(), last: REFUSED, news: News::new(timer) }
    }

    /// Start a request; `head` is JSON; with `more`, further parts of its body follow. Returns its number.
    pub fn begin(&mut self, head: &str, body: &str, more: bool) -> u64 {
        if self.open.len() >= self.most {
            return REFUSED;
        }
        self.last += 1;
        let exchange = Exchange::begin(self.last, &self.client, [head, body], more, self.news.clone());
        self.open.insert(self.last, exchange);
        self.last
    }

    /// Send a part of a request body. False when there is no room for it: the guest is notified once there is.
    pub fn write(&mut self, exchange: u64, chunk: &str, more: bool) -> bool {
        let Some(open) = self.open.get_mut(&exchange) else { return true };
        open.write(&self.client.outbound.bodies, chunk, more)
    }

    /// The head of the response as JSON, or the problem; empty while there is neither.
    pub fn response(&self, exchange: u64) -> String {
        match self.open.get(&exchange) {
            Some(open) => open.response(),
            None if exchange == REFUSED => {
                let limit = limit_name::of(Limit::MaxExchanges);
                let message = format!("this instance has {} exchanges open ({limit})", self.most);
                Problem::new("limit", message).json()
            }
            None => Problem::new("invalid", "there is no such exchange").json(),
        }
    }

    /// The next part of the response's body.
    pub fn read(&mut self, exchange: u64) -> Chunk {
        let Some(open) = self.open.get_mut(&exchange) else { return Chunk::End };
        match open.read() {
            Part::Pending => Chunk::Pending,
            Part::Data(part) => Chunk::Data(part.to_vec()),
            Part::End => Chunk::End,
            Part::Failed(problem) => Chunk::Failed(problem.json()),
        }
    }

    /// The host sends the response's body to a client: the exchange is known no more. `None` if it cannot, as `proxy` in
    /// `wit/bolt.wit` says.
    pub fn hand_over(&mut self, exchange: u64, place: StreamPlace) -> Option<Proxied> {
        let length = self.open.get(&exchange)?.hand_over(place)?;
        Some(Proxied::new(self.open.remove(&exchange)?, length))
    }

    /// Abort an exchange, or forget a finished one.
    pub fn close(&mut self, exchange: u64) {
        self.open.remove(&exchange);
        // Thousands of exchanges at a time are rare.
        if self.open.capacity() > 64 && self.open.is_empty() {
            self.open.shrink_to_fit();
        }
    }

    /// Return when this exchange has changed.
    pub async fn changed(&self, exchange: u64) {
        if let Some(open) = self.open.get(&exchange) {
            open.changed().await;
        }
    }

    /// How many are not closed.
    #[cfg(any(test, feature = "internals"))]
    pub fn count(&self) -> usize {
        self.open.len()
    }

    /// The exchanges that have changed since the last call.
    pub fn take_news(&self) -> Vec<u64> {
        self.news.take()
    }
}
