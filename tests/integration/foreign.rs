//! Apps of other frameworks, as they are: Starlette and Flask behind the doors of ASGI and WSGI.

use crate::common::packages::app_with_packages;
use crate::common::tenants::until;
use crate::common::websocket::Socket;
use crate::common::{BINARY, Connection, Server, scratch};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const PACKAGES: [&str; 2] = ["starlette==1.10.0", "Flask==3.1.3"];

/// All of them are in one folder, so that none changes while another is built.
fn app(name: &str) -> PathBuf {
    let [mounted, asgi, wsgi] = ["mounted", "asgi", "wsgi"]
        .map(|name| app_with_packages("foreign", &format!("tests/foreign/{name}.py"), &PACKAGES));
    match name {
        "asgi" => asgi,
        "wsgi" => wsgi,
        _ => mounted,
    }
}

fn events(server: &Server) -> Vec<String> {
    let told = server.get("/own").json();
    told["events"].as_array().unwrap().iter().map(|event| event.as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_app_of_starlette_runs_as_it_is() {
    let server = Server::start(&app("mounted"), &["--workers", "1", "--instances", "1"]);
    let mut connection = server.connect();
    let answer = connection.send("GET", "/star/hello?a=1&b=%C3%A4", &[("x-own", "me")], b"");
    assert_eq!(
        (answer.status, answer.json()),
        (
            200,
            json!({
                "path": "/star/hello", "query": {"a": "1", "b": "ä"}, "header": "me", "state": "at the start",
                "in place": 42
            })
        )
    );
    assert_eq!(connection.get("/star/nowhere").status, 404);
    assert_eq!(connection.send("DELETE", "/star/hello", &[], b"").status, 405);
    let body = "ab".repeat(300_000);
    let answer = connection.send("POST", "/star/echo", &[("content-type", "text/plain")], body.as_bytes());
    assert_eq!((answer.status, answer.text()), (200, &*body.to_uppercase()));
    let bare = connection.get("/star/bare");
    assert_eq!((bare.text(), bare.headers.get("content-type")), ("bytes", None));
    // The host sends a file, whole or in parts, and its version.
    let whole = connection.get("/star/file");
    let source = include_str!("../foreign/mounted.py");
    let types = (&*whole.headers["content-type"], &*whole.headers["x-own"]);
    assert_eq!((whole.text(), types), (source, ("text/x-python; charset=utf-8", "1")));
    let etag = [("if-none-match", &*whole.headers["etag"])];
    assert_eq!(connection.send("GET", "/star/file", &etag, b"").status, 304);
    let end = connection.send("GET", "/star/file", &[("range", "bytes=0-2")], b"");
    assert_eq!((end.status, end.text()), (206, &source[..3]));
    assert_eq!(connection.send("HEAD", "/star/file", &[], b"").headers["x-own"], "1");
    // What it does after its response.
    assert_eq!(connection.get("/star/later").text(), "soon");
    until(|| events(&server).contains(&"worked".to_owned()));
    // A client that leaves.
    let mut leaving = server.connect();
    assert_eq!(leaving.open("GET", "/star/slow", &[], b"").status, 200);
    assert_eq!(leaving.chunk().unwrap().unwrap(), b"0\n");
    drop(leaving);
    until(|| events(&server).contains(&"left".to_owned()));
    assert_eq!(connection.get("/star/fails").status, 500);
    assert!(server.log_with("a mistake of the Starlette app").contains("mounted.py"));
    let mut socket = Socket::accepted_as(&server, "/star/chat/blue", "talk");
    socket.send("hi");
    assert_eq!(socket.text(), "blue: hi");
    drop(socket);
    until(|| events(&server).contains(&"chat ended".to_owned()));
    let refused = Socket::open(&server, "/star/chat/blue?key=wrong", &[]).1;
    assert_eq!(refused.status, 403);
    assert_eq!(events(&server).iter().filter(|event| *event == "started").count(), 1);
    server.assert_no_panic("starlette");
}

#[test]
fn an_app_of_flask_runs_as_it_is() {
    let server = Server::start(&app("mounted"), &["--workers", "1"]);
    let mut connection = server.connect();
    let hello = |connection: &mut Connection, method: &str, headers: &[(&str, &str)], body: &[u8]| -> Value {
        let answer = connection.send(method, "/flask/hello/ann%20b?a=1&a=2", headers, body);
        assert_eq!(answer.status, 200);
        answer.json()
    };
    let told = |method: &str, form: Value| {
        json!({
            "name": "ann b", "args": {"a": ["1", "2"]}, "form": form, "root": "/flask", "url": "/hello/ann b",
            "method": method
        })
    };
    assert_eq!(hello(&mut connection, "GET", &[], b""), told("GET", json!({})));
    let form = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(
        hello(&mut connection, "POST", &form, b"x=%C3%A4&y=2"),
        told("POST", json!({"x": "ä", "y": "2"}))
    );
    assert_eq!(connection.get("/flask/lines").text(), "0\n1\n2\n3\n4\n");
    let file = [("content-type", "multipart/form-data; boundary=b")];
    // The larger one is more than Werkzeug keeps in memory where there are temporary files.
    for size in [5, 700_000] {
        let content = "x".repeat(size);
        let head = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.txt\"";
        let body = format!("{head}\r\n\r\n{content}\r\n--b--\r\n");
        let kept = connection.send("POST", "/flask/upload", &file, body.as_bytes());
        assert_eq!(kept.json(), json!({"name": "a.txt", "size": size}));
    }
    assert_eq!(connection.get("/flask/teapot").status, 418);
    assert_eq!(connection.get("/flask/nowhere").status, 404);
    assert_eq!(connection.get("/flask/wrong").status, 500);
    server.log_with("a mistake of the Flask app");
    server.assert_no_panic("flask");
}

#[test]
fn a_file_may_have_an_app_of_asgi_or_wsgi_alone() {
    for (name, path) in [("asgi", "/a/b%2Fc"), ("wsgi", "a/b/c")] {
        let server = Server::command(&["dev"], &app(name), &["--workers", "1"]);
        let told = server.get("/a/b%2Fc").json();
        let expected = if name == "asgi" { "/a/b/c" } else { path };
        assert_eq!(told[name], expected, "{told}");
    }
}

/// Requests share an interpreter, or not, as whoever runs the app wants it.
#[test]
fn an_app_as_it_is_runs_in_each_isolation_mode() {
    for name in ["asgi", "wsgi"] {
        let calls = |flags: &[&str]| {
            let flags = [&["--workers", "1", "--instances", "1"], flags].concat();
            let server = Server::command(&["dev"], &app(name), &flags);
            let mut connection = server.connect();
            [1, 2, 3].map(|_| connection.get("/a").json()["call"].as_u64().unwrap())
        };
        assert_eq!(calls(&[]), [1, 2, 3], "{name}");
        assert_eq!(calls(&["--isolation", "serial"]), [1, 2, 3], "{name}");
        assert_eq!(calls(&["--isolation", "fresh"]), [1, 1, 1], "{name}");
    }
}

/// As other servers take it: a module from the folder where the command is typed.
#[test]
fn an_app_is_named_by_its_module() {
    let folder = scratch("module");
    fs::create_dir(folder.join("proj")).unwrap();
    fs::write(folder.join("proj/__init__.py"), "").unwrap();
    fs::write(folder.join("texts.py"), "HELLO = b'hello from a module'\n").unwrap();
    // Nothing about it says what it is.
    let app = "import texts\n\n\ndef made(*given):\n    given[1]('200 OK', [])\n    return [texts.HELLO]\n";
    fs::write(folder.join("proj/wsgi.py"), app).unwrap();
    let serve = |words: &[&str]| {
        let mut command = Command::new(BINARY);
        command.current_dir(&folder).args(["run", "--build", "never", "--port", "0"]).args(words);
        Server::spawn(command)
    };
    let server = serve(&["proj.wsgi:made", "--interface", "wsgi"]);
    assert_eq!(server.get("/any").text(), "hello from a module");
    let output =
        Command::new(BINARY).current_dir(&folder).args(["build", "proj.wsgi:made"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("--interface"), "{said}");
}
