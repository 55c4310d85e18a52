//! SQLite databases that the host has for apps.

use crate::common::inserts;
use crate::common::tenants::until;
use crate::common::{Server, fixture, scratch};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// A host whose app has a new database, and its file.
fn serve(flags: &[&str]) -> (Server, PathBuf) {
    let file = scratch("sql").join("app.db");
    let granted = format!("main=sqlite:{}", file.display());
    let server = Server::fixture(&[&["--workers", "2", "--sql", &granted], flags].concat());
    assert_eq!(server.post("/sql/setup", "").json(), json!(0));
    (server, file)
}

fn run(server: &Server, path: &str, statement: &str, arguments: Value) -> Value {
    let body = json!({"statement": statement, "arguments": arguments}).to_string();
    let json = [("content-type", "application/json")];
    let response = server.connect().send("POST", path, &json, body.as_bytes());
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()
}

#[test]
fn what_handlers_write_all_interpreters_read() {
    let (server, _) = serve(&[]);
    for (number, name) in ["ann", "bob", "cleo"].iter().enumerate() {
        let made = server.post(&format!("/sql/users?name={name}"), "");
        assert_eq!((made.status, made.json()), (201, json!(number + 1)));
    }
    let users = server.get("/sql/users?above=1").json();
    assert_eq!(users, json!([{"id": 2, "name": "bob"}, {"id": 3, "name": "cleo"}]));
    // Each in an interpreter of its own.
    for _ in 0..5 {
        assert_eq!(server.get("/sql/users/3").json(), json!({"id": 3, "name": "cleo"}));
    }
    assert_eq!(server.get("/sql/users/4").json(), json!(null));
    assert_eq!(server.get("/sql/named").json(), json!(["ann", "bob", "cleo"]));
    let twice = server.post("/sql/users?name=ann", "");
    let said = json!({"detail": "UniqueViolation UNIQUE constraint failed: users.name 2067"});
    assert_eq!((twice.status, twice.json()), (409, said));
    let expected = json!([4, "name", "ann", "bob", "cleo", "one", "two"]);
    assert_eq!(server.get("/sql/dbapi").json(), expected);
    let many = server.get("/sql/many?count=90").json();
    assert_eq!(many, json!((0..90).collect::<Vec<_>>()));
    let refused = server.get("/sql/too-many").json();
    assert_eq!(refused, json!("this interpreter has 1000 statements and transactions open"));
    server.assert_no_panic("sql");
}

#[test]
fn values_keep_their_kinds() {
    let (server, _) = serve(&[]);
    let kinds = server.get("/sql/kinds").json();
    let expected = [
        "True",
        "datetime.date(2026, 1, 2)",
        "datetime.time(3, 4, 5)",
        "datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc)",
        "Decimal('12.34')",
        "UUID('00000000-0000-0000-0000-000000000007')",
        "{'a': [1, 'ü']}",
        "datetime.timedelta(days=1)",
        "b'\\x00\\xff'",
        "1.5",
        "-9223372036854775808",
        "'red'",
    ];
    assert_eq!(kinds, json!(expected));
    let unfit = server.get("/sql/unfit").json();
    let told: Vec<_> = unfit.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    for (told, part) in told.iter().zip([
        "object is none of",
        "set is none of",
        "64 bits",
        "UTF-8",
        "JSON",
        "'day' has 'never'",
    ]) {
        assert!(told.contains(part), "{told}");
    }
    assert_eq!(told.len(), 6, "{told:?}");
    // The number of a parameter counts, not its place.
    for path in ["/sql/run", "/sql/run-sync"] {
        let row = run(&server, path, "select $2 as b, $1 as a, ?3 as c", json!([1, "x", null]));
        assert_eq!(row, json!([{"b": "x", "a": 1, "c": null}]));
        let missing = run(&server, path, "select $2", json!([1]));
        assert_eq!(missing[0], "DataError");
        assert_eq!(missing[1], "the statement has 2 parameters, and 1 arguments were given");
    }
}

#[test]
fn errors_are_typed_and_transactions_are_whole() {
    let (server, _) = serve(&[]);
    for (statement, kind) in [
        ("selec 1", "ProgrammingError"),
        ("select 1; select 2", "ProgrammingError"),
        ("select nothing from users", "ProgrammingError"),
        ("select :name", "ProgrammingError"),
        ("insert into users (id) values (1)", "NotNullViolation"),
        ("insert into pets values (99, 4)", "ForeignKeyViolation"),
        ("insert into pets values (null, 10)", "CheckViolation"),
        ("select zeroblob(20000000)", "DataError"),
        ("select cast(x'ff' as text) as odd", "DataError"),
        ("select 1 as a, 2 as a", "ProgrammingError"),
        ("create temp table t (a)", "ProgrammingError"),
    ] {
        for path in ["/sql/run", "/sql/run-sync"] {
            let said = run(&server, path, statement, json!([]));
            assert_eq!(said[0], kind, "{statement}: {said}");
            assert!(said[1].as_str().unwrap().len() > 10, "{said}");
        }
    }
    assert_eq!(server.post("/sql/transfer?first=a&second=b", "").json(), json!(1));
    assert_eq!(server.get("/sql/named").json(), json!(["a"]));
    assert_eq!(server.post("/sql/transfer?first=c&second=d&fails=true", "").json(), json!(1));
    assert_eq!(server.post("/sql/transfer-sync?name=e", "").json(), json!(2));
    assert_eq!(server.post("/sql/transfer-sync?name=f&fails=true", "").json(), json!(2));
    let said = server.post("/sql/readonly", "").json();
    assert!(said.as_str().unwrap().contains("only reads"), "{said}");
    let rolled_back = json!(["UniqueViolation", "the transaction was rolled back by the database"]);
    assert_eq!(server.post("/sql/lost", "").json(), rolled_back);
    assert_eq!(server.get("/sql/named").json(), json!(["a", "e"]));
    assert_eq!(server.post("/sql/lost-within", "").json(), rolled_back);
    assert_eq!(server.get("/sql/named").json(), json!(["a", "e"]));
    // A statement that begins a transaction leaves nothing to the next one.
    run(&server, "/sql/run", "begin immediate", json!([]));
    run(&server, "/sql/run", "/**/ pragma foreign_keys = off", json!([]));
    assert_eq!(server.post("/sql/users?name=g", "").status, 201);
    assert_eq!(
        run(&server, "/sql/run", "insert into pets values (99, 4)", json!([]))[0],
        "ForeignKeyViolation"
    );
}

#[test]
fn what_a_request_leaves_open_is_rolled_back() {
    let (server, _) = serve(&["--deadline", "1s", "--grace", "500ms"]);
    for (how, status) in [("ends", 200), ("raises", 500), ("waits", 504), ("spins", 504), ("traps", 500)] {
        let left = server.post(&format!("/sql/left-open?name={how}&how={how}"), "");
        assert_eq!(left.status, status, "{how}: {}", left.text());
        // The only connection that writes is free, and what was written is not there.
        assert_eq!(server.post(&format!("/sql/users?name={how}"), "").status, 201, "{how}");
    }
    server.log_with("a transaction was not ended, and is rolled back");
    // A client that leaves in the middle.
    let mut gone = server.connect();
    gone.start("POST", "/sql/left-open?name=gone&how=waits", &[], b"");
    std::thread::sleep(Duration::from_millis(200));
    drop(gone);
    assert_eq!(server.post("/sql/users?name=gone", "").status, 201);
    server.assert_no_panic("sql");
}

#[test]
fn statements_end_with_their_request_and_within_bounds() {
    let (server, _) =
        serve(&["--deadline", "1s", "--sql-readers", "1", "--sql-rows", "1000", "--sql-result", "100KiB"]);
    assert_eq!(server.get("/sql/long?seconds=0.2").json(), json!("timeout"));
    assert_eq!(server.get("/sql/long").status, 504);
    let mut gone = server.connect();
    gone.start("GET", "/sql/long", &[], b"");
    std::thread::sleep(Duration::from_millis(200));
    drop(gone);
    // The only connection that reads is free.
    assert_eq!(server.get("/sql/rows/1000").json(), json!(1000));
    let said = server.get("/sql/rows/1001").json();
    assert_eq!(
        (&said[0], &said[1]),
        (&json!("LimitExceeded"), &json!("the result has too many rows (--sql-rows)"))
    );
    assert_eq!(server.get("/sql/rows/1000?into=each").json(), json!(500_500));
    let large = run(
        &server,
        "/sql/run",
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 100) select hex(zeroblob(10000)) from n",
        json!([]),
    );
    assert_eq!(large[1], "the result is too large (--sql-result)");
    // What does not fit is not written either.
    let many = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1001) \
                insert into users (name) select 'x' || i from n returning id";
    assert_eq!(run(&server, "/sql/run", many, json!([]))[0], "LimitExceeded");
    assert_eq!(server.get("/sql/named").json(), json!([]));
    assert_eq!(server.post("/sql/first-of-many", "").json(), json!([1, 900]));
    for _ in 0..20 {
        assert_eq!(server.get("/sql/rows/900?into=one").json(), json!({"i": 1}));
    }
    server.assert_no_panic("sql");
}

#[test]
fn an_app_reaches_its_database_and_nothing_else() {
    let (server, file) = serve(&["--sql-size", "200KiB"]);
    let folder = file.parent().unwrap();
    let outside = folder.join("outside.db");
    for statement in [
        format!("attach '{}' as o", outside.display()),
        format!("vacuum into '{}'", outside.display()),
        "select load_extension('x')".to_owned(),
        "pragma journal_mode = off".to_owned(),
        "pragma max_page_count = 1000000".to_owned(),
        "pragma temp_store_directory = '/'".to_owned(),
        "pragma cache_size = -1000000".to_owned(),
        "pragma database_list".to_owned(),
        "pragma writable_schema = on".to_owned(),
        "detach main".to_owned(),
        "select * from sqlite_dbpage".to_owned(),
    ] {
        let said = run(&server, "/sql/run-sync", &statement, json!([]));
        assert_eq!(said[0], "ProgrammingError", "{statement}: {said}");
    }
    assert!(!outside.exists());
    let forged = server.get("/sql/forged").json();
    for (place, part) in [(0, "has ended"), (1, "0"), (2, "has ended"), (3, "0"), (4, "no such transaction")]
    {
        assert!(forged[place].as_str().unwrap().contains(part), "{forged}");
    }
    let named: Vec<_> = (0..150).map(|n| format!("printf('%.*c', 1000000, 'a') as c{n}")).collect();
    let large = run(&server, "/sql/run", &format!("select {}", named.join(", ")), json!([]));
    assert_eq!(large[1], "the result is too large (--sql-result)");
    let said = server.get("/sql/other").json();
    assert_eq!(said, json!("this app has no database \"other\": it is granted with --sql NAME=sqlite:FILE"));
    // The file has a size.
    let mut last = json!([]);
    for number in 0..100 {
        let name = format!("{number}{}", "x".repeat(10_000));
        last = run(&server, "/sql/run", "insert into users (name) values ($1)", json!([name]));
    }
    assert_eq!((&last[0], &last[1]), (&json!("DatabaseUnavailable"), &json!("database or disk is full")));
    assert!(file.metadata().unwrap().len() <= 200 * 1024);
    server.assert_no_panic("sql");
}

#[test]
fn acknowledged_inserts_outlive_the_host() {
    let (mut server, file) = serve(&[]);
    run(&server, "/sql/run", inserts::TABLE, json!([]));
    let done = inserts::until_killed(server.address, || server.signal("-KILL"));
    server.wait();
    let granted = format!("main=sqlite:{}", file.display());
    let again = Server::fixture(&["--sql", &granted]);
    inserts::assert_whole(&again, &done);
    assert_eq!(
        run(&again, "/sql/run", "pragma integrity_check", json!([])),
        json!([{"integrity_check": "ok"}])
    );
}

#[test]
fn writers_wait_for_each_other_and_none_is_lost() {
    let (server, _) = serve(&[]);
    let address = server.address;
    let writers: Vec<_> = (0..32)
        .map(|_| {
            std::thread::spawn(move || {
                let mut connection = crate::common::Connection::to(address);
                for _ in 0..20 {
                    let response = connection.send("POST", "/sql/upsert", &[], b"");
                    assert_eq!(response.status, 200, "{}", response.text());
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    assert_eq!(run(&server, "/sql/run", "select n from counts", json!([])), json!([{"n": 640}]));
}

#[test]
fn a_transaction_reads_and_writes_by_turns() {
    let (server, _) = serve(&[]);
    assert_eq!(server.post("/sql/nested", "").json(), json!([100_000, 10]));
    assert_eq!(server.get("/sql/named").json().as_array().unwrap().len(), 10);
}

#[test]
fn an_app_without_a_grant_has_a_file_beside_it() {
    let folder = scratch("sql-default");
    let app = folder.join("shop.py");
    let text = "from bolt import BoltAPI, sql\napi = BoltAPI()\ndb = sql.Database()\n\n@api.get('/')\ndef get() -> int:\n    return db.sync.fetchval('select 7')\n";
    std::fs::write(&app, text).unwrap();
    let server = Server::start(&app, &[]);
    assert!(!folder.join("shop.db").exists(), "it is not used");
    assert_eq!(server.get("/").json(), json!(7));
    assert!(folder.join("shop.db").exists());
    server.log_with("no database was granted, so main is");
    until(|| server.get("/").status == 200);
}

#[test]
fn no_app_may_write_beside_a_database() {
    let folder = scratch("sql-beside");
    let (file, write) = (folder.join("sub/app.db"), format!("/data={}", folder.display()));
    let granted = format!("main=sqlite:{}", file.display());
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_bolt-host"))
        .args(["run", fixture().to_str().unwrap(), "--port", "0", "--write", &write, "--sql", &granted])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("give it a folder of its own"), "{said}");
}

#[test]
fn a_damaged_database_takes_no_connection_away() {
    let folder = scratch("sql-damaged");
    let file = folder.join("app.db");
    // The declared type of a column is not UTF-8.
    let make = format!(
        "import sqlite3\nc = sqlite3.connect({file:?})\nc.executescript('create table zz(cc TYPxx); insert into zz values (1)')\n\
         c.close()\nd = open({file:?}, 'rb').read().replace(b'TYPxx', b'TYP\\xff\\xfe')\nopen({file:?}, 'wb').write(d)\n"
    );
    crate::common::run(std::process::Command::new("python3").args(["-c", &make]));
    let granted = format!("main=sqlite:{}", file.display());
    let server = Server::fixture(&["--workers", "1", "--sql", &granted]);
    for _ in 0..6 {
        let said = run(&server, "/sql/run", "select cc from zz", json!([]));
        assert_eq!(said[0], "DatabaseUnavailable", "{said}");
        let said = run(&server, "/sql/run-sync", "insert into zz values (2) returning cc", json!([]));
        assert_eq!(said[0], "DatabaseUnavailable", "{said}");
    }
    assert_eq!(run(&server, "/sql/run", "select 1 as a", json!([])), json!([{"a": 1}]));
}

#[test]
fn a_table_that_changes_has_its_new_columns_at_once() {
    let (server, _) = serve(&["--sql-readers", "2"]);
    run(&server, "/sql/run", "insert into users values (1, 'ann')", json!([]));
    let ask = || {
        let first = run(&server, "/sql/run", "select * from users", json!([]));
        for _ in 0..6 {
            assert_eq!(run(&server, "/sql/run-sync", "select * from users", json!([])), first);
        }
        first
    };
    assert_eq!(ask(), json!([{"id": 1, "name": "ann"}]));
    run(&server, "/sql/run", "alter table users add column city text default 'Rome'", json!([]));
    assert_eq!(ask(), json!([{"id": 1, "name": "ann", "city": "Rome"}]));
    run(&server, "/sql/run", "alter table users rename column name to called", json!([]));
    run(&server, "/sql/run", "alter table users add column age int default 7", json!([]));
    assert_eq!(ask(), json!([{"id": 1, "called": "ann", "city": "Rome", "age": 7}]));
    run(&server, "/sql/run", "alter table users drop column city", json!([]));
    assert_eq!(ask(), json!([{"id": 1, "called": "ann", "age": 7}]));
    // Statements that begin and end transactions are none of their own.
    for statement in ["begin", "commit", "/* a */ rollback", "savepoint a"] {
        let told = run(&server, "/sql/run", statement, json!([]));
        assert!(told[1].as_str().unwrap().contains("use a transaction"), "{told}");
    }
}
