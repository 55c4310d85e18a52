//! Imports an app's source before it is built: a mistake is found in milliseconds, and a build takes ten seconds.

use crate::builder::compiler;
use crate::builder::from_source::Planned;
use crate::config::app_source::{AppRef, Source};
use crate::config::{AppConfig, Limits};
use crate::sandbox::component::LoadedComponent;
use crate::sandbox::engine::Engine;
use crate::sandbox::instance::NotLoaded;
use crate::util::blocking::block_on;
use std::path::Path;

/// What the developer has to mend, if the import fails. `folder`: the copy of the app's files. Anything else that goes wrong is left to
/// the build: the interpreter that loads sources may not be there, and a large app may take longer to import than one that serves may.
pub fn mistake(
    app: &AppRef,
    folder: &Path,
    engine: &Engine,
    limits: &Limits,
    cache: &Path,
) -> Option<String> {
    let planned = Planned::of_runner(cache);
    if !planned.is_compiled(engine, cache) {
        return None;
    }
    let artifact = compiler::native(engine, &planned.wasm, cache).ok()?;
    let config = AppConfig { limits: limits.clone(), ..AppConfig::default() };
    let runner = LoadedComponent::open(engine, &artifact, "runner", &config).ok()?;
    let app = AppRef { folder: folder.to_owned(), left_out: Vec::new(), ..app.clone() };
    let component = runner.running(Source { app, show_errors: false, _copy: None }).ok()?;
    let error = block_on(compiler::try_ask(&component, limits)).ok()?.err()?;
    error.downcast::<NotLoaded>().ok().map(|NotLoaded(text)| text)
}
