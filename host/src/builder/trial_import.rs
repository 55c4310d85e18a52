//! Imports an app's source before it is built: a mistake is found in milliseconds, and a build takes ten seconds.

use crate::builder::compiler;
use crate::config::app_source::{APP_FOLDER, AppRef, Source};
use crate::config::{AppConfig, Limits};
use crate::sandbox::compile_cache::Artifact;
use crate::sandbox::component::LoadedComponent;
use crate::sandbox::engine::Engine;
use crate::sandbox::instance::NotLoaded;
use crate::util::blocking::block_on;
use std::path::Path;

/// Errors that an import may have here and not in a build, which may write to its copy of the files and has more memory.
const ALLOWED_IN_BUILDS: [&str; 3] = ["OSError", "PermissionError", "MemoryError"];

/// What the developer has to mend, if the import fails. `runner`: the compiled interpreter that loads sources; `folder`: the copy of the
/// app's files. What else goes wrong is left to the build: a large app may take longer to import than one that serves may.
pub fn mistake(
    app: &AppRef,
    folder: &Path,
    runner: &Artifact,
    engine: &Engine,
    limits: &Limits,
) -> Option<String> {
    let config = AppConfig { limits: limits.clone(), ..AppConfig::default() };
    let runner = LoadedComponent::open(engine, runner, "runner", &config).ok()?;
    let app = AppRef { folder: folder.to_owned(), left_out: Vec::new(), packages: None, ..app.clone() };
    let component = runner.running(Source { app, show_errors: false, _copy: None }).ok()?;
    let error = block_on(compiler::try_ask(&component, limits)).ok()?.err()?;
    let NotLoaded(text) = error.downcast::<NotLoaded>().ok()?;
    let own = format!("'{APP_FOLDER}/");
    let is_elsewhere = |line: &str| line.starts_with("FileNotFoundError") && !line.contains(&own);
    let is_allowed = |line: &str| ALLOWED_IN_BUILDS.iter().any(|kind| line.starts_with(kind));
    let is_of_place = |line: &str| is_allowed(line) || is_elsewhere(line);
    if text.lines().any(is_of_place) { None } else { Some(text) }
}
