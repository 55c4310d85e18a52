//! What the host asks a database for by itself, instead of a handler: one operation on the rows of a table.

use crate::manifest::types::{Model, Type};
use crate::manifest::{Param, Source};
use serde::Deserialize;
use std::collections::HashSet;

/// Most columns.
const MOST_COLUMNS: usize = 200;
/// Most filters, and orders.
const MOST_CHOICES: usize = 1000;
/// Longest name of a table or a column, in bytes.
const LONGEST_NAME: usize = 128;

/// An operation of a route. Its numbers are those of the route's parameters.
#[derive(Debug, Clone, Deserialize)]
pub struct TableQuery {
    pub database: String,
    pub table: String,
    /// The column that names a row.
    pub key: String,
    pub operation: Operation,
    pub columns: Vec<Column>,
    pub arguments: Arguments,
    #[serde(default)]
    pub filters: Vec<Filter>,
    /// The values of the parameter `order`.
    #[serde(default)]
    pub orders: Vec<String>,
    /// The column of each field of the body.
    #[serde(default)]
    pub fields: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    List,
    Read,
    Create,
    Update,
    Delete,
}

/// A column, the name of its value in JSON, and the kind of the value.
#[derive(Debug, Clone, Deserialize)]
pub struct Column(pub String, pub String, pub String);

#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct Arguments {
    #[serde(default)]
    pub key: Option<usize>,
    #[serde(default)]
    pub body: Option<usize>,
    #[serde(default)]
    pub order: Option<usize>,
    #[serde(default)]
    pub limit: Option<usize>,
    #[serde(default)]
    pub offset: Option<usize>,
}

/// A parameter, a column, and how they compare.
#[derive(Debug, Clone, Deserialize)]
pub struct Filter(pub usize, pub String, pub Comparison);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Comparison {
    #[serde(rename = "=")]
    Equal,
    #[serde(rename = "<>")]
    NotEqual,
    #[serde(rename = "<")]
    Less,
    #[serde(rename = "<=")]
    LessOrEqual,
    #[serde(rename = ">")]
    Greater,
    #[serde(rename = ">=")]
    GreaterOrEqual,
}

impl Comparison {
    pub fn sql(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

impl TableQuery {
    /// Check it against the parameters of its route. The error is a sentence without its subject.
    pub fn check(&self, params: &[Param], models: &[Model]) -> Result<(), String> {
        let columns: HashSet<&str> = self.columns.iter().map(|column| &*column.0).collect();
        let is_list = self.operation == Operation::List;
        let counts = [self.columns.len(), self.filters.len(), self.orders.len(), self.fields.len()];
        if columns.is_empty()
            || counts[0] > MOST_COLUMNS
            || counts[1..].iter().any(|count| *count > MOST_CHOICES)
        {
            return Err("asks for no columns, or for too many".to_owned());
        }
        let names = self.columns.iter().flat_map(|column| [&column.0, &column.1]);
        for name in names.chain([&self.table, &self.key]) {
            if name.is_empty() || name.len() > LONGEST_NAME || name.contains('\0') {
                return Err(format!("names {name:?}, which is no name of a table or a column"));
            }
        }
        let of_table = |name: &str| columns.contains(name);
        let ordered = self.orders.iter().map(|order| order.strip_prefix('-').unwrap_or(order));
        let filtered = self.filters.iter().map(|filter| &*filter.1);
        let written = self.fields.iter().map(|field| &**field);
        if !(of_table(&self.key) && ordered.chain(filtered).chain(written).all(of_table)) {
            return Err("names a column that is not of its table".to_owned());
        }
        let Arguments { key, body, order, limit, offset } = self.arguments;
        let numbers = [key, body, order, limit, offset].into_iter().flatten();
        if numbers.chain(self.filters.iter().map(|filter| filter.0)).any(|number| number >= params.len()) {
            return Err("names a parameter that it does not have".to_owned());
        }
        let wants_key = matches!(self.operation, Operation::Read | Operation::Update | Operation::Delete);
        let wants_body = matches!(self.operation, Operation::Create | Operation::Update);
        let is_complete = key.is_some() == wants_key
            && body.is_some() == wants_body
            && (limit.is_some(), offset.is_some(), order.is_some()) == (is_list, is_list, is_list);
        if !is_complete {
            return Err("lacks an argument of its operation, or has one too many".to_owned());
        }
        match body.map(|body| &params[body]) {
            Some(Param { ty: Type::Model(index), source: Source::Body, spread: false, .. })
                if models[*index].fields.len() == self.fields.len() =>
            {
                Ok(())
            }
            None => Ok(()),
            Some(_) => Err("has a body whose fields are not its columns".to_owned()),
        }
    }
}
