//! The instances of an app on each worker: which one takes a request, when one is made, and when one is retired.
//!
//! [`policy`] decides, [`scheduler`] keeps the state under one lock, [`driver`] is the task that owns an instance, and
//! [`call`] is what a request and an instance know of each other.

pub mod call;
pub mod driver;
pub mod instance;
pub mod offload;
pub mod policy;
pub mod pool;
pub mod reclaim;
pub mod scheduler;
pub mod worker;
