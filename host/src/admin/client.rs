//! The client of a host's admin endpoint, for `deploy`, `rollback` and `apps`.

use crate::config::admin_address::Address;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// Send a request; returns the response text. The error is a user-facing message.
pub async fn ask(address: &Address, method: Method, path: &str, body: Vec<u8>) -> Result<String, String> {
    let failed = |e: std::io::Error| {
        format!(
            "no host answers at {address}: {e}; give the address of its admin endpoint with --admin ([server] admin in its host file)"
        )
    };
    match address {
        Address::Tcp(address) => {
            send(TcpStream::connect(address).await.map_err(failed)?, method, path, body).await
        }
        Address::Unix(socket) => {
            send(UnixStream::connect(socket).await.map_err(failed)?, method, path, body).await
        }
    }
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    method: Method,
    path: &str,
    body: Vec<u8>,
) -> Result<String, String> {
    let broken = |e: hyper::Error| format!("the host broke the connection: {e}");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    tokio::spawn(connection);
    let request = Request::builder().method(method).uri(path).header(HOST, "admin");
    let request = request.body(Full::new(Bytes::from(body))).map_err(|e| e.to_string())?;
    let response = sender.send_request(request).await.map_err(broken)?;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(broken)?.to_bytes();
    let text = String::from_utf8_lossy(&body).trim_end().to_owned();
    if status.is_success() { Ok(text) } else { Err(text) }
}
