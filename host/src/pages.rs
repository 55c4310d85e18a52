//! Which pages of its memory an instance has written to: what has to be put back when it is retired.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

const PAGE: u64 = 4096;
/// More runs of written pages than this are not put back in place: the kernel is asked for so many at a time.
pub const RUNS_IN_PLACE: usize = 32;

/// Pages that were written, and the runs that they lie in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    pub pages: usize,
    pub runs: usize,
}

/// What the instances of this process have written whose memory is a copy of a part of `image`: of the one that has
/// written most. None where the system does not tell.
pub fn written(image: &Path) -> Option<Written> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let pagemap = File::open("/proc/self/pagemap").ok()?;
    let image = image.to_str()?;
    let copies = maps.lines().filter(|line| line.ends_with(image) && line.contains(" rw-p "));
    copies.filter_map(|line| count(&pagemap, line)).max_by_key(|written| written.pages)
}

fn count(pagemap: &File, line: &str) -> Option<Written> {
    let (from, to) = line.split_whitespace().next()?.split_once('-')?;
    let (from, to) = (u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?);
    let mut entries = vec![0; usize::try_from((to - from) / PAGE * 8).ok()?];
    pagemap.read_exact_at(&mut entries, from / PAGE * 8).ok()?;
    let mut written = Written::default();
    let mut before = false;
    for entry in entries.chunks_exact(8) {
        let entry = u64::from_le_bytes(entry.try_into().ok()?);
        // Present, and no page of the file.
        let is_written = entry >> 63 == 1 && entry >> 61 & 1 == 0;
        written.pages += usize::from(is_written);
        written.runs += usize::from(is_written && !before);
        before = is_written;
    }
    Some(written)
}
