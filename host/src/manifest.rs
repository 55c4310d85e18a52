//! What an app says of itself: routes, parameters and models, read once from the component's JSON.
//!
//! The JSON comes from a guest and is hostile: it is checked whole here, and everything behind this
//! module relies on what it checked (types resolved, references valid, defaults already marshalled).

use crate::marshal::Writer;
use crate::policy::Wishes;
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;

/// The ABI this host speaks; see `wit/bolt.wit`.
pub const ABI: u32 = 2;
/// The marshal format both sides agreed on.
const MARSHAL_VERSION: u32 = 4;
/// Deepest type expression accepted.
const MAX_TYPE_DEPTH: usize = 64;

/// An app's manifest, checked and resolved.
#[derive(Debug, Clone)]
pub struct Manifest {
    pub app: String,
    pub title: String,
    pub sdk: String,
    pub interpreter: String,
    pub models: Vec<Model>,
    pub routes: Vec<Route>,
}

/// One handler and how its arguments are made.
#[derive(Debug, Clone)]
pub struct Route {
    pub method: Method,
    pub path: String,
    pub name: String,
    /// `app.py:12`, for messages.
    pub source: String,
    /// `async def`.
    pub is_async: bool,
    /// How its instances are to be used.
    pub wishes: Wishes,
    pub status: u16,
    pub params: Vec<Param>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

impl Method {
    pub const ALL: [Method; 7] =
        [Self::Get, Self::Head, Self::Post, Self::Put, Self::Patch, Self::Delete, Self::Options];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == name)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    Path,
    Query,
    Body,
}

/// One argument of a handler.
#[derive(Debug, Clone)]
pub struct Param {
    pub alias: String,
    pub source: Source,
    pub ty: Type,
    pub absent: Absent,
}

/// What to do when a value is not given.
#[derive(Debug, Clone)]
pub enum Absent {
    /// Answer with a "missing" error.
    Refuse,
    /// Write this marshalled default.
    Default(Vec<u8>),
    /// Write Ellipsis; the guest fills in.
    Guest,
}

/// A Struct, dataclass or TypedDict.
#[derive(Debug, Clone)]
pub struct Model {
    pub name: String,
    pub fields: Vec<Field>,
}

#[derive(Debug, Clone)]
pub struct Field {
    pub name: String,
    pub ty: Type,
    pub absent: Absent,
}

/// A resolved type. `Model` holds an index into [`Manifest::models`].
#[derive(Debug, Clone)]
pub enum Type {
    Str,
    Int,
    Float,
    Bool,
    None,
    Any,
    Bytes,
    DateTime,
    Date,
    Uuid,
    Decimal,
    List(Box<Type>),
    /// `set` or `frozenset`: checked like a list, made unique by the guest.
    Set(Box<Type>),
    Tuple(Vec<Type>),
    /// `tuple[X, ...]`.
    Sequence(Box<Type>),
    Dict(Box<Type>, Box<Type>),
    Literal(Vec<Value>),
    Enum {
        values: Vec<Value>,
    },
    /// `tagged`: some arm's wire value differs from its Python value, so the guest is told which arm it was.
    Union {
        arms: Vec<Type>,
        tagged: bool,
    },
    Model(usize),
}

impl Type {
    /// True when the guest must turn the wire value into something else.
    fn needs_conversion(&self) -> bool {
        match self {
            Self::Str | Self::Int | Self::Float | Self::Bool | Self::None | Self::Any | Self::Bytes => false,
            Self::Literal(_) => false,
            Self::DateTime | Self::Date | Self::Uuid | Self::Decimal => true,
            Self::Set(_) | Self::Enum { .. } | Self::Model(_) => true,
            Self::List(item) | Self::Sequence(item) => item.needs_conversion(),
            Self::Tuple(items) => items.iter().any(Self::needs_conversion),
            Self::Dict(key, value) => key.needs_conversion() || value.needs_conversion(),
            Self::Union { tagged, .. } => *tagged,
        }
    }

    /// The type as a developer writes it, for `inspect`.
    pub fn display(&self, models: &[Model]) -> String {
        let list =
            |types: &[Type], by: &str| types.iter().map(|ty| ty.display(models)).collect::<Vec<_>>().join(by);
        match self {
            Self::Str => "str".into(),
            Self::Int => "int".into(),
            Self::Float => "float".into(),
            Self::Bool => "bool".into(),
            Self::None => "None".into(),
            Self::Any => "Any".into(),
            Self::Bytes => "bytes".into(),
            Self::DateTime => "datetime".into(),
            Self::Date => "date".into(),
            Self::Uuid => "UUID".into(),
            Self::Decimal => "Decimal".into(),
            Self::List(item) => format!("list[{}]", item.display(models)),
            Self::Set(item) => format!("set[{}]", item.display(models)),
            Self::Sequence(item) => format!("tuple[{}, ...]", item.display(models)),
            Self::Tuple(items) => format!("tuple[{}]", list(items, ", ")),
            Self::Dict(key, value) => format!("dict[{}, {}]", key.display(models), value.display(models)),
            Self::Literal(values) => {
                format!("Literal[{}]", values.iter().map(Value::to_string).collect::<Vec<_>>().join(", "))
            }
            Self::Enum { values } => {
                format!("Enum({})", values.iter().map(Value::to_string).collect::<Vec<_>>().join(", "))
            }
            Self::Union { arms, .. } => list(arms, " | "),
            Self::Model(index) => models[*index].name.clone(),
        }
    }
}

impl Manifest {
    /// Read and check a manifest. The error is a sentence.
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
                "the app speaks marshal version {}, this host {MARSHAL_VERSION}",
                wire.marshal
            ));
        }
        Resolver::new(&wire).resolve(&wire)
    }
}

/// Turns the manifest's names into indices.
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
            sdk: wire.sdk.clone(),
            interpreter: wire.interpreter.clone(),
            models,
            routes,
        })
    }

    fn model(&self, def: &wire::Def) -> Result<Model, String> {
        let field = |field: &wire::Field| {
            let ty = self.ty(&field.ty, 0)?;
            let absent = absent(field.required, field.default.as_ref(), &ty)?;
            Ok(Field { name: field.name.clone(), ty, absent })
        };
        let fields = def.fields.iter().map(field).collect::<Result<_, String>>()?;
        Ok(Model { name: def.name.clone(), fields })
    }

    fn route(&self, route: &wire::Route) -> Result<Route, String> {
        let param = |param: &wire::Param| {
            let ty = self.ty(&param.ty, 0)?;
            let absent = absent(param.required, param.default.as_ref(), &ty)?;
            Ok(Param { alias: param.alias.clone(), source: param.source, ty, absent })
        };
        let params = route.params.iter().map(param).collect::<Result<Vec<_>, String>>()?;
        if params.iter().filter(|p| p.source == Source::Body).count() > 1 {
            return Err(format!("handler {} has more than one body", route.name));
        }
        if !(100..=999).contains(&route.status) {
            return Err(format!("handler {} has the status {}", route.name, route.status));
        }
        Ok(Route {
            method: route.method,
            path: route.path.clone(),
            name: route.name.clone(),
            source: format!("{}:{}", route.file, route.line),
            is_async: route.is_async,
            wishes: Wishes {
                isolation: route.isolation,
                max_concurrency: route.max_concurrency.map(|most| most as usize),
                max_requests: route.max_requests,
            },
            status: route.status,
            params,
        })
    }

    fn ty(&self, ty: &wire::Type, depth: usize) -> Result<Type, String> {
        use wire::Type as W;
        if depth > MAX_TYPE_DEPTH {
            return Err(format!("a type is nested more than {MAX_TYPE_DEPTH} levels deep"));
        }
        let one = |ty: &wire::Type| self.ty(ty, depth + 1).map(Box::new);
        let many = |types: &[wire::Type]| {
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

/// Defaults are marshalled once, here, and copied into each call that needs them.
fn absent(required: bool, default: Option<&Value>, ty: &Type) -> Result<Absent, String> {
    if required {
        return Ok(Absent::Refuse);
    }
    let Some(value) = default else { return Ok(Absent::Guest) };
    if ty.needs_conversion() {
        return Err("a default may be a constant only for plain types".into());
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

/// The manifest as the guest writes it.
mod wire {
    use super::{Method, Source};
    use crate::policy::Isolation;
    use serde::{Deserialize, Deserializer};
    use serde_json::Value;
    use std::collections::BTreeMap;

    #[derive(Deserialize)]
    pub struct Manifest {
        pub abi: u32,
        pub sdk: String,
        pub interpreter: String,
        pub marshal: u32,
        pub app: String,
        #[serde(default)]
        pub title: String,
        #[serde(default)]
        pub defs: BTreeMap<String, Def>,
        pub routes: Vec<Route>,
    }

    #[derive(Deserialize)]
    pub struct Def {
        pub name: String,
        pub fields: Vec<Field>,
    }

    #[derive(Deserialize)]
    pub struct Field {
        pub name: String,
        #[serde(rename = "type")]
        pub ty: Type,
        pub required: bool,
        #[serde(default, deserialize_with = "present")]
        pub default: Option<Value>,
    }

    #[derive(Deserialize)]
    pub struct Route {
        pub method: Method,
        pub path: String,
        pub name: String,
        pub file: String,
        pub line: u32,
        #[serde(rename = "async")]
        pub is_async: bool,
        #[serde(default)]
        pub isolation: Option<Isolation>,
        #[serde(default)]
        pub max_concurrency: Option<u32>,
        #[serde(default)]
        pub max_requests: Option<u64>,
        pub status: u16,
        pub params: Vec<Param>,
    }

    #[derive(Deserialize)]
    pub struct Param {
        #[serde(rename = "in")]
        pub source: Source,
        pub alias: String,
        #[serde(rename = "type")]
        pub ty: Type,
        pub required: bool,
        #[serde(default, deserialize_with = "present")]
        pub default: Option<Value>,
    }

    /// Tells `"default": null`, a default of None, from no default at all.
    fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
        Value::deserialize(deserializer).map(Some)
    }

    #[derive(Deserialize)]
    #[serde(tag = "t", rename_all = "lowercase")]
    pub enum Type {
        Str,
        Int,
        Float,
        Bool,
        None,
        Any,
        Bytes,
        Datetime,
        Date,
        Uuid,
        Decimal,
        List { item: Box<Type> },
        Set { item: Box<Type> },
        Frozenset { item: Box<Type> },
        Vartuple { item: Box<Type> },
        Tuple { items: Vec<Type> },
        Dict { key: Box<Type>, value: Box<Type> },
        Literal { values: Vec<Value> },
        Enum { values: Vec<Value> },
        Union { of: Vec<Type> },
        Ref { id: String },
    }
}
