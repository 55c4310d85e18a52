//! Builds, compiles and loads an app, from any kind of source.

use crate::apps::app::App;
use crate::builder::compiler;
use crate::builder::component_file::component_file;
use crate::config::AppConfig;
use crate::config::origin::Origin;
use crate::manifest::Manifest;
use crate::sandbox::compile_cache::Artifact;
use crate::sandbox::component::LoadedComponent;
use crate::sandbox::engine::Engine;
use std::path::Path;
use std::sync::Arc;

/// Build, compile and load an app.
pub fn load(origin: &Origin, engine: &Engine, config: &AppConfig, cache: &Path) -> Result<App, String> {
    let wasm = component_file(origin, &config.limits, cache)?;
    let (artifact, manifest) = compiler::compile(engine, &wasm, cache, config, origin.rebuild)?;
    let name = module(&manifest).to_owned();
    open(&artifact, manifest, &name, engine, config)
        .map_err(|sentence| format!("{}: {sentence}", origin.path.display()))
}

/// Load a compiled app; `name` is its name in the log.
pub fn open(
    artifact: &Artifact,
    manifest: Manifest,
    name: &str,
    engine: &Engine,
    config: &AppConfig,
) -> Result<App, String> {
    let component = LoadedComponent::open(engine, artifact, name, config)?;
    App::new(manifest, Arc::new(component), config)
}

/// The module of an app, which names it in the log.
pub fn module(manifest: &Manifest) -> &str {
    manifest.app.split(':').next().unwrap_or_default()
}
