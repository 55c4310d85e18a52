//! Modification time and size of each file of an app, to detect changes without reading the files.

use crate::builder::app_files::AppFiles;
use crate::config::app_source::AppRef;
use crate::config::origin::Origin;
use crate::util::tree::Found;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// By path; None for a missing file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileStamps(BTreeMap<PathBuf, Option<(Option<SystemTime>, u64)>>);

impl FileStamps {
    /// The files of an app. An unreadable folder looks empty; loading the app then says why.
    pub fn of_app(app: &AppRef) -> Self {
        let Ok(files) = AppFiles::of(app) else { return Self::default() };
        let stamp = |file: &Found| (file.path.clone(), Some((Some(file.modified), file.size)));
        Self(files.iter().map(stamp).collect())
    }

    /// The files of an app, from any kind of source.
    pub fn of_origin(origin: &Origin) -> Self {
        match origin.app_ref() {
            Ok(app) if origin.is_python() => Self::of_app(&app),
            _ => Self::of_file(&origin.path),
        }
    }

    /// Unlike those of any app.
    pub fn unknown() -> Self {
        Self([(PathBuf::new(), None)].into())
    }

    /// Of all files, in bytes.
    pub fn size(&self) -> u64 {
        self.0.values().flatten().fold(0, |sum, (_, size)| sum.saturating_add(*size))
    }

    fn of_file(path: &Path) -> Self {
        let stamp = fs::metadata(path).ok().map(|meta| (meta.modified().ok(), meta.len()));
        Self([(path.to_owned(), stamp)].into())
    }

    /// The names of the files that differ, as a user-facing text.
    pub fn changes(&self, newer: &Self) -> String {
        let (old, new) = (&self.0, &newer.0);
        let differs = |path: &&PathBuf| old.get(*path) != new.get(*path);
        let mut names: Vec<_> = old.keys().chain(new.keys()).filter(differs).collect();
        names.sort();
        names.dedup();
        let names: Vec<_> = names.iter().map(|path| path.display().to_string()).collect();
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
    use crate::config::app_source::Root;

    #[test]
    fn changes_are_named_and_a_long_list_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("a.py", "1");
        let app = AppRef::new(&folder.path().join("a.py"), None, &Root::Own).unwrap();
        let before = FileStamps::of_app(&app);
        assert_eq!(before, FileStamps::of_app(&app));
        write("a.py", "1 + 1");
        write("b.py", "");
        assert_eq!(before.changes(&FileStamps::of_app(&app)), "a.py, b.py");
        for name in ["c.py", "d.py", "e.py"] {
            write(name, "");
        }
        let many = before.changes(&FileStamps::of_app(&app));
        assert_eq!(many, "a.py, b.py, c.py and 2 more");
    }
}
