//! The task that owns an instance: it starts handlers, polls the guest's event loop, delivers cancellations, and ends
//! with the instance.

use crate::config::limit_name;
use crate::config::limit_table::Limit;
use crate::pool::call::{Call, CallArgs, InstanceEnd};
use crate::pool::instance::PooledInstance;
use crate::pool::instance_pool::InstancePool;
use crate::pool::offload;
use crate::pool::reclaim;
use crate::pool::scheduler::Work;
use crate::quota::instance_places::NoPlace;
use crate::sandbox::bindings;
use crate::sandbox::component::LoadedComponent;
use crate::sandbox::execution::{CpuExhausted, Execution};
use crate::sandbox::host_state::HostState;
use crate::sandbox::instance::Instance;
use crate::util::locks::lock;
use crate::util::self_wake::SelfWake;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmtime::PoolConcurrencyLimitError;
use wasmtime::component::Accessor;

/// Spawn the task of a new instance on its pool's worker, from any thread.
pub fn launch(pool: Arc<InstancePool>, instance: Arc<PooledInstance>) {
    let runtime = pool.worker.runtime.clone();
    runtime.spawn(drive(pool, instance));
}

/// Create an instance and drive it until it is retired, traps, or is killed.
async fn drive(pool: Arc<InstancePool>, instance: Arc<PooledInstance>) {
    let signals = &instance.signals;
    let mut guest = None;
    let fatal = {
        let mut life = pin!(async {
            tokio::select! {
                ended = live(&pool, &instance, &mut guest) => ended.err(),
                () = signals.kill.notified() => Some(InstanceEnd::Killed),
                () = signals.execution.overstayed.notified() => Some(InstanceEnd::Killed),
            }
        });
        let mut own = None;
        poll_fn(|cx| {
            let known = own.take().filter(|own: &SelfWake| own.is_of(cx.waker()));
            let own = own.insert(known.unwrap_or_else(|| SelfWake::of(cx.waker())));
            signals.execution.resumed();
            let (poll, is_woken) = own.poll(|cx| life.as_mut().poll(cx));
            signals.execution.suspended(is_woken);
            if poll.is_pending() {
                pool.observe(&instance);
            }
            poll
        })
        .await
    };
    signals.execution.ended();
    if let Some(fatal) = fatal {
        report(&pool, &fatal);
        let _ = signals.ended.set(fatal);
    }
    // Those who cancel later learn that nobody hears them. One that stayed in the list waited for ever, with its reply and
    // the place of its stream.
    drop(lock(&signals.cancels).take());
    // Only after `ended` is set: requests that lose their reply with the guest look for the reason.
    if let Some(guest) = guest {
        note_pages(&pool.template.component, &instance).await;
        let begun = Instant::now();
        offload::end(guest, &pool.worker.endings).await;
        pool.counters.ended(begun.elapsed());
    }
    pool.ended(&instance);
}

/// Look now and then which pages the app's instances have written to, before the memory of this one is reset.
async fn note_pages(component: &LoadedComponent, instance: &PooledInstance) {
    if instance.served() > 0 && component.hot_pages.is_due() {
        let (pages, image) = (component.hot_pages.clone(), component.image.clone());
        let _ = tokio::task::spawn_blocking(move || pages.look(&image)).await;
    }
}

/// Log an end that no request tells about.
fn report(pool: &InstancePool, end: &InstanceEnd) {
    let app = &*pool.template.component.spec.name;
    match end {
        InstanceEnd::CpuExhausted { request: 0 } => {
            let limit = limit_name::of(Limit::MaxCpu);
            tracing::error!(
                app,
                "an instance used up the processor time of a request outside of requests, and was ended ({limit})"
            );
        }
        InstanceEnd::Trapped { request: 0, why } => {
            tracing::error!(app, "an instance trapped outside of requests, and was retired: {why}");
        }
        _ => {}
    }
}

async fn live(
    pool: &Arc<InstancePool>,
    instance: &Arc<PooledInstance>,
    place: &mut Option<Instance>,
) -> Result<(), InstanceEnd> {
    let execution = &instance.signals.execution;
    let guest = match make(pool, execution).await {
        Ok(guest) => place.insert(guest),
        Err(error) => return Err(InstanceEnd::NoInstance(format!("{error:#}"))),
    };
    let outcome = guest
        .enter(async |guest, app| {
            tokio::select! {
                done = serve(pool, instance, guest, app) => done,
                stopped = run(pool, execution, guest, app) => stopped,
            }
        })
        .await;
    outcome.map_err(|trap| match trap.downcast_ref::<CpuExhausted>() {
        Some(&CpuExhausted(request)) => InstanceEnd::CpuExhausted { request },
        None => InstanceEnd::Trapped { request: execution.serving(), why: format!("{trap:#}") },
    })
}

/// Create an instance as soon as there is room for it.
async fn make(pool: &InstancePool, execution: &Arc<Execution>) -> wasmtime::Result<Instance> {
    let until = Instant::now() + reclaim::TIMEOUT;
    loop {
        let made =
            Instance::new(&pool.template.component, execution.clone(), pool.template.client.clone()).await;
        match made {
            Err(error) if error.is::<PoolConcurrencyLimitError>() || error.is::<NoPlace>() => {
                if !pool.is_waited_for() || Instant::now() > until {
                    let limit =
                        limit_name::pick("--instances", "[server] instances", "Builder::most_instances");
                    return Err(error.context(format!("there is no room for another instance ({limit})")));
                }
                pool.worker.reclaim.ask().await;
            }
            made => return made,
        }
    }
}

/// Run the guest's event loop once something has to wait in it: starting the loop costs an instance ten pages. Handlers
/// of `def` routes do not wait in it; only work that they leave for after their reply does.
async fn run(
    pool: &InstancePool,
    execution: &Execution,
    guest: &Accessor<HostState>,
    app: &bindings::App,
) -> wasmtime::Result<()> {
    if pool.policy.is_async {
        guest.with(|mut access| access.data_mut().timer()).used().await;
    } else {
        execution.lingers.notified().await;
    }
    execution.turn().await;
    app.bolt_host_handlers().call_run(guest).await?;
    Err(wasmtime::format_err!("the event loop of the guest returned"))
}

/// Work through the pool's queue, concurrently with the guest's event loop.
async fn serve(
    pool: &Arc<InstancePool>,
    instance: &Arc<PooledInstance>,
    guest: &Accessor<HostState>,
    app: &bindings::App,
) -> wasmtime::Result<()> {
    let signals = &instance.signals;
    let execution = &signals.execution;
    let mut left = !pool.template.has_lifespan;
    loop {
        let cancels = lock(&signals.cancels).as_mut().map(std::mem::take).unwrap_or_default();
        for cancel in cancels {
            execution.turn().await;
            execution.entered();
            within(pool.most_inside(), app.bolt_host_handlers().call_cancel(guest, cancel.request)).await?;
            execution.rested();
            let _ = cancel.told.send(());
        }
        // A call is taken only when the guest can begin it at once: until then any other instance may serve it, and whatever
        // happens to this one does not concern it.
        execution.turn().await;
        if execution.is_inside() || execution.is_condemned() {
            instance.wait_for_guest();
            signals.wake.notified().await;
            continue;
        }
        match pool.take(instance) {
            Work::Call(asked) => {
                call(guest, app, asked).await?;
                if execution.has_had_enough() {
                    tokio::task::yield_now().await;
                }
            }
            Work::Wait | Work::Nothing => signals.wake.notified().await,
            // Work that starts here counts as in flight until it is done.
            Work::Over if !left => {
                left = true;
                guest.with(|mut access| access.data_mut().leaves());
                execution.entered();
                within(pool.most_inside(), app.bolt_host_handlers().call_leave(guest)).await?;
                execution.rested();
            }
            Work::Over => return Ok(()),
        }
    }
}

/// A call on behalf of no request. A guest that computes or blocks is found by its pool's clock; one that parks is not.
async fn within<T>(time: Duration, call: impl Future<Output = wasmtime::Result<T>>) -> wasmtime::Result<T> {
    let late = |_| {
        let limit = limit_name::of(Limit::Deadline);
        Err(wasmtime::format_err!(
            "it parked for longer than the deadline while it was cancelled or left ({limit})"
        ))
    };
    tokio::time::timeout(time, call).await.unwrap_or_else(late)
}

/// Run a handler to its end, or, if it is `async def`, to its first wait.
pub async fn call(guest: &Accessor<HostState>, app: &bindings::App, call: Call) -> wasmtime::Result<()> {
    let Call { request, route, args, reply, .. } = call;
    let CallArgs { values, attachments, reservation } = args;
    let execution = guest.with(|mut access| {
        let state = access.data_mut();
        state.begin(request, reply, attachments);
        state.execution.clone()
    });
    execution.entered();
    let text = app.bolt_host_handlers().call_call(guest, request, route, values.0).await?;
    execution.rested();
    drop(reservation);
    if !text.is_empty() {
        guest.with(|mut access| access.data_mut().answer(request, text));
    }
    Ok(())
}
