//! One instance: a Python interpreter in its own memory, and the calls into it.

use crate::bindings::App;
use crate::component::Loaded;
use crate::store::{GuestState, Vitals};
use std::sync::Arc;
use wasmtime::Store;
use wasmtime::component::Accessor;

/// An interpreter that is alive. Dropping it frees its memory and stops whatever it is doing.
pub struct Instance {
    pub store: Store<GuestState>,
    app: App,
    /// Requests taken up so far.
    pub served: u64,
}

impl Instance {
    /// Instantiate and run the once-only work of a first call (environment, random seed), so that no request
    /// pays for it. About 1 ms.
    pub async fn new(component: &Loaded) -> wasmtime::Result<Self> {
        let mut store = GuestState::store(&component.engine, component.name.clone(), component.memory_limit);
        let app = component.pre.instantiate_async(&mut store).await?;
        let mut instance = Self { store, app, served: 0 };
        instance.enter(async |guest, app| app.bolt_host_handlers().call_cancel(guest, 0).await).await?;
        Ok(instance)
    }

    pub fn vitals(&self) -> &Arc<Vitals> {
        &self.store.data().vitals
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

    /// Run the `def` handler of `route` to its end.
    pub async fn call(&mut self, request: u64, route: u32, args: Vec<u8>) -> wasmtime::Result<String> {
        self.served += 1;
        self.store.data_mut().serving(request);
        self.enter(async |guest, app| app.bolt_host_handlers().call_call(guest, request, route, args).await)
            .await
    }
}
