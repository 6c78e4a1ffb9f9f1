//! What can be typed.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;
use key_admin::Permission;

/// A self-hosted issuer of session tokens.
#[derive(Debug, Parser)]
#[command(name = "jeton", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start everything on this machine, with a demo organization, and issue a first token
    Dev(DevArgs),
    /// Start the server from its configuration
    Serve(ConfigArgs),
    /// Bring the database schema to this binary's version
    Migrate(ConfigArgs),
    /// Print the OpenAPI document
    Openapi,
    /// Show the configuration
    Config(ConfigCommand),
    /// Make organizations, directly in the configured database
    Organization(OrganizationCommand),
    /// Make and list API keys, directly in the configured database
    Apikey(ApikeyCommand),
}

#[derive(Debug, Args)]
pub(crate) struct DevArgs {
    /// The address to listen on; port 0 lets the system pick
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// Where database, master secret and credentials are kept
    #[arg(long, default_value = "jeton-data")]
    pub(crate) data_dir: PathBuf,
    /// Use this database instead of an embedded one in the data directory
    #[arg(long)]
    pub(crate) database_url: Option<String>,
}

/// Flags win over `JETON_…` variables, which win over the file.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ConfigArgs {
    /// A TOML file; also `JETON_CONFIG`
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The address to listen on
    #[arg(long)]
    pub(crate) listen: Option<SocketAddr>,
    /// The address that clients use, the base of every issuer
    #[arg(long)]
    pub(crate) public_url: Option<String>,
    /// `sqlite:PATH` or `postgres://…`
    #[arg(long)]
    pub(crate) database_url: Option<String>,
    /// A file that holds the master secret, readable by its owner only
    #[arg(long, value_name = "FILE")]
    pub(crate) master_secret_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigCommand {
    #[command(subcommand)]
    pub(crate) action: ConfigAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigAction {
    /// Print the resulting configuration as TOML, secrets masked
    Show(ConfigArgs),
}

/// Which installation a command works on: a configured one, or that of `jeton dev`.
#[derive(Clone, Debug, Args)]
pub(crate) struct InstallationArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Work on the installation that `jeton dev` made in this directory
    #[arg(long, value_name = "DIR", conflicts_with_all = ["config", "database_url", "master_secret_file"])]
    pub(crate) data_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct OrganizationCommand {
    #[command(subcommand)]
    pub(crate) action: OrganizationAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OrganizationAction {
    /// Make an organization with its first owner, its default audience and that audience's signing keys
    #[command(
        after_help = "Example:\n  jeton organization create acme --name 'Acme Ltd' --owner-email ada@example.com \\\n      --owner-password-file password.txt --starter-policy"
    )]
    Create(CreateOrganizationArgs),
    /// List organizations
    Get(InstallationArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CreateOrganizationArgs {
    #[command(flatten)]
    pub(crate) installation: InstallationArgs,
    /// Its name in URLs
    pub(crate) slug: String,
    /// Its name for people; the slug when left out
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The first owner's e-mail address
    #[arg(long)]
    pub(crate) owner_email: String,
    /// A file that holds the first owner's password, `-` for standard input; asked for when left out
    #[arg(long, value_name = "FILE")]
    pub(crate) owner_password_file: Option<PathBuf>,
    /// Declare the roles viewer, editor, admin and the attributes `tenant_id` and regions
    #[arg(long)]
    pub(crate) starter_policy: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ApikeyCommand {
    #[command(subcommand)]
    pub(crate) action: ApikeyAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ApikeyAction {
    /// Make an API key; its secret is shown once
    #[command(
        after_help = "Examples:\n  jeton apikey create --name backend --expires-in 90d\n  KEY=$(jeton apikey create --name ci --role viewer --output secret)"
    )]
    Create(CreateApikeyArgs),
    /// List API keys
    Get(GetApikeyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct GetApikeyArgs {
    #[command(flatten)]
    pub(crate) installation: InstallationArgs,
    /// The organization's slug; may be left out when there is one organization
    #[arg(long)]
    pub(crate) organization: Option<String>,
    #[arg(long, value_enum, default_value_t = ListOutput::Table)]
    pub(crate) output: ListOutput,
}

#[derive(Debug, Args)]
pub(crate) struct CreateApikeyArgs {
    #[command(flatten)]
    pub(crate) installation: InstallationArgs,
    /// The organization's slug; may be left out when there is one organization
    #[arg(long)]
    pub(crate) organization: Option<String>,
    /// The user or service account that shall own the key (`own_…`); the organization's first owner when left out
    #[arg(short = 'i', long)]
    pub(crate) owner: Option<String>,
    /// A name, not necessarily unique
    #[arg(short, long)]
    pub(crate) name: String,
    /// How long the key works: a number and s, m, h or d, or `never`
    #[arg(short = 'd', long, default_value = "90d", value_parser = crate::commands::duration::parse)]
    pub(crate) expires_in: crate::commands::duration::Expiry,
    /// What the key may do
    #[arg(long, value_delimiter = ',', default_value = "tokens:issue")]
    pub(crate) permissions: Vec<Permission>,
    /// A role the key may grant, with those it inherits; repeat for more. Any role when left out
    #[arg(long = "role", value_name = "ROLE")]
    pub(crate) roles: Vec<String>,
    /// An audience the key may issue for; repeat for more. Any audience when left out
    #[arg(long = "audience", value_name = "AUDIENCE")]
    pub(crate) audiences: Vec<String>,
    /// An attribute value that every token of the key carries; JSON, or a plain string
    #[arg(long = "fix", value_name = "NAME=VALUE")]
    pub(crate) fixed: Vec<String>,
    /// The longest life of a token, in seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_ttl: Option<u32>,
    /// A network the key may be used from, like 10.0.0.0/8; repeat for more. Any network when left out
    #[arg(long = "network", value_name = "CIDR")]
    pub(crate) networks: Vec<IpNet>,
    #[arg(long, value_enum, default_value_t = CreateOutput::Table)]
    pub(crate) output: CreateOutput,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ListOutput {
    /// For people
    Table,
    /// For programs
    Json,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum CreateOutput {
    /// For people
    Table,
    /// For programs
    Json,
    /// The secret alone
    Secret,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
