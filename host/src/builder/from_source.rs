//! Builds a component from an app's source, with componentize-py in a private Python environment, and merges its
//! modules.
//!
//! The result is cached under a hash of all its inputs, so nothing is built twice.

use crate::builder::app_archive;
use crate::builder::app_files::AppFiles;
use crate::builder::compiler;
use crate::builder::extensions::Extensions;
use crate::builder::python_env::{self, APP, Content, Early, Python};
use crate::builder::sdk_bundle;
use crate::builder::trial_import;
use crate::config::Limits;
use crate::config::app_source::AppRef;
use crate::config::origin::Linking;
use crate::sandbox::compile_cache::Artifact;
use crate::sandbox::engine::Engine;
use crate::util::cache_files;
use crate::util::cache_room::note_use;
use crate::util::progress::{self, Progress};
use crate::util::trust;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// A component and its place in the cache, whether it is built or not.
pub struct Planned {
    key: String,
    linking: Linking,
    /// The component's path in the cache.
    pub wasm: PathBuf,
}

impl Planned {
    /// The component of an app with its current files, of at most `most` bytes.
    pub fn of_app(app: &AppRef, linking: Linking, cache: &Path, most: usize) -> Result<Self, String> {
        Ok(Self::of_files(app, &AppFiles::of(app)?.digest(most as u64)?, linking, cache))
    }

    /// The component of an app with files of this hash: all that its build can read, so that nobody can have another component
    /// taken for it.
    fn of_files(app: &AppRef, files: &str, linking: Linking, cache: &Path) -> Self {
        let (module, attribute, sdk) = (&app.module, &app.attribute, sdk_bundle::digest());
        let mut all = format!("{}\0{sdk}\0{module}\0{attribute}\0{files}", python_env::COMPONENTIZE);
        for (name, value) in &app.build_env {
            all += &format!("\0{}={name}{value}", name.len());
        }
        Self::new(all.into_bytes(), linking, cache)
    }

    /// The component of a runner that has these compiled modules, and these imported.
    pub fn of_runner(extensions: &Extensions, early: Early<'_>, cache: &Path) -> Self {
        let mut all = format!("{}\0{}\0runner", python_env::COMPONENTIZE, sdk_bundle::digest());
        if !extensions.is_empty() {
            all += &format!("\0{}", extensions.key);
        }
        if let Some((early, packages)) = early {
            all += &format!("\0early {}", early.key(packages));
        }
        Self::new(all.into_bytes(), Linking::default(), cache)
    }

    /// `all`: the inputs of the component.
    fn new(mut all: Vec<u8>, linking: Linking, cache: &Path) -> Self {
        all.extend_from_slice(format!("\0{linking:?}\0{}", flatten::EDITION).as_bytes());
        let key = cache_files::digest(&all);
        let wasm = cache.join("components").join(format!("{key}.wasm"));
        Self { key, linking, wasm }
    }

    /// Its compiled code, if it is built and compiled. It may have no manifest.
    pub fn compiled(&self, engine: &Engine, cache: &Path) -> Option<Artifact> {
        let digest = cache_files::digest_of(&self.wasm, cache).ok()?;
        Some(Artifact::locate(cache, &digest, engine)).filter(Artifact::has_code)
    }

    /// Whether it is built and compiled to native code.
    pub fn is_done(&self, engine: &Engine, cache: &Path) -> bool {
        let digest = cache_files::digest_of(&self.wasm, cache);
        digest.is_ok_and(|digest| Artifact::locate(cache, &digest, engine).exists())
    }
}

/// Build a component unless it is cached; returns its path in the cache. Errors are text for people.
pub fn component_of(
    content: Content<'_>,
    planned: Planned,
    (engine, limits): (&Engine, &Limits),
    cache: &Path,
    rebuild: bool,
) -> Result<PathBuf, String> {
    let is_built = |wasm: &Path| trust::open_own(wasm).is_ok() && !rebuild;
    if is_built(&planned.wasm) {
        note_use(&planned.wasm);
        return Ok(planned.wasm);
    }
    let io = |what: &str| {
        let what = what.to_owned();
        move |e: std::io::Error| format!("{what}: {e}")
    };
    cache_files::private_folder(&cache.join("components")).map_err(io("the cache folder cannot be used"))?;
    let work = cache_files::scratch(&work(cache)?, "build").map_err(io("the cache folder cannot be made"))?;
    // The files may have changed since it was planned: what counts is what was copied.
    let (planned, archive, extensions) = match content {
        Content::App(app) => copied(app, planned.linking, &work.path().join(APP), limits, cache)?,
        Content::Runner(..) => (planned, None, Extensions::default()),
    };
    let Planned { key, linking, wasm: target } = planned;
    // Two hosts may start with the same app: the second one waits, and then finds the component built.
    let lock = File::create(cache.join("components").join(format!("{key}.lock")))
        .map_err(io("the cache cannot be locked"))?;
    lock.lock().map_err(io("the cache cannot be locked"))?;
    if is_built(&target) {
        return Ok(target);
    }
    if let Content::App(app) = content
        && let Some(runner) = Planned::of_runner(&extensions, None, cache).compiled(engine, cache)
        && let Some(mistake) = trial_import::mistake(app, &work.path().join(APP), &runner, engine, limits)
    {
        return Err(mistake);
    }
    let python = Python::ready(cache)?;
    let step = Progress::begin(&match content {
        Content::App(app) => format!("building {}:{}", app.module, app.attribute),
        Content::Runner(_, Some((early, _))) => {
            format!("building a runner with {} modules of packages imported (once)", early.modules.len())
        }
        Content::Runner(extensions, None) if extensions.is_empty() => {
            "building the runner for apps from source (once)".to_owned()
        }
        Content::Runner(extensions, None) => {
            format!("building the runner for apps from source with {} (once)", extensions.names().join(", "))
        }
    });
    let wasm = python_env::componentize(&python, content, limits, work.path())?;
    link(&wasm, linking)?;
    if let Some(archive) = archive {
        add_files(&wasm, &archive).map_err(io("the app's files cannot be added"))?;
    }
    fs::rename(&wasm, &target).map_err(io("the component cannot be stored"))?;
    let _ = fs::remove_file(cache.join("components").join(format!("{key}.lock")));
    let size = fs::metadata(&target).map_or(0, |meta| meta.len()) / 1_000_000;
    step.done(&format!("{size} MB component"));
    Ok(target)
}

/// The runner with these compiled modules, and these imported, built and compiled once. Errors are text for people.
pub fn runner(
    extensions: &Extensions,
    early: Early<'_>,
    (engine, limits): (&Engine, &Limits),
    cache: &Path,
) -> Result<(PathBuf, Artifact), String> {
    let planned = Planned::of_runner(extensions, early, cache);
    let wasm = component_of(Content::Runner(extensions, early), planned, (engine, limits), cache, false)?;
    let artifact = compiler::native(engine, &wasm, cache)?;
    Ok((wasm, artifact))
}

/// Copy an app's files; returns which component they become, their archive, and the compiled modules among them. The archive is
/// made before the build, in which the app could change the copy.
fn copied(
    app: &AppRef,
    linking: Linking,
    folder: &Path,
    limits: &Limits,
    cache: &Path,
) -> Result<(Planned, Option<Vec<u8>>, Extensions), String> {
    let files = AppFiles::of(app)?;
    if !files.has(&app.file) {
        return Err(format!(
            "{} is not read: it is a link to a file outside of {}. The operator may name another root",
            app.folder.join(&app.file).display(),
            app.folder.display()
        ));
    }
    let digest = files.copy(folder, limits.build_disk as u64)?;
    let paths = files.paths();
    let extensions = Extensions::of(folder, &paths)?;
    for library in &extensions.foreign {
        progress::tell(format_args!(
            "    warning: {} is compiled for another system, so the app does not have it",
            library.display()
        ));
    }
    let archive = app_archive::pack(folder, &paths);
    let archive = archive.map_err(|e| format!("the app's files cannot be read: {e}"))?;
    Ok((Planned::of_files(app, &digest, linking, cache), archive, extensions))
}

fn add_files(wasm: &Path, archive: &[u8]) -> std::io::Result<()> {
    let mut bytes = fs::read(wasm)?;
    app_archive::append(&mut bytes, archive);
    fs::write(wasm, bytes)
}

/// The folder of the builds in progress, without those of processes that ended.
pub fn work(cache: &Path) -> Result<PathBuf, String> {
    let work = cache.join("work");
    cache_files::private_folder(&work).map_err(|e| format!("the cache folder cannot be made: {e}"))?;
    cache_files::sweep(&work);
    Ok(work)
}

/// Merge the core modules of a component file, if `linking` says so.
fn link(wasm: &Path, linking: Linking) -> Result<(), String> {
    let names = match linking {
        Linking::Left => return Ok(()),
        Linking::Flat { names } => names,
    };
    let io = |e: std::io::Error| format!("the component cannot be flattened: {e}");
    match flatten::flatten(&fs::read(wasm).map_err(io)?, names) {
        Ok(flat) => fs::write(wasm, flat).map_err(io),
        Err(left) => {
            progress::tell(format_args!(
                "    its modules are left as they are, because {left}; it starts more slowly"
            ));
            Ok(())
        }
    }
}
