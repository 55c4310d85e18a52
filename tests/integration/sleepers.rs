//! WebSockets that sleep: each message is a call, in any interpreter and of any version.

use crate::common::tenants::until;
use crate::common::websocket::{BINARY, CLOSE, FIN, HANDSHAKE, Socket, TEXT, frame};
use crate::common::{Connection, Server, scratch};
use std::collections::BTreeSet;
use std::fs;

fn serve() -> Server {
    Server::fixture(&["--workers", "2", "--admin", "127.0.0.1:0"])
}

fn ended(server: &Server) -> Connection {
    let mut connection = server.connect();
    connection.open("GET", "/topics/listen/ended", &[], b"");
    connection
}

fn event(connection: &mut Connection) -> String {
    let event = String::from_utf8(connection.chunk().unwrap().unwrap()).unwrap();
    event.lines().next().unwrap().to_owned()
}

#[test]
fn what_a_socket_needs_is_attached_to_it() {
    let server = serve();
    let mut ends = ended(&server);
    let (mut socket, head) =
        Socket::open(&server, "/sleepers/count/5?name=ann", &[("sec-websocket-protocol", "counting")]);
    assert_eq!((head.status, &*head.headers["sec-websocket-protocol"]), (101, "counting"));
    let (mut seen, mut interpreters) = (Vec::new(), BTreeSet::new());
    for step in 0..10 {
        let text = socket.text();
        let (count, interpreter) = text.split_once(' ').unwrap();
        seen.push(count.parse::<i32>().unwrap());
        interpreters.insert(interpreter.to_owned());
        socket.send(&step.to_string());
    }
    assert_eq!(seen, [5, 5, 6, 8, 11, 15, 20, 26, 33, 41]);
    assert!(interpreters.len() > 5, "they are fresh: {interpreters:?}");
    assert!(socket.text().starts_with("50 "));
    // Messages that come at once are calls one after the other.
    for _ in 0..50 {
        socket.send("1");
    }
    let last = (0..50).map(|_| socket.text()).last().unwrap();
    assert!(last.starts_with("100 "), "{last}");
    // Others reach it through topics, and nobody's request is in flight.
    until(|| server.metric("bolt_requests_in_flight") == 0.0);
    let said =
        server.connect().send("POST", "/topics/say/all", &[("content-type", "application/json")], b"[1]");
    assert_eq!((said.status, socket.text()), (200, "[1]".to_owned()));
    socket.raw(&frame(FIN | CLOSE, &[&4000u16.to_be_bytes(), &b"bye"[..]].concat()));
    assert_eq!(socket.closed(), Some((4000, String::new())));
    assert_eq!(event(&mut ends), "data: \"ann 4000 bye\"");
    drop(Socket::accepted_as(&server, "/sleepers/count/1?name=bob", "counting"));
    assert_eq!(event(&mut ends), "data: \"bob 1006 \"");
    server.assert_no_panic("sleepers");
}

#[test]
fn an_app_hears_of_the_end_of_each_socket_that_it_accepts() {
    let server = serve();
    let mut ends = ended(&server);
    for number in 0..20 {
        let mut leaving = server.connect();
        let path = format!("/sleepers/count/1?name=n{number}&pause=0.05");
        let protocol = ("sec-websocket-protocol", "counting");
        leaving.start("GET", &path, &[&HANDSHAKE[..], &[protocol]].concat(), b"");
        assert_eq!(event(&mut ends), format!("data: \"n{number} comes\""));
        // It leaves while the handler of its handshake waits.
        drop(leaving);
        assert_eq!(event(&mut ends), format!("data: \"n{number} 1006 \""));
    }
    until(|| server.metric("bolt_streams_open{") <= 1.0);
    server.assert_no_panic("ends");
}

#[test]
fn messages_are_checked_and_failures_close() {
    let server = serve();
    let mut socket = Socket::accepted(&server, "/sleepers/orders");
    socket.send("{\"item\": \"tea\"}");
    assert_eq!(socket.text(), "{\"item\":\"tea\",\"count\":1}");
    for (message, code) in [
        (frame(FIN | TEXT, b"{\"item\": \"end\"}"), 4002),
        (frame(FIN | TEXT, b"{\"item\": \"nothing\"}"), 1011),
        (frame(FIN | TEXT, b"{\"item\": \"large\"}"), 1011),
        (frame(FIN | TEXT, b"{\"item\": 1}"), 1008),
        (frame(FIN | TEXT, b"no json"), 1007),
        (frame(FIN | BINARY, b"\xff"), 1007),
    ] {
        let mut socket = Socket::accepted(&server, "/sleepers/orders");
        socket.raw(&message);
        assert_eq!(socket.closed().map(|(code, _)| code), Some(code));
    }
    server.log_with("no such item");
    for path in ["/sleepers/refused", "/sleepers/refused?late=true"] {
        let (_, head) = Socket::open(&server, path, &[]);
        assert_eq!(head.status, 418, "{path}: {}", head.text());
    }
    until(|| server.metric("bolt_streams_open{") <= 1.0);
    server.assert_no_panic("failures");
}

const APP: &str = r#"
from bolt import BoltAPI, SleepingSocket, WebSocketEndpoint

api = BoltAPI()


@api.websocket("/feed")
class Feed(WebSocketEndpoint):
    async def on_connect(self, socket: SleepingSocket) -> None:
        socket.attachment = "VERSION"

    async def on_message(self, socket: SleepingSocket, message: str) -> None:
        await socket.send_text(f"{message} {socket.attachment} VERSION")
"#;

#[test]
fn a_new_version_takes_over_without_closing_sockets() {
    let app = scratch("sleepers").join("app.py");
    let write = |version: &str| fs::write(&app, APP.replace("VERSION", version)).unwrap();
    write("one");
    let server = Server::command(&["dev"], &app, &["--workers", "1"]);
    let mut sockets: Vec<_> = (0..20).map(|_| Socket::accepted(&server, "/feed")).collect();
    for version in ["one", "two", "three"] {
        write(version);
        for socket in &mut sockets {
            socket.send("hello");
            assert_eq!(socket.text(), format!("hello one {version}"));
        }
    }
    // One that the app does not have any more is closed.
    fs::write(&app, "from bolt import BoltAPI\n\napi = BoltAPI()\n").unwrap();
    sockets[0].send("hello");
    assert_eq!(sockets[0].closed().unwrap().0, 1012);
}

#[test]
fn an_overloaded_app_hears_of_an_end_later() {
    let server = Server::fixture(&["--workers", "1", "--concurrency", "1", "--queue", "0"]);
    let mut ended = server.connect();
    assert_eq!(ended.open("GET", "/topics/listen/ended", &[], b"").status, 200);
    let mut socket = Socket::accepted_as(&server, "/sleepers/count/1?name=late", "counting");
    socket.text();
    let mut busy = server.connect();
    busy.start("GET", "/sleep?ms=3000", &[], b"");
    until(|| server.get("/sleep?ms=0").status == 503);
    drop(socket);
    let event = String::from_utf8(ended.chunk().unwrap().unwrap()).unwrap();
    assert!(event.starts_with("data: \"late 1006 "), "{event}");
}
