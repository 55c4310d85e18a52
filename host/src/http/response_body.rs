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
use tokio::sync::watch;

/// A response's body. Errors break the connection, so that the client does not take a part for the whole.
pub enum ResponseBody {
    Whole(Full<Bytes>),
    File(FileBody),
    Stream(Box<StreamBody>),
}

impl ResponseBody {
    /// Keep the connection in use until all of it is sent, and end streams that may end when the host drains.
    pub fn on(&mut self, connection: Option<InUse>, closing: &watch::Receiver<bool>) {
        match self {
            Self::Whole(_) => {}
            Self::File(file) => file.hold(connection),
            Self::Stream(stream) => stream.on(connection, closing),
        }
    }
}

impl From<Bytes> for ResponseBody {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(Full::new(bytes))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Self::File(file) => Pin::new(file).poll_frame(cx),
            Self::Stream(stream) => Pin::new(&mut **stream).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::File(file) => file.is_end_stream(),
            Self::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::File(file) => file.size_hint(),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}
