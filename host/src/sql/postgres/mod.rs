//! Postgres: a pool of connections for each database, all of them on one thread of the host.

mod clean;
mod connect;
mod decimal;
mod explain;
mod meter;
mod moment;
mod parameter;
mod pool;
mod problem;
mod reader;
mod row;
mod run;
mod server;
mod session;
mod terms;
mod types;

#[cfg(feature = "cli")]
pub use connect::Connector;
pub use pool::Postgres;
pub use terms::Terms;
