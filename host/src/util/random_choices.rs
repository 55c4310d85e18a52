//! What bytes choose, in tests and fuzz targets.

/// Takes numbers and texts from the given bytes; zeros once they are used up.
pub struct Choices<'d>(pub &'d [u8]);

impl Choices<'_> {
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// Mostly one that exists.
    pub fn number(&mut self) -> u64 {
        match self.byte() {
            255 => u64::MAX,
            byte => u64::from(byte % 8),
        }
    }

    pub fn text(&mut self) -> String {
        const TEXTS: [&str; 6] = ["", "a\n", "\u{1b}[2J\u{202e}", "ä", "日本", "\0"];
        let (kind, count) = (self.byte(), usize::from(self.byte()));
        TEXTS[usize::from(kind) % TEXTS.len()].repeat(count * usize::from(kind) / 2)
    }
}
