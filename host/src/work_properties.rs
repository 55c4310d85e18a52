//! What the host does for a request is bounded, stops when it is told to, and gives the same outcome wherever it is done.

use crate::codec::encode_error::EncodeError;
use crate::codec::marshal::Writer;
use crate::codec::reply::{self, DecodeError};
use crate::codec::work::{BRIEF, Stop, Watch, Work};
use crate::manifest::router::Router;
use crate::manifest::{ABI, Manifest, Method};
use crate::validation::arguments::{Input, InvalidArgs, validate};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Over after some looks; it has some memory, and counts what is reserved.
struct Background {
    looks: usize,
    memory: usize,
    reserved: Arc<AtomicUsize>,
}

impl Background {
    fn new(looks: usize, memory: usize) -> Self {
        Self { looks, memory, reserved: Arc::default() }
    }
}

impl Watch for Background {
    fn is_over(&mut self) -> bool {
        self.looks = self.looks.saturating_sub(1);
        self.looks == 0
    }

    fn reserve(&mut self, bytes: usize) -> bool {
        self.reserved.fetch_add(bytes, Ordering::Relaxed) + bytes <= self.memory
    }
}

/// An app with one route, whose body has this type.
struct App {
    manifest: Manifest,
    router: Router,
}

impl App {
    fn new(ty: Value, defs: Value) -> Self {
        let param = json!({"alias": "b", "in": "body", "type": ty, "required": true});
        let manifest = json!({"abi": ABI, "sdk": "0", "interpreter": "3.14", "marshal": 4, "app": "a:api", "defs": defs,
            "routes": [{"method": "POST", "path": "/", "name": "h", "file": "a.py", "line": 1, "async": false,
                "status": 200, "params": [param]}]});
        let manifest = Manifest::parse(&manifest.to_string()).unwrap();
        Self { router: Router::new(&manifest).unwrap(), manifest }
    }

    fn list(item: Value) -> Self {
        Self::new(json!({"t": "list", "item": item}), json!({}))
    }

    /// The arguments, or the body of a 422, or why it stopped.
    fn check(&self, body: &str, work: &mut Work) -> Result<Result<Vec<u8>, String>, Stop> {
        let found = self.router.find(Some(Method::Post), "/").unwrap();
        let input = Input { body: body.as_bytes(), is_json: true, ..Input::default() };
        match validate(&self.manifest, &self.router, &found, input, work) {
            Ok(args) => Ok(Ok(args.0)),
            Err(InvalidArgs::Invalid(errors)) => Ok(Err(String::from_utf8(errors.into_body()).unwrap())),
            Err(InvalidArgs::Malformed(sentence)) => Ok(Err(sentence)),
            Err(InvalidArgs::Stopped(stop)) => Err(stop),
        }
    }

    /// Whether a body is checked with this many units.
    fn costs_at_most(&self, body: &str, units: u64) -> bool {
        let mut work = Work::alone();
        work.bound(units);
        self.check(body, &mut work).is_ok() && work.stopped().is_none()
    }
}

fn items(item: &str, bytes: usize) -> String {
    format!("[{}]", vec![item; bytes / (item.len() + 1)].join(","))
}

/// A type that is nested in itself, with what is dear to check.
fn node() -> App {
    let node = json!({"t": "ref", "id": "N"});
    let next = json!({"t": "union", "of": [{"t": "none"}, node, {"t": "list", "item": node}, {"t": "int"},
        {"t": "dict", "key": {"t": "int"}, "value": node}, {"t": "literal", "values": (0..20).collect::<Vec<_>>()}]});
    let text = json!({"t": "str", "check": {"pattern": "^(a|b)*c?$", "max_length": 9}});
    let field = |name: &str, ty: &Value| json!({"name": name, "type": ty, "required": false});
    let fields = json!([field("next", &next), field("text", &text), field("when", &json!({"t": "date"}))]);
    App::new(node.clone(), json!({"N": {"name": "N", "fields": fields}}))
}

fn any_node() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        (0..25i64).prop_map(Value::from),
        "[abc]{0,12}|2024-01-0[0-3]".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("next|text|when|[0-9]", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    /// One that is interrupted gives no outcome, and one that is not gives the same as without a watch.
    #[test]
    fn interrupted_work_is_done_again_with_the_same_outcome(value in any_node(), bound in 0..200_000u64, looks in 1..4usize) {
        let (app, body) = (node(), value.to_string());
        let whole = app.check(&body, &mut Work::alone()).unwrap();
        let in_background = app.check(&body, &mut Work::background(Background::new(usize::MAX, usize::MAX)));
        prop_assert_eq!(in_background.unwrap(), whole.clone());
        match app.check(&body, &mut Work::background(Background::new(looks, usize::MAX))) {
            Ok(outcome) => prop_assert_eq!(outcome, whole.clone()),
            Err(stop) => prop_assert_eq!(stop, Stop::Late),
        }
        let mut work = Work::alone();
        work.bound(bound);
        match (app.check(&body, &mut work), work.stopped()) {
            (Ok(outcome), None) => prop_assert_eq!(outcome, whole),
            (Ok(Err(told)), Some(Stop::Spent)) => prop_assert!(told.contains("too_complex"), "{}", told),
            (Err(Stop::Spent), Some(Stop::Spent)) => {}
            other => prop_assert!(false, "{:?}", other),
        }
    }
}

/// However many values a type has, finding one costs the same.
#[test]
fn a_value_costs_the_same_among_thousands_as_among_ten() {
    const SIZE: usize = 100_000;
    for kind in ["literal", "enum"] {
        for count in [10, 10_000] {
            let values: Vec<_> = (0..count).map(|number| format!("value-{number}")).collect();
            let last = format!("\"{}\"", values.last().unwrap());
            let app = App::list(json!({"t": kind, "values": values}));
            assert!(app.costs_at_most(&items(&last, SIZE), 60 * SIZE as u64), "{kind}, {count}");
            assert!(app.costs_at_most(&items("\"none\"", SIZE), 60 * SIZE as u64), "{kind}, {count}");
        }
    }
    // So do models: with their fields in another order, and told apart by a tag.
    let field = |number: usize| json!({"name": format!("f{number}"), "type": {"t": "int"}, "required": true});
    for count in [10, 4000] {
        let model = json!({"name": "M", "forbid": true, "fields": (0..count).map(field).collect::<Vec<_>>()});
        let app = App::new(json!({"t": "list", "item": {"t": "ref", "id": "M"}}), json!({"M": model}));
        let fields: Vec<_> = (0..count).rev().map(|number| format!("\"f{number}\":1")).collect();
        let body = items(&format!("{{{}}}", fields.join(",")), SIZE);
        assert!(app.check(&body, &mut Work::alone()).unwrap().is_ok());
        assert!(app.costs_at_most(&body, 60 * SIZE as u64), "{count} fields");
        let names: Vec<_> = (0..count).map(|number| format!("M{number}")).collect();
        let model = |name: &String| (name.clone(), json!({"name": name, "tag": ["k", name], "fields": []}));
        let arms: Vec<_> = names.iter().map(|name| json!({"t": "ref", "id": name})).collect();
        let union = json!({"t": "list", "item": {"t": "union", "of": arms}});
        let app = App::new(union, Value::Object(names.iter().map(model).collect()));
        let body = items(&format!("{{\"k\":\"M{}\"}}", count - 1), SIZE);
        assert!(app.costs_at_most(&body, 60 * SIZE as u64), "{count} arms");
    }
}

/// Errors that nobody is told of cost nothing: what follows them is not even looked at.
#[test]
fn a_422_is_bounded_and_what_follows_its_errors_is_left_out() {
    let values: Vec<_> = (0..4000).map(|number| format!("value-{number}")).collect();
    let app = App::list(json!({"t": "literal", "values": values}));
    let told = app.check(&items("\"x\"", 1 << 20), &mut Work::alone()).unwrap().unwrap_err();
    assert!(told.len() < 1 << 20 && told.contains("value-3999"), "{}", told.len());
    let long = format!("\"{}\"", "x".repeat(200_000));
    let told = app.check(&items(&long, 40 << 20), &mut Work::alone()).unwrap().unwrap_err();
    assert!(told.len() < 1 << 20, "{}", told.len());
    // An item that would stop the work stands behind two hundred errors.
    let worst =
        json!({"t": "union", "of": [{"t": "int"}, {"t": "str", "check": {"pattern": "(?:x+x+){2500}y"}}]});
    let body = format!("[{},\"{}\"]", vec!["null"; 300].join(","), "x".repeat(1 << 16));
    let mut work = Work::alone();
    assert!(App::list(worst).check(&body, &mut work).unwrap().is_err());
    assert_eq!(work.stopped(), None);
}

#[test]
fn a_long_check_leaves_the_workers_thread_and_ends_at_the_deadline() {
    let pattern = json!({"t": "str", "check": {"pattern": "(?:x+x+){2500}y"}});
    let cases = [
        (App::list(pattern), format!("[\"{}\"]", "x".repeat(60_000))),
        (App::list(json!({"t": "any"})), items("[]", 1 << 20)),
        (node(), format!("{{\"next\":{}}}", items("{\"when\":\"x\"}", 1 << 20))),
    ];
    for (app, body) in cases {
        assert_eq!(app.check(&body, &mut Work::brief()), Err(Stop::Long));
        let late = app.check(&body, &mut Work::background(Background::new(3, usize::MAX)));
        assert_eq!(late, Err(Stop::Late));
    }
    let (app, body) = (App::list(json!({"t": "any"})), items("[]", 1 << 20));
    assert_eq!(
        app.check(&body, &mut Work::background(Background::new(usize::MAX, 1 << 20))),
        Err(Stop::Room)
    );
    // It takes less than is reserved for it.
    let watch = Background::new(usize::MAX, usize::MAX);
    let reserved = watch.reserved.clone();
    assert!(app.check(&body, &mut Work::background(watch)).unwrap().is_ok());
    assert!((4 << 20..128 << 20).contains(&reserved.load(Ordering::Relaxed)), "{reserved:?}");
}

fn list_of(object: &[u8], count: usize) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.tuple(2);
    writer.int(200);
    writer.list(count);
    (0..count).for_each(|_| writer.raw(object));
    writer.buf
}

/// Objects that references may name cost memory in the host: it is reserved before, and there is little of it.
#[test]
fn objects_of_a_reply_are_paid_for_before_they_are_kept() {
    const COUNT: usize = 100_000;
    let decode = |data: &[u8], work: &mut Work| reply::decode(data, 64 << 20, work);
    // Empty tuples, each of which a reference may name.
    let data = list_of(b"\xa9\0", COUNT);
    let watch = Background::new(usize::MAX, usize::MAX);
    let reserved = watch.reserved.clone();
    assert!(decode(&data, &mut Work::background(watch)).is_ok());
    let reserved = reserved.load(Ordering::Relaxed);
    assert!((12 * COUNT..32 * COUNT).contains(&reserved), "{reserved}");
    let refused = decode(&data, &mut Work::background(Background::new(usize::MAX, 12 * COUNT)));
    assert_eq!(refused, Err(DecodeError::Unencodable(EncodeError::Stopped(Stop::Room))));
    // Objects of one byte cannot be named at all.
    let refused = decode(&list_of(b"\xce", COUNT), &mut Work::brief());
    assert_eq!(refused, Err(DecodeError::Unencodable(EncodeError::UnknownCode(0xce))));
}

#[test]
fn a_long_reply_leaves_the_workers_thread_and_ends_at_the_deadline() {
    let data = list_of(b"N", BRIEF as usize / 10);
    let stopped = |stop| Err(DecodeError::Unencodable(EncodeError::Stopped(stop)));
    let decode = |data: &[u8], work: &mut Work| reply::decode(data, 64 << 20, work);
    assert_eq!(decode(&data, &mut Work::brief()), stopped(Stop::Long));
    assert_eq!(decode(&data, &mut Work::background(Background::new(2, usize::MAX))), stopped(Stop::Late));
    assert!(decode(&data, &mut Work::background(Background::new(usize::MAX, usize::MAX))).is_ok());
}
