//! What can be typed about API keys.

use clap::{Args, Subcommand, ValueEnum};
use ipnet::IpNet;
use key_admin::rate_limit::RateLimit;

use super::InstallationArgs;
use crate::commands::duration::{self, Expiry};
use crate::commands::rate;
use crate::output::Format;

#[derive(Debug, Args)]
pub(crate) struct ApikeyCommand {
    #[command(subcommand)]
    pub(crate) action: ApikeyAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ApikeyAction {
    /// Make an API key; its secret is shown once. Where no flag limits it, it is not limited
    #[command(
        after_help = "Examples:\n  jeton apikey create -n backend -d 90d\n  jeton apikey create -n ci -d 72h --permissions tokens:issue,keys:read \\\n      --fix tenant_id=t-1 --fix 'regions:=[\"eu\"]'\n  KEY=$(jeton apikey create -n ci --role viewer --output secret)\n  jeton apikey create -n first --data-dir jeton-data"
    )]
    Create(CreateApikeyArgs),
    /// List API keys, or show one
    #[command(
        after_help = "Examples:\n  jeton apikey get\n  jeton apikey get key_0Hq3VbN8tRzA --output json\n  jeton apikey get --state active --output csv"
    )]
    Get(GetApikeyArgs),
    /// Change an API key; what is left out stays as it is
    #[command(
        after_help = "Each flag sets what it sets for `create`, in place of what was there: after --role viewer it is the only role.\n\nExamples:\n  jeton apikey update key_0Hq3VbN8tRzA --name 'backend (old)' -d 72h\n  jeton apikey update key_0Hq3VbN8tRzA --role viewer --rate-limit 600:20\n  jeton apikey update key_0Hq3VbN8tRzA -d never --lift role,network"
    )]
    Update(UpdateApikeyArgs),
    /// Give an API key a new secret, which is shown once
    #[command(
        after_help = "Examples:\n  jeton apikey rotate key_0Hq3VbN8tRzA --grace 1h\n  KEY=$(jeton apikey rotate key_0Hq3VbN8tRzA --output secret)"
    )]
    Rotate(RotateApikeyArgs),
    /// Switch an API key off; it can be switched on again
    #[command(after_help = "Example:\n  jeton apikey disable key_0Hq3VbN8tRzA")]
    Disable(OneApikeyArgs),
    /// Switch an API key on again
    #[command(after_help = "Example:\n  jeton apikey enable key_0Hq3VbN8tRzA")]
    Enable(OneApikeyArgs),
    /// Take an API key back for good; it stays in lists
    #[command(
        after_help = "Example:\n  jeton apikey revoke key_0Hq3VbN8tRzA --reason 'found in a log'"
    )]
    Revoke(RevokeApikeyArgs),
    /// Take an API key back for good, and out of lists
    #[command(
        after_help = "Examples:\n  jeton apikey delete key_0Hq3VbN8tRzA\n  jeton apikey delete key_0Hq3VbN8tRzA --keep-sessions"
    )]
    Delete(DeleteApikeyArgs),
    /// Show how many tokens were issued with an API key
    #[command(
        after_help = "Examples:\n  jeton apikey usage key_0Hq3VbN8tRzA\n  jeton apikey usage key_0Hq3VbN8tRzA --output json"
    )]
    Usage(OneApikeyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ApikeyIdArgs {
    /// The key's identifier, `key_…`, or its first characters as lists show them, `jtn_…`; never the whole key
    pub(crate) id: String,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteApikeyArgs {
    #[command(flatten)]
    pub(crate) key: ApikeyIdArgs,
    #[command(flatten)]
    pub(crate) sessions: KeepSessionsArgs,
}

#[derive(Debug, Args)]
pub(crate) struct KeepSessionsArgs {
    /// Let the tokens that it asked for live on until they end; left out, they are void
    #[arg(long)]
    pub(crate) keep_sessions: bool,
}

#[derive(Debug, Args)]
pub(crate) struct OneApikeyArgs {
    #[command(flatten)]
    pub(crate) key: ApikeyIdArgs,
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct RotateApikeyArgs {
    #[command(flatten)]
    pub(crate) key: ApikeyIdArgs,
    /// How long the old secret works beside the new one: a number and s, m, h or d, at most 7d
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration::seconds)]
    pub(crate) grace: u32,
    #[arg(short, long, value_enum, default_value_t = SecretFormat::Table)]
    pub(crate) output: SecretFormat,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeApikeyArgs {
    #[command(flatten)]
    pub(crate) key: ApikeyIdArgs,
    /// Why, for the list of keys and the audit trail
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) sessions: KeepSessionsArgs,
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct GetApikeyArgs {
    #[command(flatten)]
    pub(crate) installation: InstallationArgs,
    /// The organization's slug, on a database that has several
    #[arg(long)]
    pub(crate) organization: Option<String>,
    /// Only this key: `key_…`, or the first characters `jtn_…`
    pub(crate) id: Option<String>,
    /// Only those with this in their name, or that begin with it
    #[arg(long, value_name = "TEXT", conflicts_with = "id")]
    pub(crate) search: Option<String>,
    /// Only those of this user or service account (`own_…`)
    #[arg(short = 'i', long, conflicts_with = "id")]
    pub(crate) owner: Option<String>,
    /// Only those in this state
    #[arg(long, value_parser = ["active", "disabled", "expired", "revoked"], conflicts_with = "id")]
    pub(crate) state: Option<String>,
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct CreateApikeyArgs {
    #[command(flatten)]
    pub(crate) installation: InstallationArgs,
    /// The organization's slug, on a database that has several
    #[arg(long)]
    pub(crate) organization: Option<String>,
    /// The user or service account that shall own the key (`own_…`). Left out: whoever owns the calling key; on a
    /// database, the organization's first owner
    #[arg(short = 'i', long)]
    pub(crate) owner: Option<String>,
    /// A name, not necessarily unique
    #[arg(short, long)]
    pub(crate) name: String,
    /// How long the key works: a number and s, m, h or d, a time like 2030-01-31T00:00:00Z, or `never`
    #[arg(short = 'd', long, visible_alias = "expires", value_name = "TIME", default_value = "90d", value_parser = duration::parse)]
    pub(crate) expires_in: Expiry,
    /// What the key may do: permissions, the presets `read` and `write`, or `none`
    #[arg(long, value_delimiter = ',', default_value = "tokens:issue")]
    pub(crate) permissions: Vec<String>,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[arg(short, long, value_enum, default_value_t = SecretFormat::Table)]
    pub(crate) output: SecretFormat,
}

/// What a key may grant, and how it may be used.
#[derive(Debug, Args)]
pub(crate) struct LimitArgs {
    /// A role the key may grant, with those it inherits; repeat for more
    #[arg(long = "role", value_name = "ROLE")]
    pub(crate) roles: Vec<String>,
    /// An audience the key may issue for; repeat for more
    #[arg(long = "audience", value_name = "AUDIENCE")]
    pub(crate) audiences: Vec<String>,
    /// An attribute value that every token of the key carries: `NAME=TEXT`, or `NAME:=JSON` for anything but a text;
    /// repeat for more
    #[arg(
        long = "fix",
        visible_alias = "fixed-attribute",
        value_name = "NAME=TEXT"
    )]
    pub(crate) fixed: Vec<String>,
    /// A value that tokens of the key may carry in an attribute, which they must then carry: `NAME=TEXT`, or
    /// `NAME:=JSON`; repeat for more. Any value when left out
    #[arg(long = "allow", value_name = "NAME=TEXT")]
    pub(crate) allowed: Vec<String>,
    /// The longest life of a token, in seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_ttl: Option<u32>,
    /// A network the key may be used from, like 10.0.0.0/8; repeat for more
    #[arg(long = "network", visible_alias = "allow-network", value_name = "CIDR")]
    pub(crate) networks: Vec<IpNet>,
    /// How often the key may be used in a minute, and how often at once after a pause: as often when left out
    #[arg(long, value_name = "PER_MINUTE[:BURST]", value_parser = rate::parse)]
    pub(crate) rate_limit: Option<RateLimit>,
}

/// A limit of [`LimitArgs`], under the name of its flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum LimitFlag {
    Role,
    Audience,
    Fix,
    Allow,
    MaxTtl,
    Network,
    RateLimit,
}

#[derive(Debug, Args)]
pub(crate) struct UpdateApikeyArgs {
    #[command(flatten)]
    pub(crate) key: ApikeyIdArgs,
    /// Another name
    #[arg(short, long)]
    pub(crate) name: Option<String>,
    /// How long the key works from now on: a number and s, m, h or d, a time like 2030-01-31T00:00:00Z, or `never`
    #[arg(short = 'd', long, visible_alias = "expires", value_name = "TIME", value_parser = duration::parse)]
    pub(crate) expires_in: Option<Expiry>,
    /// What the key may do: permissions, the presets `read` and `write`, or `none`
    #[arg(long, value_delimiter = ',')]
    pub(crate) permissions: Vec<String>,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    /// Take limits away, named like the flags that set them
    #[arg(long, value_name = "LIMIT", value_enum, value_delimiter = ',')]
    pub(crate) lift: Vec<LimitFlag>,
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

/// How a fresh secret is printed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum SecretFormat {
    /// For people
    Table,
    /// As the API answers
    Json,
    /// The same as YAML
    Yaml,
    /// The secret alone
    Secret,
}
