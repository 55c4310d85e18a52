//! Runs apps from source: the runner is a component without an app, built once, that loads an app when it starts.
//!
//! Building an app takes 10 s, loading its source 50 ms. So `dev` serves the source, and so does `run` while it builds.

use crate::apps::app::App;
use crate::builder::app_files::AppFiles;
use crate::builder::compiler;
use crate::builder::from_source;
use crate::config::AppConfig;
use crate::config::app_source::{AppRef, Source};
use crate::manifest::Manifest;
use crate::sandbox::component::LoadedComponent;
use crate::sandbox::engine::Engine;
use crate::util::cache_files;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The runner, ready to load any app.
#[derive(Clone)]
pub struct Runner {
    component: LoadedComponent,
    config: AppConfig,
    /// Has the copies of apps.
    work: PathBuf,
}

impl Runner {
    /// Take the runner from the cache, or build it. `app`: the name of the app that it loads, which has the app's databases, stores
    /// and topics too. The error is a user-facing message.
    pub fn ready(engine: &Engine, app: &str, config: &AppConfig, cache: &Path) -> Result<Self, String> {
        let (_, artifact) = from_source::runner(engine, &config.limits, cache)?;
        let component = LoadedComponent::open(engine, &artifact, app, config)?;
        Ok(Self { component, config: config.clone(), work: from_source::work(cache)? })
    }

    /// Load an app from its current source. The error is a message for its developer.
    pub async fn load(&self, app: &AppRef, show_errors: bool) -> Result<App, String> {
        let component = self.component.running(self.source(app, show_errors)?)?;
        let json = compiler::ask(&component, &self.config.limits).await?;
        App::new(Manifest::parse(&json)?, Arc::new(component), &self.config)
    }

    /// Its folder has more in it than the app, so interpreters see a copy of what a build would have.
    fn source(&self, app: &AppRef, show_errors: bool) -> Result<Source, String> {
        let copy = cache_files::scratch(&self.work, "source")
            .map_err(|e| format!("the app cannot be copied: {e}"))?;
        AppFiles::of(app)?.copy(copy.path(), self.config.limits.build_disk as u64)?;
        let app = AppRef { folder: copy.path().to_owned(), left_out: Vec::new(), ..app.clone() };
        Ok(Source { app, show_errors, _copy: Some(Arc::new(copy)) })
    }
}
