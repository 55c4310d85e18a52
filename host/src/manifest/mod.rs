//! An app's manifest: its routes, parameters and models, parsed once from the component's JSON.
//!
//! The JSON comes from a guest and is hostile. This module validates all of it, and the rest of the host relies on
//! that: types are resolved, references are valid, defaults are already marshalled.

pub mod constraints;
pub mod isolation;
pub mod openapi_pages;
pub mod router;
pub mod swagger_ui;
pub mod types;
pub mod wire;

use crate::codec::marshal::Writer;
use crate::manifest::constraints::Constraints;
use crate::manifest::isolation::RouteIsolation;
use crate::manifest::openapi_pages::OpenApiPages;
pub use crate::manifest::types::{Absent, Field, Model, Type};
pub use crate::manifest::wire::{Method, Source};
use regex::RegexBuilder;
use serde_json::Value;
use std::collections::HashMap;

/// The ABI version of this host; see `wit/bolt.wit`.
pub const ABI: u32 = 4;
/// The marshal version that host and guest use.
const MARSHAL_VERSION: u32 = 4;
/// Maximum nesting depth of a type expression.
const MAX_TYPE_DEPTH: usize = 64;
/// Maximum memory of a compiled pattern, in bytes.
const MAX_PATTERN: usize = 1 << 20;

/// An app's manifest, checked and resolved.
#[derive(Debug, Clone)]
pub struct Manifest {
    pub app: String,
    pub title: String,
    /// Its instances run lifespan code when they are retired.
    pub lifespan: bool,
    /// Redirect a path that differs from a route only by a trailing slash.
    pub redirect_slashes: bool,
    /// Its documentation pages.
    pub docs: Option<OpenApiPages>,
    pub sdk: String,
    pub interpreter: String,
    pub models: Vec<Model>,
    pub routes: Vec<Route>,
    /// Handlers for requests that the host refuses; their numbers follow those of the routes.
    pub refusals: Vec<Refusal>,
}

/// A handler for refused requests of one status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub is_async: bool,
}

/// One handler and how its arguments are built.
#[derive(Debug, Clone)]
pub struct Route {
    pub method: Method,
    pub path: String,
    pub name: String,
    /// `app.py:12`, for messages.
    pub source: String,
    /// A call may suspend and reply later.
    pub is_async: bool,
    /// The handler itself is an `async def`. A `def` handler may still have async code around it.
    pub handler_is_async: bool,
    pub isolation: RouteIsolation,
    pub status: u16,
    pub params: Vec<Param>,
    pub needs: Needs,
}

/// The parts of a request that a handler's parameters need, besides path and query.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    pub headers: bool,
    pub body: BodyKind,
    pub request: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BodyKind {
    #[default]
    None,
    /// One parameter takes the whole body.
    Json,
    /// Each parameter takes one key of the body.
    Keys,
    Form,
}

/// One argument of a handler.
#[derive(Debug, Clone)]
pub struct Param {
    pub alias: String,
    pub source: Source,
    pub ty: Type,
    pub absent: Absent,
    /// The type is a model, and each of its fields is read from the source separately.
    pub spread: bool,
    /// Those fields are named with `-` where the model has `_`.
    pub hyphens: bool,
    /// It takes one key of the body, not the whole body.
    pub embed: bool,
    pub files: FileRules,
}

/// Constraints on the files of a parameter.
#[derive(Debug, Clone, Default)]
pub struct FileRules {
    /// Maximum size of each file, in bytes.
    pub max_size: Option<u64>,
    pub max_files: Option<usize>,
    /// `image/png` or `image/*`; if absent, all types are allowed.
    pub allowed_types: Option<Vec<String>>,
}

impl Manifest {
    /// The guest's number for the handler of refusals with `status`, if the app has one.
    pub fn refusal(&self, status: u16) -> Option<usize> {
        let position = self.refusals.iter().position(|refusal| refusal.status == status)?;
        Some(self.routes.len() + position)
    }

    /// Parse and validate a manifest. Errors are sentences for people.
    pub fn parse(json: &str) -> Result<Self, String> {
        let wire: wire::Manifest =
            serde_json::from_str(json).map_err(|e| format!("the app's manifest cannot be read: {e}"))?;
        if wire.abi != ABI {
            return Err(format!(
                "the app was built for ABI {} and this host speaks ABI {ABI}: build it again with this version",
                wire.abi
            ));
        }
        if wire.marshal != MARSHAL_VERSION {
            return Err(format!(
                "the app uses marshal version {}, but this host uses {MARSHAL_VERSION}",
                wire.marshal
            ));
        }
        Resolver::new(&wire).resolve(&wire)
    }
}

/// Resolves the manifest's type names to indices.
struct Resolver {
    index: HashMap<String, usize>,
}

impl Resolver {
    fn new(wire: &wire::Manifest) -> Self {
        Self { index: wire.defs.keys().enumerate().map(|(i, id)| (id.clone(), i)).collect() }
    }

    fn resolve(&self, wire: &wire::Manifest) -> Result<Manifest, String> {
        let models = wire.defs.values().map(|def| self.model(def)).collect::<Result<_, _>>()?;
        let routes = wire.routes.iter().map(|route| self.route(route)).collect::<Result<_, _>>()?;
        Ok(Manifest {
            app: wire.app.clone(),
            title: wire.title.clone(),
            lifespan: wire.lifespan,
            redirect_slashes: wire.redirect_slashes,
            docs: wire.docs.clone(),
            sdk: wire.sdk.clone(),
            interpreter: wire.interpreter.clone(),
            models,
            routes,
            refusals: wire
                .refusals
                .iter()
                .map(|r| Refusal { status: r.status, is_async: r.is_async })
                .collect(),
        })
    }

    fn model(&self, def: &wire::Def) -> Result<Model, String> {
        let field = |field: &wire::Field| {
            let ty = self.ty(&field.ty, 0)?;
            let absent = absent(field.required, field.default.as_ref(), &ty)?;
            Ok(Field { name: field.name.clone(), ty, absent })
        };
        let fields = def.fields.iter().map(field).collect::<Result<_, String>>()?;
        Ok(Model { name: def.name.clone(), forbid: def.forbid, tag: def.tag.clone(), fields })
    }

    fn route(&self, route: &wire::Route) -> Result<Route, String> {
        let params =
            route.params.iter().map(|param| self.param(param)).collect::<Result<Vec<_>, String>>()?;
        let needs = needs(&params).map_err(|why| format!("handler {} {why}", route.name))?;
        if !(100..=999).contains(&route.status) {
            return Err(format!("handler {} has the invalid status {}", route.name, route.status));
        }
        Ok(Route {
            method: route.method,
            path: route.path.clone(),
            name: route.name.clone(),
            source: format!("{}:{}", route.file, route.line),
            is_async: route.is_async,
            handler_is_async: route.handler_is_async.unwrap_or(route.is_async),
            isolation: RouteIsolation {
                isolation: route.isolation,
                max_concurrency: route.max_concurrency.map(|most| most as usize),
                max_requests: route.max_requests,
            },
            status: route.status,
            params,
            needs,
        })
    }

    fn param(&self, param: &wire::Param) -> Result<Param, String> {
        let ty = self.ty(&param.ty, 0)?;
        let absent = absent(param.required, param.default.as_ref(), &ty)?;
        if param.spread && !matches!(ty, Type::Model(_)) {
            return Err(format!("parameter {} must be a model: its fields are read one by one", param.alias));
        }
        Ok(Param {
            alias: param.alias.clone(),
            source: param.source,
            ty,
            absent,
            spread: param.spread,
            hyphens: param.hyphens,
            embed: param.embed,
            files: FileRules {
                max_size: param.max_size,
                max_files: param.max_files,
                allowed_types: param.allowed_types.clone(),
            },
        })
    }

    fn ty(&self, typed: &wire::Typed, depth: usize) -> Result<Type, String> {
        let ty = self.unchecked(&typed.ty, depth)?;
        match &typed.check {
            None => Ok(ty),
            Some(limits) => Ok(Type::Checked(Box::new(ty), Box::new(check(limits)?))),
        }
    }

    fn unchecked(&self, ty: &wire::Type, depth: usize) -> Result<Type, String> {
        use wire::Type as W;
        if depth > MAX_TYPE_DEPTH {
            return Err(format!("a type is nested more than {MAX_TYPE_DEPTH} levels deep"));
        }
        let one = |ty: &wire::Typed| self.ty(ty, depth + 1).map(Box::new);
        let many = |types: &[wire::Typed]| {
            types.iter().map(|ty| self.ty(ty, depth + 1)).collect::<Result<Vec<_>, _>>()
        };
        Ok(match ty {
            W::Str => Type::Str,
            W::Int => Type::Int,
            W::Float => Type::Float,
            W::Bool => Type::Bool,
            W::None => Type::None,
            W::Any => Type::Any,
            W::Bytes => Type::Bytes,
            W::Datetime => Type::DateTime,
            W::Date => Type::Date,
            W::Uuid => Type::Uuid,
            W::Decimal => Type::Decimal,
            W::Upload => Type::Upload,
            W::Request => Type::Any,
            W::List { item } => Type::List(one(item)?),
            W::Set { item } | W::Frozenset { item } => Type::Set(one(item)?),
            W::Vartuple { item } => Type::Sequence(one(item)?),
            W::Tuple { items } => Type::Tuple(many(items)?),
            W::Dict { key, value } => Type::Dict(one(key)?, one(value)?),
            W::Literal { values } => Type::Literal(values.clone()),
            W::Enum { values } => Type::Enum { values: values.clone() },
            W::Union { of } => {
                let arms = many(of)?;
                let tagged = arms.iter().any(Type::needs_conversion);
                Type::Union { arms, tagged }
            }
            W::Ref { id } => {
                Type::Model(*self.index.get(id).ok_or_else(|| format!("type {id} is not in the manifest"))?)
            }
        })
    }
}

/// Marshal a default once; each call that needs it gets a copy of the bytes.
fn absent(required: bool, default: Option<&Value>, ty: &Type) -> Result<Absent, String> {
    if required {
        return Ok(Absent::Refuse);
    }
    let Some(value) = default else { return Ok(Absent::Guest) };
    if ty.needs_conversion() {
        return Err("only plain types may have a constant default".into());
    }
    let mut writer = Writer::default();
    match value {
        Value::Null => writer.none(),
        Value::Bool(value) => writer.bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(int) => writer.int(int),
            None => writer.float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => writer.str(text),
        Value::Array(_) | Value::Object(_) => return Err("a constant default may not be a container".into()),
    }
    Ok(Absent::Default(writer.buf))
}

/// Errors complete a sentence that begins with the handler's name.
fn needs(params: &[Param]) -> Result<Needs, String> {
    let count = |wanted: &[Source]| params.iter().filter(|param| wanted.contains(&param.source)).count();
    let (bodies, forms) = (count(&[Source::Body]), count(&[Source::Form, Source::File]));
    let body = match (bodies, forms) {
        (0, 0) => BodyKind::None,
        (0, _) => BodyKind::Form,
        (_, 1..) => return Err("reads the body both as JSON and as a form".to_owned()),
        (1, 0) if !params.iter().any(|param| param.source == Source::Body && param.embed) => BodyKind::Json,
        _ => BodyKind::Keys,
    };
    Ok(Needs {
        headers: count(&[Source::Header, Source::Cookie]) > 0,
        body,
        request: count(&[Source::Request]) > 0,
    })
}

fn check(limits: &wire::Constraints) -> Result<Constraints, String> {
    let compile = |pattern: &String| {
        RegexBuilder::new(pattern)
            .size_limit(MAX_PATTERN)
            .build()
            .map_err(|e| format!("the pattern {pattern:?} cannot be used: {e}"))
    };
    Ok(Constraints {
        gt: limits.gt.clone(),
        ge: limits.ge.clone(),
        lt: limits.lt.clone(),
        le: limits.le.clone(),
        multiple_of: limits.multiple_of.clone(),
        min_length: limits.min_length,
        max_length: limits.max_length,
        pattern: limits.pattern.as_ref().map(compile).transpose()?,
    })
}
