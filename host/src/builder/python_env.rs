//! Creates the private Python environment, and runs componentize-py in it.
//!
//! The environment is private because componentize-py reads the SDK files of every package installed beside it: another
//! SDK there would add its worlds to ours.

use crate::builder::app_files::PackageFiles;
use crate::builder::child;
use crate::builder::early_imports::EarlyImports;
use crate::builder::extensions::Extensions;
use crate::builder::sdk_bundle;
use crate::config::Limits;
use crate::config::app_source::AppRef;
use crate::config::limit_name;
use crate::config::limit_table::Limit;
use crate::util::cache_files;
use crate::util::child_process::{self, Bounds, End};
use crate::util::progress::Progress;
use crate::util::trust;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The tool that builds components; a new version gets a new environment.
pub const COMPONENTIZE: &str = "componentize-py==0.25.1";
/// What installs packages: the script that drives it knows this version.
const PIP: &str = "pip==26.3";
/// The entry module for componentize-py: it loads the app and exports the contract.
const ENTRY: &str = "bolt_entry";
/// The prefix of lines on standard error in which the guest says what is wrong with the app.
const ERROR_MARK: &str = "bolt-build-error:";

/// An environment with componentize-py in it.
pub struct Python {
    folder: PathBuf,
}

impl Python {
    /// Find the environment, or create it. Errors are text for people.
    pub fn ready(cache: &Path) -> Result<Self, String> {
        let folder = cache.join(format!("python-{COMPONENTIZE}-{PIP}").replace("==", "-"));
        let python = Self { folder: folder.clone() };
        let done = folder.join("ready");
        let io =
            |e: std::io::Error| format!("the Python environment cannot be made in {}: {e}", folder.display());
        cache_files::private_folder(cache).map_err(io)?;
        // Its programs run as this user.
        let is_ready = || done.is_file() && python.componentize().is_file() && trust::is_own_tree(&folder);
        if is_ready() {
            return Ok(python);
        }
        let lock = File::create(cache.join("python.lock")).map_err(io)?;
        lock.lock().map_err(io)?;
        if is_ready() {
            return Ok(python);
        }
        let step = Progress::begin(&format!("making a Python environment with {COMPONENTIZE} (once)"));
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder), VENV_HINT)?;
        let pip = folder.join("bin/python");
        run(
            Command::new(pip).args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                COMPONENTIZE,
                PIP,
            ]),
            "componentize-py could not be installed; building needs the Python package index once",
        )?;
        fs::write(&done, "").map_err(io)?;
        trust::close_tree(&folder).map_err(io)?;
        step.done(&folder.display().to_string());
        Ok(python)
    }

    fn componentize(&self) -> PathBuf {
        self.folder.join("bin/componentize-py")
    }

    /// The folder of its packages.
    pub fn packages(&self) -> Result<PathBuf, String> {
        let found = fs::read_dir(self.folder.join("lib")).into_iter().flatten().flatten();
        let found = found.map(|entry| entry.path().join("site-packages")).find(|folder| folder.is_dir());
        found.ok_or_else(|| format!("{} has no packages", self.folder.display()))
    }

    /// Its interpreter, which has pip.
    pub fn program(&self) -> PathBuf {
        self.folder.join("bin/python")
    }
}

const VENV_HINT: &str = "a Python environment could not be made; building needs python3 (3.10 or newer) with its venv \
     module (Debian: apt install python3-venv). Serving a built .wasm needs no Python.";

fn run(command: &mut Command, hint: &str) -> Result<Output, String> {
    let output = command.output().map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => {
            format!("{} was not found: {VENV_HINT}", command.get_program().display())
        }
        _ => format!("{hint}\n{e}"),
    })?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!(
        "{hint}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// Most bytes of componentize-py's messages that are read, from their end.
const MOST_SAID: u64 = 64 * 1024;
/// The variables that componentize-py needs to start.
const NEEDED: [&str; 2] = ["PATH", "LD_LIBRARY_PATH"];

/// What to build into a component.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    App(&'a AppRef),
    /// An interpreter that loads an app from source.
    Runner(&'a Extensions, Early<'a>),
}

/// What a runner imports before it loads an app, and where that is.
pub type Early<'a> = Option<(&'a EarlyImports, &'a PackageFiles)>;

impl Content<'_> {
    /// The world of the contract to build.
    fn world(&self) -> &'static str {
        match self {
            Self::App(_) => "app",
            Self::Runner(..) => "runner",
        }
    }

    fn entry(&self) -> String {
        let exports = "Handlers = bolt._runtime.entry.Handlers\n";
        match self {
            Self::App(app) => {
                let variables = dict(app.build_env.iter().map(|(name, value)| (name, value)));
                format!(
                    "import bolt._runtime.entry\n\nbolt._runtime.entry.load({}, {}, {variables})\n{exports}",
                    literal(&app.module),
                    literal(&app.attribute)
                )
            }
            Self::Runner(_, early) => {
                let modules = early.iter().flat_map(|(early, _)| &early.modules);
                let modules: String = modules.map(|name| format!("{}, ", literal(name))).collect();
                let variables = dict(early.iter().flat_map(|(early, _)| &early.variables));
                format!(
                    "import bolt._runtime.entry\n\nbolt._runtime.entry.load_runner([{modules}], {variables})\n\
                     {exports}Loader = bolt._runtime.entry.Loader\n"
                )
            }
        }
    }
}

/// A Python dict of strings.
fn dict<'a>(items: impl Iterator<Item = (&'a String, &'a String)>) -> String {
    let items = items.map(|(name, value)| format!("{}: {}, ", literal(name), literal(value)));
    format!("{{{}}}", items.collect::<String>())
}

/// A Python string.
fn literal(text: &str) -> String {
    let plain = |c: char| matches!(c, ' '..='~') && !matches!(c, '\'' | '\\');
    let part = |c: char| if plain(c) { c.to_string() } else { format!("\\U{:08x}", c as u32) };
    format!("'{}'", text.chars().map(part).collect::<String>())
}

/// The guest's first folder: the copy of the app, or an empty one in the place where a runner later finds its app.
pub const APP: &str = "app";
/// The guest's second folder: the SDK and the entry module.
const SDK: &str = "sdk";

/// Build in the folder `work`, which has the copy of an app; returns the component's path. Errors tell the developer what to fix.
///
/// componentize-py lets the guest write to every folder that it mounts: those in `work`, and the site-packages of the virtual
/// environment that a variable names or else those of the system's Python. So it gets an empty environment.
pub fn componentize(
    python: &Python,
    content: Content<'_>,
    limits: &Limits,
    work: &Path,
) -> Result<PathBuf, String> {
    let io = |e: std::io::Error| format!("the SDK cannot be unpacked: {e}");
    let (app, sdk, venv) = (work.join(APP), work.join(SDK), work.join("venv"));
    let (temporary, out) = (work.join("temporary"), work.join("out"));
    for folder in [&app, &venv.join("lib/site-packages"), &temporary, &out] {
        fs::create_dir_all(folder).map_err(io)?;
    }
    sdk_bundle::unpack(&sdk).map_err(io)?;
    if let Content::Runner(extensions, early) = content {
        let copied = early.map_or(Ok(()), |(_, packages)| packages.copy(&app));
        copied
            .and_then(|()| extensions.copy(&app))
            .map_err(|e| format!("the packages cannot be copied: {e}"))?;
    }
    fs::write(sdk.join(format!("{ENTRY}.py")), content.entry()).map_err(io)?;
    let (target, said) = (out.join("app.wasm"), work.join("said"));
    let log = File::create(&said).map_err(io)?;
    let mut command = child::confined(&python.componentize(), &[&temporary, &out]);
    command
        .arg("--wit-path")
        .arg(sdk.join("wit"))
        .args(["--world", content.world(), "componentize", ENTRY, "--python-path"])
        .arg(&app)
        .arg("--python-path")
        .arg(&sdk)
        .arg("--output")
        .arg(&target)
        .current_dir(work)
        .env_clear()
        .envs(NEEDED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
        .env("VIRTUAL_ENV", &venv)
        .env("TMPDIR", &temporary)
        .stdin(Stdio::null())
        .stdout(log.try_clone().map_err(io)?)
        .stderr(log);
    let bounds = Bounds { disk: Some((work, limits.build_disk as u64)), ..Bounds::default() };
    let end = child_process::run(&mut command, bounds)
        .map_err(|e| format!("componentize-py cannot be started: {e}"))?;
    match end {
        End::Exited(status) if status.success() => Ok(target),
        End::Exited(status) if status.signal().is_some() => Err(child::died(status)),
        End::Exited(_) => Err(complaint(&tail(&said))),
        End::OutOfDisk | End::OutOfTime => {
            Err(format!("its build needs more files than {}", limit_name::of(Limit::BuildDisk)))
        }
    }
}

/// The end of a file, as text.
fn tail(path: &Path) -> String {
    let mut bytes = Vec::new();
    if let Ok(mut file) = File::open(path) {
        let length = file.metadata().map_or(0, |meta| meta.len());
        let _ = file.seek(SeekFrom::Start(length.saturating_sub(MOST_SAID)));
        let _ = file.take(MOST_SAID).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The error of a failed build for the app's developer: the SDK's own messages, if there are any.
fn complaint(said: &str) -> String {
    let marked: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix(ERROR_MARK)).collect();
    if !marked.is_empty() {
        marked.join("\n")
    } else if said.contains(SNAPSHOT_TOO_LARGE) {
        // componentize-py takes all memory in one value; wasmtime lets that have 128 MiB.
        "the app has more than 128 MiB in memory after its imports, and componentize-py can put no more than that into a component: \
         import less, or import large packages in the functions that need them"
            .to_owned()
    } else {
        format!("the app could not be built:\n{}", said.trim())
    }
}

/// What wasmtime tells componentize-py that reads more of the guest's memory than it may.
const SNAPSHOT_TOO_LARGE: &str = "fuel allocated for hostcalls has been exhausted";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_build_says_what_to_do() {
        let marked = format!("Traceback\n{ERROR_MARK}no such handler\n{ERROR_MARK}line 3\n");
        assert_eq!(complaint(&marked), "no such handler\nline 3");
        let large = "Error: component-init-get-memory\n  fuel allocated for hostcalls has been exhausted\n";
        assert!(complaint(large).contains("128 MiB"));
        assert_eq!(complaint("what?\n"), "the app could not be built:\nwhat?");
    }
}
