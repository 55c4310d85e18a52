//! The end of a connection that the host closes first.

use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Most that is read of a client after the end, in bytes.
const MOST_REST: usize = 1 << 20;

/// Say that nothing follows, and wait for the client to go: if bytes of it were left unread, the kernel would reset the
/// connection, and the client might not see the close.
pub async fn farewell(io: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<()> {
    io.shutdown().await?;
    let mut rest = [0; 512];
    let mut left = MOST_REST;
    while left > 0 {
        match io.read(&mut rest).await? {
            0 => break,
            read => left = left.saturating_sub(read),
        }
    }
    Ok(())
}
