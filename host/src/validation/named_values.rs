//! Named values of a request (query, headers, cookies, form fields), and how a parameter selects its own.

use crate::manifest::{Model, Param, Source, Type};
use jiter::JsonValue;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A decoded name and value.
pub type Pair<'r> = (Cow<'r, str>, Cow<'r, str>);

/// The values of one source, in the order received.
#[derive(Debug, Clone, Copy)]
pub struct NamedValues<'a> {
    pub source: Source,
    pub pairs: &'a [Pair<'a>],
}

impl<'a> NamedValues<'a> {
    /// The value of a parameter: all values of its name if it takes several, else the one that counts.
    pub fn value(&self, name: &str, ty: &Type) -> Option<JsonValue<'a>> {
        let mut given =
            self.pairs.iter().filter(|(key, _)| self.is_called(key, name)).map(|(_, value)| value);
        if takes_many(ty) {
            let values: Vec<_> = given.map(|text| JsonValue::Str(text.clone())).collect();
            return (!values.is_empty()).then(|| JsonValue::Array(values.into()));
        }
        // As in Starlette: the first of repeated headers counts, and the last of everything else.
        let text = if self.source == Source::Header { given.next() } else { given.next_back() }?;
        // An empty form field counts as absent.
        if self.source == Source::Form && text.is_empty() {
            return None;
        }
        Some(JsonValue::Str(text.clone()))
    }

    pub fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(key, _)| self.is_called(key, name))
    }

    /// The fields of a model, each selected like a parameter. With them, if the model forbids others, all other values: it
    /// refuses them.
    pub fn fields(&self, model: &'a Model, param: &Param) -> JsonValue<'a> {
        let asked = |name: &'a str| {
            if param.hyphens { Cow::Owned(name.replace('_', "-")) } else { Cow::Borrowed(name) }
        };
        let names: Vec<Cow<'a, str>> = model.fields.iter().map(|field| asked(&field.name)).collect();
        let given =
            model.fields.iter().zip(&names).filter_map(|(field, asked)| {
                Some((Cow::Borrowed(&*field.name), self.value(asked, &field.ty)?))
            });
        let mut fields: Vec<_> = given.collect();
        if model.forbid {
            let known: HashSet<Cow<'_, str>> = names.iter().map(|name| self.key(name)).collect();
            self.others(&known, &mut fields);
        }
        JsonValue::Object(fields.into())
    }

    /// The values that have none of these names; one that is repeated is a list.
    fn others(&self, known: &HashSet<Cow<'_, str>>, into: &mut Vec<(Cow<'a, str>, JsonValue<'a>)>) {
        let mut places: HashMap<Cow<'_, str>, usize> = HashMap::new();
        for (name, value) in self.pairs.iter().filter(|(name, _)| !known.contains(&self.key(name))) {
            let value = JsonValue::Str(value.clone());
            let place = *places.entry(self.key(name)).or_insert(into.len());
            match into.get_mut(place) {
                None => into.push((name.clone(), value)),
                Some((_, JsonValue::Array(values))) => {
                    let values = Arc::make_mut(values);
                    values.push(value);
                }
                Some((_, first)) => {
                    let first_value = std::mem::replace(first, JsonValue::Null);
                    *first = JsonValue::Array(Arc::new(vec![first_value, value]));
                }
            }
        }
    }

    /// What names are compared by.
    fn key<'n>(&self, name: &'n str) -> Cow<'n, str> {
        match self.source {
            Source::Header => Cow::Owned(name.to_ascii_lowercase()),
            _ => Cow::Borrowed(name),
        }
    }

    fn is_called(&self, key: &str, name: &str) -> bool {
        if self.source == Source::Header { key.eq_ignore_ascii_case(name) } else { key == name }
    }
}

/// Whether a type collects the values of a repeated name.
pub fn takes_many(ty: &Type) -> bool {
    match ty {
        Type::List(_) | Type::Set(_) | Type::Frozenset(_) | Type::Sequence(_) | Type::Tuple(_) => true,
        Type::Union(union) => union.arms.iter().any(takes_many),
        Type::Checked(inner, _) => takes_many(inner),
        _ => false,
    }
}

/// The cookies of `Cookie` headers, as browsers write them. Of a repeated name, the last value counts.
pub fn cookies<'r>(headers: &'r [Pair<'r>]) -> Vec<Pair<'r>> {
    let lines = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("cookie"));
    let parts = lines.flat_map(|(_, value)| value.split(';'));
    parts
        .filter_map(|part| {
            let (name, value) = part.split_once('=').unwrap_or(("", part));
            let (name, value) = (name.trim(), value.trim());
            (!name.is_empty() || !value.is_empty()).then(|| (Cow::Borrowed(name), unquoted(value)))
        })
        .collect()
}

/// Unquote `"a\"b\054"`: in a quoted value, a backslash escapes a character or three octal digits.
fn unquoted(value: &str) -> Cow<'_, str> {
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Cow::Borrowed(value);
    };
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let octal = after.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        if let Some(byte) = octal {
            out.push(char::from(byte));
            rest = &after[3..];
        } else {
            let mut chars = after.chars();
            out.extend(chars.next());
            rest = chars.as_str();
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs<'a>(given: &[(&'a str, &'a str)]) -> Vec<Pair<'a>> {
        given.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    #[test]
    fn the_last_of_a_query_counts_and_the_first_of_a_header() {
        let given = pairs(&[("a", "1"), ("a", "2")]);
        let text = |source| match (NamedValues { source, pairs: &given }).value("a", &Type::Str) {
            Some(JsonValue::Str(text)) => text.into_owned(),
            other => panic!("{other:?}"),
        };
        assert_eq!((text(Source::Query), text(Source::Header)), ("2".to_owned(), "1".to_owned()));
        let many =
            NamedValues { source: Source::Query, pairs: &given }.value("a", &Type::List(Box::new(Type::Str)));
        assert!(matches!(many, Some(JsonValue::Array(values)) if values.len() == 2));
    }

    #[test]
    fn cookies_are_split_and_unquoted() {
        let headers = pairs(&[("Cookie", "a=1; b=\"x\\054y\\\"\"; =c; bare;; a=2"), ("x", "a=3")]);
        let expected = pairs(&[("a", "1"), ("b", "x,y\""), ("", "c"), ("", "bare"), ("a", "2")]);
        assert_eq!(cookies(&headers), expected);
    }
}
