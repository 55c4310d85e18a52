//! How well a value fits a type, by which a union chooses its arm: pydantic's smart mode.

/// What became of a value on its way to its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exactness {
    /// It was converted, such as text to a number.
    Lax,
    /// An integer where a float is expected.
    Strict,
    /// It has this type.
    Exact,
}

/// How well a value and all values in it fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    exactness: Exactness,
    /// How many fields of records the value sets, if there are records in it.
    fields: Option<usize>,
}

impl Fit {
    /// Before anything was looked at.
    pub const EXACT: Self = Self { exactness: Exactness::Exact, fields: None };

    /// A value that is part of this one was converted.
    pub fn floor(&mut self, exactness: Exactness) {
        self.exactness = self.exactness.min(exactness);
    }

    /// A record sets this many more fields.
    pub fn add_fields(&mut self, count: usize) {
        *self.fields.get_or_insert(0) += count;
    }

    /// The value is part of another one, which fits so.
    pub fn within(self, outer: Self) -> Self {
        let fields = match (self.fields, outer.fields) {
            (Some(own), Some(others)) => Some(own + others),
            (own, others) => own.or(others),
        };
        Self { exactness: self.exactness.min(outer.exactness), fields }
    }

    /// No other arm of a union can fit better.
    pub fn is_certain(self) -> bool {
        self == Self::EXACT
    }

    /// More fields that are set count before exactness.
    pub fn is_better_than(self, other: Self) -> bool {
        match (self.fields, other.fields) {
            (Some(own), Some(others)) if own != others => own > others,
            _ => self.exactness > other.exactness,
        }
    }
}
