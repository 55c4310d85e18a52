//! What the host asks a database for by itself, instead of a handler: one operation on the rows of a table.

use serde::Deserialize;

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
