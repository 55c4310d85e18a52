//! Compiled components on disk, keyed by content and engine.
//!
//! Code is mapped only if nobody else can have written it: it is in a folder that is this user's, with all folders above
//! it, and it has its seal.
//!
//! Its code is `unsafe` where wasmtime trusts a compiled artifact like native code.

use crate::sandbox::code_seal::SealKey;
use crate::sandbox::pagemap::{Maps, PAGE, Runs};
use crate::sandbox::populate;
use crate::util::cache_files::{FileState, private_folder, write, write_private};
use crate::util::cache_room::note_use;
use crate::util::locks::lock;
use crate::util::trust::{check_folder, open_own, read_own};
use rustix::fs::fadvise;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Seek};
use std::num::NonZeroU64;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use wasmtime::component::Component;
use wasmtime::{Engine, Module};

/// Code files whose seal was verified, each with the file state that was verified.
static SOUND: Mutex<BTreeMap<PathBuf, FileState>> = Mutex::new(BTreeMap::new());

/// Code files whose pages used by requests have been recorded, or are about to be.
static NOTED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// At most 16 MiB are recorded: a cold start would wait for pages that it may not need.
const MOST_PAGES: u64 = 4096;

/// Bump this when the meaning of an artifact's files changes.
const FORMAT: u32 = 4;

/// The key of all seals, in the cache folder.
const KEY: &str = "code.key";

/// A compiled component with its manifest, or code shared by several components, without one.
#[derive(Debug, Clone)]
pub struct Artifact {
    pub code: PathBuf,
    pub manifest: PathBuf,
    /// A folder with the files that the component carries, if it carries any.
    pub files: PathBuf,
    /// The seal of the code, and the folder of the code that it shares with others.
    seal: PathBuf,
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

    /// The artifact in this folder.
    pub fn at(folder: &Path) -> Self {
        Self {
            code: folder.join("code.bin"),
            manifest: folder.join("manifest.json"),
            files: folder.join("files"),
            seal: folder.join("code.seal"),
            pages: folder.join("code.pages"),
        }
    }

    fn folder(&self) -> &Path {
        self.code.parent().unwrap_or(Path::new("/"))
    }

    /// The code that this artifact shares with others, if it was split.
    pub fn shared(&self) -> Option<Self> {
        Some(Self::at(&self.folder().with_file_name(self.sealed().ok()?.1?)))
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

    fn is_sound(&self) -> bool {
        self.open_code().is_ok()
    }

    /// The manifest, if nobody else can have written it.
    pub fn read_manifest(&self) -> Option<String> {
        check_folder(self.folder()).ok()?;
        String::from_utf8(read_own(&self.manifest).ok()?).ok()
    }

    /// The seal of the code, and the name of the folder of the code that it shares.
    fn sealed(&self) -> io::Result<(String, Option<String>)> {
        let text = String::from_utf8_lossy(&read_own(&self.seal)?).into_owned();
        let mut lines = text.lines().map(str::to_owned);
        Ok((lines.next().unwrap_or_default(), lines.next()))
    }

    /// What the seal holds together with the code: the names of its folder and of the shared code's.
    fn sealed_name(&self, shared: Option<&str>) -> String {
        let own = self.folder().file_name().unwrap_or_default().to_string_lossy();
        format!("{own}\n{}", shared.unwrap_or_default())
    }

    fn key(&self) -> PathBuf {
        self.folder().ancestors().nth(2).unwrap_or(Path::new("/")).join(KEY)
    }

    /// The code, if nobody else can have written it. What is mapped is this very file, whatever its name leads to later.
    /// Each state of the file is verified once per process, which takes 10 ms.
    fn open_code(&self) -> io::Result<File> {
        check_folder(self.folder())?;
        let mut file = open_own(&self.code)?;
        let stamp = FileState::of_open(&file)?;
        if lock(&SOUND).get(&self.code) == Some(&stamp) {
            return Ok(file);
        }
        let (seal, shared) = self.sealed()?;
        let name = self.sealed_name(shared.as_deref());
        if !SealKey::read(&self.key())?.fits(&seal, &name, &file)? {
            let problem = format!("{} is not what this host compiled", self.code.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        file.rewind()?;
        self.is_sound_as(stamp);
        self.note_use();
        Ok(file)
    }

    fn is_sound_as(&self, stamp: FileState) {
        lock(&SOUND).insert(self.code.clone(), stamp);
    }

    /// It is used: others go first when the cache is full.
    pub fn note_use(&self) {
        note_use(&self.seal);
    }

    /// Remove what was refused, so that it takes no room. An artifact with a manifest is another app's as well.
    pub fn remove_unused(&self) {
        if !self.manifest.is_file() {
            let _ = fs::remove_dir_all(self.folder());
        }
    }

    /// Store compiled code, and a reference to the code that it shares.
    pub fn store(&self, code: &[u8], shared: Option<&Self>) -> io::Result<()> {
        private_folder(self.folder())?;
        let shared = shared.and_then(|shared| shared.folder().file_name()).map(|name| name.to_string_lossy());
        let name = self.sealed_name(shared.as_deref());
        let seal = SealKey::ready(&self.key())?.seal(&name, code)?;
        let lines =
            [Some(seal.as_str()), shared.as_deref()].into_iter().flatten().collect::<Vec<_>>().join("\n");
        write_private(&self.code, code)?;
        // The state on disk, so the next load need not verify the file again.
        let stamp = FileState::of(&self.code)?;
        write_private(&self.seal, lines.as_bytes())?;
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

/// Map a compiled component into memory, and prefetch the pages that a cold start uses.
#[allow(unsafe_code)]
pub fn deserialize(engine: &Engine, artifact: &Artifact) -> wasmtime::Result<Component> {
    let pages = artifact.pages();
    let file = artifact.open_code()?;
    // Request all pages from the disk before waiting for the first. By default the kernel reads ahead around each page
    // fault, as much as the disk's settings say: with 8 MiB that was the whole file.
    for &(first, count) in &pages {
        let (from, length) = (first.saturating_mul(PAGE), NonZeroU64::new(count.saturating_mul(PAGE)));
        let _ = fadvise(&file, from, length, rustix::fs::Advice::WillNeed);
    }
    // wasmtime takes the name of a component's file, not the file: this name leads to the very file that was verified.
    let name = format!("/proc/self/fd/{}", file.as_raw_fd());
    // SAFETY: `compile` of this program made the file for this engine, and nobody else: it has the seal of a key that only
    // this user can read, and only this user, or root, can write to it.
    let component = unsafe { Component::deserialize_file(engine, name) }?;
    for (first, count) in pages {
        populate::readable(&component.image_range(), first, count);
    }
    Ok(component)
}

/// Map code that components share, and populate all of it: no request waits for the disk, and the kernel keeps mapped
/// pages when it reclaims the page cache.
#[allow(unsafe_code)]
pub fn deserialize_module(engine: &Engine, artifact: &Artifact) -> wasmtime::Result<Module> {
    // SAFETY: as for components.
    let module = unsafe { Module::deserialize_open_file(engine, artifact.open_code()?) }?;
    populate::readable(&module.image_range(), 0, u64::MAX);
    Ok(module)
}
