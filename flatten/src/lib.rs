//! Merges the core modules of a linked component into one.
//!
//! # What a linked component is
//!
//! A component that was linked from shared libraries holds a core module for each: a main module with the memory, the
//! function table and the addresses that the linker chose; one for each library, which imports all of that and what it
//! uses of other libraries; and often a *shim* and a *fixup*. Functions of the host need the memory of the guest, and the
//! guest needs the functions of the host: so the guest is given the shim's, which call through a table of the shim, and
//! when the memory is there the fixup writes the functions of the host into that table.
//!
//! All of it is linked again whenever the component is instantiated. The table is imported by the libraries and filled at
//! offsets that are globals, so a runtime cannot know it beforehand and has to fill it, function by function, for each
//! instance. Every access to a global and every call of another library goes through a pointer.
//!
//! # What becomes of it
//!
//! ```text
//!  outline ── linking ── layout ── merged ── rewrite
//! ```
//!
//! [`outline`] reads the component, and [`core_module`] each core module. [`linking`] decides which instances are merged,
//! its *members*, and finds for each of their imports where it comes from in the end. [`layout`] follows calls from
//! what is used outside, leaves out what nothing reaches, finds the globals that never change, and gives everything that
//! is left its place in one module. [`merged`] writes that module: globals that never change are constants in it, so the
//! table and the memory have contents that a runtime can prepare once. [`rewrite`] writes the component around it, whose
//! imports and exports stay what they were; the shim and the fixup stay as well.
//!
//! What this cannot merge is left as it is, and [`Left`] says why: several memories, modules that are instantiated twice,
//! start functions, code that uses more than functions, tables, memories and globals, and what would see that all
//! members are made at once. The output is validated before it is given out.
//!
//! [`split`] takes what came out of this apart again, into the code, which many components have in common, and the rest.

mod constant;
mod core_module;
mod layout;
mod linking;
mod merged;
mod outline;
mod rewrite;
mod split;

pub use split::{CODE, Split, split};
use std::fmt;
use wasmparser::{Validator, WasmFeatures};

/// Why a component is left as it is: a sentence's end, after "it is left as it is, because".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// There are no modules that could be merged; it may have been flattened before.
    Flat,
    /// It has something that this cannot merge.
    Unsupported(String),
    /// It is not well formed.
    Damaged(String),
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flat => f.write_str("there is nothing to merge in it"),
            Self::Unsupported(why) => f.write_str(why),
            Self::Damaged(why) => write!(f, "it is damaged: {why}"),
        }
    }
}

impl std::error::Error for Left {}

impl From<wasmparser::Error> for Left {
    fn from(error: wasmparser::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}

impl<E: fmt::Display> From<wasm_encoder::reencode::Error<E>> for Left {
    fn from(error: wasm_encoder::reencode::Error<E>) -> Self {
        Self::Damaged(error.to_string())
    }
}

fn unsupported(why: impl Into<String>) -> Left {
    Left::Unsupported(why.into())
}

/// Changes when what this makes of a component does, for those who keep it.
pub const EDITION: u32 = 1;

/// Flatten `component`. `names`: keep the names of functions, by which traps and profiles call them.
pub fn flatten(component: &[u8], names: bool) -> Result<Vec<u8>, Left> {
    // What follows relies on indices being in range.
    validate(component)?;
    let outline = outline::Outline::read(component)?;
    let linking = linking::Linking::of(&outline)?;
    let layout = layout::Layout::of(&linking, &rewrite::used_outside(&outline, &linking)?)?;
    let module = merged::write(&linking, layout, names)?;
    let flat = rewrite::write(&outline, &linking, &module)?;
    validate(&flat).map_err(|left| unsupported(format!("merging it gave something invalid: {left}")))?;
    Ok(flat)
}

fn validate(component: &[u8]) -> Result<(), Left> {
    Validator::new_with_features(WasmFeatures::all()).validate_all(component)?;
    Ok(())
}
