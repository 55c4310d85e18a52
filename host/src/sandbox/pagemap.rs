//! The kernel's page map: which pages of its memory an instance has written to (they are reset when it is retired), and
//! which pages of its image it uses (a cold start reads them from disk).

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Page size, in bytes.
pub const PAGE: u64 = 4096;
/// Most runs of written pages that are reset in place: the kernel reports this many per call.
pub const RUNS_IN_PLACE: usize = 32;

/// How many pages were written, and how many contiguous runs they form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    pub pages: usize,
    pub runs: usize,
}

/// Runs of pages of a file: the first page of each, and the count.
pub type Runs = Vec<(u64, u64)>;

/// Runs with at most this gap are merged: another disk request would take longer than reading the pages between.
const GAP: u64 = 16;
/// Most mappings of one file that are examined: the instances of an app use much the same pages.
const MAPPINGS: usize = 32;

/// A snapshot of the files that are mapped in this process.
pub struct Maps {
    files: HashMap<PathBuf, Vec<Mapping>>,
    pagemap: File,
}

/// A mapping of a part of a file.
struct Mapping {
    addresses: Range<u64>,
    /// Where the memory ends that starts as a copy of this part: the rest of it is anonymous.
    end: u64,
    /// The first page of the mapped part.
    first: u64,
    is_memory: bool,
}

impl Maps {
    /// None if the system does not tell. The time grows with the mappings: with a thousand apps some milliseconds.
    pub fn look() -> Option<Self> {
        let text = std::fs::read_to_string("/proc/self/maps").ok()?;
        let mut files = HashMap::<_, Vec<Mapping>>::new();
        let mut last: Option<PathBuf> = None;
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            let addresses = range(words.next()?)?;
            let is_memory = words.next()? == "rw-p";
            let first = u64::from_str_radix(words.next()?, 16).ok()? / PAGE;
            if let Some(start) = line.find('/') {
                let file = PathBuf::from(&line[start..]);
                let mapping = Mapping { end: addresses.end, addresses, first, is_memory };
                files.entry(file.clone()).or_default().push(mapping);
                last = Some(file);
                continue;
            }
            let before = last.as_ref().and_then(|file| files.get_mut(file)?.last_mut());
            match before {
                Some(before) if is_memory && before.is_memory && before.end == addresses.start => {
                    before.end = addresses.end;
                }
                _ => last = None,
            }
        }
        Some(Self { files, pagemap: File::open("/proc/self/pagemap").ok()? })
    }

    /// The mappings of a file, which the kernel lists by its canonical path.
    fn of(&self, file: &Path) -> impl Iterator<Item = &Mapping> {
        let mappings = file.canonicalize().ok().and_then(|file| self.files.get(&file));
        mappings.into_iter().flatten()
    }

    /// The written pages of each memory that started as a copy of part of `image`, also of ended instances: a reset
    /// writes to the same pages, and keeps them for the next instance. None if the system does not tell.
    pub fn written(&self, image: &Path) -> Option<Vec<Written>> {
        self.of(image)
            .filter(|mapping| mapping.is_memory)
            .map(|mapping| {
                let (mut written, mut before) = (Written::default(), false);
                for entry in self.entries(&(mapping.addresses.start..mapping.end))? {
                    let is_written = entry.is_present() && !entry.is_of_file();
                    written.pages += usize::from(is_written);
                    written.runs += usize::from(is_written && !before);
                    before = is_written;
                }
                Some(written)
            })
            .collect()
    }

    /// `known`, and the pages of `image` that are in use now. None if the system does not tell.
    pub fn used(&self, image: &Path, known: &Runs) -> Option<Runs> {
        let (memories, others): (Vec<_>, Vec<_>) =
            self.of(image).take(MAPPINGS).partition(|mapping| mapping.is_memory);
        // The kernel maps 2 MiB of a file at once where it can. Where memories copy the file, they are more exact.
        let is_copied = |page: &u64| memories.iter().any(|memory| memory.pages().contains(page));
        let mut pages: BTreeSet<_> = known.iter().flat_map(|&(first, count)| first..first + count).collect();
        for other in others {
            pages.extend(self.present(other)?.filter(|page| !is_copied(page)));
        }
        for memory in &memories {
            pages.extend(self.present(memory)?);
        }
        let mut runs = Runs::new();
        for page in pages {
            match runs.last_mut() {
                Some((first, count)) if page <= *first + *count + GAP => *count = page + 1 - *first,
                _ => runs.push((page, 1)),
            }
        }
        Some(runs)
    }

    /// Pages of the file that are present in memory.
    fn present(&self, mapping: &Mapping) -> Option<impl Iterator<Item = u64>> {
        let entries = mapping.pages().zip(self.entries(&mapping.addresses)?);
        Some(entries.filter(|(_, entry)| entry.is_present()).map(|(page, _)| page))
    }

    fn entries(&self, addresses: &Range<u64>) -> Option<Vec<Entry>> {
        let mut bytes = vec![0; usize::try_from((addresses.end - addresses.start) / PAGE * 8).ok()?];
        self.pagemap.read_exact_at(&mut bytes, addresses.start / PAGE * 8).ok()?;
        bytes.chunks_exact(8).map(|entry| Some(Entry(u64::from_le_bytes(entry.try_into().ok()?)))).collect()
    }
}

impl Mapping {
    /// Pages of the file.
    fn pages(&self) -> Range<u64> {
        self.first..self.first + (self.addresses.end - self.addresses.start) / PAGE
    }
}

/// A page map entry.
struct Entry(u64);

impl Entry {
    fn is_present(&self) -> bool {
        self.0 >> 63 == 1
    }

    fn is_of_file(&self) -> bool {
        self.0 >> 61 & 1 == 1
    }
}

fn range(word: &str) -> Option<Range<u64>> {
    let (from, to) = word.split_once('-')?;
    Some(u64::from_str_radix(from, 16).ok()?..u64::from_str_radix(to, 16).ok()?)
}
