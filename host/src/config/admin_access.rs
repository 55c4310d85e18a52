//! Who may use the admin endpoint over TCP: the bearer token, the host names that it answers to, and what is open to all.

use std::fmt;
use std::path::Path;

/// The shortest token: it must not be guessed.
const SHORTEST: usize = 16;
const LONGEST: usize = 1024;

/// Who may use the admin endpoint.
#[derive(Debug, Clone, Default)]
pub struct AdminAccess {
    /// `None`: the host makes one when it starts.
    pub token: Option<AdminToken>,
    /// Names in lower case, beside loopback and the endpoint's own address.
    pub names: Vec<String>,
    /// `/metrics` needs no token.
    pub open_metrics: bool,
}

/// A secret that is never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct AdminToken(String);

impl AdminToken {
    /// Errors are sentences for people, without the token.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if !(SHORTEST..=LONGEST).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!(
                "an admin token has {SHORTEST} to {LONGEST} printable ASCII characters and no spaces"
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The token in a file. Errors are sentences for people.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        Self::parse(&text).map_err(|why| format!("{}: {why}", path.display()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken")
    }
}

/// A host name or address that the endpoint answers to, in lower case. Errors are sentences for people.
pub fn name(text: &str) -> Result<String, String> {
    let name = text.trim_end_matches('.').to_ascii_lowercase();
    let ok = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_address = name.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
    if !is_address && (name.is_empty() || !name.chars().all(ok)) {
        return Err(format!("{text:?} is not a host name: write host.example, without a port"));
    }
    Ok(name.trim_matches(['[', ']']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_cannot_be_guessed_or_shown() {
        for text in [
            "",
            "short",
            "fifteen-letters",
            "with a space in it",
            "käse-käse-käse-käse",
            "a\nb-a-b-a-b-a-b-a-b",
        ] {
            assert!(AdminToken::parse(text).is_err(), "{text:?}");
        }
        let token = AdminToken::parse(" 0123456789abcdef\n").unwrap();
        assert_eq!(token.as_str(), "0123456789abcdef");
        assert_eq!(format!("{token:?}"), "AdminToken");
    }

    #[test]
    fn names_are_names_or_addresses() {
        assert_eq!(name("Host.Example.").as_deref(), Ok("host.example"));
        assert_eq!(name("[::1]").as_deref(), Ok("::1"));
        for text in ["", ".", "a b", "a:80", "http://a", "a/b", "*"] {
            assert!(name(text).is_err(), "{text:?}");
        }
    }
}
