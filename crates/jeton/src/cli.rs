//! What can be typed.

mod apikey;
mod audience;
mod organization;
mod people;
mod policy;
mod session;
mod token;
mod tools;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use apikey::{
    ApikeyAction, ApikeyCommand, CreateApikeyArgs, DeleteApikeyArgs, GetApikeyArgs, LimitArgs,
    LimitFlag, OneApikeyArgs, RevokeApikeyArgs, RotateApikeyArgs, SecretFormat, UpdateApikeyArgs,
};
pub(crate) use audience::{
    AudienceAction, AudienceCommand, AudienceSettingArgs, CreateAudienceArgs, ImportKeyArgs,
    KeyFileArgs, SigningKeyAction, SigningKeyCommand, SubjectArg, UpdateAudienceArgs,
};
pub(crate) use organization::{
    CreateOrganizationArgs, OrganizationAction, OrganizationCommand, ShowOrganizationArgs,
    UpdateOrganizationArgs,
};
pub(crate) use people::{
    CreateServiceAccountArgs, CreateUserArgs, DeleteOwnerArgs, ListArgs, OneOwnerArgs,
    ServiceAccountAction, ServiceAccountCommand, UserAction, UserCommand,
};
pub(crate) use policy::{
    ApplyArgs, AttributeCommand, CheckArgs, DeclarationAction, DiffArgs, ExplainArgs, ExportArgs,
    PolicyAction, PolicyCommand, PolicyFormat, RlsArgs, RlsEngine, RlsPlaceholder, RoleCommand,
    SimulateArgs, TestArgs,
};
pub(crate) use session::{
    GetSessionArgs, ListSessionsArgs, RevokeSessionsArgs, SessionAction, SessionCommand,
};
pub(crate) use token::{IssueTokenArgs, TokenAction, TokenCommand, TokenRequestArgs};
pub(crate) use tools::{
    AccountArgs, AuditAction, AuditCommand, CompletionsArgs, LoginArgs, ScanArgs, Shell,
};

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
    #[command(after_help = "Example:\n  jeton dev --listen 127.0.0.1:0 --data-dir /tmp/jeton")]
    Dev(DevArgs),
    /// Start the server from its configuration
    #[command(after_help = "Example:\n  jeton serve --config /etc/jeton.toml")]
    Serve(ConfigArgs),
    /// Bring the database schema to this binary's version
    #[command(after_help = "Example:\n  jeton migrate --database-url sqlite:jeton.db")]
    Migrate(ConfigArgs),
    /// Seal under the configured master secret what is still sealed under the previous one
    #[command(
        after_help = "Servers may run meanwhile, with both secrets. If it is interrupted, run it again.\n\nExample:\n  jeton reseal --config /etc/jeton.toml --previous-master-secret-file old-master.key"
    )]
    Reseal(ConfigArgs),
    /// Print the OpenAPI document
    #[command(
        after_help = "Examples:\n  jeton openapi > openapi.json\n  jeton openapi --spec 3.0 > openapi-3.0.json"
    )]
    Openapi {
        /// The version of OpenAPI; 3.0 is for tools that read nothing newer
        #[arg(long, value_enum, default_value = "3.1", value_name = "VERSION")]
        spec: OpenapiVersion,
    },
    /// Show the configuration
    Config(ConfigCommand),
    /// Make and list organizations directly in the configured database; show and change one on a server
    Organization(OrganizationCommand),
    /// Store which server to talk to, and the API key for it
    #[command(
        after_help = "Examples:\n  jeton login --url https://tokens.example.com\n  jeton login --url http://127.0.0.1:8080 --key-file - < key"
    )]
    Login(LoginArgs),
    /// Remove the stored server and API key from this machine; the key itself keeps working
    #[command(after_help = "Example:\n  jeton logout")]
    Logout,
    /// Show who the configured API key is
    #[command(after_help = "Examples:\n  jeton account\n  jeton account --output json")]
    Account(AccountArgs),
    /// Make, show, change, rotate and take back API keys, on a server or (create and get) directly on a database
    Apikey(ApikeyCommand),
    /// Issue session tokens
    Token(TokenCommand),
    /// Find, show and revoke sessions: the tokens that were issued
    Session(SessionCommand),
    /// Make, list, change and remove users
    User(UserCommand),
    /// Make, list, suspend and remove service accounts
    ServiceAccount(ServiceAccountCommand),
    /// Write, check, test and change the policy: what tokens may say
    Policy(PolicyCommand),
    /// Show and remove roles
    Role(RoleCommand),
    /// Show and remove attributes
    Attribute(AttributeCommand),
    /// Make, show, change and remove audiences: who tokens are for, and what they look like
    Audience(AudienceCommand),
    /// Show, rotate, import and retire the keys that sign an audience's tokens
    SigningKey(SigningKeyCommand),
    /// Show what was changed
    Audit(AuditCommand),
    /// Find Jeton API keys in files
    #[command(
        after_help = "Exit code: 0 nothing found, 1 found something, 2 something could not be read.\n\nExamples:\n  jeton scan .\n  git log -p --all | jeton scan -"
    )]
    Scan(ScanArgs),
    /// Print a completion script for a shell
    #[command(
        after_help = "Example:\n  jeton completions bash > ~/.local/share/bash-completion/completions/jeton"
    )]
    Completions(CompletionsArgs),
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
    /// While the master secret is being changed, a file that holds the other one
    #[arg(long, value_name = "FILE")]
    pub(crate) previous_master_secret_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigCommand {
    #[command(subcommand)]
    pub(crate) action: ConfigAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigAction {
    /// Print the resulting configuration as TOML, secrets masked
    #[command(after_help = "Example:\n  jeton config show --config /etc/jeton.toml")]
    Show(ConfigArgs),
}

/// Which installation a command works on: a configured one, or that of `jeton dev`.
#[derive(Clone, Debug, Args)]
pub(crate) struct InstallationArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Work on the installation that `jeton dev` made in this directory; add `--database-url` if it was given one
    #[arg(long, value_name = "DIR", conflicts_with_all = ["config", "master_secret_file", "previous_master_secret_file"])]
    pub(crate) data_dir: Option<PathBuf>,
}

impl InstallationArgs {
    /// Does the command line name a database to work on?
    pub(crate) fn is_named(&self) -> bool {
        let config = &self.config;
        self.data_dir.is_some()
            || config.config.is_some()
            || config.database_url.is_some()
            || config.master_secret_file.is_some()
            || config.previous_master_secret_file.is_some()
    }
}

/// A version of OpenAPI.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum OpenapiVersion {
    /// OpenAPI 3.1
    #[value(name = "3.1")]
    V3_1,
    /// OpenAPI 3.0
    #[value(name = "3.0")]
    V3_0,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }

    /// Other processes can read command lines, and shells keep them.
    #[test]
    fn no_argument_is_a_password_or_a_key() {
        fn walk(command: &clap::Command) {
            for argument in command.get_arguments() {
                let id = argument.get_id().as_str();
                let secret = ["password", "secret", "key_", "api_key"];
                if secret.iter().any(|it| id.contains(it)) {
                    let value = argument.get_value_names().unwrap_or_default();
                    assert!(value.iter().any(|name| name == "FILE"), "{id} of {command}");
                }
            }
            command.get_subcommands().for_each(walk);
        }
        walk(&super::Cli::command());
    }

    #[test]
    fn every_command_shows_an_example() {
        fn walk(command: &clap::Command) {
            let help = command.get_after_help().map(ToString::to_string);
            let example = help.is_some_and(|help| help.contains("Example"));
            assert!(example || command.has_subcommands(), "{command}");
            command.get_subcommands().for_each(walk);
        }
        walk(&super::Cli::command());
    }
}
