//! An app's source: its file, and the folder that its imports begin in.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// The guest path of the app's folder, both in a runner and during a build.
pub const APP_FOLDER: &str = "/0";
/// The interface that only runners export.
pub const LOADER: &str = "bolt:host/loader@0.4.4";

/// The app that a runner loads.
#[derive(Debug, Clone)]
pub struct Source {
    pub app: AppRef,
    /// Replies include exceptions.
    pub show_errors: bool,
    /// The folder of `app`, if it is a copy that ends with its last user.
    pub _copy: Option<Arc<tempfile::TempDir>>,
}

/// Who says which folder an app's imports begin in. Nothing outside of it is read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Root {
    /// The folder of the file, whatever it has in it: the app's author decides nothing.
    #[default]
    Own,
    /// The folder that the operator names.
    Given(PathBuf),
    /// The folder of the file or, if that is a package, the one that has the outermost package; of that folder only the package
    /// is read. For developers: author and operator are the same.
    Package,
}

/// Installed packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageSet {
    /// It has the packages in it, as `pip install --target` leaves them.
    pub folder: PathBuf,
    /// A hash of what is in it.
    pub name: String,
}

/// The app to build: the module of `app.py`, and the name of its `BoltAPI`.
#[derive(Debug, Clone)]
pub struct AppRef {
    pub module: String,
    pub attribute: String,
    pub folder: PathBuf,
    /// The app's file, relative to the folder.
    pub file: PathBuf,
    /// Only this package in the folder is the app's.
    pub package: Option<String>,
    /// Folders in the folder that are not, relative to it.
    pub left_out: Vec<PathBuf>,
    /// Environment variables that it sees while it is imported.
    pub build_env: Vec<(String, String)>,
    /// What it may import besides its own files, which come first.
    pub packages: Option<PackageSet>,
}

impl AppRef {
    /// `path` is the file that the operator names; `app` is `module:attr` or nothing.
    pub fn new(path: &Path, app: Option<&str>, root: &Root) -> Result<Self, String> {
        let shown = path.display();
        if !path.is_file() {
            return Err(format!("{shown}: no such file"));
        }
        let whole = std::path::absolute(path).map_err(|e| format!("{shown}: {e}"))?;
        let (folder, file) = match root {
            Root::Own => own_folder(&whole),
            Root::Given(root) => {
                let root = std::path::absolute(root).map_err(|e| format!("{}: {e}", root.display()))?;
                let file = whole.strip_prefix(&root).ok().filter(|file| is_plain(file));
                let file = file.ok_or_else(|| format!("{shown} is not below the root {}", root.display()))?;
                (root.clone(), file.to_owned())
            }
            Root::Package => package_folder(&whole.canonicalize().map_err(|e| format!("{shown}: {e}"))?),
        };
        let own: Vec<_> =
            file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let package = match root {
            Root::Package if own.len() > 1 => own.first().cloned(),
            _ => None,
        };
        let own = own.join(".");
        let (module, attribute) = match app {
            None => (own.as_str(), "api"),
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
        Ok(Self {
            module: module.to_owned(),
            attribute: attribute.to_owned(),
            folder,
            file,
            package,
            left_out: Vec::new(),
            build_env: Vec::new(),
            packages: None,
        })
    }

    /// The app without those of the folders that are in its own.
    pub fn without(self, folders: &[PathBuf]) -> Self {
        let Ok(own) = self.folder.canonicalize() else { return self };
        let inside = |folder: &PathBuf| {
            let whole = folder.canonicalize().ok()?;
            let rest = whole.strip_prefix(&own).ok()?;
            (!rest.as_os_str().is_empty()).then(|| rest.to_owned())
        };
        Self { left_out: folders.iter().filter_map(inside).collect(), ..self }
    }
}

/// Whether a path only goes down.
fn is_plain(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_)))
}

fn own_folder(path: &Path) -> (PathBuf, PathBuf) {
    let folder = path.parent().unwrap_or(Path::new("/"));
    (folder.to_owned(), path.file_name().unwrap_or_default().into())
}

/// A file in a package is imported as part of the package.
fn package_folder(path: &Path) -> (PathBuf, PathBuf) {
    let (mut folder, mut file) = own_folder(path);
    while folder.join("__init__.py").is_file()
        && let (Some(package), Some(above)) = (folder.file_name(), folder.parent())
    {
        file = Path::new(package).join(file);
        folder = above.to_owned();
    }
    (folder, file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_operator_says_which_folder_an_app_has() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("shop/inner")).unwrap();
        for file in ["shop/__init__.py", "shop/inner/__init__.py", "shop/inner/main.py", "flat.py"] {
            fs::write(root.join(file), "").unwrap();
        }
        let main = root.join("shop/inner/main.py");
        let of = |path: &Path, root: Root| {
            let app = AppRef::new(path, None, &root)?;
            Ok::<_, String>((app.folder, app.module, app.package))
        };
        assert_eq!(of(&main, Root::Own).unwrap(), (root.join("shop/inner"), "main".to_owned(), None));
        assert_eq!(
            of(&main, Root::Given(root.join("shop"))).unwrap(),
            (root.join("shop"), "inner.main".to_owned(), None)
        );
        let package = Some("shop".to_owned());
        assert_eq!(of(&main, Root::Package).unwrap(), (root.clone(), "shop.inner.main".to_owned(), package));
        assert_eq!(
            of(&root.join("flat.py"), Root::Package).unwrap(),
            (root.clone(), "flat".to_owned(), None)
        );
        for other in [root.join("other"), root.join("shop/inner/x/..")] {
            assert!(of(&main, Root::Given(other)).unwrap_err().contains("not below the root"));
        }
    }
}
