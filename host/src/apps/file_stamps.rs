//! Modification time and size of each file of an app, to detect changes without reading the files.

use crate::config::app_source::sources;
use crate::config::origin::Origin;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// By path; None for a missing file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileStamps(BTreeMap<PathBuf, Option<(Option<SystemTime>, u64)>>);

impl FileStamps {
    /// The Python files below a folder. An unreadable folder looks empty; loading the app then says why.
    pub fn of_folder(folder: &Path) -> Self {
        Self::of_files(sources(folder).unwrap_or_default())
    }

    /// The files of an app, from any kind of source.
    pub fn of_origin(origin: &Origin) -> Self {
        match origin.app_ref() {
            Ok(app) if origin.is_python() => Self::of_folder(&app.folder),
            _ => Self::of_files(vec![origin.path.clone()]),
        }
    }

    fn of_files(files: Vec<PathBuf>) -> Self {
        let stamp = |path: PathBuf| {
            let meta = fs::metadata(&path).ok();
            (path, meta.map(|meta| (meta.modified().ok(), meta.len())))
        };
        Self(files.into_iter().map(stamp).collect())
    }

    /// The names of the files that differ, relative to `folder`, as a user-facing text.
    pub fn changes(&self, newer: &Self, folder: &Path) -> String {
        let (old, new) = (&self.0, &newer.0);
        let differs = |path: &&PathBuf| old.get(*path) != new.get(*path);
        let mut names: Vec<_> = old.keys().chain(new.keys()).filter(differs).collect();
        names.sort();
        names.dedup();
        let names: Vec<_> = names
            .iter()
            .map(|path| path.strip_prefix(folder).unwrap_or(path).display().to_string())
            .collect();
        match names.as_slice() {
            [one, two, three, rest @ ..] if !rest.is_empty() => {
                format!("{one}, {two}, {three} and {} more", rest.len())
            }
            few => few.join(", "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_named_and_a_long_list_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("a.py", "1");
        let before = FileStamps::of_folder(folder.path());
        assert_eq!(before, FileStamps::of_folder(folder.path()));
        write("a.py", "1 + 1");
        write("b.py", "");
        assert_eq!(before.changes(&FileStamps::of_folder(folder.path()), folder.path()), "a.py, b.py");
        for name in ["c.py", "d.py", "e.py"] {
            write(name, "");
        }
        let many = before.changes(&FileStamps::of_folder(folder.path()), folder.path());
        assert_eq!(many, "a.py, b.py, c.py and 2 more");
    }
}
