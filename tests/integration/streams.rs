//! Responses that flow, and request bodies that are read in parts.

use crate::common::{Connection, Server, private_memory};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::time::{Duration, Instant};

fn serve(flags: &[&str]) -> Server {
    let mut all = vec!["--workers", "1", "--instances", "1", "--admin", "127.0.0.1:0"];
    all.extend(flags);
    Server::fixture(&all)
}

/// Wait until these, and no others, have ended in the interpreters of both lanes.
fn until_ended(server: &Server, names: &[&str]) {
    let (begun, mut seen) = (Instant::now(), Vec::new());
    while seen.len() < names.len() && begun.elapsed() < Duration::from_secs(60) {
        for path in ["/streams/ended", "/streams/ended-async"] {
            let found = server.get(path).json();
            seen.extend(found.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    seen.sort();
    assert_eq!(seen, names);
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn iterators_flow_and_what_comes_after_them_runs() {
    let server = serve(&[]);
    let mut connection = server.connect();
    // The connection is kept.
    for _ in 0..2 {
        let response = connection.get("/streams/lines");
        assert_eq!((response.status, response.text()), (201, "line 0\nline 1\nline 2\n"));
        let headers = ["content-type", "x-kind"].map(|name| &*response.headers[name]);
        assert_eq!(headers, ["text/csv; charset=utf-8", "lines"]);
        assert!(response.is_chunked() && !response.headers.contains_key("content-length"));
        until_ended(&server, &["after lines", "lines"]);
    }
    assert_eq!(connection.get("/streams/lines?count=0").body, b"");
    until_ended(&server, &["after lines", "lines"]);
    // The context variables of the handler are those of its generator, and dependencies end after it.
    let response = connection.get("/streams/slow?count=3&pause=0.01");
    assert_eq!(response.text(), "0 resource\n1 resource\n2 resource\n");
    until_ended(&server, &["resource", "slow"]);
    for path in ["/streams/zeros", "/streams/zeros-async"] {
        for (size, count) in [(1, 100_000), (1_000_000, 20), (65_536, 50)] {
            let response = connection.get(&format!("{path}?size={size}&count={count}"));
            assert_eq!(response.body.len(), size * count, "{path} {size}");
            assert!(response.body.iter().all(|byte| *byte == 0));
        }
        until_ended(&server, &[path.trim_start_matches("/streams/"); 3]);
    }
    let head = connection.send("HEAD", "/streams/lines", &[], b"");
    assert_eq!((head.status, connection.get("/streams/ended").status), (201, 200));
    server.assert_no_panic("streams");
}

#[test]
fn chunks_are_sent_as_they_come() {
    let server = serve(&[]);
    let mut connection = server.connect();
    connection.open("GET", "/streams/slow?count=3&pause=0.2", &[], b"");
    for number in 0..3 {
        let chunk = connection.chunk().unwrap().unwrap();
        assert_eq!(text(&chunk), format!("{number} resource\n"));
        // Others of the same interpreter are served meanwhile.
        assert_eq!(server.get("/streams/ended-async").status, 200);
    }
    assert_eq!(connection.chunk(), Ok(None));
    // A handler that computes between its chunks lets others of its interpreter run.
    let mut busy = server.connect();
    busy.open("GET", "/streams/both", &[], b"");
    assert_eq!(server.get("/streams/ended").status, 200);
    assert_eq!(busy.rest(), (vec![b'.'; 100], true));
}

#[test]
fn a_failure_breaks_the_connection_and_is_logged() {
    let server = serve(&[]);
    for after in [0, 10, 200_000] {
        let mut connection = server.connect();
        let head = connection.open("GET", &format!("/streams/fails?after={after}"), &[], b"");
        assert_eq!(head.status, 200);
        let (body, is_whole) = connection.rest();
        assert_eq!((body.len(), is_whole), (after, false));
    }
    let log = server.log_with("the stream failed");
    assert!(log.contains("Traceback") && log.contains("fails"), "{log}");
    let mut connection = server.connect();
    connection.open("GET", "/streams/wrong-points", &[], b"");
    let (body, is_whole) = connection.rest();
    assert_eq!((text(&body), is_whole), ("{\"x\":1,\"y\":0.5}\n", false));
    // The instance ends, and the stream of another request with it.
    let (mut first, mut second) = (server.connect(), server.connect());
    first.open("GET", "/streams/slow?count=100&pause=1", &[], b"");
    second.open("GET", "/streams/traps", &[], b"");
    assert!(!second.rest().1 && !first.rest().1);
    server.assert_well();
}

#[test]
fn a_client_that_leaves_ends_the_generator() {
    let server = serve(&[]);
    for (path, ends) in [
        ("/streams/slow?count=100&pause=1000", &["resource", "slow", "slow cancelled"][..]),
        ("/streams/zeros-async?size=60000&count=1000000", &["zeros-async"]),
        ("/streams/zeros?size=60000&count=1000000", &["zeros"]),
        ("/streams/rare-events", &["rare events"]),
    ] {
        let mut connection = server.connect();
        connection.open("GET", path, &[], b"");
        connection.chunk().unwrap().unwrap();
        drop(connection);
        until_ended(&server, ends);
    }
    until(|| server.metric("bolt_streams_open{") == 0.0);
    server.assert_no_panic("leaving");
}

fn until(done: impl Fn() -> bool) {
    crate::common::tenants::until(done);
}

#[test]
fn slow_clients_stop_their_generators_and_cost_little() {
    let server = serve(&[]);
    let pid = server.child.id();
    server.get("/streams/zeros?size=60000&count=100");
    let before = private_memory(pid);
    let mut slow: Vec<_> = (0..50).map(|_| server.connect()).collect();
    for connection in &mut slow {
        connection.open("GET", "/streams/zeros?size=60000&count=1000", &[], b"");
    }
    std::thread::sleep(Duration::from_millis(500));
    let grown = private_memory(pid).saturating_sub(before);
    assert!(grown < 50 * 300 * 1024, "{grown} bytes for 50 clients");
    // All of it arrives.
    for connection in &mut slow[..3] {
        let (body, is_whole) = connection.rest();
        assert_eq!((body.len(), is_whole), (60_000_000, true));
    }
}

#[test]
fn streams_have_limits() {
    let server = serve(&["--max-streams", "2", "--stream-idle", "500ms", "--stream-max", "3s"]);
    let mut open: Vec<_> = (0..2).map(|_| server.connect()).collect();
    for connection in &mut open {
        connection.open("GET", "/streams/slow?count=100&pause=0.1", &[], b"");
    }
    let refused = server.get("/streams/slow?count=1&pause=0");
    assert_eq!(refused.status, 503);
    server.log_with("--max-streams");
    // They take too long as a whole.
    for mut connection in open {
        assert!(!connection.rest().1);
    }
    server.log_with("--stream-max");
    // Nothing comes for too long.
    let mut idle = server.connect();
    idle.open("GET", "/streams/slow?count=2&pause=100", &[], b"");
    assert_eq!(idle.rest(), (b"0 resource\n".to_vec(), false));
    server.log_with("--stream-idle");
    until(|| server.metric("bolt_streams_open{") == 0.0);
}

#[test]
fn handlers_that_yield_send_a_line_of_json_for_each_item() {
    let server = serve(&[]);
    for path in ["/streams/points?count=3", "/streams/points-sync?count=3"] {
        let response = server.connect().get(path);
        assert_eq!(response.headers["content-type"], "application/jsonl", "{path}");
        let lines: Vec<Value> =
            response.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines, [json!({"x": 0, "y": 0.5}), json!({"x": 1, "y": 0.5}), json!({"x": 2, "y": 0.5})]);
    }
}

#[test]
fn events_have_heartbeats_of_the_host_and_a_last_one_when_it_drains() {
    let mut server = serve(&[]);
    let response = server.connect().get("/streams/events?count=2");
    assert_eq!(&*response.headers["content-type"], "text/event-stream; charset=utf-8");
    assert_eq!(
        (&*response.headers["cache-control"], &*response.headers["x-accel-buffering"]),
        ("no-cache", "no")
    );
    let events = response.text().replace(": ping\n\n", "");
    assert_eq!(
        events,
        "event: count\ndata: {\"number\":0}\nid: 0\n\nevent: count\ndata: {\"number\":1}\nid: 1\n\n"
    );
    let mut connection = server.connect();
    connection.open("GET", "/streams/rare-events", &[("last-event-id", "7")], b"");
    assert_eq!(text(&connection.chunk().unwrap().unwrap()), "data: \"7\"\n\n");
    for _ in 0..2 {
        assert_eq!(text(&connection.chunk().unwrap().unwrap()), ": ping\n\n");
    }
    server.signal("-TERM");
    let (rest, is_whole) = connection.rest();
    assert!(text(&rest).ends_with("event: bye\n\n") && is_whole, "{rest:?}");
    assert_eq!(server.wait(), Some(0));
}

const CHUNKED: [(&str, &str); 1] = [("transfer-encoding", "chunked")];

#[test]
fn bodies_are_read_in_parts() {
    let server = serve(&["--max-upload", "10MiB"]);
    let mut connection = server.connect();
    let small = connection.send("POST", "/streams/read", &[], b"hello");
    assert_eq!((small.json()["size"].clone(), small.json()["parts"].clone()), (json!(5), json!(1)));
    let body = vec![b'x'; 3_000_000];
    for path in ["/streams/read", "/streams/whole", "/streams/raw", "/streams/raw-sync"] {
        let read = connection.send("POST", path, &[], &body).json();
        let size = if read.is_object() { &read["size"] } else { &read };
        assert_eq!(size, &json!(body.len()), "{path}");
    }
    for path in ["/streams/echo", "/streams/echo-sync"] {
        // A client that sends all before it reads would wait for itself.
        connection.start("POST", path, &CHUNKED, b"");
        let mut echoed = Vec::new();
        for (number, part) in body.chunks(50_000).enumerate() {
            connection.send_chunk(part);
            if number == 0 {
                // A handler sees a part before the next one is sent.
                assert_eq!(connection.head().status, 200, "{path}");
            }
            while echoed.len() < (number + 1) * 50_000 {
                echoed.extend(connection.chunk().unwrap().unwrap());
            }
        }
        connection.send_chunk(b"");
        assert_eq!(connection.chunk(), Ok(None));
        assert!(echoed == body, "{path}");
    }
    assert_eq!(connection.get("/streams/ended").status, 200);
    // Limits hold, whether the size is told or not.
    let large = vec![b'x'; 11 << 20];
    let refused = |headers: &[(&str, &str)], body: &[u8]| {
        let mut connection = server.connect();
        connection.start("POST", "/streams/read", headers, body);
        if body.is_empty() {
            for _ in 0..12 {
                connection.send_chunk(&large[..1 << 20]);
            }
        }
        connection.head().status
    };
    let told = format!("{}", large.len());
    assert_eq!(refused(&[("content-length", &told)], b""), 413);
    assert_eq!(refused(&CHUNKED, b""), 413);
    server.assert_no_panic("bodies");
}

#[test]
fn a_client_that_waits_is_asked_for_its_body_by_the_handler() {
    let server = serve(&[]);
    let ask = |path: &str| {
        let mut connection = server.connect();
        connection.start("POST", path, &[("expect", "100-continue"), ("content-length", "5")], b"");
        (connection.head().status, connection)
    };
    let (status, mut connection) = ask("/streams/read");
    assert_eq!(status, 100);
    connection.stream.get_mut().write_all(b"hello").unwrap();
    assert_eq!(connection.finish("POST").json()["size"], json!(5));
    let (status, mut connection) = ask("/streams/unread");
    assert_eq!(status, 200);
    let mut rest = Vec::new();
    let _ = connection.stream.read_to_end(&mut rest);
    server.assert_well();
}

#[test]
fn a_slow_body_does_not_reach_the_deadline_of_its_handler() {
    let server = serve(&["--deadline", "1s", "--body-timeout", "2s"]);
    let mut connection = server.connect();
    connection.start("POST", "/streams/read", &CHUNKED, b"");
    for _ in 0..4 {
        connection.send_chunk(b"12345");
        std::thread::sleep(Duration::from_millis(500));
    }
    connection.send_chunk(b"");
    assert_eq!(connection.finish("POST").json()["size"], json!(20));
    // One that stops has a clock.
    let mut stopped = server.connect();
    stopped.start("POST", "/streams/read", &CHUNKED, b"");
    stopped.send_chunk(b"12345");
    assert!(matches!(stopped.head().status, 408 | 504));
    server.assert_well();
}

#[test]
fn streams_flow_over_http2_from_source_and_beside_each_other() {
    let source = Server::command(&["dev"], &crate::common::fixture(), &["--workers", "1"]);
    assert_eq!(source.get("/streams/lines").text(), "line 0\nline 1\nline 2\n");
    let (status, body) =
        crate::common::http2::get(source.address, "/streams/points?count=2", &["localhost"], &[]);
    assert_eq!((status, &*body), (200, "{\"x\":0,\"y\":0.5}\n{\"x\":1,\"y\":0.5}\n"));
    let (status, body) =
        crate::common::http2::get(source.address, "/streams/fails?after=3", &["localhost"], &[]);
    assert!(status == 0 || body == "xxx", "{status} {body}");
    let mut many: Vec<Connection> = (0..200).map(|_| source.connect()).collect();
    for connection in &mut many {
        connection.open("GET", "/streams/points?count=3&pause=0.05", &[], b"");
    }
    for connection in &mut many {
        let (body, is_whole) = connection.rest();
        assert!(is_whole && text(&body).lines().count() == 3);
    }
}
