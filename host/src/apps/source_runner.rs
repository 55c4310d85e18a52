//! Runs apps from source: the runner is a component without an app, built once, that loads an app when it starts.
//!
//! Building an app takes 10 s, loading its source 50 ms. So `dev` serves the source, and so does `run` while it builds. Compiled
//! modules cannot be loaded later: an app that has some has a runner with them.

use crate::apps::app::App;
use crate::builder::app_files::AppFiles;
use crate::builder::compiler;
use crate::builder::extensions::Extensions;
use crate::builder::from_source;
use crate::builder::packages;
use crate::config::AppConfig;
use crate::config::app_source::{AppRef, Source};
use crate::config::origin::Origin;
use crate::manifest::Manifest;
use crate::sandbox::component::LoadedComponent;
use crate::sandbox::engine::Engine;
use crate::util::cache_files;
use crate::util::locks::lock;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Loads apps from source.
#[derive(Clone)]
pub struct Runner(Arc<Shared>);

struct Shared {
    engine: Engine,
    /// The name of the app that it loads, which has the app's databases, stores and topics too.
    app: String,
    config: AppConfig,
    cache: PathBuf,
    /// Has the copies of apps.
    work: PathBuf,
    /// The last one, and the key of its compiled modules.
    component: Mutex<(String, LoadedComponent)>,
}

impl Runner {
    /// Take the runner for an app from the cache, or build it. The error is a user-facing message.
    pub fn ready(engine: &Engine, app: &str, config: &AppConfig, cache: &Path) -> Result<Self, String> {
        let component = component(engine, app, config, cache, &Extensions::default())?;
        Ok(Self(Arc::new(Shared {
            engine: engine.clone(),
            app: app.to_owned(),
            config: config.clone(),
            cache: cache.to_owned(),
            work: from_source::work(cache)?,
            component: Mutex::new((String::new(), component)),
        })))
    }

    /// Load an app from its current source. The error is a message for its developer.
    pub async fn load(&self, app: &AppRef, show_errors: bool) -> Result<App, String> {
        let (own, app) = (self.clone(), app.clone());
        // It may build a runner.
        let preparing = tokio::task::spawn_blocking(move || {
            let files = AppFiles::of(&app)?;
            let source = own.source(&app, &files, show_errors)?;
            own.component(&Extensions::of(&source.app.folder, &files.paths())?)?.running(source)
        });
        let component = preparing.await.map_err(|e| e.to_string())??;
        let json = compiler::ask(&component, &self.0.config.limits).await?;
        App::new(Manifest::parse(&json)?, Arc::new(component), &self.0.config)
    }

    /// The app of an origin, with its packages. The error is a message for its developer.
    pub async fn app_of(&self, origin: &Origin) -> Result<AppRef, String> {
        let Shared { config, cache, .. } = &*self.0;
        if let Some(app) = packages::app_of(origin, cache)? {
            return Ok(app);
        }
        let (origin, limits, cache) = (origin.clone(), config.limits.clone(), cache.clone());
        let installing = tokio::task::spawn_blocking(move || packages::ready(&origin, &limits, &cache));
        Ok(installing.await.map_err(|e| e.to_string())??)
    }

    /// The runner with these compiled modules.
    fn component(&self, extensions: &Extensions) -> Result<LoadedComponent, String> {
        let Shared { engine, app, config, cache, component: last, .. } = &*self.0;
        if let (key, component) = &*lock(last)
            && *key == extensions.key
        {
            return Ok(component.clone());
        }
        let made = component(engine, app, config, cache, extensions)?;
        *lock(last) = (extensions.key.clone(), made.clone());
        Ok(made)
    }

    /// Its folder has more in it than the app, so interpreters see a copy of what a build would have.
    fn source(&self, app: &AppRef, files: &AppFiles, show_errors: bool) -> Result<Source, String> {
        let copy = cache_files::scratch(&self.0.work, "source")
            .map_err(|e| format!("the app cannot be copied: {e}"))?;
        files.link(copy.path(), self.0.config.limits.build_disk as u64)?;
        let folder = copy.path().to_owned();
        let app = AppRef { folder, left_out: Vec::new(), packages: None, ..app.clone() };
        Ok(Source { app, show_errors, _copy: Some(Arc::new(copy)) })
    }
}

fn component(
    engine: &Engine,
    app: &str,
    config: &AppConfig,
    cache: &Path,
    extensions: &Extensions,
) -> Result<LoadedComponent, String> {
    let (_, artifact) = from_source::runner(extensions, (engine, &config.limits), cache)?;
    LoadedComponent::open(engine, &artifact, app, config)
}
