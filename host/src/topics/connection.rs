//! The connections to the broker of topics, and the names of what it keeps.

use crate::topics::link::Address;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisError};
use std::time::Duration;

/// How long the broker may take to answer.
pub const TIMEOUT: Duration = Duration::from_secs(5);
/// Pause before the next attempt, which doubles up to the second one.
pub const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));

/// A connection for commands, which connects again by itself. It has to be made in the runtime.
pub fn commands(client: &Client) -> Result<ConnectionManager, RedisError> {
    let config = ConnectionManagerConfig::new()
        .set_number_of_retries(0)
        .set_connection_timeout(Some(TIMEOUT))
        .set_response_timeout(Some(TIMEOUT));
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}

/// The key of a topic's events. An app's name may contain whatever separates it.
pub fn key(address: &Address) -> String {
    format!("{}:events:{}", prefix(&address.app), address.topic)
}

/// What the keys of an app begin with.
pub fn prefix(app: &str) -> String {
    format!("bolt:topics:{}:{app}", app.len())
}

/// The channel of a topic: unlike keys, channels belong to all databases of a server.
pub fn channel(key: &str, database: i64) -> String {
    format!("{key}@{database}")
}
