//! Checks a request's values against the manifest's types, coerces them and marshals them in one pass.
//!
//! Rules and messages are those of pydantic's lax mode; all errors of a request are collected. If there are errors,
//! the caller discards the output.

use crate::codec::marshal::Writer;
use crate::manifest::constraints::Violation;
use crate::manifest::{Absent, Field, Model, Type};
use crate::validation::coerce;
use crate::validation::error_list::{ErrorList, Loc, listed};
use jiter::JsonValue;
use serde_json::Value;
use std::borrow::Cow;

/// Maximum nesting depth of a value against recursive models; the JSON parser already stops at 200.
const MAX_DEPTH: usize = 220;

/// Checks the values of one request.
pub struct Validator<'m> {
    pub(crate) models: &'m [Model],
    loc: Vec<Loc<'m>>,
    pub errors: ErrorList,
    /// Values that we may still check. Nested unions try their arms again and again: without a bound, a body of a
    /// few hundred bytes against a recursive union costs 2^depth.
    budget: usize,
    /// Above zero while we only try an arm of a union. We skip its errors: they would be discarded, and each would
    /// render its value.
    pub(crate) trials: usize,
    most_written: usize,
}

/// How strictly a value must match its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    /// The value has exactly this type.
    Exact,
    /// No coercion, such as text to number.
    Strict,
    Lax,
}

impl<'m> Validator<'m> {
    /// `bytes`: the size of the request's values. The work is bounded in proportion to it.
    pub fn new(models: &'m [Model], bytes: usize) -> Self {
        Self {
            models,
            loc: Vec::new(),
            errors: ErrorList::default(),
            budget: 10_000 + 2 * bytes,
            trials: 0,
            most_written: 1_000_000 + 16 * bytes,
        }
    }

    /// Check `value`, which came from `loc` (such as `["query", "limit"]`), and write its wire value.
    pub fn check(&mut self, loc: &[Loc<'m>], ty: &'m Type, value: &JsonValue<'_>, out: &mut Writer) {
        self.loc.clear();
        self.loc.extend_from_slice(loc);
        self.value(ty, value, Mode::Lax, out);
    }

    /// Report an absent value.
    pub fn missing(&mut self, loc: &[Loc<'m>]) {
        self.errors.push("missing", loc, "Field required", &JsonValue::Null);
    }

    /// Write `value` as `ty`. Returns false, and adds errors, if it does not fit.
    pub(crate) fn value(
        &mut self,
        ty: &'m Type,
        value: &JsonValue<'_>,
        mode: Mode,
        out: &mut Writer,
    ) -> bool {
        if self.loc.len() > MAX_DEPTH {
            return self
                .refuse(("recursion_loop", "Input is nested too deeply".to_owned()), &JsonValue::Null);
        }
        let Some(budget) = self.budget.checked_sub(1) else {
            return self
                .refuse(("too_complex", "Input fits too many alternatives".to_owned()), &JsonValue::Null);
        };
        self.budget = budget;
        // Absent fields write defaults without consuming input, so the output is bounded as well.
        if out.buf.len() > self.most_written {
            return self
                .refuse(("too_complex", "Input fills in too many defaults".to_owned()), &JsonValue::Null);
        }
        let (exact, strict) = (mode == Mode::Exact, mode < Mode::Lax);
        let checked = match ty {
            Type::Str => coerce::str(value, out),
            Type::Int => coerce::int(value, strict, out),
            Type::Float => coerce::float(value, strict, exact, out),
            Type::Bool => coerce::bool(value, strict, out),
            Type::None => coerce::none(value, out),
            Type::Bytes => coerce::bytes(value, out),
            Type::DateTime | Type::Date | Type::Uuid | Type::Decimal if exact => {
                Err(("inexact", String::new()))
            }
            Type::DateTime => coerce::datetime(value, out),
            Type::Date => coerce::date(value, out),
            Type::Uuid => coerce::uuid(value, out),
            Type::Decimal => coerce::decimal(value, out),
            Type::Any => {
                plain(value, out);
                Ok(())
            }
            Type::Literal(values) => literal(values, value, out),
            Type::Enum { values } => enumeration(values, value, strict, out),
            Type::List(item) => {
                return self.items(item, value, ("list_type", "list"), mode, out, Writer::list);
            }
            Type::Set(item) => {
                return self.items(item, value, ("set_type", "set"), mode, out, Writer::list);
            }
            Type::Sequence(item) => {
                return self.items(item, value, ("tuple_type", "tuple"), mode, out, Writer::tuple);
            }
            Type::Tuple(items) => return self.tuple(items, value, mode, out),
            Type::Dict(key, item) => return self.dict(key, item, value, mode, out),
            Type::Union { arms, tagged } => return self.union(arms, *tagged, value, mode, out),
            Type::Model(index) => return self.model(&self.models[*index], value, mode, out),
            Type::Checked(inner, check) => {
                let start = out.buf.len();
                if !self.value(inner, value, mode, out) {
                    return false;
                }
                check.refusal(inner.kind(), value, &out.buf[start..]).map_or(Ok(()), Err)
            }
            // Files are written by `form::write_files`, which has the form.
            Type::Upload => Err(("value_error", "Value error, Expected UploadFile".to_owned())),
        };
        match checked {
            Ok(()) => true,
            Err(refusal) => self.refuse(refusal, value),
        }
    }

    pub(crate) fn refuse(&mut self, (kind, msg): Violation, value: &JsonValue<'_>) -> bool {
        if self.trials == 0 {
            self.errors.push(kind, &self.loc, &msg, value);
        }
        false
    }

    pub(crate) fn at(&mut self, step: Loc<'m>, check: impl FnOnce(&mut Self) -> bool) -> bool {
        self.loc.push(step);
        let fits = check(self);
        self.loc.pop();
        fits
    }

    fn items(
        &mut self,
        item: &'m Type,
        value: &JsonValue<'_>,
        (kind, name): (&'static str, &str),
        mode: Mode,
        out: &mut Writer,
        open: fn(&mut Writer, usize),
    ) -> bool {
        let JsonValue::Array(values) = value else {
            return self.refuse((kind, format!("Input should be a valid {name}")), value);
        };
        open(out, values.len());
        let mut fits = true;
        for (index, value) in values.iter().enumerate() {
            fits &= self.at(Loc::Index(index), |v| v.value(item, value, mode, out));
        }
        fits
    }

    fn tuple(&mut self, items: &'m [Type], value: &JsonValue<'_>, mode: Mode, out: &mut Writer) -> bool {
        let JsonValue::Array(values) = value else {
            return self.refuse(("tuple_type", "Input should be a valid tuple".to_owned()), value);
        };
        if values.len() > items.len() {
            let msg = format!(
                "Tuple should have at most {} items after validation, not {}",
                items.len(),
                values.len()
            );
            return self.refuse(("too_long", msg), value);
        }
        out.tuple(items.len());
        let mut fits = true;
        for (index, item) in items.iter().enumerate() {
            fits &= self.at(Loc::Index(index), |v| match values.get(index) {
                Some(value) => v.value(item, value, mode, out),
                None => v.refuse(("missing", "Field required".to_owned()), value),
            });
        }
        fits
    }

    fn dict(
        &mut self,
        key: &'m Type,
        item: &'m Type,
        value: &JsonValue<'_>,
        mode: Mode,
        out: &mut Writer,
    ) -> bool {
        let JsonValue::Object(pairs) = value else {
            return self.refuse(("dict_type", "Input should be a valid dictionary".to_owned()), value);
        };
        out.dict();
        let mut fits = true;
        for (index, (name, value)) in pairs.iter().enumerate() {
            // Errors first locate the pair by its index: a client's key does not live as long as `loc`.
            let mark = self.errors.mark();
            let pair_fits = self.at(Loc::Index(index), |v| {
                let name_fits = matches!(key, Type::Str).then(|| out.str(name)).is_some()
                    || v.at(Loc::Key("[key]"), |v| {
                        v.value(key, &JsonValue::Str(name.clone()), Mode::Lax, out)
                    });
                v.value(item, value, mode, out) && name_fits
            });
            if !pair_fits {
                self.errors.rename(mark, self.loc.len(), name);
                fits = false;
            }
        }
        out.end_dict();
        fits
    }

    fn model(&mut self, model: &'m Model, value: &JsonValue<'_>, mode: Mode, out: &mut Writer) -> bool {
        let JsonValue::Object(pairs) = value else {
            let msg = "Input should be a valid dictionary or object to extract fields from";
            return self.refuse(("model_attributes_type", msg.to_owned()), value);
        };
        out.tuple(model.fields.len());
        let mut fits = true;
        for (position, field) in model.fields.iter().enumerate() {
            // Clients mostly send the fields in the model's order: look there first.
            let found = match pairs.get(position) {
                Some((name, value)) if *name == field.name => Some(value),
                _ => pairs.iter().find(|(name, _)| *name == field.name).map(|(_, value)| value),
            };
            fits &= self.at(Loc::Key(&field.name), |v| match found {
                Some(value) => v.value(&field.ty, value, mode, out),
                None => v.absent(field, value, out),
            });
        }
        if model.forbid {
            fits &= self.no_others(model, pairs);
        }
        fits
    }

    fn no_others(&mut self, model: &Model, pairs: &[(Cow<'_, str>, JsonValue<'_>)]) -> bool {
        let known = |name: &str| {
            let tag = model.tag.as_ref().is_some_and(|(key, _)| key == name);
            tag || model.fields.iter().any(|field| field.name == name)
        };
        let mut fits = true;
        for (name, value) in pairs.iter().filter(|(name, _)| !known(name)) {
            fits = false;
            if self.trials == 0 {
                let mut loc: Vec<Loc<'_>> = self.loc.clone();
                loc.push(Loc::Key(name));
                self.errors.push("extra_forbidden", &loc, "Extra inputs are not permitted", value);
            }
        }
        fits
    }

    fn absent(&mut self, field: &'m Field, parent: &JsonValue<'_>, out: &mut Writer) -> bool {
        if matches!(field.absent, Absent::Refuse) {
            return self.refuse(("missing", "Field required".to_owned()), parent);
        }
        write_absent(&field.absent, out);
        true
    }
}

/// Write the default of an absent value. The caller reports [`Absent::Refuse`].
pub fn write_absent(absent: &Absent, out: &mut Writer) {
    match absent {
        Absent::Default(marshalled) => out.raw(marshalled),
        Absent::Guest | Absent::Refuse => out.ellipsis(),
    }
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

fn literal(values: &[Value], given: &JsonValue<'_>, out: &mut Writer) -> Result<(), Violation> {
    if !values.iter().any(|value| same(value, given)) {
        return Err(("literal_error", format!("Input should be {}", listed(values))));
    }
    plain(given, out);
    Ok(())
}

/// Wire: the member's index. In lax mode, text matches a member with that number, as in a query.
fn enumeration(
    values: &[Value],
    given: &JsonValue<'_>,
    strict: bool,
    out: &mut Writer,
) -> Result<(), Violation> {
    let as_number = |value: &Value| match given {
        JsonValue::Str(text) if !strict => {
            value.as_i64().is_some_and(|number| text.trim().parse() == Ok(number as f64))
        }
        _ => false,
    };
    match values.iter().position(|value| same(value, given) || as_number(value)) {
        Some(index) => {
            out.int(index as i64);
            Ok(())
        }
        None => Err(("enum", format!("Input should be {}", listed(values)))),
    }
}

/// Write any JSON value without conversion.
pub fn plain(value: &JsonValue<'_>, out: &mut Writer) {
    match value {
        JsonValue::Null => out.none(),
        JsonValue::Bool(flag) => out.bool(*flag),
        JsonValue::Int(int) => out.int(*int),
        JsonValue::BigInt(int) => out.big_int(int),
        JsonValue::Float(float) => out.float(*float),
        JsonValue::Str(text) => out.str(text),
        JsonValue::Array(items) => {
            out.list(items.len());
            items.iter().for_each(|item| plain(item, out));
        }
        JsonValue::Object(pairs) => {
            out.dict();
            for (key, value) in pairs.iter() {
                out.str(key);
                plain(value, out);
            }
            out.end_dict();
        }
    }
}
