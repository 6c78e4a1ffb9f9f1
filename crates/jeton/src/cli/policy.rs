//! What can be typed about the policy, its roles and its attributes.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::TokenRequestArgs;
use crate::output::Format;

#[derive(Debug, Args)]
pub(crate) struct PolicyCommand {
    #[command(subcommand)]
    pub(crate) action: PolicyAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyAction {
    /// Print the policy, as a file to keep
    #[command(after_help = "Example:\n  jeton policy export > policy.yaml")]
    Export(ExportArgs),
    /// Show what a file would change; without a server between two files
    #[command(
        after_help = "Exit code: 0 nothing differs, 1 something does.\n\nExamples:\n  jeton policy diff -f policy.yaml\n  jeton policy diff -f policy.yaml --against old.yaml"
    )]
    Diff(DiffArgs),
    /// Replace the policy by a file, all or nothing
    #[command(
        after_help = "Examples:\n  jeton policy apply -f policy.yaml --dry-run\n  jeton policy apply -f policy.yaml --if-version 7\n  jeton policy apply -f casbin.csv"
    )]
    Apply(ApplyArgs),
    /// Tell everything that is wrong with a file, without a server
    #[command(after_help = "Example:\n  jeton policy check -f policy.yaml")]
    Check(CheckArgs),
    /// Check that a file grants and refuses what its cases say, without a server
    #[command(
        after_help = "Exit code: 0 every case passes, 1 one fails.\n\nExample:\n  jeton policy test -f policy.yaml --cases cases.yaml"
    )]
    Test(TestArgs),
    /// Say whether a token would be granted, and which rules decide
    #[command(
        after_help = "Example:\n  jeton policy explain --user user-42 --role viewer --attribute tenant_id=t-1 --key key_0Hq3VbN8tRzA"
    )]
    Explain(ExplainArgs),
    /// Decide recent requests again under a file, and show which would come out otherwise
    #[command(
        after_help = "Examples:\n  jeton policy simulate -f policy.yaml\n  jeton policy simulate -f policy.yaml --since 2026-01-31T00:00:00Z --last 10000"
    )]
    Simulate(SimulateArgs),
    /// Print the row rules as SQL, of a file without a server
    #[command(
        after_help = "Examples:\n  jeton policy rls -f policy.yaml --engine postgres | psql --single-transaction\n  jeton policy rls -f policy.yaml --engine superset --role viewer --attribute tenant_id=t-1"
    )]
    Rls(RlsArgs),
}

/// What a policy is written in.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum PolicyFormat {
    /// With comments that explain it
    Yaml,
    /// For programs
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[arg(long, value_enum, default_value_t = PolicyFormat::Yaml)]
    pub(crate) format: PolicyFormat,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The file: .yaml, .yml, .json, or .csv as casbin has it
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Compare with this file instead of the server's policy
    #[arg(long, value_name = "FILE")]
    pub(crate) against: Option<PathBuf>,
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// The file: .yaml, .yml, .json, or .csv as casbin has it
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Only if the policy is at this version
    #[arg(long, value_name = "VERSION")]
    pub(crate) if_version: Option<i64>,
    /// Check and show what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The file: .yaml, .yml, .json, or .csv as casbin has it
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// The policy: .yaml, .yml, .json, or .csv as casbin has it
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The cases, as YAML
    #[arg(long, value_name = "FILE")]
    pub(crate) cases: PathBuf,
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The API key that would ask, `key_…`; the configured one when left out
    #[arg(long, value_name = "ID")]
    pub(crate) key: Option<String>,
    #[command(flatten)]
    pub(crate) request: TokenRequestArgs,
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// The file: .yaml, .yml, .json, or .csv as casbin has it
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Only requests from this time on, like 2026-01-31T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = storage::Timestamp::parse)]
    pub(crate) since: Option<storage::Timestamp>,
    /// How many requests, the latest first
    #[arg(long, value_name = "COUNT", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) last: u32,
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

/// Who enforces row rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RlsEngine {
    /// Policies of PostgreSQL, as a script
    Postgres,
    /// Clauses for guest tokens of Apache Superset
    Superset,
    /// Conditions with bound values, for an application's queries
    Sql,
}

/// How a bound value is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum RlsPlaceholder {
    /// $1, $2
    Dollar,
    /// ?
    Question,
    /// `:jeton_1`, `:jeton_2`
    Colon,
}

#[derive(Debug, Args)]
pub(crate) struct RlsArgs {
    /// The file: .yaml, .yml, .json, or .csv as casbin has it; the server's policy when left out
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    #[arg(long, value_enum)]
    pub(crate) engine: RlsEngine,
    /// A role of the token, for superset and sql; repeat for more
    #[arg(long = "role", value_name = "ROLE")]
    pub(crate) roles: Vec<String>,
    /// An attribute of the token: `NAME=TEXT`, or `NAME:=JSON`; repeat for more
    #[arg(long = "attribute", value_name = "NAME=TEXT")]
    pub(crate) attributes: Vec<String>,
    /// How bound values are written, for sql
    #[arg(long, value_enum, default_value_t = RlsPlaceholder::Dollar)]
    pub(crate) placeholder: RlsPlaceholder,
    /// Quote names with backticks, for sql
    #[arg(long)]
    pub(crate) backticks: bool,
    /// For superset and sql
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct RoleCommand {
    #[command(subcommand)]
    pub(crate) action: DeclarationAction,
}

#[derive(Debug, Args)]
pub(crate) struct AttributeCommand {
    #[command(subcommand)]
    pub(crate) action: DeclarationAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeclarationAction {
    /// List all
    #[command(after_help = "Examples:\n  jeton role list\n  jeton attribute list --output json")]
    List(DeclarationListArgs),
    /// Show one
    #[command(after_help = "Examples:\n  jeton role get viewer\n  jeton attribute get tenant_id")]
    Get(DeclarationArgs),
    /// Remove one that no other part of the policy names
    #[command(
        after_help = "Examples:\n  jeton role delete viewer\n  jeton attribute delete regions"
    )]
    Delete(DeclarationNameArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DeclarationListArgs {
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct DeclarationArgs {
    /// The name
    pub(crate) name: String,
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct DeclarationNameArgs {
    /// The name
    pub(crate) name: String,
}
