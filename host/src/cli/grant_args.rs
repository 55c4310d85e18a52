//! The flags of what an app may use: databases, stores, folders, other servers.

use crate::cli::child_args::variable;
use crate::config::databases::{self, DatabaseGrant};
use crate::config::egress::{Grant, Grants};
use crate::config::kv::{self, KvGrant};
use crate::config::preopens::{Preopen, Preopens};
use crate::config::{AppConfig, Limits};
use crate::sql::databases::check_urls;
use crate::util::progress;
use clap::Args;
use std::path::Path;

#[derive(Debug, Args)]
pub struct GrantArgs {
    /// Allow the app to send HTTP requests to this host; may be repeated. A name, *.NAME, an address, a range such as
    /// 10.0.0.0/8, or * for every public host; without a port, 80 and 443.
    #[arg(long, value_name = "HOST[:PORT]", value_parser = Grant::parse)]
    pub allow_http: Vec<Grant>,
    /// Allow the app to open TCP connections to this host and port: db.example:5432; may be repeated.
    #[arg(long, value_name = "HOST:PORT", value_parser = Grant::parse_tcp)]
    pub allow_tcp: Vec<Grant>,
    /// Allow the app to read and send the files of a folder: /data=./data; may be repeated.
    #[arg(long, value_name = "/NAME=FOLDER", value_parser = Preopen::parse)]
    pub files: Vec<Preopen>,
    /// Allow the app to read, send and write the files of a folder; may be repeated.
    #[arg(long, value_name = "/NAME=FOLDER", value_parser = Preopen::parse_writable)]
    pub write: Vec<Preopen>,
    /// Grant the app a database: main=sqlite:app.db, main=postgres://…, or main=env:VARIABLE with the URL; may be repeated
    /// [default: main, a file beside the app]
    #[arg(long, value_name = "NAME=URL", value_parser = DatabaseGrant::parse)]
    pub sql: Vec<DatabaseGrant>,
    /// The database main, if --sql grants none: sqlite:app.db or postgres://…
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Grant the app a store of keys and values: main=app.kv or main=redis://…; may be repeated
    /// [default: main, a file beside the app]
    #[arg(long, value_name = "NAME=PLACE", value_parser = KvGrant::parse)]
    pub kv: Vec<KvGrant>,
    /// Set a variable of the app's environment, which has no others; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub env: Vec<(String, String)>,
}

impl GrantArgs {
    /// The configuration of the app in this file. The error is a user-facing message.
    pub fn app_config(&self, app: &Path, limits: &Limits) -> Result<AppConfig, String> {
        let preopens: Vec<_> = self.files.iter().chain(&self.write).cloned().collect();
        let mut sql = self.sql.clone();
        if sql.is_empty() {
            let named =
                self.database_url.as_deref().map(|url| DatabaseGrant::new("main", url, Path::new("")));
            match named {
                None => sql.push(DatabaseGrant::beside(app)),
                Some(Ok(grant)) => sql.push(grant),
                // The variable may be there for another program.
                Some(Err(why)) => progress::tell(format!(
                    "DATABASE_URL is not used, so the app has no database main: {why}"
                )),
            }
        }
        let preopens = Preopens::new(preopens)?;
        databases::apart(&sql, preopens.places_to_write())?;
        check_urls(&sql)?;
        let mut stores = self.kv.clone();
        if stores.is_empty() {
            stores.push(KvGrant::beside(app));
        }
        kv::check(&stores, preopens.places_to_write())?;
        Ok(AppConfig {
            limits: limits.clone(),
            grants: Grants::new(self.allow_http.clone()),
            tcp: Grants::tcp(self.allow_tcp.clone()),
            preopens,
            databases: databases::distinct(sql)?,
            kv: stores,
            env: self.env.clone(),
            isolation: None,
        })
    }
}
