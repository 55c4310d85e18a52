//! The flowing bodies of an instance's requests, by the numbers of the requests.

use crate::quota::streams::StreamQuota;
use crate::sandbox::bindings::bolt::host::streams::{Part, Progress, Taken as WitTaken};
use crate::sandbox::body_stream::{BodyPart, BodyStream, Inlet};
use crate::sandbox::execution::Execution;
use crate::sandbox::news::News;
use crate::sandbox::stream::{Outlet, StreamEnd, StreamReader, Taken, pipe};
use crate::sandbox::timer::GuestTimer;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The streams of an instance.
pub struct Streams {
    quota: StreamQuota,
    /// How long a guest may take to end a stream whose client is gone.
    patience: Duration,
    outlets: HashMap<u64, Outlet>,
    /// The clients' ends of responses that have not begun.
    readers: HashMap<u64, StreamReader>,
    inlets: HashMap<u64, Inlet>,
    news: Arc<News>,
}

impl Streams {
    /// `timer` rings when a stream has progressed.
    pub fn new(quota: StreamQuota, patience: Duration, timer: Arc<GuestTimer>) -> Self {
        let (outlets, readers, inlets) = Default::default();
        Self { quota, patience, outlets, readers, inlets, news: News::new(timer) }
    }

    /// A request begins whose body is read in parts.
    pub fn receive(&mut self, request: u64, body: BodyStream) {
        self.inlets.insert(request, Inlet::new(request, body, self.news.clone()));
    }

    /// The response to a request will flow. False if the app has too many streams.
    pub fn open(&mut self, request: u64, execution: &Arc<Execution>) -> bool {
        if self.outlets.contains_key(&request) {
            return true;
        }
        let Some((outlet, reader)) = pipe(request, &self.quota, &self.news, execution, self.patience) else {
            return false;
        };
        self.outlets.insert(request, outlet);
        self.readers.insert(request, reader);
        true
    }

    /// The request is answered: the client's end of its response, if it flows. Otherwise nothing more of its body is read.
    pub fn answered(&mut self, request: u64) -> Option<StreamReader> {
        if self.outlets.is_empty() && self.inlets.is_empty() {
            return None;
        }
        let reader = self.readers.remove(&request);
        if reader.is_none() {
            self.inlets.remove(&request);
        }
        reader
    }

    /// Whether the response to a request flows, and has not ended.
    pub fn is_open(&self, request: u64) -> bool {
        self.outlets.contains_key(&request)
    }

    /// How many responses flow.
    pub fn count(&self) -> usize {
        self.outlets.len()
    }

    pub fn write(&mut self, request: u64, chunk: String) -> WitTaken {
        match self.outlets.get_mut(&request).map(|outlet| outlet.write(chunk)) {
            Some(Taken::More) => WitTaken::More,
            Some(Taken::Pause) => WitTaken::Pause,
            Some(Taken::Full) => WitTaken::Full,
            Some(Taken::Gone) | None => WitTaken::Gone,
        }
    }

    /// The response has ended. False if it did not flow.
    pub fn close(&mut self, request: u64, has_failed: bool) -> bool {
        let Some(mut outlet) = self.outlets.remove(&request) else { return false };
        outlet.end(if has_failed { StreamEnd::Failed } else { StreamEnd::Complete });
        self.readers.remove(&request);
        self.inlets.remove(&request);
        for capacity in [self.outlets.capacity(), self.inlets.capacity()] {
            // Thousands of streams at a time are rare.
            if capacity > 64 && self.outlets.is_empty() && self.inlets.is_empty() {
                self.outlets.shrink_to_fit();
                self.inlets.shrink_to_fit();
            }
        }
        true
    }

    pub fn read(&mut self, request: u64) -> Part {
        let Some(inlet) = self.inlets.get_mut(&request) else { return Part::End };
        match inlet.read() {
            BodyPart::Pending => Part::Pending,
            BodyPart::Data(part) => Part::Data(part.to_vec()),
            BodyPart::End => Part::End,
            BodyPart::Failed(failure) => Part::Failed(serde_json::to_string(&failure).unwrap_or_default()),
        }
    }

    /// Return when the body of this request can be read.
    pub async fn ready(&mut self, request: u64) {
        if let Some(inlet) = self.inlets.get_mut(&request) {
            inlet.ready().await;
        }
    }

    /// The requests that have progressed since the last call.
    pub fn take_news(&self) -> Vec<Progress> {
        let gone = |request| self.outlets.get(&request).is_some_and(Outlet::is_gone);
        self.news.take().into_iter().map(|request| Progress { request, gone: gone(request) }).collect()
    }
}
