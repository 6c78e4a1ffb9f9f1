//! What can be typed about audiences and their signing keys.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::commands::duration::{self, Longest};
use crate::output::Format;

#[derive(Debug, Args)]
pub(crate) struct AudienceCommand {
    #[command(subcommand)]
    pub(crate) action: AudienceAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AudienceAction {
    /// List audiences
    #[command(after_help = "Example:\n  jeton audience list --output json")]
    List(AudienceListArgs),
    /// Show an audience
    #[command(after_help = "Example:\n  jeton audience get analytics --output json")]
    Get(OneAudienceArgs),
    /// Make an audience; what is left out comes from the preset or the defaults
    #[command(
        after_help = "Examples:\n  jeton audience create --name analytics --max-ttl 15m\n  jeton audience create --name hasura --preset hasura\n  jeton audience create --name guests --preset superset-guest --aud https://bi.example.com \\\n      --secret-file - < secret"
    )]
    Create(Box<CreateAudienceArgs>),
    /// Change an audience; what is left out stays as it is
    #[command(
        after_help = "Examples:\n  jeton audience update analytics --max-ttl 5m --default-ttl 5m\n  jeton audience update analytics --renew-for 8h --idle 30m --origin https://app.example.com\n  jeton audience update analytics --renew-for none\n  jeton audience update analytics --subject omitted --client-id false"
    )]
    Update(Box<UpdateAudienceArgs>),
    /// Remove an audience; its tokens verify nowhere any more
    #[command(after_help = "Example:\n  jeton audience delete analytics")]
    Delete(AudienceNameArgs),
    /// List what an audience for a known consumer starts from
    #[command(
        after_help = "Examples:\n  jeton audience presets\n  jeton audience presets --output json"
    )]
    Presets(AudienceListArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AudienceListArgs {
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct AudienceNameArgs {
    /// The audience's name, or its identifier, `aud_…`
    pub(crate) audience: String,
}

#[derive(Debug, Args)]
pub(crate) struct OneAudienceArgs {
    #[command(flatten)]
    pub(crate) of: AudienceNameArgs,
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct CreateAudienceArgs {
    /// What requests will call it
    #[arg(short, long)]
    pub(crate) name: String,
    /// Start from what a known consumer needs: see `jeton audience presets`
    #[arg(long)]
    pub(crate) preset: Option<String>,
    /// How its tokens are signed; ES256 when left out
    #[arg(long, value_parser = ["ES256", "EdDSA", "RS256", "PS256", "RS512", "HS256"])]
    pub(crate) algorithm: Option<String>,
    /// A file that holds the shared secret of HS256, `-` for standard input; its text is the secret
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) settings: AudienceSettingArgs,
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct UpdateAudienceArgs {
    #[command(flatten)]
    pub(crate) of: AudienceNameArgs,
    #[command(flatten)]
    pub(crate) settings: AudienceSettingArgs,
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

/// What can be set when an audience is made and afterwards.
#[derive(Debug, Args)]
pub(crate) struct AudienceSettingArgs {
    /// The `aud` of its tokens
    #[arg(long)]
    pub(crate) aud: Option<String>,
    /// How long its tokens live unless asked otherwise: a number and s, m, h or d
    #[arg(long, value_name = "TIME", value_parser = duration::seconds)]
    pub(crate) default_ttl: Option<u32>,
    /// How long its tokens live at most
    #[arg(long, value_name = "TIME", value_parser = duration::seconds)]
    pub(crate) max_ttl: Option<u32>,
    /// The longest token, in bytes
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_token_bytes: Option<u32>,
    /// A web page that may renew its tokens, like <https://app.example.com>; repeat for more
    #[arg(long = "origin", value_name = "ORIGIN")]
    pub(crate) origins: Vec<String>,
    /// How long a session lasts over all its renewals; `none` for no renewal
    #[arg(long, value_name = "TIME", value_parser = duration::longest)]
    pub(crate) renew_for: Option<Longest>,
    /// How long after its end a token can still be renewed
    #[arg(long, value_name = "TIME", value_parser = duration::seconds)]
    pub(crate) grace: Option<u32>,
    /// How long after it was issued a token can be renewed at most
    #[arg(long, value_name = "TIME", value_parser = duration::seconds)]
    pub(crate) idle: Option<u32>,
    /// A file with the claim template, as JSON; `-` for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) template_file: Option<PathBuf>,
    /// The `iss` that the consumer knows this issuer by
    #[arg(long, value_name = "TEXT")]
    pub(crate) issuer: Option<String>,
    /// What `sub` says: `user`; `user_uuid`, which refuses users that are no UUIDs; `omitted`; or `given=TEXT`, the same
    /// for all
    #[arg(long, value_name = "WHO", value_parser = subject)]
    pub(crate) subject: Option<SubjectArg>,
    /// Whether `client_id` names the API key that asked
    #[arg(long, value_name = "BOOL")]
    pub(crate) client_id: Option<bool>,
    /// Whether `nbf` is there
    #[arg(long, value_name = "BOOL")]
    pub(crate) not_before: Option<bool>,
    /// `typ` in the header
    #[arg(long, value_parser = ["at+jwt", "JWT"])]
    pub(crate) typ: Option<String>,
    /// Whether `iss` stands in the header, too
    #[arg(long, value_name = "BOOL")]
    pub(crate) issuer_in_header: Option<bool>,
    /// The `kid` that the consumer gave out
    #[arg(long = "key-id", value_name = "TEXT")]
    pub(crate) kid: Option<String>,
    /// The Superset dataset of a table that row rules name, `orders=7`; `orders=none` for a table that is none; repeat for
    /// all of them
    #[arg(long = "dataset", value_name = "TABLE=ID", value_parser = dataset)]
    pub(crate) datasets: Vec<(String, Option<i64>)>,
    /// Encrypt its tokens for the public key in this file, a JWK
    #[arg(long, value_name = "FILE", conflicts_with_all = ["opaque", "signed"])]
    pub(crate) encrypt_for: Option<PathBuf>,
    /// Hand out references that only introspection resolves
    #[arg(long, conflicts_with = "signed")]
    pub(crate) opaque: bool,
    /// Hand out signed tokens, which everybody can read
    #[arg(long)]
    pub(crate) signed: bool,
}

/// What `sub` says.
#[derive(Clone, Debug)]
pub(crate) enum SubjectArg {
    /// A way that the API has a word for.
    Word(&'static str),
    /// The same for all.
    Given(String),
}

fn subject(text: &str) -> Result<SubjectArg, &'static str> {
    let words = ["user", "user_uuid", "omitted"];
    if let Some(word) = words.into_iter().find(|word| *word == text) {
        return Ok(SubjectArg::Word(word));
    }
    match text.strip_prefix("given=") {
        Some(given) => Ok(SubjectArg::Given(given.to_owned())),
        None => Err("write user, user_uuid, omitted or given=TEXT"),
    }
}

fn dataset(text: &str) -> Result<(String, Option<i64>), String> {
    let (table, id) = text.split_once('=').ok_or("write TABLE=ID or TABLE=none")?;
    let id = match id {
        "none" => None,
        id => Some(id.parse().map_err(|_| "the id of a dataset is a number")?),
    };
    Ok((table.to_owned(), id))
}

#[derive(Debug, Args)]
pub(crate) struct SigningKeyCommand {
    #[command(subcommand)]
    pub(crate) action: SigningKeyAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SigningKeyAction {
    /// List the keys of an audience that are in use
    #[command(after_help = "Example:\n  jeton signing-key list default")]
    List(OneAudienceArgs),
    /// Let the next key sign from now on
    #[command(after_help = "Example:\n  jeton signing-key rotate default")]
    Rotate(OneAudienceArgs),
    /// Take a key out of use at once, in an emergency: its tokens verify nowhere any more
    #[command(
        after_help = "Example:\n  jeton signing-key retire default kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    )]
    Retire(RetireKeyArgs),
    /// Give an audience a key that was made elsewhere: it is the next one, a shared secret signs at once
    #[command(
        after_help = "Examples:\n  jeton signing-key import analytics --pem-file key.pem\n  jeton signing-key import guests --secret-file - < secret"
    )]
    Import(ImportKeyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RetireKeyArgs {
    #[command(flatten)]
    pub(crate) of: AudienceNameArgs,
    /// The key's identifier, as `jeton signing-key list` shows it
    pub(crate) kid: String,
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct ImportKeyArgs {
    #[command(flatten)]
    pub(crate) of: AudienceNameArgs,
    #[command(flatten)]
    pub(crate) key: KeyFileArgs,
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

/// Files that only their owner can read; `-` for standard input.
#[expect(clippy::struct_field_names, reason = "they are the names of the flags")]
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct KeyFileArgs {
    /// A private key as PEM, not encrypted
    #[arg(long, value_name = "FILE")]
    pub(crate) pem_file: Option<PathBuf>,
    /// A private key as a JWK
    #[arg(long, value_name = "FILE")]
    pub(crate) jwk_file: Option<PathBuf>,
    /// The shared secret of HS256; the file's text is the secret
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
}
