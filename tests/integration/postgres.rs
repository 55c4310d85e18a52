//! Databases of a Postgres server.

use crate::common::Server;
use crate::common::inserts;
use crate::common::postgres::Postgres;
use crate::common::tenants::until;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn serve(postgres: &Postgres, flags: &[&str]) -> Server {
    let granted = format!("main={}", postgres.url());
    Server::fixture(&[&["--workers", "2", "--sql", &granted], flags].concat())
}

fn run(server: &Server, statement: &str, arguments: Value) -> Value {
    let answer = server.post("/pg/run", &json!({"statement": statement, "arguments": arguments}).to_string());
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[test]
fn values_keep_their_types_and_errors_theirs() {
    let Some(postgres) = Postgres::start("pg-types") else { return };
    let server = serve(&postgres, &["--sql-rows", "1000", "--sql-result", "10MiB"]);
    assert_eq!(server.get("/pg/types").json(), json!([]));
    let rows = server.get("/pg/rows").json();
    let expected = json!({
        "small": 1, "whole": 2, "large": 3, "single": 0.1, "double": 1.5, "exact": "-12.340", "words": "hé",
        "truth": true, "octets": null, "day": "2024-02-29", "hour": "01:02:03.000004",
        "moment": "2024-01-02T03:04:05.000006", "instant": "2024-01-02T03:04:05Z", "span": "P1DT0.000005S",
        "name": "00000000-0000-0000-0000-000000000005", "document": {"a": [1]}, "parts": [1, {"b": null}],
        "numbers": [1, 2], "texts": ["x", null, "q\""], "amounts": ["1.10", "2"], "mood": "ok",
        "address": "10.0.0.1"
    });
    assert_eq!(rows[0], expected);
    assert_eq!(rows[1]["words"], json!(null));
    run(&server, "create table e (id int primary key check (id > 0), name text not null)", json!([]));
    for (statement, arguments, kind, says) in [
        ("selec", json!([]), "ProgrammingError", "syntax error"),
        ("select $1::int", json!(["x"]), "DataError", "invalid input syntax"),
        ("select 1", json!([2]), "DataError", "0 parameters"),
        ("insert into e values (0, 'a')", json!([]), "CheckViolation", "e_id_check"),
        ("insert into e values (1, null)", json!([]), "NotNullViolation", "not-null"),
        ("copy e from stdin", json!([]), "ProgrammingError", "COPY is not supported"),
        ("/* /* a */ */ copy e to stdout", json!([]), "ProgrammingError", "COPY is not supported"),
        ("listen x", json!([]), "ProgrammingError", "LISTEN"),
        ("select point(1, 2) as p", json!([]), "DataError", "cast it to text"),
        ("select 'infinity'::date as d", json!([]), "DataError", "that Python does not have"),
        ("select 1 as a, 2 as a", json!([]), "ProgrammingError", "name them with AS"),
        ("select * from generate_series(1, 2000)", json!([]), "LimitExceeded", "--sql-rows"),
        (
            "select repeat('x', 2000000) from generate_series(1, 9)",
            json!([]),
            "LimitExceeded",
            "--sql-result",
        ),
        ("select repeat('x', 9000000)", json!([]), "LimitExceeded", "more than 8 MiB"),
    ] {
        let told = run(&server, statement, arguments);
        assert_eq!(told[0], kind, "{statement}: {told}");
        assert!(told[1].as_str().unwrap().contains(says), "{statement}: {told}");
    }
    // Types of an app, however they are nested, are not followed.
    run(&server, "create domain d0 as int", json!([]));
    let nest = "do $$ begin for i in 1..3000 loop execute format('create domain d%s as d%s', i, i - 1); end loop; end $$";
    assert_eq!(run(&server, nest, json!([])), json!([]));
    assert_eq!(
        run(&server, "select null::d3000[] as a, 7::d3000 as b", json!([])),
        json!([{"a": null, "b": 7}])
    );
    let of_moods = "select array['ok', null]::mood[] as m, array['sad']::mood[] = $1 as same";
    assert_eq!(run(&server, of_moods, json!([["sad"]])), json!([{"m": ["ok", null], "same": true}]));
    let pair = run(&server, "select row(1, 'a') as r", json!([]));
    assert!(pair[1].as_str().unwrap().contains("cast it to text"), "{pair}");
    run(&server, "drop type mood cascade", json!([]));
    run(&server, "create type mood as enum ('new')", json!([]));
    assert_eq!(run(&server, "select 'new'::mood as m", json!([])), json!([{"m": "new"}]));
    // A few bytes that stand for many zeros.
    let zeros =
        "select array_length($1::numeric[], 1) as n, (array_fill(1e131071::numeric, array[50000]))[1] as x";
    assert_eq!(run(&server, zeros, json!([["1e3"]])), json!([{"n": 1, "x": "1E+131071"}]));
    let many = "select array_fill(1e131071::numeric, array[90000]) as many";
    let told = run(&server, many, json!([]));
    assert!(told[0]["many"][0] == "1E+131071", "{}", told.to_string().len());
    let told = server.post("/pg/failed", "").json();
    let failed = "the transaction was rolled back, because a statement of it has failed";
    assert_eq!(told, json!(["twice", failed, "within", [2, 3]]));
    server.assert_no_panic("postgres");
}

#[test]
fn a_connection_serves_one_request_after_the_other_and_keeps_nothing() {
    let Some(postgres) = Postgres::start("pg-pool") else { return };
    let flags = ["--sql-connections", "2", "--deadline", "3s", "--admin", "127.0.0.1:0"];
    let server = serve(&postgres, &flags);
    // What one request sets, begins and locks, the next ones do not see.
    for statement in
        ["set timezone to 'Asia/Tokyo'", "begin", "select set_config('application_name', 'x', false)"]
    {
        for _ in 0..4 {
            run(&server, statement, json!([]));
        }
    }
    let settings = "select current_setting('timezone') as zone, current_setting('application_name') as name";
    for _ in 0..4 {
        assert_eq!(run(&server, settings, json!([])), json!([{"zone": "UTC", "name": "bolt-host"}]));
    }
    // Hidden from whoever reads the text as SQLite does, or behind a function.
    run(
        &server,
        "create function tokyo() returns text language sql as $$ select set_config('timezone', 'Asia/Tokyo', false) $$",
        json!([]),
    );
    for statement in [
        "-- a\rset timezone to 'Asia/Tokyo'",
        "-- a\rbegin /*\nselect */",
        "select tokyo()",
        "select public.tokyo ()",
    ] {
        for _ in 0..4 {
            run(&server, statement, json!([]));
        }
        for _ in 0..4 {
            assert_eq!(
                run(&server, settings, json!([])),
                json!([{"zone": "UTC", "name": "bolt-host"}]),
                "{statement}"
            );
        }
    }
    run(
        &server,
        "do $$ begin execute 'deallocate all'; execute 'prepare s3 as select 666'; end $$",
        json!([]),
    );
    for number in 0..4 {
        assert_eq!(server.get(&format!("/pg/one?number={number}")).json(), json!(number));
    }
    run(&server, "create temp table t (x int)", json!([]));
    let told = run(&server, "select * from t", json!([]));
    assert_eq!(told[0], "ProgrammingError", "{told}");
    for how in ["returns", "raises"] {
        server.post(&format!("/pg/leave?how={how}"), "");
    }
    assert_eq!(server.post("/pg/leave?how=waits", "").status, 504);
    assert_eq!(run(&server, "select count(*) from left_open", json!([])), json!([{"count": 0}]));
    server.log_with("a transaction was not ended");
    // A client that leaves, a timeout of the handler, and the deadline.
    let running =
        "select count(*) from pg_stat_activity where query like 'select pg_sleep%' and state = 'active'";
    let mut leaving = server.connect();
    leaving.start("GET", "/pg/sleep?seconds=100", &[], b"");
    until(|| run(&server, running, json!([])) == json!([{"count": 1}]));
    drop(leaving);
    assert_eq!(server.get("/pg/sleep?seconds=100&timeout=0.1").status, 500);
    assert_eq!(server.get("/pg/sleep?seconds=100").status, 504);
    // What a result has left does not cancel what follows.
    for _ in 0..20 {
        run(&server, "select 'int'::regtype as x", json!([]));
        assert_eq!(run(&server, "select 1 as x from pg_sleep(0.005)", json!([])), json!([{"x": 1}]));
    }
    // Code that catches the cancellation.
    let stubborn = "do $$ begin loop begin perform pg_sleep(1); exception when query_canceled then null; end; end loop; end $$";
    let answer = server.post("/pg/run", &json!({"statement": stubborn}).to_string());
    // The statement and the handler have the same deadline: the handler may hear of it just before its own.
    assert!(answer.status == 504 || answer.json()[0] == "StatementCancelled", "{}", answer.text());
    let left =
        "select count(*) from pg_stat_activity where query like 'do $$ begin loop%' and state = 'active'";
    until(|| run(&server, left, json!([])) == json!([{"count": 0}]));
    until(|| run(&server, running, json!([])) == json!([{"count": 0}]));
    // Five hundred requests for two connections.
    let threads: Vec<_> = (0..20)
        .map(|thread| {
            let mut connection = server.connect();
            std::thread::spawn(move || {
                for number in 0..25 {
                    let number = thread * 100 + number;
                    let way = ["one", "transaction"][number % 2];
                    assert_eq!(connection.get(&format!("/pg/{way}?number={number}")).json(), json!(number));
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let held = "select count(*) from pg_stat_activity where application_name = 'bolt-host'";
    assert_eq!(run(&server, held, json!([])), json!([{"count": 2}]));
    server.assert_no_panic("postgres");
}

#[test]
fn a_server_that_goes_away_and_comes_back_is_an_error_and_then_none() {
    let Some(postgres) = Postgres::start("pg-away") else { return };
    let server = serve(&postgres, &[]);
    assert_eq!(server.get("/pg/one?number=7").json(), json!(7));
    let mut waiting = server.connect();
    waiting.start("GET", "/pg/sleep?seconds=100", &[], b"");
    std::thread::sleep(Duration::from_millis(300));
    postgres.stop();
    assert_eq!(waiting.finish("GET").status, 503);
    let begun = Instant::now();
    for path in ["/pg/one", "/pg/transaction", "/pg/rows"] {
        assert_eq!(server.get(path).status, 503, "{path}");
    }
    // Nobody waits for a server that is known to be away.
    assert!(begun.elapsed() < Duration::from_secs(60));
    server.log_with("the database cannot be reached");
    postgres.again();
    until(|| server.get("/pg/one?number=7").status == 200);
    server.log_with("the database can be reached again");
    assert!(!server.log().contains("postgres://"), "the log has the URL");
    server.assert_no_panic("postgres");
}

#[test]
fn acknowledged_inserts_outlive_the_host_and_the_server() {
    let Some(postgres) = Postgres::start("pg-kill") else { return };
    let mut server = serve(&postgres, &[]);
    run(&server, inserts::TABLE, json!([]));
    let done = inserts::until_killed(server.address, || server.signal("-KILL"));
    server.wait();
    let again = serve(&postgres, &[]);
    inserts::assert_whole(&again, &done);
    run(&again, "delete from halves", json!([]));
    let done = inserts::until_killed(again.address, || postgres.stop());
    postgres.again();
    until(|| again.get("/pg/one?number=7").status == 200);
    inserts::assert_whole(&again, &done);
    again.assert_no_panic("postgres");
}

/// What the server says when its disk is full, or its memory, or its connections: it is away for now, and the app works on.
#[test]
fn a_server_without_room_is_away_for_now() {
    let Some(postgres) = Postgres::start("pg-full") else { return };
    let server = serve(&postgres, &[]);
    for (code, says) in
        [("53100", "No space left on device"), ("53200", "out of memory"), ("53300", "too many")]
    {
        let statement = format!(
            "do $$ begin raise exception using errcode = '{code}', message = 'could not extend file: {says}'; end $$"
        );
        let told = run(&server, &statement, json!([]));
        assert_eq!((&told[0], &told[2]), (&json!("DatabaseUnavailable"), &json!(code)), "{told}");
        assert_eq!(server.get("/pg/one?number=7").json(), json!(7));
    }
}
