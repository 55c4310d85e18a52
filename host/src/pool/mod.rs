//! The instances of an app on each worker: which one takes a request, when one is created, and when one is retired.
//!
//! [`policy`] decides, [`scheduler`] keeps the state under one lock, [`driver`] is the task that owns an instance, and
//! [`call`] is the state that a request and an instance share.

pub mod call;
pub mod driver;
pub mod instance;
pub mod instance_pool;
pub mod offload;
pub mod policy;
pub mod reclaim;
pub mod scheduler;
pub mod worker;
