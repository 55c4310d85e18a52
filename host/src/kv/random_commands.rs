//! Random commands of a hostile guest for a store, beside a map that does what each should do: nothing panics, the two agree,
//! and commands run one by one or in one transaction alike.

use crate::kv::command::{Command, Condition, Outcome};
use crate::kv::table::Table;
use crate::sql::arguments::{self, Value};
use crate::util::random_choices::Choices;
use std::collections::BTreeMap;
use std::path::Path;

/// Largest value, in bytes.
const MOST_VALUE: usize = 200;
/// Commands of a transaction.
const TOGETHER: usize = 3;

const NAMES: [&str; 8] = ["get", "delete", "set", "put", "incr", "expire", "scan", "flush"];

/// Send the commands that `data` describes. The error is a sentence.
pub fn make(data: &[u8]) -> Result<(), String> {
    let mut choices = Choices(data);
    let table =
        Table::open(Path::new(":memory:"), 1 << 20, false).map_err(|problem| format!("{problem:?}"))?;
    let mut map = Map::default();
    while !choices.0.is_empty() {
        let mut commands: Vec<_> = (0..TOGETHER).filter_map(|_| command(&mut choices)).collect();
        // The map knows no time.
        commands.retain(|command| !lasts(command));
        let outcomes = table.run(&commands.iter().collect::<Vec<_>>());
        let outcomes = outcomes.map_err(|problem| format!("{commands:?}: {problem:?}"))?;
        for (command, outcome) in commands.iter().zip(outcomes) {
            let (found, expected) = (outcome.ok(), map.run(command));
            if found != expected {
                return Err(format!("{command:?}: {found:?}, and not {expected:?}"));
            }
            if let Some(found) = found {
                let _ = (found.size(), found.marshal());
            }
        }
    }
    Ok(())
}

fn lasts(command: &Command) -> bool {
    match command {
        Command::Set { lasts, .. } | Command::Put { lasts, .. } | Command::Incr { lasts, .. } => {
            lasts.is_some()
        }
        Command::Expire { lasts, .. } => lasts.is_some(),
        Command::Get(_) | Command::Delete(_) | Command::Scan { .. } => false,
    }
}

/// A command; bytes that are none are refused.
fn command(choices: &mut Choices<'_>) -> Option<Command> {
    let name = NAMES[usize::from(choices.byte()) % NAMES.len()];
    if choices.byte().is_multiple_of(8) {
        let raw = choices.0;
        let values = arguments::read(raw).ok()?;
        return Command::parse(name, values, MOST_VALUE, "--x").ok();
    }
    let key = |choices: &mut Choices<'_>| {
        Value::Text(["a", "ab", "b", "ä", "a\0", ""][usize::from(choices.byte()) % 6].to_owned())
    };
    let value = |choices: &mut Choices<'_>| {
        Value::Bytes(match choices.byte() % 5 {
            0 => b"12".to_vec(),
            1 => i64::MAX.to_string().into_bytes(),
            2 => vec![0; usize::from(choices.byte())],
            _ => vec![choices.byte()],
        })
    };
    let time = Value::Int(i64::from(choices.byte() == 255));
    let mut values = Vec::new();
    match name {
        "set" => {
            let condition = ["always", "absent", "present", "equal"][usize::from(choices.byte()) % 4];
            let expected = if choices.byte().is_multiple_of(2) { Value::Null } else { value(choices) };
            values.extend([time, Value::Text(condition.to_owned()), expected, key(choices), value(choices)]);
        }
        "put" => {
            values.push(time);
            for _ in 0..choices.byte() % 4 {
                values.extend([key(choices), value(choices)]);
            }
        }
        "incr" => values.extend([Value::Int(choices.number() as i64), time, key(choices)]),
        "expire" => values.extend([time, key(choices)]),
        "scan" => {
            let after = if choices.byte().is_multiple_of(2) { Value::Null } else { key(choices) };
            let most = Value::Int(i64::from(choices.byte() % 4));
            values.extend([key(choices), after, most, Value::Bool(choices.byte().is_multiple_of(2))]);
        }
        _ => values.extend((0..choices.byte() % 4).map(|_| key(choices))),
    }
    Command::parse(name, values, MOST_VALUE, "--x").ok()
}

/// What a store is: keys in the order of their bytes.
#[derive(Default)]
struct Map(BTreeMap<String, Vec<u8>>);

impl Map {
    /// None if the data does not allow it.
    fn run(&mut self, command: &Command) -> Option<Outcome> {
        Some(match command.clone() {
            Command::Get(keys) => Outcome::Values(keys.iter().map(|key| self.0.get(key).cloned()).collect()),
            Command::Delete(keys) => {
                Outcome::Number(keys.iter().map(|key| i64::from(self.0.remove(key).is_some())).sum())
            }
            Command::Set { key, value, condition, .. } => {
                let old = self.0.get(&key);
                let holds = match &condition {
                    Condition::Always => true,
                    Condition::Absent => old.is_none(),
                    Condition::Present => old.is_some(),
                    Condition::Equal(expected) => old == expected.as_ref(),
                };
                if holds {
                    self.0.insert(key, value);
                }
                Outcome::Done(holds)
            }
            Command::Put { pairs, .. } => {
                self.0.extend(pairs);
                Outcome::Nothing
            }
            Command::Incr { key, by, .. } => {
                let old = match self.0.get(&key) {
                    None => 0,
                    Some(value) => std::str::from_utf8(value).ok()?.parse::<i64>().ok()?,
                };
                let new = old.checked_add(by)?;
                self.0.insert(key, new.to_string().into_bytes());
                Outcome::Number(new)
            }
            Command::Expire { key, .. } => Outcome::Done(self.0.contains_key(&key)),
            Command::Scan { prefix, after, most, values } => {
                let is_after = |key: &str| after.as_deref().is_none_or(|after| key > after);
                let found = self.0.iter().filter(|(key, _)| key.starts_with(&prefix) && is_after(key));
                let found = found.take(most).map(|(key, value)| (key.clone(), value.clone()));
                if values {
                    Outcome::Pairs(found.collect())
                } else {
                    Outcome::Keys(found.map(|(key, _)| key).collect())
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    proptest::proptest! {
        #[test]
        fn a_store_is_a_map_whatever_it_is_asked(data: Vec<u8>) {
            proptest::prop_assert_eq!(super::make(&data), Ok(()));
        }
    }
}
