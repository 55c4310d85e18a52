//! Hostile apps and clients, failing disks and clocks, and what the host holds afterwards. These tests are separate
//! because they compare memory and measure a neighbour's response times, which other tests would disturb.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;

mod builds;
mod bytes;
mod databases;
mod faults;
mod flows;
mod hostile;
mod isolation;
mod kept;
mod limits;
mod neighbours;
mod reach;
mod resting;
mod strangers;
mod time;
mod work;
