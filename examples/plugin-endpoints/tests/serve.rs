//! The example as somebody would try it: native routes, plugins that come and go, and calls without HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plugin-endpoints"));
        let mut child = command.arg("127.0.0.1:0").stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap().to_owned();
        Self { child, address }
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
        let framing = format!("content-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all((head + &framing + &body).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        (status, serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned())))
    }

    fn get(&self, path: &str) -> (u16, Value) {
        self.send("GET", path, &Value::Null)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn plugins_come_and_go_beside_native_routes() {
    let server = Server::start();
    assert_eq!(server.get("/"), (200, json!("native")));
    assert_eq!(server.get("/plugins/discount/").0, 404);

    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/discount.py");
    let loaded = server.send("PUT", "/plugins/discount", &json!(file));
    assert_eq!(loaded, (200, json!(["total", "about"])));
    assert_eq!(server.get("/plugins"), (200, json!([["discount", "/plugins/discount"]])));

    // By HTTP, and as a function.
    assert_eq!(server.get("/plugins/discount/"), (200, json!({"plugin": "discount"})));
    assert_eq!(server.get("/plugins/discount/nothing").0, 404);
    let tea = json!([{"item": "tea", "amount": 2, "price": 3.5}]);
    assert_eq!(server.send("POST", "/plugins/discount/total", &tea), (200, json!(7.0)));
    let order = |lines: Value| {
        server.send("POST", "/orders/discount", &json!({"customer": "regular", "lines": lines}))
    };
    assert_eq!(order(tea.clone()), (200, json!({"lines": 1, "total": 6.3})));
    let (status, why) = order(json!([]));
    assert!(status == 400 && why.to_string().contains("an order has lines"), "{status} {why}");

    // A broken one does not take the place of the one that is there.
    let (status, why) = server.send("PUT", "/plugins/discount", &json!("no/such.py"));
    assert!(status == 422 && why.to_string().contains("no such file"), "{status} {why}");
    assert_eq!(server.get("/plugins/discount/").0, 200);

    assert_eq!(server.send("DELETE", "/plugins/discount", &Value::Null).0, 204);
    assert_eq!(server.get("/plugins/discount/").0, 404);
    assert_eq!(order(tea).0, 404);
    assert_eq!(server.send("PUT", "/plugins/discount", &json!(file)).0, 200);
    assert_eq!(server.get("/plugins/discount/").0, 200);
}

#[test]
fn plugins_stream_and_have_websockets() {
    let server = Server::start();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/live.py");
    assert_eq!(server.send("PUT", "/plugins/live", &json!(file)).0, 200);
    let open = |head: &str| {
        let mut stream = BufReader::new(TcpStream::connect(&server.address).unwrap());
        stream.get_mut().write_all(head.as_bytes()).unwrap();
        let mut status = String::new();
        stream.read_line(&mut status).unwrap();
        let mut line = status.clone();
        while line.trim() != "" {
            line.clear();
            stream.read_line(&mut line).unwrap();
        }
        (status.split(' ').nth(1).unwrap().to_owned(), stream)
    };
    let (status, mut events) = open("GET /plugins/live/events HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert_eq!(status, "200");
    let handshake = "GET /plugins/live/talk HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                     sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let (status, mut socket) = open(handshake);
    assert_eq!(status, "101");
    // A text of two bytes, masked with zeros.
    socket.get_mut().write_all(b"\x81\x82\0\0\0\0hi").unwrap();
    let mut answer = [0; 4];
    socket.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"\x81\x02hi");
    let mut line = String::new();
    while !line.starts_with("data:") {
        line.clear();
        events.read_line(&mut line).unwrap();
    }
    assert_eq!(line, "data: \"hi\"\n");
}
