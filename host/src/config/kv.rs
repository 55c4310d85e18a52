//! Stores of keys and values that an app is granted, by the names that it knows them by.

use crate::config::databases;
use std::path::{Path, PathBuf};

/// One `NAME=FILE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvGrant {
    /// As the app says.
    pub name: String,
    /// A file of its own, which need not exist.
    pub file: PathBuf,
}

impl KvGrant {
    /// `main=app.kv`. The error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, file) = text.split_once('=').ok_or("a store is NAME=FILE, like main=app.kv")?;
        Self::new(name, file, Path::new(""))
    }

    /// A file is relative to `folder`. The error is a sentence.
    pub fn new(name: &str, file: &str, folder: &Path) -> Result<Self, String> {
        databases::check_name("store", name)?;
        if file.is_empty() || file.contains("://") {
            return Err(format!("the store {name} is not in a file, like app.kv"));
        }
        Ok(Self { name: name.to_owned(), file: folder.join(file) })
    }

    /// The one that an app of a developer has if nothing was granted.
    pub fn beside(app: &Path) -> Self {
        Self { name: "main".to_owned(), file: app.with_extension("kv") }
    }
}

/// Check that no name is given twice, and that no app can write to the folder of a store. The error is a sentence.
pub fn check<'p>(grants: &[KvGrant], writable: impl Iterator<Item = &'p Path> + Clone) -> Result<(), String> {
    for (index, grant) in grants.iter().enumerate() {
        if grants[..index].iter().any(|other| other.name == grant.name) {
            return Err(format!("the store {} is granted twice", grant.name));
        }
        databases::apart_file(&grant.name, &grant.file, writable.clone())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_name_files() {
        assert_eq!(KvGrant::parse("main=/srv/app.kv").unwrap().file, Path::new("/srv/app.kv"));
        for wrong in ["main", "=a", "a b=c", "main=", "main=redis://host"] {
            assert!(KvGrant::parse(wrong).is_err(), "{wrong}");
        }
        let twice = ["a=1", "a=2"].map(|text| KvGrant::parse(text).unwrap());
        assert!(check(&twice, [].into_iter()).unwrap_err().contains("twice"));
    }
}
