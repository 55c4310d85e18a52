//! Builds a component from an app's source, with componentize-py in a private Python environment, and merges its
//! modules.
//!
//! The result is cached under a hash of all its inputs, so nothing is built twice.

use crate::builder::compiler::cached;
use crate::builder::python_env::{self, Content, Python};
use crate::builder::sdk_bundle;
use crate::config::app_source::{AppRef, sources};
use crate::config::origin::{Linking, Origin};
use crate::sandbox::compile_cache::Artifact;
use crate::sandbox::engine::Engine;
use crate::util::cache_files;
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
    /// The component of an app with its current files.
    pub fn of_app(app: &AppRef, linking: Linking, cache: &Path) -> Result<Self, String> {
        Ok(Self::new(key(app, &sources(&app.folder)?), linking, cache))
    }

    /// The component of an app from source.
    pub fn of_origin(origin: &Origin, cache: &Path) -> Result<Self, String> {
        Self::of_app(&origin.app_ref()?, origin.linking, cache)
    }

    /// The runner's component.
    pub fn of_runner(cache: &Path) -> Self {
        let all = format!("{}\0{}\0runner", python_env::COMPONENTIZE, sdk_bundle::digest());
        Self::new(all.into_bytes(), Linking::default(), cache)
    }

    /// `all`: the inputs of the component.
    fn new(mut all: Vec<u8>, linking: Linking, cache: &Path) -> Self {
        all.extend_from_slice(format!("\0{linking:?}\0{}", flatten::EDITION).as_bytes());
        let key = cache_files::digest(&all);
        let wasm = cache.join("components").join(format!("{key}.wasm"));
        Self { key, linking, wasm }
    }

    /// Whether it is built and compiled to native code.
    pub fn is_done(&self, engine: &Engine, cache: &Path) -> bool {
        let digest = cache_files::digest_of(&self.wasm, cache);
        digest.is_ok_and(|digest| cached(&Artifact::locate(cache, &digest, engine)).is_some())
    }
}

/// Build a component unless it is cached; returns its path in the cache. Errors are text for people.
pub fn component_of(
    content: Content<'_>,
    planned: Planned,
    cache: &Path,
    rebuild: bool,
) -> Result<PathBuf, String> {
    let Planned { key, linking, wasm: target } = planned;
    let io = |what: &str| {
        let what = what.to_owned();
        move |e: std::io::Error| format!("{what}: {e}")
    };
    cache_files::private_folder(&cache.join("components")).map_err(io("the cache folder cannot be used"))?;
    let is_built = || trust::open_own(&target).is_ok() && !rebuild;
    if is_built() {
        return Ok(target);
    }
    // Two hosts may start with the same app: the second one waits, and then finds the component built.
    let lock = File::create(cache.join("components").join(format!("{key}.lock")))
        .map_err(io("the cache cannot be locked"))?;
    lock.lock().map_err(io("the cache cannot be locked"))?;
    if is_built() {
        return Ok(target);
    }
    let python = Python::ready(cache)?;
    let step = Progress::begin(&match content {
        Content::App(app) => format!("building {}:{}", app.module, app.attribute),
        Content::Runner => "building the runner for apps from source (once)".to_owned(),
    });
    sweep(&cache.join("work"));
    let work = cache.join("work").join(format!("{key}-{}", std::process::id()));
    cache_files::private_folder(&work).map_err(io("the cache folder cannot be made"))?;
    let built = python_env::componentize(&python, content, &work).and_then(|wasm| {
        link(&wasm, linking)?;
        fs::rename(&wasm, &target).map_err(io("the component cannot be stored"))
    });
    let _ = fs::remove_dir_all(&work);
    built?;
    let _ = fs::remove_file(cache.join("components").join(format!("{key}.lock")));
    let size = fs::metadata(&target).map_or(0, |meta| meta.len()) / 1_000_000;
    step.done(&format!("{size} MB component"));
    Ok(target)
}

/// Remove the folders of interrupted builds: their names end in the ID of the process.
fn sweep(work: &Path) {
    for entry in fs::read_dir(work).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.rsplit('-').next().unwrap_or_default();
        if !cache_files::is_alive(process) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
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

/// All inputs of the component, or hashes of them.
fn key(app: &AppRef, sources: &[PathBuf]) -> Vec<u8> {
    let mut all = format!(
        "{}\0{}\0{}\0{}\0",
        python_env::COMPONENTIZE,
        sdk_bundle::digest(),
        app.module,
        app.attribute
    )
    .into_bytes();
    for path in sources {
        let bytes = fs::read(path).unwrap_or_default();
        let relative = path.strip_prefix(&app.folder).unwrap_or(path);
        all.extend_from_slice(
            format!("{}\0{}\0", relative.display(), cache_files::digest(&bytes)).as_bytes(),
        );
    }
    all
}
