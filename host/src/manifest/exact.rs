//! Numbers that are compared exactly: integers of any size, and decimals.

use num_bigint::BigInt;
use std::cmp::Ordering;

/// Most digits of a value whose division is computed; the time is quadratic.
const MOST_DIGITS: usize = 5000;

/// A number in decimal notation: 0.digits × 10^point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exact {
    is_negative: bool,
    /// Without zeros at both ends; empty for 0.
    digits: String,
    point: i64,
}

impl Exact {
    /// Of text such as `-1.50e3`.
    pub fn parse(text: &str) -> Option<Self> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = [whole, fraction].concat();
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let significant = digits.trim_start_matches('0');
        let zeros = digits.len() - significant.len();
        let significant = significant.trim_end_matches('0');
        if significant.is_empty() {
            return Some(Self { is_negative: false, digits: String::new(), point: 0 });
        }
        Some(Self {
            is_negative: text.starts_with('-'),
            digits: significant.to_owned(),
            point: i64::from(exponent) + whole.len() as i64 - zeros as i64,
        })
    }

    pub fn of(int: i64) -> Self {
        let shown = int.unsigned_abs().to_string();
        let digits = shown.trim_end_matches('0').to_owned();
        let point = if digits.is_empty() { 0 } else { shown.len() as i64 };
        Self { is_negative: int < 0, digits, point }
    }

    fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    /// Its digits as an integer, and the power of ten that they count.
    fn scaled(&self) -> Option<(BigInt, i64)> {
        Some((self.digits.parse().ok()?, self.point - self.digits.len() as i64))
    }

    /// What it costs to divide by `unit`, in units of [`Work`](crate::codec::work::Work). Large exponents are rare, and
    /// take a hundred times as long.
    pub fn division_cost(&self, unit: &Self) -> u64 {
        let digits = self.digits.len().min(MOST_DIGITS) as u64;
        let power = |number: &Self| number.point - number.digits.len() as i64;
        let is_large = power(self) - power(unit) > 64;
        500 + digits * digits / 250 + if is_large { 20_000 } else { 0 }
    }

    /// Whether it is a multiple of `unit`. Values of thousands of digits are not.
    pub fn is_multiple_of(&self, unit: &Self) -> bool {
        if self.is_zero() {
            return !unit.is_zero();
        }
        if unit.is_zero() || self.digits.len() > MOST_DIGITS {
            return false;
        }
        let (Some((digits, power)), Some((unit, unit_power))) = (self.scaled(), unit.scaled()) else {
            return false;
        };
        // The digits do not end with a zero, so no multiple of ten divides them.
        let Ok(more) = u64::try_from(power - unit_power) else { return false };
        let scale = BigInt::from(10).modpow(&BigInt::from(more), &unit);
        digits * scale % unit == BigInt::ZERO
    }
}

impl PartialOrd for Exact {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Exact {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.is_zero(), number.is_negative) {
            (true, _) => 0,
            (_, true) => -1,
            (_, false) => 1,
        };
        let size = || (self.point, &self.digits).cmp(&(other.point, &other.digits));
        sign(self).cmp(&sign(other)).then_with(|| if self.is_negative { size().reverse() } else { size() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(text: &str) -> Exact {
        Exact::parse(text).unwrap()
    }

    #[test]
    fn numbers_are_in_order() {
        let ordered = [
            "-1e1000",
            "-100000000000000000001",
            "-1e20",
            "-2",
            "-1.5",
            "-1e-999999",
            "0",
            "1e-999999",
            "0.099999999999999999999999",
            "0.1",
            "0.10000000000000000001",
            "9",
            "10",
            "100",
            "100.00000000000000000001",
            "9223372036854775808",
            "9223372036854775809",
            "1e999999",
        ];
        for (at, one) in ordered.iter().enumerate() {
            for (other_at, other) in ordered.iter().enumerate() {
                assert_eq!(exact(one).cmp(&exact(other)), at.cmp(&other_at), "{one} {other}");
            }
        }
        for (one, other) in
            [("1.50", "1.5"), ("1e2", "100"), ("-0", "0"), ("0e5", "0.000"), ("+7", "007"), (".5", "0.5")]
        {
            assert_eq!(exact(one).cmp(&exact(other)), Ordering::Equal, "{one} {other}");
        }
        for int in [0, 7, -7, 100, -1200, i64::MAX, i64::MIN] {
            assert_eq!(Exact::of(int), exact(&int.to_string()));
        }
        for text in ["", ".", "e5", "1e", "x", "--1", "1e99999999999", "nan", "1_0"] {
            assert_eq!(Exact::parse(text), None, "{text}");
        }
    }

    /// As `Decimal(value) % Decimal(unit) == 0` in CPython 3.14, where that is not an error.
    #[test]
    fn multiples_are_exact() {
        for (value, unit, is_multiple) in [
            ("0.3", "0.1", true),
            ("0.35", "0.1", false),
            ("1e5", "0.1", true),
            ("1e-5", "0.1", false),
            ("0", "0.1", true),
            ("-6", "3", true),
            ("36893488147419103232", "18446744073709551616", true),
            ("18446744073709551617", "18446744073709551616", false),
            ("3000000000000000000000000000001", "3", false),
            ("1e999999", "7", false),
            ("1e999999", "8", true),
            ("5", "10", false),
            ("50", "10", true),
            ("1", "0", false),
        ] {
            assert_eq!(exact(value).is_multiple_of(&exact(unit)), is_multiple, "{value} {unit}");
        }
        assert!(!exact(&"7".repeat(MOST_DIGITS + 1)).is_multiple_of(&exact("7")));
    }
}
