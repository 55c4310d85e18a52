//! Models: objects whose fields have types of their own.

use crate::codec::marshal::Writer;
use crate::manifest::constraints::Violation;
use crate::manifest::wire::ModelKind;
use crate::manifest::{Absent, Field, Model};
use crate::validation::cost;
use crate::validation::error_list::Loc;
use crate::validation::fit::Exactness;
use crate::validation::validator::{Validator, write_absent};
use jiter::JsonValue;
use std::borrow::Cow;

impl<'m> Validator<'m, '_> {
    pub(crate) fn model(&mut self, model: &'m Model, value: &JsonValue<'_>, out: &mut Writer) -> bool {
        // A record is made of the object, but a TypedDict is one.
        if model.kind != ModelKind::TypedDict {
            self.fit.floor(Exactness::Lax);
        }
        let pairs = match value {
            JsonValue::Object(pairs) => pairs,
            JsonValue::Array(values) if model.kind == ModelKind::NamedTuple => {
                return self.positional(model, value, values, out);
            }
            _ => return self.refuse(no_record(model), value),
        };
        out.tuple(model.fields.len());
        let mut fits = true;
        let mut places = None;
        let mut given = 0;
        for (position, field) in model.fields.iter().enumerate() {
            // Clients mostly send the fields in the model's order: look there first.
            let found = match pairs.get(position) {
                Some((name, value)) if *name == field.name => Some(value),
                _ if model.is_large() => {
                    let places = places.get_or_insert_with(|| places_of(model, pairs));
                    places[position].and_then(|at| pairs.get(at)).map(|(_, value)| value)
                }
                _ => pairs.iter().find(|(name, _)| *name == field.name).map(|(_, value)| value),
            };
            given += usize::from(found.is_some());
            fits &= self.at(Loc::Key(&field.name), |v| match found {
                Some(value) => v.value(&field.ty, value, out),
                None => v.absent(field, value, out),
            });
            if !fits && self.gives_up() {
                return false;
            }
        }
        let is_named_tuple = model.kind == ModelKind::NamedTuple;
        if model.forbid || is_named_tuple {
            fits &= self.no_others(model, pairs);
        }
        if !is_named_tuple {
            self.fit.add_fields(given);
        }
        fits
    }

    /// A NamedTuple from a list.
    fn positional(
        &mut self,
        model: &'m Model,
        value: &JsonValue<'_>,
        values: &[JsonValue<'_>],
        out: &mut Writer,
    ) -> bool {
        if values.len() > model.fields.len() {
            let (most, given) = (model.fields.len(), values.len());
            let msg = format!("NamedTuple should have at most {most} items after validation, not {given}");
            return self.refuse(("too_long", msg.into()), value);
        }
        out.tuple(model.fields.len());
        let mut fits = true;
        for (index, field) in model.fields.iter().enumerate() {
            fits &= self.at(Loc::Index(index), |v| match values.get(index) {
                Some(value) => v.value(&field.ty, value, out),
                None => v.absent(field, value, out),
            });
            if !fits && self.gives_up() {
                return false;
            }
        }
        fits
    }

    fn no_others(&mut self, model: &Model, pairs: &[(Cow<'_, str>, JsonValue<'_>)]) -> bool {
        let known = |name: &str| {
            model.tag.as_ref().is_some_and(|(key, _)| key == name) || model.position(name).is_some()
        };
        let mut fits = true;
        for (name, value) in pairs.iter().filter(|(name, _)| !known(name)) {
            fits = false;
            if self.gives_up() {
                return false;
            }
            let mut loc: Vec<Loc<'_>> = self.loc.clone();
            loc.push(Loc::Key(name));
            self.errors.push("extra_forbidden", &loc, "Extra inputs are not permitted", value);
        }
        fits
    }

    fn absent(&mut self, field: &'m Field, parent: &JsonValue<'_>, out: &mut Writer) -> bool {
        let written = match &field.absent {
            Absent::Refuse => return self.refuse(("missing", "Field required".into()), parent),
            Absent::Default(marshalled) => marshalled.len(),
            Absent::Guest => 1,
        };
        if self.work.spend(cost::FIELD + cost::copied(written)).is_err() {
            return self.halt();
        }
        write_absent(&field.absent, out);
        true
    }
}

/// A value that no record of this kind is made of.
fn no_record(model: &Model) -> Violation<'static> {
    let name = &model.name;
    match model.kind {
        ModelKind::Struct | ModelKind::Attrs => {
            let msg = "Input should be a valid dictionary or object to extract fields from";
            ("model_attributes_type", msg.into())
        }
        ModelKind::Dataclass => {
            ("dataclass_type", format!("Input should be a dictionary or an instance of {name}").into())
        }
        ModelKind::TypedDict => ("dict_type", "Input should be a valid dictionary".into()),
        ModelKind::NamedTuple => {
            let msg = format!("Input should be a tuple, list, dictionary or an instance of {name}");
            ("named_tuple_type", msg.into())
        }
    }
}

/// Where each field of a model is among the pairs.
fn places_of(model: &Model, pairs: &[(Cow<'_, str>, JsonValue<'_>)]) -> Vec<Option<usize>> {
    let mut places = vec![None; model.fields.len()];
    for (at, (name, _)) in pairs.iter().enumerate() {
        if let Some(place) = model.position(name).and_then(|position| places.get_mut(position)) {
            place.get_or_insert(at);
        }
    }
    places
}
