//! A log event as text: for people, or as a JSON object. Whatever a message or a value says, it makes no other line than its own,
//! shows every character that it has, and is bounded: guests and clients have a hand in most of them.

use crate::util::printable;
use serde_json::{Map, Value};
use std::fmt::{self, Debug, Write};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Most bytes of a message or value before its characters are escaped.
const MOST: usize = 8 * 1024;

/// How a text continues on another line, in a log for people.
const CONTINUED: &str = "\n  | ";

/// Names of fields with a form of their own: the fields of a guest's record, as a JSON object; and a traceback, which begins
/// on a line of its own for people.
const EXTRA: &str = "extra";
const TRACEBACK: &str = "traceback";

/// The formatter of both formats.
pub struct Lines {
    pub is_json: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let meta = event.metadata();
        let mut visitor = Fields { is_json: self.is_json, outcome: Ok(()), out: &mut out };
        if self.is_json {
            visitor.out.write_str("{\"timestamp\":\"")?;
            SystemTime.format_time(visitor.out)?;
            write!(visitor.out, "\",\"level\":\"{}\"", meta.level())?;
        } else {
            SystemTime.format_time(visitor.out)?;
            write!(visitor.out, " {:>5} {}:", meta.level(), meta.target())?;
        }
        event.record(&mut visitor);
        visitor.outcome?;
        if self.is_json {
            write!(out, ",\"target\":\"{}\"}}", meta.target())?;
        }
        out.write_char('\n')
    }
}

/// Writes fields one after another. The names are those of this program.
struct Fields<'w, 'f> {
    is_json: bool,
    outcome: fmt::Result,
    out: &'w mut Writer<'f>,
}

impl Fields<'_, '_> {
    fn name(&mut self, field: &Field) -> fmt::Result {
        match (self.is_json, field.name()) {
            (true, name) => write!(self.out, ",\"{name}\":"),
            (false, "message") => self.out.write_char(' '),
            (false, TRACEBACK) => self.out.write_str(CONTINUED),
            (false, name) => write!(self.out, " {name}="),
        }
    }

    /// A number or truth value.
    fn plain(&mut self, field: &Field, value: impl fmt::Display) {
        self.outcome =
            self.outcome.and_then(|()| self.name(field)).and_then(|()| write!(self.out, "{value}"));
    }

    fn text(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        let quote = if self.is_json { "\"" } else { "" };
        let written = self.name(field).and_then(|()| {
            self.out.write_str(quote)?;
            let mut text = Text { is_json: self.is_json, left: MOST, is_cut: false, out: self.out };
            // A text that is cut ends the formatting of its value.
            let written = text.write_fmt(value);
            match text.is_cut {
                true => self.out.write_char('…')?,
                false => written?,
            }
            self.out.write_str(quote)
        });
        self.outcome = self.outcome.and(written);
    }

    /// A JSON value, in both formats.
    fn json(&mut self, value: &Value) -> fmt::Result {
        match value {
            Value::String(text) => self.json_text(text),
            Value::Array(items) => {
                self.out.write_char('[')?;
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        self.out.write_char(',')?;
                    }
                    self.json(item)?;
                }
                self.out.write_char(']')
            }
            Value::Object(fields) => self.json_object(fields),
            Value::Null | Value::Bool(_) | Value::Number(_) => write!(self.out, "{value}"),
        }
    }

    fn json_object(&mut self, fields: &Map<String, Value>) -> fmt::Result {
        self.out.write_char('{')?;
        for (at, (name, value)) in fields.iter().enumerate() {
            if at > 0 {
                self.out.write_char(',')?;
            }
            self.json_text(name)?;
            self.out.write_char(':')?;
            self.json(value)?;
        }
        self.out.write_char('}')
    }

    fn json_text(&mut self, text: &str) -> fmt::Result {
        self.out.write_char('"')?;
        printable::write(&mut InLine { is_json: true, out: self.out }, text)?;
        self.out.write_char('"')
    }
}

impl Visit for Fields<'_, '_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.text(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == EXTRA
            && value.len() <= MOST
            && let Ok(fields) = serde_json::from_str(value)
        {
            let written = self.name(field).and_then(|()| self.json_object(&fields));
            self.outcome = self.outcome.and(written);
            return;
        }
        // People see where a value ends by its quotes. Debug escapes them within.
        match self.is_json || matches!(field.name(), "message" | TRACEBACK) {
            true => self.text(field, format_args!("{value}")),
            false => self.text(field, format_args!("{:?}", printable::cut(value, MOST))),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        match value.is_finite() {
            true => self.plain(field, value),
            false => self.text(field, format_args!("{value}")),
        }
    }
}

/// Foreign text within a line.
struct Text<'w, 'f> {
    is_json: bool,
    /// Bytes that it may still have.
    left: usize,
    is_cut: bool,
    out: &'w mut Writer<'f>,
}

impl Write for Text<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let part = printable::cut(text, self.left);
        self.left -= part.len();
        printable::write(&mut InLine { is_json: self.is_json, out: self.out }, part)?;
        self.is_cut = part.len() < text.len();
        if self.is_cut { Err(fmt::Error) } else { Ok(()) }
    }
}

/// Keeps printable text within its line or its JSON string.
struct InLine<'w, 'f> {
    is_json: bool,
    out: &'w mut Writer<'f>,
}

impl Write for InLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let special: &[char] = if self.is_json { &['"', '\\', '\n', '\t'] } else { &['\n'] };
        let mut rest = text;
        while let Some(at) = rest.find(special) {
            self.out.write_str(&rest[..at])?;
            self.out.write_str(match (self.is_json, rest.as_bytes()[at]) {
                (false, _) => CONTINUED,
                (true, b'\n') => "\\n",
                (true, b'\t') => "\\t",
                (true, b'"') => "\\\"",
                (true, _) => "\\\\",
            })?;
            rest = &rest[at + 1..];
        }
        self.out.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged while `work` runs.
    fn logged(is_json: bool, work: impl FnOnce()) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        let lines =
            tracing_subscriber::fmt().with_writer(move || writer.clone()).event_format(Lines { is_json });
        tracing::subscriber::with_default(lines.finish(), work);
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    const FORGED: &str = "a\n{\"level\":\"ERROR\"}\r\u{202e}\u{1b}[2J\u{2028}\"\\";

    fn harm() {
        let none: Option<&str> = None;
        tracing::error!(target: "guest", app = FORGED, count = 3, is = true, ms = 0.5, none, why = ?FORGED, "{FORGED}");
    }

    #[test]
    fn a_json_line_is_one_object_with_what_was_said() {
        let line = logged(true, harm);
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(
            line.trim_end().chars().all(|c| !c.is_control() && !matches!(c, '\u{202e}' | '\u{2028}')),
            "{line}"
        );
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        let shown = "a\n{\"level\":\"ERROR\"}\\r\\u{202e}\\u{1b}[2J\\u{2028}\"\\";
        assert_eq!((&value["message"], &value["app"]), (&shown.into(), &shown.into()));
        assert_eq!((&value["level"], &value["target"]), (&"ERROR".into(), &"guest".into()));
        assert_eq!((&value["count"], &value["is"], &value["ms"]), (&3.into(), &true.into(), &0.5.into()));
        assert!(value.get("none").is_none() && value["timestamp"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn a_line_for_people_continues_indented() {
        let text = logged(false, harm);
        let (first, rest) = text.split_once('\n').unwrap();
        assert!(first.contains(" ERROR guest: a") || first.contains("ERROR guest: app="), "{first}");
        assert!(rest.lines().all(|line| line.starts_with("  | ")), "{text}");
        assert!(text.contains("\\u{202e}\\u{1b}[2J") && text.contains("count=3 is=true ms=0.5"), "{text}");
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\r', '\u{2028}']), "{text}");
    }

    fn record() {
        let extra = format!("{{\"n\":[1,null,0.5],\"request\":9,\"text\":{}}}", serde_json::json!(FORGED));
        let none: Option<u64> = None;
        let traceback = Some(format!("Traceback\n  {FORGED}"));
        let (extra, traceback) = (Some(extra.as_str()), traceback.as_deref());
        tracing::warn!(target: "guest", app = "shop", request = 3, logger = FORGED, extra, none, traceback, "sold out");
    }

    #[test]
    fn a_record_of_a_guest_is_one_line_of_json() {
        let line = logged(true, record);
        assert_eq!(line.lines().count(), 1, "{line}");
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        let shown = "a\n{\"level\":\"ERROR\"}\\r\\u{202e}\\u{1b}[2J\\u{2028}\"\\";
        let extra = serde_json::json!({"n": [1, null, 0.5], "request": 9, "text": shown});
        assert_eq!((&value["level"], &value["message"]), (&"WARN".into(), &"sold out".into()));
        assert_eq!(
            (&value["logger"], &value["request"], &value["extra"]),
            (&shown.into(), &3.into(), &extra)
        );
        assert_eq!(value["traceback"], format!("Traceback\n  {shown}"));
        assert!(value.get("none").is_none());
    }

    #[test]
    fn a_record_of_a_guest_ends_with_its_traceback_for_people() {
        let text = logged(false, record);
        let (first, rest) = text.split_once('\n').unwrap();
        assert!(first.contains(" WARN guest: sold out app=\"shop\" request=3 logger="), "{first}");
        assert!(first.contains(" extra={\"n\":[1,null,0.5],\"request\":9,\"text\":\"a\\n{"), "{first}");
        assert!(rest.starts_with("  | Traceback\n  |   a\n  | {"), "{rest}");
        assert!(rest.lines().all(|line| line.starts_with("  | ")), "{text}");
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\r', '\u{2028}']), "{text}");
    }

    #[test]
    fn fields_that_are_no_object_are_a_text() {
        for said in ["[1]", "{\"a\":", "", "\u{202e}"] {
            let line = logged(true, || tracing::info!(extra = said, "said"));
            let value: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert!(value["extra"].is_string(), "{line}");
        }
        let huge = format!("{{\"a\":\"{}\"}}", "x".repeat(2 * MOST));
        let line = logged(true, || tracing::info!(extra = huge.as_str(), "said"));
        assert!(line.len() < 2 * MOST, "{} bytes", line.len());
    }

    #[test]
    fn texts_are_bounded_in_both_formats() {
        let huge = "\u{202e}\n\"".repeat(1 << 20);
        for is_json in [true, false] {
            let text = logged(is_json, || tracing::warn!(why = ?huge, said = huge.as_str(), "{huge}"));
            assert!(text.len() < 20 * MOST, "{} bytes", text.len());
            assert!(text.contains('…'));
            if is_json {
                serde_json::from_str::<serde_json::Value>(&text).unwrap();
            }
        }
    }
}
