//! Checks what an app asks the host to answer by itself: a manifest is written by a guest.

use crate::manifest::parts::Param;
use crate::manifest::table_query::{Arguments, Operation, TableQuery};
use crate::manifest::types::{Model, Type};
use crate::manifest::wire::Source;
use std::collections::HashSet;

/// Most columns.
const MOST_COLUMNS: usize = 200;
/// Most filters, and orders.
const MOST_CHOICES: usize = 1000;
/// Longest name of a table or a column, in bytes.
const LONGEST_NAME: usize = 128;

/// Check a query against the parameters of its route. The error is a sentence without its subject.
pub fn check(query: &TableQuery, params: &[Param], models: &[Model]) -> Result<(), String> {
    let columns: HashSet<&str> = query.columns.iter().map(|column| &*column.0).collect();
    let is_list = query.operation == Operation::List;
    let counts = [query.columns.len(), query.filters.len(), query.orders.len(), query.fields.len()];
    if columns.is_empty() || counts[0] > MOST_COLUMNS || counts[1..].iter().any(|count| *count > MOST_CHOICES)
    {
        return Err("asks for no columns, or for too many".to_owned());
    }
    let names = query.columns.iter().flat_map(|column| [&column.0, &column.1]);
    for name in names.chain([&query.table, &query.key]) {
        if name.is_empty() || name.len() > LONGEST_NAME || name.contains('\0') {
            return Err(format!("names {name:?}, which is no name of a table or a column"));
        }
    }
    let of_table = |name: &str| columns.contains(name);
    let ordered = query.orders.iter().map(|order| order.strip_prefix('-').unwrap_or(order));
    let filtered = query.filters.iter().map(|filter| &*filter.1);
    let written = query.fields.iter().map(|field| &**field);
    if !(of_table(&query.key) && ordered.chain(filtered).chain(written).all(of_table)) {
        return Err("names a column that is not of its table".to_owned());
    }
    let Arguments { key, body, order, limit, offset } = query.arguments;
    let numbers = [key, body, order, limit, offset].into_iter().flatten();
    if numbers.chain(query.filters.iter().map(|filter| filter.0)).any(|number| number >= params.len()) {
        return Err("names a parameter that it does not have".to_owned());
    }
    let wants_key = matches!(query.operation, Operation::Read | Operation::Update | Operation::Delete);
    let wants_body = matches!(query.operation, Operation::Create | Operation::Update);
    let is_complete = key.is_some() == wants_key
        && body.is_some() == wants_body
        && (limit.is_some(), offset.is_some(), order.is_some()) == (is_list, is_list, is_list);
    if !is_complete {
        return Err("lacks an argument of its operation, or has one too many".to_owned());
    }
    match body.map(|body| &params[body]) {
        Some(Param { ty: Type::Model(index), source: Source::Body, spread: false, .. })
            if models[*index].fields.len() == query.fields.len() =>
        {
            Ok(())
        }
        None => Ok(()),
        Some(_) => Err("has a body whose fields are not its columns".to_owned()),
    }
}
