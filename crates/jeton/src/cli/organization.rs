//! What can be typed about organizations.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::InstallationArgs;
use crate::commands::duration::{self, Longest};
use crate::output::Format;

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
    #[command(after_help = "Example:\n  jeton organization get --data-dir jeton-data")]
    Get(InstallationArgs),
    /// Show the organization of the configured API key, with its settings
    #[command(
        after_help = "Examples:\n  jeton organization show\n  jeton organization show --output json"
    )]
    Show(ShowOrganizationArgs),
    /// Change the organization of the configured API key; what is left out stays as it is
    #[command(
        after_help = "Examples:\n  jeton organization update --max-key-lifetime 90d\n  jeton organization update --name 'Acme Ltd' --max-key-lifetime none"
    )]
    Update(UpdateOrganizationArgs),
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
pub(crate) struct ShowOrganizationArgs {
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct UpdateOrganizationArgs {
    /// Its name for people
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// How long API keys may live from their creation: a number and s, m, h or d, or `none`. Existing keys keep their
    /// expiry; new keys, new expiries and rotations obey
    #[arg(long = "max-key-lifetime", value_name = "TIME", value_parser = duration::longest)]
    pub(crate) max_lifetime: Option<Longest>,
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}
