//! The deployed components of an app, in a folder of the host: which one is served, what each replaced, and which go.
//!
//! The file that the host file names stays what the operator put there. It is a version as well: the first one, and again whenever the
//! operator replaces it.

use crate::util::cache_files;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The first digits of the hash of a component.
pub const ID: usize = 12;
const RECORD: &str = "versions.json";

/// The folder of one app.
#[derive(Debug, Clone)]
pub struct VersionStore {
    folder: PathBuf,
}

/// What the folder says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The deployed version that is served; None for the app's own file.
    pub current: Option<String>,
    /// The version that the app's own file was when `current` was chosen. A file that is another one since then is served.
    pub file: String,
    /// Nothing replaces the version that is served.
    #[serde(default)]
    pub pinned: bool,
    /// Oldest first.
    #[serde(default)]
    pub deployed: Vec<Deployed>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployed {
    pub id: String,
    /// In seconds since the epoch.
    pub at: u64,
    /// The version that it replaced; None for the app's own file.
    pub before: Option<String>,
}

impl Record {
    pub fn find(&self, id: &str) -> Option<&Deployed> {
        self.deployed.iter().find(|version| version.id == id)
    }

    /// A version was deployed. Deployed again, it is the newest one, and returns to what it replaces now.
    pub fn add(&mut self, id: &str, at: u64) {
        let replaced = self.current.clone().filter(|current| current != id);
        let before = match self.find(id) {
            Some(known) if replaced.is_none() => known.before.clone(),
            _ => replaced,
        };
        self.leave_out(id);
        self.deployed.push(Deployed { id: id.to_owned(), at, before });
        self.current = Some(id.to_owned());
    }

    /// The version before the one that is served: `Some(None)` is the app's own file. None if there is none.
    pub fn earlier(&self) -> Option<Option<String>> {
        self.find(self.current.as_ref()?).map(|served| served.before.clone())
    }

    /// Take out the oldest versions until `most` are left; returns them. The one that is served stays.
    pub fn prune(&mut self, most: usize) -> Vec<String> {
        let mut gone = Vec::new();
        while self.deployed.len() > most {
            let served = self.current.as_deref();
            let Some(oldest) = self.deployed.iter().find(|version| Some(version.id.as_str()) != served)
            else {
                break;
            };
            let id = oldest.id.clone();
            self.leave_out(&id);
            gone.push(id);
        }
        gone
    }

    /// Those that replaced it return to what it had replaced.
    fn leave_out(&mut self, id: &str) {
        let Some(place) = self.deployed.iter().position(|version| version.id == id) else { return };
        let Deployed { before, .. } = self.deployed.remove(place);
        for later in self.deployed.iter_mut().filter(|later| later.before.as_deref() == Some(id)) {
            later.before = before.clone().filter(|before| *before != later.id);
        }
    }
}

impl VersionStore {
    /// `root`: the folder of all versions of a host; `host_file`: tells its apps from those of other hosts.
    pub fn new(root: &Path, host_file: &Path, app: &str) -> Self {
        let whole = host_file.canonicalize().unwrap_or_else(|_| host_file.to_owned());
        let host = &cache_files::digest(whole.as_os_str().as_encoded_bytes())[..ID];
        Self { folder: root.join(host).join(cache_files::digest(app.as_bytes())) }
    }

    /// Where the component of a version is.
    pub fn component(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.wasm"))
    }

    /// A new name for a component that is being received.
    pub fn incoming(&self, number: u64) -> io::Result<PathBuf> {
        cache_files::private_folder(&self.folder)?;
        Ok(self.folder.join(format!("{}-{number}.incoming.wasm", std::process::id())))
    }

    /// Errors are sentences for people.
    pub fn read(&self) -> Result<Record, String> {
        let path = self.folder.join(RECORD);
        match fs::read_to_string(&path) {
            Ok(text) => {
                serde_json::from_str(&text).map_err(|e| format!("{} is damaged: {e}", path.display()))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Record::default()),
            Err(e) => Err(format!("{}: {e}", path.display())),
        }
    }

    /// Errors are sentences for people.
    pub fn write(&self, record: &Record) -> Result<(), String> {
        let path = self.folder.join(RECORD);
        let failed = |e: io::Error| format!("{} cannot be stored: {e}", path.display());
        cache_files::private_folder(&self.folder).map_err(failed)?;
        let text = serde_json::to_vec_pretty(record).map_err(|e| e.to_string())?;
        cache_files::write_private(&path, &text).map_err(failed)
    }

    /// Give a received component its name.
    pub fn keep(&self, incoming: &Path, id: &str) -> Result<(), String> {
        let place = self.component(id);
        fs::rename(incoming, &place).map_err(|e| format!("{} cannot be stored: {e}", place.display()))
    }

    /// Remove components of versions that are gone.
    pub fn remove(&self, ids: &[String]) {
        for id in ids {
            let _ = fs::remove_file(self.component(id));
        }
    }

    /// Remove what interrupted deployments left.
    pub fn sweep(&self) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(start) = name.strip_suffix(".incoming.wasm") else { continue };
            if !start.split('-').next().is_some_and(cache_files::is_alive) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ids: &[&str]) -> Record {
        let mut record = Record::default();
        ids.iter().zip(1..).for_each(|(id, at)| record.add(id, at));
        record
    }

    fn ids(record: &Record) -> Vec<&str> {
        record.deployed.iter().map(|version| version.id.as_str()).collect()
    }

    /// The versions that one rollback after the other leads to.
    fn back(record: &Record) -> Vec<Option<String>> {
        let mut record = record.clone();
        std::iter::from_fn(|| {
            record.current = record.earlier()?;
            Some(record.current.clone())
        })
        .take(20)
        .collect()
    }

    fn some(ids: &[&str]) -> Vec<Option<String>> {
        ids.iter().map(|id| Some((*id).to_owned())).chain([None]).collect()
    }

    #[test]
    fn a_rollback_leads_further_back_each_time() {
        assert_eq!(back(&of(&[])), [] as [Option<String>; 0]);
        let mut record = of(&["a", "b", "c"]);
        assert_eq!(back(&record), some(&["b", "a"]));
        // What is deployed after a rollback returns to what was served then.
        record.current = Some("a".to_owned());
        record.add("d", 4);
        assert_eq!((ids(&record), back(&record)), (vec!["a", "b", "c", "d"], some(&["a"])));
    }

    #[test]
    fn a_version_that_is_deployed_again_is_the_newest() {
        let record = of(&["a", "b", "a"]);
        assert_eq!((ids(&record), back(&record)), (vec!["b", "a"], some(&["b"])));
        let record = of(&["a", "b", "b"]);
        assert_eq!((ids(&record), back(&record)), (vec!["a", "b"], some(&["a"])));
    }

    #[test]
    fn the_oldest_go_and_the_one_that_is_served_stays() {
        let mut record = of(&["a", "b", "c", "d"]);
        assert_eq!(record.prune(2), ["a", "b"]);
        assert_eq!((ids(&record), back(&record)), (vec!["c", "d"], some(&["c"])));
        let mut record = of(&["a", "b", "c", "d"]);
        record.current = Some("a".to_owned());
        assert_eq!(record.prune(1), ["b", "c", "d"]);
        assert_eq!(ids(&record), ["a"]);
        let mut record = of(&["a", "b", "c", "d"]);
        record.current = Some("c".to_owned());
        assert_eq!(record.prune(0), ["a", "b", "d"]);
        assert_eq!(back(&record), [None]);
    }

    #[test]
    fn a_record_is_kept_and_damage_is_named() {
        let root = tempfile::tempdir().unwrap();
        let store = VersionStore::new(root.path(), Path::new("/etc/host.toml"), "../shop");
        assert_eq!(store.read().unwrap(), Record::default());
        let record = of(&["a", "b"]);
        store.write(&record).unwrap();
        assert_eq!(store.read().unwrap(), record);
        let incoming = store.incoming(1).unwrap();
        fs::write(&incoming, "component").unwrap();
        store.sweep();
        store.keep(&incoming, "b").unwrap();
        assert_eq!(fs::read_to_string(store.component("b")).unwrap(), "component");
        fs::write(store.folder.join("0-1.incoming.wasm"), "").unwrap();
        store.sweep();
        store.remove(&["b".to_owned()]);
        assert_eq!(fs::read_dir(&store.folder).unwrap().count(), 1);
        fs::write(store.folder.join(RECORD), "{").unwrap();
        assert!(store.read().unwrap_err().contains("is damaged"));
        let other = VersionStore::new(root.path(), Path::new("/etc/other.toml"), "../shop");
        assert_ne!(other.folder, store.folder);
        assert!(other.folder.starts_with(root.path()));
    }
}
