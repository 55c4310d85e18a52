//! Keys and values that outlive interpreters, sessions and cached results.

use crate::common::broker::Broker;
use crate::common::tenants::until;
use crate::common::{Server, scratch};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

fn serve(file: &Path, flags: &[&str]) -> Server {
    serve_at(&file.display().to_string(), flags)
}

fn serve_at(place: &str, flags: &[&str]) -> Server {
    let granted = format!("main={place}");
    Server::fixture(&[&["--workers", "2", "--kv", &granted], flags].concat())
}

fn run(server: &Server, way: &str, method: &str, args: Value, options: Value) -> Value {
    let body = json!({"method": method, "args": args, "options": options}).to_string();
    let answer = server.post(&format!("/keys/{way}"), &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[test]
fn values_outlive_interpreters_and_hosts() {
    check_values(&scratch("keys").join("app.kv").display().to_string());
}

#[test]
fn a_server_has_values_as_a_file_has() {
    let Some(mut broker) = Broker::start("keys") else { return };
    check_values(&broker.url());
    let server = serve_at(&broker.url(), &[]);
    assert_eq!(run(&server, "run", "incr", json!(["a"]), json!({}))[0], "DataError");
    let far = (1i64 << 60) + 1;
    assert_eq!(run(&server, "run", "set", json!(["far", far]), json!({})), json!(true));
    assert_eq!(run(&server, "run", "incr", json!(["far"]), json!({})), json!(far + 1));
    assert_eq!(run(&server, "run", "set", json!(["s*r", 1]), json!({})), json!(true));
    assert_eq!(run(&server, "run", "scan", json!(["s*"]), json!({})), json!(["s*r"]));
    broker.stop();
    assert_eq!(server.get("/keys/value?key=n").status, 503);
    broker.restart();
    until(|| server.get("/keys/value?key=n").status == 200);
    server.assert_no_panic("keys");
}

fn check_values(place: &str) {
    let server = serve_at(place, &[]);
    for (way, suffix) in [("run", ""), ("run-sync", "-sync")] {
        let ask = |method: &str, args: Value, options: Value| run(&server, way, method, args, options);
        let key = |name: &str| format!("{name}{suffix}");
        assert_eq!(ask("get", json!([key("a"), "nothing"]), json!({})), json!("nothing"));
        assert_eq!(ask("set", json!([key("a"), {"n": [1, "é", null]}]), json!({})), json!(true));
        assert_eq!(ask("get", json!([key("a")]), json!({})), json!({"n": [1, "é", null]}));
        assert_eq!(ask("set", json!([key("a"), 1]), json!({"if_absent": true})), json!(false));
        assert_eq!(ask("set", json!([key("b"), 1]), json!({"if_present": true})), json!(false));
        assert_eq!(ask("incr", json!([key("n"), 5]), json!({})), json!(5));
        assert_eq!(ask("incr", json!([key("n")]), json!({})), json!(6));
        assert_eq!(ask("set_many", json!([{key("m1"): 1, key("m2"): [2]}]), json!({})), json!(null));
        let many = ask("get_many", json!([[key("m1"), key("m2"), key("none")]]), json!({}));
        assert_eq!(many, json!({key("m1"): 1, key("m2"): [2]}));
        assert_eq!(ask("scan", json!([key("m1")]), json!({})), json!([key("m1")]));
        assert_eq!(ask("items", json!([key("m2")]), json!({})), json!([[key("m2"), [2]]]));
        assert_eq!(ask("set", json!([key("short"), 1]), json!({"ttl": 0.05})), json!(true));
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(ask("get", json!([key("short")]), json!({})), json!(null));
        assert_eq!(ask("delete", json!([key("m1"), key("none")]), json!({})), json!(1));
    }
    assert_eq!(run(&server, "run", "scan", json!(["m"]), json!({})), json!(["m2", "m2-sync"]));
    let hundred = server.post("/keys/hundred?key=hundred", "").json();
    assert_eq!(hundred, json!((1..=100).collect::<Vec<_>>()));
    let threads: Vec<_> = (0..4)
        .map(|n| {
            let mut connection = server.connect();
            let way = if n % 2 == 0 { "compare" } else { "compare-sync" };
            std::thread::spawn(move || {
                connection.send("POST", &format!("/keys/{way}?key=compared&times=25"), &[], b"").status
            })
        })
        .collect();
    assert!(threads.into_iter().all(|thread| thread.join().unwrap() == 200));
    assert_eq!(server.get("/keys/value-fresh?key=compared").json(), json!({"n": 100}));
    assert_eq!(server.get("/keys/bytes").json(), json!(vec![true; 8]));
    server.assert_no_panic("keys");
    // Killed, not ended.
    drop(server);
    let server = serve_at(place, &[]);
    assert_eq!(server.get("/keys/value?key=compared").json(), json!({"n": 100}));
    assert_eq!(server.get("/keys/value-sync?key=hundred").json(), json!(100));
}

#[test]
fn a_store_has_bounds_and_hears_only_its_own_app() {
    let file = scratch("keys").join("app.kv");
    let server = serve(&file, &["--kv-size", "1MiB", "--kv-value", "100KiB"]);
    let full = server.post("/keys/fill?count=100&size=50000", "").json();
    assert_eq!(full[1], "LimitExceeded", "{full}");
    assert!(full[2].as_str().unwrap().contains("--kv-size"), "{full}");
    assert!((5..21).contains(&full[0].as_u64().unwrap()), "{full}");
    let large = run(&server, "run", "set", json!(["k", "x".repeat(110_000)]), json!({}));
    assert!(large[1].as_str().unwrap().contains("--kv-value"), "{large}");
    // There is still room for what was there.
    assert_eq!(run(&server, "run", "delete", json!(["fill:000000", "fill:000001"]), json!({})), json!(2));
    assert_eq!(run(&server, "run", "set", json!(["k", 1]), json!({})), json!(true));
    let cut = server.post("/keys/cut-off?key=cut", "");
    assert_eq!(cut.status, 200, "{}", cut.text());
    let forged = server.get("/keys/forged").json();
    let told: Vec<_> = forged.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    for (at, wanted) in
        [(0, "has ended"), (1, "has ended"), (2, "no store"), (3, "no store"), (4, "malformed")]
    {
        assert!(told[at].contains(wanted), "{at}: {told:#?}");
    }
    assert!(told[5..23].iter().all(|one| one.contains("\"kind\"") || one.contains("[")), "{told:#?}");
    server.assert_well();
}

#[test]
fn an_app_without_a_grant_has_no_other_store() {
    let server = serve(&scratch("keys").join("app.kv"), &[]);
    let body = json!({"method": "get", "args": ["k"], "store": "other"}).to_string();
    let told = server.post("/keys/run", &body).json();
    assert_eq!(told[0], "NotGranted", "{told}");
    assert!(told[1].as_str().unwrap().contains("--kv"), "{told}");
}

#[test]
fn sessions_follow_their_cookie() {
    let server = serve(&scratch("keys").join("app.kv"), &[]);
    for place in ["/in-cookie", "/in-store"] {
        let mut connection = server.connect();
        let mut cookie = String::new();
        let mut ask = |method: &str, path: &str| {
            let headers = [("cookie", &*cookie)];
            let headers = if cookie.is_empty() { &[][..] } else { &headers[..] };
            let answer = connection.send(method, &format!("{place}{path}"), headers, b"");
            if let Some(set) = answer.headers.get("set-cookie") {
                set.split(';').next().unwrap().clone_into(&mut cookie);
            }
            answer.json()
        };
        assert_eq!(ask("GET", "/me"), json!({}));
        assert_eq!(ask("POST", "/count"), json!(1));
        assert_eq!(ask("POST", "/count"), json!(2));
        assert_eq!(ask("POST", "/login?name=ann"), json!(null));
        assert_eq!(ask("GET", "/me"), json!({"count": 2, "user": "ann"}));
        assert_eq!(ask("POST", "/logout"), json!(null));
        assert_eq!(ask("GET", "/me"), json!({}));
    }
}

#[test]
fn results_are_computed_once() {
    let server = serve(&scratch("keys").join("app.kv"), &[]);
    assert_eq!(server.get("/keys/shared/7").json(), json!(1));
    assert_eq!(server.get("/keys/square/7").json(), json!({"square": 49}));
    assert_eq!(server.get("/keys/square-sync/8").json(), json!({"square": 64}));
    let times = |path: &str| server.get(path).json();
    assert_eq!(times("/keys/report?number=3"), times("/keys/report?number=3"));
    assert_eq!(times("/keys/report-sync"), times("/keys/report-sync"));
}
