//! Writes the merged module.

use crate::Left;
use crate::layout::{Layout, Place};
use crate::linking::{Linking, Origin};
use crate::outline::Kind;
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use wasm_encoder::reencode::{self, Error, Reencode};
use wasm_encoder::{
    CodeSection, ConstExpr, DataCountSection, DataSection, ElementMode, ElementSection, ElementSegment,
    Elements, ExportSection, FunctionSection, GlobalSection, ImportSection, Instruction, MemorySection,
    Module, NameMap, NameSection, TableSection, TypeSection,
};
use wasmparser::{DataKind, ElementItems, ElementKind, FuncType, Operator, TypeRef};

/// The merged module, the names of its exports, and its imports: `"0"`, `"1"` and so on from the module `""`.
#[derive(Debug)]
pub struct Merged<'a> {
    pub bytes: Vec<u8>,
    pub imports: Vec<Origin<'a>>,
    pub exports: BTreeMap<Origin<'a>, String>,
}

/// The name of the merged module in traps and profiles.
const NAME: &str = "app";

/// Write the module. `names`: include the names of its functions.
pub fn write<'a>(linking: &Linking<'a>, layout: Layout<'a>, names: bool) -> Result<Merged<'a>, Left> {
    let mut types = Types::default();
    let mut writer =
        Writer { linking, layout: &layout, types: &mut types, member: 0, segments: Segments::of(linking) };
    let imports = writer.imports()?;
    let functions = writer.functions();
    let (tables, memories, globals) = (writer.tables()?, writer.memories()?, writer.globals()?);
    let exports = writer.exports();
    let (elements, declared) = writer.elements()?;
    let (code, data) = (writer.code()?, writer.data()?);
    let count = data.len();
    let mut module = Module::new();
    module.section(&types.section).section(&imports).section(&functions).section(&tables).section(&memories);
    module.section(&globals).section(&exports).section(&elements);
    if count > 0 || declared {
        module.section(&DataCountSection { count });
    }
    module.section(&code).section(&data);
    if names {
        module.section(&function_names(linking, &layout));
    }
    let imports = layout.imports.into_iter().map(|import| import.origin).collect();
    Ok(Merged { bytes: module.finish(), imports, exports: layout.exports })
}

/// Function types, without duplicates.
#[derive(Debug, Default)]
struct Types {
    section: TypeSection,
    index: HashMap<FuncType, u32>,
}

/// The index of each member's first segment in the merged module.
#[derive(Debug)]
struct Segments {
    elements: Vec<u32>,
    data: Vec<u32>,
}

impl Segments {
    fn of(linking: &Linking<'_>) -> Self {
        let (mut elements, mut data) = (vec![0], vec![0]);
        for member in 0..linking.members.len() {
            elements.push(elements[member] + linking.code(member).elements.len() as u32);
            data.push(data[member] + linking.code(member).data.len() as u32);
        }
        Self { elements, data }
    }
}

/// Re-encodes code and expressions of one member at a time, with their new indices.
struct Writer<'a, 'w> {
    linking: &'w Linking<'a>,
    layout: &'w Layout<'a>,
    types: &'w mut Types,
    member: usize,
    segments: Segments,
}

type Written<T> = Result<T, Error<Infallible>>;

impl Writer<'_, '_> {
    fn ty(&mut self, ty: &FuncType) -> Written<u32> {
        if let Some(index) = self.types.index.get(ty) {
            return Ok(*index);
        }
        let encoded = self.func_type(ty.clone())?;
        let index = self.types.section.len();
        self.types.section.ty().func_type(&encoded);
        self.types.index.insert(ty.clone(), index);
        Ok(index)
    }

    fn imports(&mut self) -> Written<ImportSection> {
        let mut section = ImportSection::new();
        for (number, import) in self.layout.imports.iter().enumerate() {
            self.member = import.member;
            let ty = match import.ty {
                TypeRef::Func(index) => wasm_encoder::EntityType::Function(self.type_index(index)?),
                other => self.entity_type(other)?,
            };
            section.import("", &number.to_string(), ty);
        }
        Ok(section)
    }

    fn functions(&mut self) -> FunctionSection {
        let mut section = FunctionSection::new();
        for (member, index) in &self.layout.funcs {
            let ty = self.linking.code(*member).func_type(*index).clone();
            if let Ok(ty) = self.ty(&ty) {
                section.function(ty);
            }
        }
        section
    }

    fn tables(&mut self) -> Written<TableSection> {
        let mut section = TableSection::new();
        for (member, index) in &self.layout.tables {
            self.member = *member;
            section.table(self.table_type(self.linking.code(*member).tables[*index as usize])?);
        }
        Ok(section)
    }

    fn memories(&mut self) -> Written<MemorySection> {
        let mut section = MemorySection::new();
        for (member, index) in &self.layout.memories {
            section.memory(self.memory_type(self.linking.code(*member).memories[*index as usize])?);
        }
        Ok(section)
    }

    fn globals(&mut self) -> Written<GlobalSection> {
        let mut section = GlobalSection::new();
        for (member, index) in &self.layout.globals {
            self.member = *member;
            let code = self.linking.code(*member);
            let ty = self.global_type(code.global_type(*index))?;
            let value = self.const_expr(code.globals[*index as usize].init_expr.clone())?;
            section.global(ty, &value);
        }
        Ok(section)
    }

    fn exports(&self) -> ExportSection {
        let mut section = ExportSection::new();
        for (origin, name) in &self.layout.exports {
            if let (Origin::Member { kind, .. }, Some(index)) = (origin, self.layout.index_of(origin)) {
                section.export(name, kind.encoded(), index);
            }
        }
        section
    }

    /// The element section, and whether something in it needs the data count section.
    fn elements(&mut self) -> Written<(ElementSection, bool)> {
        let mut section = ElementSection::new();
        for member in 0..self.linking.members.len() {
            self.member = member;
            let code = self.linking.code(member);
            for element in &code.elements {
                let offset;
                let mode = match &element.kind {
                    ElementKind::Active { table_index, offset_expr } => {
                        offset = self.const_expr(offset_expr.clone())?;
                        let table = self.table_index(table_index.unwrap_or(0))?;
                        // Table 0 has a shorter encoding.
                        ElementMode::Active { table: (table != 0).then_some(table), offset: &offset }
                    }
                    ElementKind::Passive => ElementMode::Passive,
                    ElementKind::Declared => ElementMode::Declared,
                };
                let elements = self.items(&element.items)?;
                section.segment(ElementSegment { mode, elements });
            }
        }
        // Functions in `ref.func` must be declared. In the members, an export or import may have done that.
        let mut referred: Vec<u32> = Vec::new();
        for (member, index) in &self.layout.funcs {
            self.member = *member;
            let body = &self.linking.code(*member).bodies[*index as usize];
            for operator in body.get_operators_reader()? {
                if let Operator::RefFunc { function_index } = operator? {
                    referred.push(self.function_index(function_index)?);
                }
            }
        }
        referred.sort_unstable();
        referred.dedup();
        if !referred.is_empty() {
            let elements = Elements::Functions(referred.into());
            section.segment(ElementSegment { mode: ElementMode::Declared, elements });
        }
        Ok((section, false))
    }

    fn items(&mut self, items: &ElementItems<'_>) -> Written<Elements<'static>> {
        Ok(match items {
            ElementItems::Functions(functions) => {
                let mut indices = Vec::new();
                for function in functions.clone() {
                    indices.push(self.function_index(function?)?);
                }
                Elements::Functions(indices.into())
            }
            ElementItems::Expressions(ty, expressions) => {
                let ty = self.ref_type(*ty)?;
                let mut values = Vec::new();
                for expression in expressions.clone() {
                    values.push(self.const_expr(expression?)?);
                }
                Elements::Expressions(ty, values.into())
            }
        })
    }

    fn code(&mut self) -> Written<CodeSection> {
        let mut section = CodeSection::new();
        for (member, index) in &self.layout.funcs {
            self.member = *member;
            let body = self.linking.code(*member).bodies[*index as usize].clone();
            self.parse_function_body(&mut section, body)?;
        }
        Ok(section)
    }

    fn data(&mut self) -> Written<DataSection> {
        let mut section = DataSection::new();
        for member in 0..self.linking.members.len() {
            self.member = member;
            for data in &self.linking.code(member).data {
                match &data.kind {
                    DataKind::Active { memory_index, offset_expr } => {
                        let offset = self.const_expr(offset_expr.clone())?;
                        section.active(self.memory_index(*memory_index)?, &offset, data.data.iter().copied());
                    }
                    DataKind::Passive => {
                        section.passive(data.data.iter().copied());
                    }
                }
            }
        }
        Ok(section)
    }

    fn place(&self, kind: Kind, index: u32) -> u32 {
        match self.layout.find(self.member, kind, index) {
            Place::Index(index) => index,
            // Kept items never refer to dropped ones, and constants are written as such. If that were wrong, the module
            // would be invalid, and validation would refuse it.
            Place::Constant(_) | Place::Gone => u32::MAX,
        }
    }
}

impl Reencode for Writer<'_, '_> {
    type Error = Infallible;

    fn function_index(&mut self, index: u32) -> Written<u32> {
        Ok(self.place(Kind::Func, index))
    }

    fn table_index(&mut self, index: u32) -> Written<u32> {
        Ok(self.place(Kind::Table, index))
    }

    fn memory_index(&mut self, index: u32) -> Written<u32> {
        Ok(self.place(Kind::Memory, index))
    }

    fn global_index(&mut self, index: u32) -> Written<u32> {
        Ok(self.place(Kind::Global, index))
    }

    fn data_index(&mut self, index: u32) -> Written<u32> {
        Ok(self.segments.data[self.member] + index)
    }

    fn element_index(&mut self, index: u32) -> Written<u32> {
        Ok(self.segments.elements[self.member] + index)
    }

    fn type_index(&mut self, index: u32) -> Written<u32> {
        let ty = self.linking.code(self.member).types[index as usize].clone();
        self.ty(&ty)
    }

    fn const_expr(&mut self, expr: wasmparser::ConstExpr) -> Written<ConstExpr> {
        match self.layout.evaluate(self.member, &expr) {
            Some(value) => Ok(value.expression()),
            None => reencode::utils::const_expr(self, expr),
        }
    }

    fn instruction<'a>(&mut self, operator: Operator<'a>) -> Written<Instruction<'a>> {
        if let Operator::GlobalGet { global_index } = operator
            && let Place::Constant(value) = self.layout.find(self.member, Kind::Global, global_index)
        {
            return Ok(value.instruction());
        }
        reencode::utils::instruction(self, operator)
    }
}

fn function_names(linking: &Linking<'_>, layout: &Layout<'_>) -> NameSection {
    let mut map = NameMap::new();
    for (member, index) in &layout.funcs {
        let code = linking.code(*member);
        let origin = Origin::Member { member: *member, kind: Kind::Func, index: *index };
        let name = code.names.get(&(code.imported(Kind::Func) + index));
        if let (Some(name), Some(number)) = (name, layout.index_of(&origin)) {
            map.append(number, name);
        }
    }
    let mut section = NameSection::new();
    section.module(NAME);
    section.functions(&map);
    section
}
