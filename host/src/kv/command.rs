//! Commands of a store, as a guest sends them, and their results, marshalled.

use crate::codec::marshal::Writer;
use crate::sql::arguments::Value;
use crate::sql::problem::{Kind, SqlProblem};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Longest key, in bytes.
const LONGEST_KEY: usize = 512;
/// Keys of a command.
const MOST_KEYS: usize = 1000;

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    Get(Vec<String>),
    Set { key: String, value: Vec<u8>, lasts: Option<Duration>, condition: Condition },
    Put { pairs: Vec<(String, Vec<u8>)>, lasts: Option<Duration> },
    Incr { key: String, by: i64, lasts: Option<Duration> },
    Delete(Vec<String>),
    Expire { key: String, lasts: Option<Duration> },
    Scan { prefix: String, after: Option<String>, most: usize, values: bool },
}

/// When a value is set.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    Always,
    Absent,
    Present,
    /// The value is this one, or there is none.
    Equal(Option<Vec<u8>>),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Values(Vec<Option<Vec<u8>>>),
    Done(bool),
    Nothing,
    Number(i64),
    Keys(Vec<String>),
    Pairs(Vec<(String, Vec<u8>)>),
}

impl Outcome {
    /// What it holds until it is read, in bytes.
    pub fn size(&self) -> usize {
        let item = |bytes: usize| bytes + size_of::<(String, Vec<u8>)>();
        match self {
            Self::Values(values) => values.iter().map(|v| item(v.as_ref().map_or(0, Vec::len))).sum(),
            Self::Keys(keys) => keys.iter().map(|key| item(key.len())).sum(),
            Self::Pairs(pairs) => pairs.iter().map(|(key, value)| item(key.len() + value.len())).sum(),
            Self::Done(_) | Self::Nothing | Self::Number(_) => 0,
        }
    }

    pub fn marshal(&self) -> Vec<u8> {
        let mut out = Writer::default();
        match self {
            Self::Values(values) => {
                out.list(values.len());
                for value in values {
                    match value {
                        Some(value) => out.bytes(value),
                        None => out.none(),
                    }
                }
            }
            Self::Done(done) => out.bool(*done),
            Self::Nothing => out.none(),
            Self::Number(number) => out.int(*number),
            Self::Keys(keys) => {
                out.list(keys.len());
                keys.iter().for_each(|key| out.str(key));
            }
            Self::Pairs(pairs) => {
                out.list(pairs.len());
                for (key, value) in pairs {
                    out.tuple(2);
                    out.str(key);
                    out.bytes(value);
                }
            }
        }
        out.buf
    }
}

impl Command {
    /// Read a command and its arguments, with values of at most so many bytes. `limit`: what sets that.
    pub fn parse(name: &str, arguments: Vec<Value>, most: usize, limit: &str) -> Result<Self, SqlProblem> {
        let mut arguments = Arguments { values: arguments.into_iter(), most, limit };
        let command = match name {
            "get" => Self::Get(arguments.keys()?),
            "delete" => Self::Delete(arguments.keys()?),
            "set" => {
                let lasts = arguments.lasts()?;
                let condition = arguments.condition()?;
                Self::Set { key: arguments.key()?, value: arguments.value()?, lasts, condition }
            }
            "put" => {
                let lasts = arguments.lasts()?;
                let mut pairs = Vec::new();
                while !arguments.is_over() {
                    pairs.push((arguments.key()?, arguments.value()?));
                }
                if pairs.len() > MOST_KEYS {
                    return Err(too_many());
                }
                Self::Put { pairs, lasts }
            }
            "incr" => {
                let by = arguments.int()?;
                let lasts = arguments.lasts()?;
                Self::Incr { key: arguments.key()?, by, lasts }
            }
            "expire" => {
                let lasts = arguments.lasts()?;
                Self::Expire { key: arguments.key()?, lasts }
            }
            "scan" => {
                let prefix = arguments.text()?.ok_or_else(malformed)?;
                let after = arguments.text()?;
                let most = usize::try_from(arguments.int()?).unwrap_or(0).clamp(1, MOST_KEYS);
                let values = arguments.flag()?;
                Self::Scan { prefix, after, most, values }
            }
            _ => return Err(malformed()),
        };
        if arguments.is_over() { Ok(command) } else { Err(malformed()) }
    }

    /// What it holds while it waits, in bytes.
    pub fn size(&self) -> usize {
        let keys = |keys: &[String]| keys.iter().map(|key| key.len() + size_of::<String>()).sum();
        match self {
            Self::Get(all) | Self::Delete(all) => keys(all),
            Self::Set { key, value, condition, .. } => {
                let expected = match condition {
                    Condition::Equal(Some(expected)) => expected.len(),
                    _ => 0,
                };
                key.len() + value.len() + expected
            }
            Self::Put { pairs, .. } => pairs.iter().map(|(key, value)| key.len() + value.len() + 64).sum(),
            Self::Incr { key, .. } | Self::Expire { key, .. } => key.len(),
            Self::Scan { prefix, after, .. } => prefix.len() + after.as_ref().map_or(0, String::len),
        }
    }
}

/// When something that lasts so long from now on has expired, in milliseconds since 1970.
pub fn end(lasts: Option<Duration>) -> Option<i64> {
    lasts.map(|lasts| now().saturating_add(i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX)))
}

/// Milliseconds since 1970.
pub fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

fn malformed() -> SqlProblem {
    SqlProblem::new(Kind::Data, "the command is malformed")
}

fn too_many() -> SqlProblem {
    SqlProblem::new(Kind::Data, format!("a command has at most {MOST_KEYS} keys"))
}

struct Arguments<'l> {
    values: std::vec::IntoIter<Value>,
    most: usize,
    limit: &'l str,
}

impl Arguments<'_> {
    fn next(&mut self) -> Result<Value, SqlProblem> {
        self.values.next().ok_or_else(malformed)
    }

    fn is_over(&self) -> bool {
        self.values.as_slice().is_empty()
    }

    fn int(&mut self) -> Result<i64, SqlProblem> {
        match self.next()? {
            Value::Int(value) => Ok(value),
            _ => Err(malformed()),
        }
    }

    fn flag(&mut self) -> Result<bool, SqlProblem> {
        match self.next()? {
            Value::Bool(value) => Ok(value),
            _ => Err(malformed()),
        }
    }

    fn text(&mut self) -> Result<Option<String>, SqlProblem> {
        match self.next()? {
            Value::Text(text) => Ok(Some(text)),
            Value::Null => Ok(None),
            _ => Err(malformed()),
        }
    }

    /// Milliseconds, or 0 for no end.
    fn lasts(&mut self) -> Result<Option<Duration>, SqlProblem> {
        let millis = u64::try_from(self.int()?).map_err(|_| malformed())?;
        Ok((millis > 0).then(|| Duration::from_millis(millis)))
    }

    fn key(&mut self) -> Result<String, SqlProblem> {
        match self.text()? {
            Some(key) if !key.is_empty() && key.len() <= LONGEST_KEY => Ok(key),
            _ => Err(SqlProblem::new(Kind::Data, format!("a key is a text of 1 to {LONGEST_KEY} bytes"))),
        }
    }

    fn keys(&mut self) -> Result<Vec<String>, SqlProblem> {
        if self.values.len() > MOST_KEYS {
            return Err(too_many());
        }
        (0..self.values.len()).map(|_| self.key()).collect()
    }

    fn bytes(&mut self) -> Result<Option<Vec<u8>>, SqlProblem> {
        match self.next()? {
            Value::Bytes(bytes) if bytes.len() > self.most => {
                let told = format!("the value has more than {} bytes ({})", self.most, self.limit);
                Err(SqlProblem::new(Kind::Limit, told))
            }
            Value::Bytes(bytes) => Ok(Some(bytes)),
            Value::Null => Ok(None),
            _ => Err(malformed()),
        }
    }

    fn value(&mut self) -> Result<Vec<u8>, SqlProblem> {
        self.bytes()?.ok_or_else(malformed)
    }

    fn condition(&mut self) -> Result<Condition, SqlProblem> {
        let name = self.text()?.ok_or_else(malformed)?;
        let expected = self.bytes()?;
        Ok(match (&*name, expected) {
            ("always", None) => Condition::Always,
            ("absent", None) => Condition::Absent,
            ("present", None) => Condition::Present,
            ("equal", expected) => Condition::Equal(expected),
            _ => return Err(malformed()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str, values: Vec<Value>) -> Result<Command, String> {
        Command::parse(name, values, 4, "--kv-value").map_err(|problem| problem.message)
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn commands_have_bounds() {
        let set = |value: &[u8]| {
            let value = Value::Bytes(value.to_vec());
            parse("set", vec![Value::Int(5), text("equal"), Value::Null, text("k"), value])
        };
        let expected = Command::Set {
            key: "k".to_owned(),
            value: b"1234".to_vec(),
            lasts: Some(Duration::from_millis(5)),
            condition: Condition::Equal(None),
        };
        assert_eq!(set(b"1234"), Ok(expected));
        assert!(set(b"12345").unwrap_err().contains("--kv-value"));
        assert!(parse("get", vec![text("")]).unwrap_err().contains("512"));
        assert!(parse("get", vec![text(&"k".repeat(513))]).unwrap_err().contains("512"));
        assert!(parse("get", vec![text("k"); 1001]).unwrap_err().contains("1000"));
        for (name, values) in [
            ("drop", vec![]),
            ("incr", vec![text("k")]),
            ("expire", vec![Value::Int(-1), text("k")]),
            (
                "set",
                vec![Value::Int(0), text("always"), Value::Bytes(vec![1]), text("k"), Value::Bytes(vec![])],
            ),
            ("put", vec![Value::Int(0), text("k")]),
            ("scan", vec![text("a"), Value::Null, Value::Int(1), Value::Bool(true), Value::Null]),
        ] {
            assert!(parse(name, values.clone()).unwrap_err().contains("malformed"), "{name} {values:?}");
        }
    }
}
