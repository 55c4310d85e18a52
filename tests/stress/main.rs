//! What apps, clients, disks and kernels do to a host that mean harm or fail, and what it holds when they are gone. These are
//! apart from the others because they compare memory and let a neighbour wait, which other tests would disturb.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;

mod faults;
mod hostile;
mod isolation;
mod limits;
mod neighbours;
mod resting;
mod strangers;
