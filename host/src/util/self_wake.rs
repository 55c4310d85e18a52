//! Tells whether a task was woken while it was polled, so that its runtime polls it again at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// The waker of a task, and whether it was used.
pub struct SelfWake {
    flag: Arc<Flag>,
    waker: Waker,
}

struct Flag {
    task: Waker,
    is_woken: AtomicBool,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::Relaxed);
        self.task.wake_by_ref();
    }
}

impl SelfWake {
    pub fn of(task: &Waker) -> Self {
        let flag = Arc::new(Flag { task: task.clone(), is_woken: AtomicBool::new(false) });
        Self { waker: flag.clone().into(), flag }
    }

    /// Whether it is of this task.
    pub fn is_of(&self, task: &Waker) -> bool {
        self.flag.task.will_wake(task)
    }

    /// Poll, and say whether the task was woken meanwhile.
    pub fn poll<T>(&self, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> (Poll<T>, bool) {
        self.flag.is_woken.store(false, Ordering::Relaxed);
        let outcome = poll(&mut Context::from_waker(&self.waker));
        (outcome, self.flag.is_woken.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_wakes_itself_is_noticed() {
        struct Task;
        impl Wake for Task {
            fn wake(self: Arc<Self>) {}
        }
        let (task, other) = (Waker::from(Arc::new(Task)), Waker::from(Arc::new(Task)));
        let own = SelfWake::of(&task);
        assert!(own.is_of(&task) && !own.is_of(&other));
        let wakes = own.poll(|cx| {
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        });
        assert_eq!(wakes, (Poll::Pending, true));
        let mut kept = None;
        let waits = own.poll(|cx| {
            kept = Some(cx.waker().clone());
            Poll::<()>::Pending
        });
        kept.unwrap().wake();
        assert_eq!(waits, (Poll::Pending, false));
        assert_eq!(own.poll(|_| Poll::Ready(1)), (Poll::Ready(1), false));
    }
}
