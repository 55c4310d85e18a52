//! An app made ready to be served, whatever it was given as: built, compiled, loaded.

use crate::app::App;
use crate::artifact::Artifact;
use crate::builder::{self, Linking, Planned};
use crate::component::Loaded;
use crate::config::AppConfig;
use crate::engine::Engine;
use crate::manifest::Manifest;
use crate::python::Content;
use crate::source::AppRef;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What somebody calls an app.
#[derive(Debug, Clone)]
pub struct Origin {
    /// A `.py` file, or a component.
    pub path: PathBuf,
    /// Where the app is in it, when that is not its usual place.
    pub app: Option<String>,
    pub linking: Linking,
    /// Build again even when nothing changed.
    pub rebuild: bool,
}

impl Origin {
    /// It has to be built from source.
    pub fn is_python(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "py")
    }

    pub fn app_ref(&self) -> Result<AppRef, String> {
        AppRef::new(&self.path, self.app.as_deref())
    }

    /// What is to be built of source, or has been.
    pub fn planned(&self, cache: &Path) -> Result<Planned, String> {
        Planned::of_app(&self.app_ref()?, self.linking, cache)
    }

    /// The component: itself, or what it builds to. The error is a text for people.
    pub fn component(&self, cache: &Path) -> Result<PathBuf, String> {
        let path = &self.path;
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("py") => {
                let app = self.app_ref()?;
                let planned = Planned::of_app(&app, self.linking, cache)?;
                builder::component_of(Content::App(&app), planned, cache, self.rebuild)
            }
            Some("wasm") if path.is_file() => Ok(path.clone()),
            Some("wasm") => Err(format!("{}: no such file", path.display())),
            _ => Err(format!(
                "{}: an app is a .py file, or a .wasm file made by `bolt-host build`",
                path.display()
            )),
        }
    }
}

/// Build, compile and load.
pub fn load(origin: &Origin, engine: &Engine, config: &AppConfig, cache: &Path) -> Result<App, String> {
    let wasm = origin.component(cache)?;
    let (artifact, manifest) = builder::compile(engine, &wasm, cache, config, origin.rebuild)?;
    let name = module(&manifest).to_owned();
    open(&artifact, manifest, &name, engine, config)
        .map_err(|sentence| format!("{}: {sentence}", origin.path.display()))
}

/// Load what is compiled; `name` is what the log calls it.
pub fn open(
    artifact: &Artifact,
    manifest: Manifest,
    name: &str,
    engine: &Engine,
    config: &AppConfig,
) -> Result<App, String> {
    let component = Loaded::open(engine, artifact, name, config)?;
    App::new(manifest, Arc::new(component), config)
}

/// The module of an app, which stands for it in the log.
pub fn module(manifest: &Manifest) -> &str {
    manifest.app.split(':').next().unwrap_or_default()
}
