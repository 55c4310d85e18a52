//! Packages of PyPI for tests: in virtual environments, and next to apps.

use crate::common::{root, run};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// The executables of a virtual environment with these packages; created once, even if several tests ask at a time.
pub fn python_tools(name: &str, packages: &[&str]) -> PathBuf {
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let wanted = packages.join(" ");
    if std::fs::read_to_string(folder.join("ready")).ok().as_deref() != Some(&wanted) {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
        let pip = ["-m", "pip", "install", "--quiet"];
        run(Command::new(folder.join("bin/python")).args(pip).args(packages));
        std::fs::write(folder.join("ready"), wanted).unwrap();
    }
    folder.join("bin")
}

/// An app of these tests in a folder of this name, with packages of PyPI next to it as a project has them.
pub fn app_with_packages(name: &str, source: &str, packages: &[&str]) -> PathBuf {
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let (ready, wanted) = (folder.join(".ready"), packages.join(" "));
    if std::fs::read_to_string(&ready).ok().as_deref() != Some(&wanted) {
        let pip = ["-m", "pip", "install", "--quiet", "--upgrade", "--target"];
        run(Command::new("python3").args(pip).arg(&folder).args(packages));
        std::fs::write(&ready, wanted).unwrap();
    }
    let app = folder.join(Path::new(source).file_name().unwrap());
    let text = std::fs::read(root().join(source)).unwrap();
    // Another test may be building it.
    if std::fs::read(&app).ok().as_ref() != Some(&text) {
        std::fs::write(&app, text).unwrap();
    }
    app
}

/// Files of a folder of these tests, in a folder of this name in which nothing else is; returns the first. An app that lists its
/// packages is built once for all runs.
pub fn copied(name: &str, from: &str, files: &[&str]) -> PathBuf {
    static WRITING: Mutex<()> = Mutex::new(());
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    for file in files {
        let (text, copy) = (std::fs::read(root().join(from).join(file)).unwrap(), folder.join(file));
        // Another test may be building it.
        if std::fs::read(&copy).ok().as_ref() != Some(&text) {
            std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
            std::fs::write(&copy, text).unwrap();
        }
    }
    folder.join(files[0])
}
