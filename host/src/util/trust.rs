//! Files that nobody else can have written. What the host runs, and what says what it runs, it takes from such files only.

use rustix::fs::OFlags;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// The bits of a mode that let others write.
const OTHERS: u32 = 0o022;
/// In such a folder, others cannot rename or delete what is not theirs.
const STICKY: u32 = 0o1000;

/// Open a regular file that only this user, or root, can have written. A link is not followed.
pub fn open_own(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() || !is_owned(&meta) || meta.mode() & OTHERS != 0 {
        return Err(denied(format!("others may have written {}: delete it", path.display())));
    }
    Ok(file)
}

/// The content of such a file.
pub fn read_own(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    open_own(path)?.read_to_end(&mut content)?;
    Ok(content)
}

/// Check that only this user, or root, can put something at `folder` or into it: it and the folders above it belong to
/// them, and others may not write there.
pub fn check_folder(folder: &Path) -> io::Result<()> {
    // The names as they were given lead through links, which are checked like folders.
    for path in [std::path::absolute(folder)?, folder.canonicalize()?] {
        for (height, place) in path.ancestors().enumerate() {
            let meta = fs::symlink_metadata(place)?;
            let is_closed =
                meta.is_symlink() || meta.mode() & OTHERS == 0 || height > 0 && meta.mode() & STICKY != 0;
            if !is_owned(&meta) || !is_closed {
                return Err(denied(format!(
                    "others may write to {}, and the host runs code from {}: give --cache a folder that belongs to you, \
                     as do those above it, and that others cannot write to",
                    place.display(),
                    folder.display()
                )));
            }
        }
    }
    Ok(())
}

/// Whether everything below `folder` is this user's, or root's, and nobody else can write there.
pub fn is_own_tree(folder: &Path) -> bool {
    walk(folder, &mut |_, meta| Ok(is_owned(meta) && (meta.is_symlink() || meta.mode() & OTHERS == 0)))
        .unwrap_or(false)
}

/// Take the right to write to anything below `folder` from others.
pub fn close_tree(folder: &Path) -> io::Result<()> {
    let close = &mut |path: &Path, meta: &Metadata| {
        if !meta.is_symlink() && meta.mode() & OTHERS != 0 {
            fs::set_permissions(path, fs::Permissions::from_mode(meta.mode() & 0o7777 & !OTHERS))?;
        }
        Ok(true)
    };
    walk(folder, close).map(|_| ())
}

/// Visit a folder and all below it, until `visit` says no. Links are not followed.
fn walk(folder: &Path, visit: &mut impl FnMut(&Path, &Metadata) -> io::Result<bool>) -> io::Result<bool> {
    let mut left = vec![folder.to_owned()];
    while let Some(path) = left.pop() {
        let meta = fs::symlink_metadata(&path)?;
        if !visit(&path, &meta)? {
            return Ok(false);
        }
        if meta.is_dir() {
            for entry in fs::read_dir(&path)? {
                left.push(entry?.path());
            }
        }
    }
    Ok(true)
}

fn is_owned(meta: &Metadata) -> bool {
    meta.uid() == 0 || meta.uid() == rustix::process::geteuid().as_raw()
}

fn denied(problem: String) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_others_may_have_written_is_not_read() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("file");
        fs::write(&file, "own").unwrap();
        set(&file, 0o644);
        assert_eq!(read_own(&file).unwrap(), b"own");
        for mode in [0o664, 0o646, 0o666] {
            set(&file, mode);
            assert!(read_own(&file).is_err(), "{mode:o}");
        }
        set(&file, 0o600);
        let link = scratch.path().join("link");
        symlink(&file, &link).unwrap();
        assert!(read_own(&link).is_err());
        assert!(read_own(scratch.path()).is_err());
        // Only root may give a file away.
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&file, Some(65534), None).unwrap();
            assert!(read_own(&file).is_err());
        }
    }

    #[test]
    fn a_folder_is_judged_with_all_above_it() {
        let scratch = tempfile::tempdir().unwrap();
        let (outer, inner) = (scratch.path().join("outer"), scratch.path().join("outer/inner"));
        fs::create_dir_all(&inner).unwrap();
        set(&outer, 0o755);
        set(&inner, 0o700);
        check_folder(&inner).unwrap();
        let link = scratch.path().join("link");
        symlink(&outer, &link).unwrap();
        check_folder(&link.join("inner")).unwrap();
        set(&outer, 0o1777);
        check_folder(&inner).unwrap();
        for (folder, mode) in [(&outer, 0o775), (&outer, 0o757), (&inner, 0o770), (&inner, 0o1777)] {
            set(folder, mode);
            let refused = check_folder(&inner).unwrap_err().to_string();
            assert!(
                refused.contains(&folder.display().to_string()) && refused.contains("--cache"),
                "{refused}"
            );
            assert!(check_folder(&link.join("inner")).is_err());
            set(&outer, 0o755);
            set(&inner, 0o700);
        }
    }

    #[test]
    fn a_tree_is_closed_to_others() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("sub/file");
        fs::create_dir(scratch.path().join("sub")).unwrap();
        fs::write(&file, "").unwrap();
        symlink("/", scratch.path().join("link")).unwrap();
        set(&file, 0o777);
        assert!(!is_own_tree(scratch.path()));
        close_tree(scratch.path()).unwrap();
        assert!(is_own_tree(scratch.path()));
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o755);
        assert!(!is_own_tree(&scratch.path().join("none")));
    }
}
