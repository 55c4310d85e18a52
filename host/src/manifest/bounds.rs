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
            W::Enum { values } => most("an enum", "values", values.len(), MAX_CHOICES),
            _ => Ok(()),
        }
    }
}
