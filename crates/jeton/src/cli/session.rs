//! What can be typed about sessions.

use clap::{Args, Subcommand};

use crate::output::Format;

#[derive(Debug, Args)]
pub(crate) struct SessionCommand {
    #[command(subcommand)]
    pub(crate) action: SessionAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SessionAction {
    /// Find sessions, newest first
    #[command(
        after_help = "Examples:\n  jeton session list --subject user-42 --active\n  jeton session list --attribute tenant_id=t-1 --since 2026-01-01T00:00:00Z --output csv"
    )]
    List(ListSessionsArgs),
    /// Show a session and what has become of it
    #[command(after_help = "Example:\n  jeton session get 01a203ac-c363-7c44-b2d3-af39a2eae215")]
    Get(GetSessionArgs),
    /// Void a session, or everything of a subject, API key, audience, role or attribute value issued up to now
    #[command(
        after_help = "Examples:\n  jeton session revoke 01a203ac-c363-7c44-b2d3-af39a2eae215\n  jeton session revoke --subject user-42\n  jeton session revoke --attribute tenant_id=t-1 --before 2026-01-01T00:00:00Z"
    )]
    Revoke(RevokeSessionsArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListSessionsArgs {
    /// Only those that speak for this subject
    #[arg(long)]
    pub(crate) subject: Option<String>,
    /// Only those that this API key asked for, `key_…` or its first characters
    #[arg(long = "api-key", value_name = "ID")]
    pub(crate) issued_by: Option<String>,
    /// Only those for this audience
    #[arg(long)]
    pub(crate) audience: Option<String>,
    /// Only those with this value of an attribute: a text, number or boolean
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) attribute: Option<String>,
    /// Only those whose token still passes
    #[arg(long, conflicts_with = "inactive")]
    pub(crate) active: bool,
    /// Only those whose token does not pass any more
    #[arg(long)]
    pub(crate) inactive: bool,
    /// Only those issued at this time or later, like 2026-01-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only those issued before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: u32,
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct GetSessionArgs {
    /// The session's identifier, the `jti` of its token
    pub(crate) id: String,
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeSessionsArgs {
    #[command(flatten)]
    pub(crate) target: RevocationTargetArgs,
    /// What was issued then or earlier is void, like 2026-01-01T00:00:00Z; now when left out
    #[arg(long, value_name = "TIME", conflicts_with = "id")]
    pub(crate) before: Option<String>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct RevocationTargetArgs {
    /// One session and all that renew it or that it renewed: its identifier, the `jti` of its token
    pub(crate) id: Option<String>,
    /// Everything that speaks for this subject
    #[arg(long)]
    pub(crate) subject: Option<String>,
    /// Everything that this API key asked for, `key_…` or its first characters
    #[arg(long = "api-key", value_name = "ID")]
    pub(crate) issued_by: Option<String>,
    /// Everything for this audience
    #[arg(long)]
    pub(crate) audience: Option<String>,
    /// Everything with this role
    #[arg(long)]
    pub(crate) role: Option<String>,
    /// Everything with this value of an attribute: `NAME=TEXT`, or `NAME:=JSON` for a number or boolean
    #[arg(long, value_name = "NAME=TEXT")]
    pub(crate) attribute: Option<String>,
    /// Everything of the organization
    #[arg(long)]
    pub(crate) all: bool,
}
