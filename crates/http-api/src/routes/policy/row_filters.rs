//! Which rows a token may see, over HTTP.

use axum::Json;
use axum::extract::State;
use policy::operations::markers;
use policy::{
    FragmentStyle, IdentifierQuote, PolicySnapshot, Scalar, TableName, TokenClaims, superset_rls,
    where_fragment,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::caller::Caller;
use crate::errors::sentence;
use crate::json::{JsonBody, Object, present};
use crate::problem::Problem;
use crate::query::invalid;
use crate::routes::presented::Presented;
use crate::state::ApiState;

/// Whose rows, and how to write them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "claims": { "roles": ["viewer"], "attributes": { "tenant_id": "t-1" } }, "output": "sql", "table": "orders" }))]
pub struct GetRowFiltersRequest {
    /// The session token; instead of `claims`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, examples("eyJ…"))]
    token: Option<String>,
    /// What a token says that the caller has verified; instead of `token`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = RowFilterClaims, required = false)]
    claims: Option<Object<RowFilterClaims>>,
    /// `sql` for an application's own queries, `superset` for the guest tokens of Apache Superset.
    output: RowFilterOutput,
    /// Only this table; left out, every table that has rules. A table without rules has no visible rows.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, pattern = "^[A-Za-z_][A-Za-z0-9_$]{0,62}$")]
    table: Option<String>,
    /// The table's schema, if the rules give it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, pattern = "^[A-Za-z_][A-Za-z0-9_$]{0,62}$")]
    schema: Option<String>,
    /// How `sql` marks a bound value; `dollar` when left out.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = RowFilterPlaceholder, required = false)]
    placeholder: Option<RowFilterPlaceholder>,
    /// How `sql` quotes names; `ansi` when left out.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = RowFilterQuote, required = false)]
    quote: Option<RowFilterQuote>,
}

/// What a token says, as far as row filters read it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RowFilterClaims {
    /// The claim `roles`.
    roles: Vec<String>,
    /// The claim `attributes`.
    #[serde(default)]
    #[schema(value_type = std::collections::HashMap<String, Value>, required = false)]
    attributes: Map<String, Value>,
}

/// What filters are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowFilterOutput {
    /// Conditions with bound values.
    Sql,
    /// Clauses with values in them.
    Superset,
}

/// How a bound value is marked.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowFilterPlaceholder {
    /// `$1`, `$2`, …
    Dollar,
    /// `?`
    Question,
    /// `:jeton_1`, `:jeton_2`, …
    Colon,
}

/// How a name is quoted.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowFilterQuote {
    /// `"name"`
    Ansi,
    /// `` `name` ``
    Backtick,
}

/// The rows that the token may see; `filters` or `rls`, as asked.
#[derive(Debug, Serialize, ToSchema)]
pub struct RowFilters {
    /// The version of the policy that they come from.
    policy_version: i64,
    /// For `sql`: one condition for each table.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    filters: Option<Vec<RowFilter>>,
    /// For `superset`: one clause for each table.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    rls: Option<Vec<RowFilterClause>>,
}

/// A condition for a `where`.
#[derive(Debug, Serialize, ToSchema)]
pub struct RowFilter {
    /// The table.
    table: String,
    /// Its schema, if the rules give it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    schema: Option<String>,
    /// The condition; it contains no value.
    #[schema(examples("\"orders\".\"tenant_id\" = $1"))]
    sql: String,
    /// The values, in the order of their marks.
    #[schema(value_type = Vec<Value>)]
    binds: Vec<Scalar>,
}

/// A clause of a guest token.
#[derive(Debug, Serialize, ToSchema)]
pub struct RowFilterClause {
    /// The table.
    table: String,
    /// Its schema, if the rules give it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    schema: Option<String>,
    /// The clause. Give it with the id of the table's dataset.
    #[schema(examples("tenant_id = 't-1'"))]
    clause: String,
}

impl GetRowFiltersRequest {
    fn style(&self) -> Result<FragmentStyle, Problem> {
        let only_sql = [
            ("/placeholder", self.placeholder.is_some()),
            ("/quote", self.quote.is_some()),
        ];
        let given = only_sql.iter().find(|(_, given)| *given);
        if let (RowFilterOutput::Superset, Some((pointer, _))) = (self.output, given) {
            let detail = "`placeholder` and `quote` are for `sql` only.";
            return Err(invalid(pointer, "conflicting_fields", detail));
        }
        Ok(FragmentStyle {
            placeholder: match self.placeholder {
                None | Some(RowFilterPlaceholder::Dollar) => {
                    policy::Placeholder::Dollar { first: 1 }
                }
                Some(RowFilterPlaceholder::Question) => policy::Placeholder::Question,
                Some(RowFilterPlaceholder::Colon) => policy::Placeholder::Colon,
            },
            quote: match self.quote {
                None | Some(RowFilterQuote::Ansi) => IdentifierQuote::Ansi,
                Some(RowFilterQuote::Backtick) => IdentifierQuote::Backtick,
            },
            alias: None,
        })
    }

    fn table(&self) -> Result<Option<TableName>, Problem> {
        let Some(table) = &self.table else {
            return match self.schema {
                None => Ok(None),
                Some(_) => Err(invalid(
                    "/table",
                    "missing_field",
                    "The field `table` is missing: a schema alone is no table.",
                )),
            };
        };
        let name = TableName::parse(self.schema.as_deref(), table);
        let name = name.map_err(|error| invalid("/table", "invalid_table", &sentence(&error)))?;
        Ok(Some(name))
    }
}

impl RowFilters {
    fn sql(
        policy: &PolicySnapshot,
        table: Option<TableName>,
        claims: &TokenClaims,
        style: &FragmentStyle,
    ) -> Self {
        let rules = policy.row_rules();
        let tables = match table {
            Some(table) => vec![table],
            None => rules.tables().cloned().collect(),
        };
        let filters = tables.iter().map(|table| {
            let fragment = where_fragment(rules, table, claims, style);
            RowFilter {
                table: table.table.to_string(),
                schema: table.schema.as_ref().map(ToString::to_string),
                sql: fragment.sql,
                binds: fragment.binds,
            }
        });
        Self {
            policy_version: policy.version(),
            filters: Some(filters.collect()),
            rls: None,
        }
    }

    fn superset(policy: &PolicySnapshot, table: Option<&TableName>, claims: &TokenClaims) -> Self {
        let clauses = superset_rls(policy.row_rules(), claims).into_iter();
        let clauses = clauses.filter(|it| table.is_none_or(|table| it.table == *table));
        let mut rls: Vec<_> = clauses
            .map(|it| RowFilterClause::new(&it.table, it.clause))
            .collect();
        // Nothing for a table would be no restriction of it.
        if let (Some(table), true) = (table, rls.is_empty()) {
            rls.push(RowFilterClause::new(table, "1 = 0".to_owned()));
        }
        Self {
            policy_version: policy.version(),
            filters: None,
            rls: Some(rls),
        }
    }
}

impl RowFilterClause {
    fn new(table: &TableName, clause: String) -> Self {
        Self {
            table: table.table.to_string(),
            schema: table.schema.as_ref().map(ToString::to_string),
            clause,
        }
    }
}

/// Get row filters
///
/// Which rows of which tables a token may see, by the policy as it stands: conditions with bound values for an
/// application's own queries, or clauses for Apache Superset. A token is checked as far as this server can; claims are taken
/// as they are given, and must come from a verified token.
#[utoipa::path(
    post,
    path = "/v1/policy/row-filters",
    operation_id = "getRowFilters",
    tag = "Policy",
    request_body = GetRowFiltersRequest,
    responses(
        (status = 200, description = "The filters", body = RowFilters),
        (status = 422, description = "`token_not_active`, `invalid_table`, `conflicting_fields`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn get_row_filters(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::GetRowFilters>,
    JsonBody(body): JsonBody<GetRowFiltersRequest>,
) -> Result<Json<RowFilters>, Problem> {
    let (style, table) = (body.style()?, body.table()?);
    let slug = caller.organization_slug();
    let claims = match Presented::read(&state, slug, body.token, body.claims).await? {
        Presented::Token(token) => token.row_claims(),
        Presented::Claims(Object(claims)) => TokenClaims {
            roles: claims.roles.into_iter().collect(),
            attributes: claims.attributes,
        },
    };
    let policy = state
        .services
        .policy
        .snapshot(caller.organization())
        .await?;
    Ok(Json(match body.output {
        RowFilterOutput::Sql => RowFilters::sql(&policy, table, &claims, &style),
        RowFilterOutput::Superset => RowFilters::superset(&policy, table.as_ref(), &claims),
    }))
}
