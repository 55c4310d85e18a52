//! Files that the program carries: their hash, and how they are written to a folder.

use crate::util::cache_files;
use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::Path;

/// A relative path, and what is in the file.
pub type Carried = (Cow<'static, str>, Cow<'static, [u8]>);

/// A hash of names and contents.
pub fn digest(files: impl Iterator<Item = Carried>) -> String {
    let mut all = Vec::new();
    for (name, content) in files {
        for part in [name.as_bytes(), b"\0", &content, b"\0"] {
            all.extend_from_slice(part);
        }
    }
    cache_files::digest(&all)
}

/// Write them below a folder.
pub fn write(folder: &Path, files: impl Iterator<Item = Carried>) -> io::Result<()> {
    for (name, content) in files {
        let path = folder.join(&*name);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(path, content)?;
    }
    Ok(())
}
