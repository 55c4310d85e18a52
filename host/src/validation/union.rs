//! Union types: selects the arm that a value fits.

use crate::codec::marshal::Writer;
use crate::manifest::Type;
use crate::validation::error_list::Loc;
use crate::validation::validator::{Mode, Validator};
use jiter::JsonValue;

impl<'m> Validator<'m> {
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
        if let Some(fits) = self.tagged(arms, tagged, value, mode, out) {
            return fits;
        }
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

    /// Check a value against the arm that its tag names. `None` if the union is not one of tagged models.
    fn tagged(
        &mut self,
        arms: &'m [Type],
        tagged: bool,
        value: &JsonValue<'_>,
        mode: Mode,
        out: &mut Writer,
    ) -> Option<bool> {
        let mut key = None;
        for arm in arms.iter().filter(|arm| !matches!(arm, Type::None)) {
            let Type::Model(index) = arm else { return None };
            let (own, _) = self.models[*index].tag.as_ref()?;
            if *key.get_or_insert(own) != own {
                return None;
            }
        }
        let key = key?;
        let JsonValue::Object(pairs) = value else { return None };
        let Some((_, given)) = pairs.iter().find(|(name, _)| name == key) else {
            let msg = format!("Unable to extract tag using discriminator '{key}'");
            return Some(self.refuse(("union_tag_not_found", msg), value));
        };
        let named = |arm: &Type| match arm {
            Type::Model(index) => self.models[*index].tag.as_ref().map(|(_, tag)| tag.as_str()),
            _ => None,
        };
        let found = arms.iter().position(|arm| match given {
            JsonValue::Str(text) => named(arm) == Some(text.as_ref()),
            _ => false,
        });
        let Some(index) = found else {
            let tags: Vec<_> = arms.iter().filter_map(named).map(|tag| format!("'{tag}'")).collect();
            let msg = format!(
                "Input tag found using '{key}' does not match any of the expected tags: {}",
                tags.join(", ")
            );
            return Some(self.refuse(("union_tag_invalid", msg), value));
        };
        if tagged {
            out.tuple(2);
            out.int(index as i64);
        }
        let step = Loc::Key(named(&arms[index]).unwrap_or_default());
        Some(self.at(step, |v| v.value(&arms[index], value, mode, out)))
    }
}
