//! Files in the cache folder: atomic writes, and content hashes.

use crate::util::trust::{check_folder, read_own};
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Identifies a version of a file without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileState {
    inode: u64,
    changed: (i64, i64),
    size: u64,
}

impl FileState {
    pub fn of(path: &Path) -> io::Result<Self> {
        Ok(Self::of_meta(&fs::metadata(path)?))
    }

    pub fn of_open(file: &File) -> io::Result<Self> {
        Ok(Self::of_meta(&file.metadata()?))
    }

    fn of_meta(meta: &fs::Metadata) -> Self {
        Self { inode: meta.ino(), changed: (meta.mtime(), meta.mtime_nsec()), size: meta.len() }
    }
}

impl std::fmt::Display for FileState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}.{:09} {}", self.inode, self.changed.0, self.changed.1, self.size)
    }
}

/// SHA-256 of `bytes`, truncated to 32 hex digits.
pub fn digest(bytes: &[u8]) -> String {
    shown(&Sha256::digest(bytes))
}

fn shown(hash: &[u8]) -> String {
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a process still exists. Temporary files have the ID of the process that made them in their names.
pub fn is_alive(process: &str) -> bool {
    Path::new("/proc").join(process).exists()
}

/// A new private folder in `work`, which is removed when it is dropped, or by [`sweep`].
pub fn scratch(work: &Path, kind: &str) -> io::Result<tempfile::TempDir> {
    let process = format!("-{}", std::process::id());
    tempfile::Builder::new().prefix(&format!("{kind}-")).suffix(&process).tempdir_in(work)
}

/// Remove the folders of processes that were interrupted: their names end in the process's ID.
pub fn sweep(work: &Path) {
    for entry in fs::read_dir(work).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !is_alive(name.rsplit('-').next().unwrap_or_default()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The digest of a file, cached under its [`FileState`]: reading a component takes 0.1 s.
pub fn digest_of(path: &Path, cache: &Path) -> io::Result<String> {
    let path = path.canonicalize()?;
    let stamp = FileState::of(&path)?.to_string();
    let known = cache.join("digests").join(digest(path.as_os_str().as_encoded_bytes()));
    if let Ok(text) = read_own(&known)
        && let Ok(text) = String::from_utf8(text)
        && let Some((before, digest)) = text.rsplit_once(' ')
        && before == stamp
    {
        return Ok(digest.to_owned());
    }
    let digest = digest_of_file(&path)?;
    private_folder(&cache.join("digests"))?;
    write_private(&known, format!("{stamp} {digest}").as_bytes())?;
    Ok(digest)
}

/// No component is larger: its offsets have 32 bits. Apps have limits of their own.
const LARGEST: u64 = u32::MAX as u64;

/// Somebody else may have put anything in place of the file.
fn digest_of_file(path: &Path) -> io::Result<String> {
    let file = File::options().read(true).custom_flags(NONBLOCK).open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() || meta.len() > LARGEST {
        return Err(io::Error::other(format!("it is no file of at most {LARGEST} bytes")));
    }
    digest_in_parts(file.take(LARGEST), |_| Ok(()))
}

/// The digest of what a reader has, of which `each` gets every part. No more than a part is in memory.
pub fn digest_in_parts(
    mut from: impl Read,
    mut each: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<String> {
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 18]);
    loop {
        let part = match from.read(&mut buffer)? {
            0 => return Ok(shown(&hasher.finalize())),
            read => &buffer[..read],
        };
        hasher.update(part);
        each(part)?;
    }
}

/// To open a FIFO must not wait for its other end.
const NONBLOCK: i32 = rustix::fs::OFlags::NONBLOCK.bits() as i32;

/// Create the folder `path` with mode 0700; fail if another user owns it or one above it, or can write there.
pub fn private_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    // We run code from here, so nobody else may write to it.
    check_folder(path)
}

/// Write a file atomically and sync it: readers never see a partial file.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, bytes, true)
}

/// Write a file atomically that only this user can read.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_as(path, bytes, true, 0o600)
}

/// Fill `bytes` from the system's source of randomness.
pub fn random(bytes: &mut [u8]) -> io::Result<()> {
    File::open("/dev/urandom")?.read_exact(bytes)
}

/// Write a temporary file beside `path` and rename it. With `is_synced`, the file is complete even if the machine
/// crashes.
pub fn write(path: &Path, bytes: &[u8], is_synced: bool) -> io::Result<()> {
    write_as(path, bytes, is_synced, 0o666)
}

fn write_as(path: &Path, bytes: &[u8], is_synced: bool, mode: u32) -> io::Result<()> {
    // Two threads may write the same file.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let folder = path.parent().unwrap_or(Path::new("."));
    let partial = folder.join(format!(
        ".{}-{}.{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed),
        path.file_name().unwrap_or_default().to_string_lossy()
    ));
    // A leftover of a process with the same number is not written to: it may be readable to others.
    let _ = fs::remove_file(&partial);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&partial)?;
    file.write_all(bytes)?;
    if is_synced {
        file.sync_all()?;
    }
    drop(file);
    fs::rename(&partial, path)
}
