//! What the location of an error calls an arm of a union, such as `list[int]`: pydantic's names.

use crate::manifest::types::Type;

/// Most bytes of a label. The label of a union within unions repeats those of its arms.
const MOST: usize = 1000;

/// The label of a type; `models`: the names of all models.
pub fn label(ty: &Type, models: &[String]) -> String {
    let mut out = String::new();
    write(ty, models, &mut out);
    if out.len() > MOST {
        out.truncate(out.floor_char_boundary(MOST));
        out.push('…');
    }
    out
}

fn write(ty: &Type, models: &[String], out: &mut String) {
    if out.len() > MOST {
        return;
    }
    let plain = match ty {
        Type::Str => "str",
        Type::Int => "int",
        Type::Float => "float",
        Type::Bool => "bool",
        Type::Bytes => "bytes",
        Type::DateTime => "datetime",
        Type::Date => "date",
        Type::Uuid => "uuid",
        Type::Decimal => "decimal",
        Type::Any => "any",
        Type::None => "none",
        Type::Upload => "is-instance[UploadFile]",
        Type::Model(index) => models.get(*index).map_or("", String::as_str),
        Type::Literal(choices) | Type::Enum(choices) => choices.label(),
        Type::Checked(inner, _) => {
            if matches!(**inner, Type::Str | Type::Int | Type::Float | Type::Bytes) {
                out.push_str("constrained-");
            }
            return write(inner, models, out);
        }
        Type::List(item) => return group("list", [&**item], ",", models, out),
        Type::Set(item) => return group("set", [&**item], ",", models, out),
        Type::Frozenset(item) => return group("frozenset", [&**item], ",", models, out),
        Type::Dict(key, value) => return group("dict", [&**key, &**value], ",", models, out),
        Type::Tuple(items) => return group("tuple", items, ", ", models, out),
        Type::Sequence(item) => {
            out.push_str("tuple[");
            write(item, models, out);
            return out.push_str(", ...]");
        }
        Type::Union(union) => {
            let others: Vec<_> = union.arms.iter().filter(|arm| !matches!(arm, Type::None)).collect();
            let is_nullable = others.len() < union.arms.len();
            if is_nullable {
                out.push_str("nullable[");
            }
            match others.as_slice() {
                [only] => write(only, models, out),
                _ => group("union", others, ",", models, out),
            }
            if is_nullable {
                out.push(']');
            }
            return;
        }
    };
    out.push_str(plain);
}

fn group<'t>(
    name: &str,
    items: impl IntoIterator<Item = &'t Type>,
    separator: &str,
    models: &[String],
    out: &mut String,
) {
    out.push_str(name);
    out.push('[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push_str(separator);
        }
        write(item, models, out);
    }
    out.push(']');
}
