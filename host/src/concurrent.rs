//! The lane of `async def` handlers: instances that serve many requests at once.
//!
//! Each instance is owned by a driver task, which polls the guest's event loop (one component-model future,
//! `handlers.run`) and starts handlers beside it. Requests reach the driver through a channel; replies come
//! back through one-shot channels, from the call itself when the handler never waited.

use crate::component::Loaded;
use crate::config::Limits;
use crate::fault::Fault;
use crate::guest::Instance;
use crate::params::ValidArgs;
use crate::policy::{self, Choice, Condition, Load};
use crate::pool::line_up;
use crate::store::{Vitals, lock};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

/// The concurrent instances of one app and worker.
pub struct Concurrent {
    component: Arc<Loaded>,
    most: usize,
    max_requests: u64,
    patience: Patience,
    drivers: Mutex<Vec<Arc<Driver>>>,
    /// Retired, and still serving what they had begun.
    draining: Mutex<Vec<Weak<Driver>>>,
}

/// What requests know of an instance; the instance itself is inside its driver task.
struct Driver {
    /// The driver task ends when the last sender is gone: the table's and each seat's.
    commands: mpsc::UnboundedSender<Command>,
    in_flight: AtomicUsize,
    served: AtomicU64,
    signals: Arc<Signals>,
}

/// Shared with the driver task.
#[derive(Default)]
struct Signals {
    vitals: OnceLock<Arc<Vitals>>,
    /// The request whose call the guest took up last.
    serving: AtomicU64,
    /// Ends the instance from outside, whatever the guest does.
    kill: Notify,
    /// Why the instance ended.
    ended: OnceLock<Fatal>,
}

#[derive(Debug)]
enum Fatal {
    NoInstance(String),
    Trapped { request: u64, why: String },
    Killed,
}

enum Command {
    Call {
        request: u64,
        route: u32,
        args: Vec<u8>,
        started: Arc<AtomicBool>,
        reply: oneshot::Sender<String>,
    },
    /// `told` is used once the guest has been told.
    Cancel {
        request: u64,
        told: oneshot::Sender<()>,
    },
}

impl Concurrent {
    pub fn new(component: Arc<Loaded>, limits: &Limits) -> Self {
        Self {
            component,
            most: limits.instances,
            max_requests: limits.max_requests,
            patience: Patience { deadline: limits.deadline, grace: limits.grace },
            drivers: Mutex::default(),
            draining: Mutex::default(),
        }
    }

    /// Make one instance ahead of the first request.
    pub async fn warm(&self) -> wasmtime::Result<()> {
        let instance = Instance::new(&self.component).await?;
        lock(&self.drivers).push(Driver::start(std::future::ready(Ok(instance))));
        Ok(())
    }

    /// Take a seat in an instance. Never waits: handlers of one instance interleave.
    pub fn checkout(&self, deadline: Instant) -> Seat {
        let mut drivers = lock(&self.drivers);
        self.retire(&mut drivers);
        let loads = drivers.iter().map(|driver| driver.load());
        let driver = match policy::choose(loads, self.most) {
            Choice::Instance(index) => drivers[index].clone(),
            Choice::New => {
                let component = self.component.clone();
                let driver = Driver::start(async move { Instance::new(&component).await });
                drivers.push(driver.clone());
                driver
            }
        };
        driver.in_flight.fetch_add(1, Ordering::Relaxed);
        Seat { driver, deadline, patience: self.patience }
    }

    /// Take worn instances off the table; they end when their last request does. While as many as may serve are
    /// still draining, worn ones go on serving: the pool has no room for more.
    fn retire(&self, drivers: &mut Vec<Arc<Driver>>) {
        if !drivers.iter().any(|driver| self.is_worn(driver)) {
            return;
        }
        let mut draining = lock(&self.draining);
        draining.retain(|driver| driver.strong_count() > 0);
        drivers.retain(|driver| {
            let keep = !driver.commands.is_closed() && (!self.is_worn(driver) || draining.len() >= self.most);
            if !keep {
                draining.push(Arc::downgrade(driver));
            }
            keep
        });
    }

    fn is_worn(&self, driver: &Driver) -> bool {
        let exhausted = driver.signals.vitals.get().is_some_and(|vitals| vitals.is_exhausted());
        let condition = Condition { served: driver.served.load(Ordering::Relaxed), exhausted };
        driver.commands.is_closed() || policy::retire(condition, self.max_requests)
    }
}

impl Driver {
    /// Drive `instance`, once it is made.
    fn start(instance: impl Future<Output = wasmtime::Result<Instance>> + Send + 'static) -> Arc<Self> {
        let (commands, inbox) = mpsc::unbounded_channel();
        let signals = Arc::new(Signals::default());
        tokio::spawn({
            let signals = signals.clone();
            async move {
                let fatal = match instance.await {
                    Ok(instance) => drive(instance, inbox, &signals).await,
                    Err(error) => Some(Fatal::NoInstance(format!("{error:#}"))),
                };
                if let Some(fatal) = fatal {
                    let _ = signals.ended.set(fatal);
                }
            }
        });
        Arc::new(Self { commands, in_flight: AtomicUsize::new(0), served: AtomicU64::new(0), signals })
    }

    fn load(&self) -> Load {
        Load {
            in_flight: self.in_flight.load(Ordering::Relaxed),
            busy: self.signals.vitals.get().is_some_and(|vitals| vitals.is_busy()),
        }
    }
}

/// Own an instance until nobody can send it a request any more, it traps, or it is killed.
async fn drive(
    mut instance: Instance,
    mut inbox: mpsc::UnboundedReceiver<Command>,
    signals: &Signals,
) -> Option<Fatal> {
    let _ = signals.vitals.set(instance.vitals().clone());
    let serving = &signals.serving;
    let outcome = tokio::select! {
        outcome = serve(&mut instance, &mut inbox, serving) => outcome,
        () = signals.kill.notified() => return Some(Fatal::Killed),
    };
    let trap = outcome.err()?;
    Some(Fatal::Trapped { request: serving.load(Ordering::Relaxed), why: format!("{trap:#}") })
}

/// Poll the guest's event loop and start handlers beside it, until the channel closes.
async fn serve(
    instance: &mut Instance,
    inbox: &mut mpsc::UnboundedReceiver<Command>,
    serving: &AtomicU64,
) -> wasmtime::Result<()> {
    let vitals = instance.vitals().clone();
    instance
        .enter(async |guest, app| {
            let handlers = app.bolt_host_handlers();
            let requests = async {
                while let Some(command) = inbox.recv().await {
                    match command {
                        // The client went away, or gave up, before its turn came.
                        Command::Call { reply, .. } if reply.is_closed() => {}
                        Command::Call { request, route, args, started, reply } => {
                            started.store(true, Ordering::Relaxed);
                            serving.store(request, Ordering::Relaxed);
                            vitals.entered();
                            guest.with(|mut access| {
                                let state = access.data_mut();
                                state.serving(request);
                                state.replies.insert(request, reply);
                            });
                            let text = handlers.call_call(guest, request, route, args).await?;
                            if !text.is_empty() {
                                let reply =
                                    guest.with(|mut access| access.data_mut().replies.remove(&request));
                                let _ = reply.map(|reply| reply.send(text));
                            }
                        }
                        Command::Cancel { request, told } => {
                            vitals.entered();
                            handlers.call_cancel(guest, request).await?;
                            let _ = told.send(());
                        }
                    }
                    vitals.rested();
                }
                wasmtime::error::Ok(())
            };
            tokio::select! {
                done = requests => done,
                stopped = handlers.call_run(guest) => {
                    stopped?;
                    Err(wasmtime::format_err!("the event loop of the guest returned"))
                }
            }
        })
        .await
}

/// A place in a concurrent instance, for one request.
pub struct Seat {
    driver: Arc<Driver>,
    deadline: Instant,
    patience: Patience,
}

impl Seat {
    /// Run the handler to its end, its deadline, or the end of its instance.
    pub async fn call(self, request: u64, route: usize, args: ValidArgs) -> Result<String, Fault> {
        let (reply, inbox) = oneshot::channel();
        self.driver.served.fetch_add(1, Ordering::Relaxed);
        let started = Arc::new(AtomicBool::new(false));
        let call =
            Command::Call { request, route: route as u32, args: args.0, started: started.clone(), reply };
        if self.driver.commands.send(call).is_err() {
            return Err(self.fault(request));
        }
        let mut waiting = Waiting { seat: self, request, started, reply: Some(inbox) };
        waiting.wait().await
    }

    fn fault(&self, request: u64) -> Fault {
        match self.driver.signals.ended.get() {
            Some(Fatal::NoInstance(why)) => Fault::NoInstance(why.clone()),
            Some(Fatal::Trapped { request: culprit, why }) if *culprit == request => {
                Fault::Trapped(why.clone())
            }
            Some(Fatal::Trapped { .. } | Fatal::Killed) | None => Fault::Lost,
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.driver.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A request whose reply is awaited. Dropped before it came, because the client hung up or the deadline passed,
/// it cancels the handler, and sees to it that the handler ends.
struct Waiting {
    seat: Seat,
    request: u64,
    /// The guest has taken the request up; before that, nothing has to be cancelled.
    started: Arc<AtomicBool>,
    reply: Option<oneshot::Receiver<String>>,
}

impl Waiting {
    async fn wait(&mut self) -> Result<String, Fault> {
        let Some(reply) = self.reply.as_mut() else { return Err(Fault::Lost) };
        // The driver runs first. A handler that never waits has then replied, and no timer is made for it: arming
        // one wakes the I/O driver through the kernel, a system call for nearly every request.
        line_up().await;
        match tokio::time::timeout_at(self.seat.deadline, reply).await {
            Ok(outcome) => {
                self.reply = None;
                outcome.map_err(|_| self.seat.fault(self.request))
            }
            Err(_) => Err(Fault::Deadline),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let Some(reply) = self.reply.take() else { return };
        if !self.started.load(Ordering::Relaxed) {
            return;
        }
        let (driver, patience) = (self.seat.driver.clone(), self.seat.patience);
        let (told, heard) = oneshot::channel();
        if driver.commands.send(Command::Cancel { request: self.request, told }).is_ok() {
            tokio::spawn(async move {
                if !patience.ends(&driver.signals, reply, heard).await {
                    driver.signals.kill.notify_one();
                }
            });
        }
    }
}

/// How long the end of a cancelled handler is waited for.
#[derive(Debug, Clone, Copy)]
struct Patience {
    deadline: Duration,
    grace: Duration,
}

impl Patience {
    /// True when a cancelled handler ends without force. Others share its instance, which is therefore ended only
    /// when the handler was told and does not yield within the grace period, or when the guest cannot be told
    /// because it has held on for longer than any handler may run.
    async fn ends(
        self,
        signals: &Signals,
        reply: oneshot::Receiver<String>,
        mut heard: oneshot::Receiver<()>,
    ) -> bool {
        loop {
            match tokio::time::timeout(self.grace, &mut heard).await {
                // The instance is gone already.
                Ok(Err(_)) => return true,
                Ok(Ok(())) => return tokio::time::timeout(self.grace, reply).await.is_ok(),
                Err(_) if signals.vitals.get().is_some_and(|vitals| vitals.held() > self.deadline) => {
                    return false;
                }
                Err(_) => {}
            }
        }
    }
}
