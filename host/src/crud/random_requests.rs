//! Random requests of a hostile client for the rows of a table: nothing panics, and what the client sends is never a part of the
//! statement, which SQLite accepts.

use crate::codec::work::Work;
use crate::crud::statement::statement;
use crate::manifest::router::Router;
use crate::manifest::{Manifest, Method};
use crate::validation::arguments::{Input, validate};
use rusqlite::Connection;

/// The manifest of `api.crud(Item, table='we"ird')`, as the SDK writes it; a name in SQL may hold anything.
const MANIFEST: &str = include_str!("random_table.json");
const SCHEMA: &str = r#"create table "we""ird"
    (id integer primary key, name text, price numeric, sold, made, day, weight real, token text)"#;
const METHODS: [Method; 4] = [Method::Get, Method::Post, Method::Patch, Method::Delete];
/// All that statements consist of, apart from names, placeholders and signs.
const WORDS: &[&str] = &[
    "select",
    "from",
    "where",
    "and",
    "order",
    "by",
    "desc",
    "limit",
    "offset",
    "insert",
    "into",
    "values",
    "default",
    "update",
    "set",
    "delete",
    "returning",
    "as",
    "like",
    "is",
    "not",
    "null",
    "in",
];

/// The app and its table.
pub struct Table {
    manifest: Manifest,
    router: Router,
    database: Connection,
}

impl Table {
    /// The error is a sentence.
    pub fn new() -> Result<Self, String> {
        let manifest = Manifest::parse(MANIFEST)?;
        let database = Connection::open_in_memory().map_err(|e| e.to_string())?;
        database.execute_batch(SCHEMA).map_err(|e| e.to_string())?;
        Ok(Self { router: Router::new(&manifest)?, manifest, database })
    }

    /// Send a request: a byte for the method, a line of path, a line of query, then the body. Returns whether the database
    /// would have been asked. The error says what is wrong with the statement.
    pub fn request(&self, data: &[u8]) -> Result<bool, String> {
        let Some((method, rest)) = data.split_first() else { return Ok(false) };
        let mut parts = rest.splitn(3, |&byte| byte == b'\n');
        let mut line = || std::str::from_utf8(parts.next()?).ok();
        let (Some(path), Some(query)) = (line(), line()) else { return Ok(false) };
        let body = parts.next().unwrap_or_default();
        let method = METHODS[usize::from(*method) % METHODS.len()];
        let Ok(found) = self.router.find(Some(method), path) else { return Ok(false) };
        let route = &self.manifest.routes[found.route];
        let Some(table) = &route.query else { return Ok(false) };
        let input = Input { query: Some(query), body, is_json: true, ..Input::default() };
        let Ok(valid) = validate(&self.manifest, &self.router, &found, input, &mut Work::brief()) else {
            return Ok(false);
        };
        let Some(made) = statement(table, &route.params, &self.manifest.models, &valid.0) else {
            return Ok(false);
        };
        let prepared = self.database.prepare(&made.text).map_err(|e| format!("{}: {e}", made.text))?;
        if prepared.parameter_count() != made.values.len() {
            return Err(format!("{} has {} values", made.text, made.values.len()));
        }
        match foreign_word(&made.text) {
            Some(word) => Err(format!("{} has {word:?}", made.text)),
            None => Ok(true),
        }
    }
}

/// A word of a statement that is none of ours.
fn foreign_word(text: &str) -> Option<String> {
    // A quote within a name is doubled, so names are every second part.
    let outside: String = text.replace("\"\"", "").split('"').step_by(2).collect::<Vec<_>>().join(" ");
    let is_sign = |c: char| c.is_ascii_digit() || " $(),<>=!".contains(c);
    let words = outside.split(is_sign).filter(|word| !word.is_empty());
    words.map(str::to_owned).find(|word| !WORDS.contains(&&**word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn requests_of_every_operation_reach_the_database() {
        let table = Table::new().unwrap();
        for (method, request) in [
            (0, "/items\nlimit=5&order=-name&name=x\n"),
            (0, "/items/7\n\n"),
            (1, "/items\n\n{\"id\": 1, \"name\": \"a\\\"; drop table x\", \"price\": \"1.5\"}"),
            (2, "/items/7\n\n{\"sold\": true, \"made\": \"2024-01-02T03:04:05Z\"}"),
            (3, "/items/7\n\n"),
        ] {
            let data = [&[method], request.as_bytes()].concat();
            assert_eq!(table.request(&data), Ok(true), "{request}");
        }
        assert_eq!(foreign_word("select \"a\"\"b\" from \"x\" where \"y\" = $1"), None);
        assert_eq!(foreign_word("select 1 union select 2").as_deref(), Some("union"));
    }

    proptest! {
        #[test]
        fn what_a_client_sends_is_never_part_of_a_statement(
            method in 0..4_u8,
            path in "/items(/[-0-9a-z\"'%]{0,12})?",
            query in "((limit|offset|order|name|price__gte|sold|made__lt|[a-z_]{1,8})=[-0-9a-zA-Z\"';%+.:]{0,20}&?){0,5}",
            body in "\\{(\"(name|price|sold|made|day|weight|token|id)\": (\"[^\"\\\\]{0,20}\"|-?[0-9]{1,20}|true|null),? ?){0,4}\\}",
        ) {
            let data = [&[method], format!("{path}\n{query}\n{body}").as_bytes()].concat();
            let table = Table::new().unwrap();
            let sent = table.request(&data);
            prop_assert!(sent.is_ok(), "{sent:?}");
        }

        #[test]
        fn no_bytes_panic(data: Vec<u8>) {
            prop_assert!(Table::new().unwrap().request(&data).is_ok());
        }
    }
}
