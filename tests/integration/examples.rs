//! Builds every example and uses it as its page says; schemathesis also fuzzes the todo list.

use crate::common::packages::python_tools;
use crate::common::websocket::Socket;
use crate::common::{Server, root, run, scratch};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Barrier, OnceLock};

const TOOLS: [&str; 2] = ["schemathesis==4.32.5", "openapi-spec-validator==0.9.0"];

/// As the page of the shop has it installed, but one version.
const SQLALCHEMY: &str = "sqlalchemy==2.1.9";

fn example(name: &str) -> Server {
    Server::start(&app(name), &["--workers", "1", "--instances", "1", "--log-format", "json"])
}

/// The app of an example.
fn app(name: &str) -> PathBuf {
    match name {
        "shop" => shop().join("app.py"),
        name => root().join("examples").join(name).join("app.py"),
    }
}

/// The shop with SQLAlchemy in its folder, which is a copy; made once.
fn shop() -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER
        .get_or_init(|| {
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shop");
            let ready = folder.join(".ready");
            fs::create_dir_all(folder.join("migrations")).unwrap();
            if fs::read_to_string(&ready).ok().as_deref() != Some(SQLALCHEMY) {
                let pip = ["-m", "pip", "install", "--quiet", "--upgrade", "--target"];
                let pure = ["--platform", "any", "--only-binary", ":all:", SQLALCHEMY];
                run(Command::new("python3").args(pip).arg(&folder).args(pure));
                fs::write(&ready, SQLALCHEMY).unwrap();
            }
            let sources = root().join("examples/shop");
            for name in ["app.py", "models.py", "test_app.py"] {
                fs::copy(sources.join(name), folder.join(name)).unwrap();
            }
            for entry in fs::read_dir(sources.join("migrations")).unwrap() {
                let file = entry.unwrap();
                fs::copy(file.path(), folder.join("migrations").join(file.file_name())).unwrap();
            }
            folder
        })
        .clone()
}

/// An executable that checks an OpenAPI description.
fn tool(name: &str) -> PathBuf {
    python_tools("openapi-tools", &TOOLS).join(name)
}

#[test]
fn hello_answers() {
    let server = example("hello");
    assert_eq!(server.get("/users/7").json()["id"], json!(7));
    assert_eq!(server.get("/users/0").status, 404);
}

#[test]
fn gateway_is_refused_what_is_not_granted() {
    let server = example("gateway");
    let response = server.get("/stars?repo=a/b");
    assert_eq!(response.status, 502, "{}", response.text());
    assert!(response.text().contains("--allow-http"), "{}", response.text());
    assert_eq!(server.get("/visits/shared").status, 200);
}

#[test]
fn todo_keeps_its_list_and_its_promises() {
    let (app, file) = (root().join("examples/todo/app.py"), scratch("todo").join("todo.db"));
    let granted = format!("main=sqlite:{}", file.display());
    let server = Server::start(&app, &["--workers", "2", "--sql", &granted, "--log-format", "json"]);
    let post = |body: Value| server.post("/todos", &body.to_string());
    let put = |path: &str, body: Value| {
        let headers = [("content-type", "application/json")];
        server.connect().send("PUT", path, &headers, body.to_string().as_bytes())
    };
    let made = post(json!({"title": "write", "priority": 2}));
    assert_eq!((made.status, made.json()["id"].clone()), (201, json!(1)));
    assert_eq!(post(json!({"title": ""})).errors()[0].0, "string_too_short");
    assert_eq!(post(json!({"title": "x", "colour": 1})).errors()[0].0, "extra_forbidden");
    assert_eq!(put("/todos/1", json!({"title": "write", "done": true})).json()["done"], json!(true));
    assert_eq!(server.get("/todos?done=true").json().as_array().unwrap().len(), 1);
    assert_eq!(server.connect().send("DELETE", "/todos/1", &[], b"").status, 204);
    assert_eq!(server.get("/todos/1").json(), json!({"detail": "there is no todo 1"}));

    let url = format!("http://{}/openapi.json", server.address);
    // A number in a string is accepted as a number, as in FastAPI; this check would report that.
    let lax = "--exclude-checks=negative_data_rejection";
    run(Command::new(tool("schemathesis")).args(["run", &url, lax, "--max-examples=30", "--seed=1"]));
    assert_eq!(server.get("/todos?done=true").status, 200);
    let last = post(json!({"title": "kept"})).json();
    drop(server);
    let again = Server::start(&app, &["--sql", &granted]);
    assert_eq!(again.get(&format!("/todos/{}", last["id"])).json(), last);
}

#[test]
fn uploads_are_received_in_parts() {
    let server = example("uploads");
    let head = [("content-type", "multipart/form-data; boundary=edge")];
    let part = |name: &str, more: &str, content: &str| {
        format!("--edge\r\ncontent-disposition: form-data; name=\"{name}\"{more}\r\n\r\n{content}\r\n")
    };
    let body = part("note", "", "hello") + &part("files", "; filename=\"a\"", "abc") + "--edge--\r\n";
    let found = server.connect().send("POST", "/files", &head, body.as_bytes()).json();
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let received = json!([{"name": "a", "size": 3, "sha256": sha256}]);
    assert_eq!(found, json!({"note": "hello", "files": received}));
    let text = part("picture", "; filename=\"a.png\"\r\ncontent-type: text/html", "abc") + "--edge--\r\n";
    let refused = server.connect().send("POST", "/picture", &head, text.as_bytes());
    assert_eq!(refused.errors()[0].0, "file_type");
    assert!(server.get("/").headers["content-type"].starts_with("text/html"));
}

#[test]
fn auth_lets_in_whom_it_should() {
    let server = example("auth");
    let login = |body: &[u8]| {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        server.connect().send("POST", "/token", &form, body)
    };
    let token =
        |body: &[u8]| format!("Bearer {}", login(body).json()["access_token"].as_str().expect("a token"));
    let ask = |method: &str, path: &str, token: &str| {
        server.connect().send(method, path, &[("authorization", token)], b"")
    };
    assert_eq!(login(b"username=ann&password=wrong").status, 400);
    let (ann, bob) = (token(b"username=ann&password=wonder"), token(b"username=bob&password=builder"));
    assert_eq!(ask("GET", "/me", &ann).json(), json!({"name": "ann", "scopes": ["read", "write"]}));
    assert_eq!(ask("POST", "/change", &ann).json(), json!("changed by ann"));
    assert_eq!(ask("POST", "/change", &bob).status, 403);
    assert_eq!(ask("GET", "/greeting", &bob).json(), json!("hello bob"));
    let forged = ask("GET", "/me", &format!("{ann}0"));
    assert_eq!((forged.status, forged.headers["www-authenticate"].as_str()), (401, "Bearer scope=\"\""));
    assert_eq!(server.get("/me").status, 401);
    let key = server.connect().send("GET", "/metrics", &[("x-key", "for machines")], b"");
    assert_eq!(key.json(), json!({"users": 2}));
}

#[test]
fn ticker_goes_on_where_its_client_was() {
    let server = example("ticker");
    assert!(server.get("/").text().contains("EventSource"));
    let mut client = server.connect();
    client.open("GET", "/prices?pause=0.01", &[("last-event-id", "6")], b"");
    let event = String::from_utf8(client.chunk().unwrap().unwrap()).unwrap();
    assert!(event.starts_with("event: price\ndata: {\"number\":7,\"price\":"), "{event}");
    let history = server.connect().get("/history?count=8");
    let last: Value = serde_json::from_str(history.text().lines().last().unwrap()).unwrap();
    assert!(event.contains(&format!("data: {last}\n")), "{event} {last}");
}

#[test]
fn chat_rooms_hear_what_their_members_say() {
    let server = example("chat");
    assert!(server.get("/").text().contains("new WebSocket"));
    let mut listener = server.connect();
    listener.open("GET", "/rooms/lobby/events", &[], b"");
    let mut ann = Socket::accepted(&server, "/rooms/lobby?name=ann");
    let said = |who: &str, text: &str| json!({"who": who, "text": text}).to_string();
    let heard = |socket: &mut Socket| serde_json::from_str::<Value>(&socket.text()).unwrap().to_string();
    assert_eq!(heard(&mut ann), said("ann", "joined"));
    let mut bob = Socket::accepted(&server, "/rooms/lobby?name=bob");
    for socket in [&mut ann, &mut bob] {
        assert_eq!(heard(socket), said("bob", "joined"));
    }
    for number in 0..20 {
        bob.send(&format!("hello {number}"));
        for socket in [&mut ann, &mut bob] {
            assert_eq!(heard(socket), said("bob", &format!("hello {number}")));
        }
    }
    drop(bob);
    assert_eq!(heard(&mut ann), said("bob", "left"));
    let mut seen = String::new();
    while !seen.contains("\"left\"") {
        seen += &String::from_utf8(listener.chunk().unwrap().unwrap()).unwrap();
    }
    assert!(seen.contains("hello 19"), "{seen}");
    assert_eq!(Socket::open(&server, "/rooms/lobby", &[]).1.status, 403);
}

#[test]
fn shop_sells_what_it_has_and_no_more() {
    let (folder, data) = (shop(), scratch("shop"));
    let granted = format!("--sql=main=sqlite:{}", data.join("shop.db").display());
    let kept = format!("--kv=main={}", data.join("shop.kv").display());
    for _ in 0..2 {
        run(Command::new(crate::common::BINARY).arg("migrate").arg(folder.join("migrations")).arg(&granted));
    }
    let variables = ["--env=SESSION_SECRET=of the tests", "--env=ADMIN_TOKEN=sesame"];
    let flags = [&["--workers=2", &granted, &kept], &variables[..]].concat();
    let server = Server::start(&folder.join("app.py"), &flags);
    let json = ("content-type", "application/json");
    let choose = |product: u32, quantity: u32, cookie: &str| {
        let body = json!({"quantity": quantity}).to_string();
        let path = format!("/cart/{product}");
        let headers = [json, ("cookie", cookie)];
        server.connect().send("PUT", &path, &headers, body.as_bytes())
    };
    // Of a client that has chosen a globe.
    let session = || {
        let answer = choose(3, 1, "");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.headers["set-cookie"].split(';').next().unwrap().to_owned()
    };
    let order = |cookie: &str| server.connect().send("POST", "/orders", &[("cookie", cookie)], b"");
    let change = |body: Value, token: &str| {
        let headers = [json, ("authorization", token)];
        server.connect().send("PATCH", "/products/3", &headers, body.to_string().as_bytes())
    };

    let ann = session();
    assert_eq!(choose(1, 2, &ann).json()["total"], json!(9400));
    let placed = order(&ann);
    assert_eq!(placed.status, 201, "{}", placed.text());
    let number = placed.json()["number"].as_str().unwrap().to_owned();
    assert_eq!(server.get(&format!("/orders/{number}")).json(), placed.json());
    assert_eq!(order(&ann).status, 400);
    // An order ends the session, so the next choice begins one.
    let ann = session();
    let refused = order(&ann);
    let told = json!({"detail": "Globe: 1 are wanted, and 0 are left"});
    assert_eq!((refused.status, refused.json()), (409, told));
    assert_eq!(server.get("/products/1").json()["stock"], json!(38));
    assert_eq!(change(json!({"stock": 5}), "Bearer please").status, 403);

    // Fifty clients at a time.
    for left in [1, 7] {
        assert_eq!(change(json!({"stock": left}), "Bearer sesame").status, 200);
        let sessions: Vec<_> = (0..50).map(|_| session()).collect();
        let barrier = Barrier::new(sessions.len());
        let buy = |cookie: &str| {
            barrier.wait();
            order(cookie).status
        };
        let mut statuses: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = sessions.iter().map(|cookie| scope.spawn(move || buy(cookie))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        statuses.sort_unstable();
        assert_eq!(statuses, [vec![201; left], vec![409; 50 - left]].concat());
        assert_eq!(server.get("/products/3").json()["stock"], json!(0));
    }
    server.assert_no_panic("shop");
}

#[test]
fn the_tests_of_the_shop_pass() {
    let sdk = Command::new(crate::common::BINARY).arg("sdk").output().unwrap();
    run(Command::new(crate::sdk::tools().join("pytest"))
        .args(["-q", "-p", "no:cacheprovider"])
        .env("PYTHONPATH", String::from_utf8(sdk.stdout).unwrap().trim())
        .env("BOLT_HOST", crate::common::BINARY)
        .current_dir(shop()));
}

/// As FastAPI does, the description of streams has the schema of their items in a document of version 3.1. It is new in 3.2.
fn as_3_2(described: &str) -> String {
    described.replacen("\"3.1.0\"", "\"3.2.0\"", 1)
}

#[test]
fn descriptions_are_valid() {
    for name in ["hello", "gateway", "todo", "uploads", "auth", "ticker", "chat", "shop"] {
        let output = Command::new(crate::common::BINARY).arg("openapi").arg(app(name)).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let file = crate::common::scratch("openapi").join(format!("{name}.json"));
        fs::write(&file, as_3_2(&String::from_utf8(output.stdout).unwrap())).unwrap();
        run(Command::new(tool("openapi-spec-validator")).arg(file));
    }
    let fixture = Server::fixture(&["--workers", "1", "--instances", "1", "--log-format", "off"]);
    let file = crate::common::scratch("openapi").join("fixture.json");
    fs::write(&file, as_3_2(fixture.get("/openapi.json").text())).unwrap();
    run(Command::new(tool("openapi-spec-validator")).arg(file));
}
