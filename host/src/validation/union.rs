//! Union types: selects the arm that a value fits.

use crate::codec::marshal::Writer;
use crate::manifest::Type;
use crate::manifest::types::Discriminator;
use crate::validation::cost;
use crate::validation::error_list::Loc;
use crate::validation::validator::{Mode, Validator};
use jiter::JsonValue;

impl<'m> Validator<'m, '_> {
    /// pydantic's smart mode: an arm of exactly the value's type wins, then one that fits without coercion, then the
    /// first that fits with coercion.
    pub(crate) fn union(
        &mut self,
        arms: &'m [Type],
        tagged: bool,
        value: &JsonValue<'_>,
        mode: Mode,
        out: &mut Writer,
    ) -> bool {
        let start = out.buf.len();
        for mode in [Mode::Exact, Mode::Strict, Mode::Lax].into_iter().filter(|tried| *tried <= mode) {
            for (index, arm) in arms.iter().enumerate() {
                if tagged {
                    out.tuple(2);
                    out.int(index as i64);
                }
                self.trials += 1;
                let fits = self.value(arm, value, mode, out);
                self.trials -= 1;
                if fits {
                    return true;
                }
                out.buf.truncate(start);
                if self.work.stopped().is_some() {
                    return self.halt();
                }
            }
        }
        if self.trials > 0 {
            return false;
        }
        // Optional[X] reports X's errors unchanged; a real union adds the arm's name to each location.
        let others: Vec<_> = arms.iter().filter(|arm| !matches!(arm, Type::None)).collect();
        match others.as_slice() {
            [only] => self.value(only, value, mode, out),
            _ => {
                for arm in others {
                    self.at(Loc::Key(self.arm_name(arm)), |v| v.value(arm, value, mode, out));
                    if self.gives_up() {
                        break;
                    }
                }
                false
            }
        }
    }

    fn arm_name(&self, arm: &'m Type) -> &'m str {
        match arm {
            Type::Str => "str",
            Type::Int => "int",
            Type::Float => "float",
            Type::Bool => "bool",
            Type::Bytes => "bytes",
            Type::DateTime => "datetime",
            Type::Date => "date",
            Type::Uuid => "uuid",
            Type::Decimal => "decimal",
            Type::List(_) => "list",
            Type::Set(_) => "set",
            Type::Frozenset(_) => "frozenset",
            Type::Tuple(_) | Type::Sequence(_) => "tuple",
            Type::Dict(..) => "dict",
            Type::Literal(_) => "literal",
            Type::Enum { .. } => "enum",
            Type::Union { .. } => "union",
            Type::Model(index) => &self.models[*index].name,
            Type::Upload => "file",
            Type::Checked(inner, _) => self.arm_name(inner),
            Type::Any => "any",
            Type::None => "none",
        }
    }

    /// Check an object against the arm that its tag names.
    pub(crate) fn tagged(
        &mut self,
        arms: &'m [Type],
        tagged: bool,
        by: &'m Discriminator,
        value: &JsonValue<'_>,
        mode: Mode,
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
        if tagged {
            out.tuple(2);
            out.int(index as i64);
        }
        self.at(Loc::Key(tag), |v| v.value(&arms[index], value, mode, out))
    }
}
