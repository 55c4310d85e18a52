//! An app's source: its file, the root folder of its imports, and the Python files below it.

use std::fs;
use std::path::{Path, PathBuf};

/// The guest path of the app's folder, both in a runner and during a build.
pub const APP_FOLDER: &str = "/0";
/// The interface that only runners export.
pub const LOADER: &str = "bolt:host/loader@0.4.0";

/// The app that a runner loads.
#[derive(Debug, Clone)]
pub struct Source {
    pub app: AppRef,
    /// Replies include exceptions.
    pub show_errors: bool,
}

/// The app to build: the module of `app.py`, and the name of its `BoltAPI`.
#[derive(Debug, Clone)]
pub struct AppRef {
    pub module: String,
    pub attribute: String,
    pub folder: PathBuf,
}

impl AppRef {
    /// `path` is the file named on the command line; `app` is `module:attr` or nothing.
    pub fn new(path: &Path, app: Option<&str>) -> Result<Self, String> {
        let shown = path.display();
        if !path.is_file() {
            return Err(format!("{shown}: no such file"));
        }
        let path = path.canonicalize().map_err(|e| format!("{shown}: {e}"))?;
        let (folder, whole) = place(&path);
        let (module, attribute) = match app {
            None => (whole.as_str(), "api"),
            Some(app) => app.split_once(':').unwrap_or((app, "api")),
        };
        let identifier = |name: &str| {
            !name.is_empty()
                && !name.starts_with(|c: char| c.is_ascii_digit())
                && name.chars().all(|c| c.is_alphanumeric() || c == '_')
        };
        if !module.split('.').all(identifier) || !attribute.split('.').all(identifier) {
            return Err(format!(
                "{shown}: {module}:{attribute} is not a Python name: rename the file or give --app module:attr"
            ));
        }
        Ok(Self { module: module.to_owned(), attribute: attribute.to_owned(), folder })
    }
}

/// The import root of a file, and its module name from there: a file in a package is imported as part of the package.
fn place(path: &Path) -> (PathBuf, String) {
    let mut name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
    let mut folder = path.parent().unwrap_or(Path::new("/"));
    while folder.join("__init__.py").is_file()
        && let (Some(package), Some(above)) = (folder.file_name(), folder.parent())
    {
        name = format!("{}.{name}", package.to_string_lossy());
        folder = above;
    }
    (folder.to_owned(), name)
}

/// The Python files below an app's folder, which it may import. Skips hidden folders, virtual environments and caches.
pub fn sources(folder: &Path) -> Result<Vec<PathBuf>, String> {
    const MOST: usize = 5000;
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        for entry in entries.flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            if name.starts_with('.') || matches!(&*name, "__pycache__" | "node_modules") {
                continue;
            }
            // Symlinks are followed; a loop of them ends at the file limit below or at the system's own limit.
            match fs::metadata(&path).map(|meta| meta.file_type()) {
                Ok(kind) if kind.is_dir() && !path.join("pyvenv.cfg").exists() => folders.push(path),
                Ok(kind) if !kind.is_dir() && name.ends_with(".py") => found.push(path),
                _ => {}
            }
        }
        if found.len() > MOST {
            return Err(format!(
                "{} has more than {MOST} Python files below it: move the app into a folder of its own",
                folder.display()
            ));
        }
    }
    found.sort();
    Ok(found)
}
