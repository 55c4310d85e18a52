//! `bolt-host migrate`: applies the SQL files of a folder to a database.

use crate::config::DatabaseGrant;
use crate::sql::migrations::{self, files};
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub struct Migrate {
    /// The folder: 0001_users.sql, 0002_orders.sql and so on, each applied once, in a transaction.
    #[arg(value_name = "FOLDER", default_value = "migrations")]
    pub folder: PathBuf,
    /// The database: main=sqlite:app.db, main=postgres://…, or main=env:VARIABLE with the URL. The files of a database with another
    /// name than main are in a folder of this name within FOLDER. May be repeated.
    #[arg(long, value_name = "NAME=URL", value_parser = DatabaseGrant::parse)]
    pub sql: Vec<DatabaseGrant>,
    /// The database main, if --sql names none: sqlite:app.db or postgres://…
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Only list the files that are to be applied.
    #[arg(long)]
    pub dry_run: bool,
}

/// Apply what was not. The error is a sentence.
pub fn migrate(args: &Migrate) -> Result<(), String> {
    let mut databases = args.sql.clone();
    if databases.is_empty() {
        let url = args.database_url.as_deref().ok_or("name a database: --sql main=sqlite:app.db")?;
        databases.push(DatabaseGrant::new("main", url, Path::new(""))?);
    }
    for grant in &databases {
        let folder = match &*grant.name {
            "main" => args.folder.clone(),
            name => args.folder.join(name),
        };
        let files = files::read(&folder)?;
        let mut count = 0;
        let mut tell = |file: &files::Migration, time: std::time::Duration| {
            count += 1;
            if args.dry_run {
                println!("  {}", file.name);
            } else {
                println!("  {}  {} ms", file.name, time.as_millis());
            }
        };
        println!("{} ({})", grant.name, folder.display());
        migrations::migrate(grant, &files, args.dry_run, &mut tell)?;
        match (count, args.dry_run) {
            (0, _) => println!("  is up to date, with {} files", files.len()),
            (count, true) => println!("  {count} of {} files are to be applied", files.len()),
            (count, false) => println!("  {count} of {} files were applied", files.len()),
        }
    }
    Ok(())
}
