//! Everything that is declared.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http_api::query::Query;
use key_admin::Permission;
use policy::operations::markers::GetPolicy;
use policy::{
    AttributeDeclaration, FragmentStyle, IdentifierQuote, Normalization, Placeholder,
    PolicyDocument, PolicySnapshot, Role, RowRule, TableName, TokenClaims, postgres_tables,
    where_fragment,
};
use serde::Deserialize;
use serde_json::Value;

use super::words::words;
use crate::failure::Failure;
use crate::page::{Frame, Section, ok};
use crate::person::Person;
use crate::snippets::Snippet;
use crate::state::ConsoleState;
use crate::typed;
use crate::when::Seconds;

/// At most so many of each kind are on the page; a search finds the others.
const SHOWN: usize = 50;
/// The longest SQL of one table that is shown, in bytes.
const MAX_SQL: usize = 4 * 1024;

/// What the page was asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Asked {
    search: String,
    /// What a redirect tells; the frame shows it.
    done: String,
}

#[derive(Template)]
#[template(path = "policy/overview.html")]
struct OverviewPage {
    frame: Frame,
    search: String,
    version: i64,
    may_write: bool,
    is_empty: bool,
    roles: Part<RoleView>,
    attributes: Part<AttributeView>,
    rules: Part<RuleView>,
    tables: Vec<TableView>,
    has_roles: bool,
}

/// The first of what was found, and how many there are.
struct Part<T> {
    shown: Vec<T>,
    found: usize,
}

struct RoleView {
    name: String,
    description: String,
    inherits: Vec<String>,
    required: Vec<String>,
    permissions: Vec<String>,
    limits: Vec<String>,
}

struct AttributeView {
    name: String,
    description: String,
    kind: String,
    required: bool,
    sensitive: bool,
    rules: Vec<String>,
}

struct RuleView {
    name: String,
    table: String,
    roles: Vec<String>,
    words: String,
}

/// The SQL of one table's rules.
struct TableView {
    table: String,
    /// Unique on the page.
    group: String,
    sql: Vec<Snippet>,
}

pub(super) async fn page(
    State(state): State<ConsoleState>,
    person: Person<GetPolicy>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let (policies, organization) = (&state.services.policy, person.organization_id());
    let (document, version) = policies.document(organization).await?;
    let snapshot = policies.snapshot(organization).await?;
    let search = asked.search.trim().to_lowercase();
    Ok(ok(&OverviewPage {
        frame: person.frame(Section::Policy, "Policy"),
        version,
        may_write: person.may(Permission::PolicyWrite),
        is_empty: document == PolicyDocument::default(),
        has_roles: !document.roles.is_empty(),
        roles: Part::of(
            &document.roles,
            |it| found(it.name.as_str(), &it.description, &search),
            RoleView::of,
        ),
        attributes: Part::of(
            &document.attributes,
            |it| found(it.name.as_str(), &it.description, &search),
            AttributeView::of,
        ),
        rules: Part::of(
            &document.row_rules,
            |it| found(it.name.as_str(), &it.table, &search),
            RuleView::of,
        ),
        tables: tables(&snapshot, &document, &search),
        search: asked.search,
    }))
}

fn found(name: &str, text: &str, search: &str) -> bool {
    name.contains(search) || text.to_lowercase().contains(search)
}

impl<T> Part<T> {
    fn of<S>(all: &[S], found: impl Fn(&S) -> bool, view: impl Fn(&S) -> T) -> Self {
        let all: Vec<&S> = all.iter().filter(|it| found(it)).collect();
        Self {
            found: all.len(),
            shown: all.into_iter().take(SHOWN).map(view).collect(),
        }
    }

    fn is_cut(&self) -> bool {
        self.found > self.shown.len()
    }
}

impl RoleView {
    fn of(role: &Role) -> Self {
        let mut limits = Vec::new();
        if let Some(seconds) = role.max_ttl_seconds {
            limits.push(format!("at most {}", Seconds(seconds.into())));
        }
        if let Some(seconds) = role.default_ttl_seconds {
            limits.push(format!(
                "{} unless asked otherwise",
                Seconds(seconds.into())
            ));
        }
        if let Some(audiences) = &role.audiences {
            limits.push(format!("only for {}", list(audiences)));
        }
        Self {
            name: role.name.to_string(),
            description: role.description.clone(),
            inherits: role.inherits.iter().map(ToString::to_string).collect(),
            required: role
                .required_attributes
                .iter()
                .map(ToString::to_string)
                .collect(),
            permissions: role
                .permissions
                .iter()
                .take(SHOWN)
                .map(ToString::to_string)
                .collect(),
            limits,
        }
    }
}

impl AttributeView {
    fn of(attribute: &AttributeDeclaration) -> Self {
        let kind = Value::from(serde_json::to_value(attribute.value_type).unwrap_or_default());
        let kind = typed::text(&kind);
        let mut rules = Vec::new();
        if let Some(allowed) = &attribute.allowed_values {
            let some: Vec<_> = allowed.iter().take(12).map(typed::text).collect();
            let more = allowed.len().saturating_sub(some.len());
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            rules.push(format!("one of {}{more}", some.join(", ")));
        }
        if let Some(pattern) = &attribute.pattern {
            rules.push(format!("matches {pattern}"));
        }
        for normalization in &attribute.normalize {
            rules.push(
                match normalization {
                    Normalization::Trim => "white space at the ends goes",
                    Normalization::CaseFold => "becomes lower case",
                    Normalization::Uuid => "a UUID",
                }
                .to_owned(),
            );
        }
        if !attribute.requires.is_empty() {
            rules.push(format!("goes with {}", list(&attribute.requires)));
        }
        if !attribute.from_role.is_empty() {
            rules.push(format!("given by {}", list(attribute.from_role.keys())));
        }
        Self {
            name: attribute.name.to_string(),
            description: attribute.description.clone(),
            kind: if attribute.list {
                format!("list of {kind}")
            } else {
                kind
            },
            required: attribute.required,
            sensitive: attribute.sensitive,
            rules,
        }
    }
}

impl RuleView {
    fn of(rule: &RowRule) -> Self {
        let schema = rule.schema.as_ref();
        Self {
            name: rule.name.to_string(),
            table: schema.map_or_else(
                || rule.table.clone(),
                |schema| format!("{schema}.{}", rule.table),
            ),
            roles: rule.roles.iter().map(ToString::to_string).collect(),
            words: words(&rule.condition),
        }
    }
}

fn list<T: ToString>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| name.to_string()).collect();
    names.join(", ")
}

/// The SQL of each table: PostgreSQL's own policy, and conditions for queries as a token with every role and a value of every
/// attribute would have them.
fn tables(policy: &PolicySnapshot, document: &PolicyDocument, search: &str) -> Vec<TableView> {
    let claims = TokenClaims {
        roles: document
            .roles
            .iter()
            .map(|role| role.name.to_string())
            .collect(),
        attributes: document
            .attributes
            .iter()
            .map(|it| (it.name.to_string(), typed::sample(it)))
            .collect(),
    };
    let rules = policy.row_rules();
    let named = |table: &TableName| {
        let of_it = |rule: &&RowRule| rule.table == table.table.as_str();
        let mut of_it = document.row_rules.iter().filter(of_it);
        of_it.any(|rule| found(rule.name.as_str(), &rule.table, search))
    };
    let shown = postgres_tables(rules)
        .filter(|(table, _)| named(table))
        .take(SHOWN / 5);
    let views = shown.enumerate().map(|(index, (table, ddl))| {
        let fragment = |placeholder, quote| {
            let style = FragmentStyle {
                placeholder,
                quote,
                alias: None,
            };
            let fragment = where_fragment(rules, table, &claims, &style);
            format!("where {}", fragment.sql)
        };
        let dollar = Placeholder::Dollar { first: 1 };
        TableView {
            table: table.to_string(),
            group: format!("sql-{index}"),
            sql: vec![
                snippet("PostgreSQL policy", ddl.trim().to_owned()),
                snippet(
                    "PostgreSQL, SQLite query",
                    fragment(dollar, IdentifierQuote::Ansi),
                ),
                snippet(
                    "MySQL, ClickHouse query",
                    fragment(Placeholder::Question, IdentifierQuote::Backtick),
                ),
                snippet(
                    "Oracle, SQLAlchemy query",
                    fragment(Placeholder::Colon, IdentifierQuote::Ansi),
                ),
            ],
        }
    });
    views.collect()
}

fn snippet(language: &'static str, mut code: String) -> Snippet {
    if code.len() > MAX_SQL {
        let mut end = MAX_SQL;
        while !code.is_char_boundary(end) {
            end -= 1;
        }
        code.truncate(end);
        code.push_str("\n… (`jeton policy rls` writes all of it)");
    }
    Snippet { language, code }
}
