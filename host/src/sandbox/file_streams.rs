//! Streams of a guest's files. A stream outlives its descriptor, so it keeps the place that was taken for the file; and it works
//! on the disk only when it is its app's turn.

use crate::quota::files::{FilePlace, FileQuota};
use crate::quota::storage::{StorageQuota, Stored};
use bytes::Bytes;
use std::fs::File;
use std::io;
use std::sync::Arc;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, InputStream, OutputStream, Pollable, StreamError, StreamResult,
};

/// Most bytes of a write.
const PART: usize = 64 * 1024;

/// What a stream holds besides the stream itself.
pub struct Held {
    #[allow(dead_code, reason = "it is held")]
    pub place: Option<Arc<FilePlace>>,
    pub quota: FileQuota,
}

pub struct HeldInput {
    stream: DynInputStream,
    held: Held,
    /// A part was read ahead, so the next read begins no work.
    is_ready: bool,
}

impl HeldInput {
    pub fn new(stream: DynInputStream, held: Held) -> Self {
        Self { stream, held, is_ready: false }
    }
}

#[async_trait]
impl Pollable for HeldInput {
    async fn ready(&mut self) {
        let _turn = self.held.quota.turn().await;
        self.stream.ready().await;
        self.is_ready = true;
    }
}

#[async_trait]
impl InputStream for HeldInput {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        // The guest has to wait first: WASI's stream would begin to read at once, on a thread of its own.
        if !std::mem::take(&mut self.is_ready) {
            return Ok(Bytes::new());
        }
        self.stream.read(size)
    }

    async fn blocking_read(&mut self, size: usize) -> StreamResult<Bytes> {
        let _turn = self.held.quota.turn().await;
        self.is_ready = false;
        self.stream.blocking_read(size).await
    }

    async fn cancel(&mut self) {
        self.stream.cancel().await;
    }
}

/// How a file grows by what is written to it.
pub struct Growth {
    pub file: Option<Arc<File>>,
    /// Where the next write goes; `None` is the end.
    pub at: Option<u64>,
    pub storage: Arc<StorageQuota>,
}

impl Growth {
    fn of(&self, length: u64) -> Stored {
        Stored::bytes(match self.at {
            Some(at) => growth(self.file.as_deref(), at.saturating_add(length)),
            None => length,
        })
    }
}

/// By how much a file grows when it gets this end.
pub fn growth(file: Option<&File>, end: u64) -> u64 {
    let size = file.and_then(|file| file.metadata().ok()).map_or(0, |meta| meta.len());
    end.saturating_sub(size)
}

/// WASI has no code for an exceeded quota among the errors of a write.
fn full() -> io::Error {
    io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error())
}

pub struct HeldOutput {
    stream: DynOutputStream,
    held: Held,
    growth: Growth,
    /// Given to `write`, and written while the guest waits.
    pending: Bytes,
    failed: Option<StreamError>,
}

impl HeldOutput {
    pub fn new(stream: DynOutputStream, held: Held, growth: Growth) -> Self {
        Self { stream, held, growth, pending: Bytes::new(), failed: None }
    }

    async fn write_out(&mut self, bytes: Bytes) -> StreamResult<()> {
        let length = bytes.len() as u64;
        if !self.growth.storage.take(self.growth.of(length), &self.held.quota).await {
            return Err(StreamError::LastOperationFailed(full().into()));
        }
        let _turn = self.held.quota.turn().await;
        self.stream.blocking_write_and_flush(bytes).await?;
        self.growth.at = self.growth.at.map(|at| at.saturating_add(length));
        Ok(())
    }
}

#[async_trait]
impl Pollable for HeldOutput {
    async fn ready(&mut self) {
        if !self.pending.is_empty() {
            let pending = std::mem::take(&mut self.pending);
            self.failed = self.write_out(pending).await.err();
        }
    }
}

#[async_trait]
impl OutputStream for HeldOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if self.check_write()? < bytes.len() {
            return Err(StreamError::trap("write not permitted: check_write not called first"));
        }
        self.pending = bytes;
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.failed.take().map_or(Ok(()), Err)
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        match self.failed.take() {
            Some(error) => Err(error),
            None if self.pending.is_empty() => self.stream.check_write().map(|size| size.min(PART)),
            None => Ok(0),
        }
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.ready().await;
        self.flush()?;
        self.write_out(bytes).await
    }

    async fn cancel(&mut self) {
        self.ready().await;
        self.stream.cancel().await;
    }
}
