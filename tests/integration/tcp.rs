//! TCP connections of apps to other servers, with and without TLS.

use crate::common::Server;
use serde_json::json;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// A server that sends back what it gets.
fn echo() -> u16 {
    serve(|mut stream| {
        let mut part = [0; 65536];
        while let Ok(size @ 1..) = stream.read(&mut part) {
            if stream.write_all(&part[..size]).is_err() {
                return;
            }
        }
    })
}

fn serve(handle: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, handle) = (listener.local_addr().unwrap().port(), Arc::new(handle));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let handle = handle.clone();
            std::thread::spawn(move || handle(stream));
        }
    });
    port
}

/// A server with a certificate for `localhost`, which says what it was told; returns that as PEM too.
fn secure() -> (u16, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let port = serve(move |mut stream| {
        let mut session = rustls::ServerConnection::new(config.clone()).unwrap();
        let mut tls = rustls::Stream::new(&mut session, &mut stream);
        let mut part = [0; 100];
        if let Ok(size @ 1..) = tls.read(&mut part) {
            let _ = tls.write_all(&part[..size]);
        }
    });
    (port, made.cert.pem())
}

#[test]
fn apps_connect_to_what_was_granted() {
    let port = echo();
    let granted = format!("127.0.0.1:{port}");
    let server = Server::fixture(&["--workers", "1", "--allow-tcp", &granted, "--max-tcp", "30"]);
    for size in [0, 5, 70_000, 3_000_000] {
        let path = format!("/tcp/echo?port={port}&size={size}");
        assert_eq!(server.get(&path).json(), json!([true, true]), "{size}");
    }
    assert_eq!(server.get(&format!("/tcp/streams?port={port}")).json(), json!(20));
    let hoarded = server.get(&format!("/tcp/hoard?port={port}&count=50")).json();
    assert_eq!(hoarded[0], 30, "{hoarded}");
    assert!(hoarded[1].as_str().unwrap().contains("--max-tcp"), "{hoarded}");
    // They are given back.
    assert_eq!(server.get(&format!("/tcp/streams?port={port}&count=30")).json(), json!(30));
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (port, host) in [(closed, "127.0.0.1"), (port, "localhost"), (port, "::1"), (22, "example.com")] {
        let told = server.get(&format!("/tcp/echo?port={port}&host={host}")).json();
        assert_eq!(told[0], "PermissionError", "{told}");
        assert!(told[1].as_str().unwrap().contains("--allow-tcp"), "{told}");
    }
    server.assert_well();
}

#[test]
fn a_server_that_is_not_there_is_an_exception() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let silent = serve(drop);
    let granted = [closed, silent].map(|port| format!("127.0.0.1:{port}"));
    let server = Server::fixture(&["--allow-tcp", &granted[0], "--allow-tcp", &granted[1]]);
    let told = server.get(&format!("/tcp/echo?port={closed}")).json();
    assert_eq!(told[0], "ConnectionRefusedError", "{told}");
    let told = server.get(&format!("/tcp/echo?port={silent}&size=100000")).json();
    assert!(told[0] != json!(true), "{told}");
    server.assert_well();
}

#[test]
fn the_host_speaks_tls() {
    let (port, pem) = secure();
    let granted = format!("127.0.0.1:{port}");
    let server = Server::fixture(&["--allow-tcp", &granted]);
    let ask = |name: &str, ca: Option<&str>| {
        let body = json!({ "ca": ca }).to_string();
        server.post(&format!("/tcp/tls?port={port}&name={name}"), &body).json()
    };
    assert_eq!(ask("localhost", Some(&pem)), json!(["hello", "TLSv1.3"]));
    for (name, ca) in [("localhost", None), ("other.example", Some(&*pem))] {
        let told = ask(name, ca);
        assert_eq!(told[0], "SSLCertVerificationError", "{told}");
    }
    server.assert_well();
}
