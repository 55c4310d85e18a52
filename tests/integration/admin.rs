//! The admin endpoint: health, and metrics of the requests that were served.

use crate::common::tenants::{host_file, ready, shop};
use crate::common::{BINARY, Connection, Server, fixture, scratch};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Command;
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
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    drop(first);
    let _second = Server::fixture(&["--admin", &flag, "--workers", "1"]);
    assert!(ask().starts_with("HTTP/1.1 200"));
}

/// `bolt-host apps` with these flags and variables, and an empty cache.
fn apps(server: &Server, flags: &[&str], variables: &[(&str, &str)]) -> (bool, String) {
    let mut command = Command::new(BINARY);
    command.args(["apps", "--admin", &server.admin().to_string()]).args(flags);
    command.arg("--cache").arg(scratch("no-cache")).envs(variables.iter().copied());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.success(), said.into_owned())
}

#[test]
fn a_host_makes_a_token_that_commands_of_its_user_find() {
    let wasm = shop(1);
    let mut server = Server::host(&host_file(&format!("[app.shop]\nsource = \"{}\"\n", wasm.display())));
    let told = server.greeting.iter().position(|line| line.starts_with("admin token ")).unwrap();
    let greeting = server.greeting.clone();
    let token = greeting[told].strip_prefix("admin token ").unwrap();
    let file = greeting[told + 1].trim().strip_prefix("also in ").unwrap().split(',').next().unwrap();
    assert_eq!(std::fs::read_to_string(file).unwrap(), token);
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!server.log().contains(token));

    let mut stranger = Connection::to_stranger(server.admin());
    for path in ["/healthz", "/readyz"] {
        assert_ne!(stranger.get(path).status, 401, "{path}");
    }
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/apps"),
        ("GET", "/metrics"),
        ("POST", "/loglevel"),
        ("POST", "/apps/shop/rollback"),
        ("POST", "/apps/shop/deploy"),
        ("POST", "/apps/nobody/deploy"),
        ("POST", "/apps/shop/pin"),
        ("POST", "/apps/shop/unpin"),
        ("POST", "/apps/shop/prune?keep=0"),
        ("GET", "/apps/shop/versions"),
        ("DELETE", "/healthz"),
    ] {
        let refused = Connection::to_stranger(server.admin()).send(method, path, &[], b"");
        assert_eq!((refused.status, &*refused.headers["www-authenticate"]), (401, "Bearer"), "{path}");
        assert!(refused.text().contains("Authorization: Bearer"), "{}", refused.text());
        let guessed = [("authorization", "Bearer 00000000000000000000")];
        assert_eq!(
            Connection::to_stranger(server.admin()).send(method, path, &guessed, b"").status,
            401,
            "{path}"
        );
    }
    let found = |words: &[&str]| {
        let output =
            Command::new(BINARY).args(words).args(["--admin", &server.admin().to_string()]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    ready(&server);
    assert!(found(&["apps", "--json"]).contains("\"app\": \"shop\""));
    assert!(found(&["deploy", "shop", wasm.to_str().unwrap()]).contains("shop is now"));

    let refused = apps(&server, &[], &[]);
    assert!(!refused.0 && refused.1.contains("BOLT_ADMIN_TOKEN"), "{refused:?}");
    assert!(apps(&server, &["--admin-token", token], &[]).0);
    assert!(
        apps(&server, &["--admin-token-file", file], &[("BOLT_ADMIN_TOKEN", "not-this-one-but-the-file")]).0
    );
    assert!(apps(&server, &[], &[("BOLT_ADMIN_TOKEN", token)]).0);

    server.signal("-TERM");
    assert_eq!(server.wait(), Some(0));
    assert!(!std::path::Path::new(file).exists());
}

#[test]
fn a_token_may_be_given_and_metrics_opened() {
    let folder = scratch("token");
    std::fs::write(folder.join("token"), "a-token-of-the-operator\n").unwrap();
    let mut command = Command::new(BINARY);
    command.args([
        "run",
        "--build=first",
        "--port=0",
        "--workers=1",
        "--admin=127.0.0.1:0",
        "--open-metrics",
    ]);
    command.arg(fixture()).arg("--admin-token-file").arg(folder.join("token"));
    let server = Server::spawn(command);
    assert!(!server.greeting.iter().any(|line| line.starts_with("admin token")), "{:?}", server.greeting);
    let mut stranger = Connection::to_stranger(server.admin());
    assert_eq!(stranger.get("/metrics").status, 200);
    assert_eq!(stranger.get("/apps").status, 401);
    let bearer = [("authorization", "Bearer a-token-of-the-operator")];
    assert_eq!(Connection::to_stranger(server.admin()).send("GET", "/apps", &bearer, b"").status, 200);
    assert!(apps(&server, &[], &[("BOLT_ADMIN_TOKEN", "a-token-of-the-operator")]).0);
    drop(server);

    let source = shop(1).display().to_string();
    let text = format!(
        "admin-token-file = \"{}\"\nadmin-names = [\"host.example\"]\n[app.shop]\nsource = \"{source}\"\n",
        folder.join("token").display()
    );
    let server = Server::host(&host_file(&text));
    let ask = |host: &str| {
        let headers = [("host", host), ("authorization", "Bearer a-token-of-the-operator")];
        Connection::to_stranger(server.admin()).send("GET", "/apps", &headers, b"").status
    };
    assert_eq!((ask("host.example"), ask("localhost"), ask("other.example")), (200, 200, 403));
    drop(server);
    for token in ["short", "with spaces in between"] {
        let output = Command::new(BINARY).args(["serve", "--admin-token", token]).output().unwrap();
        assert!(String::from_utf8_lossy(&output.stderr).contains("16 to 1024"), "{output:?}");
    }
}

#[test]
fn slow_clients_of_the_endpoint_keep_nobody_out() {
    let server = Server::fixture(&["--admin", "127.0.0.1:0", "--workers", "1"]);
    let mut slow = Vec::new();
    for number in 0..600 {
        let mut stream = TcpStream::connect(server.admin()).unwrap();
        let said: &[u8] = if number % 2 == 0 { b"" } else { b"POST /loglevel HTTP/1.1\r\nhost: loc" };
        let _ = stream.write_all(said);
        slow.push(stream);
        if number % 100 == 99 {
            assert_eq!(page(&server, "/apps").status, 200);
        }
    }
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.child.id())).unwrap().count();
    assert!(open < 400, "{open} files are open");
    let mut large = Connection::to_stranger(server.admin());
    large
        .stream
        .get_mut()
        .write_all(&[b"GET / HTTP/1.1\r\nx: ".to_vec(), vec![b'x'; 100_000]].concat())
        .unwrap();
    let mut answer = Vec::new();
    let _ = large.stream.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&answer));
    // A body that is not asked for is not read.
    let mut refused = Connection::to_stranger(server.admin());
    let head = b"POST /apps/x/deploy HTTP/1.1\r\nhost: localhost\r\ncontent-length: 500000000\r\n\r\n";
    refused.stream.get_mut().write_all(head).unwrap();
    assert_eq!(refused.finish("POST").status, 401);
    let long = Connection::to(server.admin()).send("POST", "/loglevel", &[], &[b'x'; 2000]);
    assert_eq!(long.status, 400, "{}", long.text());
}
