//! The mistakes of a host file, with their lines.

use std::path::Path;

pub struct Mistakes<'t> {
    pub text: &'t str,
    pub path: &'t Path,
    /// Each with its line.
    pub found: Vec<(usize, String)>,
}

impl Mistakes<'_> {
    pub fn add(&mut self, at: usize, sentence: &str) {
        let line = self.text.get(..at).unwrap_or(self.text).matches('\n').count() + 1;
        self.found.push((line, sentence.to_owned()));
    }

    /// The value; an error becomes a mistake and `None`.
    pub fn take<T>(&mut self, at: usize, outcome: Result<T, String>) -> Option<T> {
        outcome.map_err(|sentence| self.add(at, &sentence)).ok()
    }

    pub fn told(mut self) -> String {
        self.found.sort();
        let lines: Vec<_> =
            self.found.iter().map(|(line, text)| format!("{}:{line}: {text}", self.path.display())).collect();
        lines.join("\n")
    }
}
