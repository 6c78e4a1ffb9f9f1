//! What can be typed about the profile, the audit trail, scanning and completions.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::output::Format;

#[derive(Debug, Args)]
pub(crate) struct LoginArgs {
    /// The server: https, or on this machine itself also http
    #[arg(long)]
    pub(crate) url: String,
    /// A file that holds the API key, `-` for standard input; asked for when left out
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct AccountArgs {
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct AuditCommand {
    #[command(subcommand)]
    pub(crate) action: AuditAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditAction {
    /// List what was changed, newest first
    #[command(
        after_help = "Examples:\n  jeton audit list\n  jeton audit list --action api_key.create --limit 1000 --output csv\n  jeton audit list --target key_0Hq3VbN8tRzA --output json"
    )]
    List(ListAuditArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListAuditArgs {
    /// Only this action, like `api_key.create`
    #[arg(long)]
    pub(crate) action: Option<String>,
    /// Only what was done by this API key or user
    #[arg(long, value_name = "ID")]
    pub(crate) actor: Option<String>,
    /// Only what was done to this API key, user, service account or the like
    #[arg(long, value_name = "ID")]
    pub(crate) target: Option<String>,
    /// How many at most
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct ScanArgs {
    /// Files, directories with all below them, or `-` for standard input
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}
