//! What policies look like, for the OpenAPI document.
//!
//! Requests are read into the types of the `policy` crate, and answers are written from them; these are their
//! descriptions. A test sees to it that both have the same fields.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::texts::{AttributeNameText, AudienceNameText, RoleNameText};

/// The policy of an organization as a whole.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = Policy, default, example = json!({
    "roles": [{ "name": "viewer", "permissions": [{ "resource": "dashboard", "action": "view" }] }],
    "attributes": [{ "name": "tenant_id", "type": "string", "required": true }],
    "row_rules": [{
        "name": "own-orders", "table": "orders", "roles": ["viewer"],
        "where": { "column": "tenant_id", "operator": "=", "attribute": "tenant_id" },
    }],
}))]
pub struct PolicySchema {
    /// The roles.
    #[schema(required = false, max_items = 10_000)]
    roles: Vec<RoleSchema>,
    /// The attributes.
    #[schema(required = false, max_items = 1_000)]
    attributes: Vec<AttributeSchema>,
    /// Which rows of which tables a token may see.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, max_items = 1_000)]
    row_rules: Vec<RowRuleSchema>,
}

/// A role: a name that tokens carry, with what it implies.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Role, example = json!({
    "name": "editor", "description": "Changes dashboards.", "inherits": ["viewer"],
    "permissions": [{ "resource": "dashboard", "action": "edit" }], "max_ttl_seconds": 900,
}))]
pub struct RoleSchema {
    /// The name, unique in the organization.
    #[schema(pattern = "^[a-z][a-z0-9_-]{0,63}$")]
    name: String,
    /// What the role is for, in the words of who declared it; no control characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(
        required = false,
        max_length = 1_000,
        pattern = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$"
    )]
    description: String,
    /// Roles whose permissions, required attributes and limits this one includes. At most 256 with theirs, over at most
    /// 9 levels.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schema(value_type = Vec<RoleNameText>, required = false, max_items = 256)]
    inherits: BTreeSet<String>,
    /// What the role allows or denies by itself, without what it inherits. All roles together have at most 100,000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, max_items = 100_000)]
    permissions: Vec<RolePermissionSchema>,
    /// Attributes that a token with this role must carry.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schema(value_type = Vec<AttributeNameText>, required = false, max_items = 1_000)]
    required_attributes: BTreeSet<String>,
    /// The audiences that a token with this role may be for; absent for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<AudienceNameText>, required = false, min_items = 1, max_items = 100)]
    audiences: Option<BTreeSet<String>>,
    /// The life of a token with this role when the request names none, in seconds. Absent: what it inherits, or the
    /// audience's. Of several roles, the shortest counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = i64, required = false, minimum = 1, maximum = 4_294_967_295_i64)]
    default_ttl_seconds: Option<u32>,
    /// The longest life of a token with this role, in seconds; absent for no limit of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = i64, required = false, minimum = 1, maximum = 4_294_967_295_i64)]
    max_ttl_seconds: Option<u32>,
}

/// An action on resources, allowed or denied.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RolePermission)]
pub struct RolePermissionSchema {
    /// Which resources: `dashboard` for the kind and every one of it, `dashboard/sales` for one, `dashboard/eu-*` for
    /// those whose id begins so, `*` for everything.
    #[schema(
        examples("dashboard"),
        pattern = r"^([*]|[a-z][a-z0-9_-]{0,63}(/([^*\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*[*]|[^*\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*[^*\s\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069][^*\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*))?)$"
    )]
    resource: String,
    /// Which action: a name, or `*` for all.
    #[schema(examples("view"), pattern = "^([*]|[a-z][a-z0-9_-]{0,63})$")]
    action: String,
    /// Whether it allows, or denies what any role of the token allows.
    #[serde(default, skip_serializing_if = "EffectSchema::is_allow")]
    #[schema(required = false)]
    effect: EffectSchema,
}

/// What a permission does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Effect, default)]
pub enum EffectSchema {
    /// It allows.
    #[default]
    Allow,
    /// It forbids what other permissions allow.
    Deny,
}

impl EffectSchema {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    fn is_allow(&self) -> bool {
        *self == Self::Allow
    }
}

/// A row-level-security attribute that tokens may carry.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Attribute, example = json!({ "name": "tenant_id", "type": "string", "required": true, "normalize": ["trim"] }))]
pub struct AttributeSchema {
    /// The name, unique in the organization, and not the name of a claim.
    #[schema(pattern = "^[a-z][a-z0-9_]{0,63}$")]
    name: String,
    /// The type of the value, or of each item of a list.
    #[serde(rename = "type")]
    value_type: ValueTypeSchema,
    /// Whether the value is a list.
    #[serde(default, skip_serializing_if = "is_false")]
    #[schema(required = false, default = false)]
    list: bool,
    /// Whether every token must carry the attribute. Roles can require it as well.
    #[serde(default, skip_serializing_if = "is_false")]
    #[schema(required = false, default = false)]
    required: bool,
    /// Whether values are kept from logs, the audit trail and lists. Such an attribute has no `from_role`, and no API
    /// key fixes or limits it.
    #[serde(default, skip_serializing_if = "is_false")]
    #[schema(required = false, default = false)]
    sensitive: bool,
    /// What is done to a text, or to each item, before it is judged; in this order. For strings only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    normalize: Vec<NormalizationSchema>,
    /// Attributes that a token with this one must carry as well.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schema(value_type = Vec<AttributeNameText>, required = false, max_items = 1_000)]
    requires: BTreeSet<String>,
    /// The value of a token with this role when the request names none, by role. Of several roles, lists are joined;
    /// single values must be equal, or the request must say.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = std::collections::HashMap<RoleNameText, Value>, required = false)]
    from_role: BTreeMap<String, Value>,
    /// The only values allowed; in a list, for each item. Absent: any value of the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_items = 1, max_items = 1_000)]
    allowed_values: Option<Vec<Value>>,
    /// A [regular expression](https://docs.rs/regex/1/regex/#syntax) that a text, or each item, must match from its
    /// first to its last character. For strings only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(
        nullable = false,
        max_length = 1_024,
        pattern = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$"
    )]
    pattern: Option<String>,
    /// The longest text, in characters.
    #[serde(default = "default_length", skip_serializing_if = "is_default_length")]
    #[schema(required = false, default = 256, minimum = 1, maximum = 4_096)]
    max_length: u32,
    /// The most items of a list.
    #[serde(default = "default_items", skip_serializing_if = "is_default_items")]
    #[schema(required = false, default = 100, minimum = 1, maximum = 100)]
    max_items: u32,
    /// What the attribute restricts, in the words of who declared it; no control characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(
        required = false,
        max_length = 1_000,
        pattern = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$"
    )]
    description: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

fn default_length() -> u32 {
    policy::DEFAULT_MAX_LENGTH
}

fn default_items() -> u32 {
    policy::MAX_ITEMS
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_default_length(length: &u32) -> bool {
    *length == default_length()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_default_items(items: &u32) -> bool {
    *items == default_items()
}

/// The type of an attribute's value.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ValueType)]
pub enum ValueTypeSchema {
    /// Text.
    String,
    /// A whole number up to ±(2⁵³ − 1).
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A day, `YYYY-MM-DD`.
    Date,
}

/// A change of a text before it is judged and granted.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Normalization)]
pub enum NormalizationSchema {
    /// White space at both ends goes.
    Trim,
    /// Letters become lower case.
    CaseFold,
    /// A UUID becomes `8-4-4-4-12` lower-case digits; anything else is refused.
    Uuid,
}

/// Some rows of one table, made visible to tokens with one of some roles.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RowRule)]
pub struct RowRuleSchema {
    /// The name, unique among the rules.
    #[schema(pattern = "^[a-z][a-z0-9_-]{0,63}$")]
    name: String,
    /// The table's schema; either every rule of a table gives it or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[A-Za-z_][A-Za-z0-9_$]{0,62}$")]
    schema: Option<String>,
    /// The table, or what stands for one.
    #[schema(pattern = "^[A-Za-z_][A-Za-z0-9_$]{0,62}$")]
    table: String,
    /// Whom the rule is for: tokens that carry one of these roles, or one that inherits one of them.
    #[schema(value_type = Vec<RoleNameText>, min_items = 1)]
    roles: BTreeSet<String>,
    /// Which rows.
    #[serde(rename = "where")]
    condition: ConditionSchema,
}

/// Which rows: `all` or `any` of some conditions, at most 8 levels deep, or a test: `column`, `operator`, and `attribute`
/// or `value`. At most 100 tests.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Condition, example = json!({ "column": "tenant_id", "operator": "=", "attribute": "tenant_id" }))]
pub struct ConditionSchema {
    /// Every one of these is true.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion, nullable = false, min_items = 1)]
    all: Option<Vec<ConditionSchema>>,
    /// At least one of these is true.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion, nullable = false, min_items = 1)]
    any: Option<Vec<ConditionSchema>>,
    /// The column.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[A-Za-z_][A-Za-z0-9_$]{0,62}$")]
    column: Option<String>,
    /// How it is compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    operator: Option<OperatorSchema>,
    /// What it is compared with: the value of this attribute.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[a-z][a-z0-9_]{0,63}$")]
    attribute: Option<String>,
    /// What it is compared with: a literal; a list for `in`, of at most 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
}

/// How a column is compared.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Operator)]
pub enum OperatorSchema {
    /// Equal to a single value.
    #[serde(rename = "=")]
    Equal,
    /// Equal to one item of a list.
    #[serde(rename = "in")]
    In,
    /// Below an integer, number or date.
    #[serde(rename = "<")]
    Less,
    /// At most an integer, number or date.
    #[serde(rename = "<=")]
    LessOrEqual,
    /// Above an integer, number or date.
    #[serde(rename = ">")]
    Greater,
    /// At least an integer, number or date.
    #[serde(rename = ">=")]
    GreaterOrEqual,
    /// Null; compared with nothing.
    #[serde(rename = "is null")]
    IsNull,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn through<T: Serialize + for<'de> Deserialize<'de>>(json: &Value) -> Value {
        let read: T = serde_json::from_value(json.clone()).unwrap();
        serde_json::to_value(read).unwrap()
    }

    #[test]
    fn what_is_described_is_what_is_read_and_written() {
        let operators = ["=", "in", "<", "<=", ">", ">=", "is null"];
        let tests: Vec<_> = operators
            .iter()
            .map(|operator| json!({ "column": "c", "operator": operator, "attribute": "a", "value": 1 }))
            .collect();
        let types = ["string", "integer", "number", "boolean", "date"];
        let attributes = types.iter().map(|value_type| {
            json!({
                "name": "a", "type": value_type, "list": true, "required": true, "sensitive": true,
                "normalize": ["trim", "case_fold", "uuid"], "requires": ["b"], "from_role": { "viewer": "x" },
                "allowed_values": ["x"], "pattern": "x", "max_length": 1, "max_items": 1, "description": "x",
            })
        });
        let everything = json!({
            "roles": [{
                "name": "viewer", "description": "x", "inherits": ["a"],
                "permissions": [{ "resource": "d", "action": "view" }, { "resource": "d", "action": "*", "effect": "deny" }],
                "required_attributes": ["a"], "audiences": ["default"], "default_ttl_seconds": 1,
                "max_ttl_seconds": 2,
            }, { "name": "plain" }],
            "attributes": attributes.chain([json!({ "name": "a", "type": "string" })]).collect::<Vec<_>>(),
            "row_rules": [{
                "name": "r", "schema": "s", "table": "t", "roles": ["viewer"],
                "where": { "all": [{ "any": tests }] },
            }],
        });
        let mut read = through::<policy::PolicyDocument>(&everything);
        let permissions = read["roles"][0]["permissions"].as_array_mut().unwrap();
        permissions.sort_by_key(|it| it["effect"].is_string());
        assert_eq!(read, everything);
        assert_eq!(through::<PolicySchema>(&everything), everything);
        let nothing = json!({ "roles": [], "attributes": [] });
        assert_eq!(through::<policy::PolicyDocument>(&json!({})), nothing);
        assert_eq!(through::<PolicySchema>(&json!({})), nothing);
    }
}
