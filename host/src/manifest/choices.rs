//! The values of a literal or an enum, and which of them a client's value is. An app may declare thousands of values
//! and a client send thousands of items, so a value is looked up, and what an error says of them is written once.

use crate::codec::marshal::Writer;
use jiter::JsonValue;
use serde_json::Value;
use std::collections::HashMap;

/// Up to this many values are compared one by one, which is faster than a lookup.
const FEW: usize = 8;

/// The declared values.
#[derive(Debug, Clone)]
pub struct Choices {
    values: Vec<Value>,
    /// Empty for a [`FEW`] values.
    index: Index,
    /// `Input should be 'a', 'b' or 3`.
    expected: String,
    /// What the location of an error calls the type.
    label: String,
}

/// For each kind of value: its first position.
#[derive(Debug, Clone, Default)]
struct Index {
    null: Option<usize>,
    bools: [Option<usize>; 2],
    texts: HashMap<String, usize>,
    ints: HashMap<i64, usize>,
    /// Every number, by the bits of its float.
    floats: HashMap<u64, usize>,
    /// Integers, by the bits of their float: text that is such a number selects them.
    numbers: HashMap<u64, usize>,
}

impl Choices {
    pub fn literal(values: Vec<Value>) -> Self {
        let listed = values.iter().map(shown).collect::<Vec<_>>().join(",");
        Self::new(values, format!("literal[{listed}]"))
    }

    /// `base`: the plain type that the members are as well.
    pub fn enumeration(name: &str, base: Option<&str>, values: Vec<Value>) -> Self {
        let kind = base.map_or_else(|| "enum".to_owned(), |base| format!("{base}-enum"));
        Self::new(values, format!("{kind}[{name}]"))
    }

    fn new(values: Vec<Value>, label: String) -> Self {
        let expected = format!("Input should be {}", listed(&values));
        let index = if values.len() > FEW { Index::of(&values) } else { Index::default() };
        Self { values, index, expected, label }
    }

    pub fn label(&self) -> &str {
        &self.label
    }

    /// Write the value at a position as the app declares it.
    pub fn write(&self, position: usize, out: &mut Writer) {
        if let Some(value) = self.values.get(position) {
            write_constant(value, out);
        }
    }

    /// The message of an error.
    pub fn expected(&self) -> &str {
        &self.expected
    }

    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The position of a value. With `by_number`, text that is a number selects the integer of that value, as in a
    /// query.
    pub fn position(&self, given: &JsonValue<'_>, by_number: bool) -> Option<usize> {
        self.same(given, by_number).or_else(|| self.same(&equal(given)?, false))
    }

    fn same(&self, given: &JsonValue<'_>, by_number: bool) -> Option<usize> {
        if self.values.len() <= FEW {
            let number = if by_number { number(given) } else { None };
            return self.values.iter().position(|value| {
                same(value, given)
                    || number.is_some_and(|number| value.as_i64().is_some_and(|int| int as f64 == number))
            });
        }
        let exact = self.index.position(given);
        let by_number = if by_number { self.index.by_number(given) } else { None };
        exact.into_iter().chain(by_number).min()
    }
}

impl Index {
    fn of(values: &[Value]) -> Self {
        let mut index = Self::default();
        for (position, value) in values.iter().enumerate() {
            match value {
                Value::Null => index.null = index.null.or(Some(position)),
                Value::Bool(flag) => {
                    let seen = &mut index.bools[usize::from(*flag)];
                    *seen = seen.or(Some(position));
                }
                Value::String(text) => {
                    index.texts.entry(text.clone()).or_insert(position);
                }
                Value::Number(number) => {
                    if let Some(int) = number.as_i64() {
                        index.ints.entry(int).or_insert(position);
                        index.numbers.entry(bits(int as f64)).or_insert(position);
                    }
                    if let Some(float) = number.as_f64() {
                        index.floats.entry(bits(float)).or_insert(position);
                    }
                }
                // No value of a client is the same as a container.
                Value::Array(_) | Value::Object(_) => {}
            }
        }
        index
    }

    fn position(&self, given: &JsonValue<'_>) -> Option<usize> {
        match given {
            JsonValue::Null => self.null,
            JsonValue::Bool(flag) => self.bools[usize::from(*flag)],
            JsonValue::Str(text) => self.texts.get(text.as_ref()).copied(),
            JsonValue::Int(int) => self.ints.get(int).copied(),
            JsonValue::Float(float) => self.floats.get(&bits(*float)).copied(),
            JsonValue::BigInt(_) | JsonValue::Array(_) | JsonValue::Object(_) => None,
        }
    }

    fn by_number(&self, given: &JsonValue<'_>) -> Option<usize> {
        self.numbers.get(&bits(number(given)?)).copied()
    }
}

/// Equal floats have equal bits, except for the two zeros.
fn bits(float: f64) -> u64 {
    if float == 0.0 { 0 } else { float.to_bits() }
}

/// Text as a number.
fn number(given: &JsonValue<'_>) -> Option<f64> {
    match given {
        JsonValue::Str(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The value of the other kind that is equal in Python, where True, 1 and 1.0 are.
fn equal(given: &JsonValue<'_>) -> Option<JsonValue<'static>> {
    match given {
        JsonValue::Bool(flag) => Some(JsonValue::Int(i64::from(*flag))),
        JsonValue::Int(0) => Some(JsonValue::Bool(false)),
        JsonValue::Int(1) => Some(JsonValue::Bool(true)),
        JsonValue::Float(float) if *float == 0.0 => Some(JsonValue::Bool(false)),
        JsonValue::Float(float) if *float == 1.0 => Some(JsonValue::Bool(true)),
        _ => None,
    }
}

/// Write a value that is no container; others are not written.
pub fn write_constant(value: &Value, out: &mut Writer) -> bool {
    match value {
        Value::Null => out.none(),
        Value::Bool(value) => out.bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(int) => out.int(int),
            None => out.float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => out.str(text),
        Value::Array(_) | Value::Object(_) => return false,
    }
    true
}

fn same(expected: &Value, given: &JsonValue<'_>) -> bool {
    match (expected, given) {
        (Value::Null, JsonValue::Null) => true,
        (Value::Bool(a), JsonValue::Bool(b)) => a == b,
        (Value::String(a), JsonValue::Str(b)) => a == b,
        (Value::Number(a), JsonValue::Int(b)) => a.as_i64() == Some(*b),
        (Value::Number(a), JsonValue::Float(b)) => a.as_f64() == Some(*b),
        _ => false,
    }
}

/// A value as Python writes it.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        other => other.to_string(),
    }
}

/// Python's `repr` of a string.
fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            c if c.is_control() && (c as u32) < 0x100 => out.push_str(&format!("\\x{:02x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

/// `'a', 'b' or 3`, as pydantic lists the values of an enum or a literal.
fn listed(values: &[Value]) -> String {
    match values {
        [] => String::new(),
        [one] => shown(one),
        [head @ .., last] => {
            format!("{} or {}", head.iter().map(shown).collect::<Vec<_>>().join(", "), shown(last))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-3i64..4).prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-3i64..4).prop_map(|int| json!(int as f64 / 2.0)),
            Just(json!(-0.0)),
            "[a-c]{0,2}| ?-?[0-3](\\.[05])? ?|1e0|nan|inf".prop_map(Value::from),
            Just(json!([1])),
        ]
    }

    proptest! {
        /// What an index finds is what a comparison with each value finds.
        #[test]
        fn an_index_finds_the_first_value_that_is_the_same(
            values in prop::collection::vec(any_value(), 0..24), given in any_value(), by_number in any::<bool>()
        ) {
            let text = given.to_string();
            let given = JsonValue::parse(text.as_bytes(), false).unwrap();
            let by_text = |value: &Value| match &given {
                JsonValue::Str(text) if by_number => {
                    value.as_i64().is_some_and(|number| text.trim().parse() == Ok(number as f64))
                }
                _ => false,
            };
            let found = values.iter().position(|value| same(value, &given) || by_text(value));
            let index = Index::of(&values);
            let by_index = index.position(&given).into_iter();
            let by_index = by_index.chain(by_number.then(|| index.by_number(&given)).flatten()).min();
            prop_assert_eq!(by_index, found);
            let other = equal(&given);
            let found = found.or_else(|| other.and_then(|other| values.iter().position(|value| same(value, &other))));
            prop_assert_eq!(Choices::literal(values).position(&given, by_number), found);
        }
    }

    #[test]
    fn values_are_listed_as_pydantic_lists_them() {
        let of = |values: Value| Choices::literal(values.as_array().unwrap().clone());
        assert_eq!(of(json!(["a", null, true, 3])).expected(), "Input should be 'a', None, True or 3");
        assert_eq!(of(json!([1.5])).expected(), "Input should be 1.5");
        let quotes = of(json!(["it's", "a\"b"]));
        assert_eq!(quotes.expected(), r#"Input should be "it's" or 'a"b'"#);
        assert_eq!(quotes.label(), r#"literal["it's",'a"b']"#);
    }

    /// In Python these are equal, and pydantic takes them for each other; the handler gets the declared one.
    #[test]
    fn numbers_and_truth_values_that_are_equal_are_the_same_choice() {
        let position = |values: Value, given: &str| {
            let given = JsonValue::parse(given.as_bytes(), false).unwrap();
            Choices::literal(values.as_array().unwrap().clone()).position(&given, false)
        };
        assert_eq!(position(json!([7, 1]), "true"), Some(1));
        assert_eq!(position(json!([7, 1]), "1.0"), Some(1));
        assert_eq!(position(json!(["a", true]), "1"), Some(1));
        assert_eq!(position(json!([1, true]), "true"), Some(1));
        assert_eq!(position(json!([1]), "\"1\""), None);
        assert_eq!(position(json!([1]), "false"), None);
    }
}
