//! Databases that an app is granted, by the names that it knows them by.

use std::path::{Path, PathBuf};

/// One `NAME=sqlite:FILE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseGrant {
    /// As the app says.
    pub name: String,
    /// The file of a SQLite database, which need not exist.
    pub file: PathBuf,
    /// Nobody has named it: the log says so when it is first used.
    pub is_default: bool,
}

impl DatabaseGrant {
    /// `main=sqlite:app.db`. The error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, url) = text
            .split_once('=')
            .ok_or_else(|| format!("{text:?} is not NAME=sqlite:FILE, like main=sqlite:app.db"))?;
        Self::new(name, url, Path::new(""))
    }

    /// A file is relative to `folder`. The error is a sentence.
    pub fn new(name: &str, url: &str, folder: &Path) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            return Err(format!("the name of a database has letters, digits, - and _, unlike {name:?}"));
        }
        // sqlite:///FILE is how others write it.
        let file = url.strip_prefix("sqlite:").map(|file| file.strip_prefix("//").unwrap_or(file));
        match file {
            Some("" | "/" | ":memory:" | "/:memory:") => {
                Err(format!("the database {name} has no file: write sqlite:app.db"))
            }
            Some(file) => Ok(Self { name: name.to_owned(), file: folder.join(file), is_default: false }),
            // The URL of another database may contain a password.
            None => Err(format!("the database {name} has a URL that is not sqlite:FILE")),
        }
    }

    /// The one that an app of a developer has if nothing was granted: a file beside it.
    pub fn beside(app: &Path) -> Self {
        Self { name: "main".to_owned(), file: app.with_extension("db"), is_default: true }
    }
}

/// Check that no name is given twice. The error is a sentence.
pub fn distinct(grants: Vec<DatabaseGrant>) -> Result<Vec<DatabaseGrant>, String> {
    for (index, grant) in grants.iter().enumerate() {
        if grants[..index].iter().any(|other| other.name == grant.name) {
            return Err(format!("the database {} is granted twice", grant.name));
        }
    }
    Ok(grants)
}

/// Check that no app can write to the folder of a database: it could damage the files beside it, which crashes the host, or put
/// a link to other files in their place. The error is a sentence.
pub fn apart<'p>(
    grants: &[DatabaseGrant],
    writable: impl Iterator<Item = &'p Path> + Clone,
) -> Result<(), String> {
    for grant in grants {
        let whole = std::path::absolute(&grant.file).unwrap_or_else(|_| grant.file.clone());
        // An app may make the folders that are not there.
        let folder = whole.ancestors().skip(1).find_map(|folder| folder.canonicalize().ok());
        let Some(folder) = folder else { continue };
        let is_above = |place: &&Path| place.canonicalize().is_ok_and(|place| folder.starts_with(place));
        if let Some(place) = writable.clone().find(is_above) {
            return Err(format!(
                "the database {} is in {}, which an app may write to: give it a folder of its own",
                grant.name,
                place.display()
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_name_files() {
        let file = |text: &str| DatabaseGrant::parse(text).map(|grant| grant.file);
        assert_eq!(file("main=sqlite:app.db"), Ok("app.db".into()));
        assert_eq!(file("main=sqlite:/srv/app.db"), Ok("/srv/app.db".into()));
        assert_eq!(file("main=sqlite:///srv/app.db"), Ok("/srv/app.db".into()));
        for wrong in
            ["main", "=sqlite:a", "a b=sqlite:a", "main=sqlite:", "main=sqlite::memory:", "main=app.db"]
        {
            assert!(file(wrong).is_err(), "{wrong}");
        }
        let said = file("main=mysql://user:secret@host").unwrap_err();
        assert!(!said.contains("secret"), "{said}");
        let twice = ["a=sqlite:1", "a=sqlite:2"].map(|text| DatabaseGrant::parse(text).unwrap());
        assert!(distinct(twice.into()).unwrap_err().contains("twice"));
    }

    #[test]
    fn no_app_writes_beside_a_database() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, other) = (folder.path().join("data"), folder.path().join("other"));
        std::fs::create_dir_all(inside.join("sub")).unwrap();
        std::fs::create_dir(&other).unwrap();
        std::os::unix::fs::symlink(&inside, folder.path().join("link")).unwrap();
        let check = |file: &str| {
            let grant = DatabaseGrant::new("main", &format!("sqlite:{file}"), folder.path()).unwrap();
            apart(&[grant], [inside.as_path()].into_iter())
        };
        for file in ["data/a.db", "data/sub/a.db", "data/new/sub/a.db", "link/a.db", "other/../data/a.db"] {
            assert!(check(file).unwrap_err().contains("a folder of its own"), "{file}");
        }
        for file in ["a.db", "other/a.db", "data2/a.db"] {
            assert_eq!(check(file), Ok(()), "{file}");
        }
    }
}
