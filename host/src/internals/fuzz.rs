//! Entry points of the fuzz targets: parsers of untrusted bytes, and their invariants.

use crate::codec::reply::{self, Body};
use crate::codec::work::Work;
use crate::crud::random_requests::Table;
use crate::kv::random_commands;
use crate::manifest::router::Router;
use crate::manifest::{Manifest, Method};
use crate::sandbox::{random_calls, random_streams};
use crate::validation::arguments::{Input, validate};
use crate::websocket::replay;

/// Parse the manifest of a hostile component: no panic.
pub fn manifest(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(manifest) = Manifest::parse(text)
    {
        let _ = Router::new(&manifest);
    }
}

/// Decode the reply of a hostile guest: no panic, and never more output than allowed.
pub fn reply(data: &[u8]) {
    const LIMIT: usize = 10_000;
    let text: String = data.iter().map(|&byte| char::from(byte)).collect();
    let Ok(data) = reply::bytes(text) else { return };
    if let Ok(reply) = reply::decode(&data, LIMIT, &mut Work::brief()) {
        match reply.body {
            Body::Bytes(bytes) => assert!(bytes.len() <= LIMIT),
            Body::File(path) => assert!(path.len() <= LIMIT),
            Body::Stream(_) | Body::Socket => {}
        }
    }
}

/// Call host functions as a hostile guest does: no panic, and nothing is kept without a bound.
pub fn host_functions(data: &[u8]) {
    let kept = random_calls::make(data);
    assert_eq!(kept, Ok(()));
    assert_eq!(random_streams::make(data), Ok(()));
}

/// Send a store commands as a hostile guest does: no panic, and the store does what a map would.
pub fn store(data: &[u8]) {
    assert_eq!(random_commands::make(data), Ok(()));
}

/// Ask for rows of a table as a hostile client does: what it sends is no part of a statement.
pub fn rows(data: &[u8]) {
    thread_local!(static TABLE: Result<Table, String> = Table::new());
    TABLE.with(|table| match table {
        Ok(table) => assert!(table.request(data).is_ok(), "{:?}", table.request(data)),
        Err(why) => assert!(why.is_empty(), "{why}"),
    });
}

/// Decode what a hostile client sends over a WebSocket, however it is cut: no panic, and the same messages.
pub fn websocket(data: &[u8]) {
    replay::replay(data);
}

/// An app for [`App::request`].
pub struct App {
    manifest: Manifest,
    router: Router,
}

impl App {
    /// Errors are sentences for people.
    pub fn new(manifest: &str) -> Result<Self, String> {
        let manifest = Manifest::parse(manifest)?;
        Ok(Self { router: Router::new(&manifest)?, manifest })
    }

    /// Validate the request of a hostile client (a line of path, a line of query, then the body): no panic.
    pub fn request(&self, data: &[u8]) {
        let mut parts = data.splitn(3, |&byte| byte == b'\n');
        let (Some(path), Some(query), Some(body)) = (parts.next(), parts.next(), parts.next()) else {
            return;
        };
        let (Ok(path), Ok(query)) = (std::str::from_utf8(path), std::str::from_utf8(query)) else { return };
        if let Ok(found) = self.router.find(Some(Method::Post), path) {
            let input = Input { query: Some(query), body, is_json: true, ..Input::default() };
            let _ = validate(&self.manifest, &self.router, &found, input, &mut Work::brief());
        }
    }
}
