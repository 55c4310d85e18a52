//! HTTPS and HTTP/2, as clients negotiate them.

use crate::common::{Server, scratch, websocket};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Write a new certificate and its key; returns the certificate.
fn issue(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

/// A server with a certificate of its own, and that certificate.
fn secure(folder: &Path) -> (Server, CertificateDer<'static>) {
    let issued = issue(folder);
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let flags = ["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap(), "--workers", "1"];
    (Server::fixture(&flags), issued)
}

async fn handshake(server: &Server, cert: &CertificateDer<'static>, protocol: &str) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(cert.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let stream = TcpStream::connect(server.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

fn request(uri: &str) -> Request<Full<Bytes>> {
    Request::get(uri).body(Full::default()).unwrap()
}

async fn text<B: hyper::body::Body>(response: Response<B>) -> String
where
    B::Error: std::fmt::Debug,
{
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn a_certificate_gives_https_in_both_versions() {
    let (server, cert) = secure(&scratch("tls"));
    let stream = handshake(&server, &cert, "h2").await;
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let answers = (0..50).map(|_| sender.send_request(request("https://localhost/sleep?ms=20")));
    for answer in futures_util::future::join_all(answers).await {
        let answer = answer.unwrap();
        assert_eq!((answer.version(), answer.status().as_u16()), (Version::HTTP_2, 200));
    }
    let seen = sender.send_request(request("https://localhost/request/url")).await.unwrap();
    assert_eq!(text(seen).await, "\"https://localhost/request/url\"");

    let stream = handshake(&server, &cert, "http/1.1").await;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut asked = request("/request/url");
    asked.headers_mut().insert("host", "localhost".parse().unwrap());
    let answer = sender.send_request(asked).await.unwrap();
    assert_eq!(answer.version(), Version::HTTP_11);
    assert_eq!(text(answer).await, "\"https://localhost/request/url\"");

    // A client without TLS gets no response, and does no harm.
    let mut plain = TcpStream::connect(server.address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[tokio::test]
async fn a_connection_that_rested_goes_on() {
    let (server, cert) = secure(&scratch("tls"));
    let stream = handshake(&server, &cert, "http/1.1").await;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_secs(5)).await;
        let mut asked = request("/request/url");
        asked.headers_mut().insert("host", "localhost".parse().unwrap());
        assert_eq!(
            text(sender.send_request(asked).await.unwrap()).await,
            "\"https://localhost/request/url\""
        );
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_used_without_a_restart() {
    let folder = scratch("tls");
    let (server, cert) = secure(&folder);
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(handshake(&server, &cert, "http/1.1").await)).await.unwrap();
    tokio::spawn(connection);
    // A broken certificate changes nothing.
    std::fs::write(folder.join("cert.pem"), "no certificate").unwrap();
    server.log_with("the old one is used on");
    handshake(&server, &cert, "h2").await;
    let renewed = issue(&folder);
    server.log_with("is used from now on");
    handshake(&server, &renewed, "h2").await;
    // Open connections continue.
    let mut asked = request("/created");
    asked.headers_mut().insert("host", "localhost".parse().unwrap());
    assert_eq!(sender.send_request(asked).await.unwrap().status(), 201);
}

#[tokio::test]
async fn http2_is_spoken_without_tls_to_those_who_begin_with_it() {
    let server = Server::fixture(&["--workers", "1"]);
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let answer = sender.send_request(request("http://localhost/created")).await.unwrap();
    assert_eq!((answer.version(), answer.status().as_u16()), (Version::HTTP_2, 201));
    let large =
        Request::post("http://localhost/created").body(Full::new(Bytes::from(vec![0; 100_000]))).unwrap();
    assert_eq!(sender.send_request(large).await.unwrap().status(), 405);
    // A field takes far more memory decoded than on the wire, so their number is bounded.
    for (fields, status) in [(90, 201), (110, 431)] {
        let mut many = request("http://localhost/created");
        let names = (0..fields).map(|number| HeaderName::try_from(format!("x-{number}")).unwrap());
        many.headers_mut().extend(names.map(|name| (name, HeaderValue::from_static(""))));
        assert_eq!(sender.send_request(many).await.unwrap().status(), status, "{fields} fields");
    }
    // A method that begins like the preface of HTTP/2.
    let answer = server.raw(b"PROPFIND / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    server.assert_well();
}

#[tokio::test]
async fn streams_and_websockets_are_encrypted() {
    let (server, cert) = secure(&scratch("tls"));
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(handshake(&server, &cert, "h2").await))
            .await
            .unwrap();
    tokio::spawn(connection);
    let lines = sender.send_request(request("https://localhost/streams/lines")).await.unwrap();
    assert_eq!(text(lines).await, "line 0\nline 1\nline 2\n");

    let mut stream = handshake(&server, &cert, "http/1.1").await;
    let fields = websocket::HANDSHAKE.map(|(name, value)| format!("{name}: {value}\r\n")).concat();
    // A page of the same origin, which is https here.
    let head =
        format!("GET /sockets/echo HTTP/1.1\r\nhost: localhost\r\norigin: https://localhost\r\n{fields}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        seen.push(stream.read_u8().await.unwrap());
    }
    assert!(seen.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&seen));
    // Large enough for several records.
    let long = "x".repeat(50_000);
    for text in ["hi", &long] {
        stream.write_all(&websocket::frame(websocket::FIN | websocket::TEXT, text.as_bytes())).await.unwrap();
        let head = if text.len() < 126 { 2 } else { 4 };
        let mut echo = vec![0; head + text.len()];
        stream.read_exact(&mut echo).await.unwrap();
        assert_eq!((echo[0], &echo[head..]), (0x81, text.as_bytes()));
    }
    // After a rest, in which the connection gives up its buffers.
    tokio::time::sleep(Duration::from_secs(3)).await;
    stream.write_all(&websocket::frame(websocket::FIN | websocket::CLOSE, &[0x03, 0xe8])).await.unwrap();
    let mut close = [0; 4];
    stream.read_exact(&mut close).await.unwrap();
    assert_eq!(close, [0x88, 2, 0x03, 0xe8]);
}
