//! What requests see of each other in an interpreter, by the isolation that their routes ask for.

use crate::common::{Server, private_memory};
use serde_json::json;

fn narrow() -> Server {
    Server::fixture(&["--workers", "1", "--instances", "2", "--log-format", "off"])
}

#[test]
fn fresh_requests_find_nothing_of_each_other() {
    let server = narrow();
    for path in ["/fresh/count", "/fresh/async-count"] {
        for _ in 0..50 {
            assert_eq!(server.get(path).json(), json!(1), "{path}");
        }
    }
    let mut waiting: Vec<_> = (0..6)
        .map(|_| {
            let mut connection = server.connect();
            connection.start("GET", "/fresh/async-count?ms=100", &[], b"");
            connection
        })
        .collect();
    for connection in &mut waiting {
        assert_eq!(connection.finish("GET").json(), json!(1));
    }
    server.assert_well();
}

/// Each request counts a marker in all its memory, spreads it over globals and heap, and counts again.
#[test]
fn no_canary_survives_into_a_fresh_instance() {
    let server = narrow();
    let mut connection = server.connect();
    let count = |path: &str, connection: &mut crate::common::Connection| {
        let counts: Vec<u64> = serde_json::from_value(connection.get(path).json()).unwrap();
        (counts[0], counts[1])
    };
    // The search works: a reused instance is full of markers.
    let (_, planted) = count("/serial/canary", &mut connection);
    let (left, _) = count("/serial/canary", &mut connection);
    assert!(planted > 10_000 && left > 10_000, "{planted} planted, {left} left");
    let first = count("/fresh/canary", &mut connection);
    for request in 0..300 {
        let (before, after) = count("/fresh/canary", &mut connection);
        assert_eq!(before, first.0, "request {request} found marks of an earlier one");
        assert!(after > 10_000, "request {request} planted {after}");
    }
    assert!(first.0 <= 2, "{} marks in an instance that has served nobody", first.0);
}

/// The same with more requests, which only search where requests allocate. `BOLT_CANARIES` sets how many.
#[test]
fn no_mark_survives_into_a_fresh_instance() {
    let server = Server::fixture(&["--log-format", "off"]);
    let requests: usize = std::env::var("BOLT_CANARIES").map_or(4000, |count| count.parse().unwrap());
    let count = |path: &str, connection: &mut crate::common::Connection| -> [usize; 2] {
        serde_json::from_value(connection.get(path).json()).unwrap()
    };
    let mut connection = server.connect();
    let [_, planted] = count("/serial/mark", &mut connection);
    let [left, _] = count("/serial/mark", &mut connection);
    assert!(planted > 1000 && left > 1000, "{planted} planted, {left} left");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut connection = server.connect();
                for request in 0..requests / 4 {
                    let [before, after] = count("/fresh/mark", &mut connection);
                    assert_eq!(before, 0, "request {request} found marks of an earlier one");
                    assert!(after > 1000, "request {request} planted {after}");
                }
            });
        }
    });
    server.assert_well();
}

#[test]
fn what_the_snapshot_holds_is_not_counted() {
    let found = narrow().get("/snapshot").json();
    assert_eq!(found, json!([true, true, false, false]), "imported twice, made by the request twice");
}

#[test]
fn serial_handlers_never_interleave_and_concurrent_ones_do_up_to_their_limit() {
    let server = narrow();
    let most = |path: &str| {
        let mut waiting: Vec<_> = (0..12)
            .map(|_| {
                let mut connection = server.connect();
                connection.start("GET", path, &[], b"");
                connection
            })
            .collect();
        waiting.iter_mut().map(|c| c.finish("GET").json().as_u64().unwrap()).max().unwrap()
    };
    assert_eq!(most("/serial/inside"), 1);
    assert_eq!(most("/few/inside"), 3);
}

#[test]
fn a_route_may_ask_for_a_new_instance_after_so_many_requests() {
    let server = narrow();
    let counts: Vec<_> = (0..6).map(|_| server.get("/twice/count").json()).collect();
    assert_eq!(json!(counts), json!([1, 2, 1, 2, 1, 2]));
}

#[test]
fn fresh_instances_give_their_memory_back() {
    let server = narrow();
    let mut connection = server.connect();
    let mut rounds = |count: usize| {
        for _ in 0..count {
            assert_eq!(connection.get("/fresh/count").json(), json!(1));
        }
    };
    rounds(500);
    let before = private_memory(server.child.id());
    rounds(1000);
    let after = private_memory(server.child.id());
    assert!(after < before + 8_000_000, " {before} -> {after}");
}
