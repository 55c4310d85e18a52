//! How an app is prepared, and why it could not be.

/// Whether somebody waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    Foreground,
    /// At a low priority.
    Background,
}

/// Why an app could not be prepared: text for people.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    pub text: String,
    /// It may be prepared at another time, without a change.
    pub may_pass: bool,
}

impl Refusal {
    pub fn lasting(text: String) -> Self {
        Self { text, may_pass: false }
    }

    pub fn passing(text: String) -> Self {
        Self { text, may_pass: true }
    }
}

impl From<String> for Refusal {
    fn from(text: String) -> Self {
        Self::lasting(text)
    }
}

impl From<Refusal> for String {
    fn from(refusal: Refusal) -> Self {
        refusal.text
    }
}
