//! Constant globals, and evaluation of constant expressions.

use wasm_encoder::Instruction;
use wasmparser::{ConstExpr, Operator};

/// The value of a global that never changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Constant {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
}

impl Constant {
    pub fn expression(self) -> wasm_encoder::ConstExpr {
        match self {
            Self::I32(value) => wasm_encoder::ConstExpr::i32_const(value),
            Self::I64(value) => wasm_encoder::ConstExpr::i64_const(value),
            Self::F32(bits) => wasm_encoder::ConstExpr::f32_const(wasm_encoder::Ieee32::new(bits)),
            Self::F64(bits) => wasm_encoder::ConstExpr::f64_const(wasm_encoder::Ieee64::new(bits)),
        }
    }

    pub fn instruction(self) -> Instruction<'static> {
        match self {
            Self::I32(value) => Instruction::I32Const(value),
            Self::I64(value) => Instruction::I64Const(value),
            Self::F32(bits) => Instruction::F32Const(wasm_encoder::Ieee32::new(bits)),
            Self::F64(bits) => Instruction::F64Const(wasm_encoder::Ieee64::new(bits)),
        }
    }
}

/// The value of a constant expression. `global`: the known values of globals.
pub fn evaluate(expr: &ConstExpr<'_>, global: impl Fn(u32) -> Option<Constant>) -> Option<Constant> {
    use Constant::{F32, F64, I32, I64};
    use Operator as O;
    let mut stack = Vec::new();
    for operator in expr.get_operators_reader() {
        let value = match operator.ok()? {
            O::I32Const { value } => I32(value),
            O::I64Const { value } => I64(value),
            O::F32Const { value } => F32(value.bits()),
            O::F64Const { value } => F64(value.bits()),
            O::GlobalGet { global_index } => global(global_index)?,
            O::End => break,
            operator => match (operator, stack.pop()?, stack.pop()?) {
                (O::I32Add, I32(b), I32(a)) => I32(a.wrapping_add(b)),
                (O::I32Sub, I32(b), I32(a)) => I32(a.wrapping_sub(b)),
                (O::I32Mul, I32(b), I32(a)) => I32(a.wrapping_mul(b)),
                (O::I64Add, I64(b), I64(a)) => I64(a.wrapping_add(b)),
                (O::I64Sub, I64(b), I64(a)) => I64(a.wrapping_sub(b)),
                (O::I64Mul, I64(b), I64(a)) => I64(a.wrapping_mul(b)),
                _ => return None,
            },
        };
        stack.push(value);
    }
    match stack[..] {
        [value] => Some(value),
        _ => None,
    }
}
