//! A client's connection, independent of its protocol: the peer, and how it shuts down.

use crate::apps::worker_apps::WorkerApps;
use hyper_util::server::graceful::GracefulConnection;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll};
use tokio::sync::watch;

/// A connection, apart from its bytes.
pub struct Connection {
    pub apps: Arc<WorkerApps>,
    pub peer: SocketAddr,
    pub is_secure: bool,
    /// The host is draining: each response is the last on its connection.
    pub leaving: Arc<AtomicBool>,
    /// Becomes true when idle connections have to close. The worker waits for all holders.
    pub closing: watch::Receiver<bool>,
}

/// Becomes ready when the host drains.
pub struct Draining(Pin<Box<dyn Future<Output = ()> + Send + Sync>>);

impl Draining {
    pub fn of(closing: &watch::Receiver<bool>) -> Self {
        let mut closing = closing.clone();
        Self(Box::pin(async move { drop(closing.wait_for(|closing| *closing).await) }))
    }

    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

/// Drive a connection. When the host drains, it finishes the requests in flight and takes no more.
pub async fn drive<C: GracefulConnection>(
    mut connection: Pin<&mut C>,
    closing: &mut watch::Receiver<bool>,
) -> Result<(), C::Error> {
    tokio::select! {
        done = &mut connection => return done,
        _ = closing.wait_for(|closing| *closing) => {}
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}
