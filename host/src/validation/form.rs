//! Forms: their fields, and their files, which are checked against the rules of their parameter.

use crate::codec::marshal::Writer;
use crate::manifest::{Absent, FileRules, Param, Type};
use crate::validation::cost;
use crate::validation::error_list::{ErrorList, Loc};
use crate::validation::named_values::{Pair, takes_many};
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

    fn files_of<'f>(&'f self, name: &str) -> impl Iterator<Item = (usize, &'f FilePart)> {
        self.files.iter().enumerate().filter(move |(_, file)| file.name == name)
    }

    /// What stands for a file where a parameter takes text, which no file is.
    pub fn file_as_value(&self, param: &Param) -> Option<JsonValue<'static>> {
        let is_list = takes_many(&param.ty);
        let files = self.files_of(&param.alias).filter(|(_, file)| !is_list || !file.is_nothing());
        files.last().filter(|(_, file)| !file.is_nothing())?;
        let file = JsonValue::Object(Default::default());
        Some(if is_list { JsonValue::Array(vec![file].into()) } else { file })
    }
}

/// One value of a parameter that takes files.
#[derive(Clone, Copy)]
enum Given<'f> {
    /// A file and its index in the form.
    File(usize, &'f FilePart),
    Text(&'f str),
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

impl FilePart {
    /// A browser sends this for an input in which no file was chosen.
    fn is_nothing(&self) -> bool {
        self.filename.is_empty() && self.size == 0
    }
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
    let names = cost::searched(form.files.len() + form.fields.len());
    if validator.work.spend(cost::files(form.files.len(), types) + names).is_err() {
        validator.halt_at(&loc);
        return;
    }
    let errors = &mut validator.errors;
    let (ty, tagged) = wanted(&param.ty);
    let is_list = matches!(ty, Type::List(_));
    // Of several files for one, the last counts, also if it is none.
    let files = form.files_of(&param.alias).filter(|(_, file)| !is_list || !file.is_nothing());
    let mut given: Vec<_> = files.map(|(index, file)| Given::File(index, file)).collect();
    if given.is_empty() {
        let texts = form.fields.iter().filter(|(name, _)| *name == param.alias);
        given.extend(texts.map(|(_, text)| Given::Text(text)));
    }
    // As in every form, one text that is empty is absent.
    let last = given.last().filter(|last| match last {
        Given::Text(text) => is_list || !text.is_empty(),
        Given::File(_, file) => !file.is_nothing(),
    });
    let Some(last) = last else {
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
        return write_one(ty, *last, &param.files, (request, &loc), errors, out);
    };
    if let Some(most) = param.files.max_files.filter(|most| given.len() > *most) {
        let msg = format!("List should have at most {most} items after validation, not {}", given.len());
        errors.push("too_long", &loc, &msg, &JsonValue::Null);
    }
    out.list(given.len());
    for (index, one) in given.iter().enumerate() {
        let loc = [loc[0], loc[1], Loc::Index(index)];
        write_one(item, *one, &param.files, (request, &loc), errors, out);
    }
}

fn write_one(
    ty: &Type,
    given: Given<'_>,
    rules: &FileRules,
    (request, loc): (u64, &[Loc<'_>]),
    errors: &mut ErrorList,
    out: &mut Writer,
) {
    match given {
        Given::File(index, file) => write_file(ty, (index, file), rules, (request, loc), errors, out),
        Given::Text(text) if matches!(ty, Type::Bytes) => out.bytes(text.as_bytes()),
        Given::Text(text) => {
            let msg = "Value error, Expected UploadFile, received: <class 'str'>";
            errors.push("value_error", loc, msg, &JsonValue::Str(text.into()));
        }
    }
}

/// The type inside `Optional` and constraints, and its arm in the union if the guest must know it.
fn wanted(ty: &Type) -> (&Type, Option<usize>) {
    match ty {
        Type::Checked(inner, _) => wanted(inner),
        Type::Union(union) => {
            let arm = union.arms.iter().position(|arm| !matches!(arm, Type::None)).unwrap_or(0);
            (&union.arms[arm], union.tagged.then_some(arm))
        }
        other => (other, None),
    }
}

fn write_file(
    ty: &Type,
    (index, file): (usize, &FilePart),
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
    out.int(index as i64);
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
