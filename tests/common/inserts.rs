//! Inserts that are acknowledged, while something is killed.

use crate::common::{Connection, Server};
use serde_json::json;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

const WRITERS: usize = 8;
const OF_EACH: usize = 1250;

/// The table of `/sql/pairs`.
pub const TABLE: &str = "create table if not exists halves (name text, half int)";

/// Insert 10 000 pairs of rows into the app's database, each in a transaction, and call `kill` meanwhile. Returns those
/// that were acknowledged: how many is the machine's matter, but some, and not all.
pub fn until_killed(address: SocketAddr, kill: impl FnOnce()) -> BTreeSet<String> {
    let write = move |writer| {
        let mut connection = Connection::to(address);
        let names = (0..OF_EACH).map(|number| format!("{writer}-{number}"));
        // The connection ends with the host, and the answers are errors without the server.
        let is_kept = |name: &String| {
            let path = format!("/sql/pairs?name={name}");
            let sent = catch_unwind(AssertUnwindSafe(|| connection.send("POST", &path, &[], b"").status));
            sent.is_ok_and(|status| status == 201)
        };
        names.take_while(is_kept).collect::<Vec<_>>()
    };
    let writers: Vec<_> = (0..WRITERS).map(|writer| thread::spawn(move || write(writer))).collect();
    thread::sleep(Duration::from_millis(700));
    kill();
    let done: BTreeSet<_> = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
    assert!(done.len() > 20 && done.len() < WRITERS * OF_EACH, "{}", done.len());
    done
}

/// None of them is lost, and of no other there is a half.
pub fn assert_whole(server: &Server, done: &BTreeSet<String>) {
    let rows = server.get("/sql/pairs").json();
    for name in done {
        assert_eq!(rows[name], json!(2), "{name} is lost");
    }
    for (name, count) in rows.as_object().unwrap() {
        assert_eq!(*count, json!(2), "of {name} there is a half");
    }
}
