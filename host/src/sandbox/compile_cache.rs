//! Compiled components on disk, keyed by content and engine.
//!
//! The only `unsafe` of the library is here: wasmtime trusts a compiled artifact as it trusts native code, and the kernel is
//! asked to have it mapped at once.

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

/// Code that was found to be as it was written, in this state of its file.
static SOUND: Mutex<BTreeMap<PathBuf, FileState>> = Mutex::new(BTreeMap::new());

/// Code whose use by requests was noted, or is about to be.
static NOTED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// More than 16 MiB are not noted: a start would wait for what it may not need.
const MOST_PAGES: u64 = 4096;

/// Changes when the files of an artifact mean something else.
const FORMAT: u32 = 2;

/// A compiled component and the manifest it gave; or code that components have in common, without one.
#[derive(Debug, Clone)]
pub struct Artifact {
    pub code: PathBuf,
    pub manifest: PathBuf,
    /// The checksum of the code, by which a damaged file is known, and the folder of the code it shares with others.
    sum: PathBuf,
    /// Pages of the code's file that a start uses: lines of the first of a run and their number. They are advice.
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

    /// The code that this was compiled without, because others have it as well.
    pub fn shared(&self) -> Option<Self> {
        let sum = fs::read_to_string(&self.sum).ok()?;
        Some(Self::at(&self.folder().with_file_name(sum.lines().nth(1)?)))
    }

    /// A name for it: a part of the hash of its component.
    pub fn id(&self) -> String {
        let folder = self.folder().file_name().unwrap_or_default();
        folder.to_string_lossy().chars().take(12).collect()
    }

    /// True when all files are there, and the code is as it was written. The manifest is written last.
    pub fn exists(&self) -> bool {
        self.manifest.is_file() && self.has_code()
    }

    /// True when the code is as it was written, and so is what it shares.
    pub fn has_code(&self) -> bool {
        self.is_sound() && self.shared().is_none_or(|shared| shared.is_sound())
    }

    /// Each state of the file is read once in a process, which takes 10 ms.
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

    /// Keep compiled code, and where the code is that it shares.
    pub fn store(&self, code: &[u8], shared: Option<&Self>) -> io::Result<()> {
        private_folder(self.folder())?;
        write_atomically(&self.code, code)?;
        // As it is on disk: whoever loads it next need not read it again.
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
    /// True for the first who asks, who is to note what requests use. Once in a process is enough: to look takes long where
    /// there are many apps.
    pub fn begin_noting(&self) -> bool {
        lock(&NOTED).insert(self.code.clone())
    }

    /// Note which pages of the code this process uses now, beside those that were noted before: they are what the next start
    /// has to wait for.
    pub fn note_pages(&self, maps: &Maps) -> io::Result<()> {
        let known = self.pages();
        let Some(used) = maps.used(&self.code, &known) else { return Ok(()) };
        if used == known || size(&used) > MOST_PAGES {
            return Ok(());
        }
        let lines: String = used.iter().map(|(first, count)| format!("{first} {count}\n")).collect();
        // Nothing is lost with them: they need not be on the disk now.
        write(&self.pages, lines.as_bytes(), false)
    }

    /// What was noted. Nothing, where that cannot have been.
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

/// In pages. Each run is shorter than a file.
fn size(runs: &Runs) -> u64 {
    runs.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
}

/// CRC-32 and size of a file: against disks, not against people.
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

/// Map a compiled component into memory, and have what a start uses of it read.
#[allow(unsafe_code)]
pub fn deserialize(engine: &Engine, artifact: &Artifact) -> wasmtime::Result<Component> {
    let pages = artifact.pages();
    // The disk is asked for all of them before the first is waited for. Left to itself the kernel reads what lies around a
    // page that is missing, as much as the disk's settings say: with 8 MiB that was the whole file.
    if let Ok(file) = File::open(&artifact.code) {
        for &(first, count) in &pages {
            let (from, length) = (first.saturating_mul(PAGE), NonZeroU64::new(count.saturating_mul(PAGE)));
            let _ = fadvise(&file, from, length, rustix::fs::Advice::WillNeed);
        }
    }
    // SAFETY: the file was written by `compile` of this program into the user's private cache folder (0700),
    // under a name that holds the hash of its source and of the engine. Whoever can write there can run code
    // as this user anyway.
    let component = unsafe { Component::deserialize_file(engine, &artifact.code) }?;
    for (first, count) in pages {
        populate(&component.image_range(), first, count);
    }
    Ok(component)
}

/// Map the compiled code that components have in common into memory, all of it at once: no request waits for the disk, and
/// what is mapped in some process stays when the system needs room for files.
#[allow(unsafe_code)]
pub fn deserialize_module(engine: &Engine, path: &Path) -> wasmtime::Result<Module> {
    // SAFETY: as for components.
    let module = unsafe { Module::deserialize_file(engine, path) }?;
    populate(&module.image_range(), 0, u64::MAX);
    Ok(module)
}

/// Have `count` pages of what is mapped at `image` read, as far as that goes, so that no worker waits for the disk. Kernels
/// before 5.14 refuse.
#[allow(unsafe_code)]
fn populate(image: &Range<*const u8>, first: u64, count: u64) {
    let length = (image.end.addr() - image.start.addr()) as u64;
    let from = first.saturating_mul(PAGE).min(length);
    let count = count.saturating_mul(PAGE).min(length - from);
    let start = image.start.wrapping_add(from as usize).cast_mut().cast();
    // SAFETY: the range is a part of the image, which the caller keeps mapped; its contents do not change by being read.
    let _ = unsafe { madvise(start, count as usize, Advice::LinuxPopulateRead) };
}
