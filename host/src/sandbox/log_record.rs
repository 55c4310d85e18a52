//! A record of the guest's `logging`, as the SDK frames it: a mark, a line of JSON, the message and, after another mark, a
//! traceback.

use serde::Deserialize;
use serde_json::{Map, Value};

/// The SDK writes no other error that begins with it. A guest that does has a record in its own name.
const MARK: char = '\u{1e}';

/// Most fields of a record that are logged.
const MOST_FIELDS: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warn,
    Info,
    Debug,
}

/// What is said in the line of JSON. Guests made by another SDK may say more.
#[derive(Debug, Deserialize)]
struct Head {
    level: Severity,
    logger: String,
    #[serde(default)]
    extra: Map<String, Value>,
    /// How many fields the SDK left out.
    #[serde(default)]
    left_out: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub struct LogRecord<'t> {
    pub level: Severity,
    pub logger: String,
    /// A JSON object, unless it is empty.
    pub extra: Option<String>,
    pub left_out: u64,
    pub message: &'t str,
    /// Empty if there is none.
    pub traceback: &'t str,
}

impl<'t> LogRecord<'t> {
    /// The record in a text of a guest; None if the text is not one.
    pub fn read(text: &'t str) -> Option<Self> {
        let (head, said) = text.strip_prefix(MARK)?.split_once('\n')?;
        let Head { level, logger, mut extra, mut left_out } = serde_json::from_str(head).ok()?;
        let names: Vec<_> = extra.keys().skip(MOST_FIELDS).cloned().collect();
        left_out = left_out.saturating_add(names.len() as u64);
        for name in names {
            extra.remove(&name);
        }
        let extra = (!extra.is_empty()).then(|| Value::Object(extra).to_string());
        let (message, traceback) = said.split_once(MARK).unwrap_or((said, ""));
        Some(Self { level, logger, extra, left_out, message, traceback })
    }

    /// The size of its fields in a line, besides message and traceback.
    pub fn field_bytes(&self) -> usize {
        // What is not shown is escaped, with up to eight characters.
        let shown = |text: &str| -> usize {
            text.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { 1 } else { 8 }).sum()
        };
        shown(&self.logger) + self.extra.as_deref().map_or(0, shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_taken_apart() {
        let text = "\u{1e}{\"level\":\"warn\",\"logger\":\"shop\",\"extra\":{\"b\":\"\\u00e4\",\"a\":[1,null]}}\nsold\nout\u{1e}Traceback";
        let record = LogRecord {
            level: Severity::Warn,
            logger: "shop".into(),
            extra: Some("{\"a\":[1,null],\"b\":\"ä\"}".into()),
            left_out: 0,
            message: "sold\nout",
            traceback: "Traceback",
        };
        assert_eq!(LogRecord::read(text), Some(record));
        let text = "\u{1e}{\"level\":\"debug\",\"logger\":\"\",\"left_out\":3}\n";
        let record = LogRecord {
            level: Severity::Debug,
            logger: String::new(),
            extra: None,
            left_out: 3,
            message: "",
            traceback: "",
        };
        assert_eq!(LogRecord::read(text), Some(record));
    }

    #[test]
    fn other_texts_are_none() {
        for text in [
            "",
            "\u{1e}",
            "\u{1e}\n",
            "{\"level\":\"warn\",\"logger\":\"shop\"}\nsaid",
            "\u{1e}{\"level\":\"warn\",\"logger\":\"shop\"}",
            "\u{1e}{\"level\":\"trace\",\"logger\":\"shop\"}\nsaid",
            "\u{1e}{\"level\":\"warn\"}\nsaid",
            "\u{1e}{\"level\":\"warn\",\"logger\":\"shop\",\"extra\":[]}\nsaid",
            "\u{1e}{\"level\":\"warn\",\"logger\":\"shop\",\"extra\":{\"a\":1e999}}\nsaid",
        ] {
            assert_eq!(LogRecord::read(text), None, "{text}");
        }
        let deep = format!(
            "\u{1e}{{\"level\":\"warn\",\"logger\":\"x\",\"extra\":{{\"a\":{}}}}}\nsaid",
            "[".repeat(10_000)
        );
        assert_eq!(LogRecord::read(&deep), None);
    }

    #[test]
    fn the_number_of_fields_is_bounded() {
        let fields: Vec<_> = (0..100).map(|number| format!("\"f{number}\":{number}")).collect();
        let text = format!(
            "\u{1e}{{\"level\":\"info\",\"logger\":\"x\",\"left_out\":1,\"extra\":{{{}}}}}\nsaid",
            fields.join(",")
        );
        let record = LogRecord::read(&text).unwrap();
        let extra: Map<String, Value> = serde_json::from_str(&record.extra.unwrap()).unwrap();
        assert_eq!((extra.len(), record.left_out), (MOST_FIELDS, 1 + 100 - MOST_FIELDS as u64));
    }
}
