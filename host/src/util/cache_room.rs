//! Room in the cache folder: what was used longest ago goes first. Otherwise an app that changes all the time would fill the disk.
//!
//! When something was last used is its access time, which the host sets itself: file systems may be mounted without.

use std::fs::{self, File, FileTimes};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The folders whose entries may go.
const FOLDERS: [&str; 3] = ["components", "aot", "packages/sets"];
/// What was used within this time stays: somebody may be about to use it.
const RECENT: Duration = Duration::from_secs(3600);

/// An entry of the cache: a file, or a folder with files.
struct Entry {
    path: PathBuf,
    size: u64,
    used: SystemTime,
}

/// A file of an entry is used now.
pub fn note_use(path: &Path) {
    // It only matters for what goes first.
    let noted =
        File::open(path).and_then(|file| file.set_times(FileTimes::new().set_accessed(SystemTime::now())));
    drop(noted);
}

/// Remove entries until the rest has at most `most` bytes. Returns what it removed, in bytes.
pub fn make_room(cache: &Path, most: u64) -> u64 {
    let mut entries: Vec<_> = FOLDERS.iter().flat_map(|folder| entries(&cache.join(folder))).collect();
    let mut size: u64 = entries.iter().map(|entry| entry.size).sum();
    entries.sort_by_key(|entry| entry.used);
    let before = size;
    for entry in entries {
        let is_recent = entry.used.elapsed().is_ok_and(|age| age < RECENT) || entry.used > SystemTime::now();
        if size <= most || is_recent {
            break;
        }
        if remove(&entry.path).is_ok() {
            size -= entry.size;
        }
    }
    before - size
}

fn entries(folder: &Path) -> Vec<Entry> {
    let read = fs::read_dir(folder).into_iter().flatten().flatten();
    read.filter_map(|entry| measure(&entry.path()).ok()).collect()
}

fn measure(path: &Path) -> io::Result<Entry> {
    let meta = fs::symlink_metadata(path)?;
    let mut entry = Entry { path: path.to_owned(), size: meta.blocks() * 512, used: meta.modified()? };
    if meta.is_file() {
        entry.used = entry.used.max(meta.accessed()?);
        return Ok(entry);
    }
    // The folder itself is accessed here.
    for inner in fs::read_dir(path)?.flatten() {
        let meta = inner.metadata()?;
        entry.size += if meta.is_dir() { size(&inner.path()) } else { meta.blocks() * 512 };
        if meta.is_file() {
            entry.used = entry.used.max(meta.accessed()?).max(meta.modified()?);
        }
    }
    Ok(entry)
}

/// All that is below a folder, such as the files of an app or of packages.
fn size(folder: &Path) -> u64 {
    let of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => size(&entry.path()),
        Ok(meta) => meta.blocks() * 512,
        Err(_) => 0,
    };
    fs::read_dir(folder).into_iter().flatten().flatten().map(of).sum()
}

/// A folder is renamed first, so that nobody finds half of it.
fn remove(path: &Path) -> io::Result<()> {
    if !path.is_dir() {
        return fs::remove_file(path);
    }
    let gone = path.with_extension(format!("gone-{}", std::process::id()));
    fs::rename(path, &gone)?;
    fs::remove_dir_all(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_longest_ago_goes_first_and_what_is_in_use_stays() {
        let cache = tempfile::tempdir().unwrap();
        let hours = |hours: u64| SystemTime::now() - Duration::from_secs(hours * 3600);
        for (name, age) in
            [("components/a", 9), ("components/b", 5), ("aot/c", 7), ("aot/d", 3), ("digests/e", 99)]
        {
            let path = cache.path().join(name);
            let file = if name.starts_with("aot") { path.join("code.bin") } else { path.clone() };
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, vec![1; 1 << 20]).unwrap();
            let times = FileTimes::new().set_accessed(hours(age)).set_modified(hours(age));
            File::open(&file).unwrap().set_times(times).unwrap();
            File::open(&path).unwrap().set_times(times).unwrap();
        }
        let left = || {
            let names = ["components", "aot", "digests"].map(|folder| {
                let entries = fs::read_dir(cache.path().join(folder)).unwrap();
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<String>()
            });
            names.concat()
        };
        assert_eq!(make_room(cache.path(), 100 << 20), 0);
        note_use(&cache.path().join("components/a"));
        note_use(&cache.path().join("aot/d/code.bin"));
        let removed = make_room(cache.path(), 5 << 19);
        assert!(removed >= 2 << 20, "{removed}");
        assert_eq!(left(), "ade");
        assert_eq!(make_room(cache.path(), 0), 0);
    }

    #[test]
    fn a_set_of_packages_is_measured_whole() {
        let cache = tempfile::tempdir().unwrap();
        let set = cache.path().join("packages/sets/a");
        fs::create_dir_all(set.join("site/x/y")).unwrap();
        fs::write(set.join("site/x/y/z.py"), vec![1; 1 << 20]).unwrap();
        fs::write(set.join("ready"), "").unwrap();
        let day = SystemTime::now() - Duration::from_secs(86400);
        for path in [set.join("ready"), set.clone()] {
            File::open(path)
                .unwrap()
                .set_times(FileTimes::new().set_accessed(day).set_modified(day))
                .unwrap();
        }
        assert!(make_room(cache.path(), 1000) >= 1 << 20);
        assert!(!set.exists());
    }
}
