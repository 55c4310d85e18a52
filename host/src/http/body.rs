//! Request bodies: read whole within limits, or, if they are multipart forms, parsed as they arrive.

use crate::apps::app::App;
use crate::config::Limits;
use crate::config::limit_table::Limit;
use crate::error::{Failure, Rejection};
use crate::http::disposition;
use crate::http::head::{self, BodyError, RequestBody};
use crate::http::request_stream;
use crate::manifest::{BodyKind, Param, Route, Source, Type};
use crate::quota::body_budget::{BodyBudget, BodyReservation};
use crate::quota::files::FileQuota;
use crate::sandbox::body_stream::BodyStream;
use crate::sandbox::socket::SocketTerms;
use crate::sandbox::uploads::{Refused, Spool, Uploads};
use crate::validation::form::{FilePart, Form};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::header::{CONTENT_TYPE, EXPECT};
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most parts of a multipart form.
const MAX_PARTS: usize = 1000;

/// Most bytes of a form that the parser buffers outside any part.
const MAX_UNREAD: usize = 1024 * 1024;

/// A received request body.
pub struct ReceivedBody {
    pub bytes: Bytes,
    /// A multipart form.
    pub form: Option<Form>,
    /// The bytes are a form.
    pub is_url_encoded: bool,
    pub uploads: Option<Arc<Uploads>>,
    /// What the handler reads in parts.
    pub flow: Option<BodyStream>,
    /// If the request is the handshake of a WebSocket.
    pub socket: Option<SocketTerms>,
    /// Body budget of what is in memory.
    pub reservation: BodyReservation,
}

/// Receive the body in the form that its route needs.
pub async fn receive(
    body: impl RequestBody,
    headers: &HeaderMap,
    app: &App,
    route: usize,
) -> Result<ReceivedBody, Failure> {
    let (route, limits, mut reservation) = (&app.manifest.routes[route], &app.limits, app.bodies.reserve());
    if flows(app, route, headers, &body) {
        let flow = Some(request_stream::flow(body, limits)?);
        let (bytes, form, uploads) = Default::default();
        return Ok(ReceivedBody {
            bytes,
            form,
            is_url_encoded: false,
            uploads,
            flow,
            socket: None,
            reservation,
        });
    }
    let kind = if route.needs.body == BodyKind::Form { form_kind(headers) } else { FormKind::None };
    if let FormKind::Multipart(boundary) = kind {
        let spec = &app.component.spec;
        let reading = multipart(body, boundary, route, limits, reservation, (&spec.files, &spec.uploads));
        return tokio::time::timeout(limits.body_timeout, reading)
            .await
            .map_err(|_| Rejection::BodyTimeout)?;
    }
    let bytes = head::read_body(body, limits.max_body, limits.body_timeout, &mut reservation).await?;
    let is_url_encoded = matches!(kind, FormKind::UrlEncoded);
    Ok(ReceivedBody {
        bytes,
        form: None,
        is_url_encoded,
        uploads: None,
        flow: None,
        socket: None,
        reservation,
    })
}

/// Whether the handler reads the body in parts. A `def` handler does so only if it says so: an interpreter would wait for each
/// slow client.
fn flows(app: &App, route: &Route, headers: &HeaderMap, body: &impl RequestBody) -> bool {
    match route.needs.body {
        BodyKind::Stream => true,
        BodyKind::None if app.manifest.reads_streams && route.handler_is_async && route.needs.request => {
            !request_stream::is_read_first(body, headers.contains_key(EXPECT))
        }
        _ => false,
    }
}

enum FormKind {
    None,
    UrlEncoded,
    Multipart(String),
}

fn form_kind(headers: &HeaderMap) -> FormKind {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return FormKind::None;
    };
    let essence = value.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return FormKind::UrlEncoded;
    }
    match multer::parse_boundary(value) {
        Ok(boundary) => FormKind::Multipart(boundary),
        Err(_) => FormKind::None,
    }
}

async fn multipart(
    body: impl RequestBody,
    boundary: String,
    route: &Route,
    limits: &Limits,
    reservation: BodyReservation,
    (files, disk): (&FileQuota, &BodyBudget),
) -> Result<ReceivedBody, Failure> {
    let mut left = Left { fields: limits.max_body, files: limits.max_upload, reservation };
    let unread = Arc::new(AtomicUsize::new(0));
    let mut parts = multer::Multipart::new(bounded(body, unread.clone()), boundary);
    let (mut form, mut uploads) = (Form::default(), Uploads::default());
    let mut count = 0;
    while let Some(mut part) = parts.next_field().await.map_err(malformed)? {
        unread.store(0, Ordering::Relaxed);
        count += 1;
        if count > MAX_PARTS {
            return Err(Rejection::Malformed(format!("The form has more than {MAX_PARTS} parts")).into());
        }
        let named = |given: Option<&str>, parameter: &str| {
            given.map(str::to_owned).or_else(|| disposition::latin1(part.headers(), parameter))
        };
        let name = named(part.name(), "name").unwrap_or_default();
        let Some(filename) = named(part.file_name(), "filename") else {
            let mut text = Vec::new();
            while let Some(chunk) = part.chunk().await.map_err(malformed)? {
                unread.store(0, Ordering::Relaxed);
                left.take_field(chunk.len(), limits)?;
                text.extend_from_slice(&chunk);
            }
            left.take_field(name.len(), limits)?;
            let text = String::from_utf8_lossy(&text).into_owned();
            form.fields.push((Cow::Owned(name), Cow::Owned(text)));
            continue;
        };
        // Of these, the request keeps copies.
        let head: usize = part.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        left.take_field(2 * head, limits)?;
        let mut spool = Spool::within(files.clone(), disk.clone());
        while let Some(chunk) = part.chunk().await.map_err(malformed)? {
            unread.store(0, Ordering::Relaxed);
            left.take_file(chunk.len(), limits)?;
            if spool.is_in_memory() {
                left.reservation.grow(chunk.len())?;
            }
            spool.take(&chunk).await.map_err(unstored)?;
        }
        spool.finish().await.map_err(unstored)?;
        let content = if takes_bytes(route, &name) {
            let too_large = Rejection::TooLarge { most: limits.max_body, limit: Limit::MaxBody };
            Some(spool.content().ok_or(too_large)?)
        } else {
            None
        };
        let text =
            |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = part.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let content_type = part.content_type().map(ToString::to_string).unwrap_or_default();
        form.files.push(FilePart { name, filename, content_type, headers, size: spool.size, content });
        uploads.push(spool);
    }
    Ok(ReceivedBody {
        bytes: Bytes::new(),
        form: Some(form),
        is_url_encoded: false,
        uploads: Some(Arc::new(uploads)),
        flow: None,
        socket: None,
        reservation: left.reservation,
    })
}

/// The body as a stream that fails when too much arrives without a part or its content: the parser buffers what it
/// cannot parse yet, such as a part's head without an end.
fn bounded(body: impl RequestBody, unread: Arc<AtomicUsize>) -> impl Stream<Item = Result<Bytes, BodyError>> {
    body.into_data_stream().map(move |frame| {
        let frame = frame.map_err(Into::into)?;
        let so_far = unread.fetch_add(frame.len(), Ordering::Relaxed) + frame.len();
        if so_far > MAX_UNREAD { Err("a part's head is too long".into()) } else { Ok(frame) }
    })
}

fn malformed(error: multer::Error) -> Rejection {
    let why = match error {
        multer::Error::StreamReadFailed(why) => why.to_string(),
        other => other.to_string(),
    };
    Rejection::Malformed(format!("The form is not well formed: {why}"))
}

fn unstored(error: std::io::Error) -> Rejection {
    tracing::error!("an uploaded file could not be stored: {error}");
    Rejection::Unstored { limit: Refused::limit(&error) }
}

/// What a form may still contain, in bytes.
struct Left {
    fields: usize,
    files: usize,
    reservation: BodyReservation,
}

impl Left {
    fn take_field(&mut self, bytes: usize, limits: &Limits) -> Result<(), Failure> {
        let left = self.fields.checked_sub(bytes);
        self.fields = left.ok_or(Rejection::TooLarge { most: limits.max_body, limit: Limit::MaxBody })?;
        Ok(self.reservation.grow(bytes)?)
    }

    fn take_file(&mut self, bytes: usize, limits: &Limits) -> Result<(), Rejection> {
        let left = self.files.checked_sub(bytes);
        self.files = left.ok_or(Rejection::TooLarge { most: limits.max_upload, limit: Limit::MaxUpload })?;
        Ok(())
    }
}

/// Whether the handler takes a file as bytes, instead of reading it in parts.
fn takes_bytes(route: &Route, name: &str) -> bool {
    fn bytes(ty: &Type) -> bool {
        match ty {
            Type::Bytes => true,
            Type::List(inner) | Type::Checked(inner, _) => bytes(inner),
            Type::Union(union) => union.arms.iter().any(bytes),
            _ => false,
        }
    }
    let takes = |param: &Param| param.source == Source::File && param.alias == name && bytes(&param.ty);
    route.params.iter().any(takes)
}
