//! Stores of keys and values that an app is granted, by the names that it knows them by.

use crate::config::databases::{self, Url};
use std::path::{Path, PathBuf};

/// One `NAME=FILE` or `NAME=redis://…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvGrant {
    /// As the app says.
    pub name: String,
    pub place: KvPlace,
}

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KvPlace {
    /// A file of its own, which need not exist.
    File(PathBuf),
    /// A Redis or Valkey server.
    Redis(Url),
}

impl KvGrant {
    /// `main=app.kv` or `main=redis://host/0`. The error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, file) =
            text.split_once('=').ok_or("a store is NAME=FILE or NAME=redis://…, like main=app.kv")?;
        Self::new(name, file, Path::new(""))
    }

    /// A file is relative to `folder`; `env:NAME` is the value of this environment variable. The error is a sentence.
    pub fn new(name: &str, file: &str, folder: &Path) -> Result<Self, String> {
        databases::check_name("store", name)?;
        let file = databases::value(&format!("the store {name}"), file)?;
        let file = file.strip_prefix("sqlite:").unwrap_or(&file).to_owned();
        let is_server =
            ["redis://", "rediss://", "unix://", "redis+unix://"].iter().any(|s| file.starts_with(s));
        // Another kind of place, and no folder of that name.
        let is_url = file.split('/').next().is_some_and(|first| first.contains(':'));
        if file.is_empty() || is_url && !is_server {
            return Err(format!("the store {name} is neither in a file, like app.kv, nor at redis://…"));
        }
        let place = if is_server { KvPlace::Redis(Url(file)) } else { KvPlace::File(folder.join(file)) };
        Ok(Self { name: name.to_owned(), place })
    }

    /// The one that an app of a developer has if nothing was granted.
    pub fn beside(app: &Path) -> Self {
        Self { name: "main".to_owned(), place: KvPlace::File(app.with_extension("kv")) }
    }
}

/// Check that no name is given twice, and that no app can write to the folder of a store. The error is a sentence.
pub fn check<'p>(grants: &[KvGrant], writable: impl Iterator<Item = &'p Path> + Clone) -> Result<(), String> {
    for (index, grant) in grants.iter().enumerate() {
        if grants[..index].iter().any(|other| other.name == grant.name) {
            return Err(format!("the store {} is granted twice", grant.name));
        }
        if let KvPlace::File(file) = &grant.place {
            databases::apart_file(&grant.name, file, writable.clone())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_name_files() {
        let place = |text: &str| KvGrant::parse(text).unwrap().place;
        assert_eq!(place("main=/srv/app.kv"), KvPlace::File("/srv/app.kv".into()));
        assert!(matches!(place("main=rediss://:secret@host/1"), KvPlace::Redis(_)));
        for wrong in ["main", "=a", "a b=c", "main=", "main=http://host"] {
            assert!(KvGrant::parse(wrong).is_err(), "{wrong}");
        }
        let twice = ["a=1", "a=2"].map(|text| KvGrant::parse(text).unwrap());
        assert!(check(&twice, [].into_iter()).unwrap_err().contains("twice"));
    }
}
