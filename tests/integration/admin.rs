//! The admin endpoint: health, and metrics of the requests that were served.

use crate::common::{Connection, Server, scratch};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

fn page(server: &Server, path: &str) -> crate::common::Response {
    Connection::to(server.admin()).get(path)
}

#[test]
fn metrics_count_requests_instances_and_memory() {
    let server = Server::fixture(&["--admin", "127.0.0.1:0", "--workers", "1", "--deadline", "500ms"]);
    let mut connection = server.connect();
    for _ in 0..20 {
        connection.get("/fresh/count");
        connection.get("/created");
    }
    server.get("/no/such/path");
    assert_eq!(server.get("/spin?ms=60000").status, 504);
    let of = |route: &str, status: &str| {
        server.metric(&format!(
            "bolt_requests_total{{app=\"app\",method=\"{}\",route=\"{route}\",status=\"{status}\"}}",
            if route.is_empty() { "" } else { "GET" }
        ))
    };
    assert_eq!(of("/created", "2xx"), 20.0);
    assert_eq!(of("", "4xx"), 1.0);
    assert_eq!(of("/spin", "5xx"), 1.0);
    assert_eq!(server.metric("bolt_faults_total{app=\"app\",kind=\"deadline\"}"), 1.0);
    assert_eq!(
        server.metric("bolt_request_seconds_count{app=\"app\",method=\"GET\",route=\"/created\"}"),
        20.0
    );
    let bucket = "bolt_request_seconds_bucket{le=\"+Inf\",app=\"app\",method=\"GET\",route=\"/fresh/count\"}";
    assert_eq!(server.metric(bucket), 20.0);
    let fresh = "{app=\"app\",isolation=\"fresh\",handlers=\"def\"}";
    let used = server.metric(&format!("bolt_instance_hits_total{fresh}"))
        + server.metric(&format!("bolt_instance_misses_total{fresh}"));
    assert_eq!(used, 20.0);
    assert!(server.metric(&format!("bolt_instances_ended_total{fresh}")) >= 19.0);
    assert!(server.metric(&format!("bolt_wiping_seconds_total{fresh}")) > 0.0);
    assert!(server.metric(&format!("bolt_spares_wanted{fresh}")) >= 2.0);
    assert!(server.metric("bolt_written_pages") > 5.0);
    assert!(server.metric("bolt_memories_bytes") > 100_000.0);
    assert_eq!(server.metric("bolt_requests_in_flight"), 0.0);
    let text = page(&server, "/metrics");
    assert!(text.headers["content-type"].starts_with("application/openmetrics-text"));
    assert!(text.text().ends_with("# EOF\n"));
}

#[test]
fn health_is_told_while_workers_are_busy_and_readiness_ends_with_a_drain() {
    let mut server = Server::fixture(&["--admin", "127.0.0.1:0", "--workers", "1"]);
    let mut busy = server.connect();
    busy.start("GET", "/spin?ms=2000", &[], b"");
    for path in ["/healthz", "/readyz"] {
        assert_eq!(page(&server, path).status, 200);
    }
    assert_eq!(page(&server, "/nothing").status, 404);
    assert_eq!(Connection::to(server.admin()).send("POST", "/metrics", &[], b"").status, 405);
    server.signal("-TERM");
    let mut draining = page(&server, "/readyz").status;
    for _ in 0..50 {
        if draining == 503 {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
        draining = page(&server, "/readyz").status;
    }
    assert_eq!((draining, page(&server, "/healthz").status), (503, 200));
    assert_eq!(busy.finish("GET").text(), "\"spun\"");
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn a_socket_is_for_its_owner_and_is_taken_over_when_nobody_listens() {
    let socket = scratch("admin").join("bolt.sock");
    let flag = format!("unix:{}", socket.display());
    let ask = || {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let first = Server::fixture(&["--admin", &flag, "--workers", "1"]);
    assert!(ask().starts_with("HTTP/1.1 200"));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&socket).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    drop(first);
    let _second = Server::fixture(&["--admin", &flag, "--workers", "1"]);
    assert!(ask().starts_with("HTTP/1.1 200"));
}
