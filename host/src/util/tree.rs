//! Walks a folder that somebody else may change meanwhile: no link leads out of it, no special file is opened, and its depth and
//! the number of its entries are bounded.

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Most entries below a folder, wanted or not.
const MOST_ENTRIES: usize = 20_000;
/// Most bytes of all their paths: whoever looks for changes keeps them.
const MOST_NAMED: usize = 4 << 20;
/// Most folders in each other.
const MOST_DEPTH: usize = 32;

/// An open folder.
pub struct Tree {
    root: OwnedFd,
    shown: PathBuf,
}

/// A regular file below the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Relative to the folder.
    pub path: PathBuf,
    pub modified: SystemTime,
    pub size: u64,
}

/// A folder that is still to be read.
struct Pending {
    path: PathBuf,
    /// It and the folders above it, by device and inode: a link to one of them would never end.
    chain: Vec<(u64, u64)>,
}

impl Tree {
    /// The path of the folder itself may have links. Errors are sentences for people.
    pub fn open(folder: &Path) -> Result<Self, String> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(folder, flags, Mode::empty());
        let root = root.map_err(|e| format!("{}: {}", folder.display(), io::Error::from(e)))?;
        Ok(Self { root, shown: folder.to_owned() })
    }

    /// The regular files at and below `start`, a path in the folder, sorted. A file or folder is left out unless it is `wanted`,
    /// which gets its name and whether it is a folder, and for a folder whether it holds a name. Errors are sentences for people.
    pub fn files(&self, start: &Path, wanted: impl Fn(&Name<'_>) -> bool) -> Result<Vec<Found>, String> {
        let failed = |e: Errno| format!("{}: {}", self.shown.join(start).display(), io::Error::from(e));
        let mut pending = vec![Pending { path: start.to_owned(), chain: Vec::new() }];
        let (mut found, mut seen, mut named) = (Vec::new(), 0, 0);
        while let Some(Pending { path, mut chain }) = pending.pop() {
            let folder = match self.open_below(&path, OFlags::DIRECTORY) {
                Ok(folder) => folder,
                Err(error) if path == start => return Err(failed(error)),
                // It went away, or may not be read: its files are not there.
                Err(_) => continue,
            };
            let here = rustix::fs::fstat(&folder).map_err(failed)?;
            if chain.contains(&identity(&here)) {
                continue;
            }
            chain.push(identity(&here));
            for entry in Dir::read_from(&folder).map_err(failed)? {
                let Ok(entry) = entry else { break };
                let Ok(name) = entry.file_name().to_str() else { continue };
                if name == "." || name == ".." {
                    continue;
                }
                seen += 1;
                if seen > MOST_ENTRIES {
                    return Err(self.too_much(&format!("more than {MOST_ENTRIES} files and folders")));
                }
                let below = path.join(name);
                named += below.as_os_str().len();
                if named > MOST_NAMED {
                    return Err(self.too_much(&format!("paths of more than {MOST_NAMED} bytes")));
                }
                let Some((kind, stat)) = self.look(&folder, name, &below) else { continue };
                let name = Name { name, path: &below, kind, folder: &folder };
                match kind {
                    FileType::Directory if wanted(&name) => {
                        if chain.len() >= MOST_DEPTH {
                            return Err(
                                self.too_much(&format!("more than {MOST_DEPTH} folders in each other"))
                            );
                        }
                        pending.push(Pending { path: below.clone(), chain: chain.clone() });
                    }
                    FileType::RegularFile if wanted(&name) => found.push(Found {
                        path: below.clone(),
                        modified: modified(&stat),
                        size: u64::try_from(stat.st_size).unwrap_or(0),
                    }),
                    _ => {}
                }
            }
        }
        found.sort_by(|one, two| one.path.cmp(&two.path));
        Ok(found)
    }

    /// What an entry is; a link is what it leads to, if that is in the folder.
    fn look(&self, folder: &OwnedFd, name: &str, below: &Path) -> Option<(FileType, Stat)> {
        let mut stat = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
            stat = rustix::fs::fstat(self.open_below(below, OFlags::PATH).ok()?).ok()?;
        }
        Some((FileType::from_raw_mode(stat.st_mode), stat))
    }

    /// Open a regular file in the folder for reading.
    pub fn open_file(&self, path: &Path) -> io::Result<File> {
        // To open a FIFO must not wait for its other end.
        let file = File::from(self.open_below(path, OFlags::NONBLOCK | OFlags::NOCTTY)?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn open_below(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let flags = flags | OFlags::RDONLY | OFlags::CLOEXEC;
        // Another file system may be one that never answers.
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        rustix::fs::openat2(&self.root, path, flags, Mode::empty(), inside)
    }

    fn too_much(&self, what: &str) -> String {
        format!("{} has {what} below it: move the app into a folder of its own", self.shown.display())
    }
}

/// The name of an entry, for those who decide whether it is wanted.
pub struct Name<'n> {
    pub name: &'n str,
    /// Relative to the folder of the walk.
    pub path: &'n Path,
    kind: FileType,
    folder: &'n OwnedFd,
}

impl Name<'_> {
    pub fn is_folder(&self) -> bool {
        self.kind == FileType::Directory
    }

    /// Whether it is a folder that holds this name.
    pub fn holds(&self, name: &str) -> bool {
        let path = Path::new(self.name).join(name);
        rustix::fs::statat(self.folder, path, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }
}

fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

fn modified(stat: &Stat) -> SystemTime {
    let seconds = Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or(0));
    let rest = Duration::from_nanos(stat.st_mtime_nsec);
    UNIX_EPOCH.checked_add(seconds).and_then(|time| time.checked_add(rest)).unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn names(folder: &Path) -> Vec<String> {
        let found = Tree::open(folder).unwrap().files(Path::new(""), |_| true).unwrap();
        found.iter().map(|file| file.path.display().to_string()).collect()
    }

    #[test]
    fn links_inside_are_followed_and_others_are_not_there() {
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let at = |name: &str| inside.path().join(name);
        fs::write(outside.path().join("secret.py"), "").unwrap();
        fs::create_dir_all(at("real/deep")).unwrap();
        fs::write(at("real/a.py"), "1").unwrap();
        symlink("real/a.py", at("same.py")).unwrap();
        symlink("real", at("alias")).unwrap();
        symlink("..", at("real/deep/up")).unwrap();
        symlink(outside.path().join("secret.py"), at("secret.py")).unwrap();
        symlink(outside.path(), at("outside")).unwrap();
        symlink("/sys", at("sys")).unwrap();
        symlink("/proc/self/root", at("magic")).unwrap();
        symlink("gone", at("gone")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, at("fifo.py"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert_eq!(names(inside.path()), ["alias/a.py", "real/a.py", "same.py"]);
        let tree = Tree::open(inside.path()).unwrap();
        assert!(tree.open_file(Path::new("same.py")).is_ok());
        for name in ["secret.py", "outside/secret.py", "fifo.py", "../x", "real"] {
            assert!(tree.open_file(Path::new(name)).is_err(), "{name}");
        }
    }

    #[test]
    fn a_folder_of_too_much_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("d/".repeat(MOST_DEPTH + 1))).unwrap();
        let told = Tree::open(folder.path()).unwrap().files(Path::new(""), |_| true).unwrap_err();
        assert!(told.contains("32 folders"), "{told}");
        // Each folder has links to folders beside it: 2^32 paths.
        let knot = tempfile::tempdir().unwrap();
        for name in 0..MOST_DEPTH {
            let place = knot.path().join(name.to_string());
            fs::create_dir(&place).unwrap();
            for (link, step) in [("a", 1), ("b", 2)] {
                symlink(format!("../{}", name + step), place.join(link)).unwrap();
            }
        }
        let told = Tree::open(knot.path()).unwrap().files(Path::new(""), |_| true).unwrap_err();
        assert!(told.contains("below it"), "{told}");
    }
}
