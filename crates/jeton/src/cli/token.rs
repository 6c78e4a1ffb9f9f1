//! What can be typed about tokens.

use clap::{Args, Subcommand};

use crate::output::Format;

#[derive(Debug, Args)]
pub(crate) struct TokenCommand {
    #[command(subcommand)]
    pub(crate) action: TokenAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenAction {
    /// Exchange the configured API key for a session token, and print the token
    #[command(
        after_help = "Examples:\n  jeton token issue --user user-42 --role viewer --attribute tenant_id=t-1\n  jeton token issue --user user-42 --role viewer --attribute tenant_id=t-1 --ttl 60 --output json"
    )]
    Issue(IssueTokenArgs),
}

#[derive(Debug, Args)]
pub(crate) struct IssueTokenArgs {
    #[command(flatten)]
    pub(crate) request: TokenRequestArgs,
    /// Print the whole answer in this form instead of the token alone
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<Format>,
}

/// A token as a backend asks for it.
#[derive(Debug, Args)]
pub(crate) struct TokenRequestArgs {
    /// Whom the token is for
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) user: String,
    /// A role; repeat for more
    #[arg(long = "role", value_name = "ROLE", required = true)]
    pub(crate) roles: Vec<String>,
    /// An attribute: `NAME=TEXT`, or `NAME:=JSON`; repeat for more
    #[arg(long = "attribute", value_name = "NAME=TEXT")]
    pub(crate) attributes: Vec<String>,
    /// The audience; `default` when left out
    #[arg(long)]
    pub(crate) audience: Option<String>,
    /// The lifetime, in seconds
    #[arg(long, value_name = "SECONDS")]
    pub(crate) ttl: Option<u32>,
}
