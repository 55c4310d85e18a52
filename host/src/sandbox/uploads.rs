//! Uploaded files of a request, kept until it is answered: small ones in memory, others on disk.

use crate::config::limit_name;
use crate::config::limit_table::Limit;
use crate::quota::body_budget::{BodyBudget, BodyReservation};
use crate::quota::files::{FilePlace, FileQuota};
use bytes::BytesMut;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

/// Files up to this size stay in memory, in bytes.
const IN_MEMORY: usize = 1024 * 1024;
/// Size of a write to disk, in bytes.
const WRITE: usize = 256 * 1024;
/// Most that a guest can read at a time, in bytes.
const MAX_PART: usize = 256 * 1024;

/// The files of a request; the guest refers to them by index.
#[derive(Debug, Default)]
pub struct Uploads(Vec<Stored>);

#[derive(Debug)]
enum Stored {
    Memory(BytesMut),
    Disk(Spooled),
}

impl Uploads {
    pub fn push(&mut self, spool: Spool) {
        self.0.push(match spool.file {
            Some(file) => Stored::Disk(file),
            None => Stored::Memory(spool.pending),
        });
    }

    /// Up to `size` bytes at `offset`; empty at the end, for an unknown index, and when the disk fails.
    pub fn read(&self, file: usize, offset: u64, size: usize) -> Vec<u8> {
        let size = size.min(MAX_PART);
        match self.0.get(file) {
            None => Vec::new(),
            Some(Stored::Memory(bytes)) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                bytes[start..start.saturating_add(size).min(bytes.len())].to_vec()
            }
            Some(Stored::Disk(spooled)) => {
                let mut part = vec![0; size];
                let read = spooled.file.read_at(&mut part, offset).unwrap_or_else(|error| {
                    tracing::error!("an uploaded file could not be read back: {error}");
                    0
                });
                part.truncate(read);
                part
            }
        }
    }
}

/// A file on disk, which counts as one of its app's open files.
#[derive(Debug)]
struct Spooled {
    file: File,
    /// What it takes on the disk.
    reservation: BodyReservation,
    _place: FilePlace,
}

/// An app has reached a limit, so a file cannot be stored.
#[derive(Debug, thiserror::Error)]
#[error("the uploads of its app have reached a limit ({})", limit_name::of(*.0))]
pub struct Refused(Limit);

impl Refused {
    fn error(limit: Limit) -> io::Error {
        io::Error::new(io::ErrorKind::QuotaExceeded, Self(limit))
    }

    /// The limit that an error is about.
    pub fn limit(error: &io::Error) -> Option<Limit> {
        error.get_ref()?.downcast_ref::<Self>().map(|refused| refused.0)
    }
}

impl Spooled {
    /// Unnamed, so it vanishes with the process.
    fn create(files: &FileQuota, disk: &BodyBudget) -> io::Result<Self> {
        let place = files.try_take().ok_or_else(|| Refused::error(Limit::MaxFiles))?;
        Ok(Self { file: tempfile::tempfile()?, reservation: disk.reserve(), _place: place })
    }

    fn write(&mut self, part: &[u8]) -> io::Result<()> {
        self.reservation.grow(part.len()).map_err(|_| Refused::error(Limit::FilesQuota))?;
        self.file.write_all(part)
    }
}

/// A file that is being received.
#[derive(Debug)]
pub struct Spool {
    pub size: u64,
    pending: BytesMut,
    file: Option<Spooled>,
    files: FileQuota,
    disk: BodyBudget,
}

impl Spool {
    /// `disk`: for the uploads of its app that are on disk, together.
    pub fn within(files: FileQuota, disk: BodyBudget) -> Self {
        Self { size: 0, pending: BytesMut::new(), file: None, files, disk }
    }

    /// It is not on disk yet.
    pub fn is_in_memory(&self) -> bool {
        self.file.is_none()
    }

    /// Append a part. A large file moves to a temporary one.
    pub async fn take(&mut self, part: &[u8]) -> io::Result<()> {
        self.size += part.len() as u64;
        self.pending.extend_from_slice(part);
        if self.file.is_none() && self.pending.len() <= IN_MEMORY || self.pending.len() < WRITE {
            return Ok(());
        }
        self.write_out().await
    }

    /// All parts have arrived: flush a file on disk.
    pub async fn finish(&mut self) -> io::Result<()> {
        if self.file.is_some() { self.write_out().await } else { Ok(()) }
    }

    /// The content of a file that is still in memory.
    pub fn content(&self) -> Option<Vec<u8>> {
        self.file.is_none().then(|| self.pending.to_vec())
    }

    /// Disks are slow at times, so a blocking thread does this, not the worker's.
    async fn write_out(&mut self) -> io::Result<()> {
        let (file, pending) = (self.file.take(), std::mem::take(&mut self.pending));
        let (files, disk) = (self.files.clone(), self.disk.clone());
        let written = self.files.work(move || {
            let mut spooled = match file {
                Some(spooled) => spooled,
                None => Spooled::create(&files, &disk)?,
            };
            spooled.write(&pending)?;
            Ok(spooled)
        });
        self.file = Some(written.await?);
        Ok(())
    }
}
