//! The packages that an app asks for, installed once for the sandbox's platform and kept in the cache.
//!
//! What was asked for leads to a set: the files of all packages, under a hash of their contents. Apps with the same set share it,
//! and their components have its name in their keys. `--rebuild` asks again.

mod install;
pub mod requirements;

use crate::builder::packages::requirements::{FILES, MOST_BYTES, Requirements, normalized};
use crate::builder::refusal::Refusal;
use crate::config::Limits;
use crate::config::app_source::{AppRef, PackageSet, Root};
use crate::config::limit_name;
use crate::config::origin::Origin;
use crate::config::packages::{PackageSource, PackageTerms};
use crate::util::cache_files;
use crate::util::cache_room::note_use;
use crate::util::tree::{Found, Tree};
use crate::util::trust;
use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// How they are installed: a new edition installs everything again.
const EDITION: &str = "1";
/// The folder of a set that has the packages in it, and the file that says that it is whole.
const SITE: &str = "site";
const READY: &str = "ready";
/// Most folders above an app in which its project's files are looked for.
const MOST_ABOVE: usize = 6;

/// What is to be installed.
#[derive(Debug)]
pub struct Wanted {
    requirements: Requirements,
    terms: PackageTerms,
    /// Of all that.
    key: String,
}

/// The app of an origin with its packages; None if they are to be installed first.
pub fn app_of(origin: &Origin, cache: &Path) -> Result<Option<AppRef>, String> {
    let app = origin.app_ref()?;
    let Some(wanted) = wanted(&app, origin)? else { return Ok(Some(app)) };
    let set = installed(&wanted.key, cache);
    Ok(set.map(|set| AppRef { packages: Some(set), ..app }))
}

/// The app of an origin with its packages, which are installed if they are not there. Not for a child of a build, which may open no
/// connection.
pub fn ready(origin: &Origin, limits: &Limits, cache: &Path) -> Result<AppRef, Refusal> {
    let app = origin.app_ref()?;
    let Some(wanted) = wanted(&app, origin)? else { return Ok(app) };
    let set = match installed(&wanted.key, cache).filter(|_| !origin.rebuild) {
        Some(set) => set,
        None => install::install(&wanted, origin.rebuild, limits, cache)?,
    };
    Ok(AppRef { packages: Some(set), ..app })
}

/// What an app asks for that nobody may install, as a sentence for whoever reads that an import failed.
pub fn refused(origin: &Origin) -> Option<String> {
    if origin.packages.source != PackageSource::Off {
        return None;
    }
    let asked = asked_for(&origin.app_ref().ok()?, origin).ok().filter(|asked| !asked.is_empty())?;
    let flag = limit_name::pick("--packages index", "packages = \"index\"", "Origin::packages");
    Some(format!(
        "the packages of {} are not installed ({flag}); the app has those that are in its folder",
        asked.file
    ))
}

/// What an app asks for and does not have in its folder.
fn asked_for(app: &AppRef, origin: &Origin) -> Result<Requirements, String> {
    let tree = Tree::open(&app.folder)?;
    let source = read(&tree, &app.file)?.unwrap_or_default();
    let above = project(app, &origin.root);
    let asked = Requirements::of(&source, |name| match &above {
        Some(folder) => read(&Tree::open(folder)?, Path::new(name)),
        None => read(&tree, Path::new(name)),
    })?;
    if asked.is_empty() {
        return Ok(asked);
    }
    let own = distributions(&tree)?;
    Ok(asked.without(|name| own.contains(name)))
}

/// What is to be installed for an app, if anything.
fn wanted(app: &AppRef, origin: &Origin) -> Result<Option<Wanted>, String> {
    let terms = &origin.packages;
    if terms.source == PackageSource::Off {
        return Ok(None);
    }
    let requirements = asked_for(app, origin)?.with(&terms.with)?;
    if requirements.is_empty() {
        return Ok(None);
    }
    let mut all = format!("{EDITION}\0{:?}", terms.source);
    for part in requirements.lines.iter().chain(["\0".to_owned()].iter()).chain(&requirements.constraints) {
        all += &format!("\0{part}");
    }
    for place in &terms.wheels {
        all += &format!("\0{place}{}", stamps(Path::new(place)));
    }
    let key = cache_files::digest(all.as_bytes());
    Ok(Some(Wanted { requirements, terms: terms.clone(), key }))
}

/// The folder above a developer's app that has the files of its project, if its own has none.
fn project(app: &AppRef, root: &Root) -> Option<PathBuf> {
    if *root != Root::Package {
        return None;
    }
    let start = app.folder.join(app.file.parent().unwrap_or(Path::new("")));
    let mut folder = start.as_path();
    for _ in 0..MOST_ABOVE {
        if FILES.iter().any(|file| folder.join(file).is_file()) {
            return Some(folder.to_owned());
        }
        if folder.join(".git").exists() {
            return None;
        }
        folder = folder.parent()?;
    }
    None
}

fn read(tree: &Tree, path: &Path) -> Result<Option<String>, String> {
    let Ok(file) = tree.open_file(path) else { return Ok(None) };
    let (mut text, shown) = (String::new(), path.display());
    file.take(MOST_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|e| format!("{shown} cannot be read: {e}"))?;
    if text.len() as u64 > MOST_BYTES {
        return Err(format!("{shown} has more than {MOST_BYTES} bytes"));
    }
    Ok(Some(text))
}

/// The packages that an app has in its folder, by normalized name: `pip install --target` leaves a folder for each.
fn distributions(tree: &Tree) -> Result<BTreeSet<String>, String> {
    let found = tree.files(Path::new(""), |entry| distribution(entry.path).is_some())?;
    let name = |file: &Found| Some(normalized(distribution(&file.path)?.rsplit_once('-')?.0));
    Ok(found.iter().filter_map(name).collect())
}

/// The name and version of the distribution in whose folder a file is.
fn distribution(path: &Path) -> Option<&str> {
    path.iter().next()?.to_str()?.strip_suffix(".dist-info")
}

/// What a folder of wheels has in it: a new wheel is a new chance.
fn stamps(folder: &Path) -> String {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut all: Vec<_> = entries
        .filter_map(|entry| {
            let meta = entry.metadata().ok()?;
            let since = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
            Some(format!("\0{}\0{}\0{}", entry.file_name().display(), meta.len(), since.as_nanos()))
        })
        .collect();
    all.sort();
    all.concat()
}

/// The file that names the set of what was asked for.
fn asked(key: &str, cache: &Path) -> PathBuf {
    cache.join("packages").join("asked").join(key)
}

fn folder_of(set: &str, cache: &Path) -> PathBuf {
    cache.join("packages").join("sets").join(set)
}

/// The set that was installed for what was asked, if it is whole.
fn installed(key: &str, cache: &Path) -> Option<PackageSet> {
    let name = String::from_utf8(trust::read_own(&asked(key, cache)).ok()?).ok()?;
    if name.is_empty() || !name.bytes().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    let folder = folder_of(&name, cache);
    trust::open_own(&folder.join(READY)).ok()?;
    note_use(&folder.join(READY));
    Some(PackageSet { folder: folder.join(SITE), name })
}
