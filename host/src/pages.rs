//! Which pages of its memory an instance has written to, which have to be put back when it is retired; and which pages of
//! its image it has used, which have to come from the disk before it can answer.

use std::collections::BTreeSet;
use std::fs::File;
use std::ops::Range;
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
    let maps = Maps::look()?;
    let image = image.to_str()?;
    let mut memories = Vec::new();
    let mut lines = maps.text.lines().peekable();
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
        memories.push(look(&maps.pagemap, from, to)?);
    }
    Some(memories)
}

/// Runs of pages of a file: the first of each, and how many.
pub type Runs = Vec<(u64, u64)>;

/// Pages between two runs that are read with them: the disk takes longer to be asked once more.
const GAP: u64 = 16;

/// What is mapped in this process, at one moment.
pub struct Maps {
    text: String,
    pagemap: File,
}

impl Maps {
    /// None where the system does not tell. It takes as long as much is mapped: with a thousand apps some milliseconds.
    pub fn look() -> Option<Self> {
        let text = std::fs::read_to_string("/proc/self/maps").ok()?;
        Some(Self { text, pagemap: File::open("/proc/self/pagemap").ok()? })
    }

    /// `known`, and the pages of `image` that are used now.
    pub fn used(&self, image: &Path, known: &Runs) -> Option<Runs> {
        let image = image.to_str()?;
        let lines = self.text.lines().filter(|line| line.ends_with(image));
        let (memories, others): (Vec<_>, Vec<_>) = lines.partition(|line| line.contains(" rw-p "));
        let look =
            |lines: Vec<&str>| lines.into_iter().map(|line| Mapped::look(line, &self.pagemap)).collect();
        let (memories, others): (Option<Vec<_>>, Option<Vec<_>>) = (look(memories), look(others));
        let memories = memories?;
        // The kernel maps 2 MiB of a file at once where it can. Of what memories are copies of, these tell more exactly.
        let is_copied = |page: &u64| memories.iter().any(|memory| memory.place.contains(page));
        let others = others?.into_iter().flat_map(|other| other.present).filter(|page| !is_copied(page));
        let mut pages: BTreeSet<_> = known.iter().flat_map(|&(first, count)| first..first + count).collect();
        pages.extend(others);
        pages.extend(memories.iter().flat_map(|memory| &memory.present));
        let mut runs = Runs::new();
        for page in pages {
            match runs.last_mut() {
                Some((first, count)) if page <= *first + *count + GAP => *count = page + 1 - *first,
                _ => runs.push((page, 1)),
            }
        }
        Some(runs)
    }
}

/// A mapping of a part of a file.
struct Mapped {
    /// Pages of the file.
    place: Range<u64>,
    present: Vec<u64>,
}

impl Mapped {
    /// `line`: of /proc/self/maps.
    fn look(line: &str, pagemap: &File) -> Option<Self> {
        let (from, to) = range(line)?;
        let first = u64::from_str_radix(line.split_whitespace().nth(2)?, 16).ok()? / PAGE;
        let place = first..first + (to - from) / PAGE;
        let entries = place.clone().zip(entries(pagemap, from, to)?);
        let present = entries.filter(|(_, entry)| entry.is_present()).map(|(page, _)| page).collect();
        Some(Self { place, present })
    }
}

fn range(line: &str) -> Option<(u64, u64)> {
    let (from, to) = line.split_whitespace().next()?.split_once('-')?;
    Some((u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?))
}

fn look(pagemap: &File, from: u64, to: u64) -> Option<Written> {
    let mut written = Written::default();
    let mut before = false;
    for entry in entries(pagemap, from, to)? {
        let is_written = entry.is_present() && !entry.is_of_file();
        written.pages += usize::from(is_written);
        written.runs += usize::from(is_written && !before);
        before = is_written;
    }
    Some(written)
}

/// What the kernel says of a page.
struct Entry(u64);

impl Entry {
    fn is_present(&self) -> bool {
        self.0 >> 63 == 1
    }

    fn is_of_file(&self) -> bool {
        self.0 >> 61 & 1 == 1
    }
}

fn entries(pagemap: &File, from: u64, to: u64) -> Option<Vec<Entry>> {
    let mut bytes = vec![0; usize::try_from((to - from) / PAGE * 8).ok()?];
    pagemap.read_exact_at(&mut bytes, from / PAGE * 8).ok()?;
    bytes.chunks_exact(8).map(|entry| Some(Entry(u64::from_le_bytes(entry.try_into().ok()?)))).collect()
}
