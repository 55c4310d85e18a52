//! What an app may store in the folders that it may write to: bytes and files.
//!
//! Growth is counted as it happens. What was deleted counts until the folders are measured again, which happens when there is no
//! room left: so a write within the quota costs no walk through the folders, and one beyond it never succeeds.

use crate::config::limit_name;
use crate::config::limit_table::Limit;
use crate::quota::files::FileQuota;
use crate::util::locks::lock;
use std::fs::{self, File};
use std::io;
use std::ops::Add;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

/// Least time between two measurements, and in units of what the last one took.
const LEAST_PAUSE: Duration = Duration::from_millis(100);
const PAUSE_TIMES: u32 = 5;

/// An amount of storage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stored {
    pub bytes: u64,
    pub files: u64,
}

impl Stored {
    pub fn bytes(bytes: u64) -> Self {
        Self { bytes, files: 0 }
    }

    pub fn one_file() -> Self {
        Self { bytes: 0, files: 1 }
    }

    fn fits(self, most: Self) -> bool {
        self.bytes <= most.bytes && self.files <= most.files
    }
}

impl Add for Stored {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self { bytes: self.bytes.saturating_add(more.bytes), files: self.files.saturating_add(more.files) }
    }
}

/// The quota of one app, over all its instances and folders.
#[derive(Debug)]
pub struct StorageQuota {
    /// The app's name in the log.
    app: Arc<str>,
    folders: Vec<PathBuf>,
    most: Stored,
    state: Mutex<State>,
    measuring: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    /// Measured, and what was added since; `None` until something is written.
    used: Option<Stored>,
    /// Added since the measurement in progress began.
    added: Stored,
    /// When the last measurement ended, and how long it took.
    measured: Option<(Instant, Duration)>,
    /// Open files: a deleted one takes room until it is closed.
    open: Vec<Weak<File>>,
    is_told: bool,
}

impl StorageQuota {
    /// `folders`: those that the app may write to.
    pub fn new(app: Arc<str>, folders: impl IntoIterator<Item = PathBuf>, most: Stored) -> Arc<Self> {
        let named = |folder: PathBuf| (fs::canonicalize(&folder).unwrap_or_else(|_| folder.clone()), folder);
        let mut folders: Vec<_> = folders.into_iter().map(named).collect();
        // A folder in another one is measured with it.
        folders.sort();
        folders.dedup_by(|(inner, _), (outer, _)| inner.starts_with(outer));
        let folders = folders.into_iter().map(|(_, folder)| folder).collect();
        Arc::new(Self {
            app,
            folders,
            most,
            state: Mutex::default(),
            measuring: tokio::sync::Mutex::default(),
        })
    }

    /// Count `more`, if it fits.
    pub async fn take(&self, more: Stored, files: &FileQuota) -> bool {
        if more == Stored::default() {
            return true;
        }
        if self.add(more) {
            return true;
        }
        let fits = self.measure(files).await.is_ok() && self.add(more);
        let is_first = !std::mem::replace(&mut lock(&self.state).is_told, !fits);
        if !fits && is_first {
            let limits = [Limit::FilesQuota, Limit::StoredFiles].map(limit_name::of).join(", ");
            tracing::warn!(app = &*self.app, "the app was refused a write: its folders are full ({limits})");
        }
        fits
    }

    fn add(&self, more: Stored) -> bool {
        let mut state = lock(&self.state);
        let Some(used) = state.used.map(|used| used + more).filter(|used| used.fits(self.most)) else {
            return false;
        };
        state.used = Some(used);
        state.added = state.added + more;
        true
    }

    /// Give back what was not used after all.
    pub fn give_back(&self, unused: Stored) {
        if let Some(used) = &mut lock(&self.state).used {
            used.bytes = used.bytes.saturating_sub(unused.bytes);
            used.files = used.files.saturating_sub(unused.files);
        }
    }

    /// A file was opened, also for reading only: once it is deleted, it takes room until it is closed.
    pub fn opened(&self, file: &Arc<File>) {
        let mut state = lock(&self.state);
        if state.open.len() == state.open.capacity() {
            state.open.retain(|file| file.strong_count() > 0);
        }
        state.open.push(Arc::downgrade(file));
    }

    /// Measure the folders, one at a time, and not all the time.
    async fn measure(&self, files: &FileQuota) -> io::Result<()> {
        let asked = Instant::now();
        let _one_at_a_time = self.measuring.lock().await;
        let last = lock(&self.state).measured;
        if let Some((ended, took)) = last {
            if ended > asked {
                return Ok(());
            }
            let pause = LEAST_PAUSE.max(took * PAUSE_TIMES);
            tokio::time::sleep_until((ended + pause).into()).await;
        }
        let began = Instant::now();
        let open: Vec<_> = {
            let mut state = lock(&self.state);
            state.added = Stored::default();
            state.open.iter().filter_map(Weak::upgrade).collect()
        };
        let (folders, most) = (self.folders.clone(), self.most);
        let found = files.work(move || Ok(walk(folders, most) + hidden(&open))).await?;
        let mut state = lock(&self.state);
        state.used = Some(found + state.added);
        state.measured = Some((Instant::now(), began.elapsed()));
        Ok(())
    }
}

/// What is in folders and below, or more than `most`.
fn walk(mut folders: Vec<PathBuf>, most: Stored) -> Stored {
    let mut found = Stored::default();
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            // Deleted since, or closed to the host as well.
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
                continue;
            }
            // What cannot be measured may be anything: an app can nest folders deeper than a path may be.
            Err(_) => return Stored { bytes: u64::MAX, files: u64::MAX },
        };
        for entry in entries.flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            let bytes = if meta.is_file() { meta.len() } else { 0 };
            found = found + Stored { bytes, files: 1 };
            if !found.fits(most) {
                return found;
            }
            if meta.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    found
}

/// Open files that were deleted.
fn hidden(open: &[Arc<File>]) -> Stored {
    let deleted = open.iter().filter_map(|file| file.metadata().ok()).filter(|meta| meta.nlink() == 0);
    deleted.fold(Stored::default(), |sum, meta| sum + Stored { bytes: meta.len(), files: 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(folder: &tempfile::TempDir, bytes: u64, files: u64) -> (Arc<StorageQuota>, FileQuota) {
        let inner = folder.path().join("inner");
        fs::create_dir_all(&inner).unwrap();
        let folders = [inner, folder.path().to_owned()];
        (StorageQuota::new("app".into(), folders, Stored { bytes, files }), FileQuota::new(10))
    }

    #[tokio::test]
    async fn growth_counts_at_once_and_deleting_gives_room_back() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("there"), [1; 600]).unwrap();
        let (storage, files) = quota(&folder, 1000, 10);
        assert!(storage.take(Stored::bytes(400), &files).await);
        assert!(
            !storage.take(Stored::bytes(401), &files).await,
            "600 bytes are there, and 400 are not written yet"
        );
        storage.give_back(Stored::bytes(400));
        assert!(storage.take(Stored::bytes(400), &files).await);
        fs::remove_file(folder.path().join("there")).unwrap();
        assert!(storage.take(Stored::bytes(1000), &files).await);
    }

    #[tokio::test]
    async fn files_count_also_those_that_are_deleted_and_open() {
        let folder = tempfile::tempdir().unwrap();
        let (storage, files) = quota(&folder, 1000, 3);
        // The inner folder is one.
        assert!(storage.take(Stored { bytes: 900, files: 1 }, &files).await);
        let name = folder.path().join("inner/a");
        fs::write(&name, [1; 900]).unwrap();
        let file = Arc::new(File::options().write(true).open(&name).unwrap());
        storage.opened(&file);
        fs::remove_file(&name).unwrap();
        assert!(!storage.take(Stored::bytes(200), &files).await);
        drop(file);
        assert!(storage.take(Stored::bytes(200), &files).await);
        for name in ["b", "c"] {
            fs::write(folder.path().join(name), []).unwrap();
        }
        assert!(!storage.take(Stored { bytes: 900, files: 1 }, &files).await);
    }
}
