//! Packages of PyPI at their main job, and what stands in for threads, processes and missing modules.

use crate::common::packages::copied;
use crate::common::{PATIENCE, Server};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

fn standard() -> PathBuf {
    // With a file that is no module, a built app has its files at run time.
    let files = ["standard.py", "threads.py", "lacking.py", "depth.py", "raised.py", "texts/data/note.txt"];
    copied("compat-standard", "tests/packages", &files)
}

fn packages() -> PathBuf {
    let of_package = ["texts/__init__.py", "texts/data/note.txt", "texts/templates/page.html"];
    let files = [&["app.py"], &of_package[..]].concat();
    copied("compat-packages", "tests/packages", &files)
}

/// Whether a text that an app tells has these words.
fn has(told: &Value, words: &[&str]) {
    let text = told.as_str().unwrap_or_else(|| panic!("{told} is no text"));
    words.iter().for_each(|word| assert!(text.contains(word), "{word:?} is not in {text:?}"));
}

const ENDLESS: [&str; 2] = ["RuntimeError: this wait for ", "would never end: the sandbox has no threads"];

fn assert_threads(server: &Server) {
    let told = server.get("/threads/executors").json();
    assert_eq!(told["map"], json!([10, 20]));
    assert_eq!(told["completed"], json!([0, 10, 20]));
    assert_eq!(told["done"], json!([3, 0]));
    has(&told["failed"], &["ValueError"]);
    assert_eq!(told["pool"].as_array().unwrap()[..4], [json!([10, 20]), json!([8]), json!([30]), json!(40)]);
    has(&told["pool"][4], &["ValueError"]);
    has(&told["pending"], &ENDLESS);

    let told = server.get("/threads/async").json();
    assert_eq!((&told["to_thread"], &told["executor"]), (&json!(10), &json!(20)));
    assert_eq!(told["others"], json!([0, 10, 20]));
    has(&told["event"], &ENDLESS);

    // A thread runs when it is started; a daemon when it is joined, with what waits for it.
    let told = server.get("/threads/thread").json();
    assert_eq!((&told["names"], &told["main"]), (&json!(["a"]), &json!("MainThread")));
    assert_eq!((&told["alive"], &told["seen"]), (&json!([false, true, false]), &json!([[], [1, 2]])));
    has(&told["twice"], &["RuntimeError: threads can only be started once"]);
    let log = server.log_with("Exception in thread");
    assert_eq!(log.matches("the thread of threads.work was not started").count(), 1, "{log}");
    assert_eq!(server.get("/threads/polling").json(), json!({"alive": false, "in time": true}));
    assert_eq!(server.get("/threads/timer").json(), json!({"fired": ["joined", "later"]}));
    assert_eq!(server.get("/threads/listener").json(), json!(["before", "while it runs"]));

    let told = server.get("/threads/waits").json();
    assert_eq!((&told["lock"], &told["inner"]), (&json!([true, false, false]), &json!(true)));
    assert_eq!((&told["event"], &told["local"]), (&json!([false, true, true]), &json!(1)));
    assert_eq!(told["semaphore"], json!([true, false]));
    assert_eq!(told["barrier"][0], 0);
    has(&told["barrier"][1], &["BrokenBarrierError"]);
    for told in [&told["again"], &told["semaphore again"], &told["queue"], &told["simple"][0]] {
        has(told, &ENDLESS);
    }
    for told in [&told["simple"][1], &told["timed"]] {
        has(told, &["Empty"]);
    }
}

fn assert_lacking(server: &Server) {
    let told = server.get("/processes").json();
    // A handler of signals is kept, and no signal comes.
    for name in ["subprocess", "process", "pool", "lock", "fork", "alarm"] {
        assert!(!told[name].as_str().unwrap().starts_with("no error"), "{name}: {told}");
    }
    for name in ["process", "pool", "lock"] {
        has(&told[name], &["the sandbox has no processes"]);
    }
    has(&told["subprocess"], &["does not support processes"]);

    let told = server.get("/modules").json();
    assert_eq!((&told["sizes"], &told["library"][0]), (&json!([4, 8]), &Value::Null));
    has(&told["library"][1], &["OSError", "the sandbox has no ctypes"]);
    has(&told["bz2"], &["OSError", "the sandbox has no bzip2"]);
    assert_eq!((&told["mmap"][0], &told["mmap"][2]), (&json!("\"\"\""), &json!("\"\"\"")));
    let missing = "fcntl termios pwd grp resource readline curses lzma tkinter _ctypes";
    assert_eq!(told["missing"], json!(missing.split(' ').collect::<Vec<_>>()));
}

fn assert_depth(server: &Server) {
    let told = server.get("/recursion").json();
    assert_eq!(told["limit"], 1000);
    let raised = |name: &str| match name {
        // These end.
        "dumps" | "lists" | "equal" | "pickle" => "no error",
        // The parser's own stack.
        "eval" | "parse" => "MemoryError",
        _ => "RecursionError",
    };
    for (name, kind) in told.as_object().unwrap().iter().filter(|(name, _)| *name != "limit") {
        assert_eq!(kind, raised(name), "{name}: {told}");
    }
    let later = server.get("/recursion/async").json();
    for (name, kind) in later.as_object().unwrap() {
        assert_eq!(*kind, if name == "same" { json!(true) } else { told[name].clone() }, "{name}: {later}");
    }
    assert!(!server.log().contains("trap"), "{}", server.log());
}

#[test]
fn what_the_sandbox_lacks_has_stand_ins_from_source_and_built() {
    let flags = ["--workers", "1", "--instances", "1"];
    let from_source = Server::command(&["run", "--build=never"], &standard(), &flags);
    for server in [from_source, Server::start(&standard(), &flags)] {
        assert_threads(&server);
        assert_lacking(&server);
        assert_depth(&server);
        server.assert_no_panic("stand-ins");
    }
}

#[test]
fn packages_do_their_main_job() {
    let store = store();
    let granted = format!("127.0.0.1:{}", store.port);
    let server = Server::start(&packages(), &["--workers", "1", "--allow-http", &granted]);
    let mut connection = server.connect();
    let mut get = |path: &str| {
        let answer = connection.get(path);
        assert_eq!(answer.status, 200, "{path}: {}\n{}", answer.text(), server.log());
        answer
    };
    for (path, expected) in [
        ("/in-place", json!([1, 2, 4, 8])),
        (&*format!("/httpx?url=http://{granted}/"), json!({"status": 200})),
        ("/sqlalchemy", json!(["a", "oolong"])),
        ("/attrs", json!({"cup": {"size": 3, "tea": "GREEN"}, "error": "'size'"})),
        ("/jwt", json!({"sub": "ann", "exp": 4_102_444_800_u64})),
        ("/itsdangerous", json!([1, "ä"])),
        ("/dateutil", json!(["2026-03-03 10:00:00+01:00", "2026-04-03 10:00:00+01:00"])),
        (
            "/yaml",
            json!({"found": {"name": "oolong", "cups": [1, 2]}, "at": "2026-03-01", "text": "- 1\n- a: b\n"}),
        ),
        ("/networkx", json!({"steps": 19, "tree": 99})),
        ("/bs4", json!(["/b", "/c"])),
        (&*format!("/boto3?url=http://{granted}"), json!({"body": "oolong"})),
        ("/pendulum", json!(["2026-03-29T12:00:00+02:00", "23 Stunden"])),
        ("/sympy", json!(["(x - 1)*exp(x)", "[-sqrt(2), sqrt(2)]"])),
    ] {
        assert_eq!(get(path).json(), expected, "{path}");
    }
    for (path, expected) in [
        ("/jinja2", "&lt;b&gt;"),
        ("/markdown", "<td><em>b</em></td>"),
        ("/rich", "│ oolong │ 2    │"),
        ("/click", "3 cups"),
    ] {
        let answer = get(path);
        assert!(answer.text().contains(expected), "{path}: {}", answer.text());
    }
    let told = get("/metadata").json();
    assert_eq!((&told["version"], &told["note"]), (&json!("3.1.6"), &json!("kept beside the code\n")));
    assert_eq!((&told["scripts"], &told["authorities"]), (&json!(["markdown_py"]), &json!(true)));
    assert_eq!(told["summer"], "2:00:00");
    has(&told["requires"], &["MarkupSafe"]);
    let signed = "AWS4-HMAC-SHA256 Credential=key/";
    let kept = store.kept.lock().unwrap();
    let (authorization, _) = kept.get("/teas/a/b.txt").unwrap();
    assert!(authorization.starts_with(signed) && authorization.contains("/eu-west-1/s3/aws4_request"));
    server.assert_no_panic("packages");
}

#[test]
fn frameworks_say_hello() {
    let app = copied("compat-frameworks", "tests/packages", &["frameworks.py"]);
    let server = Server::start(&app, &["--workers", "1"]);
    let mut connection = server.connect();
    let page = "<p>ann 12,345</p>";
    for (path, expected) in [
        ("/falcon/hello/ann", r#"{"hello":"ann"}"#),
        ("/falcon-asgi/hello/ann", r#"{"hello":"ann"}"#),
        ("/quart/hello/ann", "<p>ann</p>"),
        ("/bottle/hello/ann", "<p>ann</p>"),
        ("/django/hello/ann", page),
        ("/django/later/ann", page),
        ("/django-asgi/hello/ann", page),
        ("/django-asgi/later/ann", page),
    ] {
        let answer = connection.get(path);
        assert_eq!(answer.status, 200, "{path}: {}\n{}", answer.text(), server.log());
        assert_eq!(answer.text().replace(": ", ":"), expected, "{path}");
    }
    server.assert_no_panic("frameworks");
}

/// What was put at a path: the header `Authorization`, and the body.
type Kept = Arc<Mutex<HashMap<String, (String, Vec<u8>)>>>;

/// A store of objects as S3 is one: PUT keeps a body, and GET returns it.
struct Store {
    port: u16,
    kept: Kept,
}

fn store() -> Store {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let store = Store { port: listener.local_addr().unwrap().port(), kept: Kept::default() };
    let kept = store.kept.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let kept = kept.clone();
            std::thread::spawn(move || serve(stream, &kept));
        }
    });
    store
}

/// Answer the requests of a connection until it closes.
fn serve(stream: TcpStream, kept: &Kept) -> Option<()> {
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let first = line(&mut reader)?;
        let mut words = first.split(' ');
        let (method, target) = (words.next()?, words.next()?);
        let path = target.split('?').next()?.to_owned();
        let mut headers = HashMap::new();
        while let Some((name, value)) = line(&mut reader)?.split_once(": ") {
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let length = headers.get("content-length").map_or(Some(0), |length| length.parse().ok())?;
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let mut kept = kept.lock().unwrap();
        let answer = if method == "PUT" {
            kept.insert(path, (headers.remove("authorization")?, body));
            Vec::new()
        } else {
            kept.get(&path).map(|(_, body)| body.clone()).unwrap_or_default()
        };
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
        reader.get_mut().write_all(&[head.as_bytes(), &answer].concat()).ok()?;
    }
}

fn line(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
    Some(line.trim_end().to_owned())
}
