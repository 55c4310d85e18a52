//! The arguments of `bolt-host exec`.

use crate::cli::child_args::AppArgs;
use crate::cli::grant_args::GrantArgs;
use crate::cli::limit_args::CommandLimitArgs;
use crate::config::broker::BrokerUrl;
use clap::Args;

#[derive(Debug, Args)]
pub struct Exec {
    #[command(flatten)]
    pub app: AppArgs,
    #[command(flatten)]
    pub grants: GrantArgs,
    /// Share the topics of the app with hosts that serve it, over Redis or Valkey.
    #[arg(long, value_name = "URL", value_parser = BrokerUrl::parse)]
    #[arg(env = "BOLT_TOPICS", hide_env_values = true)]
    pub topics: Option<BrokerUrl>,
    #[command(flatten)]
    pub limits: CommandLimitArgs,
    /// The command: `manage.py migrate`, `-m MODULE`, `-c CODE`, or what a package has in its folder `bin`.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}
