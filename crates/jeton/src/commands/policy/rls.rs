//! Row rules as SQL, for PostgreSQL, Apache Superset and applications.

use anyhow::anyhow;
use policy::{
    CompiledRowRules, FragmentStyle, IdentifierQuote, Placeholder, PolicySnapshot, TokenClaims,
    postgres_ddl, superset_rls, where_fragment,
};
use serde_json::{Value, json};

use super::file::PolicyFile;
use super::of_server;
use crate::cli::{RlsArgs, RlsEngine, RlsPlaceholder};
use crate::client::Client;
use crate::commands::apikey::attributes_of;
use crate::failure::Failure;
use crate::output::{self, Column, Format};

const CLAUSES: &[Column] = &[
    Column::text("SCHEMA", "/schema"),
    Column::text("TABLE", "/table"),
    Column::text("CLAUSE", "/clause"),
];

const FILTERS: &[Column] = &[
    Column::text("SCHEMA", "/schema"),
    Column::text("TABLE", "/table"),
    Column::text("SQL", "/sql"),
    Column::text("BINDS", "/binds"),
];

pub(super) async fn run(args: RlsArgs) -> Result<(), Failure> {
    let claims = claims(&args)?;
    let policy = policy(&args).await?;
    let rules = policy.row_rules();
    match args.engine {
        RlsEngine::Postgres => {
            output::data(postgres_ddl(rules).trim_end());
            Ok(())
        }
        RlsEngine::Superset => show("rls", &clauses(rules, &claims), CLAUSES, args.output),
        RlsEngine::Sql => show(
            "filters",
            &filters(rules, &claims, &style(&args)),
            FILTERS,
            args.output,
        ),
    }
}

async fn policy(args: &RlsArgs) -> Result<PolicySnapshot, Failure> {
    if let Some(file) = &args.file {
        return PolicyFile::open(file)?.compile().await;
    }
    let document = of_server(&Client::configured()?).await?;
    document.compile(1).await.map_err(Failure::server)
}

/// PostgreSQL reads the claims itself: what is said about a token would be left unheard.
fn claims(args: &RlsArgs) -> Result<TokenClaims, Failure> {
    let said = !args.roles.is_empty() || !args.attributes.is_empty();
    if args.engine == RlsEngine::Postgres && said {
        return Err(Failure::input(anyhow!(
            "PostgreSQL reads each token's claims itself: --role and --attribute are for the other engines"
        )));
    }
    if args.engine != RlsEngine::Postgres && args.roles.is_empty() {
        return Err(Failure::input(anyhow!(
            "say which token it is for: --role ROLE, and --attribute NAME=TEXT for its attributes"
        )));
    }
    let attributes = attributes_of("--attribute", &args.attributes)?;
    Ok(TokenClaims {
        roles: args.roles.iter().cloned().collect(),
        attributes: attributes.into_iter().collect(),
    })
}

fn style(args: &RlsArgs) -> FragmentStyle {
    FragmentStyle {
        placeholder: match args.placeholder {
            RlsPlaceholder::Dollar => Placeholder::Dollar { first: 1 },
            RlsPlaceholder::Question => Placeholder::Question,
            RlsPlaceholder::Colon => Placeholder::Colon,
        },
        quote: if args.backticks {
            IdentifierQuote::Backtick
        } else {
            IdentifierQuote::Ansi
        },
        alias: None,
    }
}

fn clauses(rules: &CompiledRowRules, claims: &TokenClaims) -> Vec<Value> {
    let clauses = superset_rls(rules, claims).into_iter();
    let clauses = clauses.map(|it| named(&it.table, json!({ "clause": it.clause })));
    clauses.collect()
}

fn filters(rules: &CompiledRowRules, claims: &TokenClaims, style: &FragmentStyle) -> Vec<Value> {
    let filters = rules.tables().map(|table| {
        let fragment = where_fragment(rules, table, claims, style);
        named(
            table,
            json!({ "sql": fragment.sql, "binds": fragment.binds }),
        )
    });
    filters.collect()
}

fn named(table: &policy::TableName, mut entry: Value) -> Value {
    entry["table"] = table.table.as_str().into();
    if let Some(schema) = &table.schema {
        entry["schema"] = schema.as_str().into();
    }
    entry
}

/// As `POST /v1/policy/row-filters` answers.
fn show(name: &str, entries: &[Value], columns: &[Column], format: Format) -> Result<(), Failure> {
    match format {
        Format::Table | Format::Csv => output::list(entries, columns, format),
        other => output::entry(&json!({ name: entries }), columns, other),
    }
}
