//! The files that a build may see: those of the app's folder, read without leaving it, and copied for each build.

use crate::config::app_source::{AppRef, PackageSet};
use crate::config::limit_name;
use crate::config::limit_table::Limit;
use crate::util::cache_files;
use crate::util::tree::{Found, Name, Tree};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The files of an app, as they were found.
pub struct AppFiles {
    /// Only what is in it may be linked to.
    tree: Tree,
    /// The folder of the tree, relative to the app's.
    start: PathBuf,
    /// Relative to the app's folder.
    files: Vec<Found>,
    packages: Option<PackageFiles>,
}

/// The files of an app's packages that lie beside its own.
#[derive(Debug, Clone)]
pub struct PackageFiles {
    set: PackageSet,
    /// Relative to the set's folder.
    paths: Vec<PathBuf>,
    /// A hash of what they are.
    key: String,
}

impl PackageFiles {
    /// What the app has itself comes first: a module of its own hides the package of that name.
    fn of(set: &PackageSet, own: &[Found]) -> Result<Self, String> {
        let first = |path: &Path| path.iter().next().map(|name| name.to_string_lossy().into_owned());
        let module = |name: String| name.split('.').next().unwrap_or_default().to_owned();
        let taken: BTreeSet<_> = own.iter().filter_map(|file| first(&file.path).map(module)).collect();
        let found = Tree::open(&set.folder)?.files(Path::new(""), |_| true)?;
        let is_free = |path: &PathBuf| first(path).is_some_and(|name| !taken.contains(&module(name)));
        let (paths, hidden): (Vec<_>, Vec<_>) = found.into_iter().map(|file| file.path).partition(is_free);
        let hidden: BTreeSet<_> = hidden.iter().filter_map(|path| first(path)).collect();
        let key = cache_files::digest(format!("{}\0{hidden:?}", set.name).as_bytes());
        Ok(Self { set: set.clone(), paths, key })
    }

    /// A hash of what they are.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Relative to the folder.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.paths.iter()
    }

    /// Copy them below a folder.
    pub fn copy(&self, folder: &Path) -> io::Result<()> {
        self.place(folder, |from, to| fs::copy(from, to).map(|_| ()))
    }

    fn place(&self, folder: &Path, how: impl Fn(&Path, &Path) -> io::Result<()>) -> io::Result<()> {
        let mut above = None;
        for path in &self.paths {
            let copy = folder.join(path);
            let parent = copy.parent().unwrap_or(folder).to_owned();
            if above.as_ref() != Some(&parent) {
                fs::create_dir_all(&parent)?;
                above = Some(parent);
            }
            how(&self.set.folder.join(path), &copy)?;
        }
        Ok(())
    }
}

impl AppFiles {
    /// The files of `app`'s folder, or of its package in there. Errors are sentences for people.
    pub fn of(app: &AppRef) -> Result<Self, String> {
        let start = PathBuf::from(app.package.as_deref().unwrap_or_default());
        let tree = Tree::open(&app.folder.join(&start))?;
        let (ignored, rules) = ignored(&tree)?;
        let effort = Cell::new(0_u64);
        let is_wanted = |entry: &Name<'_>| {
            let is_ignored = || {
                effort.set(effort.get() + (rules * entry.path.as_os_str().len()) as u64);
                // Folders above it were not, or the walk would not be here.
                effort.get() <= MOST_EFFORT && ignored.matched(entry.path, entry.is_folder()).is_ignore()
            };
            let is_left_out = || app.left_out.iter().any(|folder| *folder == start.join(entry.path));
            is_wanted(entry) && !is_left_out() && !is_ignored()
        };
        let found = tree.files(Path::new(""), is_wanted)?;
        if effort.get() > MOST_EFFORT {
            return Err(format!("the app's folder has too many files for the rules of its {IGNORE}"));
        }
        let files: Vec<_> =
            found.into_iter().map(|file| Found { path: start.join(&file.path), ..file }).collect();
        let packages = app.packages.as_ref().map(|set| PackageFiles::of(set, &files)).transpose()?;
        Ok(Self { tree, start, files, packages })
    }

    /// Those of its packages, if it has some.
    pub fn packages(&self) -> Option<&PackageFiles> {
        self.packages.as_ref()
    }

    /// The app's own files.
    pub fn iter(&self) -> impl Iterator<Item = &Found> {
        self.files.iter()
    }

    /// With those of packages: relative to the folder, sorted.
    pub fn paths(&self) -> Vec<PathBuf> {
        let packages = self.packages.iter().flat_map(|packages| packages.paths.clone());
        let mut all: Vec<_> = self.files.iter().map(|file| file.path.clone()).chain(packages).collect();
        all.sort();
        all
    }

    /// Whether a file is among them.
    pub fn has(&self, path: &Path) -> bool {
        self.files.iter().any(|file| file.path == path)
    }

    /// A hash of names and contents. `most`: the limit on their size together, in bytes.
    pub fn digest(&self, most: u64) -> Result<String, String> {
        let own = self.read(most, |_, _| Ok(()))?;
        Ok(self.with_packages(own))
    }

    fn with_packages(&self, own: String) -> String {
        match &self.packages {
            Some(packages) => cache_files::digest(format!("{own}\0{}", packages.set.name).as_bytes()),
            None => own,
        }
    }

    /// Copy them below a folder; returns the hash of the copy.
    pub fn copy(&self, folder: &Path, most: u64) -> Result<String, String> {
        self.lay(folder, most, |from, to| fs::copy(from, to).map(|_| ()))
    }

    /// As `copy`, for those who cannot write to the folder: files of packages are linked.
    pub fn link(&self, folder: &Path, most: u64) -> Result<String, String> {
        self.lay(folder, most, |from, to| fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(|_| ())))
    }

    fn lay(
        &self,
        folder: &Path,
        most: u64,
        how: impl Fn(&Path, &Path) -> io::Result<()>,
    ) -> Result<String, String> {
        if let Some(packages) = &self.packages {
            packages.place(folder, how).map_err(|e| format!("the app's packages cannot be copied: {e}"))?;
        }
        let own = self.read(most, |path, part| {
            let copy = folder.join(path);
            if part.is_empty() {
                fs::create_dir_all(copy.parent().unwrap_or(folder))?;
            }
            fs::File::options().create(true).append(true).open(copy)?.write_all(part)
        })?;
        Ok(self.with_packages(own))
    }

    /// `each` gets the parts of each file, the first of which may be empty.
    fn read(
        &self,
        most: u64,
        mut each: impl FnMut(&Path, &[u8]) -> io::Result<()>,
    ) -> Result<String, String> {
        let too_much = || {
            format!(
                "the app's folder has more files than a build may have: move the app into a folder of its own, list what is \
                 not part of it in {IGNORE}, or raise {}",
                limit_name::of(Limit::BuildDisk)
            )
        };
        // A file may be large and cost its author nothing.
        if self.files.iter().fold(0, |sum: u64, file| sum.saturating_add(file.size)) > most {
            return Err(too_much());
        }
        let (mut all, mut left) = (Vec::new(), most);
        for file in &self.files {
            let failed = |e: io::Error| format!("{} cannot be copied: {e}", file.path.display());
            // A file that was removed meanwhile is no part of the app.
            let inside = file.path.strip_prefix(&self.start).unwrap_or(&file.path);
            let Ok(open) = self.tree.open_file(inside) else { continue };
            each(&file.path, &[]).map_err(failed)?;
            let mut is_over = false;
            let digest = cache_files::digest_in_parts(open.take(left.saturating_add(1)), |part| {
                // It may have grown since.
                is_over = left < part.len() as u64;
                left = left.saturating_sub(part.len() as u64);
                if is_over { Err(io::ErrorKind::FileTooLarge.into()) } else { each(&file.path, part) }
            });
            if is_over {
                return Err(too_much());
            }
            let line = format!("{}\0{}\0", file.path.display(), digest.map_err(failed)?);
            all.extend_from_slice(line.as_bytes());
        }
        Ok(cache_files::digest(&all))
    }
}

/// The file in an app's folder that lists what is no part of the app, as `.gitignore` does.
const IGNORE: &str = ".boltignore";
/// Most bytes of it, and most rules: the host reads it whenever it looks at the app's files.
const MOST_IGNORE: u64 = 8 * 1024;
const MOST_RULES: usize = 200;
/// Most wildcards of a rule: each may double the states of the automaton that all rules become.
const MOST_WILD: usize = 4;
/// Most bytes of paths times bytes of rules: in the worst case each step takes some nanoseconds, of the host's time.
const MOST_EFFORT: u64 = 200_000_000;
/// Databases, stores and logs, which change while the app runs. `!geo.sqlite3` in the file makes one part of the app.
const CHANGING: [&str; 8] = ["*.db", "*.kv", "*.log", "*.sqlite", "*.sqlite3", "*-journal", "*-wal", "*-shm"];

/// What the app's author leaves out, and how many bytes of rules that are.
fn ignored(tree: &Tree) -> Result<(Gitignore, usize), String> {
    let mut text = String::new();
    if let Ok(file) = tree.open_file(Path::new(IGNORE)) {
        let read = file.take(MOST_IGNORE + 1).read_to_string(&mut text);
        read.map_err(|e| format!("{IGNORE} cannot be read: {e}"))?;
        if text.len() as u64 > MOST_IGNORE {
            return Err(format!("{IGNORE} has more than {MOST_IGNORE} bytes"));
        }
        if text.lines().count() > MOST_RULES {
            return Err(format!("{IGNORE} has more than {MOST_RULES} lines"));
        }
        let wild = |line: &str| line.matches(['*', '?', '[', '{']).count();
        if text.lines().any(|line| wild(line) > MOST_WILD) {
            return Err(format!("a line of {IGNORE} has more than {MOST_WILD} of * ? [ {{"));
        }
    }
    let mut rules = GitignoreBuilder::new("");
    for line in CHANGING.into_iter().chain(text.lines()) {
        rules.add_line(None, line).map_err(|e| format!("{IGNORE}: {e}"))?;
    }
    let rules = rules.build().map_err(|e| format!("{IGNORE}: {e}"))?;
    Ok((rules, CHANGING.len() * 8 + text.len()))
}

/// Leaves out what no build needs: hidden files, caches, virtual environments, components, and the files by which a package would
/// have componentize-py add other worlds to ours.
fn is_wanted(entry: &Name<'_>) -> bool {
    let name = entry.name;
    if name.starts_with('.') {
        return false;
    }
    if entry.is_folder() {
        return !matches!(name, "__pycache__" | "node_modules") && !entry.holds("pyvenv.cfg");
    }
    name != "componentize-py.toml" && !name.ends_with(".pyc") && !name.ends_with(".wasm")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::app_source::Root;

    #[test]
    fn a_copy_has_what_the_app_may_import_and_read() {
        let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let ignored = [
            "notes.md",
            "shop/notes.md",
            "drafts/a.txt",
            "app.db",
            "app.db-wal",
            "app.kv",
            "dev.log",
            "uploads/x",
        ];
        let wanted = ["app.py", "data.txt", "geo.db", "shop/__init__.py", "shop/a.py"];
        for name in [".env", "app.wasm"].into_iter().chain(ignored).chain(wanted) {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        for (name, file) in
            [("__pycache__", "a.pyc"), ("venv", "pyvenv.cfg"), ("shop", "componentize-py.toml")]
        {
            fs::create_dir_all(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join(file), "").unwrap();
        }
        let mut app = AppRef {
            module: "app".to_owned(),
            attribute: "api".to_owned(),
            folder: folder.path().to_owned(),
            file: "app.py".into(),
            package: None,
            left_out: vec!["uploads".into()],
            build_env: Vec::new(),
            packages: None,
        };
        fs::write(folder.path().join(IGNORE), "# not served\nnotes.md\n/drafts/\n!geo.db\n").unwrap();
        let of = |app: &AppRef| AppFiles::of(app).unwrap();
        let names = |files: &AppFiles| -> Vec<_> {
            files.files.iter().map(|file| file.path.display().to_string()).collect()
        };
        let files = of(&app);
        assert_eq!(names(&files), wanted);
        let digest = files.copy(copy.path(), 1000).unwrap();
        assert_eq!(digest, files.digest(1000).unwrap());
        fs::write(copy.path().join(IGNORE), "!geo.db").unwrap();
        let copied = AppFiles::of(&AppRef { folder: copy.path().to_owned(), ..app.clone() }).unwrap();
        assert_eq!((names(&copied), copied.digest(1000).unwrap()), (names(&files), digest.clone()));
        assert!(files.digest(20).unwrap_err().contains("build_disk"));
        // A file of holes costs its author nothing, and the host reads none of it.
        let holes = fs::File::create(folder.path().join("holes.bin")).unwrap();
        holes.set_len(1 << 40).unwrap();
        assert!(of(&app).digest(1 << 30).unwrap_err().contains("build_disk"));
        fs::remove_file(folder.path().join("holes.bin")).unwrap();
        fs::write(folder.path().join("data.txt"), "other").unwrap();
        assert_ne!(of(&app).digest(1000).unwrap(), digest);
        app.package = Some("shop".to_owned());
        fs::write(folder.path().join("shop").join(IGNORE), "/a.py").unwrap();
        assert_eq!(names(&of(&app)), ["shop/__init__.py", "shop/notes.md"]);
        for (rules, why) in [
            ("*a?????b".to_owned(), "more than 4 of"),
            ("a\n".repeat(MOST_RULES + 1), "lines"),
            ("a".repeat(MOST_IGNORE as usize + 1), "bytes"),
        ] {
            fs::write(folder.path().join("shop").join(IGNORE), rules).unwrap();
            assert!(AppFiles::of(&app).err().unwrap().contains(why), "{why}");
        }
    }

    /// Rules and paths that a hostile author has chosen: they are refused before they cost much.
    #[test]
    fn rules_cost_what_their_bound_says() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("app.py"), "").unwrap();
        fs::write(folder.path().join(IGNORE), "*a??zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\n".repeat(200)).unwrap();
        let name = |number: usize| format!("{}{number:04}", "ac".repeat(100));
        (0..3000).for_each(|number| fs::write(folder.path().join(name(number)), "").unwrap());
        let app = AppRef::new(&folder.path().join("app.py"), None, &Root::Own).unwrap();
        assert!(AppFiles::of(&app).err().unwrap().contains("too many files for the rules"));
    }
}
