//! Writes the code of a split module: the module without its memory, which it imports together with some globals.

use super::{IMAGE, MEMORY, Whole};
use crate::Left;
use std::convert::Infallible;
use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{DataSection, GlobalSection, ImportSection, MemorySection, Module, SectionId};
use wasmparser::Parser;

/// The bytes of the code module.
pub fn write(whole: &Whole<'_>) -> Result<Vec<u8>, Left> {
    let mut module = Module::new();
    let mut code = Code { whole, has_imports: false };
    code.parse_core_module(&mut module, Parser::new(0), whole.bytes)?;
    Ok(module.finish())
}

/// Re-encodes the whole module as code.
struct Code<'a, 'w> {
    whole: &'w Whole<'a>,
    has_imports: bool,
}

type Written<T> = Result<T, Error<Infallible>>;

impl Code<'_, '_> {
    /// Import what is in the image. The memory may have any size, because all images share the code.
    fn imports(&mut self, imports: &mut ImportSection) -> Written<()> {
        self.has_imports = true;
        let any = wasm_encoder::MemoryType {
            minimum: 0,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        };
        imports.import(IMAGE, MEMORY, any);
        for (number, index) in self.whole.taken.iter().enumerate() {
            let ty = self.global_type(self.whole.module.globals[*index as usize].ty)?;
            imports.import(IMAGE, &number.to_string(), ty);
        }
        Ok(())
    }
}

impl Reencode for Code<'_, '_> {
    type Error = Infallible;

    fn global_index(&mut self, index: u32) -> Written<u32> {
        // Validation of the whole component refused indices that do not exist.
        Ok(self.whole.globals.get(index as usize).copied().unwrap_or(u32::MAX))
    }

    fn parse_import_section(
        &mut self,
        imports: &mut ImportSection,
        section: wasmparser::ImportSectionReader<'_>,
    ) -> Written<()> {
        utils::parse_import_section(self, imports, section)?;
        self.imports(imports)
    }

    /// A module without imports has no import section, so add one.
    fn intersperse_section_hook(
        &mut self,
        module: &mut Module,
        _: Option<SectionId>,
        before: Option<SectionId>,
    ) -> Written<()> {
        use SectionId::{Custom, Import, Type};
        if !self.has_imports && !matches!(before, Some(Custom | Type | Import)) {
            let mut imports = ImportSection::new();
            self.imports(&mut imports)?;
            module.section(&imports);
        }
        Ok(())
    }

    fn parse_memory_section(
        &mut self,
        _: &mut MemorySection,
        _: wasmparser::MemorySectionReader<'_>,
    ) -> Written<()> {
        Ok(())
    }

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        _: wasmparser::GlobalSectionReader<'_>,
    ) -> Written<()> {
        for (index, global) in self.whole.module.globals.iter().enumerate() {
            if !self.whole.taken.contains(&(index as u32)) {
                self.parse_global(globals, global.clone())?;
            }
        }
        Ok(())
    }

    fn data_count(&mut self, _: u32) -> Written<u32> {
        Ok(0)
    }

    fn parse_data_section(
        &mut self,
        _: &mut DataSection,
        _: wasmparser::DataSectionReader<'_>,
    ) -> Written<()> {
        Ok(())
    }
}
