//! Merges the core modules of a linked component into one.
//!
//! # Linked components
//!
//! A component that was linked from shared libraries has several core modules: a main module with the memory, the
//! function table and the addresses that the linker chose; one for each library, which imports all of that and what it
//! uses of other libraries; and often a *shim* and a *fixup*. Host functions need the memory of the guest, and the
//! guest needs the host functions. So the guest imports the shim's functions, which call through a table of the shim,
//! and once the memory exists, the fixup writes the host functions into that table.
//!
//! All of it is linked again whenever the component is instantiated. The libraries import the table and fill it at
//! offsets that are globals, so a runtime cannot precompute its contents and has to fill it, function by function, for
//! each instance. Every access to a global and every call into another library goes through a pointer.
//!
//! # Stages
//!
//! ```text
//!  outline ── linking ── layout ── merged ── rewrite
//! ```
//!
//! `outline` parses the component, and `core_module` each core module. `linking` chooses the instances to merge,
//! the *members*, and resolves the origin of each of their imports. `layout` follows calls from what is used outside,
//! drops what is unreachable, finds the globals that never change, and gives everything else its index in one module.
//! `merged` writes that module: globals that never change are constants in it, so a runtime can prepare the contents
//! of the table and the memory once. `rewrite` writes the component around it. Its imports and exports do not change,
//! and the shim and the fixup stay as well.
//!
//! A component that cannot be merged is left as it is, and [`Left`] says why: several memories, modules that are
//! instantiated twice, start functions, code that uses more than functions, tables, memories and globals, and code that
//! could observe that all members are instantiated at once. The output is validated before it is returned.
//!
//! [`split`] splits the result into the code, which many components share, and the rest.

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

/// Why a component is left as it is. Completes a sentence that begins with "it is left as it is, because".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// It has no modules to merge; it may have been flattened before.
    Flat,
    /// It uses a feature that cannot be merged.
    Unsupported(String),
    /// It is malformed.
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

/// The version of the output, for callers that cache it: changes when the output for the same input changes.
pub const EDITION: u32 = 1;

/// Flatten `component`. `names`: keep the names of functions, for traps and profiles.
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
