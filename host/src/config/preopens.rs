//! Preopens: the folders that `--files` grants to an app, and their names inside the app.

use crate::config::limit_name;
use std::path::{Path, PathBuf};

/// The folders that an app may access.
#[derive(Debug, Clone, Default)]
pub struct Preopens(Vec<Preopen>);

/// One `/NAME=FOLDER`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preopen {
    /// The path inside the app: absolute, without a trailing slash.
    pub name: String,
    /// The path on the host.
    pub place: PathBuf,
    /// The app may write to it.
    pub write: bool,
}

impl Preopen {
    /// `/data=./data`, read-only. Errors are sentences for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, place) =
            text.split_once('=').ok_or_else(|| format!("{text:?} is not /NAME=FOLDER, like /data=./data"))?;
        Self::new(name, Path::new(place), false)
    }

    /// The same, writable.
    pub fn parse_writable(text: &str) -> Result<Self, String> {
        Ok(Self { write: true, ..Self::parse(text)? })
    }

    /// Errors are sentences for people.
    pub fn new(name: &str, place: &Path, write: bool) -> Result<Self, String> {
        let wrong = || format!("{name:?} is not a valid folder name in an app: write /data");
        let parts: Vec<_> =
            name.strip_prefix('/').ok_or_else(wrong)?.trim_end_matches('/').split('/').collect();
        if parts.iter().any(|part| matches!(*part, "" | "." | "..")) {
            return Err(wrong());
        }
        // The interpreter and the app occupy these paths during a build.
        if matches!(parts[0], "python" | "world" | "bundled") || parts[0].parse::<u32>().is_ok() {
            return Err(format!("the folder name /{} is reserved: choose another", parts[0]));
        }
        if place.as_os_str().is_empty() {
            return Err(format!("{name} has no folder"));
        }
        Ok(Self { name: format!("/{}", parts.join("/")), place: place.to_owned(), write })
    }
}

/// What grants a folder, as the reader of the message writes it.
fn grant_of(name: &str) -> String {
    let key = format!("[app.NAME.files] \"{name}\"");
    limit_name::pick(&format!("--files {name}"), &key, &format!("AppConfig::preopens {name}"))
}

impl Preopens {
    /// The error names a missing folder, or a duplicate name.
    pub fn new(folders: Vec<Preopen>) -> Result<Self, String> {
        for (index, folder) in folders.iter().enumerate() {
            if !folder.place.is_dir() {
                let named = grant_of(&folder.name);
                return Err(format!("{named}: {} is no folder", folder.place.display()));
            }
            if folders[..index].iter().any(|other| other.name == folder.name) {
                return Err(format!("{} is given twice", grant_of(&folder.name)));
            }
        }
        Ok(Self(folders))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Preopen> {
        self.0.iter()
    }

    /// The innermost folder that contains a path of the app, and the rest of the path. `None` if no folder contains it,
    /// or if it has `..` or a NUL.
    pub fn find<'p>(&self, path: &'p str) -> Option<(&Preopen, &'p Path)> {
        if path.contains('\0') || path.split('/').any(|part| part == "..") {
            return None;
        }
        let within = |folder: &&Preopen| {
            let rest = path.strip_prefix(folder.name.as_str()).and_then(|rest| rest.strip_prefix('/'));
            rest.is_some_and(|rest| !rest.trim_matches('/').is_empty())
        };
        let folder = self.0.iter().filter(within).max_by_key(|folder| folder.name.len())?;
        Some((folder, Path::new(path[folder.name.len()..].trim_start_matches('/'))))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_named_and_found() {
        let folders = Preopens(
            ["/data=/a", "/data/more=/b", "/x/=/c"].map(|text| Preopen::parse(text).unwrap()).into(),
        );
        let found = |path: &str| {
            folders
                .find(path)
                .map(|(folder, rest)| (folder.place.to_str().unwrap().to_owned(), rest.to_owned()))
        };
        let place = |place: &str, rest: &str| Some((place.to_owned(), PathBuf::from(rest)));
        assert_eq!(found("/data/f"), place("/a", "f"));
        assert_eq!(found("/data//f/g"), place("/a", "f/g"));
        assert_eq!(found("/data/more/f"), place("/b", "f"));
        assert_eq!(found("/x/f"), place("/c", "f"));
        for path in
            ["/data", "/data/", "/dataf", "/other/f", "data/f", "", "/data/../x", "/data/a\0", "/data/.."]
        {
            assert_eq!(found(path), None, "{path}");
        }
        for text in ["data=/a", "/=/a", "/data", "/data=", "/a/../b=/a", "/0=/a", "/python=/a"] {
            assert!(Preopen::parse(text).is_err(), "{text}");
        }
    }
}
