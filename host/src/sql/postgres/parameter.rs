//! Arguments of a statement for Postgres: as text, which the server reads as the type that the parameter has.

use crate::sql::arguments::Value;
use bytes::BytesMut;
use serde_json::Value as Json;
use std::error::Error;
use tokio_postgres::types::{Format, IsNull, Kind, ToSql, Type};

/// An argument.
#[derive(Debug)]
pub struct Parameter<'a>(pub &'a Value);

type Failure = Box<dyn Error + Sync + Send>;

impl ToSql for Parameter<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        match self.0 {
            Value::Null => return Ok(IsNull::Yes),
            Value::Bool(value) => out.extend_from_slice(boolean(*value, ty).as_bytes()),
            Value::Int(value) => out.extend_from_slice(itoa::Buffer::new().format(*value).as_bytes()),
            Value::Float(value) => out.extend_from_slice(float(*value, ty).as_bytes()),
            Value::Text(text) => match list(text, ty) {
                Some(array) => out.extend_from_slice(array.as_bytes()),
                None => out.extend_from_slice(text.as_bytes()),
            },
            Value::Bytes(_) if ![Type::BYTEA, Type::UNKNOWN].contains(ty) => {
                return Err(format!("it is bytes, and the parameter is {}", ty.name()).into());
            }
            Value::Bytes(bytes) => out.extend_from_slice(bytes),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        self.to_sql(ty, out)
    }

    fn encode_format(&self, _: &Type) -> Format {
        if matches!(self.0, Value::Bytes(_)) { Format::Binary } else { Format::Text }
    }
}

fn boolean(value: bool, ty: &Type) -> &'static str {
    let numbers = [Type::INT2, Type::INT4, Type::INT8, Type::FLOAT4, Type::FLOAT8, Type::NUMERIC];
    match (value, numbers.contains(ty)) {
        (true, true) => "1",
        (false, true) => "0",
        (true, false) => "true",
        (false, false) => "false",
    }
}

fn float(value: f64, ty: &Type) -> String {
    // A duration has microseconds, and no exponent.
    if *ty == Type::INTERVAL {
        return format!("{value:.6} seconds");
    }
    match value {
        value if value.is_nan() => "NaN".to_owned(),
        value if value.is_infinite() => if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
        value => ryu::Buffer::new().format_finite(value).to_owned(),
    }
}

/// A list comes as JSON: the guest does not know whether the parameter is an array. As Postgres writes arrays.
fn list(text: &str, ty: &Type) -> Option<String> {
    // Of the types that an app has made, those that take a list are arrays.
    let is_array = *ty == Type::UNKNOWN || matches!(ty.kind(), Kind::Array(_));
    if !text.starts_with('[') || !is_array {
        return None;
    }
    let Ok(Json::Array(items)) = serde_json::from_str(text) else { return None };
    let mut out = String::with_capacity(text.len() + 2);
    braces(&mut out, &items);
    Some(out)
}

fn braces(out: &mut String, items: &[Json]) {
    out.push('{');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        match item {
            Json::Null => out.push_str("NULL"),
            Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Json::Number(number) => out.push_str(&number.to_string()),
            Json::String(text) => quoted(out, text),
            Json::Array(inner) => braces(out, inner),
            Json::Object(_) => quoted(out, &item.to_string()),
        }
    }
    out.push('}');
}

fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(value: &Value, ty: &Type) -> String {
        let mut out = BytesMut::new();
        Parameter(value).to_sql(ty, &mut out).unwrap();
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn a_list_is_an_array_where_one_is_wanted() {
        let list = Value::Text(r#"[1,null,"a\"b\\",[true],{"k":1}]"#.to_owned());
        assert_eq!(sent(&list, &Type::TEXT_ARRAY), r#"{1,NULL,"a\"b\\",{true},"{\"k\":1}"}"#);
        assert_eq!(sent(&list, &Type::JSONB), r#"[1,null,"a\"b\\",[true],{"k":1}]"#);
        let literal = Value::Text("{1,2}".to_owned());
        assert_eq!(sent(&literal, &Type::INT4_ARRAY), "{1,2}");
    }

    #[test]
    fn numbers_are_text() {
        assert_eq!(sent(&Value::Int(i64::MIN), &Type::INT8), "-9223372036854775808");
        assert_eq!(sent(&Value::Bool(true), &Type::INT4), "1");
        assert_eq!(sent(&Value::Bool(true), &Type::JSONB), "true");
        assert_eq!(sent(&Value::Float(1e-6), &Type::INTERVAL), "0.000001 seconds");
        assert_eq!(sent(&Value::Float(f64::NEG_INFINITY), &Type::FLOAT8), "-Infinity");
        let bytes = Value::Bytes(vec![0, 255]);
        assert!(Parameter(&bytes).to_sql(&Type::TEXT, &mut BytesMut::new()).is_err());
    }
}
