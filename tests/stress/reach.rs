//! Names and reach: web pages that ask the admin endpoint, and apps that reach for what they were not granted.

use crate::common::Connection;
use crate::common::pair::{Answers, Pair, Terms, component};
use std::fs;

fn counted(statuses: impl IntoIterator<Item = String>) -> Answers {
    let mut answers = Answers::new();
    for status in statuses {
        *answers.entry(status).or_default() += 1;
    }
    answers
}

/// What a page can have a browser of the operator send: to loopback under its own name (DNS rebinding), or across sites.
#[test]
fn a_web_page_cannot_use_the_admin_endpoint() {
    let pair = Pair::new(&Terms::default());
    let wasm = fs::read(component("hostile")).unwrap();
    let admin = pair.server.admin();
    let version = || pair.server.get("/b/version").text().to_owned();
    let before = (version(), pair.server.log());
    pair.attack("pages that deploy", |_| {
        let mut statuses = Vec::new();
        let host = format!("evil.example:{}", admin.port());
        for headers in [
            &[("host", &*host)][..],
            &[("host", &*host), ("origin", "http://evil.example"), ("sec-fetch-site", "same-origin")],
            &[("origin", "http://evil.example")],
            &[("origin", "null")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site"), ("origin", "http://localhost:3000")],
        ] {
            for (method, path, body) in [
                ("POST", "/apps/b/deploy", &wasm[..64 << 10]),
                ("POST", "/apps/b/rollback", b""),
                ("POST", "/loglevel", b"off"),
                ("GET", "/metrics", b""),
                ("GET", "/apps", b""),
            ] {
                // Even with the token, which a page does not have.
                for mut connection in [Connection::to(admin), Connection::to_stranger(admin)] {
                    let answer = connection.send(method, path, headers, body);
                    assert_eq!(answer.status, 403, "{method} {path} {headers:?}: {}", answer.text());
                    assert!(!answer.headers.contains_key("access-control-allow-origin"));
                    statuses.push(answer.status.to_string());
                }
            }
        }
        counted(statuses)
    });
    assert_eq!(version(), before.0);
    assert!(pair.server.log().starts_with(&before.1), "the log goes on");
}
