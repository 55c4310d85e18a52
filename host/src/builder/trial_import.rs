//! Imports an app's source before it is built: a mistake is found in milliseconds, and a build takes ten seconds.

use crate::builder::compiler;
use crate::config::app_source::{AppRef, Source};
use crate::config::{AppConfig, Limits};
use crate::sandbox::compile_cache::Artifact;
use crate::sandbox::component::LoadedComponent;
use crate::sandbox::engine::Engine;
use crate::sandbox::instance::NotLoaded;
use crate::util::blocking::block_on;
use std::path::Path;

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
    let app = AppRef { folder: folder.to_owned(), left_out: Vec::new(), ..app.clone() };
    let component = runner.running(Source { app, show_errors: false, _copy: None }).ok()?;
    let error = block_on(compiler::try_ask(&component, limits)).ok()?.err()?;
    error.downcast::<NotLoaded>().ok().map(|NotLoaded(text)| text)
}
