//! A value of a row, between a database and whoever reads it.

/// Borrowed from a row, and written into a [`batch`](super::batch) at once.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// Also what has no other plain form: numbers with a point, dates, identifiers. The column's type says which.
    Text(&'a str),
    /// The same, made for this row.
    Made(String),
    Bytes(&'a [u8]),
    /// JSON as the database keeps it: a text for a guest, and a part of the document for a client.
    Json(&'a str),
    List(Vec<Cell<'a>>),
}

/// How JSON shows what a database keeps as a number or a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Values are what they are.
    Plain,
    Bool,
    Moment,
    Decimal,
    Json,
}
