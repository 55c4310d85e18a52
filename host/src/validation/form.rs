//! Forms: their fields, and their files, which are checked against the rules of their parameter.

use crate::codec::marshal::Writer;
use crate::manifest::{Absent, FileRules, Param, Type};
use crate::validation::cost;
use crate::validation::error_list::{ErrorList, Loc};
use crate::validation::named_values::Pair;
use crate::validation::validator::{Validator, write_absent};
use jiter::JsonValue;
use mime::Mime;

/// A parsed form.
#[derive(Debug, Default)]
pub struct Form {
    pub fields: Vec<Pair<'static>>,
    pub files: Vec<FilePart>,
}

impl Form {
    /// Bytes of the names and values of its fields.
    pub fn size(&self) -> usize {
        self.fields.iter().map(|(name, value)| name.len() + value.len()).sum()
    }
}

/// A file of a multipart form. Its index in [`Form::files`] identifies the stored content.
#[derive(Debug, Clone, Default)]
pub struct FilePart {
    /// The name of the form's field.
    pub name: String,
    pub filename: String,
    pub content_type: String,
    pub headers: Vec<(String, String)>,
    /// In bytes.
    pub size: u64,
    /// The content, for a parameter that takes bytes.
    pub content: Option<Vec<u8>>,
}

/// Write the value of a parameter that takes files.
pub fn write_files<'m>(
    param: &'m Param,
    form: &Form,
    request: u64,
    validator: &mut Validator<'m, '_>,
    out: &mut Writer,
) {
    let loc = [Loc::Key("body"), Loc::Key(&param.alias)];
    let types = param.files.allowed_types.as_ref().map_or(0, Vec::len);
    if validator.work.spend(cost::files(form.files.len(), types)).is_err() {
        validator.halt_at(&loc);
        return;
    }
    let errors = &mut validator.errors;
    let given: Vec<_> = form.files.iter().enumerate().filter(|(_, file)| file.name == param.alias).collect();
    let (ty, tagged) = wanted(&param.ty);
    let Some(last) = given.last() else {
        return match &param.absent {
            Absent::Refuse => errors.push("missing", &loc, "Field required", &JsonValue::Null),
            absent => write_absent(absent, out),
        };
    };
    if let Some(arm) = tagged {
        out.tuple(2);
        out.int(arm as i64);
    }
    let Type::List(item) = ty else {
        return write_file(ty, last, &param.files, (request, &loc), errors, out);
    };
    if let Some(most) = param.files.max_files.filter(|most| given.len() > *most) {
        let msg = format!("List should have at most {most} items after validation, not {}", given.len());
        errors.push("too_long", &loc, &msg, &JsonValue::Null);
    }
    out.list(given.len());
    for (index, file) in given.iter().enumerate() {
        let loc = [loc[0], loc[1], Loc::Index(index)];
        write_file(item, file, &param.files, (request, &loc), errors, out);
    }
}

/// The type inside `Optional` and constraints, and its arm in the union if the guest must know it.
fn wanted(ty: &Type) -> (&Type, Option<usize>) {
    match ty {
        Type::Checked(inner, _) => wanted(inner),
        Type::Union { arms, tagged, .. } => {
            let arm = arms.iter().position(|arm| !matches!(arm, Type::None)).unwrap_or(0);
            (&arms[arm], tagged.then_some(arm))
        }
        other => (other, None),
    }
}

fn write_file(
    ty: &Type,
    (index, file): &(usize, &FilePart),
    rules: &FileRules,
    (request, loc): (u64, &[Loc<'_>]),
    errors: &mut ErrorList,
    out: &mut Writer,
) {
    if let Some(most) = rules.max_size.filter(|most| file.size > *most) {
        let msg = format!("File should have at most {most} bytes, not {}", file.size);
        errors.push("file_too_large", loc, &msg, &JsonValue::Null);
    }
    if let Some(types) = rules.allowed_types.as_ref().filter(|types| !is_allowed(types, &file.content_type)) {
        let msg = format!("File should be of type {}, not {:?}", types.join(" or "), file.content_type);
        errors.push("file_type", loc, &msg, &JsonValue::Null);
    }
    if matches!(ty, Type::Bytes) {
        return out.bytes(file.content.as_deref().unwrap_or_default());
    }
    out.tuple(6);
    out.int(request as i64);
    out.int(*index as i64);
    out.str(&file.filename);
    out.str(&file.content_type);
    out.int(file.size as i64);
    out.list(file.headers.len());
    for (name, value) in &file.headers {
        out.tuple(2);
        out.str(name);
        out.str(value);
    }
}

fn is_allowed(types: &[String], content_type: &str) -> bool {
    let Ok(given) = content_type.parse::<Mime>() else { return false };
    types.iter().filter_map(|allowed| allowed.parse::<Mime>().ok()).any(|allowed| {
        allowed.type_() == given.type_()
            && (allowed.subtype() == mime::STAR || allowed.essence_str() == given.essence_str())
    })
}
