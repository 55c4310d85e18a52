//! Calls a route as a function: turns named JSON arguments into the parts of a request.
//!
//! From there on they take the request path, so everything that is checked for a request is checked for them.

use crate::codec::work::Work;
use crate::manifest::router::{RouteMatch, Router};
use crate::manifest::{BodyKind, Manifest, Method, Param, Source};
use crate::validation::arguments::{self, Head, Input, InvalidArgs, ValidArgs};
use crate::validation::form::Form;
use crate::validation::named_values::Pair;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// Why a function cannot be called like this.
#[derive(Debug)]
pub enum BadCall {
    /// There is no such function, or no such argument: a message.
    Wrong(String),
    /// The values do not match the declared parameters.
    Invalid(InvalidArgs),
}

/// Find the route of a function, and validate its arguments.
pub fn arguments(
    manifest: &Manifest,
    router: &Router,
    function: &str,
    args: &Map<String, Value>,
    work: &mut Work,
) -> Result<(usize, ValidArgs), BadCall> {
    let wrong = |sentence: String| Err(BadCall::Wrong(sentence));
    let named = |route: &crate::manifest::Route| route.name == function;
    let Some(index) = manifest.routes.iter().position(named) else {
        return wrong(format!("the app has no function {function}"));
    };
    let route = &manifest.routes[index];
    if route.method == Method::WebSocket {
        return wrong(format!("{function} is a WebSocket, which only HTTP requests can open"));
    }
    if let Some(name) = args.keys().find(|name| !route.params.iter().any(|param| takes(param, name))) {
        return wrong(format!("{function} has no parameter {name}"));
    }
    if route.params.iter().any(|param| matches!(param.source, Source::File | Source::Stream)) {
        return wrong(format!("{function} takes files or a stream, which only HTTP requests can carry"));
    }
    let parts = Parts::of(&route.params, args, route.needs.body);
    let raw: Vec<_> =
        router.names(index).iter().map(|name| args.get(name).map(encoded).unwrap_or_default()).collect();
    let found = RouteMatch { route: index, segments: raw.iter().map(String::as_str).collect() };
    let head = Head {
        id: 0,
        method: route.method.as_str(),
        scheme: "http",
        prefix: "",
        path: &route.path,
        client: None,
    };
    let input = Input {
        query: Some(&parts.query),
        is_body_flowing: false,
        body: &parts.body,
        is_json: true,
        headers: &parts.headers,
        form: Some(&parts.form),
        head,
    };
    let args = arguments::validate(manifest, router, &found, input, work).map_err(BadCall::Invalid)?;
    Ok((index, args))
}

/// Parameters go by their name in requests. A record whose fields are values of the request has no name there.
fn takes(param: &Param, name: &str) -> bool {
    param.alias == name && param.source != Source::Request
}

/// The parts of a request, built from arguments.
#[derive(Default)]
struct Parts {
    query: String,
    headers: Vec<Pair<'static>>,
    form: Form,
    body: Vec<u8>,
}

impl Parts {
    fn of(params: &[Param], args: &Map<String, Value>, body: BodyKind) -> Self {
        let mut parts = Self::default();
        let (mut cookies, mut keys) = (Vec::new(), Map::new());
        for param in params {
            let Some(value) = args.get(&param.alias) else { continue };
            match param.source {
                Source::Query => {
                    for (name, text) in pairs(param, value) {
                        let (name, text) = (escape(&name), escape(&text));
                        let and = if parts.query.is_empty() { "" } else { "&" };
                        parts.query += &format!("{and}{name}={text}");
                    }
                }
                Source::Header => {
                    let all = pairs(param, value).into_iter();
                    parts.headers.extend(all.map(|(name, text)| (Cow::Owned(name), Cow::Owned(text))));
                }
                Source::Cookie => {
                    cookies.extend(pairs(param, value).iter().map(|(name, text)| format!("{name}={text}")));
                }
                Source::Form => {
                    let all = pairs(param, value).into_iter();
                    parts.form.fields.extend(all.map(|(name, text)| (Cow::Owned(name), Cow::Owned(text))));
                }
                Source::Body if body == BodyKind::Json && !param.embed => {
                    parts.body = value.to_string().into_bytes();
                }
                Source::Body => {
                    keys.insert(param.alias.clone(), value.clone());
                }
                Source::Path | Source::File | Source::Stream | Source::Request => {}
            }
        }
        if !keys.is_empty() {
            parts.body = Value::Object(keys).to_string().into_bytes();
        }
        if !cookies.is_empty() {
            parts.headers.push(("cookie".into(), cookies.join("; ").into()));
        }
        parts
    }
}

/// An argument as pairs of name and text: one for each item of a list, one for each field of a record.
fn pairs(param: &Param, value: &Value) -> Vec<(String, String)> {
    match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
        Value::Array(items) => items.iter().map(|item| (param.alias.clone(), text(item))).collect(),
        Value::Null => Vec::new(),
        scalar => vec![(param.alias.clone(), text(scalar))],
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn escape(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn encoded(value: &Value) -> String {
    escape(&text(value))
}
