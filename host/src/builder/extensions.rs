//! The compiled modules of an app and its packages: WebAssembly libraries, which are linked into whatever component imports them. An
//! interpreter can load no others later, so a runner has those of its app.

use crate::util::cache_files;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

/// How a WebAssembly module begins. Libraries for other systems have the same ending.
const MAGIC: [u8; 4] = *b"\0asm";

/// Compiled modules in a copy of an app.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extensions {
    /// The folder of the copy.
    folder: PathBuf,
    /// Relative to it.
    modules: Vec<PathBuf>,
    /// A hash of all of them; empty if there are none.
    pub key: String,
    /// Libraries for other systems.
    pub foreign: Vec<PathBuf>,
}

impl Extensions {
    /// Those in a private copy of an app's files. Errors are sentences.
    pub fn of(folder: &Path, files: &[PathBuf]) -> Result<Self, String> {
        let (mut modules, mut foreign, mut all) = (Vec::new(), Vec::new(), Vec::new());
        for path in files.iter().filter(|path| is_library(path)) {
            let read = |e: io::Error| format!("{} cannot be read: {e}", path.display());
            match module_digest(&folder.join(path)).map_err(read)? {
                Some(digest) => {
                    all.extend_from_slice(format!("{}\0{digest}\0", path.display()).as_bytes());
                    modules.push(path.clone());
                }
                None => foreign.push(path.clone()),
            }
        }
        let key = if modules.is_empty() { String::new() } else { cache_files::digest(&all) };
        Ok(Self { folder: folder.to_owned(), modules, key, foreign })
    }

    pub fn is_empty(&self) -> bool {
        self.modules.is_empty()
    }

    /// The names of their packages or modules.
    pub fn names(&self) -> Vec<String> {
        let first = |path: &PathBuf| {
            let name = path.iter().next().unwrap_or_default().to_string_lossy().into_owned();
            name.split('.').next().unwrap_or_default().to_owned()
        };
        let mut names: Vec<_> = self.modules.iter().map(first).collect();
        names.dedup();
        names
    }

    /// Copy them below a folder, where an app would have them.
    pub fn copy(&self, folder: &Path) -> io::Result<()> {
        for path in &self.modules {
            let place = folder.join(path);
            fs::create_dir_all(place.parent().unwrap_or(folder))?;
            fs::copy(self.folder.join(path), place)?;
        }
        Ok(())
    }
}

/// None for a library that is no WebAssembly.
fn module_digest(path: &Path) -> io::Result<Option<String>> {
    let (mut file, mut start) = (File::open(path)?, Vec::new());
    file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut start)?;
    if start != MAGIC {
        return Ok(None);
    }
    file.rewind()?;
    cache_files::digest_in_parts(file, |_| Ok(())).map(Some)
}

fn is_library(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "so")
}
