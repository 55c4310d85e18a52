//! Constraints on values (`gt`, `max_length`, `pattern` and the like), with pydantic's names and messages.

use crate::codec::marshal::{LONG_SHIFT, code};
use crate::codec::work::{Stop, Work};
use crate::manifest::exact::Exact;
use crate::manifest::pattern::Pattern;
use jiter::JsonValue;
use num_bigint::BigInt;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

/// Why a value is refused: pydantic's error type and message.
pub type Violation<'m> = (&'static str, Cow<'m, str>);

/// The property of a type that changes how constraints are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Bytes,
    Decimal,
    Set,
    Frozenset,
    Tuple,
    Other,
}

/// Constraints on a value, in addition to its type.
#[derive(Debug, Clone, Default)]
pub struct Constraints {
    pub gt: Option<Bound>,
    pub ge: Option<Bound>,
    pub lt: Option<Bound>,
    pub le: Option<Bound>,
    pub multiple_of: Option<Bound>,
    pub min_length: Option<usize>,
    pub max_length: Option<usize>,
    pub pattern: Option<Arc<Pattern>>,
}

/// Longest bound, as text: values are divided by it.
const MOST_BOUND: usize = 100;

/// A bound of a number, or the unit of its multiples.
#[derive(Debug, Clone)]
pub struct Bound {
    /// As messages show it.
    shown: String,
    /// `None` if it has no 64 bits.
    int: Option<i64>,
    exact: Exact,
    float: f64,
}

impl Bound {
    /// Of a decimal number. The error is a sentence for people.
    pub fn parse(shown: &str) -> Result<Self, String> {
        if shown.len() > MOST_BOUND {
            return Err(format!("a bound has at most {MOST_BOUND} characters"));
        }
        let refused = || format!("the bound {shown:?} is not a number");
        let exact = Exact::parse(shown).ok_or_else(refused)?;
        let float = shown.parse().map_err(|_| refused())?;
        Ok(Self { int: shown.parse().ok(), exact, float, shown: shown.to_owned() })
    }
}

/// A value, as it is marshalled for the guest.
#[derive(Debug)]
enum Num {
    Int(i64),
    Float(f64),
    Exact(Exact),
}

impl Num {
    /// `None` for NaN, which every bound refuses.
    fn compare(&self, bound: &Bound) -> Option<Ordering> {
        match self {
            Self::Int(int) => Some(match bound.int {
                Some(bound) => int.cmp(&bound),
                None => Exact::of(*int).cmp(&bound.exact),
            }),
            Self::Float(float) => float.partial_cmp(&bound.float),
            Self::Exact(exact) => Some(exact.cmp(&bound.exact)),
        }
    }

    fn is_multiple_of(&self, unit: &Bound) -> bool {
        match (self, unit.int) {
            (_, Some(0)) => false,
            (Self::Int(int), Some(unit)) => int.checked_rem(unit).unwrap_or(0) == 0,
            (Self::Int(int), None) => Exact::of(*int).is_multiple_of(&unit.exact),
            (Self::Exact(exact), _) => exact.is_multiple_of(&unit.exact),
            (Self::Float(value), _) => {
                // As in pydantic: floats that are off by less than a billionth count as multiples.
                let rest = (value % unit.float).abs();
                let slack = value.abs() / 1e9;
                rest <= slack || (rest - unit.float.abs()).abs() <= slack
            }
        }
    }
}

impl Constraints {
    /// Whether it bounds how many items there are.
    pub fn has_length(&self) -> bool {
        self.min_length.is_some() || self.max_length.is_some()
    }

    /// Why `value` is refused, if it is. It already fits a type of this kind; `written` is its marshalled form, and
    /// `distinct` the number of different items, for a set.
    pub fn refusal(
        &self,
        kind: Kind,
        value: &JsonValue<'_>,
        written: &[u8],
        distinct: Option<usize>,
        work: &mut Work,
    ) -> Result<Option<Violation<'static>>, Stop> {
        if let Some(number) = number(kind, written) {
            if let (Num::Exact(value), Some(unit)) = (&number, &self.multiple_of) {
                work.spend(value.division_cost(&unit.exact))?;
            }
            return Ok(self.bounds(&number));
        }
        if let Some(refused) = self.length(kind, value, distinct) {
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

    fn bounds(&self, number: &Num) -> Option<Violation<'static>> {
        use Ordering::{Equal, Greater, Less};
        if let Some(unit) = self.multiple_of.as_ref().filter(|unit| !number.is_multiple_of(unit)) {
            return Some(("multiple_of", format!("Input should be a multiple of {}", unit.shown).into()));
        }
        let bounds: [(_, _, &[Ordering], _); 4] = [
            (&self.le, "less_than_equal", &[Less, Equal], "less than or equal to"),
            (&self.lt, "less_than", &[Less], "less than"),
            (&self.ge, "greater_than_equal", &[Greater, Equal], "greater than or equal to"),
            (&self.gt, "greater_than", &[Greater], "greater than"),
        ];
        bounds.into_iter().find_map(|(bound, kind, allowed, what)| {
            let bound = bound.as_ref()?;
            let fits = number.compare(bound).is_some_and(|order| allowed.contains(&order));
            (!fits).then(|| (kind, format!("Input should be {what} {}", bound.shown).into()))
        })
    }

    fn length(
        &self,
        kind: Kind,
        value: &JsonValue<'_>,
        distinct: Option<usize>,
    ) -> Option<Violation<'static>> {
        if !self.has_length() {
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
            JsonValue::Array(items) => {
                (collection(kind), "item", distinct.unwrap_or(items.len()), ["too_short", "too_long"])
            }
            JsonValue::Object(pairs) => ("Dictionary", "item", pairs.len(), ["too_short", "too_long"]),
            _ => return None,
        };
        let refused = |error, bound: &str, limit: usize| {
            let plural = if limit == 1 { "" } else { "s" };
            // pydantic stops to count a set that is too large.
            let found = match (unit, distinct) {
                ("item", Some(_)) if bound == "most" => " after validation, not more".to_owned(),
                ("item", _) => format!(" after validation, not {length}"),
                _ => String::new(),
            };
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
        Kind::Frozenset => "Frozenset",
        Kind::Tuple => "Tuple",
        _ => "List",
    }
}

/// The number as marshalled for the guest: "5" in a query became 5. A decimal is marshalled as text.
fn number(kind: Kind, written: &[u8]) -> Option<Num> {
    let (code, rest) = written.split_first()?;
    match *code {
        code::INT => Some(Num::Int(i64::from(i32::from_le_bytes(rest.get(..4)?.try_into().ok()?)))),
        code::FLOAT => Some(Num::Float(f64::from_le_bytes(rest.get(..8)?.try_into().ok()?))),
        code::LONG => long(rest),
        code::SHORT_ASCII if kind == Kind::Decimal => decimal(rest.get(1..)?),
        code::ASCII if kind == Kind::Decimal => decimal(rest.get(4..)?),
        _ => None,
    }
}

fn decimal(text: &[u8]) -> Option<Num> {
    Exact::parse(std::str::from_utf8(text).ok()?).map(Num::Exact)
}

/// An integer beyond 32 bits.
fn long(digits: &[u8]) -> Option<Num> {
    let (count, digits) = digits.split_first_chunk::<4>()?;
    let mut value = BigInt::ZERO;
    for digit in digits.chunks_exact(2).rev() {
        value = (value << LONG_SHIFT) + u16::from_le_bytes([digit[0], digit[1]]);
    }
    let value = if i32::from_le_bytes(*count) < 0 { -value } else { value };
    match i64::try_from(&value) {
        Ok(int) => Some(Num::Int(int)),
        Err(_) => Exact::parse(&value.to_string()).map(Num::Exact),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::marshal::Writer;

    fn check(json: serde_json::Value) -> Constraints {
        let number = |name: &str| {
            let shown = json[name].as_str().map_or_else(|| json[name].to_string(), str::to_owned);
            (!json[name].is_null()).then(|| Bound::parse(&shown).unwrap())
        };
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
            .refusal(Kind::Other, &JsonValue::Int(value), &out.buf, None, &mut Work::alone())
            .unwrap()
            .map(|(kind, _)| kind)
    }

    fn float(check: &Constraints, value: f64) -> Option<&'static str> {
        let mut out = Writer::default();
        out.float(value);
        check
            .refusal(Kind::Other, &JsonValue::Float(value), &out.buf, None, &mut Work::alone())
            .unwrap()
            .map(|(kind, _)| kind)
    }

    fn text(check: &Constraints, value: &str) -> Option<&'static str> {
        let mut out = Writer::default();
        out.str(value);
        check
            .refusal(Kind::Other, &JsonValue::Str(value.into()), &out.buf, None, &mut Work::alone())
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

    fn decimal_of(check: &Constraints, value: &str) -> Option<&'static str> {
        let mut out = Writer::default();
        out.str(value);
        check
            .refusal(Kind::Decimal, &JsonValue::Str(value.into()), &out.buf, None, &mut Work::alone())
            .unwrap()
            .map(|v| v.0)
    }

    /// pydantic 2.14 with the same bounds and values.
    #[test]
    fn long_integers_and_decimals_are_compared_exactly() {
        let big = |text: &str| {
            let mut out = Writer::default();
            let int: BigInt = text.parse().unwrap();
            out.big_int(&int);
            out.buf
        };
        let of = |json: serde_json::Value, text: &str| {
            check(json)
                .refusal(
                    Kind::Other,
                    &JsonValue::Str(text.to_owned().into()),
                    &big(text),
                    None,
                    &mut Work::alone(),
                )
                .unwrap()
                .map(|(kind, msg)| (kind, msg.into_owned()))
        };
        let most = serde_json::json!({"le": "9223372036854775808"});
        assert_eq!(of(most.clone(), "9223372036854775808"), None);
        let msg = "Input should be less than or equal to 9223372036854775808".to_owned();
        assert_eq!(of(most, "9223372036854775809"), Some(("less_than_equal", msg)));
        assert_eq!(
            of(serde_json::json!({"le": 100}), "100000000000000000000000").unwrap().0,
            "less_than_equal"
        );
        assert_eq!(
            of(serde_json::json!({"ge": 0}), "-100000000000000000000000").unwrap().0,
            "greater_than_equal"
        );
        assert_eq!(
            of(serde_json::json!({"multiple_of": 3}), "3000000000000000000000000000001").unwrap().0,
            "multiple_of"
        );
        let decimal = |json: serde_json::Value, text: &str| decimal_of(&check(json), text);
        let most = serde_json::json!({"le": "100"});
        assert_eq!(decimal(most.clone(), "100.00000000000000000001"), Some("less_than_equal"));
        assert_eq!(decimal(most.clone(), "1e2"), None);
        assert_eq!(decimal(most.clone(), &format!("100.{}1", "0".repeat(400))), Some("less_than_equal"));
        assert_eq!(decimal(most, "100000000000000000000000"), Some("less_than_equal"));
        let more = serde_json::json!({"gt": "0.1"});
        assert_eq!(decimal(more.clone(), "0.10000000000000000001"), None);
        assert_eq!(decimal(more, "0.100"), Some("greater_than"));
        assert!(Bound::parse(&"9".repeat(MOST_BOUND + 1)).is_err());
        let mut work = Work::alone();
        work.bound(10_000);
        let sevens = check(serde_json::json!({"multiple_of": "7"}));
        let text = JsonValue::Str("1e999999".into());
        let outcome = sevens.refusal(Kind::Decimal, &text, b"z\x081e999999", None, &mut work);
        assert_eq!(outcome, Err(Stop::Spent), "a large exponent has its price");
        let tenths = serde_json::json!({"multiple_of": "0.1"});
        assert_eq!(decimal(tenths.clone(), "0.3"), None);
        assert_eq!(decimal(tenths, "0.35"), Some("multiple_of"));
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
