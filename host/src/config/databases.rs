//! Databases that an app is granted, by the names that it knows them by.

use std::fmt;
use std::path::{Path, PathBuf};

/// One `NAME=sqlite:FILE` or `NAME=postgres://…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseGrant {
    /// As the app says.
    pub name: String,
    pub place: Place,
    /// Nobody has named it: the log says so when it is first used.
    pub is_default: bool,
}

/// Where a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The file of a SQLite database, which need not exist.
    Sqlite(PathBuf),
    /// A Postgres server.
    Postgres(Url),
}

/// A URL that may contain a password, so it is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Url(pub String);

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Url(…)")
    }
}

impl DatabaseGrant {
    /// `main=sqlite:app.db`. The error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, url) = text.split_once('=').ok_or("a database is NAME=URL, like main=sqlite:app.db")?;
        Self::new(name, url, Path::new(""))
    }

    /// A file is relative to `folder`; `env:NAME` is the URL in this environment variable. The error is a sentence.
    pub fn new(name: &str, url: &str, folder: &Path) -> Result<Self, String> {
        check_name("database", name)?;
        Self::at(name, &value(&format!("the database {name}"), url)?, folder)
    }

    fn at(name: &str, url: &str, folder: &Path) -> Result<Self, String> {
        // sqlite:///app.db and sqlite:////srv/app.db are how SQLAlchemy writes it.
        let file = url.strip_prefix("sqlite:").map(|file| file.strip_prefix("///").unwrap_or(file));
        if let Some(host) = file.and_then(|file| file.strip_prefix("//")) {
            return Err(format!("the database {name} has a URL with the host {host:?}: write sqlite:app.db"));
        }
        let place = match file {
            Some("" | "/" | ":memory:" | "/:memory:") => {
                return Err(format!("the database {name} has no file: write sqlite:app.db"));
            }
            Some(file) => Place::Sqlite(folder.join(file)),
            None if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                Place::Postgres(Url(url.to_owned()))
            }
            // The URL of another database may contain a password.
            None => {
                return Err(format!("the database {name} has a URL that is not sqlite:FILE or postgres://…"));
            }
        };
        Ok(Self { name: name.to_owned(), place, is_default: false })
    }

    /// The one that an app of a developer has if nothing was granted: a file beside it.
    pub fn beside(app: &Path) -> Self {
        Self { name: "main".to_owned(), place: Place::Sqlite(app.with_extension("db")), is_default: true }
    }
}

/// A URL, or that in an environment variable (`env:NAME`). The error is a sentence.
pub fn value(what: &str, text: &str) -> Result<String, String> {
    let Some(variable) = text.strip_prefix("env:") else { return Ok(text.to_owned()) };
    std::env::var(variable).map_err(|_| format!("{what} is in the variable {variable:?}, which is not set"))
}

/// The error is a sentence.
pub fn check_name(what: &str, name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        return Err(format!("the name of a {what} has letters, digits, - and _, unlike {name:?}"));
    }
    Ok(())
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
        if let Place::Sqlite(file) = &grant.place {
            apart_file(&grant.name, file, writable.clone())?;
        }
    }
    Ok(())
}

/// The same for one file.
pub fn apart_file<'p>(
    name: &str,
    file: &Path,
    mut writable: impl Iterator<Item = &'p Path>,
) -> Result<(), String> {
    let whole = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    // An app may make the folders that are not there.
    let folder = whole.ancestors().skip(1).find_map(|folder| folder.canonicalize().ok());
    let Some(folder) = folder else { return Ok(()) };
    let is_above = |place: &&Path| place.canonicalize().is_ok_and(|place| folder.starts_with(place));
    match writable.find(is_above) {
        None => Ok(()),
        Some(place) => Err(format!(
            "the database {name} is in {}, which an app may write to: give it a folder of its own",
            place.display()
        )),
    }
}

/// A file with the links to its folder, which the operator may have, followed now: a connection follows none.
pub fn resolved(file: &Path) -> PathBuf {
    let whole = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    match (whole.parent().and_then(|folder| folder.canonicalize().ok()), whole.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_name_files() {
        let file = |text: &str| DatabaseGrant::parse(text).map(|grant| grant.place);
        assert_eq!(file("main=sqlite:app.db"), Ok(Place::Sqlite("app.db".into())));
        assert_eq!(file("main=sqlite:/srv/app.db"), Ok(Place::Sqlite("/srv/app.db".into())));
        assert_eq!(file("main=sqlite:///./app.db"), Ok(Place::Sqlite("./app.db".into())));
        assert_eq!(file("main=sqlite:////srv/app.db"), Ok(Place::Sqlite("/srv/app.db".into())));
        let postgres = file("main=postgres://me:secret@host/db").unwrap();
        assert_eq!(postgres, Place::Postgres(Url("postgres://me:secret@host/db".to_owned())));
        assert!(!format!("{postgres:?}").contains("secret"));
        assert!(file("main=env:BOLT_NO_SUCH_VARIABLE").unwrap_err().contains("not set"));
        for wrong in [
            "main",
            "main=sqlite://app.db",
            "=sqlite:a",
            "a b=sqlite:a",
            "main=sqlite:",
            "main=sqlite::memory:",
            "main=app.db",
        ] {
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
