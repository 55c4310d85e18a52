//! The client of a host's admin endpoint, for `deploy`, `rollback` and `apps`.

use crate::config::admin_access::AdminToken;
use crate::config::admin_address::Address;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// A host's admin endpoint.
#[derive(Debug)]
pub struct Client {
    pub address: Address,
    pub token: Option<AdminToken>,
}

impl Client {
    /// Send a request; returns the response text. The error is a user-facing message.
    pub async fn ask(&self, method: Method, path: &str, body: Vec<u8>) -> Result<String, String> {
        if !body.is_empty() {
            // The host does not read the body of a request that it refuses, and then its answer could be lost.
            Box::pin(self.ask(Method::GET, "/", Vec::new())).await?;
        }
        let address = &self.address;
        let failed = |e: std::io::Error| {
            format!(
                "no host answers at {address}: {e}; give the address of its admin endpoint with --admin ([server] admin in its host file)"
            )
        };
        match address {
            Address::Tcp(address) => {
                self.send(TcpStream::connect(address).await.map_err(failed)?, method, path, body).await
            }
            Address::Unix(socket) => {
                self.send(UnixStream::connect(socket).await.map_err(failed)?, method, path, body).await
            }
        }
    }

    async fn send(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<String, String> {
        let broken = |e: hyper::Error| format!("the host broke the connection: {e}");
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(connection);
        let host = match &self.address {
            Address::Tcp(address) => address.to_string(),
            Address::Unix(_) => "localhost".to_owned(),
        };
        let mut request = Request::builder().method(method).uri(path).header(HOST, host);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {}", token.as_str()));
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(|e| e.to_string())?;
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(broken)?.to_bytes();
        let text = String::from_utf8_lossy(&body).trim_end().to_owned();
        if status.is_success() { Ok(text) } else { Err(text) }
    }
}
