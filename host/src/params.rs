//! A request's path, query and body become the arguments of its handler, or a refusal.

use crate::errors422::{Errors, Loc};
use crate::manifest::{Absent, Manifest, Param, Route, Source, Type};
use crate::marshal::Writer;
use crate::route::{RouteMatch, Router};
use crate::validate::{Validator, write_absent};
use jiter::{JsonValue, PartialMode};
use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// The marshalled tuple of a handler's arguments: checked, in the order of its parameters.
#[derive(Debug)]
pub struct ValidArgs(pub Vec<u8>);

/// Why the arguments were refused.
#[derive(Debug)]
pub enum BadArgs {
    /// 400, with a sentence: the request is not well formed.
    Malformed(String),
    /// 422, with every error.
    Invalid(Errors),
}

/// What of a request the arguments are made of.
#[derive(Debug, Clone, Copy)]
pub struct Input<'r> {
    pub query: Option<&'r str>,
    pub body: &'r [u8],
    /// `application/json` or `application/…+json`.
    pub is_json: bool,
}

/// Make the arguments of the matched route.
pub fn validate(
    manifest: &Manifest,
    router: &Router,
    found: &RouteMatch<'_>,
    input: Input<'_>,
) -> Result<ValidArgs, BadArgs> {
    let route = &manifest.routes[found.route];
    let path = found.segments.iter().map(|raw| decode(raw, false)).collect::<Result<Vec<_>, _>>()?;
    let query = match input.query {
        Some(query) => parse_query(query)?,
        None => Vec::new(),
    };
    let mut out = Writer::with_capacity(64 + input.body.len());
    out.tuple(route.params.len());
    if route.params.is_empty() {
        return Ok(ValidArgs(out.buf));
    }
    let mut validator = Validator::new(&manifest.models, input.body.len() + input.query.map_or(0, str::len));
    let body = body_value(route, input, &mut validator.errors)?;
    for param in &route.params {
        match param.source {
            Source::Path => {
                let position = router.names(found.route).iter().position(|name| *name == param.alias);
                let text = position.and_then(|index| path.get(index)).map_or("", |text| text.as_ref());
                check_text(&mut validator, "path", param, text, &mut out);
            }
            Source::Query => check_query(&mut validator, param, &query, &mut out),
            Source::Body => check_body(&mut validator, param, &body, &mut out),
        }
    }
    if validator.errors.is_empty() { Ok(ValidArgs(out.buf)) } else { Err(BadArgs::Invalid(validator.errors)) }
}

/// The body as a handler's parameter sees it.
enum BodyValue<'r> {
    /// The route has no body parameter, or its error is already reported.
    Unused,
    Absent,
    Json(JsonValue<'r>),
}

fn body_value<'r>(route: &Route, input: Input<'r>, errors: &mut Errors) -> Result<BodyValue<'r>, BadArgs> {
    if !route.params.iter().any(|param| param.source == Source::Body) {
        return Ok(BodyValue::Unused);
    }
    if input.body.is_empty() {
        return Ok(BodyValue::Absent);
    }
    if !input.is_json {
        // FastAPI hands such a body over as text, which then is no dictionary.
        let text = String::from_utf8_lossy(input.body).into_owned();
        return Ok(BodyValue::Json(JsonValue::Str(text.into())));
    }
    match jiter::JsonValue::parse_with_config(input.body, false, PartialMode::Off) {
        Ok(value) => match duplicate_key(&value) {
            None => Ok(BodyValue::Json(value)),
            Some(key) => {
                let msg = format!("JSON decode error: the key {key:?} is given twice");
                errors.push("json_invalid", &[Loc::Key("body")], &msg, &JsonValue::Null);
                Ok(BodyValue::Unused)
            }
        },
        Err(error) => {
            let msg = format!("JSON decode error: {}", error.description(input.body));
            let loc = [Loc::Key("body"), Loc::Index(error.index)];
            errors.push("json_invalid", &loc, &msg, &JsonValue::Object(Default::default()));
            Ok(BodyValue::Unused)
        }
    }
}

/// Two values for one key are a way to show two readers two requests.
fn duplicate_key(value: &JsonValue<'_>) -> Option<String> {
    match value {
        JsonValue::Array(items) => items.iter().find_map(duplicate_key),
        JsonValue::Object(pairs) => {
            let repeated = if pairs.len() <= 16 {
                (1..pairs.len()).find(|&i| pairs[..i].iter().any(|(key, _)| *key == pairs[i].0))
            } else {
                let mut seen = std::collections::HashSet::with_capacity(pairs.len());
                (0..pairs.len()).find(|&i| !seen.insert(&pairs[i].0))
            };
            match repeated {
                Some(index) => Some(pairs[index].0.to_string()),
                None => pairs.iter().find_map(|(_, value)| duplicate_key(value)),
            }
        }
        _ => None,
    }
}

fn check_text<'m>(
    validator: &mut Validator<'m>,
    place: &'static str,
    param: &'m Param,
    text: &str,
    out: &mut Writer,
) {
    let value = JsonValue::Str(Cow::Borrowed(text));
    validator.check(&[Loc::Key(place), Loc::Key(&param.alias)], &param.ty, &value, out);
}

fn check_query<'m>(validator: &mut Validator<'m>, param: &'m Param, query: &[Pair<'_>], out: &mut Writer) {
    let given = || query.iter().filter(|(name, _)| *name == param.alias).map(|(_, value)| value.as_ref());
    if takes_many(&param.ty) {
        let values: Vec<_> = given().map(|text| JsonValue::Str(Cow::Borrowed(text))).collect();
        if !values.is_empty() {
            let value = JsonValue::Array(values.into());
            return validator.check(&[Loc::Key("query"), Loc::Key(&param.alias)], &param.ty, &value, out);
        }
    // Of a repeated single value the last counts, as in Starlette.
    } else if let Some(text) = given().next_back() {
        return check_text(validator, "query", param, text, out);
    }
    absent(validator, "query", param, out);
}

/// A query parameter whose repeated keys are collected.
fn takes_many(ty: &Type) -> bool {
    match ty {
        Type::List(_) | Type::Set(_) | Type::Sequence(_) | Type::Tuple(_) => true,
        Type::Union { arms, .. } => arms.iter().any(takes_many),
        _ => false,
    }
}

fn check_body<'m>(validator: &mut Validator<'m>, param: &'m Param, body: &BodyValue<'_>, out: &mut Writer) {
    match body {
        BodyValue::Unused => {}
        BodyValue::Json(value) => validator.check(&[Loc::Key("body")], &param.ty, value, out),
        BodyValue::Absent => match param.absent {
            Absent::Refuse => validator.missing(&[Loc::Key("body")]),
            ref absent => write_absent(absent, out),
        },
    }
}

fn absent<'m>(validator: &mut Validator<'m>, place: &'static str, param: &'m Param, out: &mut Writer) {
    match &param.absent {
        Absent::Refuse => validator.missing(&[Loc::Key(place), Loc::Key(&param.alias)]),
        absent => write_absent(absent, out),
    }
}

/// A decoded name and value of the query.
type Pair<'q> = (Cow<'q, str>, Cow<'q, str>);

fn parse_query(query: &str) -> Result<Vec<Pair<'_>>, BadArgs> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name, true)?, decode(value, true)?))
        })
        .collect()
}

/// Undo percent-encoding; in a query `+` is a space too.
fn decode(raw: &str, is_query: bool) -> Result<Cow<'_, str>, BadArgs> {
    if !raw.contains(['%', '+']) {
        return Ok(Cow::Borrowed(raw));
    }
    let spaced = if is_query && raw.contains('+') { raw.replace('+', " ") } else { raw.to_owned() };
    let bytes = spaced.as_bytes();
    let whole = |at: usize| {
        bytes.len() > at + 2 && bytes[at + 1].is_ascii_hexdigit() && bytes[at + 2].is_ascii_hexdigit()
    };
    if let Some(at) = (0..bytes.len()).find(|&at| bytes[at] == b'%' && !whole(at)) {
        return Err(BadArgs::Malformed(format!(
            "The URL has an incomplete percent escape at {:?}",
            &spaced[at..spaced.len().min(at + 1)]
        )));
    }
    match percent_decode_str(&spaced).decode_utf8() {
        Ok(text) => Ok(Cow::Owned(text.into_owned())),
        Err(_) => Err(BadArgs::Malformed("The URL's percent escapes are not valid UTF-8".to_owned())),
    }
}
