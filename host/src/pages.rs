//! Which pages of its memory an instance has written to: what has to be put back when it is retired.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes of a page.
pub const PAGE: u64 = 4096;
/// More runs of written pages than this are not put back in place: the kernel is asked for so many at a time.
pub const RUNS_IN_PLACE: usize = 32;

/// Pages that were written, and the runs that they lie in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    pub pages: usize,
    pub runs: usize,
}

/// What was written to in the memories of this process that begin as copies of a part of `image`. Memories of instances
/// that were ended are among them: they are wiped by writing to the same pages, and kept for the next ones. None where
/// the system does not tell.
pub fn of_instances(image: &Path) -> Option<Vec<Written>> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let pagemap = File::open("/proc/self/pagemap").ok()?;
    let image = image.to_str()?;
    let mut memories = Vec::new();
    let mut lines = maps.lines().peekable();
    while let Some(line) = lines.next() {
        if !(line.ends_with(image) && line.contains(" rw-p ")) {
            continue;
        }
        let (from, mut to) = range(line)?;
        // What the instance has beyond its image follows without a gap, and is no file's.
        while let Some(next) = lines.peek()
            && next.contains(" rw-p ")
            && !next.contains('/')
            && range(next)?.0 == to
        {
            to = range(next)?.1;
            lines.next();
        }
        memories.push(look(&pagemap, from, to)?);
    }
    Some(memories)
}

fn range(line: &str) -> Option<(u64, u64)> {
    let (from, to) = line.split_whitespace().next()?.split_once('-')?;
    Some((u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?))
}

fn look(pagemap: &File, from: u64, to: u64) -> Option<Written> {
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
