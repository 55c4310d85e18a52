//! What apps declare and clients send decides how much the host has to do for a request. However much that is, others
//! are served beside it, nothing is left of it, and the host ends when it is asked to.

use crate::common::pair::{Answers, Pair, Terms, attack_time, component, give_way};
use crate::common::tenants::{host_file, ready, shop};
use crate::common::{BINARY, Connection, Server, run, scratch, shim};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
/// A little less than the largest body.
const LARGEST: usize = 1_000_000;

/// As many items as fit.
fn items(item: &str) -> String {
    format!("[{}]", vec![item; LARGEST / (item.len() + 1)].join(","))
}

fn text(of: &str) -> String {
    format!("[\"{}\"]", of.repeat((LARGEST - 4) / of.len()))
}

/// An object for a large model, with its fields in another order.
fn reversed() -> String {
    let fields: Vec<_> = (0..1000).rev().map(|number| format!("\"f{number}\":1")).collect();
    items(&format!("{{{}}}", fields.join(",")))
}

/// The name of a request, its path, the type of its body, and the body.
fn requests() -> Vec<(&'static str, &'static str, &'static str, String)> {
    let keys: Vec<_> = (0..LARGEST / 12).map(|number| format!("\"{number:07}\":1")).collect();
    vec![
        ("a literal of 4 000 values, the last one", "/a/many", JSON, items("\"value-3999\"")),
        ("a literal of 4 000 values, and none of them", "/a/many", JSON, items("\"\"")),
        ("an enum of 4 000 numbers, as text", "/a/level", JSON, items("\"3999.0\"")),
        ("a literal of 30 values", "/a/few", JSON, items("\"choice-29\"")),
        ("the worst pattern", "/a/pattern", JSON, text("x")),
        (
            "the worst pattern, again and again",
            "/a/pattern",
            JSON,
            items(&format!("\"{}\"", "x".repeat(500))),
        ),
        ("the worst pattern beside a word boundary", "/a/word", JSON, text("éx ")),
        ("a thousand defaults for each item", "/a/wide", JSON, items("{}")),
        ("a thousand fields in another order", "/a/wide", JSON, reversed()),
        (
            "a union within itself",
            "/a/union",
            JSON,
            "{\"next\":[".repeat(60) + "{\"value\":[]}" + &"]}".repeat(60),
        ),
        (
            "a union within itself, wide",
            "/a/union",
            JSON,
            format!("{{\"next\":{}}}", items("{\"next\":[{}]}")),
        ),
        ("half a million lists", "/a/any", JSON, items("[]")),
        ("many keys", "/a/any", JSON, format!("{{{}}}", keys.join(","))),
        ("many fields of a form", "/a/form", FORM, "names=%41&".repeat(LARGEST / 10)),
    ]
}

/// Send one request and return its status, or "cut".
fn status_of(address: SocketAddr, method: &str, path: &str, kind: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: {kind}\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(&[head.as_bytes(), body.as_bytes()].concat());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let status = answer.get(9..12).map(|status| String::from_utf8_lossy(status).into_owned());
    status.unwrap_or_else(|| "cut".to_owned())
}

/// Let four clients send a request for some time.
fn flood(pair: &Pair, method: &str, path: &str, kind: &str, body: &str, time: Duration) -> Answers {
    let (counts, until) = (Mutex::new(Answers::new()), Instant::now() + time);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                give_way();
                while Instant::now() < until {
                    let status = status_of(pair.server.address, method, path, kind, body);
                    *counts.lock().unwrap().entry(status).or_default() += 1;
                }
            });
        }
    });
    counts.into_inner().unwrap()
}

/// The same app at `/c`, with another deadline.
fn patient(deadline: &str) -> String {
    let source = component("declared");
    format!(
        "[app.c]\nsource = \"{}\"\nprefix = \"/c\"\nlimits = {{ deadline = \"{deadline}\" }}",
        source.display()
    )
}

#[test]
fn no_declared_type_harms_anybody_else() {
    // What background threads leave to the allocator differs: 35 to 55 MiB, which does not grow.
    let pair = Pair::new(&Terms { app: "declared", a: &patient("60s"), slack: 16 << 20, ..Terms::default() });
    let requests = requests();
    let replies = ["/a/shared", "/a/numbers"];
    for (_, path, kind, body) in &requests {
        flood(&pair, "POST", path, kind, body, Duration::from_millis(300));
    }
    for path in replies {
        flood(&pair, "GET", path, JSON, "", Duration::from_millis(300));
    }
    pair.report(|pair| {
        for (name, path, kind, body) in &requests {
            pair.attack(name, |pair| {
                let became = flood(pair, "POST", path, kind, body, attack_time());
                let is_answer = |status: &String| matches!(status.as_str(), "200" | "422" | "503" | "504");
                assert!(became.keys().all(is_answer), "{name}: {became:?}");
                became
            });
        }
        for path in replies {
            let flood = |pair: &Pair| flood(pair, "GET", path, JSON, "", attack_time());
            pair.attack(&format!("replies of {path}"), flood);
        }
    });
    // What is valid is served, however much of it there is.
    let patient = |path: &str, body: &str| status_of(pair.server.address, "POST", path, JSON, body);
    for path in ["/many", "/level", "/few", "/any"] {
        let (.., body) = requests.iter().find(|(_, of_a, ..)| of_a.strip_prefix("/a") == Some(path)).unwrap();
        assert_eq!(patient(&format!("/c{path}"), body), "200", "{path}");
    }
    assert_eq!(patient("/c/wide", &reversed()), "200");
    assert_eq!(patient("/c/pattern", "[\"y\"]"), "422");
}

#[test]
fn the_deadline_ends_what_the_host_does_for_a_request() {
    // Waiting for a thread counts as well, so of many requests some are late.
    let pair = Pair::new(&Terms { app: "declared", a: &patient("20ms"), ..Terms::default() });
    let body = text("x");
    let start = Instant::now();
    loop {
        let became = flood(&pair, "POST", "/c/pattern", JSON, &body, Duration::from_millis(500));
        if became.contains_key("504") {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(120), "{became:?}");
    }
    pair.server.log_with(
        "the host had not checked the request, or not encoded the reply, by the deadline (deadline",
    );
}

#[test]
fn a_host_ends_while_it_checks_the_worst_requests() {
    let mut pair = Pair::new(&Terms { app: "declared", server: "drain = \"1s\"", ..Terms::default() });
    let (address, is_over) = (pair.server.address, AtomicBool::new(false));
    let bodies: Vec<_> = requests().into_iter().filter(|(_, path, ..)| *path != "/a/form").collect();
    thread::scope(|scope| {
        for (_, path, kind, body) in &bodies {
            let is_over = &is_over;
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) && TcpStream::connect(address).is_ok() {
                    let Ok(mut stream) = TcpStream::connect(address) else { break };
                    let head = format!(
                        "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
                        body.len()
                    );
                    let _ = stream.write_all(&[head.as_bytes(), body.as_bytes()].concat());
                    let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
                    let _ = stream.read(&mut [0; 64]);
                }
            });
        }
        thread::sleep(Duration::from_millis(500));
        pair.server.signal("-TERM");
        let code = pair.server.wait();
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(code, Some(0));
    });
    pair.server.assert_no_panic("the host");
}

#[test]
fn a_stuck_worker_does_not_outlive_the_drain() {
    let stuck = scratch("stuck").join("stuck");
    let file = host_file(&format!("drain = \"300ms\"\n[app.shop]\nsource = \"{}\"\n", shop(1).display()));
    let mut command = Command::new(BINARY);
    command.arg("serve").arg(&file).args(["--log-format", "json"]);
    command.env("LD_PRELOAD", shim()).env("BOLT_STUCK", &stuck);
    let mut server = Server::spawn(command);
    ready(&server);
    assert_eq!(server.get("/version").status, 200);
    File::create(&stuck).unwrap();
    // Each worker wakes up at least once a second.
    thread::sleep(Duration::from_secs(3));
    server.signal("-TERM");
    assert_eq!(server.wait(), Some(0));
    server.log_with("a thread was stuck after the drain and was cut off (drain in [server])");
}

#[test]
fn a_log_that_nobody_reads_does_not_keep_the_host() {
    let pipe = scratch("pipe").join("log");
    run(Command::new("mkfifo").arg(&pipe));
    let _never_read = fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    let file = host_file(&format!("drain = \"300ms\"\n[app.shop]\nsource = \"{}\"\n", shop(1).display()));
    let mut command = Command::new("sh");
    let line = format!("exec \"$0\" \"$@\" 2>{}", pipe.display());
    command.arg("-c").arg(line).arg(BINARY).arg("serve").arg(&file).args(["--log-format", "json"]);
    let mut server = Server::spawn(command);
    ready(&server);
    let mut connection = Connection::to(server.address);
    for _ in 0..2000 {
        assert_eq!(connection.get("/version").status, 200);
    }
    drop(connection);
    server.signal("-TERM");
    assert_eq!(server.wait(), Some(0));
}
