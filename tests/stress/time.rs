//! Every moment of a guest has an owner and a clock: hand-made components compute, block and linger where no request is.
//! Beside them, a neighbour on the same host is served.

use crate::common::handmade::Handmade;
use crate::common::tenants::{host, order};
use crate::common::{Connection, Server};
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

/// Seconds. Only a hang reaches it.
const PATIENCE: u64 = 180;

/// Blocks for much longer than any limit of these tests.
const BLOCKS: &str = "(call $sleep (i64.const 1000000000000))";

/// A host with one worker for `hostile` and for a neighbour, both made by hand.
fn beside(hostile: &Path, limits: &str) -> Server {
    let neighbour = Handmade::default().write("neighbour");
    let server = host(&format!(
        "[app.a]\nsource = \"{}\"\nprefix = \"/a\"\n[app.a.limits]\ndeadline = \"500ms\"\ngrace = \"100ms\"\n{limits}\n\
         [app.b]\nsource = \"{}\"\nprefix = \"/b\"\n",
        hostile.display(),
        neighbour.display()
    ));
    assert_eq!(server.get("/b/ok").status, 200);
    server
}

/// Ask the neighbour until `done`.
fn serve_neighbour(server: &Server, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    let mut connection = server.connect();
    while !done() {
        assert_eq!(connection.get("/b/ok").status, 200);
        assert!(start.elapsed() < Duration::from_secs(PATIENCE), "{}", server.log());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Start requests to A; the test does not wait for the replies.
fn ask(server: &Server, path: &str, count: usize) -> Vec<Connection> {
    let mut connections: Vec<_> = (0..count).map(|_| server.connect()).collect();
    for connection in &mut connections {
        connection.start("GET", path, &[], b"");
    }
    connections
}

#[test]
fn a_handmade_component_is_served() {
    let routes = [("/ok", false, "call $ok"), ("/async", true, "call $ok")];
    // Components of the version before lack streams, and are served as they are.
    for abi in ["0.4.0", "0.4.3"] {
        let component = Handmade { routes: &routes, abi, ..Handmade::default() }.write(abi);
        let server = Server::start(&component, &["--workers", "1"]);
        for path in ["/ok", "/async", "/ok", "/async"] {
            assert_eq!(server.get(path).json(), json!(null), "{path}");
        }
        server.assert_no_panic("handmade");
    }
}

/// Where a component can compute before its first request: in the call that the host makes to every new instance. The host
/// makes it also before it asks for the routes, so these take long, but come to an end.
#[test]
fn an_instance_that_does_not_start_is_given_up() {
    let spins = "(local $left i64) (local.set $left (i64.const 4000000000)) \
                 (loop $again (local.set $left (i64.sub (local.get $left) (i64.const 1))) (br_if $again (i64.ne (local.get $left) (i64.const 0))))";
    let blocks = "(call $sleep (i64.const 2000000000))";
    for (name, code) in [("cancel-spins", spins), ("cancel-blocks", blocks)] {
        let hostile = Handmade { cancel: code, ..Handmade::default() }.write(name);
        // From here on it is compiled.
        drop(beside(&hostile, "start-timeout = \"100s\""));
        let server = beside(&hostile, "start-timeout = \"300ms\"");
        let mut asked = ask(&server, "/a/ok", 20);
        serve_neighbour(&server, || server.log().contains("did not start in time"));
        for connection in &mut asked {
            assert_eq!(connection.finish("GET").status, 503, "{name}");
        }
        server.log_with("start-timeout in [app.NAME.limits]");
        server.assert_no_panic(name);
    }
}

#[test]
fn a_deployment_of_an_app_that_does_not_start_is_refused() {
    let good = Handmade::default().write("good");
    let bad = Handmade { cancel: "call $spin", ..Handmade::default() }.write("bad");
    let server = beside(&good, "start-timeout = \"500ms\"");
    let (done, said) = order(&server, &["deploy", "a", bad.to_str().unwrap()]);
    assert!(!done && said.contains("did not start in time"), "{said}");
    assert_eq!(server.get("/a/ok").status, 200);
    // The next deployment is not stuck behind it.
    let (done, said) = order(&server, &["deploy", "a", good.to_str().unwrap()]);
    assert!(done, "{said}");
}

/// A guest that parks and then computes, on behalf of no request, of one that it invents, or after its reply.
#[test]
fn computing_outside_of_requests_has_a_clock() {
    let park_then_spin = "(call $serving (i64.const 0)) (call $spin) unreachable";
    let invents = "(call $serving (i64.const 99)) (call $spin) unreachable";
    let reply_then_spin =
        "(call $reply (local.get $request) (i32.const 1040) (i32.const 9)) (call $spin) unreachable";
    let alarm = "(call $alarm (i64.const 1000000)) (i32.store (i32.const 512) (i32.const 0)) (i32.store (i32.const 516) (i32.const 0)) \
                 (call $reply (local.get $request) (i32.const 1040) (i32.const 9)) (i32.const 512)";
    for (name, route, resumed) in [
        ("park-then-spin", alarm, park_then_spin),
        ("invented-request", alarm, invents),
        ("reply-then-spin", reply_then_spin, "call $wait-in-park"),
    ] {
        for limits in ["", "cpu = \"200ms\""] {
            let routes = [("/ok", true, route)];
            let hostile = Handmade { routes: &routes, resumed, ..Handmade::default() }.write(name);
            let server = beside(&hostile, &format!("instances = 1\n{limits}"));
            let mut asked = ask(&server, "/a/ok", 4);
            let wanted = if limits.is_empty() { "computed or blocked" } else { "processor time" };
            serve_neighbour(&server, || server.log().contains(wanted));
            for connection in &mut asked {
                assert!(matches!(connection.finish("GET").status, 200 | 500 | 503 | 504), "{name}");
            }
            server.assert_no_panic(name);
        }
    }
}

#[test]
fn leaving_and_cancelling_have_a_clock() {
    for (name, code) in [("leave-spins", "call $spin unreachable"), ("leave-blocks", "unreachable")] {
        let code = if name == "leave-blocks" { format!("{BLOCKS} unreachable") } else { code.to_owned() };
        let hostile = Handmade { leave: &code, lifespan: true, ..Handmade::default() }.write(name);
        let server = beside(&hostile, "requests = 1");
        assert_eq!(server.get("/a/ok").status, 200);
        let limit = "longer than the deadline";
        serve_neighbour(&server, || server.log().contains(limit));
        assert_eq!(server.get("/a/ok").status, 200);
        server.assert_no_panic(name);
    }
}

/// A guest says again and again that there is work left, for itself, for requests that are over, and for invented ones.
#[test]
fn work_after_replies_cannot_be_renewed() {
    let renew = "(call $linger (i64.const 0) (i32.const 0)) (call $linger (local.get $request) (i32.const 0)) \
                 (call $linger (i64.sub (local.get $request) (i64.const 1)) (i32.const 0)) \
                 (call $linger (i64.const 123456) (i32.const 0)) (call $ok)";
    let routes = [("/ok", false, renew), ("/async", true, renew)];
    let run =
        "(call $linger (i64.const 0) (i32.const 0)) (call $alarm (i64.const 1000000)) (call $wait-in-park)";
    let hostile = Handmade { routes: &routes, run, resumed: run, ..Handmade::default() }.write("lingers");
    let server = beside(&hostile, "instances = 40");
    for path in ["/a/ok", "/a/async"] {
        let mut asked = ask(&server, path, 100);
        for connection in &mut asked {
            assert_eq!(connection.finish("GET").status, 200, "{path}");
        }
    }
    serve_neighbour(&server, || server.log().contains("work after the reply took longer"));
    // All its instances are gone some time after their first request.
    let mut before = 0;
    serve_neighbour(&server, || {
        let ended = server.log().matches("work after the reply took longer").count();
        std::mem::replace(&mut before, ended) == ended
            && ended > 0
            && server.metric("bolt_requests_in_flight") == 0.0
    });
    server.assert_no_panic("lingers");
}

/// One app takes as many instances as it can get, by all its pools; the other one still gets its first.
#[test]
fn one_app_cannot_have_all_instances_of_the_host() {
    let never =
        "(i32.store (i32.const 512) (i32.const 0)) (i32.store (i32.const 516) (i32.const 0)) (i32.const 512)";
    let blocks = format!("{BLOCKS} unreachable");
    let routes = [("/block", false, blocks.as_str()), ("/wait", true, never)];
    let hostile = Handmade { routes: &routes, ..Handmade::default() }.write("greedy");
    let neighbour = Handmade::default().write("neighbour");
    let server = host(&format!(
        "instances = 16\n[app.a]\nsource = \"{}\"\nprefix = \"/a\"\n[app.a.limits]\ninstances = 40\n[app.b]\nsource = \"{}\"\nprefix = \"/b\"\n",
        hostile.display(),
        neighbour.display()
    ));
    let _blocked = ask(&server, "/a/block", 60);
    let start = Instant::now();
    let instances = || {
        let text = Connection::to(server.admin()).get("/metrics").text().to_owned();
        let lines = text.lines().filter(|line| line.starts_with("bolt_instances{app=\"a\""));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum::<f64>()
    };
    while instances() < 12.0 {
        assert!(start.elapsed() < Duration::from_secs(120), "{}", server.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    for _ in 0..20 {
        assert_eq!(server.get("/b/ok").status, 200);
    }
    assert!(instances() >= 12.0);
}
