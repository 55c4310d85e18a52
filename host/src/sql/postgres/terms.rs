//! What the operator grants of a Postgres database: its URL, as libpq has them, and how many connections.

use crate::config::databases::Url;
use crate::sql::postgres::explain::explained;
use crate::util::client_tls::Trust;
use percent_encoding::percent_decode_str;
use std::fs;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

/// How long connecting may take, if the URL does not say (`connect_timeout`).
const CONNECTING: Duration = Duration::from_secs(3);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    pub config: Config,
    pub trust: Trust,
    /// The name in the certificate has to be the host's.
    pub names: bool,
    /// Most connections.
    pub connections: usize,
    /// Of a request: the server ends a statement a little later by itself.
    pub deadline: Duration,
}

impl Terms {
    /// `sslmode` is that of libpq: `prefer`, which is the default, and `require` check the certificate only with `sslrootcert`.
    /// The error is a sentence without the URL.
    pub fn new(url: &Url, connections: usize, deadline: Duration) -> Result<Self, String> {
        let (base, query) = url.0.split_once('?').unwrap_or((&url.0, ""));
        let (mut mode, mut root, mut rest) = ("prefer".to_owned(), None, Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
            match key {
                "sslmode" => mode = value,
                "sslrootcert" => root = Some(value),
                "sslcert" | "sslkey" => {
                    return Err("it has a client certificate, which is not supported".into());
                }
                _ => rest.push(pair),
            }
        }
        let bare = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
        let mut config: Config = bare
            .parse()
            .map_err(|error| format!("its URL is wrong (in a password, @ is %40): {}", explained(&error)))?;
        if config.get_hosts().is_empty() {
            return Err("its URL has no host".to_owned());
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECTING);
        }
        if config.get_application_name().is_none() {
            config.application_name("bolt-host");
        }
        let verified = |root: Option<String>| match root.as_deref() {
            None | Some("system") => Ok(Trust::System),
            Some(file) => {
                fs::read(file).map(Trust::Of).map_err(|error| format!("{file} cannot be read: {error}"))
            }
        };
        let (ssl, trust) = match (&*mode, root) {
            ("disable", _) => (SslMode::Disable, Trust::Anybody),
            ("allow" | "prefer", None) => (SslMode::Prefer, Trust::Anybody),
            ("require", None) => (SslMode::Require, Trust::Anybody),
            ("allow" | "prefer" | "require" | "verify-ca" | "verify-full", root) => {
                (SslMode::Require, verified(root)?)
            }
            _ => return Err("its sslmode is none of disable, prefer, require, verify-full".to_owned()),
        };
        config.ssl_mode(ssl);
        Ok(Self { config, trust, names: mode == "verify-full", connections, deadline })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(url: &str) -> Result<Terms, String> {
        Terms::new(&Url(url.to_owned()), 10, Duration::from_secs(30))
    }

    #[test]
    fn the_url_says_how_to_connect() {
        let plain = terms("postgres://me:secret@host/shop").unwrap();
        assert_eq!((plain.config.get_ssl_mode(), plain.trust.clone()), (SslMode::Prefer, Trust::Anybody));
        assert_eq!(plain.config.get_connect_timeout(), Some(&CONNECTING));
        assert!(!format!("{plain:?}").contains("secret"));
        let full = terms("postgresql://host:6432/shop?sslmode=verify-full&connect_timeout=1").unwrap();
        assert_eq!((full.config.get_ssl_mode(), full.trust), (SslMode::Require, Trust::System));
        assert_eq!(full.config.get_ports(), [6432]);
        let required = terms("postgres://host/?sslmode=require").unwrap();
        assert_eq!((required.config.get_ssl_mode(), required.trust), (SslMode::Require, Trust::Anybody));
        for wrong in [
            "postgres://host/?sslmode=never",
            "postgres://host/?nonsense=1",
            "postgres:///shop",
            "postgres://me:secret@host/?sslrootcert=/no/such/file",
            "postgres://host/?sslcert=a",
        ] {
            let said = terms(wrong).unwrap_err();
            assert!(!said.contains("secret"), "{said}");
        }
    }
}
