//! What can be typed about users and service accounts.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::output::Format;

#[derive(Debug, Args)]
pub(crate) struct UserCommand {
    #[command(subcommand)]
    pub(crate) action: UserAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserAction {
    /// Make a user; the first password is asked for
    #[command(
        after_help = "Examples:\n  jeton user create grace@example.com --role member\n  jeton user create grace@example.com --role viewer --name Grace --password-file - < password"
    )]
    Create(CreateUserArgs),
    /// List users
    #[command(after_help = "Example:\n  jeton user list --output csv")]
    List(ListArgs),
    /// Stop a user and the user's API keys
    #[command(after_help = "Example:\n  jeton user suspend own_01a203acc363700cb2d3af39a2eae215")]
    Suspend(OneOwnerArgs),
    /// Let a suspended user and the user's API keys act again
    #[command(after_help = "Example:\n  jeton user activate own_01a203acc363700cb2d3af39a2eae215")]
    Activate(OneOwnerArgs),
    /// Give a user another role
    #[command(
        after_help = "Example:\n  jeton user role own_01a203acc363700cb2d3af39a2eae215 admin"
    )]
    Role(UserRoleArgs),
    /// Remove a user; live API keys keep the user unless they are to be revoked
    #[command(
        after_help = "Example:\n  jeton user delete own_01a203acc363700cb2d3af39a2eae215 --revoke-keys"
    )]
    Delete(DeleteOwnerArgs),
}

const ROLES: [&str; 4] = ["owner", "admin", "member", "viewer"];

#[derive(Debug, Args)]
pub(crate) struct CreateUserArgs {
    /// The address to log in with
    pub(crate) email: String,
    /// What the user may do
    #[arg(long, value_parser = ROLES)]
    pub(crate) role: String,
    /// The name for people; the address when left out
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// A file that holds the first password, `-` for standard input; asked for when left out
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct UserRoleArgs {
    /// The user's identifier, `own_…`
    pub(crate) id: String,
    /// What the user may do from now on
    #[arg(value_parser = ROLES)]
    pub(crate) role: String,
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct OneOwnerArgs {
    /// The identifier, `own_…`
    pub(crate) id: String,
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct ServiceAccountCommand {
    #[command(subcommand)]
    pub(crate) action: ServiceAccountAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ServiceAccountAction {
    /// Make a service account, an owner of API keys that cannot log in
    #[command(after_help = "Example:\n  jeton service-account create ci")]
    Create(CreateServiceAccountArgs),
    /// List service accounts
    #[command(after_help = "Example:\n  jeton service-account list --output json")]
    List(ListArgs),
    /// Stop the API keys of a service account
    #[command(
        after_help = "Example:\n  jeton service-account suspend own_01a203acc363700cb2d3af39a2eae215"
    )]
    Suspend(OneOwnerArgs),
    /// Let the API keys of a suspended service account work again
    #[command(
        after_help = "Example:\n  jeton service-account activate own_01a203acc363700cb2d3af39a2eae215"
    )]
    Activate(OneOwnerArgs),
    /// Remove a service account; live API keys keep it unless they are to be revoked
    #[command(
        after_help = "Example:\n  jeton service-account delete own_01a203acc363700cb2d3af39a2eae215 --revoke-keys"
    )]
    Delete(DeleteOwnerArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CreateServiceAccountArgs {
    /// A name, not necessarily unique
    pub(crate) name: String,
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteOwnerArgs {
    /// The identifier, `own_…`
    pub(crate) id: String,
    /// Revoke its live API keys with it
    #[arg(long)]
    pub(crate) revoke_keys: bool,
}
