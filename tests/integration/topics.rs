//! Topics: from any interpreter of an app to streams that the host holds, to iterators and to sockets.

use crate::common::tenants::until;
use crate::common::websocket::Socket;
use crate::common::{Connection, Server, fixture};
use serde_json::json;

fn serve(flags: &[&str]) -> Server {
    let mut all = vec!["--workers", "2", "--admin", "127.0.0.1:0"];
    all.extend(flags);
    Server::fixture(&all)
}

fn say(server: &Server, prefix: &str, name: &str, body: &str) -> u64 {
    let path = format!("{prefix}/topics/{name}");
    let json = [("content-type", "application/json")];
    let response = server.connect().send("POST", &path, &json, body.as_bytes());
    assert_eq!(response.status, 200, "{}", response.text());
    response.json().as_u64().unwrap()
}

/// A stream of a topic that has begun.
fn listen(server: &Server, path: &str, after: Option<u64>) -> Connection {
    let mut connection = server.connect();
    let after = after.map(|after| after.to_string());
    let headers: Vec<_> = after.iter().map(|after| ("last-event-id", after.as_str())).collect();
    let head = connection.open("GET", path, &headers, b"");
    assert_eq!((head.status, &*head.headers["content-type"]), (200, "text/event-stream; charset=utf-8"));
    connection
}

fn event(connection: &mut Connection) -> String {
    String::from_utf8(connection.chunk().unwrap().unwrap()).unwrap()
}

#[test]
fn what_one_interpreter_publishes_all_clients_get() {
    let server = serve(&[]);
    let mut clients: Vec<_> = (0..50).map(|_| listen(&server, "/topics/listen/news", None)).collect();
    let first = say(&server, "", "say/news", "{\"a\": [1, \"käse\\n\"]}");
    let second = say(&server, "", "say-async/news", "\"text\"");
    let third = say(&server, "", "say/news?event=kind", "null");
    assert!(first < second && second < third);
    for client in &mut clients {
        assert_eq!(event(client), format!("data: {{\"a\":[1,\"käse\\n\"]}}\nid: {first}\n\n"));
        assert_eq!(event(client), format!("data: \"text\"\nid: {second}\n\n"));
        assert_eq!(event(client), format!("event: kind\ndata: null\nid: {third}\n\n"));
    }
    // Nobody's interpreter waits for them.
    until(|| server.metric("bolt_requests_in_flight") == 0.0);
    assert_eq!(server.metric("bolt_streams_open{"), 50.0);
    drop(clients);
    // Clients that are gone are found when something is sent to them, and at once when they say so.
    until(|| server.metric("bolt_streams_open{") == 0.0);
    // One that comes back gets what it has not seen.
    let mut back = listen(&server, "/topics/listen/news", Some(first));
    assert_eq!(event(&mut back), format!("data: \"text\"\nid: {second}\n\n"));
    let mut other = listen(&server, "/topics/listen/other?ping=1", None);
    assert_eq!(event(&mut other), ": ping\n\n");
    server.assert_no_panic("topics");
}

#[test]
fn handlers_and_sockets_subscribe() {
    let server = serve(&[]);
    let first = say(&server, "", "say/feed", "1");
    say(&server, "", "say/feed", "[2]");
    let kept = server.get(&format!("/topics/next/feed?count=2&after={}", first - 1));
    assert_eq!(kept.json(), json!([1, [2]]));
    let mut waiting = server.connect();
    waiting.start("GET", "/topics/next/feed?count=1", &[], b"");
    until(|| server.metric("bolt_topics{app=\"app\",kind=\"subscriptions\"}") == 1.0);
    say(&server, "", "say/feed", "\"later\"");
    assert_eq!(waiting.finish("GET").json(), json!(["later"]));
    until(|| server.metric("bolt_topics{app=\"app\",kind=\"subscriptions\"}") == 0.0);

    let mut ann = Socket::accepted(&server, "/topics/room/a");
    assert_eq!(ann.text(), "somebody joined");
    let mut bob = Socket::accepted(&server, "/topics/room/a");
    assert_eq!((ann.text(), bob.text()), ("somebody joined".to_owned(), "somebody joined".to_owned()));
    bob.send("hello");
    assert_eq!(
        (ann.text(), bob.text()),
        ("{\"text\":\"hello\"}".to_owned(), "{\"text\":\"hello\"}".to_owned())
    );
    ann.send("leave");
    assert_eq!(ann.text(), "left");
    bob.send("alone");
    assert_eq!(bob.text(), "{\"text\":\"alone\"}");
    ann.send("leave");
    assert_eq!(ann.text(), "left");
}

#[test]
fn slow_clients_miss_the_oldest_events_or_are_cut_off() {
    let server = serve(&["--max-message", "100KiB"]);
    let mut dropping = listen(&server, "/topics/listen/fast", None);
    let mut closing = listen(&server, "/topics/listen/fast?closes=true", None);
    let text = format!("\"{}\"", "x".repeat(60_000));
    let mut last = 0;
    for _ in 0..300 {
        last = say(&server, "", "say/fast", &text);
    }
    let (rest, is_whole) = closing.rest();
    assert!(is_whole && rest.len() < 300 * 60_000, "{}", rest.len());
    let mut seen = String::new();
    while !seen.contains(&format!("id: {last}\n")) {
        seen = event(&mut dropping);
    }
    assert!(server.metric("bolt_topic_events_total{app=\"app\",kind=\"missed\"}") > 0.0);
    let refused = server.post("/topics/too-long?size=102400", "");
    assert!(refused.text().contains("at most"), "{}", refused.text());
}

#[test]
fn topics_of_one_app_are_invisible_to_another() {
    let app =
        |name: &str| format!("[app.{name}]\nsource = \"{}\"\nprefix = \"/{name}\"\n", fixture().display());
    let server = crate::common::tenants::host(&(app("one") + &app("two")));
    let mut one = listen(&server, "/one/topics/listen/news?ping=1", None);
    let mut two = listen(&server, "/two/topics/listen/news", None);
    say(&server, "/two", "say/news", "2");
    assert!(event(&mut two).starts_with("data: 2\n"));
    assert_eq!(event(&mut one), ": ping\n\n");
}
