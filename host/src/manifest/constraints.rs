//! Constraints on values (`gt`, `max_length`, `pattern` and the like), with pydantic's names and messages.

use crate::codec::marshal::code;
use crate::codec::work::{Stop, Work};
use crate::manifest::pattern::Pattern;
use jiter::JsonValue;
use serde_json::Number;
use std::borrow::Cow;
use std::sync::Arc;

/// Why a value is refused: pydantic's error type and message.
pub type Violation<'m> = (&'static str, Cow<'m, str>);

/// The property of a type that changes how constraints are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Bytes,
    Decimal,
    Set,
    Tuple,
    Other,
}

/// Constraints on a value, in addition to its type.
#[derive(Debug, Clone, Default)]
pub struct Constraints {
    pub gt: Option<Number>,
    pub ge: Option<Number>,
    pub lt: Option<Number>,
    pub le: Option<Number>,
    pub multiple_of: Option<Number>,
    pub min_length: Option<usize>,
    pub max_length: Option<usize>,
    pub pattern: Option<Arc<Pattern>>,
}

/// A marshalled number, or a limit.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Num {
    Int(i64),
    Float(f64),
}

impl Num {
    fn of(number: &Number) -> Self {
        number.as_i64().map_or_else(|| Self::Float(number.as_f64().unwrap_or(f64::NAN)), Self::Int)
    }

    fn float(self) -> f64 {
        match self {
            Self::Int(int) => int as f64,
            Self::Float(float) => float,
        }
    }

    fn is_above(self, other: Self) -> bool {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a > b,
            (a, b) => a.float() > b.float(),
        }
    }

    fn is_multiple_of(self, unit: Self) -> bool {
        match (self, unit) {
            (_, Self::Int(0)) => false,
            (Self::Int(a), Self::Int(b)) => a.checked_rem(b).unwrap_or(0) == 0,
            (a, b) => {
                // As in pydantic: floats that are off by less than a billionth count as multiples.
                let (value, unit) = (a.float(), b.float());
                let rest = (value % unit).abs();
                let slack = value.abs() / 1e9;
                rest <= slack || (rest - unit.abs()).abs() <= slack
            }
        }
    }
}

impl Constraints {
    /// Why `value` is refused, if it is. It already fits a type of this kind; `written` is its marshalled form.
    pub fn refusal(
        &self,
        kind: Kind,
        value: &JsonValue<'_>,
        written: &[u8],
        work: &mut Work,
    ) -> Result<Option<Violation<'static>>, Stop> {
        if let Some(number) = number(kind, value, written) {
            return Ok(self.bounds(number));
        }
        if let Some(refused) = self.length(kind, value) {
            return Ok(Some(refused));
        }
        match (&self.pattern, value) {
            (Some(pattern), JsonValue::Str(text)) if !pattern.is_match(text, work)? => {
                let msg = format!("String should match pattern '{pattern}'");
                Ok(Some(("string_pattern_mismatch", msg.into())))
            }
            _ => Ok(None),
        }
    }

    fn bounds(&self, number: Num) -> Option<Violation<'static>> {
        let refused =
            |kind, what: &str, limit: &Number| Some((kind, format!("Input should be {what} {limit}").into()));
        // Every bound refuses NaN, which is neither above nor below.
        let above = |limit: &Number| number.is_above(Num::of(limit));
        let below = |limit: &Number| Num::of(limit).is_above(number);
        let same =
            |limit: &Number| number.float() == Num::of(limit).float() && !above(limit) && !below(limit);
        if let Some(limit) = self.multiple_of.as_ref().filter(|unit| !number.is_multiple_of(Num::of(unit))) {
            return refused("multiple_of", "a multiple of", limit);
        }
        if let Some(limit) = self.le.as_ref().filter(|limit| !below(limit) && !same(limit)) {
            return refused("less_than_equal", "less than or equal to", limit);
        }
        if let Some(limit) = self.lt.as_ref().filter(|limit| !below(limit)) {
            return refused("less_than", "less than", limit);
        }
        if let Some(limit) = self.ge.as_ref().filter(|limit| !above(limit) && !same(limit)) {
            return refused("greater_than_equal", "greater than or equal to", limit);
        }
        if let Some(limit) = self.gt.as_ref().filter(|limit| !above(limit)) {
            return refused("greater_than", "greater than", limit);
        }
        None
    }

    fn length(&self, kind: Kind, value: &JsonValue<'_>) -> Option<Violation<'static>> {
        if self.min_length.is_none() && self.max_length.is_none() {
            return None;
        }
        // The value's name, the unit, the length, and the two error types.
        let (name, unit, length, [short, long]) = match value {
            JsonValue::Str(text) if kind == Kind::Bytes => {
                ("Data", "byte", text.len(), ["bytes_too_short", "bytes_too_long"])
            }
            JsonValue::Str(text) => {
                ("String", "character", text.chars().count(), ["string_too_short", "string_too_long"])
            }
            JsonValue::Array(items) => (collection(kind), "item", items.len(), ["too_short", "too_long"]),
            JsonValue::Object(pairs) => ("Dictionary", "item", pairs.len(), ["too_short", "too_long"]),
            _ => return None,
        };
        let refused = |error, bound: &str, limit: usize| {
            let plural = if limit == 1 { "" } else { "s" };
            let found =
                if unit == "item" { format!(" after validation, not {length}") } else { String::new() };
            Some((error, format!("{name} should have at {bound} {limit} {unit}{plural}{found}").into()))
        };
        match (self.min_length, self.max_length) {
            (Some(least), _) if length < least => refused(short, "least", least),
            (_, Some(most)) if length > most => refused(long, "most", most),
            _ => None,
        }
    }
}

fn collection(kind: Kind) -> &'static str {
    match kind {
        Kind::Set => "Set",
        Kind::Tuple => "Tuple",
        _ => "List",
    }
}

/// The number as marshalled for the guest: "5" in a query became 5. A decimal is marshalled as text, so we read it
/// from the value.
fn number(kind: Kind, value: &JsonValue<'_>, written: &[u8]) -> Option<Num> {
    let (code, rest) = written.split_first()?;
    match *code {
        code::INT => Some(Num::Int(i64::from(i32::from_le_bytes(rest.get(..4)?.try_into().ok()?)))),
        code::FLOAT => Some(Num::Float(f64::from_le_bytes(rest.get(..8)?.try_into().ok()?))),
        code::LONG => Some(long(rest)),
        _ => match value {
            JsonValue::Int(int) => Some(Num::Int(*int)),
            JsonValue::Float(float) => Some(Num::Float(*float)),
            JsonValue::Str(text) if kind == Kind::Decimal => text.trim().parse().ok().map(Num::Float),
            _ => None,
        },
    }
}

/// An integer beyond 64 bits is compared as the nearest float.
fn long(digits: &[u8]) -> Num {
    let count = digits.get(..4).and_then(|raw| raw.try_into().ok()).map_or(0, i32::from_le_bytes);
    let mut value = 0f64;
    let mut exact: Option<i64> = Some(0);
    for digit in digits.get(4..).unwrap_or_default().chunks_exact(2).rev() {
        let digit = i64::from(u16::from_le_bytes([digit[0], digit[1]]));
        value = value * 32768.0 + digit as f64;
        exact = exact.and_then(|so_far| so_far.checked_mul(32768)?.checked_add(digit));
    }
    match exact {
        Some(exact) => Num::Int(if count < 0 { -exact } else { exact }),
        None => Num::Float(if count < 0 { -value } else { value }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::marshal::Writer;

    fn check(json: serde_json::Value) -> Constraints {
        let number = |name: &str| json[name].as_number().cloned();
        Constraints {
            gt: number("gt"),
            ge: number("ge"),
            lt: number("lt"),
            le: number("le"),
            multiple_of: number("multiple_of"),
            min_length: json["min_length"].as_u64().map(|n| n as usize),
            max_length: json["max_length"].as_u64().map(|n| n as usize),
            pattern: json["pattern"].as_str().map(|text| Arc::new(Pattern::new(text).unwrap())),
        }
    }

    fn int(check: &Constraints, value: i64) -> Option<&'static str> {
        let mut out = Writer::default();
        out.int(value);
        check
            .refusal(Kind::Other, &JsonValue::Int(value), &out.buf, &mut Work::alone())
            .unwrap()
            .map(|(kind, _)| kind)
    }

    fn float(check: &Constraints, value: f64) -> Option<&'static str> {
        let mut out = Writer::default();
        out.float(value);
        check
            .refusal(Kind::Other, &JsonValue::Float(value), &out.buf, &mut Work::alone())
            .unwrap()
            .map(|(kind, _)| kind)
    }

    fn text(check: &Constraints, value: &str) -> Option<&'static str> {
        let mut out = Writer::default();
        out.str(value);
        check
            .refusal(Kind::Other, &JsonValue::Str(value.into()), &out.buf, &mut Work::alone())
            .unwrap()
            .map(|(kind, _)| kind)
    }

    #[test]
    fn bounds_hold_at_their_edges_and_beyond_32_bits() {
        let range = check(serde_json::json!({"ge": 0, "lt": 5_000_000_000u64}));
        assert_eq!(int(&range, 0), None);
        assert_eq!(int(&range, -1), Some("greater_than_equal"));
        assert_eq!(int(&range, 4_999_999_999), None);
        assert_eq!(int(&range, 5_000_000_000), Some("less_than"));
        let open = check(serde_json::json!({"gt": 0.5, "le": 1}));
        assert_eq!((float(&open, 0.5), float(&open, 1.0)), (Some("greater_than"), None));
        assert_eq!(float(&open, f64::NAN), Some("less_than_equal"));
    }

    #[test]
    fn multiples_are_exact_for_integers_and_close_for_floats() {
        let five = check(serde_json::json!({"multiple_of": 5}));
        assert_eq!((int(&five, 10), int(&five, 11)), (None, Some("multiple_of")));
        let tenth = check(serde_json::json!({"multiple_of": 0.1}));
        assert_eq!((float(&tenth, 0.3), float(&tenth, 0.35)), (None, Some("multiple_of")));
    }

    #[test]
    fn lengths_count_characters_and_patterns_search() {
        let short = check(serde_json::json!({"min_length": 2, "max_length": 3}));
        assert_eq!((text(&short, "é"), text(&short, "éé")), (Some("string_too_short"), None));
        assert_eq!(text(&short, "four"), Some("string_too_long"));
        let pattern = check(serde_json::json!({"pattern": "b+"}));
        assert_eq!((text(&pattern, "abc"), text(&pattern, "ac")), (None, Some("string_pattern_mismatch")));
    }
}
