//! asyncio inside the sandbox: the same results as under CPython, cancellation, tasks, and use of every core.

use crate::common::{Server, root};
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn programs_do_what_they_do_under_cpython() {
    let output = Command::new("python3").arg(root().join("tests/fixture/programs.py")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let native: Value = serde_json::from_slice(&output.stdout).unwrap();
    let native = native.as_object().unwrap();
    let server = Server::fixture(&["--workers", "1"]);
    let names = server.get("/programs").json();
    assert_eq!(names.as_array().unwrap().len(), native.len());
    assert!(native.len() > 40);
    let wrong: Vec<_> = native
        .iter()
        .filter_map(|(name, wanted)| {
            let got = server.get(&format!("/programs/{name}"));
            (got.status != 200 || got.json() != *wanted)
                .then(|| format!("{name}: {wanted}\n  but {}", got.text()))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn programs_of_many_requests_do_not_disturb_each_other() {
    let server = Server::fixture(&["--workers", "1", "--instances", "1"]);
    let names = server.get("/programs").json();
    let alone: Vec<_> = names
        .as_array()
        .unwrap()
        .iter()
        .map(|name| format!("/programs/{}", name.as_str().unwrap()))
        .map(|path| (server.get(&path).json(), path))
        .collect();
    let together: Vec<_> = alone
        .iter()
        .map(|(_, path)| {
            let mut connection = server.connect();
            connection.start("GET", path, &[], b"");
            connection
        })
        .collect();
    for ((wanted, path), mut connection) in alone.iter().zip(together) {
        // Racing timers fire in another order when a hundred programs share the core.
        let got = connection.finish("GET");
        assert_eq!(got.status, 200, "{path}");
        assert_eq!(got.json().is_array(), wanted.is_array(), "{path}");
    }
}

#[test]
fn asyncio_run_is_refused_with_a_sentence() {
    let server = Server::fixture(&["--workers", "1"]);
    let said = server.get("/asyncio-run").json();
    assert!(said.as_str().unwrap().contains("await the coroutine"), "{said}");
    assert!(!server.log().contains("never awaited"));
}

#[test]
fn a_task_outlives_its_request() {
    let server = Server::fixture(&["--workers", "1"]);
    assert_eq!(server.get("/outlive").json(), json!("begun"));
    let start = Instant::now();
    while server.get("/finished").json() != json!(["outlived"]) {
        assert!(start.elapsed() < Duration::from_secs(120));
    }
}

#[test]
fn ten_thousand_requests_wait_in_one_worker() {
    let server = Server::fixture(&["--workers", "1", "--log-format", "off"]);
    let mut waiting: Vec<_> = (0..5_000)
        .map(|_| {
            let mut connection = server.connect();
            connection.start("GET", "/sleep?ms=3000", &[], b"");
            connection
        })
        .collect();
    for connection in &mut waiting {
        assert_eq!(connection.finish("GET").status, 200);
    }
}

#[test]
fn computing_handlers_of_one_listener_use_every_core() {
    let server = Server::fixture(&["--workers", "2", "--instances", "4", "--deadline", "60s"]);
    // The kernel distributes connections over the workers: find four on one worker.
    let mut dealt: [Vec<crate::common::Connection>; 2] = Default::default();
    while dealt.iter().all(|connections| connections.len() < 4) {
        let mut connection = server.connect();
        let before = thread_times(server.child.id());
        for _ in 0..100 {
            assert_eq!(connection.get("/created").status, 201);
        }
        let after = thread_times(server.child.id());
        let worker = usize::from(after[1] - before[1] > after[0] - before[0]);
        dealt[worker].push(connection);
    }
    let mut connections = dealt.into_iter().find(|connections| connections.len() == 4).unwrap();
    let before = thread_times(server.child.id());
    for _ in 0..3 {
        for connection in &mut connections {
            connection.start("GET", "/work?rounds=1000000", &[], b"");
        }
        for connection in &mut connections {
            assert_eq!(connection.finish("GET").json(), json!(2_999_997));
        }
    }
    let after = thread_times(server.child.id());
    let used: Vec<_> = after.iter().zip(before).map(|(after, before)| after - before).collect();
    let total = used.iter().sum::<u64>();
    // If no work moved, one of them would have used almost nothing. One job of the twelve is enough: other tests take the
    // cores, so that a worker with nothing of its own may come late.
    assert!(used.iter().all(|&one| one * 18 > total), "ns of each worker: {used:?}");
}

/// Processor time of each worker thread, in nanoseconds.
fn thread_times(pid: u32) -> Vec<u64> {
    let mut times = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten() {
        let name = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        if let Some(index) = name.trim().strip_prefix("worker-") {
            let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap();
            let nanoseconds: u64 = text.split(' ').next().unwrap().parse().unwrap();
            times.push((index.to_owned(), nanoseconds));
        }
    }
    times.sort();
    times.into_iter().map(|(_, time)| time).collect()
}

#[test]
fn a_processor_budget_ends_a_handler_and_only_that_one() {
    let server = Server::fixture(&["--workers", "1", "--instances", "1", "--max-cpu-ms", "150"]);
    for path in ["/spin?ms=60000", "/async-spin?ms=60000"] {
        let response = server.get(path);
        assert_eq!(
            (response.status, response.text()),
            (503, r#"{"detail":"Service Unavailable"}"#),
            "{path}"
        );
        server.log_with("--max-cpu-ms");
    }
    // Waiting costs nothing, and the time that one request used does not count for the next.
    assert_eq!(server.get("/sleep?ms=400").status, 200);
    assert_eq!(server.get("/block?ms=400").status, 200);
    for path in ["/spin?ms=60", "/async-spin?ms=60"] {
        for _ in 0..5 {
            assert_eq!(server.get(path).status, 200, "{path}");
        }
    }
    server.assert_well();
}
