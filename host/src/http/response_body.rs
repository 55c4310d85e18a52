//! The body of a response: in memory, a file, or a stream of its handler.

use crate::http::file_body::FileBody;
use crate::http::io::InUse;
use crate::http::stream_body::StreamBody;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::watch;

/// A response's body. Errors break the connection, so that the client does not take a part for the whole.
pub struct ResponseBody(Kind);

enum Kind {
    Whole(Full<Bytes>),
    File(FileBody),
    Stream(Box<StreamBody>),
}

impl ResponseBody {
    pub(crate) fn file(file: FileBody) -> Self {
        Self(Kind::File(file))
    }

    pub(crate) fn stream(stream: StreamBody) -> Self {
        Self(Kind::Stream(Box::new(stream)))
    }

    pub(crate) fn as_stream(&mut self) -> Option<&mut StreamBody> {
        if let Kind::Stream(stream) = &mut self.0 { Some(stream) } else { None }
    }

    /// End a stream of a handler whose client does not read, on a connection that does not tell.
    pub(crate) fn guard(&self, patience: Duration) {
        if let Kind::Stream(stream) = &self.0 {
            stream.guard(patience);
        }
    }

    /// Keep the connection in use until all of it is sent, and end streams that may end when the host drains.
    pub(crate) fn on(&mut self, connection: Option<InUse>, closing: &watch::Receiver<bool>) {
        match &mut self.0 {
            Kind::Whole(_) => {}
            Kind::File(file) => file.hold(connection),
            Kind::Stream(stream) => stream.on(connection, closing),
        }
    }
}

impl From<Bytes> for ResponseBody {
    fn from(bytes: Bytes) -> Self {
        Self(Kind::Whole(Full::new(bytes)))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut self.get_mut().0 {
            Kind::Whole(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Kind::File(file) => Pin::new(file).poll_frame(cx),
            Kind::Stream(stream) => Pin::new(&mut **stream).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(body) => body.is_end_stream(),
            Kind::File(file) => file.is_end_stream(),
            Kind::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(body) => body.size_hint(),
            Kind::File(file) => file.size_hint(),
            Kind::Stream(stream) => stream.size_hint(),
        }
    }
}
