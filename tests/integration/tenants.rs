//! Many apps on one host: routing by host and path, limits, replacement under load, eviction of idle apps.

use crate::common::tenants::{host, host_file, order, ready, shop, until};
use crate::common::{BINARY, Connection, Response, Server, root, run, said, scratch};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn get(server: &Server, host: &str, path: &str) -> Response {
    server.connect().send("GET", path, &[("host", host)], b"")
}

fn apps(server: &Server) -> serde_json::Value {
    Connection::to(server.admin()).get("/apps").json()["apps"].clone()
}

#[test]
fn apps_are_found_by_host_and_path_and_see_only_what_is_theirs() {
    let wasm = shop(1);
    let source = root().join("tests/tenant/shop.py");
    let file = host_file(&format!(
        r#"
[app.shop]
source = "{0}"
hosts = ["shop.example"]
[app.shop.env]
STAGE = "test"
[app.shop.files]
"/data" = {{ path = ".", write = true }}

[app.below]
source = "{0}"
hosts = ["shop.example"]
prefix = "/below/here"
[app.below.files]
"/data" = {{ path = "." }}

[app.any]
source = "{1}"
hosts = ["*.example"]
"#,
        wasm.display(),
        source.display()
    ));
    run(Command::new(BINARY).arg("check").arg(&file));
    let server = Server::host(&file);
    ready(&server);
    assert_eq!(get(&server, "shop.example", "/version").json(), json!(1));
    assert_eq!(get(&server, "SHOP.example:80", "/path/a/b").json(), json!(["a/b", "/path/a/b"]));
    assert_eq!(get(&server, "shop.example", "/below/here/path/a").json(), json!(["a", "/below/here/path/a"]));
    let addresses = get(&server, "shop.example", "/below/here/addresses").json();
    let base = "http://shop.example/below/here/";
    assert_eq!(addresses, json!([base, format!("{base}path/x"), "/below/here"]));
    assert_eq!(get(&server, "shop.example", "/below/here").status, 404);
    assert_eq!(get(&server, "a.b.example", "/version").json(), json!(1));
    assert_eq!(get(&server, "elsewhere", "/version").status, 404);
    // Redirects and links contain the prefix.
    let slashed = get(&server, "shop.example", "/below/here/slashed?x=1");
    assert_eq!((slashed.status, &*slashed.headers["location"]), (307, "/below/here/slashed/?x=1"));
    assert!(get(&server, "shop.example", "/below/here/docs").text().contains("/below/here/docs/start.js"));
    let described = get(&server, "shop.example", "/below/here/openapi.json").json();
    assert_eq!(described["servers"], json!([{"url": "/below/here"}]));
    // Each has its own globals, environment and files.
    for app in ["/seen", "/below/here/seen"] {
        assert_eq!(get(&server, "shop.example", app).json(), json!(1), "{app}");
    }
    assert_eq!(get(&server, "shop.example", "/environment").json(), json!({"STAGE": "test"}));
    assert_eq!(get(&server, "shop.example", "/below/here/environment").json(), json!({}));
    let write = |path: &str| {
        let path = format!("{path}/write?name=/data/note&text=kept");
        server.connect().send("POST", &path, &[("host", "shop.example")], b"")
    };
    assert_eq!(write("").text(), "\"kept\"");
    assert_eq!(fs::read_to_string(file.with_file_name("note")).unwrap(), "kept");
    assert_eq!(write("/below/here").status, 500);
    let listed = apps(&server);
    assert_eq!(listed[1]["app"], "below");
    assert_eq!(listed[1]["state"], "ready");
    let (done, said) = order(&server, &["apps"]);
    assert!(done && said.contains("shop ") && said.contains("ready"), "{said}");
    let (done, said) = order(&server, &["apps", "--json"]);
    assert!(done && said.contains("\"shop\""), "{said}");
    let (done, said) = order(&server, &["deploy", "any", wasm.to_str().unwrap()]);
    assert!(!done && said.contains("is built from"), "{said}");
    let (done, said) = order(&server, &["rollback", "nobody"]);
    assert!(!done && said.contains("there is no app"), "{said}");
}

#[test]
fn more_than_an_app_may_have_is_sent_away_at_once() {
    let wasm = shop(1);
    let server = host(&format!(
        r#"
[app.narrow]
source = "{0}"
prefix = "/narrow"
[app.narrow.limits]
concurrency = 2
queue = 2

[app.rated]
source = "{0}"
prefix = "/rated"
[app.rated.limits]
rate = 20
"#,
        wasm.display()
    ));
    assert_eq!(server.get("/narrow/version").status, 200);
    // Both workers together admit eight.
    let mut waiting: Vec<_> = (0..40)
        .map(|_| {
            let mut connection = server.connect();
            connection.start("GET", "/narrow/sleep?ms=1500", &[], b"");
            connection
        })
        .collect();
    let answers: Vec<_> = waiting.iter_mut().map(|connection| connection.finish("GET")).collect();
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    assert!((4..=8).contains(&served), "{served}");
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!((answer.status, &*answer.headers["retry-after"]), (503, "1"));
        assert!(answer.text().contains("requests are waiting"), "{}", answer.text());
    }
    server.log_with("\"limit\":\"queue in [app.NAME.limits]\"");
    let sent_away = server.metric("bolt_sent_away_total{app=\"narrow\",why=\"queue\"}");
    assert_eq!(sent_away as usize, 40 - served);
    assert_eq!(server.get("/narrow/version").status, 200);

    let start = Instant::now();
    let (mut served, mut refused) = (0, 0);
    let mut connection = server.connect();
    while start.elapsed() < Duration::from_secs(1) {
        let answer = connection.get("/rated/version");
        match answer.status {
            200 => served += 1,
            429 => {
                assert_eq!(answer.headers["retry-after"], "1");
                refused += 1;
            }
            status => panic!("{status}"),
        }
    }
    assert!(served > 0 && refused > 100, "{served} served, {refused} refused");
    assert!(f64::from(served) <= 20.0 * start.elapsed().as_secs_f64() + 3.0, "{served}");
}

/// Request the version in a loop, on kept and on new connections, while `work` runs.
fn asked_meanwhile(server: &Server, work: impl FnOnce(&AtomicUsize)) -> usize {
    let (done, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for kind in 0..4 {
            let (done, answered) = (&done, &answered);
            scope.spawn(move || {
                let mut connection = server.connect();
                while !done.load(Ordering::Relaxed) {
                    let path = if kind % 2 == 0 { "/version" } else { "/sleep?ms=5" };
                    let answer = connection.get(path);
                    assert!(answer.status == 200, "{} {}", answer.status, answer.text());
                    assert!(matches!(answer.text(), "1" | "2"), "{}", answer.text());
                    answered.fetch_add(1, Ordering::Relaxed);
                    if kind == 3 {
                        connection = server.connect();
                    }
                }
            });
        }
        work(&answered);
        done.store(true, Ordering::Relaxed);
    });
    answered.into_inner()
}

#[test]
fn versions_change_under_load_without_a_failed_request() {
    let (one, two, three) = (shop(1), shop(2), shop(3));
    let folder = scratch("swap");
    let source = folder.join("shop.wasm");
    fs::copy(&one, &source).unwrap();
    let server = host(&format!("[app.shop]\nsource = \"{}\"", source.display()));
    let version = || server.get("/version").json();
    assert_eq!(version(), json!(1));
    let answered = asked_meanwhile(&server, |_| {
        for _ in 0..25 {
            let (done, said) = order(&server, &["deploy", "shop", two.to_str().unwrap()]);
            assert!(done && said.contains("shop is now"), "{said}");
            assert_eq!(version(), json!(2));
            let (done, said) = order(&server, &["rollback", "shop"]);
            assert!(done, "{said}");
            assert_eq!(version(), json!(1));
        }
        let (done, said) = order(&server, &["deploy", "shop", two.to_str().unwrap()]);
        assert!(done, "{said}");
    });
    assert!(answered > 500, "{answered}");
    server.log_with("a version was deployed");

    // The file stays what the operator put there.
    assert_eq!(version(), json!(2));
    assert_eq!(fs::read(&source).unwrap(), fs::read(&one).unwrap());
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);

    // A component that cannot be served is refused.
    let broken = folder.join("broken.wasm");
    fs::write(&broken, &fs::read(&one).unwrap()[..100_000]).unwrap();
    let (done, said) = order(&server, &["deploy", "shop", broken.to_str().unwrap()]);
    // It is called by the name that the user knows.
    let told = format!("shop stays as it is: {}: it is ", broken.display());
    assert!(!done && said.contains(&told) && !said.contains("incoming"), "{said}");
    assert_eq!(version(), json!(2));

    // A replaced file is deployed automatically, unless it is broken.
    fs::copy(&three, folder.join("next")).unwrap();
    fs::rename(folder.join("next"), &source).unwrap();
    until(|| version() == json!(3));
    fs::copy(&broken, folder.join("next")).unwrap();
    fs::rename(folder.join("next"), &source).unwrap();
    server.log_with("the old version goes on");
    assert_eq!(version(), json!(3));
    assert!(!server.log().contains("panicked"));
}

#[test]
fn a_host_keeps_what_was_deployed() {
    let (one, two, three) = (shop(1), shop(2), shop(3));
    let source = scratch("kept").join("shop.wasm");
    fs::copy(&one, &source).unwrap();
    let file = host_file(&format!("[app.shop]\nsource = \"{}\"", source.display()));
    let start = || {
        let server = Server::host(&file);
        ready(&server);
        server
    };
    let server = start();
    let done = |server: &Server, words: &[&str]| {
        let (done, said) = order(server, words);
        assert!(done, "{words:?}: {said}");
        said
    };
    let version = |server: &Server| server.get("/version").json();
    let deploy = |server: &Server, wasm: &Path| done(server, &["deploy", "shop", wasm.to_str().unwrap()]);
    deploy(&server, &two);
    let newest = deploy(&server, &three);
    let newest = newest.trim().strip_prefix("shop is now ").unwrap().to_owned();
    let told = said(Command::new(BINARY).arg("inspect").arg(&three));
    assert!(told.contains(&newest), "{told}");
    // A restart serves what was deployed last; each rollback leads further back.
    drop(server);
    let server = start();
    assert_eq!(version(&server), json!(3));
    for expected in [2, 1] {
        done(&server, &["rollback", "shop"]);
        assert_eq!(version(&server), json!(expected));
    }
    let (is_done, told) = order(&server, &["rollback", "shop"]);
    assert!(!is_done && told.contains("no version before it"), "{told}");
    done(&server, &["rollback", "shop", &newest[..6]]);
    assert_eq!(version(&server), json!(3));
    let table = done(&server, &["versions", "shop"]);
    assert!(table.lines().any(|line| line.starts_with(&newest) && line.ends_with("served")), "{table}");

    // A version that is pinned stays, also over a restart and a new file.
    done(&server, &["pin", "shop"]);
    let (is_done, told) = order(&server, &["deploy", "shop", two.to_str().unwrap()]);
    assert!(!is_done && told.contains("bolt-host unpin shop"), "{told}");
    let put = |wasm: &Path| {
        fs::copy(wasm, source.with_extension("next")).unwrap();
        fs::rename(source.with_extension("next"), &source).unwrap();
    };
    put(&two);
    drop(server);
    let server = start();
    assert_eq!(version(&server), json!(3));
    done(&server, &["unpin", "shop"]);
    until(|| version(&server) == json!(2));
    // A pinned file is kept as well.
    done(&server, &["pin", "shop", "file"]);
    put(&one);
    drop(server);
    let server = start();
    assert_eq!(version(&server), json!(2));
    done(&server, &["unpin", "shop"]);
    until(|| version(&server) == json!(1));

    let told = done(&server, &["versions", "shop", "--prune", "1"]);
    assert!(told.starts_with("removed "), "{told}");
    let kept: serde_json::Value =
        serde_json::from_str(&done(&server, &["versions", "shop", "--json"])).unwrap();
    assert_eq!(kept["deployed"].as_array().unwrap().len(), 1);
    server.assert_no_panic("versions");
}

#[test]
fn an_idle_app_is_put_away_and_comes_back() {
    let wasm = shop(1);
    let file = host_file("");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}idle = \"1s\"\n[app.shop]\nsource = \"{}\"", wasm.display())).unwrap();
    let server = Server::host(&file);
    ready(&server);
    assert_eq!(apps(&server)[0]["loaded"], false);
    for _ in 0..3 {
        assert_eq!(server.get("/seen").json(), json!(1));
        assert_eq!(apps(&server)[0]["loaded"], true);
        until(|| apps(&server)[0]["loaded"] == false && apps(&server)[0]["instances"] == 0);
    }
    // An app with a request in flight is not idle.
    let mut busy = server.connect();
    busy.start("GET", "/sleep?ms=4000", &[], b"");
    assert_eq!(busy.finish("GET").json(), json!(1));
    // The counters survive an eviction.
    let seen = "bolt_requests_total{app=\"shop\",method=\"GET\",route=\"/seen\",status=\"2xx\"}";
    assert_eq!(server.metric(seen), 3.0);
    server.assert_no_panic("idle");
}

#[test]
fn an_app_that_is_not_built_is_not_waited_for() {
    let folder = scratch("unbuilt");
    let source = folder.join("new.py");
    let text = fs::read_to_string(root().join("tests/tenant/shop.py")).unwrap();
    // Content that no other run has built.
    fs::write(&source, format!("{text}\nUNIQUE = {:?}\n", folder.display().to_string())).unwrap();
    let broken = scratch("broken");
    fs::write(broken.join("broken.py"), "import nothing_of_that_name\n").unwrap();
    let server = Server::host(&host_file(&format!(
        "[app.new]\nsource = \"{}\"\n[app.broken]\nsource = \"{}\"\nprefix = \"/broken\"\n",
        source.display(),
        broken.join("broken.py").display()
    )));
    let answer = server.get("/version");
    assert_eq!((answer.status, &*answer.headers["retry-after"]), (503, "1"));
    assert_eq!(Connection::to(server.admin()).get("/readyz").status, 503);
    until(|| server.get("/version").status == 200);
    ready(&server);
    assert_eq!(server.get("/broken/").status, 503);
    server.log_with("nothing_of_that_name");
    // A fixed app is served.
    fs::write(broken.join("broken.py"), fs::read_to_string(&source).unwrap()).unwrap();
    until(|| server.get("/broken/version").status == 200);
}

/// One host takes over from another on the same port; clients keep their connections, or open new ones.
#[test]
fn a_host_takes_over_from_another_without_a_failed_request() {
    let wanted: usize = std::env::var("BOLT_HANDOVER").map_or(5000, |count| count.parse().unwrap());
    let wasm = shop(1);
    let start = |port: u16| {
        let mut command = Command::new(BINARY);
        command.arg("run").arg(&wasm).args(["--port", &port.to_string(), "--share-port", "--workers", "2"]);
        command.args(["--log-format", "off"]);
        Server::spawn(command)
    };
    let mut server = start(0);
    let address = server.address;
    let (done, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for client in 0..8 {
            let (done, answered) = (&done, &answered);
            scope.spawn(move || {
                let mut connection = Connection::to(address);
                while !done.load(Ordering::Relaxed) {
                    let answer = connection.get(if client % 2 == 0 { "/version" } else { "/sleep?ms=3" });
                    assert_eq!(answer.status, 200);
                    answered.fetch_add(1, Ordering::Relaxed);
                    let is_last = answer.headers.get("connection").is_some_and(|value| value == "close");
                    if is_last || client >= 4 {
                        connection = Connection::to(address);
                    }
                }
            });
        }
        // Stop one host after the other under load, until there were enough requests.
        let mut changes = 0;
        while answered.load(Ordering::Relaxed) < wanted || changes < 3 {
            let seen = answered.load(Ordering::Relaxed);
            let next = start(address.port());
            server.signal("-TERM");
            assert_eq!(server.wait(), Some(0));
            server = next;
            until(|| answered.load(Ordering::Relaxed) > seen + 200);
            changes += 1;
        }
        done.store(true, Ordering::Relaxed);
    });
}

/// The instance pool is smaller than the number of apps that are requested in turn.
#[test]
fn instances_that_rest_make_room_for_others() {
    let wasm = shop(1);
    let app =
        |number: u32| format!("[app.a{number}]\nsource = \"{}\"\nprefix = \"/{number}\"\n", wasm.display());
    let file = host_file(&(0..8).map(app).collect::<String>());
    let text = fs::read_to_string(&file).unwrap().replace("[server]", "[server]\ninstances = 6");
    fs::write(&file, text).unwrap();
    let server = Server::host(&file);
    ready(&server);
    for _ in 0..5 {
        for number in 0..8 {
            assert_eq!(server.get(&format!("/{number}/version")).json(), json!(1), "{number}");
        }
    }
    // All instances are busy: a further request waits until one ends.
    std::thread::scope(|scope| {
        for number in 0..6 {
            let server = &server;
            scope.spawn(move || assert_eq!(server.get(&format!("/{number}/spin?ms=1500")).status, 200));
        }
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(server.get("/7/version").status, 200);
    });
    server.assert_no_panic("pool");
}
