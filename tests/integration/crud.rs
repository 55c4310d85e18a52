//! Tables as endpoints, answered by the host alone and by Python: both give the same.

use crate::common::{Connection, Server, root, scratch};
use serde_json::{Value, json};

fn serve(flags: &[&str]) -> Server {
    let granted = format!("main=sqlite:{}", scratch("crud").join("app.db").display());
    let server = Server::fixture(&[&["--sql", &granted], flags].concat());
    let made = server.post("/crud/setup", "");
    assert_eq!(made.status, 200, "{}", made.text());
    server
}

/// Replay a case below a prefix; returns what was answered.
fn replay(connection: &mut Connection, prefix: &str, case: &Value) -> String {
    let (method, path) = (case["method"].as_str().unwrap(), case["path"].as_str().unwrap());
    let body = case.get("body").map(Value::to_string).unwrap_or_default();
    let headers = [("content-type", "application/json")];
    let path = format!("{prefix}{path}");
    let answer = connection.send(method, &path, &headers, body.as_bytes());
    let told = format!("{}: {method} {path} {body}\n{}", case["about"], answer.text());
    assert_eq!(u64::from(answer.status), case["status"].as_u64().unwrap(), "{told}");
    if let Some(expected) = case.get("json") {
        assert_eq!(&answer.json(), expected, "{told}");
    }
    if let Some(place) = case.get("loc") {
        assert_eq!(&answer.json()["detail"][0]["loc"], place, "{told}");
    }
    answer.text().to_owned()
}

#[test]
fn the_host_and_python_answer_alike() {
    let cases = std::fs::read_to_string(root().join("guest-python/tests/crud_cases.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&cases).unwrap();
    assert!(cases.len() > 100);
    let server = serve(&[]);
    let mut connection = server.connect();
    let [native, python] = ["/crud/native", "/crud/python"]
        .map(|prefix| cases.iter().map(|case| replay(&mut connection, prefix, case)).collect::<Vec<_>>());
    for ((native, python), case) in native.iter().zip(&python).zip(&cases) {
        // Byte by byte: also the order of the fields, and how numbers are written.
        assert_eq!(native, python, "{}", case["about"]);
    }
    server.assert_no_panic("crud");
}

#[test]
fn the_host_needs_no_interpreter() {
    let server = serve(&["--workers", "1", "--instances", "1", "--queue", "0"]);
    let made = server.post("/crud/native/people", r#"{"firstName": "Ann"}"#);
    assert_eq!(made.status, 201, "{}", made.text());
    // The only interpreter computes.
    let mut busy = server.connect();
    busy.start("GET", "/spin?ms=5000", &[], b"");
    std::thread::sleep(std::time::Duration::from_millis(300));
    for _ in 0..20 {
        let read = server.get("/crud/native/people/1");
        assert_eq!((read.status, &read.json()["firstName"]), (200, &json!("Ann")), "{}", read.text());
    }
    assert_eq!(server.get("/crud/native/people?age=0").json().as_array().unwrap().len(), 1);
}
