//! Values of a row that a server has sent, in binary.

use crate::sql::batch::Form;
use crate::sql::cell::Cell;
use crate::sql::postgres::reader::Reader;
use crate::sql::postgres::{decimal, moment};
use std::error::Error;
use std::net::{Ipv4Addr, Ipv6Addr};
use tokio_postgres::types::{FromSql, Kind, Type};

/// Dimensions of an array that Postgres has at most.
const DIMENSIONS: usize = 6;
/// An array of nothing has no dimensions, so each of its items takes at least the length before it.
const LEAST_ITEM: usize = 4;
/// Items of an array: each takes more here than on the way.
const MOST_ITEMS: usize = 100_000;

/// The bytes of a value, of whichever type.
pub struct Raw<'a>(pub Option<&'a [u8]>);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Some(raw)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// The name of a column's type, as guests know it.
pub fn declared(ty: &Type) -> String {
    match ty.kind() {
        Kind::Array(inner) => format!("{}[]", declared(inner)),
        // It comes as a number.
        _ if *ty == Type::INTERVAL => "microseconds".to_owned(),
        _ => ty.name().to_owned(),
    }
}

/// A value. The error is what is wrong with it.
pub fn cell<'a>(ty: &Type, raw: Raw<'a>, form: Form) -> Result<Cell<'a>, String> {
    let Raw(Some(data)) = raw else { return Ok(Cell::Null) };
    match ty.kind() {
        Kind::Array(inner) => array(inner, data, form),
        _ if *ty == Type::UNKNOWN => own(data, form),
        _ => scalar(ty, data, form),
    }
}

fn text(data: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(data).map_err(|_| "text that is not UTF-8".to_owned())
}

fn scalar<'a>(ty: &Type, data: &'a [u8], form: Form) -> Result<Cell<'a>, String> {
    let mut reader = Reader(data);
    let read = match *ty {
        Type::BOOL => reader.array().map(|[byte]| Cell::Bool(byte != 0)),
        Type::INT2 => reader.i16().map(|value| Cell::Int(value.into())),
        Type::INT4 => reader.i32().map(|value| Cell::Int(value.into())),
        Type::INT8 => reader.i64().map(Cell::Int),
        Type::OID => reader.array().map(|bytes| Cell::Int(u32::from_be_bytes(bytes).into())),
        // The shortest text that means the same: 0.1 stays 0.1.
        Type::FLOAT4 => {
            reader.array().and_then(|b| f32::from_be_bytes(b).to_string().parse().ok().map(Cell::Float))
        }
        Type::FLOAT8 => reader.array().map(|bytes| Cell::Float(f64::from_be_bytes(bytes))),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN | Type::XML => {
            return text(data).map(Cell::Text);
        }
        // A byte, which is zero for the empty text.
        Type::CHAR => return text(data).map(|text| Cell::Text(text.trim_end_matches('\0'))),
        Type::BYTEA => Some(Cell::Bytes(data)),
        Type::NUMERIC => decimal::text(data).map(Cell::Made),
        Type::JSON => return text(data).map(Cell::Json),
        // The first byte is the version of the format.
        Type::JSONB => match data.split_first() {
            Some((1, json)) => return text(json).map(Cell::Json),
            _ => None,
        },
        Type::UUID => reader.array().map(|bytes| Cell::Made(uuid::Uuid::from_bytes(bytes).to_string())),
        Type::DATE | Type::TIME | Type::TIMETZ | Type::TIMESTAMP | Type::TIMESTAMPTZ => {
            let made = when(ty, &mut reader);
            return made.map(Cell::Made).ok_or_else(|| format!("a {ty} that Python does not have"));
        }
        Type::INTERVAL => interval(&mut reader).map(|micros| match form {
            Form::Marshal => Cell::Int(micros),
            Form::Json => Cell::Made(moment::duration(micros)),
        }),
        Type::INET | Type::CIDR => address(&mut reader, *ty == Type::CIDR).map(Cell::Made),
        Type::VOID => Some(Cell::Null),
        _ => return Err(format!("the type {ty}, which has no plain form: cast it to text")),
    };
    read.ok_or_else(|| format!("a {ty} that is malformed"))
}

/// A value of a type that an app or an extension has made (`types`). Enums and `citext` are text in binary too, and no text has a
/// zero byte, which arrays begin with. Most others are neither.
fn own(data: &[u8], form: Form) -> Result<Cell<'_>, String> {
    if !data.contains(&0) {
        return text(data).map(Cell::Text);
    }
    let is_array = matches!(data, [0, 0, 0, 1..=6, 0, 0, 0, 0 | 1, ..]);
    match is_array.then(|| array(&Type::UNKNOWN, data, form)) {
        Some(Ok(array)) => Ok(array),
        _ => Err("a type of the database's own, which has no plain form: cast it to text".to_owned()),
    }
}

fn when(ty: &Type, reader: &mut Reader<'_>) -> Option<String> {
    match *ty {
        Type::DATE => moment::date(reader.i32()?),
        Type::TIME => moment::time(reader.i64()?),
        Type::TIMETZ => moment::time_of_zone(reader.i64()?, reader.i32()?),
        Type::TIMESTAMP => moment::timestamp(reader.i64()?),
        _ => moment::timestamp(reader.i64()?).map(|text| text + "Z"),
    }
}

fn interval(reader: &mut Reader<'_>) -> Option<i64> {
    moment::interval(reader.i64()?, reader.i32()?, reader.i32()?)
}

/// Family, bits of the network, whether it is one, and the address.
fn address(reader: &mut Reader<'_>, is_network: bool) -> Option<String> {
    let [_, bits, _, size] = reader.array()?;
    let (address, most) = match size {
        4 => (Ipv4Addr::from(reader.array::<4>()?).to_string(), 32),
        16 => (Ipv6Addr::from(reader.array::<16>()?).to_string(), 128),
        _ => return None,
    };
    Some(if bits == most && !is_network { address } else { format!("{address}/{bits}") })
}

/// Dimensions, flags, the type of the items, the size of each dimension, and the items.
fn array<'a>(item: &Type, data: &'a [u8], form: Form) -> Result<Cell<'a>, String> {
    let malformed = || "an array that is malformed".to_owned();
    let mut reader = Reader(data);
    let dimensions = reader.length().filter(|count| *count <= DIMENSIONS).ok_or_else(malformed)?;
    reader.take(8).ok_or_else(malformed)?;
    let mut sizes = Vec::with_capacity(dimensions);
    for _ in 0..dimensions {
        sizes.push(reader.length().ok_or_else(malformed)?);
        // Python's lists begin at 0.
        reader.i32().ok_or_else(malformed)?;
    }
    let count = sizes.iter().try_fold(1usize, |all, size| all.checked_mul(*size)).ok_or_else(malformed)?;
    if sizes.is_empty() || count == 0 {
        return Ok(Cell::List(Vec::new()));
    }
    if count > reader.0.len() / LEAST_ITEM {
        return Err(malformed());
    }
    if count > MOST_ITEMS {
        return Err(format!("an array of more than {MOST_ITEMS} items"));
    }
    items(item, &mut reader, &sizes, form)
}

fn items<'a>(item: &Type, reader: &mut Reader<'a>, sizes: &[usize], form: Form) -> Result<Cell<'a>, String> {
    let malformed = || "an array that is malformed".to_owned();
    let Some((size, inner)) = sizes.split_first() else {
        let length = reader.i32().ok_or_else(malformed)?;
        let raw = match usize::try_from(length) {
            Err(_) => None,
            Ok(length) => Some(reader.take(length).ok_or_else(malformed)?),
        };
        return cell(item, Raw(raw), form);
    };
    (0..*size).map(|_| items(item, reader, inner, form)).collect::<Result<_, _>>().map(Cell::List)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(ty: &Type, data: &'a [u8]) -> Result<Cell<'a>, String> {
        cell(ty, Raw(Some(data)), Form::Marshal)
    }

    #[test]
    fn arrays_are_lists() {
        let data = b"\0\0\0\x01\0\0\0\x01\0\0\0\x17\0\0\0\x02\0\0\0\x01\0\0\0\x04\0\0\0\x07\xff\xff\xff\xff";
        assert_eq!(read(&Type::INT4_ARRAY, data), Ok(Cell::List(vec![Cell::Int(7), Cell::Null])));
        assert_eq!(read(&Type::INT4_ARRAY, &[0; 12]), Ok(Cell::List(vec![])));
        assert_eq!(declared(&Type::NUMERIC_ARRAY), "numeric[]");
    }

    #[test]
    fn an_empty_char_is_an_empty_text() {
        assert_eq!(read(&Type::CHAR, b"\0"), Ok(Cell::Text("")));
        assert_eq!(read(&Type::CHAR, b"s"), Ok(Cell::Text("s")));
    }

    #[test]
    fn what_is_malformed_is_an_error() {
        let many = b"\0\0\0\x02\0\0\0\0\0\0\0\x17\x7f\xff\xff\xff\0\0\0\x01\x7f\xff\xff\xff\0\0\0\x01";
        assert!(read(&Type::INT4_ARRAY, many).is_err());
        assert!(read(&Type::INT4, b"\0").is_err());
        assert!(read(&Type::JSONB, b"\x02{}").is_err());
        assert!(read(&Type::POINT, b"").unwrap_err().contains("cast it to text"));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(data: Vec<u8>) {
            for ty in [
                Type::INT4_ARRAY, Type::NUMERIC_ARRAY, Type::TIMESTAMPTZ, Type::TIMETZ, Type::INTERVAL, Type::INET, Type::UUID,
            ] {
                let _ = read(&ty, &data);
            }
        }
    }
}
