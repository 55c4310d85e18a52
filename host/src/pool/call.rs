//! A call of a handler: its arguments, the state that its request and instance share, and the wait for its reply.
//!
//! The wait may end early, because the client hung up or the deadline passed. A call that has not started then never
//! starts, and one that has is cancelled: an `async def` handler is notified and gets a grace period, while a `def`
//! handler cannot be notified, so its instance is ended.

use crate::error::Fault;
use crate::quota::body_budget::BodyReservation;
use crate::sandbox::body_stream::BodyClock;
use crate::sandbox::execution::Execution;
use crate::sandbox::host_state::{Attachments, GuestReply};
use crate::util::locks::lock;
use crate::validation::arguments::ValidArgs;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::Poll;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

/// How long a `def` handler may run on after its client hung up. Most need less, and a new instance takes longer.
const BRIEF: Duration = Duration::from_millis(10);

/// A call of a handler, as it is queued for an instance.
#[derive(Debug)]
pub struct Call {
    pub request: u64,
    pub route: u32,
    pub args: CallArgs,
    pub state: Arc<CallState>,
    pub reply: oneshot::Sender<GuestReply>,
}

/// The arguments of a handler.
#[derive(Debug)]
pub struct CallArgs {
    /// Marshalled.
    pub values: ValidArgs,
    pub attachments: Attachments,
    /// Body budget of the arguments while the host holds them.
    pub reservation: Option<BodyReservation>,
}

impl From<ValidArgs> for CallArgs {
    fn from(args: ValidArgs) -> Self {
        Self { values: args, attachments: Attachments::default(), reservation: None }
    }
}

/// The progress of a call. Its request and instance may be on different threads.
#[derive(Debug, Default)]
pub struct CallState(Mutex<Progress>);

#[derive(Debug, Default)]
enum Progress {
    #[default]
    Queued,
    Begun(Arc<InstanceSignals>),
    Abandoned,
}

impl CallState {
    /// Start the call; false when nobody waits for it any more.
    pub fn begin(&self, instance: &Arc<InstanceSignals>) -> bool {
        let mut progress = lock(&self.0);
        if matches!(*progress, Progress::Abandoned) {
            return false;
        }
        *progress = Progress::Begun(instance.clone());
        true
    }

    /// Abandon the call; returns the instance that has started it.
    fn abandon(&self) -> Option<Arc<InstanceSignals>> {
        match std::mem::replace(&mut *lock(&self.0), Progress::Abandoned) {
            Progress::Begun(instance) => Some(instance),
            Progress::Queued | Progress::Abandoned => None,
        }
    }
}

/// State of an instance that requests may read and signal while its driver owns it.
#[derive(Debug)]
pub struct InstanceSignals {
    pub execution: Arc<Execution>,
    /// Notified when there is a call or a cancellation for it.
    pub wake: Notify,
    pub cancels: Mutex<Option<Vec<Cancel>>>,
    /// Ends the instance from outside, whatever the guest does.
    pub kill: Notify,
    /// Why the instance ended, if it ended early.
    pub ended: OnceLock<InstanceEnd>,
}

/// Asks the guest to cancel a request's handler.
#[derive(Debug)]
pub struct Cancel {
    pub request: u64,
    /// Sent once the guest has been notified.
    pub told: oneshot::Sender<()>,
}

/// Why an instance ended early.
#[derive(Debug)]
pub enum InstanceEnd {
    NoInstance(String),
    Trapped { request: u64, why: String },
    CpuExhausted { request: u64 },
    Killed,
}

impl InstanceSignals {
    pub fn new(execution: Arc<Execution>) -> Arc<Self> {
        Arc::new(Self {
            execution,
            wake: Notify::new(),
            cancels: Mutex::new(Some(Vec::new())),
            kill: Notify::new(),
            ended: OnceLock::new(),
        })
    }

    /// The fault of a request that has lost its instance.
    fn fault(&self, request: u64) -> Fault {
        match self.ended.get() {
            Some(InstanceEnd::NoInstance(why)) => Fault::NoInstance(why.clone()),
            Some(InstanceEnd::Trapped { request: culprit, why }) if *culprit == request => {
                Fault::Trapped(why.clone())
            }
            Some(InstanceEnd::CpuExhausted { request: culprit }) if *culprit == request => {
                Fault::CpuExhausted
            }
            _ => Fault::Lost,
        }
    }
}

/// A call whose reply is awaited.
pub struct PendingCall {
    request: u64,
    state: Arc<CallState>,
    reply: Option<oneshot::Receiver<GuestReply>>,
    deadline: Instant,
    /// Set while the handler may read the body.
    reads: Option<Arc<BodyClock>>,
    cancel: CancelPolicy,
}

impl PendingCall {
    /// A call, and the wait for its reply.
    pub fn new(
        request: u64,
        route: usize,
        args: CallArgs,
        deadline: Instant,
        cancel: CancelPolicy,
    ) -> (Call, Self) {
        let (reply, inbox) = oneshot::channel();
        let state = Arc::new(CallState::default());
        let reads = args.attachments.body.as_ref().map(|body| body.clock.clone());
        let call = Call { request, route: route as u32, args, state: state.clone(), reply };
        (call, Self { request, state, reply: Some(inbox), deadline, reads, cancel })
    }

    /// The handler's reply, and its deadline.
    pub async fn reply(mut self) -> Result<(GuestReply, Instant), Fault> {
        // The instance runs first. A handler that never waits has then replied, and needs no timer.
        line_up().await;
        let replied = loop {
            let Some(reply) = self.reply.as_mut() else { return Err(Fault::Lost) };
            match (tokio::time::timeout_at(self.deadline, reply).await, &self.reads) {
                // A client may take long to send a body that the handler reads.
                (Err(_), Some(clock)) if clock.due(self.cancel.deadline) > self.deadline => {
                    self.deadline = clock.due(self.cancel.deadline);
                }
                (replied, _) => break replied,
            }
        };
        match replied {
            Ok(Ok(reply)) => {
                self.reply = None;
                Ok((reply, self.deadline))
            }
            Ok(Err(_)) => {
                self.reply = None;
                Err(self.state.abandon().map_or(Fault::Lost, |instance| instance.fault(self.request)))
            }
            Err(_) if self.give_up(Duration::ZERO) => Err(Fault::Deadline),
            Err(_) => Err(Fault::Busy),
        }
    }

    /// Stop waiting. True when the handler had started; a task then makes sure that it ends. `brief`: how long one that
    /// cannot be notified may still run.
    fn give_up(&mut self, brief: Duration) -> bool {
        let Some(reply) = self.reply.take() else { return false };
        let Some(instance) = self.state.abandon() else { return false };
        let (cancel, deadline) = (self.cancel, self.deadline);
        let heard = cancel.cancels.then(|| {
            let (told, heard) = oneshot::channel();
            if let Some(cancels) = &mut *lock(&instance.cancels) {
                cancels.push(Cancel { request: self.request, told });
                instance.wake.notify_one();
            }
            heard
        });
        // An embedder may drop a call outside a runtime.
        let Ok(runtime) = Handle::try_current() else {
            instance.kill.notify_one();
            return true;
        };
        runtime.spawn(async move {
            let mut reply = reply;
            let has_ended = match heard {
                Some(heard) => cancel.ends(&instance.execution, &mut reply, heard, deadline).await,
                // Work that earlier requests left for after their replies is on the same instance.
                None if instance.execution.in_flight() > 1 => {
                    tokio::time::timeout_at(deadline, &mut reply).await.is_ok()
                }
                None => tokio::time::timeout(brief, &mut reply).await.is_ok(),
            };
            // A handler that replies now finds the channel closed, and its instance takes no other call: whichever comes
            // first, the end of the handler or that of its instance, no other request is on it.
            reply.close();
            if !has_ended && reply.try_recv().is_err() {
                instance.kill.notify_one();
            }
        });
        true
    }
}

impl Drop for PendingCall {
    fn drop(&mut self) {
        self.give_up(BRIEF);
    }
}

/// Go to the back of the worker's run queue once.
async fn line_up() {
    let mut lined_up = false;
    std::future::poll_fn(|cx| {
        if lined_up {
            return Poll::Ready(());
        }
        lined_up = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// How to end a cancelled handler, and how long that may take.
#[derive(Debug, Clone, Copy)]
pub struct CancelPolicy {
    /// The handler can be notified.
    pub cancels: bool,
    pub deadline: Duration,
    pub grace: Duration,
}

impl CancelPolicy {
    /// True when a cancelled handler ends by itself. Others share its instance, which is therefore ended only if the
    /// handler was notified and has not finished a grace period after its deadline, or if the guest cannot be notified
    /// because it has kept the thread for longer than any handler may run. A client that hangs up does not shorten that:
    /// it would cost others their replies.
    async fn ends(
        self,
        execution: &Execution,
        reply: &mut oneshot::Receiver<GuestReply>,
        mut heard: oneshot::Receiver<()>,
        deadline: Instant,
    ) -> bool {
        loop {
            let told = tokio::select! {
                told = tokio::time::timeout(self.grace, &mut heard) => told,
                // What it replies may hold a place of its app.
                _ = &mut *reply => return true,
            };
            match told {
                // The instance has already ended.
                Ok(Err(_)) => return true,
                Ok(Ok(())) => {
                    let until = deadline.max(Instant::now()) + self.grace;
                    return tokio::time::timeout_at(until, reply).await.is_ok();
                }
                Err(_) if execution.held() > self.deadline => return false,
                Err(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_may_be_dropped_where_no_runtime_is() {
        for cancels in [false, true] {
            let cancel = CancelPolicy { cancels, deadline: Duration::ZERO, grace: Duration::ZERO };
            let args = ValidArgs(Vec::new()).into();
            let (call, pending) = PendingCall::new(1, 0, args, Instant::now(), cancel);
            let signals = InstanceSignals::new(Execution::alone());
            assert!(call.state.begin(&signals));
            drop(pending);
            let killed = futures_util::FutureExt::now_or_never(signals.kill.notified());
            assert!(killed.is_some(), "{cancels}");
        }
    }

    /// Before, the task waited for ever: the list of cancellations, which it kept itself, had the other end.
    #[tokio::test]
    async fn what_nobody_hears_is_forgotten_with_the_instance() {
        let grace = Duration::from_millis(1);
        let cancel = CancelPolicy { cancels: true, deadline: Duration::from_secs(1000), grace };
        for is_early in [false, true] {
            let args = ValidArgs(Vec::new()).into();
            let (call, pending) = PendingCall::new(1, 0, args, Instant::now() + cancel.deadline, cancel);
            let signals = InstanceSignals::new(Execution::alone());
            assert!(call.state.begin(&signals));
            if is_early {
                drop(lock(&signals.cancels).take());
            }
            drop(pending);
            tokio::task::yield_now().await;
            drop(lock(&signals.cancels).take());
            drop(call.state);
            let forgotten = async {
                while Arc::strong_count(&signals) > 1 {
                    tokio::time::sleep(grace).await;
                }
            };
            assert!(tokio::time::timeout(Duration::from_secs(60), forgotten).await.is_ok(), "{is_early}");
            drop(call.reply);
        }
    }

    /// A reply that comes after all gives back what it holds.
    #[tokio::test]
    async fn a_reply_that_nobody_waits_for_is_dropped() {
        let grace = Duration::from_secs(1000);
        let cancel = CancelPolicy { cancels: true, deadline: grace, grace };
        let (call, pending) =
            PendingCall::new(1, 0, ValidArgs(Vec::new()).into(), Instant::now() + grace, cancel);
        let signals = InstanceSignals::new(Execution::alone());
        assert!(call.state.begin(&signals));
        let _ = call.reply.send(GuestReply { text: String::new(), stream: None });
        drop((pending, call.state));
        let forgotten = async {
            while Arc::strong_count(&signals) > 1 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(60), forgotten).await.is_ok());
    }
}
