//! The URL of the broker that hosts share topics over.

/// A URL of Redis or Valkey, which may contain a password: it is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokerUrl(String);

impl BrokerUrl {
    /// The error is a sentence, without the URL.
    pub fn parse(text: &str) -> Result<Self, String> {
        let schemes = ["redis://", "rediss://", "redis+unix://", "unix://"];
        match schemes.iter().any(|scheme| text.len() > scheme.len() && text.starts_with(scheme)) {
            true => Ok(Self(text.to_owned())),
            false => {
                Err("a broker of topics is redis://HOST:PORT/DATABASE, rediss://… or unix:///PATH".to_owned())
            }
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for BrokerUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BrokerUrl")
    }
}
