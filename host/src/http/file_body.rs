//! File responses: opened in a folder that the app was granted, and sent whole or in part as the client asks.
//!
//! The kernel resolves a path below its folder, so neither `..` nor a symlink leads out of it. Blocking threads read
//! files in parts: a file is never in memory as a whole.

use crate::config::limit_name;
use crate::config::limit_table::Limit;
use crate::error::{Failure, Fault, Rejection};
use crate::http::io::InUse;
use crate::http::range::{RangeWanted, Selection};
use crate::quota::files::{FilePlace, FileQuota};
use crate::sandbox::instance_spec::InstanceSpec;
use bytes::Bytes;
use headers::{ContentRange, ETag, HeaderMapExt, IfModifiedSince, IfNoneMatch, LastModified};
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{ACCEPT_RANGES, HeaderValue};
use hyper::{HeaderMap, Method};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How much is sent at a time, in bytes.
const PART: usize = 64 * 1024;
/// How long a reply waits for the right to another open file of its app.
const PATIENCE: Duration = Duration::from_secs(30);

/// The conditional and range headers of a request.
#[derive(Debug, Default)]
pub struct Wanted {
    if_none_match: Option<IfNoneMatch>,
    if_modified_since: Option<IfModifiedSince>,
    range: RangeWanted,
    /// The last event of a topic that the client has seen.
    pub after: Option<u64>,
}

impl Wanted {
    /// Of a GET or HEAD request.
    pub fn of(method: &Method, headers: &HeaderMap) -> Self {
        Self {
            if_none_match: headers.typed_get(),
            if_modified_since: headers.typed_get(),
            range: if method == Method::GET { RangeWanted::of(headers) } else { RangeWanted::default() },
            after: None,
        }
    }

    /// The number in `Last-Event-ID`, which a browser sends when it connects again.
    pub fn last_event(headers: &HeaderMap) -> Option<u64> {
        headers.get("last-event-id")?.to_str().ok()?.parse().ok()
    }
}

/// The outcome of a request for a file.
pub enum Sent {
    /// 304: the client has the current version.
    NotModified,
    /// 416: the requested range is outside the file.
    NoSuchPart,
    Whole(FileBody),
    /// 206
    Part(FileBody),
}

/// A file that is to be sent, and its validators.
#[derive(Debug)]
pub struct Opened {
    file: OpenFile,
    size: u64,
    modified: SystemTime,
    etag: ETag,
}

/// Open the file of a reply. A missing file, and anything but a regular file, is a 404.
pub async fn open(spec: &InstanceSpec, path: &str) -> Result<Opened, Failure> {
    let (folders, quota) = (&spec.preopens, &spec.files);
    let (folder, rest) = folders.find(path).ok_or_else(|| Fault::NoFolder(path.to_owned()))?;
    let (folder, rest) = (folder.folder.clone(), rest.to_owned());
    let place = tokio::time::timeout(PATIENCE, quota.take()).await.ok().flatten();
    let limit = Limit::MaxFiles;
    let too_many = || format!("the app has too many open files ({})", limit_name::of(limit));
    let place = place.ok_or_else(|| Fault::unreadable(too_many()))?;
    let owner = quota.clone();
    match quota.work(move || open_below(&folder, &rest, (owner, place))).await {
        Ok(opened) => {
            spec.storage.opened(&opened.file.file);
            Ok(opened)
        }
        Err(error) if is_absence(&error) => Err(Rejection::NotFound.into()),
        Err(error) => Err(Fault::unreadable(format!("{path:?}: {error}")).into()),
    }
}

/// Whether the error means that there is no such file. A symlink that leaves the folder counts as not found.
fn is_absence(error: &io::Error) -> bool {
    use rustix::io::Errno as E;
    let absent = [E::NOENT, E::NOTDIR, E::ISDIR, E::NAMETOOLONG, E::LOOP, E::XDEV, E::NXIO];
    let number = error.raw_os_error();
    error.kind() == io::ErrorKind::NotFound
        || absent.iter().any(|absent| number == Some(absent.raw_os_error()))
}

fn open_below(folder: &OwnedFd, rest: &Path, (quota, place): (FileQuota, FilePlace)) -> io::Result<Opened> {
    // Opening a FIFO must not wait for its other end.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let inside = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let file = File::from(rustix::fs::openat2(folder, rest, flags, Mode::empty(), inside)?);
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let (size, modified) = (meta.len(), meta.modified()?);
    let stamp = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let etag = format!("\"{stamp:x}-{size:x}\"").parse().map_err(|_| io::ErrorKind::InvalidData)?;
    let file = OpenFile { file: Arc::new(file), _place: Arc::new(place), quota };
    Ok(Opened { file, size, modified, etag })
}

impl Opened {
    /// Decide what the client gets, and set the headers. Conditions only apply to replies with status 200.
    pub fn answer(self, wanted: Wanted, is_ok: bool, headers: &mut HeaderMap) -> Sent {
        let modified = LastModified::from(self.modified);
        headers.typed_insert(self.etag.clone());
        headers.typed_insert(modified);
        if !is_ok {
            return Sent::Whole(FileBody::new(self.file, 0, self.size));
        }
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        let has_it = match (&wanted.if_none_match, &wanted.if_modified_since) {
            (Some(known), _) => !known.precondition_passes(&self.etag),
            (None, Some(since)) => !since.is_modified(self.modified),
            (None, None) => false,
        };
        if has_it {
            return Sent::NotModified;
        }
        match wanted.range.select(self.size, headers) {
            Selection::Whole => Sent::Whole(FileBody::new(self.file, 0, self.size)),
            Selection::Part { from, length } => {
                if let Ok(range) = ContentRange::bytes(from..from + length, self.size) {
                    headers.typed_insert(range);
                }
                Sent::Part(FileBody::new(self.file, from, length))
            }
            Selection::Nothing => {
                headers.typed_insert(ContentRange::unsatisfied_bytes(self.size));
                Sent::NoSuchPart
            }
        }
    }
}

/// An open file, which counts as one of its app's.
#[derive(Debug, Clone)]
struct OpenFile {
    file: Arc<File>,
    _place: Arc<FilePlace>,
    quota: FileQuota,
}

impl OpenFile {
    async fn read(self, from: u64, length: usize) -> io::Result<Bytes> {
        let quota = self.quota.clone();
        let reading = quota.work(move || {
            let mut part = vec![0; length];
            let read = self.file.read_at(&mut part, from)?;
            part.truncate(read);
            Ok(Bytes::from(part))
        });
        reading.await
    }
}

type Reading = Pin<Box<dyn Future<Output = io::Result<Bytes>> + Send + Sync>>;

/// A file, or a range of it, as a response body.
pub struct FileBody {
    file: OpenFile,
    at: u64,
    left: u64,
    reading: Option<Reading>,
    connection: Option<InUse>,
}

impl FileBody {
    fn new(file: OpenFile, from: u64, length: u64) -> Self {
        Self { file, at: from, left: length, reading: None, connection: None }
    }

    /// Keep the connection in use until all of it is sent.
    pub fn hold(&mut self, connection: Option<InUse>) {
        self.connection = connection;
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        if this.left == 0 {
            return Poll::Ready(None);
        }
        let length = usize::try_from(this.left).unwrap_or(PART).min(PART);
        let (file, at) = (&this.file, this.at);
        let reading = this.reading.get_or_insert_with(|| Box::pin(file.clone().read(at, length)));
        let part = ready!(reading.as_mut().poll(cx));
        this.reading = None;
        let part = part?;
        if part.is_empty() {
            // The file has become shorter: the client must notice.
            return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
        }
        this.at += part.len() as u64;
        this.left -= part.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
