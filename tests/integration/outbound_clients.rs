//! Clients of Python and of PyPI in apps, as they are: urllib, urllib3, requests and httpx over the host's client.

use crate::common::Server;
use crate::common::packages::app_with_packages;
use crate::outbound::upstream;
use serde_json::{Value, json};
use std::net::TcpListener;

const PACKAGES: [&str; 3] = ["requests==2.34.2", "urllib3==2.8.0", "httpx==0.28.1"];
const CLIENTS: [&str; 5] = ["http.client", "urllib", "urllib3", "requests", "httpx"];

fn host(granted: &[String]) -> Server {
    let mut flags = vec!["--workers", "1"];
    for place in granted {
        flags.extend(["--allow-http", place]);
    }
    Server::start(&app_with_packages("outbound-clients", "tests/outbound/clients.py", &PACKAGES), &flags)
}

/// What a client came to; `rest` is of the query.
fn ask(server: &Server, name: &str, url: &str, rest: &str) -> Value {
    server.get(&format!("/with/{name}?url={url}{rest}")).json()
}

#[test]
fn every_client_reaches_what_was_granted() {
    let port = upstream();
    let server = host(&[format!("127.0.0.1:{port}")]);
    let at = |path: &str| format!("http://127.0.0.1:{port}{path}");
    for name in CLIENTS {
        let hello = ask(&server, name, &at("/hello"), "");
        assert_eq!(hello, json!({"status": 200, "text": "hello", "length": 5}), "{name}");
        assert_eq!(ask(&server, name, &at("/chunked"), "")["text"], "abc", "{name}");
        assert_eq!(ask(&server, name, &at("/large"), "")["length"], 5_000_000, "{name}");

        let upload = ask(&server, name, &at("/echo"), "&chunks=300");
        let echo: Value = serde_json::from_str(upload["text"].as_str().unwrap()).unwrap();
        let sum: u64 = (0..300u64).map(|n| (n % 256) * 1000).sum();
        assert_eq!(
            (&echo["method"], &echo["length"], &echo["sum"]),
            (&json!("POST"), &json!(300_000), &json!(sum))
        );
        assert_eq!(echo["headers"]["transfer-encoding"], "chunked", "{name}");
        assert_eq!(echo["headers"]["host"], json!(format!("127.0.0.1:{port}")), "{name}");

        // http.client follows no redirects, and a pool without retries does not either.
        let followed = ask(&server, name, &at("/there"), "");
        let is_left = matches!(name, "http.client" | "urllib3");
        let wanted = if is_left { (302, "") } else { (200, "hello") };
        assert_eq!((&followed["status"], &followed["text"]), (&json!(wanted.0), &json!(wanted.1)), "{name}");
    }
    let asynchronous = server.get(&format!("/with-async-httpx?url={}", at("/there"))).json();
    assert_eq!(asynchronous["text"], "hello");
    assert_eq!(server.get(&format!("/together?url={}", at("/slow"))).json(), json!(vec![200; 20]));
    assert_eq!(server.get(&format!("/stream?url={}", at("/large"))).json(), json!([1000, 1000, 1000]));
    let cookies = server.get(&format!("/cookies?url={}", at("/cookies"))).json();
    assert_eq!(cookies, json!([["a", "b"], ["a=1", "b=2"]]));
}

#[test]
fn what_goes_wrong_is_an_exception_of_the_client() {
    let port = upstream();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = host(&[format!("127.0.0.1:{port}"), format!("127.0.0.1:{closed}")]);
    let open = format!("http://127.0.0.1:{port}");
    // The exceptions of CLIENTS, in order.
    let table = [
        (
            "http://127.0.0.1:1/".to_owned(),
            "",
            ["PermissionError", "URLError", "NewConnectionError", "ConnectionError", "ConnectError"],
        ),
        (
            format!("http://127.0.0.1:{closed}/"),
            "",
            ["ConnectionRefusedError", "URLError", "NewConnectionError", "ConnectionError", "ConnectError"],
        ),
        (
            // It speaks no TLS.
            format!("https://127.0.0.1:{port}/"),
            "",
            ["SSLError", "URLError", "SSLError", "SSLError", "ConnectError"],
        ),
        (
            format!("{open}/half"),
            "",
            [
                "IncompleteRead",
                "IncompleteRead",
                "ProtocolError",
                "ChunkedEncodingError",
                "RemoteProtocolError",
            ],
        ),
        (
            format!("{open}/garbage"),
            "",
            [
                "RemoteDisconnected",
                "RemoteDisconnected",
                "ProtocolError",
                "ConnectionError",
                "RemoteProtocolError",
            ],
        ),
        (
            format!("{open}/hang"),
            "&timeout=0.2",
            ["TimeoutError", "TimeoutError", "ReadTimeoutError", "ReadTimeout", "ReadTimeout"],
        ),
    ];
    for (url, rest, errors) in table {
        for (name, error) in CLIENTS.into_iter().zip(errors) {
            let answer = ask(&server, name, &url, rest);
            assert_eq!(answer["error"], error, "{name} {url}: {answer}");
            if url.ends_with(":1/") {
                assert!(answer["message"].as_str().unwrap().contains("--allow-http"), "{answer}");
            }
        }
    }
    // A certificate is checked in any case.
    let unverified = server.get(&format!("/unverified?url=https://127.0.0.1:{port}/")).json();
    assert_eq!(unverified["error"], "SSLError", "{unverified}");
    let refused = server.get("/refused").json();
    assert!(refused[0].as_str().unwrap().contains("leave verify out"), "{refused}");
    assert!(refused[1].as_str().unwrap().contains("leave cert out"), "{refused}");
    assert_eq!(ask(&server, "requests", &format!("{open}/hello"), "")["text"], "hello");
    assert!(!server.log().contains("panicked"));
}
