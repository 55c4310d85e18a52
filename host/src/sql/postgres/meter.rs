//! A connection whose server may not send messages of any size: the client below keeps each one whole in memory.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsStream};

/// Largest message of a server, which is a row, in bytes.
pub const MOST: usize = 8 * 1024 * 1024;
/// The kind of a message, and its length without the kind.
const HEADER: usize = 5;

/// What both layers of a connection know of each other.
#[derive(Default)]
pub struct State {
    /// TLS has begun, so only the layer above it sees messages.
    pub is_encrypted: AtomicBool,
    /// A message was too large, and the connection has ended.
    pub was_too_large: AtomicBool,
}

/// Reads the headers of the messages that pass.
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
        Self { inner, state, is_above_tls, answers, header: [0; HEADER], have: 0, left: 0 }
    }

    fn pass(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        if !self.is_above_tls && self.state.is_encrypted.load(Ordering::Relaxed) {
            return Ok(());
        }
        let skipped = self.answers.min(bytes.len());
        self.answers -= skipped;
        bytes = &bytes[skipped..];
        while !bytes.is_empty() {
            if self.left > 0 {
                let passed = self.left.min(bytes.len());
                self.left -= passed;
                bytes = &bytes[passed..];
                continue;
            }
            let taken = (HEADER - self.have).min(bytes.len());
            self.header[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            self.have += taken;
            bytes = &bytes[taken..];
            if self.have == HEADER {
                self.have = 0;
                let [_, length @ ..] = self.header;
                let length = u32::from_be_bytes(length) as usize;
                if length > MOST {
                    self.state.was_too_large.store(true, Ordering::Relaxed);
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "a message is too large"));
                }
                // The length counts itself.
                self.left = length.saturating_sub(size_of::<u32>());
            }
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let poll = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if let Poll::Ready(Ok(())) = poll {
            self.pass(&buffer.filled()[before..])?;
        }
        poll
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

    fn passed(chunks: &[&[u8]], asks: bool) -> io::Result<()> {
        let mut meter = Metered::below((), Arc::default(), asks);
        chunks.iter().try_for_each(|chunk| meter.pass(chunk))
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
    }

    #[test]
    fn what_is_encrypted_has_no_headers() {
        let state = Arc::new(State::default());
        let mut meter = Metered::below((), state.clone(), true);
        meter.pass(b"S").unwrap();
        state.is_encrypted.store(true, Ordering::Relaxed);
        meter.pass(&[0xff; 100]).unwrap();
        assert!(Metered::above((), state).pass(&[0xff; 100]).is_err());
    }
}
