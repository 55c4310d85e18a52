//! The type model: types of values, and models with fields, resolved from the manifest.

use crate::manifest::choices::Choices;
use crate::manifest::constraints::{Constraints, Kind};
use crate::manifest::wire::ModelKind;
use serde_json::Value;
use std::collections::HashMap;

/// A discriminator key, and its value for a model.
pub type Tag = (String, String);

/// Up to this many fields are compared with a name one by one, which is faster than a lookup.
const FEW: usize = 8;

/// What to do when a value is absent.
#[derive(Debug, Clone)]
pub enum Absent {
    /// Report a "missing" error.
    Refuse,
    /// Write this marshalled default.
    Default(Vec<u8>),
    /// Write Ellipsis; the guest fills in the default.
    Guest,
}

/// A record.
#[derive(Debug, Clone)]
pub struct Model {
    pub name: String,
    pub kind: ModelKind,
    /// Unknown keys are an error.
    pub forbid: bool,
    /// In a union.
    pub tag: Option<Tag>,
    pub fields: Vec<Field>,
    /// Positions of the fields by name, if there are more than a few.
    by_name: HashMap<String, usize>,
}

impl Model {
    pub fn new(name: String, kind: ModelKind, forbid: bool, tag: Option<Tag>, fields: Vec<Field>) -> Self {
        let named = |(position, field): (usize, &Field)| (field.name.clone(), position);
        let is_many = fields.len() > FEW;
        let by_name = if is_many { fields.iter().enumerate().map(named).collect() } else { HashMap::new() };
        Self { name, kind, forbid, tag, fields, by_name }
    }

    /// Whether a field is looked up by its name, instead of compared with all.
    pub fn is_large(&self) -> bool {
        !self.by_name.is_empty()
    }

    /// The position of a field.
    pub fn position(&self, name: &str) -> Option<usize> {
        if self.is_large() {
            return self.by_name.get(name).copied();
        }
        self.fields.iter().position(|field| field.name == name)
    }
}

#[derive(Debug, Clone)]
pub struct Field {
    pub name: String,
    pub ty: Type,
    pub absent: Absent,
}

/// A resolved type. `Model` holds an index into the manifest's models.
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
    /// Checked like a list; the guest removes duplicates.
    Set(Box<Type>),
    Frozenset(Box<Type>),
    Tuple(Vec<Type>),
    /// `tuple[X, ...]`.
    Sequence(Box<Type>),
    Dict(Box<Type>, Box<Type>),
    Literal(Box<Choices>),
    Enum(Box<Choices>),
    Union(Box<Union>),
    Model(usize),
    /// An uploaded file.
    Upload,
    /// A type with additional constraints.
    Checked(Box<Type>, Box<Constraints>),
}

impl Type {
    /// True when the guest must convert the wire value.
    pub fn needs_conversion(&self) -> bool {
        match self {
            Self::Str | Self::Int | Self::Float | Self::Bool | Self::None | Self::Any | Self::Bytes => false,
            Self::Literal(_) => false,
            Self::DateTime | Self::Date | Self::Uuid | Self::Decimal => true,
            Self::Set(_) | Self::Frozenset(_) | Self::Enum(_) | Self::Model(_) | Self::Upload => true,
            Self::Checked(inner, _) => inner.needs_conversion(),
            Self::List(item) | Self::Sequence(item) => item.needs_conversion(),
            Self::Tuple(items) => items.iter().any(Self::needs_conversion),
            Self::Dict(key, value) => key.needs_conversion() || value.needs_conversion(),
            Self::Union(union) => union.tagged,
        }
    }

    /// How constraints on values of this type are checked.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Bytes => Kind::Bytes,
            Self::Decimal => Kind::Decimal,
            Self::Set(_) => Kind::Set,
            Self::Frozenset(_) => Kind::Frozenset,
            Self::Tuple(_) | Self::Sequence(_) => Kind::Tuple,
            Self::Checked(inner, _) => inner.kind(),
            _ => Kind::Other,
        }
    }

    /// The type as a developer writes it, for `inspect`.
    pub fn display(&self, models: &[Model]) -> String {
        let list =
            |types: &[Type], by: &str| types.iter().map(|ty| ty.display(models)).collect::<Vec<_>>().join(by);
        let values = |of: &Choices| of.values().iter().map(Value::to_string).collect::<Vec<_>>().join(", ");
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
            Self::Frozenset(item) => format!("frozenset[{}]", item.display(models)),
            Self::Sequence(item) => format!("tuple[{}, ...]", item.display(models)),
            Self::Tuple(items) => format!("tuple[{}]", list(items, ", ")),
            Self::Dict(key, value) => format!("dict[{}, {}]", key.display(models), value.display(models)),
            Self::Literal(choices) => format!("Literal[{}]", values(choices)),
            Self::Enum(choices) => format!("Enum({})", values(choices)),
            Self::Union(union) => list(&union.arms, " | "),
            Self::Model(index) => models[*index].name.clone(),
            Self::Upload => "UploadFile".into(),
            Self::Checked(inner, _) => inner.display(models),
        }
    }
}

/// A choice of types.
#[derive(Debug, Clone)]
pub struct Union {
    pub arms: Vec<Type>,
    /// Some arm's wire value differs from its Python value, so the guest must know which arm matched.
    pub tagged: bool,
    /// If the arms are models that a key tells apart.
    pub by: Option<Discriminator>,
    /// What the location of an error calls each arm.
    pub labels: Vec<String>,
}

impl Union {
    /// `Some(arm)` if there is one type, which may be None as well: `X | None`.
    pub fn optional(&self) -> Option<usize> {
        match self.arms.as_slice() {
            [Type::None, Type::None] => None,
            [Type::None, _] => Some(1),
            [_, Type::None] => Some(0),
            _ => None,
        }
    }

    pub fn none(&self) -> Option<usize> {
        self.arms.iter().position(|arm| matches!(arm, Type::None))
    }
}

/// The key that tells the models of a union apart, and which model each of its values stands for.
/// Built once for a union of tagged models: an app may declare thousands of them.
#[derive(Debug, Clone)]
pub struct Discriminator {
    pub key: String,
    arms: HashMap<String, usize>,
    /// The messages of errors.
    pub missing: String,
    pub unknown: String,
}

impl Discriminator {
    /// `None` if the arms are not models that all have a tag under one key. `tags`: those of all models.
    pub fn of(arms: &[Type], tags: &[Option<Tag>]) -> Option<Self> {
        let mut key: Option<&String> = None;
        let (mut by_tag, mut listed) = (HashMap::new(), Vec::new());
        for (position, arm) in arms.iter().enumerate().filter(|(_, arm)| !matches!(arm, Type::None)) {
            let Type::Model(index) = arm else { return None };
            let (own, tag) = tags[*index].as_ref()?;
            if *key.get_or_insert(own) != own {
                return None;
            }
            listed.push(format!("'{tag}'"));
            by_tag.entry(tag.clone()).or_insert(position);
        }
        let key = key?.clone();
        Some(Self {
            missing: format!("Unable to extract tag using discriminator '{key}'"),
            unknown: format!(
                "Input tag found using '{key}' does not match any of the expected tags: {}",
                listed.join(", ")
            ),
            key,
            arms: by_tag,
        })
    }

    /// The tag's arm, and the tag as the app declares it.
    pub fn arm(&self, tag: &str) -> Option<(usize, &str)> {
        self.arms.get_key_value(tag).map(|(tag, position)| (*position, tag.as_str()))
    }
}
