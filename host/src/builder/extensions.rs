//! The compiled modules of an app and its packages: WebAssembly libraries, which are linked into whatever component imports them. An
//! interpreter can load no others later, so a runner has those of its app.

use crate::builder::app_files::AppFiles;
use crate::util::cache_files;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How a WebAssembly module begins. Libraries for other systems have the same ending.
const MAGIC: [u8; 4] = *b"\0asm";

/// Compiled modules, by path below the app's folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extensions {
    modules: Vec<Module>,
    /// A hash of all of them; empty if there are none.
    pub key: String,
    /// Libraries for other systems.
    pub foreign: Vec<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Module {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Extensions {
    /// Those among an app's files. Errors are sentences.
    pub fn of(files: &AppFiles) -> Result<Self, String> {
        let (mut modules, mut foreign, mut all) = (Vec::new(), Vec::new(), Vec::new());
        for path in files.paths().into_iter().filter(|path| is_library(path)) {
            let bytes =
                files.content(&path).map_err(|e| format!("{} cannot be read: {e}", path.display()))?;
            if !bytes.starts_with(&MAGIC) {
                foreign.push(path);
                continue;
            }
            all.extend_from_slice(
                format!("{}\0{}\0", path.display(), cache_files::digest(&bytes)).as_bytes(),
            );
            modules.push(Module { path, bytes });
        }
        let key = if modules.is_empty() { String::new() } else { cache_files::digest(&all) };
        Ok(Self { modules, key, foreign })
    }

    pub fn is_empty(&self) -> bool {
        self.modules.is_empty()
    }

    /// The names of their packages or modules.
    pub fn names(&self) -> Vec<String> {
        let first = |module: &Module| {
            let name = module.path.iter().next().unwrap_or_default().to_string_lossy().into_owned();
            name.split('.').next().unwrap_or_default().to_owned()
        };
        let mut names: Vec<_> = self.modules.iter().map(first).collect();
        names.dedup();
        names
    }

    /// Write them below a folder, where an app would have them.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        for Module { path, bytes } in &self.modules {
            let place = folder.join(path);
            fs::create_dir_all(place.parent().unwrap_or(folder))?;
            fs::write(place, bytes)?;
        }
        Ok(())
    }
}

fn is_library(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "so")
}
