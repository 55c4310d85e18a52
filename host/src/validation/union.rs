//! Union types: selects the arm that a value fits.

use crate::codec::marshal::Writer;
use crate::manifest::Type;
use crate::manifest::types::{Discriminator, Union};
use crate::validation::cost;
use crate::validation::error_list::Loc;
use crate::validation::fit::Fit;
use crate::validation::validator::Validator;
use jiter::JsonValue;

impl<'m> Validator<'m, '_> {
    pub(crate) fn union(&mut self, union: &'m Union, value: &JsonValue<'_>, out: &mut Writer) -> bool {
        // `X | None` takes None for nothing else, and has the errors of X.
        if let Some(only) = union.optional() {
            let none = || union.none().filter(|_| matches!(value, JsonValue::Null));
            return self.arm(union, none().unwrap_or(only), value, out);
        }
        match &union.by {
            Some(by) if matches!(value, JsonValue::Object(_)) => self.tagged(union, by, value, out),
            _ => self.best(union, value, out),
        }
    }

    /// pydantic's smart mode: the arm that sets the most fields of records wins, among equals the one that converts
    /// least, then the first.
    fn best(&mut self, union: &'m Union, value: &JsonValue<'_>, out: &mut Writer) -> bool {
        let (start, outer) = (out.buf.len(), self.fit);
        let mut best: Option<Fit> = None;
        self.trials += 1;
        for index in 0..union.arms.len() {
            let begin = out.buf.len();
            self.fit = Fit::EXACT;
            let fits = self.arm(union, index, value, out);
            if fits && best.is_none_or(|best| self.fit.is_better_than(best)) {
                if self.work.spend(cost::copied(out.buf.len() - start)).is_ok() {
                    out.buf.drain(start..begin);
                }
                best = Some(self.fit);
                if self.fit.is_certain() {
                    break;
                }
            } else {
                out.buf.truncate(begin);
            }
            if self.work.stopped().is_some() {
                break;
            }
        }
        self.trials -= 1;
        self.fit = best.unwrap_or(Fit::EXACT).within(outer);
        if self.work.stopped().is_some() {
            return self.halt();
        }
        best.is_some() || (self.trials == 0 && self.errors_of_arms(union, value, out))
    }

    fn errors_of_arms(&mut self, union: &'m Union, value: &JsonValue<'_>, out: &mut Writer) -> bool {
        for (arm, label) in union.arms.iter().zip(&union.labels) {
            if matches!(arm, Type::None) {
                continue;
            }
            self.at(Loc::Key(label), |v| v.value(arm, value, out));
            if self.gives_up() {
                break;
            }
        }
        false
    }

    /// The value as one of the arms.
    fn arm(&mut self, union: &'m Union, index: usize, value: &JsonValue<'_>, out: &mut Writer) -> bool {
        if union.tagged {
            out.tuple(2);
            out.int(index as i64);
        }
        self.value(&union.arms[index], value, out)
    }

    /// Check an object against the arm that its tag names.
    fn tagged(
        &mut self,
        union: &'m Union,
        by: &'m Discriminator,
        value: &JsonValue<'_>,
        out: &mut Writer,
    ) -> bool {
        let JsonValue::Object(pairs) = value else { return false };
        if self.work.spend(cost::FIELD * pairs.len() as u64).is_err() {
            return self.halt();
        }
        let Some((_, given)) = pairs.iter().find(|(name, _)| *name == by.key) else {
            return self.refuse(("union_tag_not_found", by.missing.as_str().into()), value);
        };
        let found = match given {
            JsonValue::Str(text) => by.arm(text),
            _ => None,
        };
        let Some((index, tag)) = found else {
            return self.refuse(("union_tag_invalid", by.unknown.as_str().into()), value);
        };
        self.at(Loc::Key(tag), |v| v.arm(union, index, value, out))
    }
}
