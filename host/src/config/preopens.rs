//! Preopens: the folders that `--files` grants to an app, and their names inside the app.

use crate::config::app_source::APP_FOLDER;
use crate::config::granted_folder::{self, Identity};
use crate::config::limit_name;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use std::collections::BTreeSet;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folders that an app may access. They are opened once: what is renamed or linked later changes no grant.
#[derive(Debug, Clone, Default)]
pub struct Preopens(Vec<Granted>);

/// A folder that is open.
#[derive(Debug, Clone)]
pub struct Granted {
    preopen: Preopen,
    pub folder: Arc<OwnedFd>,
}

impl Deref for Granted {
    type Target = Preopen;

    fn deref(&self) -> &Preopen {
        &self.preopen
    }
}

impl Granted {
    /// A path that leads to the open folder, whatever its name leads to by now. For `wasmtime_wasi`, which takes no folder
    /// that is open.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.folder.as_raw_fd()))
    }
}

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
fn grant_of(preopen: &Preopen) -> String {
    let name = &preopen.name;
    let flag = if preopen.write { "--write" } else { "--files" };
    let key = format!("[app.NAME.files] \"{name}\"");
    limit_name::pick(&format!("{flag} {name}"), &key, &format!("AppConfig::preopens {name}"))
}

fn open(preopen: &Preopen, writable: &BTreeSet<Identity>) -> Result<OwnedFd, String> {
    let opened = granted_folder::open(&preopen.place, writable);
    opened.map_err(|why| format!("{}: {why}", grant_of(preopen)))
}

impl Preopens {
    /// Open the folders. Below those that the app may write to, no link is followed: the app could have made it. The
    /// error names such a link, a missing folder, or a duplicate name.
    pub fn new(folders: Vec<Preopen>) -> Result<Self, String> {
        let mut granted = Vec::with_capacity(folders.len());
        for preopen in folders {
            if granted.iter().any(|other: &Granted| other.name == preopen.name) {
                return Err(format!("{} is given twice", grant_of(&preopen)));
            }
            let folder = open(&preopen, &BTreeSet::new())?.into();
            granted.push(Granted { preopen, folder });
        }
        let mut opened = Self(granted);
        let writable = opened.writable().map_err(|e| e.to_string())?;
        opened.reopen(&writable)?;
        Ok(opened)
    }

    /// The paths of the folders that the app may write to.
    pub(crate) fn places_to_write(&self) -> impl Iterator<Item = &Path> + Clone {
        self.0.iter().filter(|folder| folder.write).map(|folder| folder.place.as_path())
    }

    /// The folders that the app may write to.
    pub(crate) fn writable(&self) -> io::Result<BTreeSet<Identity>> {
        let written = self.0.iter().filter(|folder| folder.write);
        written.map(|folder| granted_folder::identity(&folder.folder)).collect()
    }

    /// Open the folders again, where apps may write to the folders `writable`.
    pub(crate) fn reopen(&mut self, writable: &BTreeSet<Identity>) -> Result<(), String> {
        for granted in &mut self.0 {
            granted.folder = open(&granted.preopen, writable)?.into();
        }
        Ok(())
    }

    /// With the folder of the app's own files, where it has them during a build. It comes first: so the guest's C library knows its
    /// descriptor from the build.
    pub(crate) fn with_own(&self, folder: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = Arc::new(rustix::fs::open(folder, flags, Mode::empty())?);
        let preopen = Preopen { name: APP_FOLDER.to_owned(), place: folder.to_owned(), write: false };
        let own = Granted { preopen, folder: open };
        Ok(Self([own].into_iter().chain(self.0.iter().cloned()).collect()))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Granted> {
        self.0.iter()
    }

    /// The innermost folder that contains a path of the app, and the rest of the path. `None` if no folder contains it,
    /// or if it has `..` or a NUL.
    pub fn find<'p>(&self, path: &'p str) -> Option<(&Granted, &'p Path)> {
        if path.contains('\0') || path.split('/').any(|part| part == "..") {
            return None;
        }
        let within = |folder: &&Granted| {
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
        let scratch = tempfile::tempdir().unwrap();
        let grant = |name: &str| {
            let place = scratch.path().join(name[1..].replace('/', "-"));
            std::fs::create_dir_all(&place).unwrap();
            Preopen::parse(&format!("{name}={}", place.display())).unwrap()
        };
        let folders = Preopens::new(["/data", "/data/more", "/x/"].map(grant).into()).unwrap();
        let found =
            |path: &str| folders.find(path).map(|(folder, rest)| (folder.name.clone(), rest.to_owned()));
        let place = |name: &str, rest: &str| Some((name.to_owned(), PathBuf::from(rest)));
        assert_eq!(found("/data/f"), place("/data", "f"));
        assert_eq!(found("/data//f/g"), place("/data", "f/g"));
        assert_eq!(found("/data/more/f"), place("/data/more", "f"));
        assert_eq!(found("/x/f"), place("/x", "f"));
        for path in
            ["/data", "/data/", "/dataf", "/other/f", "data/f", "", "/data/../x", "/data/a\0", "/data/.."]
        {
            assert_eq!(found(path), None, "{path}");
        }
        for text in ["data=/a", "/=/a", "/data", "/data=", "/a/../b=/a", "/0=/a", "/python=/a"] {
            assert!(Preopen::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_grant_is_a_folder_and_not_a_name() {
        let scratch = tempfile::tempdir().unwrap();
        let at = |path: &str| scratch.path().join(path);
        let marked = |place: &str| {
            std::fs::create_dir_all(at(place)).unwrap();
            std::fs::write(at(place).join("mark"), place).unwrap();
        };
        ["outer/inner", "secret"].into_iter().for_each(marked);
        let grants = || {
            let outer = Preopen::new("/data", &at("outer"), true).unwrap();
            Preopens::new(vec![Preopen::new("/data/inner", &at("outer/inner"), false).unwrap(), outer])
        };
        let opened = grants().unwrap();
        std::fs::rename(at("outer/inner"), at("outer/moved")).unwrap();
        std::os::unix::fs::symlink(at("secret"), at("outer/inner")).unwrap();
        let read = |folders: &Preopens| {
            let (folder, rest) = folders.find("/data/inner/mark").unwrap();
            std::fs::read_to_string(folder.path().join(rest)).unwrap()
        };
        assert_eq!(read(&opened), "outer/inner");
        let refused = grants().unwrap_err();
        assert!(refused.contains("/data/inner: ") && refused.contains("leads over the link"), "{refused}");
        // Of another app.
        let inner = Preopen::new("/data/inner", &at("outer/inner"), false).unwrap();
        let mut alone = Preopens::new(vec![inner]).unwrap();
        assert_eq!(read(&alone), "secret");
        assert!(alone.reopen(&opened.writable().unwrap()).is_err());
    }
}
