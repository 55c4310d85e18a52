//! The SDK and the contract, embedded in the program and unpacked for a build.

use crate::builder::embedded::{self, Carried};
use rust_embed::RustEmbed;
use std::io;
use std::path::{Path, PathBuf};

/// The SDK's modules, without the bytecode that an interpreter left beside them.
#[derive(RustEmbed)]
#[folder = "sdk/"]
#[prefix = "bolt/"]
#[include = "*.py"]
#[include = "py.typed"]
struct Sdk;

const CONTRACT: (&str, &str) = ("wit/bolt.wit", include_str!("../../wit/bolt.wit"));

/// Files that only tests and editors need; builds leave them out.
const EXTRAS: [&str; 3] = ["bolt/py.typed", "bolt/testclient.py", "bolt/testing.py"];

fn is_extra(name: &str) -> bool {
    EXTRAS.contains(&name) || name.starts_with("bolt/_testing/")
}

/// The contract, and every SDK file that `wanted` selects, sorted by path. Paths are those in a build's folder.
fn files(wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = Carried> {
    let mut names: Vec<_> = Sdk::iter().filter(|name| wanted(name)).collect();
    names.sort();
    let sdk = names.into_iter().filter_map(|name| Some((name.clone(), Sdk::get(&name)?.data)));
    let (name, text) = CONTRACT;
    std::iter::once((name.into(), text.as_bytes().into())).chain(sdk)
}

/// Write the SDK files that a build needs below `folder`.
pub fn unpack(folder: &Path) -> io::Result<()> {
    embedded::write(folder, files(|name| !is_extra(name)))
}

/// Write the whole SDK into a folder of the cache, for the user's own Python; returns the folder.
pub fn unpack_for_people(cache: &Path) -> io::Result<PathBuf> {
    let place = cache.join(format!("sdk-{}", &digest()[..12]));
    embedded::write(&place, files(|_| true))?;
    Ok(place)
}

/// A hash of all files of the SDK that a build needs.
pub fn digest() -> String {
    embedded::digest(files(|name| !is_extra(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;

    /// The compiler embeds the list of files: this test finds a stale list.
    #[test]
    fn every_file_of_the_sdk_is_carried_and_nothing_else() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk");
        let (mut found, mut folders) = (BTreeSet::new(), vec![root.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().flatten() {
                let path = entry.path();
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                if path.is_dir() {
                    folders.push(path);
                } else if name.ends_with(".py") || name == "py.typed" {
                    found.insert(format!("bolt/{name}"));
                }
            }
        }
        let carried: BTreeSet<_> =
            files(|_| true).map(|(name, _)| name.into_owned()).filter(|name| *name != CONTRACT.0).collect();
        assert_eq!(carried, found);
        assert!(EXTRAS.iter().all(|extra| carried.contains(*extra)));
    }
}
