//! Compiled components on disk, keyed by content and engine.
//!
//! The only `unsafe` of the crate is here: wasmtime trusts a compiled artifact as it trusts native code.

use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use wasmtime::Engine;
use wasmtime::component::Component;

/// A compiled component and the manifest it gave.
#[derive(Debug, Clone)]
pub struct Artifact {
    pub code: PathBuf,
    pub manifest: PathBuf,
}

impl Artifact {
    /// Where the artifact of `content` (a hash of its component) for `engine` is kept.
    pub fn locate(cache: &Path, content: &str, engine: &Engine) -> Self {
        let mut hasher = std::collections::hash_map::DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let folder = cache.join("aot").join(format!("{content}-{:016x}", hasher.finish()));
        Self { code: folder.join("code.bin"), manifest: folder.join("manifest.json") }
    }

    /// A name for it: a part of the hash of its component.
    pub fn id(&self) -> String {
        let folder = self.code.parent().and_then(Path::file_name).unwrap_or_default();
        folder.to_string_lossy().chars().take(12).collect()
    }

    /// True when both files are there. The manifest is written last.
    pub fn exists(&self) -> bool {
        self.manifest.is_file() && self.code.is_file()
    }
}

/// Map compiled code into memory.
#[allow(unsafe_code)]
pub fn deserialize(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file was written by `compile` of this program into the user's private cache folder (0700),
    // under a name that holds the hash of its source and of the engine. Whoever can write there can run code
    // as this user anyway.
    unsafe { Component::deserialize_file(engine, path) }
}

/// A hash of `bytes`, as 32 hex digits.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The process whose number is in a name like `.app.wasm.123-4.deploying.wasm`, or `key-123`, is still there.
pub fn is_of_living(name: &str) -> bool {
    let numbers = name.split(['.', '-']).filter(|part| !part.is_empty());
    let mut processes = numbers.filter(|part| part.chars().all(|c| c.is_ascii_digit()));
    processes.any(|process| Path::new("/proc").join(process).exists())
}

/// The digest of a file. It is remembered by the file's time and size: to read a component takes 0.1 s.
pub fn digest_of(path: &Path, cache: &Path) -> io::Result<String> {
    use std::os::unix::fs::MetadataExt;
    let (path, meta) = (path.canonicalize()?, fs::metadata(path)?);
    let stamp = format!("{} {}.{:09} {}", meta.ino(), meta.mtime(), meta.mtime_nsec(), meta.len());
    let known = cache.join("digests").join(digest(path.as_os_str().as_encoded_bytes()));
    if let Ok(text) = fs::read_to_string(&known)
        && let Some((before, digest)) = text.rsplit_once(' ')
        && before == stamp
    {
        return Ok(digest.to_owned());
    }
    let digest = digest(&fs::read(&path)?);
    private_folder(&cache.join("digests"))?;
    write_atomically(&known, format!("{stamp} {digest}").as_bytes())?;
    Ok(digest)
}

/// Make `path`'s folder, and a cache root that only its owner can enter.
pub fn private_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    // Code is run from here: nobody else may write to it. The owner of /proc/self is this process's user.
    let (folder, this) = (fs::metadata(path)?, fs::metadata("/proc/self")?);
    if folder.uid() != this.uid() || folder.mode() & 0o022 != 0 {
        let problem = format!("others may write to {}: give --cache a folder of your own", path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, problem));
    }
    Ok(())
}

/// Write a file so that no reader ever sees half of it.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let partial = folder.join(format!(
        ".{}.{}",
        std::process::id(),
        path.file_name().unwrap_or_default().to_string_lossy()
    ));
    let mut file = File::create(&partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&partial, path)
}
