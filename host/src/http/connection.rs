//! A client's connection, whatever protocol it speaks: who is at the other end, and how it ends.

use crate::apps::worker_apps::WorkerApps;
use hyper_util::server::graceful::GracefulConnection;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio::sync::watch;

/// One connection, less its bytes.
pub struct Connection {
    pub apps: Arc<WorkerApps>,
    pub peer: SocketAddr,
    pub is_secure: bool,
    /// The host is ending: what is answered now is the last on its connection.
    pub leaving: Arc<AtomicBool>,
    /// Becomes true when what rests is to end. The worker waits for all who hold this.
    pub closing: watch::Receiver<bool>,
}

/// Drive a connection. When the host ends it answers what it has begun, and no more.
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
