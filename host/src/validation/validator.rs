//! Checks a request's values against the manifest's types, coerces them and marshals them in one pass.
//!
//! Rules and messages are those of pydantic's lax mode; all errors of a request are collected. If there are errors,
//! the caller discards the output. Every value costs work, so it also bounds what nested unions and defaults can make of
//! a small body.

use crate::codec::marshal::{Writer, code};
use crate::codec::work::{Stop, Work};
use crate::manifest::choices::Choices;
use crate::manifest::constraints::{Kind, Violation};
use crate::manifest::{Absent, Model, Type};
use crate::validation::coerce;
use crate::validation::cost;
use crate::validation::error_list::{ErrorList, Loc};
use crate::validation::fit::{Exactness, Fit};
use crate::validation::moments;
use jiter::JsonValue;
use std::collections::HashSet;

/// Maximum nesting depth of a value against recursive models; the JSON parser already stops at 200.
const MAX_DEPTH: usize = 220;

/// Checks the values of one request.
pub struct Validator<'m, 'w> {
    pub(crate) models: &'m [Model],
    pub(crate) loc: Vec<Loc<'m>>,
    pub errors: ErrorList,
    /// Nested unions try their arms again and again: without a bound, a body of a few hundred bytes against a recursive
    /// union costs 2^depth.
    pub work: &'w mut Work,
    /// Above zero while we only try an arm of a union. We skip its errors: they would be discarded, and each would
    /// render its value.
    pub(crate) trials: usize,
    /// Of the value that is being checked, and of those in it that were.
    pub(crate) fit: Fit,
    most_written: usize,
}

impl<'m, 'w> Validator<'m, 'w> {
    /// `bytes`: the size of the request's values.
    pub fn new(models: &'m [Model], bytes: usize, work: &'w mut Work) -> Self {
        Self {
            models,
            loc: Vec::new(),
            errors: ErrorList::default(),
            work,
            trials: 0,
            fit: Fit::EXACT,
            most_written: 1_000_000 + 16 * bytes,
        }
    }

    /// Check `value`, which came from `loc` (such as `["query", "limit"]`), and write its wire value.
    pub fn check(&mut self, loc: &[Loc<'m>], ty: &'m Type, value: &JsonValue<'_>, out: &mut Writer) {
        self.loc.clear();
        self.loc.extend_from_slice(loc);
        self.value(ty, value, out);
    }

    /// Report an absent value.
    pub fn missing(&mut self, loc: &[Loc<'m>]) {
        self.errors.push("missing", loc, "Field required", &JsonValue::Null);
    }

    /// Write `value` as `ty`. Returns false, and adds errors, if it does not fit.
    pub(crate) fn value(&mut self, ty: &'m Type, value: &JsonValue<'_>, out: &mut Writer) -> bool {
        if self.loc.len() > MAX_DEPTH {
            return self.refuse(("recursion_loop", "Input is nested too deeply".into()), &JsonValue::Null);
        }
        if self.work.spend(cost::of(ty, value)).is_err() {
            return self.halt();
        }
        // Absent fields write defaults without consuming input, so the output is bounded as well.
        if out.buf.len() > self.most_written {
            return self.refuse(("too_complex", "Input fills in too many defaults".into()), &JsonValue::Null);
        }
        let checked = match ty {
            Type::Str => coerce::str(value, out),
            Type::Int => coerce::int(value, out),
            Type::Float => coerce::float(value, out),
            Type::Bool => coerce::bool(value, out),
            Type::None => coerce::none(value, out),
            Type::Bytes => coerce::bytes(value, out),
            Type::DateTime => moments::datetime(value, out),
            Type::Date => moments::date(value, out),
            Type::Uuid => coerce::uuid(value, out),
            Type::Decimal => coerce::decimal(value, out),
            Type::Any => match plain(value, out, self.work) {
                Ok(()) => Ok(Exactness::Lax),
                Err(_) => return self.halt(),
            },
            Type::Literal(choices) => literal(choices, value, out),
            Type::Enum(choices) => enumeration(choices, value, out),
            Type::List(item) => {
                return self.items(item, value, ("list_type", "list"), out, Writer::list);
            }
            Type::Set(_) | Type::Frozenset(_) => return self.set(ty, value, out, None),
            Type::Sequence(item) => {
                self.fit.floor(Exactness::Lax);
                return self.items(item, value, ("tuple_type", "tuple"), out, Writer::tuple);
            }
            Type::Tuple(items) => return self.tuple(items, value, out),
            Type::Dict(key, item) => return self.dict(key, item, value, out),
            Type::Union(union) => return self.union(union, value, out),
            Type::Model(index) => return self.model(&self.models[*index], value, out),
            Type::Checked(inner, check) => {
                let start = out.buf.len();
                let mut seen = (check.has_length() && matches!(inner.kind(), Kind::Set | Kind::Frozenset))
                    .then(HashSet::new);
                let fits = match &mut seen {
                    Some(seen) => self.set(inner, value, out, Some(seen)),
                    None => self.value(inner, value, out),
                };
                if !fits {
                    return false;
                }
                let distinct = seen.map(|seen| seen.len());
                match check.refusal(inner.kind(), value, &out.buf[start..], distinct, self.work) {
                    Ok(refused) => refused.map_or(Ok(Exactness::Exact), Err),
                    Err(_) => return self.halt(),
                }
            }
            // Files are written by `form::write_files`, which has the form.
            Type::Upload => Err(("value_error", "Value error, Expected UploadFile".into())),
        };
        match checked {
            Ok(exactness) => {
                self.fit.floor(exactness);
                true
            }
            Err(refusal) => self.refuse(refusal, value),
        }
    }

    pub(crate) fn refuse(&mut self, (kind, msg): Violation<'_>, value: &JsonValue<'_>) -> bool {
        if self.trials == 0 {
            self.errors.push(kind, &self.loc, &msg, value);
        }
        false
    }

    /// The work has stopped. Whoever does it again needs no error; one who may not go on is told where it ended.
    pub(crate) fn halt(&mut self) -> bool {
        if self.work.stopped() == Some(Stop::Spent) {
            self.refuse(("too_complex", "Input takes too long to check".into()), &JsonValue::Null);
        }
        false
    }

    pub fn halt_at(&mut self, loc: &[Loc<'m>]) -> bool {
        self.loc.clear();
        self.loc.extend_from_slice(loc);
        self.halt()
    }

    /// Whether to leave out the rest of a value that does not fit: nobody would hear of more errors.
    pub(crate) fn gives_up(&self) -> bool {
        self.trials > 0 || self.errors.is_full() || self.work.stopped().is_some()
    }

    pub(crate) fn at(&mut self, step: Loc<'m>, check: impl FnOnce(&mut Self) -> bool) -> bool {
        self.loc.push(step);
        let fits = check(self);
        self.loc.pop();
        fits
    }

    /// A set, whose different items are put into `seen`.
    fn set(
        &mut self,
        ty: &'m Type,
        value: &JsonValue<'_>,
        out: &mut Writer,
        mut seen: Option<&mut HashSet<Vec<u8>>>,
    ) -> bool {
        let (item, names) = match ty {
            Type::Frozenset(item) => (item, ("frozen_set_type", "frozenset")),
            Type::Set(item) => (item, ("set_type", "set")),
            _ => return self.value(ty, value, out),
        };
        self.fit.floor(Exactness::Lax);
        let JsonValue::Array(values) = value else {
            return self.refuse((names.0, format!("Input should be a valid {}", names.1).into()), value);
        };
        out.list(values.len());
        let mut fits = true;
        for (index, value) in values.iter().enumerate() {
            let start = out.buf.len();
            fits &= self.at(Loc::Index(index), |v| v.value(item, value, out));
            if !fits && self.gives_up() {
                return false;
            }
            if let Some(seen) = &mut seen {
                if self.work.spend(cost::HASHED + cost::copied(out.buf.len() - start)).is_err() {
                    return self.halt();
                }
                seen.insert(hashed(&out.buf[start..]));
            }
        }
        fits
    }

    fn items(
        &mut self,
        item: &'m Type,
        value: &JsonValue<'_>,
        (kind, name): (&'static str, &str),
        out: &mut Writer,
        open: fn(&mut Writer, usize),
    ) -> bool {
        let JsonValue::Array(values) = value else {
            return self.refuse((kind, format!("Input should be a valid {name}").into()), value);
        };
        open(out, values.len());
        let mut fits = true;
        for (index, value) in values.iter().enumerate() {
            fits &= self.at(Loc::Index(index), |v| v.value(item, value, out));
            if !fits && self.gives_up() {
                return false;
            }
        }
        fits
    }

    fn tuple(&mut self, items: &'m [Type], value: &JsonValue<'_>, out: &mut Writer) -> bool {
        self.fit.floor(Exactness::Lax);
        let JsonValue::Array(values) = value else {
            return self.refuse(("tuple_type", "Input should be a valid tuple".into()), value);
        };
        if values.len() > items.len() {
            let msg = format!(
                "Tuple should have at most {} items after validation, not {}",
                items.len(),
                values.len()
            );
            return self.refuse(("too_long", msg.into()), value);
        }
        out.tuple(items.len());
        let mut fits = true;
        for (index, item) in items.iter().enumerate() {
            fits &= self.at(Loc::Index(index), |v| match values.get(index) {
                Some(value) => v.value(item, value, out),
                None => v.refuse(("missing", "Field required".into()), value),
            });
            if !fits && self.gives_up() {
                return false;
            }
        }
        fits
    }

    fn dict(&mut self, key: &'m Type, item: &'m Type, value: &JsonValue<'_>, out: &mut Writer) -> bool {
        let JsonValue::Object(pairs) = value else {
            return self.refuse(("dict_type", "Input should be a valid dictionary".into()), value);
        };
        out.dict();
        let mut fits = true;
        for (index, (name, value)) in pairs.iter().enumerate() {
            // Errors first locate the pair by its index: a client's key does not live as long as `loc`.
            let mark = self.errors.mark();
            let pair_fits = self.at(Loc::Index(index), |v| {
                let name_fits = matches!(key, Type::Str).then(|| out.str(name)).is_some()
                    || v.at(Loc::Key("[key]"), |v| v.value(key, &JsonValue::Str(name.clone()), out));
                v.value(item, value, out) && name_fits
            });
            if !pair_fits {
                self.errors.rename(mark, self.loc.len(), name);
                fits = false;
                if self.gives_up() {
                    return false;
                }
            }
        }
        out.end_dict();
        fits
    }
}

/// What equal items of a set have in common: in Python 1, 1.0 and True are the same.
fn hashed(written: &[u8]) -> Vec<u8> {
    let int = |value: i32| [&[code::INT][..], &value.to_le_bytes()].concat();
    match written {
        [code::TRUE] => int(1),
        [code::FALSE] => int(0),
        [code::FLOAT, bytes @ ..] => {
            let float = bytes.try_into().map_or(f64::NAN, f64::from_le_bytes);
            let whole = float as i32;
            if f64::from(whole) == float { int(whole) } else { written.to_vec() }
        }
        _ => written.to_vec(),
    }
}

/// Write the default of an absent value. The caller reports [`Absent::Refuse`].
pub fn write_absent(absent: &Absent, out: &mut Writer) {
    match absent {
        Absent::Default(marshalled) => out.raw(marshalled),
        Absent::Guest | Absent::Refuse => out.ellipsis(),
    }
}

fn literal<'m>(
    choices: &'m Choices,
    given: &JsonValue<'_>,
    out: &mut Writer,
) -> Result<Exactness, Violation<'m>> {
    match choices.position(given, false) {
        Some(position) => {
            choices.write(position, out);
            Ok(Exactness::Exact)
        }
        None => Err(("literal_error", choices.expected().into())),
    }
}

/// Wire: the member's index. Text matches a member with that number, as in a query.
fn enumeration<'m>(
    choices: &'m Choices,
    given: &JsonValue<'_>,
    out: &mut Writer,
) -> Result<Exactness, Violation<'m>> {
    match choices.position(given, true) {
        Some(index) => {
            out.int(index as i64);
            Ok(Exactness::Lax)
        }
        None => Err(("enum", choices.expected().into())),
    }
}

/// Write any JSON value without conversion.
pub fn plain(value: &JsonValue<'_>, out: &mut Writer, work: &mut Work) -> Result<(), Stop> {
    work.spend(cost::of(&Type::Any, value))?;
    match value {
        JsonValue::Array(items) => {
            out.list(items.len());
            items.iter().try_for_each(|item| plain(item, out, work))?;
        }
        JsonValue::Object(pairs) => {
            out.dict();
            for (key, value) in pairs.iter() {
                out.str(key);
                plain(value, out, work)?;
            }
            out.end_dict();
        }
        other => scalar(other, out),
    }
    Ok(())
}

fn scalar(value: &JsonValue<'_>, out: &mut Writer) {
    match value {
        JsonValue::Null | JsonValue::Array(_) | JsonValue::Object(_) => out.none(),
        JsonValue::Bool(flag) => out.bool(*flag),
        JsonValue::Int(int) => out.int(*int),
        JsonValue::BigInt(int) => out.big_int(int),
        JsonValue::Float(float) => out.float(*float),
        JsonValue::Str(text) => out.str(text),
    }
}
