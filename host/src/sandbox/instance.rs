//! One instance: a Python interpreter in its own memory, and the calls into it.

use crate::config::app_source::{LOADER, Source};
use crate::config::limit_name;
use crate::config::limit_table::Limit;
use crate::quota::instance_places::{InstancePlace, NoPlace};
use crate::sandbox::bindings::App;
use crate::sandbox::component::LoadedComponent;
use crate::sandbox::execution::Execution;
use crate::sandbox::host_state::HostState;
use crate::sandbox::http_client::HttpClient;
use std::sync::Arc;
use wasmtime::Store;
use wasmtime::component::{self, Accessor};

/// A live interpreter. Dropping it frees its memory and stops whatever it is doing.
pub struct Instance {
    pub store: Store<HostState>,
    app: App,
    /// Dropped last.
    _place: InstancePlace,
}

impl Instance {
    /// What the last exception says that its code did not catch.
    #[cfg(feature = "cli")]
    pub fn last_error(&self) -> Option<String> {
        self.store.data().output.last_error()
    }

    /// Instantiate, and run the one-time setup of a first call (environment, random seed), so that no request pays for
    /// it. About 1 ms. All of that is the guest's code, so it has a time limit.
    pub async fn new(
        component: &LoadedComponent,
        execution: Arc<Execution>,
        client: Arc<HttpClient>,
    ) -> wasmtime::Result<Self> {
        let place = component.engine.places.take(&component.spec.alive).ok_or(NoPlace)?;
        execution.turn().await;
        execution.entered();
        let making = Self::make(component, execution.clone(), client, place);
        let made = tokio::time::timeout(component.spec.start_timeout, making).await;
        execution.rested();
        made.unwrap_or_else(|_| {
            let limit = limit_name::of(Limit::StartTimeout);
            Err(wasmtime::format_err!("it did not start in time ({limit})"))
        })
    }

    async fn make(
        component: &LoadedComponent,
        execution: Arc<Execution>,
        client: Arc<HttpClient>,
        place: InstancePlace,
    ) -> wasmtime::Result<Self> {
        let mut store = HostState::store(&component.engine, &component.spec, execution, client)?;
        let app = match &component.spec.source {
            None => component.pre.instantiate_async(&mut store).await?,
            Some(source) => {
                let whole = component.pre.instance_pre().instantiate_async(&mut store).await?;
                load(&mut store, &whole, source).await?;
                App::new(&mut store, &whole)?
            }
        };
        let mut instance = Self { store, app, _place: place };
        instance.enter(async |guest, app| app.bolt_host_handlers().call_cancel(guest, 0).await).await?;
        Ok(instance)
    }

    /// Run `body` with access to the guest's exports.
    pub async fn enter<T: Send>(
        &mut self,
        body: impl AsyncFnOnce(&Accessor<HostState>, &App) -> wasmtime::Result<T> + Send,
    ) -> wasmtime::Result<T> {
        let app = &self.app;
        self.store.run_concurrent(async |guest| body(guest, app).await).await?
    }

    /// The manifest, as JSON.
    pub async fn describe(&mut self) -> wasmtime::Result<String> {
        self.enter(async |guest, app| app.bolt_host_handlers().call_describe(guest).await).await
    }
}

/// The app cannot be loaded: a message for its developer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotLoaded(pub String);

/// Have a runner load an app. Only runners export this function, so it is looked up by name.
async fn load(
    store: &mut Store<HostState>,
    runner: &component::Instance,
    source: &Source,
) -> wasmtime::Result<()> {
    let interface = runner.get_export_index(&mut *store, None, LOADER);
    let index = runner.get_export_index(&mut *store, interface.as_ref(), "load");
    let index = index.ok_or_else(|| wasmtime::format_err!("it is not a runner"))?;
    let load = runner.get_typed_func::<(&str, &str, bool), (Result<(), String>,)>(&mut *store, index)?;
    let app = (source.app.module.as_str(), source.app.attribute.as_str(), source.show_errors);
    let (outcome,) = load.call_async(&mut *store, app).await?;
    outcome.map_err(|text| NotLoaded(text).into())
}
