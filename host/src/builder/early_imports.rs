//! The modules of an app's packages that its runner has imported already: after an edit, `dev` imports only the app's own again.
//!
//! They are those that the app imported when it was loaded without them, in that order, and with the variables that it had set by
//! then. So the runner depends on the packages, the names and the variables alone, and apps may share it.

use crate::builder::app_files::PackageFiles;
use crate::config::app_source::AppRef;
use crate::util::cache_files;
use crate::util::trust;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// Fewer modules than this are not worth a runner: an app imports them while its developer switches windows.
const FEW: usize = 10;
/// Most modules, and most bytes of a name: the names come from a guest.
const MOST: usize = 10_000;
const LONGEST: usize = 200;

/// What an app imported: a part of what a runner says of it.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Imported {
    /// The names of its modules, and their files below the app's folder, in the order of the imports.
    #[serde(default)]
    modules: Vec<(String, PathBuf)>,
    /// The environment after the import.
    #[serde(default)]
    variables: BTreeMap<String, String>,
}

impl Imported {
    /// As it stands in an app's manifest.
    pub fn of(manifest: &str) -> Self {
        serde_json::from_str(manifest).unwrap_or_default()
    }
}

/// What a runner imports, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlyImports {
    pub modules: Vec<String>,
    pub variables: BTreeMap<String, String>,
}

impl EarlyImports {
    /// What the runner of an app should import that has these packages.
    pub fn wanted(imported: &Imported, packages: &PackageFiles) -> Self {
        let own: BTreeSet<&Path> = packages.paths().map(PathBuf::as_path).collect();
        let of_packages = imported.modules.iter().filter(|(_, file)| own.contains(file.as_path()));
        let modules =
            of_packages.map(|(name, _)| name.clone()).filter(|name| name.len() <= LONGEST).take(MOST);
        Self { modules: modules.collect(), variables: imported.variables.clone() }
    }

    /// Whether a runner that imports `self` will do for an app that wants `wanted`.
    pub fn suffice(&self, wanted: &Self) -> bool {
        let have: BTreeSet<_> = self.modules.iter().collect();
        self.variables == wanted.variables
            && wanted.modules.iter().filter(|name| !have.contains(name)).count() < FEW
    }

    /// A hash of everything that a runner takes from here.
    pub fn key(&self, packages: &PackageFiles) -> String {
        let text = serde_json::to_string(self).unwrap_or_default();
        cache_files::digest(format!("{}\0{text}", packages.key()).as_bytes())
    }

    /// Those that were kept for an app with these packages.
    pub fn recall(app: &AppRef, packages: &PackageFiles, cache: &Path) -> Option<Self> {
        serde_json::from_slice(&trust::read_own(&place(app, packages, cache)).ok()?).ok()
    }

    /// Keep them for the next start. It only matters for how fast that is.
    pub fn keep(&self, app: &AppRef, packages: &PackageFiles, cache: &Path) {
        let place = place(app, packages, cache);
        let kept = || -> io::Result<()> {
            cache_files::private_folder(place.parent().unwrap_or(cache))?;
            cache_files::write_private(&place, &serde_json::to_vec(self)?)
        };
        let _ = kept();
    }
}

fn place(app: &AppRef, packages: &PackageFiles, cache: &Path) -> PathBuf {
    let (folder, module) = (app.folder.display(), &app.module);
    let key = format!("{folder}\0{module}\0{}\0{}", app.attribute, packages.key());
    cache.join("early").join(cache_files::digest(key.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn early(modules: usize, variables: &[(&str, &str)]) -> EarlyImports {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        EarlyImports {
            modules: (0..modules).map(|number| format!("m{number}")).collect(),
            variables: variables.collect(),
        }
    }

    #[test]
    fn a_runner_does_for_an_app_that_imports_little_more() {
        assert!(early(0, &[]).suffice(&early(9, &[])) && !early(0, &[]).suffice(&early(10, &[])));
        assert!(early(20, &[]).suffice(&early(3, &[])));
        assert!(!early(20, &[("A", "1")]).suffice(&early(20, &[("A", "2")])));
    }

    #[test]
    fn what_a_guest_says_is_no_more_than_text() {
        let imported = Imported::of(r#"{"abi": 4, "modules": [["a.b", "a/b.py"]], "variables": {"A": "1"}}"#);
        assert_eq!(imported.modules, [("a.b".to_owned(), PathBuf::from("a/b.py"))]);
        assert!(Imported::of(r#"{"modules": 3}"#).modules.is_empty());
        assert!(Imported::of("no manifest").modules.is_empty());
    }
}
