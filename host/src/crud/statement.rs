//! The statement of an operation on a table, and its arguments. What a client sends is only ever an argument.

use crate::crud::value::value;
use crate::crud::wire::{Wire, read};
use crate::manifest::table_query::{Operation, TableQuery};
use crate::manifest::{Model, Param, Type};
use crate::sql::arguments::Value;
use crate::sql::cell::Shown;
use std::fmt::Write;

/// A statement for the database of an app.
#[derive(Debug, PartialEq)]
pub struct TableStatement {
    pub text: String,
    pub values: Vec<Value>,
}

/// How the values of the columns are shown.
pub fn shown(query: &TableQuery) -> Vec<Shown> {
    let of = |kind: &str| match kind {
        "bool" => Shown::Bool,
        "datetime" => Shown::Moment,
        "decimal" => Shown::Decimal,
        "any" => Shown::Json,
        _ => Shown::Plain,
    };
    query.columns.iter().map(|column| of(&column.2)).collect()
}

/// Build the statement. `args`: marshalled, as a handler would get them. `None` if a value is none of a database.
pub fn statement(
    query: &TableQuery,
    params: &[Param],
    models: &[Model],
    args: &[u8],
) -> Option<TableStatement> {
    let wires = read(args)?;
    if wires.len() != params.len() {
        return None;
    }
    let mut made = Making { query, params, wires: &wires, text: String::new(), values: Vec::new() };
    match query.operation {
        Operation::List => made.list()?,
        Operation::Read => {
            made.select();
            made.of_key()?;
        }
        Operation::Create => made.create(models)?,
        Operation::Update => made.update(models)?,
        Operation::Delete => {
            made.text = format!("delete from {}", quoted(&query.table));
            made.of_key()?;
            made.text.push_str(" returning 1");
        }
    }
    Some(TableStatement { text: made.text, values: made.values })
}

struct Making<'a> {
    query: &'a TableQuery,
    params: &'a [Param],
    wires: &'a [Wire],
    text: String,
    values: Vec<Value>,
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Making<'_> {
    /// The placeholder of one more argument.
    fn add(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    fn argument(&self, param: usize) -> Option<Value> {
        value(&self.wires[param], &self.params[param].ty)
    }

    fn columns(&self) -> String {
        let of = |column: &crate::manifest::table_query::Column| match column.0 == column.1 {
            true => quoted(&column.0),
            false => format!("{} as {}", quoted(&column.0), quoted(&column.1)),
        };
        self.query.columns.iter().map(of).collect::<Vec<_>>().join(", ")
    }

    fn select(&mut self) {
        self.text = format!("select {} from {}", self.columns(), quoted(&self.query.table));
    }

    fn of_key(&mut self) -> Option<()> {
        let key = self.argument(self.query.arguments.key?)?;
        let place = self.add(key);
        let _ = write!(self.text, " where {} = {place}", quoted(&self.query.key));
        Some(())
    }

    fn list(&mut self) -> Option<()> {
        self.select();
        let mut word = " where ";
        for filter in &self.query.filters {
            // None stands for a filter that was not given, as Ellipsis does.
            if matches!(self.wires[filter.0], Wire::Absent | Wire::Value(Value::Null)) {
                continue;
            }
            let given = self.argument(filter.0)?;
            let place = self.add(given);
            let _ = write!(self.text, "{word}{} {} {place}", quoted(&filter.1), filter.2.sql());
            word = " and ";
        }
        let arguments = self.query.arguments;
        let order = match self.argument(arguments.order?)? {
            // Of the values that the parameter has: it becomes part of the text.
            Value::Text(order) if self.query.orders.contains(&order) => order,
            _ => return None,
        };
        let (column, direction) = match order.strip_prefix('-') {
            Some(column) => (column, " desc"),
            None => (&*order, ""),
        };
        let _ = write!(self.text, " order by {}{direction}", quoted(column));
        if column != self.query.key {
            let _ = write!(self.text, ", {}", quoted(&self.query.key));
        }
        let limit = self.argument(arguments.limit?)?;
        let limit = self.add(limit);
        let offset = self.argument(arguments.offset?)?;
        let offset = self.add(offset);
        let _ = write!(self.text, " limit {limit} offset {offset}");
        Some(())
    }

    /// The columns that the body has, and the values.
    fn sent(&self, models: &[Model]) -> Option<Vec<(String, Value)>> {
        let body = self.query.arguments.body?;
        let (Wire::Tuple(parts), Type::Model(index)) = (&self.wires[body], &self.params[body].ty) else {
            return None;
        };
        let fields = &models.get(*index)?.fields;
        let mut sent = Vec::new();
        for ((part, field), column) in parts.iter().zip(fields).zip(&self.query.fields) {
            if *part != Wire::Absent {
                sent.push((quoted(column), value(part, &field.ty)?));
            }
        }
        Some(sent)
    }

    fn create(&mut self, models: &[Model]) -> Option<()> {
        let sent = self.sent(models)?;
        self.text = format!("insert into {}", quoted(&self.query.table));
        if sent.is_empty() {
            self.text.push_str(" default values");
        } else {
            let columns: Vec<_> = sent.iter().map(|(column, _)| &**column).collect();
            let _ = write!(self.text, " ({})", columns.join(", "));
            let places: Vec<_> = sent.into_iter().map(|(_, value)| self.add(value)).collect();
            let _ = write!(self.text, " values ({})", places.join(", "));
        }
        self.returning();
        Some(())
    }

    fn update(&mut self, models: &[Model]) -> Option<()> {
        let sent = self.sent(models)?;
        if sent.is_empty() {
            self.select();
            return self.of_key();
        }
        let mut sets = Vec::with_capacity(sent.len());
        for (column, value) in sent {
            let place = self.add(value);
            sets.push(format!("{column} = {place}"));
        }
        self.text = format!("update {} set {}", quoted(&self.query.table), sets.join(", "));
        self.of_key()?;
        self.returning();
        Some(())
    }

    fn returning(&mut self) {
        let columns = self.columns();
        let _ = write!(self.text, " returning {columns}");
    }
}
