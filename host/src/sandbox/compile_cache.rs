//! Compiled components on disk, keyed by content and engine.
//!
//! All `unsafe` code of the library is here: wasmtime trusts a compiled artifact like native code, and `madvise`
//! populates its mappings.

use crate::sandbox::pagemap::{Maps, PAGE, Runs};
use crate::util::cache_files::{FileState, private_folder, write, write_atomically};
use crate::util::locks::lock;
use rustix::fs::fadvise;
use rustix::mm::{Advice, madvise};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Read};
use std::num::NonZeroU64;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use wasmtime::component::Component;
use wasmtime::{Engine, Module};

/// Code files with a verified checksum, each with the file state that was verified.
static SOUND: Mutex<BTreeMap<PathBuf, FileState>> = Mutex::new(BTreeMap::new());

/// Code files whose pages used by requests have been recorded, or are about to be.
static NOTED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// At most 16 MiB are recorded: a cold start would wait for pages that it may not need.
const MOST_PAGES: u64 = 4096;

/// Bump this when the meaning of an artifact's files changes.
const FORMAT: u32 = 2;

/// A compiled component with its manifest, or code shared by several components, without one.
#[derive(Debug, Clone)]
pub struct Artifact {
    pub code: PathBuf,
    pub manifest: PathBuf,
    /// The checksum of the code, to detect damage, and the folder of the code that it shares with others.
    sum: PathBuf,
    /// Pages of the code file that a cold start uses: a run per line, first page and count. Only a prefetch hint.
    pages: PathBuf,
}

impl Artifact {
    /// Where the artifact of `content` (a hash of its component) for `engine` is kept.
    pub fn locate(cache: &Path, content: &str, engine: &Engine) -> Self {
        let mut hasher = std::collections::hash_map::DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        FORMAT.hash(&mut hasher);
        Self::at(&cache.join("aot").join(format!("{content}-{:016x}", hasher.finish())))
    }

    fn at(folder: &Path) -> Self {
        Self {
            code: folder.join("code.bin"),
            manifest: folder.join("manifest.json"),
            sum: folder.join("code.sum"),
            pages: folder.join("code.pages"),
        }
    }

    fn folder(&self) -> &Path {
        self.code.parent().unwrap_or(Path::new("/"))
    }

    /// The code that this artifact shares with others, if it was split.
    pub fn shared(&self) -> Option<Self> {
        let sum = fs::read_to_string(&self.sum).ok()?;
        Some(Self::at(&self.folder().with_file_name(sum.lines().nth(1)?)))
    }

    /// A short id: the first digits of its component's hash.
    pub fn id(&self) -> String {
        let folder = self.folder().file_name().unwrap_or_default();
        folder.to_string_lossy().chars().take(12).collect()
    }

    /// True when all files exist and the code is undamaged. The manifest is written last.
    pub fn exists(&self) -> bool {
        self.manifest.is_file() && self.has_code()
    }

    /// True when the code and the code that it shares are undamaged.
    pub fn has_code(&self) -> bool {
        self.is_sound() && self.shared().is_none_or(|shared| shared.is_sound())
    }

    /// Each state of the file is verified once per process, which takes 10 ms.
    fn is_sound(&self) -> bool {
        let Ok(stamp) = FileState::of(&self.code) else { return false };
        if lock(&SOUND).get(&self.code) == Some(&stamp) {
            return true;
        }
        let is_sound = match (fs::read_to_string(&self.sum), checksum(&self.code)) {
            (Ok(written), Ok(found)) => written.lines().next() == Some(&found),
            _ => false,
        };
        if is_sound {
            self.is_sound_as(stamp);
        }
        is_sound
    }

    fn is_sound_as(&self, stamp: FileState) {
        lock(&SOUND).insert(self.code.clone(), stamp);
    }

    /// Store compiled code, and a reference to the code that it shares.
    pub fn store(&self, code: &[u8], shared: Option<&Self>) -> io::Result<()> {
        private_folder(self.folder())?;
        write_atomically(&self.code, code)?;
        // The state on disk, so the next load need not verify the file again.
        let stamp = FileState::of(&self.code)?;
        let mut sum = checksum(&self.code)?;
        if let Some(folder) = shared.and_then(|shared| shared.folder().file_name()) {
            sum.push_str(&format!("\n{}", folder.to_string_lossy()));
        }
        write_atomically(&self.sum, sum.as_bytes())?;
        self.is_sound_as(stamp);
        Ok(())
    }
}

impl Artifact {
    /// True for the first caller, which then records the pages that requests use. Once per process is enough: with many
    /// apps it takes long.
    pub fn begin_noting(&self) -> bool {
        lock(&NOTED).insert(self.code.clone())
    }

    /// Record which pages of the code this process uses now, in addition to earlier records: the next cold start has to
    /// wait for them.
    pub fn note_pages(&self, maps: &Maps) -> io::Result<()> {
        let known = self.pages();
        let Some(used) = maps.used(&self.code, &known) else { return Ok(()) };
        if used == known || size(&used) > MOST_PAGES {
            return Ok(());
        }
        let lines: String = used.iter().map(|(first, count)| format!("{first} {count}\n")).collect();
        // No fsync: losing the record is harmless.
        write(&self.pages, lines.as_bytes(), false)
    }

    /// The recorded pages. Empty if the record is malformed or does not fit the file.
    fn pages(&self) -> Runs {
        let text = fs::read_to_string(&self.pages).unwrap_or_default();
        let length = fs::metadata(&self.code).map_or(0, |meta| meta.len().div_ceil(PAGE));
        let run = |line: &str| {
            let (first, count) = line.split_once(' ')?;
            let (first, count) = (first.parse::<u64>().ok()?, count.parse().ok()?);
            (count > 0 && first.checked_add(count)? <= length).then_some((first, count))
        };
        let runs: Runs = text.lines().map(run).collect::<Option<_>>().unwrap_or_default();
        if size(&runs) > MOST_PAGES { Runs::new() } else { runs }
    }
}

/// In pages. No run is longer than the file.
fn size(runs: &Runs) -> u64 {
    runs.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
}

/// CRC-32 and size of a file. They detect damage, not tampering.
fn checksum(path: &Path) -> io::Result<String> {
    let (mut file, mut hasher, mut size) = (File::open(path)?, crc32fast::Hasher::new(), 0);
    let mut buffer = vec![0; 1 << 18];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(format!("{:08x} {size}", hasher.finalize()));
        }
        hasher.update(&buffer[..read]);
        size += read;
    }
}

/// Map a compiled component into memory, and prefetch the pages that a cold start uses.
#[allow(unsafe_code)]
pub fn deserialize(engine: &Engine, artifact: &Artifact) -> wasmtime::Result<Component> {
    let pages = artifact.pages();
    // Request all pages from the disk before waiting for the first. By default the kernel reads ahead around each page
    // fault, as much as the disk's settings say: with 8 MiB that was the whole file.
    if let Ok(file) = File::open(&artifact.code) {
        for &(first, count) in &pages {
            let (from, length) = (first.saturating_mul(PAGE), NonZeroU64::new(count.saturating_mul(PAGE)));
            let _ = fadvise(&file, from, length, rustix::fs::Advice::WillNeed);
        }
    }
    // SAFETY: `compile` of this program wrote the file into the user's private cache folder (0700), under a name that
    // contains the hashes of its source and of the engine. Anyone who can write there can run code as this user anyway.
    let component = unsafe { Component::deserialize_file(engine, &artifact.code) }?;
    for (first, count) in pages {
        populate(&component.image_range(), first, count);
    }
    Ok(component)
}

/// Map code that components share, and populate all of it: no request waits for the disk, and the kernel keeps mapped
/// pages when it reclaims the page cache.
#[allow(unsafe_code)]
pub fn deserialize_module(engine: &Engine, path: &Path) -> wasmtime::Result<Module> {
    // SAFETY: as for components.
    let module = unsafe { Module::deserialize_file(engine, path) }?;
    populate(&module.image_range(), 0, u64::MAX);
    Ok(module)
}

/// Populate up to `count` pages of the mapping `image`, so that no worker waits for the disk. Best effort: kernels
/// before 5.14 refuse.
#[allow(unsafe_code)]
fn populate(image: &Range<*const u8>, first: u64, count: u64) {
    let length = (image.end.addr() - image.start.addr()) as u64;
    let from = first.saturating_mul(PAGE).min(length);
    let count = count.saturating_mul(PAGE).min(length - from);
    let start = image.start.wrapping_add(from as usize).cast_mut().cast();
    // SAFETY: the range is part of the image, which the caller keeps mapped. Reading it does not change its contents.
    let _ = unsafe { madvise(start, count as usize, Advice::LinuxPopulateRead) };
}
