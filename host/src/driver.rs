//! The task that owns an instance: it starts handlers, polls the guest's event loop, tells of cancellations, and
//! ends with the instance.

use crate::aside;
use crate::guest::Instance as Guest;
use crate::lane::Lane;
use crate::pressure;
use crate::roster::{Instance, Work};
use crate::store::GuestState;
use crate::sync::lock;
use crate::ticket::{Fatal, Given, Job};
use crate::vitals::{OverBudget, Vitals};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;
use wasmtime::PoolConcurrencyLimitError;
use wasmtime::component::Accessor;

/// Make an instance and drive it until it is retired, traps, or is killed.
pub async fn drive(lane: Arc<Lane>, instance: Arc<Instance>) {
    let signals = &instance.signals;
    let mut guest = None;
    let fatal = {
        let mut life = pin!(async {
            tokio::select! {
                ended = live(&lane, &instance, &mut guest) => ended.err(),
                () = signals.kill.notified() => Some(Fatal::Killed),
                () = signals.vitals.overstayed.notified() => Some(Fatal::Killed),
            }
        });
        poll_fn(|cx| {
            signals.vitals.resumed();
            let poll = life.as_mut().poll(cx);
            signals.vitals.suspended();
            if poll.is_pending() {
                lane.observe(&instance);
            }
            poll
        })
        .await
    };
    if let Some(fatal) = fatal {
        let _ = signals.ended.set(fatal);
    }
    // Only now: requests that lose their reply with it look for the reason.
    if let Some(guest) = guest {
        let begun = Instant::now();
        aside::end(guest, &lane.core.endings).await;
        lane.stats.ended(begun.elapsed());
    }
    lane.ended(&instance);
}

async fn live(lane: &Arc<Lane>, instance: &Arc<Instance>, place: &mut Option<Guest>) -> Result<(), Fatal> {
    let vitals = &instance.signals.vitals;
    let guest = match make(lane, vitals).await {
        Ok(guest) => place.insert(guest),
        Err(error) => return Err(Fatal::NoInstance(format!("{error:#}"))),
    };
    let outcome = guest
        .enter(async |guest, app| {
            tokio::select! {
                done = serve(lane, instance, guest, app) => done,
                stopped = run(lane, vitals, guest, app) => stopped,
            }
        })
        .await;
    outcome.map_err(|trap| match trap.downcast_ref::<OverBudget>() {
        Some(&OverBudget(request)) => Fatal::OverBudget { request },
        None => Fatal::Trapped { request: vitals.serving(), why: format!("{trap:#}") },
    })
}

/// Make an interpreter, as soon as there is room for it.
async fn make(lane: &Lane, vitals: &Arc<Vitals>) -> wasmtime::Result<Guest> {
    let until = Instant::now() + pressure::PATIENCE;
    loop {
        let made = Guest::new(&lane.component, vitals.clone(), lane.outbound.clone()).await;
        match made {
            Err(error) if error.is::<PoolConcurrencyLimitError>() => {
                if !lane.is_waited_for() || Instant::now() > until {
                    return Err(error.context("every instance of the host is busy ([server] instances)"));
                }
                lane.core.pressure.raise().await;
            }
            made => return made,
        }
    }
}

/// Run the guest's event loop, from the time that something has to be waited for: a loop that is started costs an
/// instance ten pages. Handlers of `def` routes do not wait in it, only what they leave to be done does.
async fn run(
    lane: &Lane,
    vitals: &Vitals,
    guest: &Accessor<GuestState>,
    app: &crate::bindings::App,
) -> wasmtime::Result<()> {
    if lane.rules.is_async {
        guest.with(|mut access| access.data_mut().alarm()).used().await;
    } else {
        vitals.lingers.notified().await;
    }
    app.bolt_host_handlers().call_run(guest).await?;
    Err(wasmtime::format_err!("the event loop of the guest returned"))
}

/// Work through the lane's queue, beside the guest's event loop.
async fn serve(
    lane: &Arc<Lane>,
    instance: &Arc<Instance>,
    guest: &Accessor<GuestState>,
    app: &crate::bindings::App,
) -> wasmtime::Result<()> {
    let signals = &instance.signals;
    let mut left = !lane.has_lifespan;
    loop {
        let cancels = std::mem::take(&mut *lock(&signals.cancels));
        for cancel in cancels {
            signals.vitals.entered();
            app.bolt_host_handlers().call_cancel(guest, cancel.request).await?;
            signals.vitals.rested();
            let _ = cancel.told.send(());
        }
        match lane.take(instance) {
            Work::Job(job) => {
                call(guest, app, job).await?;
                if signals.vitals.has_had_enough() {
                    tokio::task::yield_now().await;
                }
            }
            Work::None => signals.wake.notified().await,
            // What is begun here counts as in flight until it is done.
            Work::Over if !left => {
                left = true;
                signals.vitals.entered();
                app.bolt_host_handlers().call_leave(guest).await?;
                signals.vitals.rested();
            }
            Work::Over => return Ok(()),
        }
    }
}

/// Run a handler: to its end, or, when it is `async def`, to its first wait.
pub async fn call(
    guest: &Accessor<GuestState>,
    app: &crate::bindings::App,
    job: Job,
) -> wasmtime::Result<()> {
    let Job { request, route, given, reply, .. } = job;
    let Given { args, uploads, room } = given;
    let vitals = guest.with(|mut access| {
        let state = access.data_mut();
        state.begin(request, reply, uploads);
        state.vitals.clone()
    });
    vitals.entered();
    let text = app.bolt_host_handlers().call_call(guest, request, route, args.0).await?;
    vitals.rested();
    drop(room);
    if !text.is_empty() {
        guest.with(|mut access| access.data_mut().answer(request, text));
    }
    Ok(())
}
