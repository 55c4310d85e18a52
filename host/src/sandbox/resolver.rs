//! Name resolution for guests, on threads of its own: a resolver that does not answer holds up nobody's files.

use crate::sandbox::problem::Problem;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;

/// Threads that resolve names, for all apps.
const THREADS: usize = 32;
/// How long a lookup may take, with its wait for a thread.
const LONGEST: Duration = Duration::from_secs(20);
/// Most addresses of a name that are used.
const MOST_ADDRESSES: usize = 8;

struct Resolver {
    threads: Runtime,
    /// Its waiters are served in turn, and an app has few of them at a time.
    places: Arc<Semaphore>,
}

fn resolver() -> Result<&'static Resolver, Problem> {
    static RESOLVER: OnceLock<Result<Resolver, String>> = OnceLock::new();
    let made = RESOLVER.get_or_init(|| {
        let threads = Builder::new_current_thread()
            .max_blocking_threads(THREADS)
            .thread_name("resolver")
            .build()
            .map_err(|e| format!("names cannot be resolved: {e}"))?;
        Ok(Resolver { threads, places: Arc::new(Semaphore::new(THREADS)) })
    });
    made.as_ref().map_err(|why| Problem::new("resolve", why.clone()))
}

/// The addresses of a host. `own` has the places of the app.
pub async fn addresses(own: &Arc<Semaphore>, host: &str, port: u16) -> Result<Vec<SocketAddr>, Problem> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let looking = async {
        let resolver = resolver()?;
        let own = own.clone().acquire_owned().await;
        let place = resolver.places.clone().acquire_owned().await;
        let name = host.to_owned();
        // A lookup that nobody waits for any more holds its thread, and so its places, until the system gives it up.
        let looked_up = resolver.threads.spawn_blocking(move || {
            let _held = (own, place);
            let found = (name.as_str(), port).to_socket_addrs();
            found.map(|found| found.take(MOST_ADDRESSES).collect::<Vec<_>>())
        });
        let found = looked_up.await.map_err(std::io::Error::other).and_then(|found| found);
        found.map_err(|e| Problem::new("resolve", format!("{host} cannot be resolved: {e}")))
    };
    let late = || Problem::new("resolve", format!("{host} was not resolved within {} s", LONGEST.as_secs()));
    tokio::time::timeout(LONGEST, looking).await.map_err(|_| late())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_are_resolved_and_an_app_waits_for_its_own_places() {
        let own = Arc::new(Semaphore::new(2));
        let found = addresses(&own, "localhost", 80).await.unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 80), "{found:?}");
        let held = own.clone().acquire_many_owned(2).await.unwrap();
        // An address needs no lookup.
        assert_eq!(addresses(&own, "192.0.2.1", 1).await.unwrap(), ["192.0.2.1:1".parse().unwrap()]);
        let mut waiting = std::pin::pin!(addresses(&own, "localhost", 80));
        tokio::select! {
            biased;
            _ = &mut waiting => unreachable!("all places of the app are taken"),
            () = tokio::task::yield_now() => {}
        }
        drop(held);
        assert!(!waiting.await.unwrap().is_empty());
        assert_eq!(addresses(&own, "a.invalid", 80).await.unwrap_err().kind, "resolve");
    }
}
