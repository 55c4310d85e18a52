//! Builds a handler's arguments from a request's path, query, headers and body, or refuses the request.

use crate::codec::marshal::Writer;
use crate::codec::work::{Stop, Work};
use crate::manifest::router::{RouteMatch, Router};
use crate::manifest::{Absent, BodyKind, Manifest, Param, Route, Source, Type};
use crate::validation::cost;
use crate::validation::error_list::{ErrorList, Loc};
use crate::validation::form::{self, Form};
use crate::validation::json_error::json_error;
use crate::validation::named_values::{NamedValues, Pair, cookies};
use crate::validation::validator::{Validator, plain, write_absent};
use jiter::{JsonValue, PartialMode};
use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// The marshalled tuple of a handler's valid arguments, in the order of its parameters.
#[derive(Debug)]
pub struct ValidArgs(pub Vec<u8>);

/// Why the arguments were refused.
#[derive(Debug)]
pub enum InvalidArgs {
    /// 400, with a sentence: the request is malformed.
    Malformed(String),
    /// 422, with every error.
    Invalid(ErrorList),
    /// The work stopped before that was known.
    Stopped(Stop),
}

impl From<Stop> for InvalidArgs {
    fn from(stop: Stop) -> Self {
        Self::Stopped(stop)
    }
}

/// The parts of a request that become arguments.
#[derive(Debug, Clone, Copy, Default)]
pub struct Input<'r> {
    pub query: Option<&'r str>,
    pub body: &'r [u8],
    /// The handler reads the body in parts.
    pub is_body_flowing: bool,
    /// `application/json` or `application/…+json`.
    pub is_json: bool,
    /// Empty if the route needs none.
    pub headers: &'r [Pair<'r>],
    /// The form, if the route takes one and the body is one.
    pub form: Option<&'r Form>,
    pub head: Head<'r>,
}

/// The rest of a request, for handlers that take the whole request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Head<'r> {
    pub id: u64,
    pub method: &'r str,
    pub scheme: &'r str,
    /// The path prefix that selected the app.
    pub prefix: &'r str,
    /// What follows the prefix.
    pub path: &'r str,
    /// The address of the sender.
    pub client: Option<(&'r str, u16)>,
}

/// Build the arguments of the matched route.
pub fn validate(
    manifest: &Manifest,
    router: &Router,
    found: &RouteMatch<'_>,
    input: Input<'_>,
    work: &mut Work,
) -> Result<ValidArgs, InvalidArgs> {
    let route = &manifest.routes[found.route];
    let given = input.form.map_or(0, Form::size);
    let size = input.body.len() + input.query.map_or(0, str::len) + given;
    work.bound(cost::bound(size));
    let path = found.segments.iter().map(|raw| decode(raw, false)).collect::<Result<Vec<_>, _>>()?;
    let query = match input.query {
        Some(query) => parse_pairs(query)?,
        None => Vec::new(),
    };
    let mut out = Writer::with_capacity(64 + input.body.len());
    out.tuple(route.params.len());
    if route.params.is_empty() {
        return Ok(ValidArgs(out.buf));
    }
    let names = router.names(found.route);
    let cookies = if route.needs.headers { cookies(input.headers) } else { Vec::new() };
    let no_form = Form::default();
    let form = input.form.unwrap_or(&no_form);
    let mut validator = Validator::new(&manifest.models, size, work);
    let body = body_value(route, input, &mut validator)?;
    let texts = |source, pairs| NamedValues { source, pairs };
    for param in &route.params {
        let named = match param.source {
            Source::Path => {
                let position = names.iter().position(|name| *name == param.alias);
                let text = position.and_then(|index| path.get(index)).map_or("", |text| text.as_ref());
                let loc = [Loc::Key("path"), Loc::Key(&param.alias)];
                validator.check(&loc, &param.ty, &JsonValue::Str(Cow::Borrowed(text)), &mut out);
                continue;
            }
            Source::Body => {
                check_body(&mut validator, param, route.needs.body, &body, &mut out);
                continue;
            }
            Source::File => {
                form::write_files(param, form, input.head.id, &mut validator, &mut out);
                continue;
            }
            Source::Stream => {
                out.none();
                continue;
            }
            Source::Request => {
                write_request(&mut out, manifest, names, &path, input);
                continue;
            }
            Source::Query => texts(param.source, query.as_slice()),
            Source::Header => texts(param.source, input.headers),
            Source::Cookie => texts(param.source, cookies.as_slice()),
            Source::Form => texts(param.source, form.fields.as_slice()),
        };
        if param.source == Source::Form
            && !form.files.is_empty()
            && !named.has(&param.alias)
            && let Some(file) = form.file_as_value(param)
        {
            validator.check(&[Loc::Key("body"), Loc::Key(&param.alias)], &param.ty, &file, &mut out);
            continue;
        }
        check_named(&mut validator, manifest, param, named, &mut out);
    }
    match validator.work.stopped() {
        // The errors say so.
        None | Some(Stop::Spent) => {}
        Some(stop) => return Err(stop.into()),
    }
    if validator.errors.is_empty() {
        Ok(ValidArgs(out.buf))
    } else {
        Err(InvalidArgs::Invalid(validator.errors))
    }
}

fn check_named<'m>(
    validator: &mut Validator<'m, '_>,
    manifest: &'m Manifest,
    param: &'m Param,
    named: NamedValues<'_>,
    out: &mut Writer,
) {
    let place = Loc::Key(param.source.place());
    let names = match &param.ty {
        Type::Model(index) if param.spread => manifest.models[*index].fields.len(),
        _ => 1,
    };
    if validator.work.spend(cost::searched(names * named.pairs.len())).is_err() {
        validator.halt_at(&[place]);
        return;
    }
    if let (true, Type::Model(index)) = (param.spread, &param.ty) {
        let fields = named.fields(&manifest.models[*index], param);
        return validator.check(&[place], &param.ty, &fields, out);
    }
    let loc = [place, Loc::Key(&param.alias)];
    match named.value(&param.alias, &param.ty) {
        Some(value) => validator.check(&loc, &param.ty, &value, out),
        None => absent(validator, &loc, &param.absent, out),
    }
}

fn absent<'m>(validator: &mut Validator<'m, '_>, loc: &[Loc<'m>], absent: &'m Absent, out: &mut Writer) {
    match absent {
        Absent::Refuse => validator.missing(loc),
        absent => write_absent(absent, out),
    }
}

/// The arguments of a refusal's handler: the reason, and the request as [`whole_request`] wrote it.
pub fn refusal(told: &JsonValue<'_>, request: &[u8]) -> ValidArgs {
    let mut out = Writer::default();
    out.tuple(2);
    // What is told is bounded.
    let _ = plain(told, &mut out, &mut Work::alone());
    out.raw(request);
    ValidArgs(out.buf)
}

/// A marshalled request. It has path parameters if it found a route.
pub fn whole_request(
    manifest: &Manifest,
    router: &Router,
    found: Option<&RouteMatch<'_>>,
    input: Input<'_>,
) -> Vec<u8> {
    let mut out = Writer::with_capacity(256 + input.body.len());
    let names = found.map_or(&[][..], |found| router.names(found.route));
    let segments = found.iter().flat_map(|found| &found.segments);
    // Those that cannot be decoded were refused before.
    let path: Vec<_> = segments.map(|raw| decode(raw, false).unwrap_or_default()).collect();
    write_request(&mut out, manifest, names, &path, input);
    out.buf
}

/// `(method, scheme, path, query, headers, client, path parameters, body)`, and the prefix for apps that know it.
fn write_request(
    out: &mut Writer,
    manifest: &Manifest,
    names: &[String],
    path: &[Cow<'_, str>],
    input: Input<'_>,
) {
    out.tuple(if manifest.takes_prefix { 9 } else { 8 });
    out.str(input.head.method);
    out.str(input.head.scheme);
    out.str(input.head.path);
    out.str(input.query.unwrap_or_default());
    out.list(input.headers.len());
    for (name, value) in input.headers {
        out.tuple(2);
        out.str(name);
        out.str(value);
    }
    match input.head.client {
        Some((address, port)) => {
            out.tuple(2);
            out.str(address);
            out.int(i64::from(port));
        }
        None => out.none(),
    }
    out.dict();
    for (name, text) in names.iter().zip(path) {
        out.str(name);
        out.str(text);
    }
    out.end_dict();
    if input.is_body_flowing {
        out.none()
    } else {
        out.bytes(input.body)
    }
    if manifest.takes_prefix {
        out.str(input.head.prefix);
    }
}

/// The body as a handler's parameter sees it.
enum BodyValue<'r> {
    /// The route has no body parameter, or its error is already reported.
    Unused,
    Absent,
    Json(JsonValue<'r>),
}

fn body_value<'r>(
    route: &Route,
    input: Input<'r>,
    validator: &mut Validator<'_, '_>,
) -> Result<BodyValue<'r>, InvalidArgs> {
    let (work, errors) = (&mut *validator.work, &mut validator.errors);
    if !matches!(route.needs.body, BodyKind::Json | BodyKind::Keys) {
        return Ok(BodyValue::Unused);
    }
    if input.body.is_empty() {
        return Ok(BodyValue::Absent);
    }
    if !input.is_json {
        // FastAPI passes such a body on as text, which then fails validation as a dictionary.
        let text = String::from_utf8_lossy(input.body).into_owned();
        return Ok(BodyValue::Json(JsonValue::Str(text.into())));
    }
    work.spend(cost::parsed(input.body.len()))?;
    work.reserve(cost::tree(input.body))?;
    match jiter::JsonValue::parse_with_config(input.body, false, PartialMode::Off) {
        Ok(value) => match duplicate_key(&value, work)? {
            None => Ok(BodyValue::Json(value)),
            Some(key) => {
                let msg = format!("JSON decode error: the key {key:?} is given twice");
                errors.push("json_invalid", &[Loc::Key("body")], &msg, &JsonValue::Null);
                Ok(BodyValue::Unused)
            }
        },
        Err(error) => {
            // CPython takes NaN and deeper nesting, for example; then the parser says why it does not.
            let (at, why) = match std::str::from_utf8(input.body).ok().and_then(json_error) {
                Some((at, why)) => (at, why.to_owned()),
                None => (error.index, error.description(input.body)),
            };
            let msg = format!("JSON decode error: {why}");
            let loc = [Loc::Key("body"), Loc::Index(at)];
            errors.push("json_invalid", &loc, &msg, &JsonValue::Object(Default::default()));
            Ok(BodyValue::Unused)
        }
    }
}

/// A duplicate key is refused because two parsers may each pick a different value.
fn duplicate_key(value: &JsonValue<'_>, work: &mut Work) -> Result<Option<String>, Stop> {
    match value {
        JsonValue::Array(items) => {
            work.spend(cost::CONTAINER + items.len() as u64)?;
            for item in items.iter() {
                if let Some(key) = duplicate_key(item, work)? {
                    return Ok(Some(key));
                }
            }
        }
        JsonValue::Object(pairs) => {
            work.spend(cost::CONTAINER + cost::FIELD * pairs.len() as u64)?;
            let repeated = if pairs.len() <= 16 {
                (1..pairs.len()).find(|&i| pairs[..i].iter().any(|(key, _)| *key == pairs[i].0))
            } else {
                work.spend(cost::HASHED * pairs.len() as u64)?;
                let mut seen = std::collections::HashSet::with_capacity(pairs.len());
                (0..pairs.len()).find(|&i| !seen.insert(&pairs[i].0))
            };
            if let Some(index) = repeated {
                return Ok(Some(pairs[index].0.to_string()));
            }
            for (_, value) in pairs.iter() {
                if let Some(key) = duplicate_key(value, work)? {
                    return Ok(Some(key));
                }
            }
        }
        _ => {}
    }
    Ok(None)
}

fn check_body<'m>(
    validator: &mut Validator<'m, '_>,
    param: &'m Param,
    kind: BodyKind,
    body: &BodyValue<'_>,
    out: &mut Writer,
) {
    let whole = [Loc::Key("body")];
    if kind == BodyKind::Json {
        return match body {
            BodyValue::Unused => {}
            BodyValue::Json(value) => validator.check(&whole, &param.ty, value, out),
            BodyValue::Absent => absent(validator, &whole, &param.absent, out),
        };
    }
    let loc = [whole[0], Loc::Key(&param.alias)];
    let pairs = match body {
        BodyValue::Unused => return,
        BodyValue::Json(JsonValue::Object(pairs)) => pairs.as_slice(),
        BodyValue::Json(_) => return validator.missing(&loc),
        BodyValue::Absent => &[],
    };
    match pairs.iter().find(|(name, _)| *name == param.alias) {
        Some((_, value)) => validator.check(&loc, &param.ty, value, out),
        None => absent(validator, &loc, &param.absent, out),
    }
}

/// The names and values of a query string.
fn parse_pairs(query: &str) -> Result<Vec<Pair<'_>>, InvalidArgs> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name, true)?, decode(value, true)?))
        })
        .collect()
}

/// The fields of a URL-encoded form. Errors are sentences for people.
pub fn parse_form(body: &[u8], work: &mut Work) -> Result<Form, InvalidArgs> {
    let pairs = 1 + memchr::memchr_iter(b'&', body).count();
    work.spend(cost::parsed(body.len()) + cost::HASHED * pairs as u64)?;
    work.reserve(body.len() + cost::PAIR * pairs)?;
    let text = std::str::from_utf8(body)
        .map_err(|_| InvalidArgs::Malformed("The form is not valid UTF-8".to_owned()))?;
    let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
    let fields = parse_pairs(text)?.into_iter().map(|(name, value)| (owned(name), owned(value))).collect();
    Ok(Form { fields, files: Vec::new() })
}

/// Percent-decode; in a query, `+` is a space as well.
fn decode(raw: &str, is_query: bool) -> Result<Cow<'_, str>, InvalidArgs> {
    if !raw.contains(['%', '+']) {
        return Ok(Cow::Borrowed(raw));
    }
    let spaced = if is_query && raw.contains('+') { raw.replace('+', " ") } else { raw.to_owned() };
    let bytes = spaced.as_bytes();
    let whole = |at: usize| {
        bytes.len() > at + 2 && bytes[at + 1].is_ascii_hexdigit() && bytes[at + 2].is_ascii_hexdigit()
    };
    if let Some(at) = (0..bytes.len()).find(|&at| bytes[at] == b'%' && !whole(at)) {
        return Err(InvalidArgs::Malformed(format!(
            "The URL has an incomplete percent escape at {:?}",
            &spaced[at..spaced.len().min(at + 1)]
        )));
    }
    match percent_decode_str(&spaced).decode_utf8() {
        Ok(text) => Ok(Cow::Owned(text.into_owned())),
        Err(_) => Err(InvalidArgs::Malformed("The URL's percent escapes are not valid UTF-8".to_owned())),
    }
}
