//! Opens granted folders. No link that an app may have made leads the host anywhere.
//!
//! An app that may write to a folder can put a link where the folder of another grant was, and the host would grant what
//! the link points to. So below a folder that apps may write to, no link is followed.

use rustix::fd::OwnedFd;
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat, readlinkat};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

/// More links on one path are taken for a loop.
const MOST_LINKS: usize = 40;

/// A folder, whatever its name: device and inode.
pub type Identity = (u64, u64);

pub fn identity(folder: &OwnedFd) -> io::Result<Identity> {
    let stat = fstat(folder)?;
    Ok((stat.st_dev, stat.st_ino))
}

/// A step on the way to a folder.
struct Step {
    folder: OwnedFd,
    /// Apps may write to it.
    is_theirs: bool,
}

/// Open the folder at `place`. The error is a user-facing message.
pub fn open(place: &Path, writable: &BTreeSet<Identity>) -> Result<OwnedFd, String> {
    walk(place, writable).map_err(|why| match why {
        Stopped::Link(link) => format!(
            "{} leads over the link {}, in a folder that an app may write to, so the app could lead the host anywhere: \
             put a folder in its place",
            place.display(),
            link.display()
        ),
        Stopped::Other(Errno::NOENT | Errno::NOTDIR) => format!("{} is no folder", place.display()),
        Stopped::Other(error) => format!("{}: {error}", place.display()),
    })
}

enum Stopped {
    Link(PathBuf),
    Other(Errno),
}

impl From<Errno> for Stopped {
    fn from(error: Errno) -> Self {
        Self::Other(error)
    }
}

fn walk(place: &Path, writable: &BTreeSet<Identity>) -> Result<OwnedFd, Stopped> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = || openat(CWD, "/", flags, Mode::empty());
    let place = std::path::absolute(place).map_err(|_| Errno::NOENT)?;
    // What is left of the path, last part first.
    let mut left: Vec<OsString> = parts(&place);
    let mut here = step(root()?, false, writable)?;
    let mut above: Vec<Step> = Vec::new();
    let mut links = 0;
    while let Some(part) = left.pop() {
        if part == "/" {
            above.clear();
            here = step(root()?, false, writable)?;
        } else if part == ".." {
            here = above.pop().unwrap_or(here);
        } else {
            let found = openat(&here.folder, part.as_os_str(), flags, Mode::empty())?;
            match FileType::from_raw_mode(fstat(&found)?.st_mode) {
                FileType::Directory => {
                    let below = step(found, here.is_theirs, writable)?;
                    above.push(std::mem::replace(&mut here, below));
                }
                FileType::Symlink if here.is_theirs => return Err(Stopped::Link(part.into())),
                FileType::Symlink => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(Errno::LOOP.into());
                    }
                    let target = readlinkat(&found, "", Vec::new())?;
                    left.extend(parts(Path::new(&OsString::from_vec(target.into_bytes()))));
                }
                _ => return Err(Errno::NOTDIR.into()),
            }
        }
    }
    Ok(here.folder)
}

fn step(folder: OwnedFd, is_theirs: bool, writable: &BTreeSet<Identity>) -> Result<Step, Stopped> {
    let stat = fstat(&folder)?;
    Ok(Step { folder, is_theirs: is_theirs || writable.contains(&(stat.st_dev, stat.st_ino)) })
}

/// The parts of a path, last first: `/`, `..` and names.
fn parts(path: &Path) -> Vec<OsString> {
    let part = |component: Component<'_>| -> Option<OsString> {
        match component {
            Component::CurDir | Component::Prefix(_) => None,
            other => Some(OsStr::to_owned(other.as_os_str())),
        }
    };
    path.components().rev().filter_map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn seen(place: &Path, writable: &[&Path]) -> Result<Identity, String> {
        let id = |path: &&Path| identity(&openat(CWD, *path, OFlags::PATH, Mode::empty()).unwrap()).unwrap();
        open(place, &writable.iter().map(id).collect()).map(|folder| identity(&folder).unwrap())
    }

    #[test]
    fn links_are_followed_only_where_no_app_can_make_them() {
        let scratch = tempfile::tempdir().unwrap();
        let at = |path: &str| scratch.path().join(path);
        for folder in ["data/sub/deep", "secret/deep", "else"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        fs::write(at("data/file"), "").unwrap();
        symlink(at("data"), at("to-data")).unwrap();
        symlink("data/sub/../..", at("back")).unwrap();
        symlink(at("secret"), at("data/out")).unwrap();
        symlink("sub", at("data/within")).unwrap();
        symlink("round", at("round")).unwrap();
        let data = at("data");
        let same = |one: &str, other: &str, writable: &[&Path]| {
            assert_eq!(seen(&at(one), writable), seen(&at(other), &[]), "{one} is {other}");
        };
        for writable in [&[][..], &[data.as_path()]] {
            same("to-data/sub", "data/sub", writable);
            same("data/sub/../sub/deep", "data/sub/deep", writable);
            same("data/../else", "else", writable);
            same("back/secret", "secret", writable);
            for missing in ["none", "data/file", "data/file/x", "data/none"] {
                assert!(seen(&at(missing), writable).unwrap_err().ends_with("is no folder"), "{missing}");
            }
            assert!(seen(&at("round"), writable).is_err());
        }
        same("data/out", "secret", &[]);
        same("data/within/deep", "data/sub/deep", &[]);
        for link in
            ["data/out", "data/out/deep", "to-data/out", "data/within", "data/sub/../out", "back/data/out"]
        {
            let refused = seen(&at(link), &[&data]).unwrap_err();
            assert!(refused.contains("leads over the link"), "{link}: {refused}");
        }
        same("data/out", "secret", &[&at("else")]);
        assert!(seen(&at("data/sub/deep"), &[&at("data/sub")]).is_ok());
    }
}
