//! Keeps the pages that an app's requests write to in few runs, so that a reset stays in place.
//!
//! The kernel reports at most 32 runs of written pages to wasmtime, which returns all memory behind them to the system: the
//! next instance faults it in again, page by page, each with an interrupt of the other cores. A handler that read 20 rows
//! from a database wrote to 140 pages in 100 runs, and its 2.4 ms of processor time were mostly that. So the host gives the
//! memory its own copies of the pages in the narrowest gaps too: copying back what they held costs far less.

use crate::sandbox::pagemap::{Maps, PAGE, RUNS_IN_PLACE, Runs, merged};
use crate::sandbox::populate;
use crate::util::locks::lock;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Runs that are left of those known; the others are for pages that were not seen yet. Each run fewer costs more pages.
const RUNS: usize = RUNS_IN_PLACE - 4;
/// Pages that can be copied back in the time in which one is faulted in again.
const COPIES: u64 = 16;
/// Instances that end between two looks, once the app is well known.
const LOOK_EVERY: u64 = 4096;

/// The pages that instances of an app were seen to write to.
#[derive(Debug)]
pub struct HotPages {
    /// Most of a memory that is reset in place, in pages.
    most: usize,
    ended: AtomicU64,
    known: Mutex<BTreeSet<u64>>,
}

impl HotPages {
    /// `keep_resident`: most of a memory that is reset in place, in bytes.
    pub fn new(keep_resident: usize) -> Self {
        Self { most: keep_resident / PAGE as usize, ended: AtomicU64::new(0), known: Mutex::default() }
    }

    /// Called when an instance that has served a request ends, before its memory is reset: whether to [`look`](Self::look).
    /// Often at first, then every few thousand times: a look takes a millisecond, and more with many apps.
    pub fn is_due(&self) -> bool {
        let ended = self.ended.fetch_add(1, Ordering::Relaxed) + 1;
        self.most > 0 && (ended > 1 && ended.is_power_of_two() || ended.is_multiple_of(LOOK_EVERY))
    }

    /// Learn from all memories of the app, and merge the runs of each. An app that writes to more than is reset in place
    /// is left alone.
    pub fn look(&self, image: &Path) {
        let Some(memories) = Maps::look().and_then(|maps| maps.memories(image)) else { return };
        let mut known = lock(&self.known);
        for memory in memories.iter().filter(|memory| memory.written.len() <= self.most) {
            known.extend(&memory.written);
        }
        let runs = worth_it(&known, self.most);
        if known.len() > self.most {
            // An app that writes elsewhere each time would make the host remember all of its memory.
            known.clear();
        }
        drop(known);
        let Some(runs) = runs else { return };
        memories.iter().flat_map(|memory| memory.missing(&runs)).for_each(populate::writable);
    }
}

/// The runs in which to keep these pages. None if that would be more than `most` pages, or take longer than what it saves.
fn worth_it(pages: &BTreeSet<u64>, most: usize) -> Option<Runs> {
    let runs = merged(pages, RUNS);
    let size: u64 = runs.iter().map(|(_, count)| count).sum();
    let lost: u64 = merged(pages, usize::MAX).iter().skip(RUNS_IN_PLACE).map(|(_, count)| count).sum();
    let added = size - pages.len() as u64;
    (size <= most as u64 && added <= lost * COPIES).then_some(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_with_few_runs_are_left_alone_and_those_with_many_are_merged_if_that_pays() {
        let every = |gap: u64, count: u64| -> BTreeSet<u64> { (0..count).map(|page| page * gap).collect() };
        let added = |pages: &BTreeSet<u64>| {
            let runs = worth_it(pages, 1024)?;
            Some((runs.len(), runs.iter().map(|(_, count)| count).sum::<u64>() - pages.len() as u64))
        };
        assert_eq!(added(&every(100, 28)), Some((28, 0)));
        // Beyond the 32nd run are 32 pages; the gaps between all of them have one each.
        assert_eq!(added(&every(2, 64)), Some((1, 63)));
        // Here 36 gaps of 30 pages would be filled for the sake of 32 pages: more than can be copied meanwhile.
        assert_eq!(added(&every(31, 64)), None);
        assert_eq!(added(&every(2, 600)), None);
    }

    #[test]
    fn looks_become_rare() {
        let pages = HotPages::new(4 << 20);
        let due: Vec<_> = (1..=10_000).filter(|_| pages.is_due()).collect();
        assert_eq!(due, [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192]);
        let never = HotPages::new(0);
        assert!((1..=100).all(|_| !never.is_due()));
    }
}
