//! Integers beyond 32 bits, as marshal stores them: in digits of 15 bits, and as text.

use crate::codec::marshal::LONG_SHIFT;
use num_bigint::{BigInt, BigUint, Sign};

/// The decimal form of an integer. `digits`: two bytes each, the least significant digit first.
pub fn text(is_negative: bool, digits: &[u8]) -> String {
    // One pass: shifting digit by digit is quadratic, and a reference can repeat the number at will.
    let (mut packed, mut acc, mut bits) = (Vec::with_capacity(digits.len()), 0u32, 0u32);
    for digit in digits.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])) {
        acc |= u32::from(digit & 0x7fff) << bits;
        bits += LONG_SHIFT;
        while bits >= 8 {
            packed.push(acc as u8);
            acc >>= 8;
            bits -= 8;
        }
    }
    packed.push(acc as u8);
    let sign = if is_negative { Sign::Minus } else { Sign::Plus };
    BigInt::from_biguint(sign, BigUint::from_bytes_le(&packed)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_from_the_least_significant() {
        // As marshal.dumps(2**31) has it: 2 * 2**30.
        assert_eq!(text(false, &[0, 0, 0, 0, 2, 0]), (1u64 << 31).to_string());
        assert_eq!(text(true, &[1, 0, 1, 0]), "-32769");
        assert_eq!(text(false, &[]), "0");
    }
}
