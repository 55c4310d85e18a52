//! What reads foreign bytes, against random ones: nothing panics, and bounds hold.

use crate::codec::json_string::write_string;
use crate::codec::latin1::{latin1_bytes, latin1_in_place};
use crate::codec::marshal::Writer;
use crate::codec::reply::{self, Body, Flow};
use crate::codec::transcode::Reader;
use crate::codec::work::Work;
use crate::config::host_file::HostFile;
use crate::config::units;
use crate::manifest::router::Router;
use crate::manifest::{ABI, Manifest, Method};
use crate::validation::arguments::{Input, InvalidArgs, parse_form, validate};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::Path;

/// A marshalled JSON value, written by our own writer.
fn marshalled(value: &Value, out: &mut Writer) {
    match value {
        Value::Null => out.none(),
        Value::Bool(flag) => out.bool(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(int) => out.int(int),
            None => out.float(number.as_f64().unwrap()),
        },
        Value::String(text) => out.str(text),
        Value::Array(items) => {
            out.list(items.len());
            items.iter().for_each(|item| marshalled(item, out));
        }
        Value::Object(fields) => {
            out.dict();
            for (key, value) in fields {
                out.str(key);
                marshalled(value, out);
            }
            out.end_dict();
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e300..1e300).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// An app with a route for each kind of parameter.
fn manifest() -> Manifest {
    let t = |name: &str| json!({"t": name});
    let param = |place: &str, name: &str, ty: Value| json!({"name": name, "alias": name, "in": place, "type": ty, "required": true});
    let scalars = ["str", "int", "float", "bool", "datetime", "date", "uuid", "decimal", "any", "bytes"];
    let node = json!({"t": "union", "of": [t("none"), {"t": "ref", "id": "N"}, {"t": "ref", "id": "M"}, t("int"), {"t": "list", "item": {"t": "ref", "id": "N"}}]});
    let field = |name: &str, ty: &Value| json!({"name": name, "type": ty, "required": false});
    let mut query: Vec<Value> = scalars.iter().map(|name| param("query", name, t(name))).collect();
    query.push(param("query", "many", json!({"t": "list", "item": t("int")})));
    query.push(param("query", "pick", json!({"t": "enum", "values": ["a", 1]})));
    query.push(param("body", "body", json!({"t": "ref", "id": "N"})));
    let checked = |ty: &str, check: Value| json!({"t": ty, "check": check});
    let spread = |place: &str| json!({"name": "s", "alias": "s", "in": place, "type": {"t": "ref", "id": "F"}, "required": false, "spread": true});
    let named = [
        param("header", "x-number", checked("int", json!({"gt": 0, "multiple_of": 3}))),
        param("cookie", "c", checked("str", json!({"min_length": 2, "pattern": "^a+$"}))),
        param("form", "f", checked("float", json!({"ge": 0.5, "lt": 9}))),
        param("form", "many", json!({"t": "list", "item": checked("decimal", json!({"le": 5}))})),
        spread("query"),
        spread("header"),
        spread("form"),
        param("request", "request", t("request")),
    ];
    let route = |path: &str, params: Value| json!({"method": "POST", "path": path, "name": "h", "file": "a.py", "line": 1, "async": false, "status": 200, "params": params});
    let described = json!({
        "abi": ABI, "sdk": "0", "interpreter": "3.14", "marshal": 4, "app": "a:api",
        "defs": {
            "F": {"name": "F", "forbid": true, "fields": [field("q", &t("int")), field("r", &json!({"t": "list", "item": t("bool")}))]},
            "M": {"name": "M", "tag": ["value", "m"], "fields": [field("value", &t("str")), field("next", &node)]},
            "N": {"name": "N", "fields": [field("value", &t("int")), field("next", &node), field("when", &t("datetime"))]},
        },
        "routes": [
            route("/{p}/{rest:path}", json!([param("path", "p", t("int")), param("path", "rest", t("str"))])),
            route("/q", json!(query)),
            route("/any", json!([param("body", "body", t("any"))])),
            route("/named", json!(named)),
            route("/keys", json!([
                param("body", "a", t("int")),
                param("body", "b", json!({"t": "list", "item": t("str"), "check": {"min_length": 1, "max_length": 2}})),
            ])),
        ],
    });
    Manifest::parse(&described.to_string()).unwrap()
}

fn size(body: &Body) -> usize {
    match body {
        Body::Bytes(bytes) => bytes.len(),
        Body::File(path) => path.len(),
        Body::Stream(Flow::Plain) | Body::Socket => 0,
        Body::Stream(Flow::Events { last, .. }) => last.len(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_marshalled_comes_out_as_the_same_json(value in any_json()) {
        let mut writer = Writer::default();
        marshalled(&value, &mut writer);
        let mut out = Vec::new();
        Reader::new(&writer.buf, 1 << 30, &mut Work::alone()).json(&mut out, usize::MAX).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), value);
    }

    #[test]
    fn strings_are_escaped_as_serde_json_does(text in any::<String>()) {
        let mut out = Vec::new();
        write_string(&text, &mut out);
        prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
    }

    #[test]
    fn latin1_is_undone(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
        prop_assert_eq!(&latin1_bytes(text.clone()).unwrap(), &bytes);
        prop_assert_eq!(latin1_in_place(text).unwrap(), bytes);
    }

    #[test]
    fn no_reply_panics_or_grows_beyond_its_bound(text in "[\u{0}-\u{ff}]{0,200}") {
        if let Ok(reply) = reply::bytes(text).and_then(|data| reply::decode(&data, 1000, &mut Work::brief())) {
            prop_assert!(size(&reply.body) <= 1000);
        }
    }

    /// Bytes that are nearly a reply get further than random ones.
    #[test]
    fn no_damaged_reply_panics(value in any_json(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut writer = Writer::default();
        writer.tuple(2);
        writer.int(200);
        marshalled(&value, &mut writer);
        let index = at.index(writer.buf.len());
        writer.buf[index] = byte;
        let text: String = writer.buf.iter().map(|&byte| char::from(byte)).collect();
        if let Ok(reply) = reply::bytes(text).and_then(|data| reply::decode(&data, 10_000, &mut Work::brief())) {
            prop_assert!(size(&reply.body) <= 10_000 && reply.headers.len() <= 100);
        }
    }

    #[test]
    fn no_request_panics(path in "/[a-z0-9%/.]{0,20}", query in prop::option::of("[a-z0-9=&%+._:-]{0,60}"), body in prop::collection::vec(any::<u8>(), 0..100)) {
        let manifest = manifest();
        let router = Router::new(&manifest).unwrap();
        if let Ok(found) = router.find(Some(Method::Post), &path) {
            let input = Input { query: query.as_deref(), body: &body, is_json: true, ..Input::default() };
            if let Err(InvalidArgs::Invalid(errors)) = validate(&manifest, &router, &found, input, &mut Work::brief()) {
                let body = errors.into_body();
                prop_assert!(serde_json::from_slice::<Value>(&body).unwrap()["detail"].is_array());
            }
        }
    }

    #[test]
    fn no_json_body_panics(value in any_json(), query in "(str|int|float|bool|datetime|date|uuid|decimal|many|pick)=[-0-9a-zT:.+]{0,20}") {
        let manifest = manifest();
        let router = Router::new(&manifest).unwrap();
        for path in ["/q", "/any"] {
            let found = router.find(Some(Method::Post), path).unwrap();
            let body = json!({"value": value, "next": {"next": [value]}}).to_string();
            let input = Input { query: Some(&query), body: body.as_bytes(), is_json: true, ..Input::default() };
            if let Err(InvalidArgs::Invalid(errors)) = validate(&manifest, &router, &found, input, &mut Work::brief()) {
                prop_assert!(serde_json::from_slice::<Value>(&errors.into_body()).is_ok());
            }
        }
    }

    #[test]
    fn no_header_cookie_or_form_panics(
        headers in prop::collection::vec(("(x-number|cookie|q|r|[a-z]{1,3})", "[ -~é]{0,20}"), 0..5),
        body in "((f|many|q|r|x)=[-0-9a-z.%+&]{0,8}&?){0,5}",
        raw in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let manifest = manifest();
        let router = Router::new(&manifest).unwrap();
        let found = router.find(Some(Method::Post), "/named").unwrap();
        let headers: Vec<_> = headers.iter().map(|(k, v)| (k.as_str().into(), v.as_str().into())).collect();
        let _ = parse_form(&raw, &mut Work::brief());
        let Ok(form) = parse_form(body.as_bytes(), &mut Work::brief()) else { return Ok(()) };
        let input = Input { headers: &headers, form: Some(&form), query: Some("q=1&r=on"), ..Input::default() };
        match validate(&manifest, &router, &found, input, &mut Work::brief()) {
            Err(InvalidArgs::Invalid(errors)) => {
                prop_assert!(serde_json::from_slice::<Value>(&errors.into_body()).is_ok());
            }
            Err(InvalidArgs::Malformed(_)) => {}
            // A tuple of as many values as there are parameters.
            Ok(args) => prop_assert_eq!(&args.0[..2], b")\x08"),
            Err(InvalidArgs::Stopped(stop)) => prop_assert!(false, "{:?}", stop),
        }
    }

    #[test]
    fn keys_of_a_body_are_taken_one_by_one(value in any_json()) {
        let manifest = manifest();
        let router = Router::new(&manifest).unwrap();
        let found = router.find(Some(Method::Post), "/keys").unwrap();
        for body in [value.to_string(), json!({"a": value, "b": [value]}).to_string()] {
            let input = Input { body: body.as_bytes(), is_json: true, ..Input::default() };
            if let Err(InvalidArgs::Invalid(errors)) = validate(&manifest, &router, &found, input, &mut Work::brief()) {
                prop_assert!(serde_json::from_slice::<Value>(&errors.into_body()).is_ok());
            }
        }
    }

    #[test]
    fn no_manifest_panics(value in any_json(), name in "abi|defs|routes|marshal|title") {
        let mut described = json!({"abi": ABI, "sdk": "0", "interpreter": "3", "marshal": 4, "app": "a", "defs": {}, "routes": []});
        described[name] = value;
        if let Ok(manifest) = Manifest::parse(&described.to_string()) {
            let _ = Router::new(&manifest);
        }
    }

    /// Limits of a host file are read or refused with a sentence, whatever their values are.
    #[test]
    fn no_host_file_panics(key in "[a-z-]{1,12}|body|cpu|deadline|instances|rate", value in any_toml(), text in ".{0,80}") {
        for text in [
            format!("[server.limits]\n{key} = {value}\n"),
            format!("[server]\n{key} = {value}\n"),
            format!("[app.a]\nsource = \"a.wasm\"\n[app.a.limits]\n{key} = {value}\n"),
            text,
        ] {
            // There is no app that can be served, so each is refused.
            let told = HostFile::parse(&text, Path::new("/nowhere/host.toml"), 2).unwrap_err();
            prop_assert!(told.contains("host.toml:"), "{}", told);
        }
    }

    #[test]
    fn no_unit_panics(text in "\\PC{0,12}|[0-9]{1,20}[a-zA-Z]{0,4}") {
        let _ = units::size(&text);
        if let Ok(time) = units::duration(&text) {
            prop_assert!(time.as_millis() > 0);
        }
    }
}

fn any_toml() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_filter_map("TOML has no such number", |number| number
            .is_finite()
            .then(|| format!("{number:?}"))),
        any::<bool>().prop_map(|flag| flag.to_string()),
        "\"[0-9]{1,12}(ms|s|m|h|KiB|MiB|GiB)?\"",
        "\\[[0-9, ]{0,8}\\]",
    ]
}
