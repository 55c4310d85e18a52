//! Models: objects whose fields have types of their own.

use crate::codec::marshal::Writer;
use crate::manifest::{Absent, Field, Model};
use crate::validation::cost;
use crate::validation::error_list::Loc;
use crate::validation::validator::{Mode, Validator, write_absent};
use jiter::JsonValue;
use std::borrow::Cow;

impl<'m> Validator<'m, '_> {
    pub(crate) fn model(
        &mut self,
        model: &'m Model,
        value: &JsonValue<'_>,
        mode: Mode,
        out: &mut Writer,
    ) -> bool {
        let JsonValue::Object(pairs) = value else {
            let msg = "Input should be a valid dictionary or object to extract fields from";
            return self.refuse(("model_attributes_type", msg.into()), value);
        };
        out.tuple(model.fields.len());
        let mut fits = true;
        let mut places = None;
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
            fits &= self.at(Loc::Key(&field.name), |v| match found {
                Some(value) => v.value(&field.ty, value, mode, out),
                None => v.absent(field, value, out),
            });
            if !fits && self.gives_up() {
                return false;
            }
        }
        if model.forbid {
            fits &= self.no_others(model, pairs);
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
