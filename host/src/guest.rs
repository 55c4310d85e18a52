//! One instance: a Python interpreter in its own memory, and the calls into it.

use crate::bindings::App;
use crate::component::Loaded;
use crate::outbound::Outbound;
use crate::store::GuestState;
use crate::vitals::Vitals;
use std::sync::Arc;
use wasmtime::Store;
use wasmtime::component::Accessor;

/// An interpreter that is alive. Dropping it frees its memory and stops whatever it is doing.
pub struct Instance {
    pub store: Store<GuestState>,
    app: App,
}

impl Instance {
    /// Instantiate and run the once-only work of a first call (environment, random seed), so that no request
    /// pays for it. About 1 ms.
    pub async fn new(
        component: &Loaded,
        vitals: Arc<Vitals>,
        outbound: Arc<Outbound>,
    ) -> wasmtime::Result<Self> {
        let mut store = GuestState::store(component, vitals, outbound);
        let app = component.pre.instantiate_async(&mut store).await?;
        let mut instance = Self { store, app };
        instance.enter(async |guest, app| app.bolt_host_handlers().call_cancel(guest, 0).await).await?;
        Ok(instance)
    }

    /// Run `body` with the guest's exports at hand.
    pub async fn enter<T: Send>(
        &mut self,
        body: impl AsyncFnOnce(&Accessor<GuestState>, &App) -> wasmtime::Result<T> + Send,
    ) -> wasmtime::Result<T> {
        let app = &self.app;
        self.store.run_concurrent(async |guest| body(guest, app).await).await?
    }

    /// The manifest, as JSON.
    pub async fn describe(&mut self) -> wasmtime::Result<String> {
        self.enter(async |guest, app| app.bolt_host_handlers().call_describe(guest).await).await
    }
}
