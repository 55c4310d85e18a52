//! HTTPS and HTTP/2: what a client negotiates, and what floods of HTTP/2 frames do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use bytes::Bytes;
use common::{Server, scratch};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A server with a certificate of its own, and that certificate.
fn secure() -> (Server, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = scratch("tls");
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let flags = ["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap(), "--workers", "1"];
    (Server::fixture(&flags), made.cert.der().clone())
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
    let (server, cert) = secure();
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

    // Whoever speaks without TLS is not answered, and does no harm.
    let mut plain = TcpStream::connect(server.address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
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
    // A method that begins like the preface of HTTP/2.
    let answer = server.raw(b"PROPFIND / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    server.assert_well();
}

/// Frames of HTTP/2, as bytes.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;

/// `GET / HTTP/2` of `localhost`, compressed as every client does.
const HEAD: [u8; 14] = [0x82, 0x86, 0x84, 0x41, 0x09, b'l', b'o', b'c', b'a', b'l', b'h', b'o', b's', b't'];

/// Send frames for as long as the server takes them.
async fn flood(server: &Server, mut next: impl FnMut(u32) -> Vec<u8>, most: u32) {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let start = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, 0, 0, &[])].concat();
    stream.write_all(&start).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let read = tokio::spawn(async move {
        let mut sink = vec![0; 65_536];
        while reading.read(&mut sink).await.is_ok_and(|read| read > 0) {}
    });
    for number in 0..most {
        if writing.write_all(&next(number)).await.is_err() {
            break;
        }
    }
    drop(writing);
    let _ = read.await;
}

#[tokio::test]
async fn floods_of_frames_harm_nobody_else() {
    let server = Server::fixture(&["--workers", "1"]);
    server.get("/created");
    let before = common::private_memory(server.child.id());
    let reset = |number: u32| {
        let stream = number * 2 + 1;
        [frame(HEADERS, 5, stream, &HEAD), frame(RST_STREAM, 0, stream, &8u32.to_be_bytes())].concat()
    };
    let endless_head = |number: u32| {
        let filler = [0x40, 1, b'x', 120].iter().chain(&[b'y'; 120]).copied().collect::<Vec<_>>();
        match number {
            0 => frame(HEADERS, 1, 1, &HEAD),
            _ => frame(CONTINUATION, 0, 1, &filler.repeat(50)),
        }
    };
    let setting = [0, 1, 0, 0, 16, 0];
    let floods = async {
        flood(&server, reset, 20_000).await;
        flood(&server, endless_head, 20_000).await;
        flood(&server, |_| frame(PING, 0, 0, &[0; 8]), 200_000).await;
        flood(&server, |_| frame(SETTINGS, 0, 0, &setting), 200_000).await;
    };
    floods.await;
    server.assert_well();
    let after = common::private_memory(server.child.id());
    assert!(after < before + 32 * 1024 * 1024, "{before} → {after}");
}
