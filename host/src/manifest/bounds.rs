//! How much an app may declare. A manifest is written by a guest, and every request of the app pays for what is in it.

use crate::manifest::wire;

/// Most JSON values in a manifest, by which its parsed form takes up to 100 bytes each. Large apps have some 10 000.
const MAX_VALUES: usize = 400_000;
/// Most routes. The largest web apps have some thousands.
const MAX_ROUTES: usize = 10_000;
/// Most parameters of a route.
const MAX_PARAMS: usize = 500;
/// Most models.
const MAX_MODELS: usize = 10_000;
/// Most fields of a model.
const MAX_FIELDS: usize = 5000;
/// Most values of a literal or an enum, and most arms of a union.
const MAX_CHOICES: usize = 10_000;
/// Most bytes of the patterns of an app: compiling them can take a microsecond for each.
const MAX_PATTERNS: usize = 256 * 1024;
/// Most types of files that a parameter may allow.
const MAX_FILE_TYPES: usize = 100;

/// Refuse a manifest that would become too large when it is parsed. Errors are sentences for people.
pub fn check_json(json: &str) -> Result<(), String> {
    let values = values(json.as_bytes());
    if values > MAX_VALUES {
        return Err(format!(
            "the app's manifest has {values} values, and at most {MAX_VALUES} are supported"
        ));
    }
    Ok(())
}

/// Upper bound of the number of values: each follows a comma, a colon or a bracket.
fn values(json: &[u8]) -> usize {
    let (mut values, mut rest) = (1, json);
    while let Some(at) = memchr::memchr(b'"', rest) {
        values += begun(&rest[..at]);
        rest = after_text(&rest[at + 1..]);
    }
    values + begun(rest)
}

fn begun(json: &[u8]) -> usize {
    json.iter().filter(|byte| matches!(byte, b',' | b':' | b'[' | b'{')).count()
}

/// What follows the text that has begun.
fn after_text(mut json: &[u8]) -> &[u8] {
    while let Some(at) = memchr::memchr2(b'"', b'\\', json) {
        let is_end = json[at] == b'"';
        json = json.get(at + 1 + usize::from(!is_end)..).unwrap_or_default();
        if is_end {
            return json;
        }
    }
    &[]
}

/// Refuse an app that declares too much. Errors are sentences for people.
pub fn check(wire: &wire::Manifest) -> Result<(), String> {
    most("the app", "routes", wire.routes.len(), MAX_ROUTES)?;
    most("the app", "models", wire.defs.len(), MAX_MODELS)?;
    let mut types = Types::default();
    for route in &wire.routes {
        most(&format!("handler {}", route.name), "parameters", route.params.len(), MAX_PARAMS)?;
        for param in &route.params {
            let allowed = param.allowed_types.as_ref().map_or(0, Vec::len);
            let name = || format!("parameter {}", param.alias);
            most(&name(), "types of files", allowed, MAX_FILE_TYPES)?;
            types.check(&param.ty).map_err(|why| format!("{}: {why}", name()))?;
        }
    }
    for def in wire.defs.values() {
        most(&format!("model {}", def.name), "fields", def.fields.len(), MAX_FIELDS)?;
        for field in &def.fields {
            types.check(&field.ty).map_err(|why| format!("field {} of {}: {why}", field.name, def.name))?;
        }
    }
    Ok(())
}

fn most(who: &str, what: &str, count: usize, most: usize) -> Result<(), String> {
    if count > most {
        return Err(format!("{who} has {count} {what}, and at most {most} are supported"));
    }
    Ok(())
}

/// What all types of an app have in common.
#[derive(Default)]
struct Types {
    /// Bytes of patterns.
    patterns: usize,
}

impl Types {
    fn check(&mut self, typed: &wire::Typed) -> Result<(), String> {
        use wire::Type as W;
        if let Some(pattern) = typed.check.as_ref().and_then(|check| check.pattern.as_ref()) {
            self.patterns += pattern.len();
            most("the app", "bytes of patterns", self.patterns, MAX_PATTERNS)?;
        }
        match &typed.ty {
            W::List { item } | W::Set { item } | W::Frozenset { item } | W::Vartuple { item } => {
                self.check(item)
            }
            W::Dict { key, value } => self.check(key).and_then(|()| self.check(value)),
            W::Tuple { items } => {
                most("a tuple", "items", items.len(), MAX_CHOICES)?;
                items.iter().try_for_each(|item| self.check(item))
            }
            W::Union { of } => {
                most("a union", "alternatives", of.len(), MAX_CHOICES)?;
                of.iter().try_for_each(|arm| self.check(arm))
            }
            W::Literal { values } => most("a literal", "values", values.len(), MAX_CHOICES),
            W::Enum { values, .. } => most("an enum", "values", values.len(), MAX_CHOICES),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{ABI, Manifest};
    use serde_json::{Value, json};

    fn app(defs: Value, params: Value, routes: usize) -> String {
        let route = |number: usize| {
            json!({"method": "POST", "path": format!("/{number}"), "name": "h", "file": "a.py", "line": 1,
                "async": false, "status": 200, "params": params})
        };
        let routes: Vec<_> = (0..routes).map(route).collect();
        json!({"abi": ABI, "sdk": "0", "interpreter": "3.14", "marshal": 4, "app": "a:api", "defs": defs,
            "routes": routes})
        .to_string()
    }

    fn param(ty: Value) -> Value {
        json!({"in": "body", "alias": "b", "type": ty, "required": true})
    }

    #[test]
    fn each_limit_of_an_app_is_told_with_what_exceeds_it() {
        let int = json!({"t": "int"});
        let field = json!({"name": "f", "type": int, "required": true});
        let def = |name: usize, fields: usize| {
            (format!("D{name}"), json!({"name": "D", "fields": vec![&field; fields]}))
        };
        let defs =
            |count: usize, fields: usize| Value::Object((0..count).map(|name| def(name, fields)).collect());
        let none = json!({});
        let one = |ty: Value| json!([param(ty)]);
        let patterns = |count: usize, each: &dyn Fn(usize) -> String| {
            let checked = |number: usize| json!({"t": "str", "check": {"pattern": each(number)}});
            one(json!({"t": "tuple", "items": (0..count).map(checked).collect::<Vec<_>>()}))
        };
        let mut deep = int.clone();
        for _ in 0..80 {
            deep = json!({"t": "list", "item": deep});
        }
        let numbers: Vec<usize> = (0..=MAX_CHOICES).collect();
        for (json, told) in [
            (app(none.clone(), json!([]), MAX_ROUTES + 1), "10001 routes, and at most 10000"),
            (
                app(none.clone(), json!(vec![param(int.clone()); MAX_PARAMS + 1]), 1),
                "handler h has 501 parameters",
            ),
            (app(defs(MAX_MODELS + 1, 0), json!([]), 0), "10001 models"),
            (app(defs(1, MAX_FIELDS + 1), json!([]), 0), "model D has 5001 fields"),
            (
                app(none.clone(), one(json!({"t": "literal", "values": numbers})), 1),
                "a literal has 10001 values",
            ),
            (app(none.clone(), one(json!({"t": "enum", "values": numbers})), 1), "an enum has 10001 values"),
            (
                app(none.clone(), one(json!({"t": "union", "of": vec![&int; MAX_CHOICES + 1]})), 1),
                "10001 alternatives",
            ),
            (app(none.clone(), patterns(40, &|_| "x".repeat(8000)), 1), "bytes of patterns"),
            (
                app(none.clone(), patterns(1001, &|number| format!("x{number}")), 1),
                "more than 1000 different patterns",
            ),
            (
                app(none.clone(), patterns(100, &|number| format!("(?:\\w|{number}){{30}}")), 1),
                "when they are compiled",
            ),
            (app(none.clone(), one(deep), 1), "nested more than 64 levels"),
            (
                app(none.clone(), one(json!({"t": "tuple", "items": vec![&int; MAX_VALUES]})), 1),
                "values, and at most",
            ),
        ] {
            let why = Manifest::parse(&json).unwrap_err();
            assert!(why.contains(told), "{told}: {why}");
            assert!(why.len() < 500, "{why}");
        }
        assert!(Manifest::parse(&app(defs(1, MAX_FIELDS), one(int), 100)).is_ok());
    }

    #[test]
    fn text_holds_no_values() {
        for (json, count) in
            [("1", 1), ("[1, 2]", 3), (r#"{"a": "[,]\"[,]\\"}"#, 3), (r#""[\""#, 1), (r#"["#, 2)]
        {
            assert_eq!(values(json.as_bytes()), count, "{json}");
        }
    }
}
