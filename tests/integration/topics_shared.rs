//! Topics that several hosts share over Redis or Valkey.

use crate::common::broker::Broker;
use crate::common::tenants::until;
use crate::common::websocket::Socket;
use crate::common::{Connection, Server, fixture, scratch};

fn host(broker: &Broker, port: &str) -> Server {
    Server::fixture(&["--workers", "2", "--admin", port, "--topics", &broker.url()])
}

fn listen(server: &Server, path: &str, after: Option<&str>) -> Connection {
    let mut connection = server.connect();
    let headers: Vec<_> = after.iter().map(|after| ("last-event-id", *after)).collect();
    assert_eq!(connection.open("GET", path, &headers, b"").status, 200);
    connection
}

/// The data and the number of the next event.
fn event(connection: &mut Connection) -> (String, String) {
    let text = String::from_utf8(connection.chunk().unwrap().unwrap()).unwrap();
    let mut lines = text.lines().filter_map(|line| line.split_once(": "));
    let mut field = |name: &str| lines.find(|(found, _)| *found == name).unwrap().1.to_owned();
    (field("data"), field("id"))
}

fn say(server: &Server, path: &str, body: &str) {
    let response =
        server.connect().send("POST", path, &[("content-type", "application/json")], body.as_bytes());
    assert_eq!((response.status, response.text()), (200, "0"), "the broker numbers it");
}

#[test]
fn what_one_host_publishes_the_clients_of_all_get() {
    let Some(broker) = Broker::start("two") else { return };
    let (one, two) = (host(&broker, "127.0.0.1:0"), host(&broker, "127.0.0.1:0"));
    let mut clients = [&one, &two, &one, &two].map(|host| listen(host, "/topics/listen/news", None));
    say(&one, "/topics/say/news", "{\"a\": \"käse\\n\"}");
    say(&two, "/topics/say-async/news?event=kind", "1");
    let first = event(&mut clients[0]);
    assert_eq!(first.0, "{\"a\":\"käse\\n\"}");
    let second = event(&mut clients[0]);
    assert!(second.0 == "1" && first.1 < second.1, "{first:?} {second:?}");
    for client in &mut clients[1..] {
        assert_eq!((&event(client), &event(client)), (&first, &second));
    }
    // What a client has not seen, the other host has as well.
    assert_eq!(event(&mut listen(&two, "/topics/listen/news", Some(&first.1))), second);
    drop(clients);
    let path = format!("/topics/next/news?count=1&after={}", first.1);
    assert_eq!(two.get(&path).text(), "[1]");

    // Rooms: whoever joins and then says something hears it, whichever host was first.
    let mut ann = Socket::accepted(&one, "/topics/room/a");
    assert_eq!(ann.text(), "somebody joined");
    let mut bob = Socket::accepted(&two, "/topics/room/a");
    assert_eq!((ann.text(), bob.text()), ("somebody joined".to_owned(), "somebody joined".to_owned()));
    bob.send("hello");
    assert_eq!(
        (ann.text(), bob.text()),
        ("{\"text\":\"hello\"}".to_owned(), "{\"text\":\"hello\"}".to_owned())
    );
    for host in [&one, &two] {
        host.assert_no_panic("topics");
    }
}

#[test]
fn apps_share_with_those_of_their_name_only() {
    let Some(broker) = Broker::start("apps") else { return };
    let folder = scratch("shared-topics");
    let app =
        |name: &str| format!("[app.{name}]\nsource = \"{}\"\nprefix = \"/{name}\"\n", fixture().display());
    let file = folder.join("host.toml");
    let server = format!("[server]\nlisten = [\"127.0.0.1:0\"]\ntopics = \"{}\"\n", broker.url());
    std::fs::write(&file, server + &app("one") + &app("two")).unwrap();
    let host = Server::host(&file);
    for name in ["one", "two"] {
        until(|| host.get(&format!("/{name}/openapi.json")).status == 200);
    }
    let mut one = listen(&host, "/one/topics/listen/news", None);
    let mut two = listen(&host, "/two/topics/listen/news", None);
    say(&host, "/one/topics/say/news", "1");
    say(&host, "/two/topics/say/news", "2");
    assert_eq!((event(&mut one).0, event(&mut two).0), ("1".to_owned(), "2".to_owned()));
}

#[test]
fn events_come_once_and_in_order_over_a_broker_that_comes_and_goes() {
    let Some(mut broker) = Broker::start("away") else { return };
    let (one, two) = (host(&broker, "127.0.0.1:0"), host(&broker, "127.0.0.1:0"));
    let mut client = listen(&two, "/topics/listen/news", None);
    for number in 0..300 {
        if number % 50 == 25 {
            broker.ask("CLIENT KILL TYPE pubsub");
            broker.ask("CLIENT KILL TYPE normal");
        }
        say(&one, "/topics/say/news", &number.to_string());
    }
    for number in 0..300 {
        assert_eq!(event(&mut client).0, number.to_string());
    }
    // It forgets everything, and events wait for it.
    broker.stop();
    one.log_with("the broker of topics cannot be reached");
    (0..5).for_each(|number| say(&one, "/topics/say/news", &number.to_string()));
    broker.restart();
    for number in 0..5 {
        assert_eq!(event(&mut client).0, number.to_string());
    }
    two.log_with("the broker of topics is reached again");

    // Not for ever, and not all of them.
    broker.stop();
    let large = format!("\"{}\"", "x".repeat(100_000));
    let refused = (0..100).map(|_| {
        one.connect().send(
            "POST",
            "/topics/say/more",
            &[("content-type", "application/json")],
            large.as_bytes(),
        )
    });
    let refused: Vec<_> = refused.filter(|response| response.status != 200).collect();
    assert!(refused.len() > 50, "{}", refused.len());
    one.log_with("does not take events as fast as the app publishes them (--topics)");
    one.log_with("events were lost");
    assert!(one.metric("bolt_topic_events_total{app=\"app\",kind=\"lost\"}") > 0.0);
    broker.restart();
    // A client that comes before the broker is back gets what is kept then.
    let mut client = listen(&one, "/topics/listen/again", Some("0"));
    say(&two, "/topics/say/again", "7");
    assert_eq!(event(&mut client).0, "7");
    for host in [&one, &two] {
        host.assert_no_panic("topics");
    }
}

#[test]
fn what_an_app_keeps_at_the_broker_has_bounds() {
    let Some(broker) = Broker::start("bounds") else { return };
    let host = host(&broker, "127.0.0.1:0");
    let mut connection = host.connect();
    let json = [("content-type", "application/json")];
    let mut say = |topic: &str, body: &str| {
        let path = format!("/topics/say/{topic}");
        assert_eq!(connection.send("POST", &path, &json, body.as_bytes()).status, 200);
    };
    (0..1100).for_each(|number| say(&format!("t{number}"), "1"));
    (0..200).for_each(|number| say("many", &number.to_string()));
    let large = format!("\"{}\"", "x".repeat(40_000));
    (0..20).for_each(|_| say("large", &large));
    say("last", "1");
    until(|| broker.ask("EXISTS bolt:topics:3:app:events:last") == ":1");
    assert_eq!(broker.ask("ZCARD bolt:topics:3:app:index"), ":1000");
    assert_eq!(broker.ask("EXISTS bolt:topics:3:app:events:t1"), ":0");
    assert_eq!(broker.ask("XLEN bolt:topics:3:app:events:many"), ":128");
    assert_eq!(broker.ask("XLEN bolt:topics:3:app:events:large"), ":2");
    let keys = broker.ask("DBSIZE");
    assert_eq!(keys, ":1003", "an index, the bytes and a publisher beside the topics");
}
