//! The handler API: records and their validators, declared results, views, credentials, files, middleware, and
//! background work.

use crate::common::{Response, Server};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// One instance per pool, so that requests find what earlier ones left.
fn narrow() -> Server {
    Server::fixture(&["--workers", "1", "--instances", "1", "--log-format", "json"])
}

fn post(server: &Server, path: &str, body: Value) -> Response {
    server.post(path, &body.to_string())
}

fn get(server: &Server, path: &str, headers: &[(&str, &str)]) -> Response {
    server.connect().send("GET", path, headers, b"")
}

fn errors(response: &Response) -> Vec<(String, String)> {
    assert_eq!(response.status, 422, "{}", response.text());
    response.errors()
}

fn told(kind: &str, loc: &str) -> (String, String) {
    (kind.to_owned(), loc.to_owned())
}

#[test]
fn records_are_renamed_closed_and_validated() {
    let server = narrow();
    let good = post(&server, "/handlers/person", json!({"firstName": "ann", "e-mail": "q"}));
    assert_eq!(good.json(), json!({"firstName": "Ann", "age": 3, "e-mail": "q", "tags": []}));
    let person = |body| errors(&post(&server, "/handlers/person", body));
    assert_eq!(person(json!({"firstName": "bad", "age": 13})), [told("value_error", "body.firstName")]);
    assert_eq!(person(json!({"firstName": "x", "age": 13})), [told("assertion_error", "body")]);
    let mut found = person(json!({"first_name": "x", "age": -1, "more": 1}));
    found.sort();
    assert_eq!(
        found,
        [
            told("extra_forbidden", "body.first_name"),
            told("extra_forbidden", "body.more"),
            told("greater_than_equal", "body.age"),
            told("missing", "body.firstName"),
        ]
    );
    let people = json!([{"firstName": "bob"}, {"firstName": "bad"}, {"firstName": "c", "age": 13}]);
    let found = errors(&post(&server, "/handlers/people", people));
    assert_eq!(found, [told("value_error", "body.1.firstName"), told("assertion_error", "body.2")]);
    server.assert_well();
}

#[test]
fn tagged_unions_go_by_their_tag() {
    let server = narrow();
    let pet = |body| post(&server, "/handlers/pet", body);
    assert_eq!(pet(json!({"kind": "cat", "lives": 9})).json(), json!({"kind": "cat", "lives": 9}));
    assert_eq!(errors(&pet(json!({"kind": "dog"}))), [told("missing", "body.dog.name")]);
    assert_eq!(errors(&pet(json!({"kind": "cow"}))), [told("union_tag_invalid", "body")]);
    assert_eq!(errors(&pet(json!({"lives": 9}))), [told("union_tag_not_found", "body")]);
    let page = |body| post(&server, "/handlers/page", body);
    let cats = json!({"items": [{"kind": "cat", "lives": 9}], "next": 2});
    assert_eq!(page(json!({"items": ["9"], "next": 2})).json(), cats);
    assert_eq!(errors(&page(json!({"items": ["x"]}))), [told("int_parsing", "body.items.0")]);
    let point = post(&server, "/handlers/point", json!({"x": 3}));
    assert_eq!(point.json(), json!({"sum": 3, "point": [3, 0]}));
}

#[test]
fn declared_results_filter_and_check() {
    let server = narrow();
    let result = |name: &str| server.get(&format!("/handlers/result/{name}"));
    assert_eq!(result("filtered").json(), json!({"id": 5, "name": null, "inner": {}}));
    assert_eq!(result("none").json(), json!({"id": 1, "inner": {}}));
    assert_eq!(result("defaults").json(), json!({"id": 1, "inner": {"a": 1}}));
    assert_eq!(result("include").json(), json!([{"id": 1}, {"id": 2}]));
    assert_eq!(result("exclude").json(), json!({"name": "n", "inner": {}}));
    let mismatch = result("mismatch");
    assert_eq!((mismatch.status, mismatch.json()), (500, json!({"detail": "Internal Server Error"})));
    server.log_with("the handler declares Out at result, and what it returned has no 'id'");
}

#[test]
fn classes_serve_as_views() {
    let server = narrow();
    assert_eq!(server.get("/handlers/view/4").json(), json!({"got": 4}));
    let posted = server.post("/handlers/view/4", "");
    assert_eq!(posted.json(), json!({"posted": 4, "path": "/handlers/view/4"}));
    assert_eq!(errors(&server.get("/handlers/view/x")), [told("int_parsing", "path.number")]);
    assert_eq!(server.get("/handlers/set").json(), json!(["a", "b"]));
    assert_eq!(server.get("/handlers/set/5").json(), json!(5));
    assert_eq!(server.post("/handlers/set/5/bump", "").json(), json!(6));
    assert_eq!(server.connect().send("DELETE", "/handlers/set/5", &[], b"").status, 204);
    assert_eq!(server.post("/handlers/set", "").status, 405);
}

/// Poll until the background work is done.
fn done(server: &Server, path: &str, wanted: usize) -> Vec<String> {
    let mut seen = Vec::new();
    let start = Instant::now();
    while seen.len() < wanted {
        assert!(start.elapsed() < Duration::from_secs(120), "{seen:?}");
        let found = server.get(path).json();
        seen.extend(found.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()));
    }
    seen
}

#[test]
fn what_is_left_to_be_done_is_done_after_the_response() {
    let server = narrow();
    assert_eq!(server.get("/handlers/after/def").json(), json!([]));
    assert_eq!(done(&server, "/handlers/after/done", 3), ["task", "slept", "cleaned"]);
    assert_eq!(server.get("/handlers/after/async").json(), json!([]));
    assert_eq!(done(&server, "/handlers/after/done-async", 2), ["slept", "cleaned async"]);
    assert_eq!(server.get("/handlers/after/failing").json(), json!("sent"));
    assert_eq!(done(&server, "/handlers/after/done", 1), ["after the failure"]);
    server.log_with("ZeroDivisionError");
    assert_eq!(server.get("/handlers/after/fresh").json(), json!("sent"));
    server.log_with("a fresh instance waited");
}

#[test]
fn work_after_the_response_is_bounded() {
    let flags = ["--workers", "1", "--instances", "1", "--deadline", "1s", "--log-format", "json"];
    let server = Server::fixture(&flags);
    assert_eq!(server.get("/handlers/after/forever").json(), json!("sent"));
    server.log_with("the work after the reply took longer than the deadline");
    server.assert_well();
}

#[test]
fn credentials_are_found_or_asked_for() {
    let server = narrow();
    let asked = |path: &str, headers: &[(&str, &str)]| {
        let response = get(&server, path, headers);
        (response.status, response.headers.get("www-authenticate").cloned().unwrap_or_default())
    };
    assert_eq!(asked("/handlers/auth/bearer", &[]), (401, "Bearer".into()));
    assert_eq!(asked("/handlers/auth/bearer", &[("authorization", "Basic x")]), (401, "Bearer".into()));
    assert_eq!(asked("/handlers/auth/basic", &[]), (401, "Basic realm=\"here\"".into()));
    assert_eq!(asked("/handlers/auth/basic", &[("authorization", "Basic !")]).0, 401);
    assert_eq!(asked("/handlers/auth/user", &[("authorization", "Bearer bad")]).0, 403);
    let found = |path: &str, headers: &[(&str, &str)]| get(&server, path, headers).json();
    assert_eq!(found("/handlers/auth/bearer", &[("authorization", "bearer abc")]), json!("abc"));
    let basic = [("authorization", "Basic bWU6cGE6c3M=")];
    assert_eq!(found("/handlers/auth/basic", &basic), json!(["me", "pa:ss"]));
    let good = [("authorization", "Bearer good")];
    assert_eq!(found("/handlers/auth/user", &good), json!({"name": "me", "scopes": ["read"]}));
    assert_eq!(found("/handlers/auth/request-user", &good), json!("me"));
    let keys = [("x-key", "h"), ("cookie", "key=c")];
    assert_eq!(found("/handlers/auth/optional?key=q", &keys), json!(["h", "q", "c"]));
    assert_eq!(found("/handlers/auth/optional", &[]), json!([null, null, null]));
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let body = b"username=me&password=p&scope=a+b&grant_type=password";
    let token = server.connect().send("POST", "/handlers/token", &form, body);
    assert_eq!(token.json(), json!({"access_token": "me", "scopes": ["a", "b"]}));
}

/// A multipart body of files: field, file name, content type, content.
fn multipart(files: &[(&str, &str, &str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (field, name, kind, content) in files {
        let head = format!(
            "--edge\r\ncontent-disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\n\
             content-type: {kind}\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--edge--\r\n");
    body
}

const MULTIPART: [(&str, &str); 1] = [("content-type", "multipart/form-data; boundary=edge")];

#[test]
fn files_are_kept_by_the_host_and_held_to_their_limits() {
    let server = narrow();
    let send = |path: &str, body: &[u8]| server.connect().send("POST", path, &MULTIPART, body);
    let large = vec![b'x'; 2_500_000];
    let body =
        multipart(&[("files", "a.txt", "text/plain", b"hello"), ("files", "b.png", "image/png", &large)]);
    assert_eq!(
        send("/handlers/files", &body).json(),
        json!([{"name": "a.txt", "size": 5, "read": 5}, {"name": "b.png", "size": 2_500_000, "read": 2_500_000}])
    );
    let refused = |files: &[(&str, &str, &str, &[u8])]| errors(&send("/handlers/files", &multipart(files)));
    assert_eq!(refused(&[("files", "a", "text/html", b"")]), [told("file_type", "body.files.0")]);
    let huge = vec![b'x'; 3_000_001];
    assert_eq!(refused(&[("files", "a", "image/gif", &huge)]), [told("file_too_large", "body.files.0")]);
    let one = ("files", "a", "text/plain", &b"x"[..]);
    assert_eq!(refused(&[one, one, one]), [told("too_long", "body.files")]);
    assert_eq!(refused(&[("other", "a", "text/plain", b"")]), [told("missing", "body.files")]);
    let parts = send("/handlers/file/parts", &multipart(&[("file", "n", "a/b", b"abcdef")]));
    let found = parts.json();
    assert_eq!((&found[0], &found[1], &found[2]), (&json!("abc"), &json!("bc"), &json!(3)));
    assert_eq!(found[3]["content-type"], json!("a/b"));
}

#[test]
fn broken_and_oversized_forms_are_refused() {
    let flags = ["--workers", "1", "--instances", "1", "--max-upload", "1MiB"];
    let server = Server::fixture(&flags);
    let send = |body: &[u8]| server.connect().send("POST", "/handlers/files", &MULTIPART, body);
    let huge = vec![b'x'; 2_000_000];
    let refused = send(&multipart(&[("files", "a", "image/png", &huge)]));
    assert_eq!(refused.status, 413);
    // The limit's name is only for the operator.
    assert!(!refused.text().contains("--"), "{}", refused.text());
    server.log_with("\"limit\":\"--max-upload\"");
    for body in [&b"--edge\r\nno form"[..], b"", b"--edge\r\n\r\n\r\n", b"--other--\r\n", b"\xff\xfe"] {
        let status = send(body).status;
        assert!(status == 400 || status == 422, "{status} for {body:?}");
    }
    // A part's head without an end must not be buffered until it ends.
    let mut endless = b"--edge\r\ncontent-disposition: form-data; name=\"".to_vec();
    endless.resize(1_900_000, b'x');
    let refused = send(&endless);
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("head is too long"), "{}", refused.text());
    let many: Vec<_> = (0..1001).map(|_| ("x", "y", "a/b", &b""[..])).collect();
    assert_eq!(send(&multipart(&many)).status, 400);
    server.assert_well();
}

#[test]
fn middleware_and_exception_handlers_stand_around_handlers() {
    let server = narrow();
    let around = |path: &str| server.get(&format!("/handlers/around/{path}"));
    let state = around("state");
    assert_eq!((state.json(), state.headers["x-saw"].as_str()), (json!("me"), "200"));
    assert_eq!(state.headers["x-took"], "True");
    let stopped = get(&server, "/handlers/around/state", &[("x-stop", "1")]);
    assert_eq!((stopped.status, stopped.json()), (403, json!({"stopped": true})));
    let key = around("key");
    assert_eq!((key.status, key.headers["x-saw"].as_str()), (410, "410"));
    assert_eq!(key.json(), json!({"missing": "'x'", "path": "/handlers/around/key"}));
    assert_eq!(around("conflict").json(), json!({"conflict": "twice"}));
    let teapot = around("teapot");
    assert_eq!((teapot.status, teapot.headers["x-saw"].as_str()), (418, "418"));
    assert_eq!((around("boom").status, around("nowhere").status), (500, 404));
    assert_eq!(server.get("/types/path/1/x").headers.get("x-saw"), None);
    server.log_with("RuntimeError: boom");
}

#[test]
fn a_lifespan_is_entered_once_before_the_first_request_and_left_at_the_end() {
    let mut server = narrow();
    let mut first: Vec<_> = (0..3)
        .map(|_| {
            let mut connection = server.connect();
            connection.start("GET", "/handlers/living/async", &[], b"");
            connection
        })
        .collect();
    for connection in &mut first {
        assert_eq!(connection.finish("GET").json(), json!(1));
    }
    assert_eq!(server.get("/handlers/living/def").json(), json!(["open", true, 1]));
    assert!(!server.log().contains("the pool is closed"));
    server.signal("-TERM");
    assert_eq!(server.wait(), Some(0));
    // Once in each interpreter that entered it.
    assert_eq!(server.log().matches("the pool is closed").count(), 1, "{}", server.log());
}

#[test]
fn a_path_that_is_wrong_by_its_slash_is_redirected() {
    let server = narrow();
    let response = server.get("/handlers/hidden?a=1");
    assert_eq!((response.status, response.headers["location"].as_str()), (307, "/handlers/hidden/?a=1"));
    assert_eq!(server.get("/handlers/hidden/").json(), json!("slashed"));
    assert_eq!(server.get("/handlers/set/").headers["location"], "/handlers/set");
    assert_eq!(server.get("/handlers/nowhere/").status, 404);
}

#[test]
fn the_description_and_its_pages_need_no_network() {
    let server = narrow();
    let api = server.get("/openapi.json").json();
    assert_eq!((&api["openapi"], &api["info"]["title"]), (&json!("3.1.0"), &json!("Fixture")));
    let paths = api["paths"].as_object().unwrap();
    assert!(paths.contains_key("/handlers/view/{number}"));
    assert!(!paths.keys().any(|path| path.starts_with("/handlers/hidden") || path.contains("around")));
    assert_eq!(paths["/handlers/auth/user"]["get"]["security"], json!([{"OAuth2PasswordBearer": ["read"]}]));
    let schemas = api["components"]["schemas"].as_object().unwrap();
    let person = schemas.values().find(|schema| schema["properties"]["firstName"].is_object()).unwrap();
    assert_eq!(person["properties"]["age"]["minimum"], json!(0));
    assert_eq!(person["additionalProperties"], json!(false));
    for (path, kind) in [
        ("/docs", "text/html"),
        ("/docs/swagger-ui-bundle.js", "text/javascript"),
        ("/docs/swagger-ui.css", "text/css"),
        ("/redoc", "text/html"),
    ] {
        let page = server.get(path);
        assert_eq!(page.status, 200, "{path}");
        assert!(page.headers["content-type"].starts_with(kind), "{path}");
        assert!(!page.text().contains("<script src=\"http"), "{path}");
    }
    assert_eq!(server.post("/docs", "").status, 404);
}
