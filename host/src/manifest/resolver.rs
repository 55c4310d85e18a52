//! Resolves what an app declares: names become positions, patterns are compiled, and defaults are marshalled.

use crate::codec::marshal::Writer;
use crate::manifest::choices::{Choices, write_constant};
use crate::manifest::constraints::{Bound, Constraints};
use crate::manifest::isolation::RouteIsolation;
use crate::manifest::parts::{BodyKind, FileRules, Manifest, Needs, Param, Refusal, Route};
use crate::manifest::pattern::Pattern;
use crate::manifest::table_check;
use crate::manifest::type_label::label;
use crate::manifest::types::{Absent, Discriminator, Field, Model, Tag, Type, Union};
use crate::manifest::wire::{self, Source};
use crate::manifest::wire::{Method, Sleeper};
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

/// Maximum nesting depth of a type expression.
const MAX_TYPE_DEPTH: usize = 64;
/// Maximum memory of all compiled patterns of an app, in bytes.
const MAX_COMPILED: usize = 32 << 20;
/// Most bytes of what errors call the arms of all unions of an app.
const MAX_LABELS: usize = 4 << 20;
/// Most different patterns of an app: each keeps some states for the next search.
const MAX_PATTERNS: usize = 1000;

/// Resolves the manifest's type names to indices.
pub struct Resolver {
    index: HashMap<String, usize>,
    tags: Vec<Option<Tag>>,
    names: Vec<String>,
    /// Bytes of the labels of all unions so far.
    labelled: Cell<usize>,
    /// The patterns so far: one that is declared again is not compiled again.
    patterns: RefCell<Patterns>,
}

impl Resolver {
    pub fn new(wire: &wire::Manifest) -> Self {
        Self {
            index: wire.defs.keys().enumerate().map(|(i, id)| (id.clone(), i)).collect(),
            tags: wire.defs.values().map(|def| def.tag.clone()).collect(),
            names: wire.defs.values().map(|def| def.name.clone()).collect(),
            labelled: Cell::default(),
            patterns: RefCell::default(),
        }
    }

    pub fn resolve(&self, wire: &wire::Manifest) -> Result<Manifest, String> {
        let models: Vec<_> = wire.defs.values().map(|def| self.model(def)).collect::<Result<_, _>>()?;
        let routes = wire.routes.iter().map(|route| self.route(route)).collect::<Result<Vec<_>, _>>()?;
        for route in &routes {
            if let Some(query) = &route.query {
                let checked = table_check::check(query, &route.params, &models);
                checked.map_err(|why| format!("handler {} {why}", route.name))?;
            }
        }
        Ok(Manifest {
            app: wire.app.clone(),
            title: wire.title.clone(),
            lifespan: wire.lifespan,
            redirect_slashes: wire.redirect_slashes,
            takes_prefix: wire.takes_prefix,
            reads_streams: wire.reads_streams,
            frozen: wire.frozen.clone(),
            docs: wire.docs.clone(),
            sdk: wire.sdk.clone(),
            interpreter: wire.interpreter.clone(),
            models,
            routes,
            sleepers: sleepers(wire)?,
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
        Ok(Model::new(def.name.clone(), def.kind, def.forbid, def.tag.clone(), fields))
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
            origins: route.origins.clone(),
            query: route.query.clone().map(Box::new),
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
            Some(limits) => Ok(Type::Checked(Box::new(ty), Box::new(self.check(limits)?))),
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
            W::Set { item } => Type::Set(one(item)?),
            W::Frozenset { item } => Type::Frozenset(one(item)?),
            W::Vartuple { item } => Type::Sequence(one(item)?),
            W::Tuple { items } => Type::Tuple(many(items)?),
            W::Dict { key, value } => Type::Dict(one(key)?, one(value)?),
            W::Literal { values } => Type::Literal(Box::new(Choices::literal(values.clone()))),
            W::Enum { name, base, values } => {
                Type::Enum(Box::new(Choices::enumeration(name, base.as_deref(), values.clone())))
            }
            W::Union { of } => {
                let arms = many(of)?;
                let tagged = arms.iter().any(Type::needs_conversion);
                let by = Discriminator::of(&arms, &self.tags);
                let labels = arms.iter().map(|arm| self.label(arm)).collect::<Result<_, _>>()?;
                Type::Union(Box::new(Union { arms, tagged, by, labels }))
            }
            W::Ref { id } => {
                Type::Model(*self.index.get(id).ok_or_else(|| format!("type {id} is not in the manifest"))?)
            }
        })
    }

    /// A short type may have a long label, the name of a model.
    fn label(&self, arm: &Type) -> Result<String, String> {
        let label = label(arm, &self.names);
        self.labelled.set(self.labelled.get() + label.len());
        if self.labelled.get() > MAX_LABELS {
            return Err(format!(
                "the names of the alternatives of all unions have more than {MAX_LABELS} bytes"
            ));
        }
        Ok(label)
    }

    fn check(&self, limits: &wire::Constraints) -> Result<Constraints, String> {
        let bound = |given: &Option<wire::Bound>| match given {
            None => Ok(None),
            Some(wire::Bound::Number(number)) => Bound::parse(&number.to_string()).map(Some),
            Some(wire::Bound::Text(text)) => Bound::parse(text).map(Some),
        };
        Ok(Constraints {
            gt: bound(&limits.gt)?,
            ge: bound(&limits.ge)?,
            lt: bound(&limits.lt)?,
            le: bound(&limits.le)?,
            multiple_of: bound(&limits.multiple_of)?,
            min_length: limits.min_length,
            max_length: limits.max_length,
            pattern: limits.pattern.as_deref().map(|text| self.pattern(text)).transpose()?,
        })
    }

    fn pattern(&self, text: &str) -> Result<Arc<Pattern>, String> {
        let mut patterns = self.patterns.borrow_mut();
        if let Some(known) = patterns.compiled.get(text) {
            return Ok(known.clone());
        }
        let pattern = Pattern::new(text).map_err(|why| format!("the pattern {} {why}", shown(text)))?;
        patterns.size += pattern.size();
        if patterns.size > MAX_COMPILED {
            return Err(format!(
                "the app's patterns take more than {MAX_COMPILED} bytes when they are compiled"
            ));
        }
        if patterns.compiled.len() >= MAX_PATTERNS {
            return Err(format!("the app has more than {MAX_PATTERNS} different patterns"));
        }
        let pattern = Arc::new(pattern);
        patterns.compiled.insert(text.to_owned(), pattern.clone());
        Ok(pattern)
    }
}

#[derive(Default)]
struct Patterns {
    compiled: HashMap<String, Arc<Pattern>>,
    /// In bytes.
    size: usize,
}

/// A pattern in a message.
fn shown(text: &str) -> String {
    const LONGEST: usize = 100;
    let short: String = text.chars().take(LONGEST).collect();
    let dots = if short.len() < text.len() { "…" } else { "" };
    format!("{short:?}{dots}")
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
    if !write_constant(value, &mut writer) {
        return Err("a constant default may not be a container".into());
    }
    Ok(Absent::Default(writer.buf))
}

/// The handlers of WebSockets that sleep.
fn sleepers(wire: &wire::Manifest) -> Result<Vec<Sleeper>, String> {
    let is_socket = |sleeper: &&Sleeper| {
        wire.routes.get(sleeper.route).is_none_or(|route| route.method != Method::WebSocket)
    };
    match wire.sleepers.iter().find(is_socket) {
        Some(wrong) => {
            Err(format!("the app has a handler for a socket of route {}, which is none", wrong.route))
        }
        None if wire.sleepers.len() > 2 * wire.routes.len() => {
            Err("the app has too many handlers of sockets".to_owned())
        }
        None => Ok(wire.sleepers.clone()),
    }
}

/// Errors complete a sentence that begins with the handler's name.
fn needs(params: &[Param]) -> Result<Needs, String> {
    let count = |wanted: &[Source]| params.iter().filter(|param| wanted.contains(&param.source)).count();
    let (bodies, forms) = (count(&[Source::Body]), count(&[Source::Form, Source::File]));
    let body = match (bodies, forms) {
        _ if count(&[Source::Stream]) > 0 => {
            if bodies + forms > 0 || count(&[Source::Stream]) > 1 {
                return Err("reads the body in parts, and in another way as well".to_owned());
            }
            BodyKind::Stream
        }
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
