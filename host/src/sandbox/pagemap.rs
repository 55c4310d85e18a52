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
        let written = |memory: &Memory| Written {
            pages: memory.written.len(),
            runs: runs(memory.written.iter().copied(), 0).len(),
        };
        Some(self.memories(image)?.iter().map(written).collect())
    }

    /// Each memory that started as a copy of part of `image`, also of ended instances. None if the system does not tell.
    pub fn memories(&self, image: &Path) -> Option<Vec<Memory>> {
        self.of(image)
            .filter(|mapping| mapping.is_memory)
            .map(|mapping| {
                let addresses = mapping.addresses.start..mapping.end;
                let entries = self.entries(&addresses)?.into_iter().zip(0..);
                let written = entries.filter(|(entry, _)| entry.is_present() && !entry.is_of_file());
                Some(Memory { written: written.map(|(_, page)| page).collect(), addresses })
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
        Some(runs(pages, GAP))
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

/// The memory of an instance, or of one that has ended.
pub struct Memory {
    addresses: Range<u64>,
    /// Pages that are its own, counted from its start: a reset keeps them for the next instance.
    pub written: BTreeSet<u64>,
}

impl Memory {
    /// The addresses of those runs of pages that are not wholly its own yet.
    pub fn missing(&self, runs: &Runs) -> impl Iterator<Item = Range<usize>> {
        let missing =
            |&&(first, count): &&(u64, u64)| !(first..first + count).all(|page| self.written.contains(&page));
        runs.iter().filter(missing).filter_map(|(first, count)| {
            let from = self.addresses.start + first * PAGE;
            let to = (from + count * PAGE).min(self.addresses.end);
            (from < to).then_some(from as usize..to as usize)
        })
    }
}

/// The runs that ascending pages form, if gaps of up to `gap` pages are filled.
fn runs(pages: impl IntoIterator<Item = u64>, gap: u64) -> Runs {
    let mut runs = Runs::new();
    for page in pages {
        match runs.last_mut() {
            Some((first, count)) if page <= *first + *count + gap => *count = page + 1 - *first,
            _ => runs.push((page, 1)),
        }
    }
    runs
}

/// At most `most` runs that cover all of `pages`, and as few pages between them as that takes.
pub fn merged(pages: &BTreeSet<u64>, most: usize) -> Runs {
    let all = runs(pages.iter().copied(), 0);
    let mut gaps: Vec<_> = all.windows(2).map(|pair| pair[1].0 - (pair[0].0 + pair[0].1)).collect();
    gaps.sort_unstable();
    let filled = all.len().saturating_sub(most);
    let Some(&widest) = filled.checked_sub(1).and_then(|last| gaps.get(last)) else { return all };
    runs(pages.iter().copied(), widest)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_gaps_are_filled_and_no_more_than_needed() {
        let pages: BTreeSet<u64> = [0, 1, 3, 10, 20, 21, 100].into();
        assert_eq!(merged(&pages, 9), [(0, 2), (3, 1), (10, 1), (20, 2), (100, 1)]);
        assert_eq!(merged(&pages, 5), [(0, 2), (3, 1), (10, 1), (20, 2), (100, 1)]);
        assert_eq!(merged(&pages, 4), [(0, 4), (10, 1), (20, 2), (100, 1)]);
        assert_eq!(merged(&pages, 2), [(0, 22), (100, 1)]);
        assert_eq!(merged(&pages, 1), [(0, 101)]);
        assert_eq!(merged(&BTreeSet::new(), 1), []);
    }

    proptest::proptest! {
        #[test]
        fn merged_runs_hold_every_page_and_are_few(pages: BTreeSet<u16>, most in 1..40_usize) {
            let pages: BTreeSet<u64> = pages.into_iter().map(u64::from).collect();
            let runs = merged(&pages, most);
            proptest::prop_assert!(runs.len() <= most.max(1));
            for page in pages {
                proptest::prop_assert!(runs.iter().any(|(first, count)| (*first..first + count).contains(&page)));
            }
        }
    }
}
