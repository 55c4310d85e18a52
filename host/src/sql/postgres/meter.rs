//! A connection whose server may not send what the client below would keep or follow without a bound: messages of any size, and
//! types of an app's own.
//!
//! The client asks the server for each type that it does not know, and for the types within it. An app can make types that are
//! nested so deeply, or an operator that the question then uses, that this ends the process. So such types are called `unknown` here.

use crate::sql::postgres::types::Types;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsStream};

/// Largest message of a server, which is a row, in bytes.
pub const MOST: usize = 8 * 1024 * 1024;
/// The kind of a message, and its length without the kind.
const HEADER: usize = 5;
/// The client keeps a buffer of the size of the largest message, or twice that, for as long as the connection lives.
const LARGE: usize = 1024 * 1024;
/// Settings that a server may tell. The client keeps them.
const MOST_SETTINGS: usize = 10_000;
const SETTING: u8 = b'S';

/// What both layers of a connection know of each other.
#[derive(Default)]
pub struct State {
    /// TLS has begun, so only the layer above it sees messages.
    pub is_encrypted: AtomicBool,
    /// A message was too large, and the connection has ended.
    pub was_too_large: AtomicBool,
    /// A message was so large that the connection is not kept.
    pub was_large: AtomicBool,
}

/// Reads the messages that pass.
pub struct Metered<S> {
    inner: S,
    state: Arc<State>,
    is_above_tls: bool,
    /// The server answers a request for TLS with one byte, which is no message.
    answers: usize,
    header: [u8; HEADER],
    /// Bytes of the header that are there.
    have: usize,
    /// Bytes of the message that are to come.
    left: usize,
    types: Types,
    settings: usize,
    /// The beginning of a number that has not come as a whole: it may have to be another one.
    held: Vec<u8>,
}

impl<S> Metered<S> {
    /// `asks`: the client begins with a request for TLS.
    pub fn below(inner: S, state: Arc<State>, asks: bool) -> Self {
        Self::new(inner, state, false, usize::from(asks))
    }

    pub fn above(inner: S, state: Arc<State>) -> Self {
        Self::new(inner, state, true, 0)
    }

    fn new(inner: S, state: Arc<State>, is_above_tls: bool, answers: usize) -> Self {
        let types = Types::default();
        Self {
            inner,
            state,
            is_above_tls,
            answers,
            header: [0; HEADER],
            have: 0,
            left: 0,
            types,
            settings: 0,
            held: Vec::new(),
        }
    }

    /// Look at bytes that have come. Returns how many may pass: what follows them is to come again, with more.
    fn pass(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if !self.is_above_tls && self.state.is_encrypted.load(Ordering::Relaxed) {
            return Ok(bytes.len());
        }
        let mut at = self.answers.min(bytes.len());
        self.answers -= at;
        while at < bytes.len() {
            if self.left > 0 {
                let size = self.left.min(bytes.len() - at);
                let part = &mut bytes[at..at + size];
                let passed = self.types.pass(part, size == self.left);
                self.left -= passed;
                at += passed;
                if passed < size {
                    break;
                }
                continue;
            }
            let taken = (HEADER - self.have).min(bytes.len() - at);
            self.header[self.have..self.have + taken].copy_from_slice(&bytes[at..at + taken]);
            self.have += taken;
            at += taken;
            if self.have == HEADER {
                self.have = 0;
                self.begin()?;
            }
        }
        Ok(at)
    }

    fn begin(&mut self) -> io::Result<()> {
        let [kind, length @ ..] = self.header;
        let length = u32::from_be_bytes(length) as usize;
        self.settings += usize::from(kind == SETTING);
        if length > LARGE {
            self.state.was_large.store(true, Ordering::Relaxed);
        }
        if length > MOST || self.settings > MOST_SETTINGS {
            self.state.was_too_large.store(length > MOST, Ordering::Relaxed);
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the server sends too much"));
        }
        // The length counts itself.
        self.left = length.saturating_sub(size_of::<u32>());
        self.types.begin(kind);
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            let before = buffer.filled().len();
            if !this.held.is_empty() && buffer.remaining() <= this.held.len() {
                // No client reads so few bytes at a time.
                return Poll::Ready(Err(io::ErrorKind::InvalidInput.into()));
            }
            buffer.put_slice(&this.held);
            let read = Pin::new(&mut this.inner).poll_read(cx, buffer);
            let grown = buffer.filled().len() - before - this.held.len();
            if read.is_pending() || grown == 0 {
                buffer.set_filled(before);
                return read;
            }
            ready!(read)?;
            this.held.clear();
            let passed = this.pass(&mut buffer.filled_mut()[before..])?;
            this.held.extend_from_slice(&buffer.filled()[before + passed..]);
            buffer.set_filled(before + passed);
            if passed > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl<S: TlsStream + Unpin> TlsStream for Metered<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.inner.channel_binding()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    fn passed(chunks: &[&[u8]], asks: bool) -> io::Result<()> {
        let mut meter = Metered::below((), Arc::default(), asks);
        chunks.iter().try_for_each(|chunk| meter.pass(&mut chunk.to_vec()).map(|_| ()))
    }

    #[test]
    fn messages_have_bounds_however_they_are_cut() {
        let small = b"Z\0\0\0\x05I";
        let large = [b"D", &(u32::try_from(MOST).unwrap() + 1).to_be_bytes()[..]].concat();
        let most = [b"D", &u32::try_from(MOST).unwrap().to_be_bytes()[..]].concat();
        assert!(passed(&[small, small, &most], false).is_ok());
        assert!(passed(&[small, &large], false).is_err());
        let whole = [&b"S"[..], small, &large].concat();
        let bytes: Vec<_> = whole.chunks(1).collect();
        assert!(passed(&bytes, true).is_err());
        assert!(passed(&bytes[..bytes.len() - 1], true).is_ok());
        // A length that does not count itself.
        assert!(passed(&[b"Z\0\0\0\0", small], false).is_ok());
        let settings = b"S\0\0\0\x04".repeat(MOST_SETTINGS + 1);
        assert!(passed(&[&settings], false).is_err());
    }

    #[test]
    fn what_is_encrypted_has_no_headers() {
        let state = Arc::new(State::default());
        let mut meter = Metered::below((), state.clone(), true);
        meter.pass(&mut b"S".to_vec()).unwrap();
        state.is_encrypted.store(true, Ordering::Relaxed);
        meter.pass(&mut [0xff; 100]).unwrap();
        assert!(Metered::above((), state).pass(&mut [0xff; 100]).is_err());
    }

    /// Sends its bytes so many at a time.
    struct Slow(Vec<u8>, usize);

    impl AsyncRead for Slow {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let size = self.1.min(self.0.len()).min(buffer.remaining());
            let part: Vec<_> = self.0.drain(..size).collect();
            buffer.put_slice(&part);
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn types_of_an_app_are_unknown_however_their_numbers_are_cut() {
        let field = |name: &str, oid: u32| {
            let head = [name.as_bytes(), b"\0\0\0\x40\0\0\x01"].concat();
            [&head[..], &oid.to_be_bytes(), b"\xff\xff\xff\xff\xff\xff\0\0"].concat()
        };
        let message = |kind: u8, body: &[u8]| {
            let length = u32::try_from(body.len() + 4).unwrap();
            [&[kind][..], &length.to_be_bytes(), body].concat()
        };
        let stream = |mine: u32| {
            let row = [&b"\0\x03"[..], &field("a", 23), &field("bcd", mine), &field("", mine)].concat();
            let parameters = [&b"\0\x02"[..], &mine.to_be_bytes(), &25u32.to_be_bytes()].concat();
            let data = message(b'D', b"\0\x01\0\0\0\x04\0\0\x7f\xff");
            [message(b't', &parameters), message(b'T', &row), data, message(b'Z', b"I")].concat()
        };
        for size in [1, 2, 3, 5, 7, 1000] {
            let mut meter = Metered::below(Slow(stream(0x7fff), size), Arc::default(), false);
            let mut got = Vec::new();
            meter.read_to_end(&mut got).await.unwrap();
            assert_eq!(got, stream(705), "{size}");
        }
    }
}
