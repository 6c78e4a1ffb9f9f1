//! Cases pass when the policy is right, and say what is wrong when it is not.

use serde_json::json;

use super::*;
use crate::{PolicyDocument, PolicySnapshot};

async fn policy() -> PolicySnapshot {
    let document = json!({
        "roles": [
            {"name": "viewer", "max_ttl_seconds": 600, "permissions": [
                {"resource": "dashboard", "action": "view"},
                {"resource": "dashboard/pay", "action": "view", "effect": "deny"},
            ]},
        ],
        "attributes": [
            {"name": "tenant_id", "type": "string", "required": true},
            {"name": "email", "type": "string", "sensitive": true},
        ],
        "row_rules": [{"name": "own", "table": "orders", "roles": ["viewer"],
            "where": {"column": "tenant", "operator": "=", "attribute": "tenant_id"}}],
    });
    let document: PolicyDocument = serde_json::from_value(document).unwrap();
    document.compile(1).await.unwrap()
}

async fn run(text: &str) -> CasesReport {
    PolicyCases::from_yaml(text).unwrap().run(&policy().await)
}

const RIGHT: &str = r#"
keys:
  backend: {fixed_attributes: {tenant_id: t-1}}
  none: {roles: []}
audiences:
  default: {default_ttl_seconds: 900, max_ttl_seconds: 3600}
cases:
  - name: everything that a token says
    key: backend
    user: {roles: [viewer], attributes: {email: a@b}}
    expect: granted
    token:
      roles: [viewer]
      attributes: {tenant_id: t-1, email: a@b}
      scope: []
      ttl_seconds: 600
      sensitive: [email]
    access:
      - {resource: dashboard/x, action: view, allowed: true}
      - {resource: dashboard/pay, action: view, allowed: false}
    rows:
      - {table: orders, sql: '"orders"."tenant" = $1', binds: [t-1]}
      - {table: other, sql: "1 = 0", binds: []}
  - name: only the resources that were asked for
    user: {roles: [viewer], attributes: {tenant_id: t-1}}
    resources: [{type: dashboard, id: a}]
    expect: granted
    access:
      - {resource: dashboard/a, action: view, allowed: true}
      - {resource: dashboard/b, action: view, allowed: false}
  - name: all reasons, in any order
    key: none
    user: {roles: [viewer, ghost], attributes: {tenant_id: null}}
    audience: elsewhere
    ttl_seconds: 601
    expect: refused
    because:
      - ttl_out_of_range
      - unknown_role /user/roles/1
      - role_not_allowed
      - attribute_null /user/attributes/tenant_id
      - unknown_audience
  - name: whatever the reasons are
    user: {roles: []}
    expect: refused
"#;

#[tokio::test]
async fn cases_that_are_right_pass() {
    let report = run(RIGHT).await;
    assert!(report.is_success(), "{report}");
    assert_eq!((report.passed, report.failed), (4, 0));
    let told = report.to_string();
    assert!(
        told.starts_with("pass  everything that a token says\npass  only"),
        "{told}"
    );
    assert!(told.ends_with("4 passed, 0 failed"), "{told}");
}

/// Each change makes one case wrong, and the report names the field.
#[tokio::test]
async fn what_differs_is_told() {
    let table = [
        (
            "roles: [viewer]\n      attributes",
            "roles: []\n      attributes",
            "token.roles",
        ),
        (
            "email: a@b}\n      scope",
            "email: a@c}\n      scope",
            "token.attributes",
        ),
        ("scope: []", "scope: [\"dashboard:view\"]", "token.scope"),
        ("ttl_seconds: 600", "ttl_seconds: 900", "token.ttl_seconds"),
        ("sensitive: [email]", "sensitive: []", "token.sensitive"),
        (
            "action: view, allowed: true}\n      - {resource: dashboard/pay",
            "action: view, allowed: false}\n      - {resource: dashboard/pay",
            "access[0] dashboard/x:view",
        ),
        (
            "{resource: dashboard/pay, action: view, allowed: false}",
            "{resource: dashboard/pay, action: view, allowed: true}",
            "access[1] dashboard/pay:view",
        ),
        ("= $1'", "= $2'", "rows[0].sql"),
        ("binds: [t-1]", "binds: [t-2]", "rows[0].binds"),
        ("table: other", "table: \"no table\"", "rows[1]"),
        ("      - ttl_out_of_range\n", "", "because"),
        ("/user/roles/1", "/user/roles/0", "because"),
        (
            "- role_not_allowed",
            "- role_not_allowed\n      - role_not_allowed",
            "because",
        ),
        (
            "user: {roles: []}\n    expect: refused",
            "user: {roles: []}\n    expect: granted",
            "expect",
        ),
        (
            "    user: {roles: []}",
            "    user: {roles: [viewer], attributes: {tenant_id: x}}",
            "expect",
        ),
    ];
    for (right, wrong, field) in table {
        assert_eq!(RIGHT.matches(right).count(), 1, "{right}");
        let report = run(&RIGHT.replace(right, wrong)).await;
        let fields: Vec<_> = report
            .cases
            .iter()
            .flat_map(|case| &case.differences)
            .map(|it| it.field.as_str())
            .collect();
        assert_eq!(fields, [field], "{report}");
        assert_eq!(report.failed, 1);
    }
}

#[tokio::test]
async fn a_failed_case_shows_the_reasons() {
    let report = run("cases: [{name: a, user: {roles: [viewer]}, expect: granted}]").await;
    assert_eq!(
        report.to_string(),
        "FAIL  a\n      expect: expected \"granted\"\n              found    \"refused\"\n      \
         missing_attribute /user/attributes/tenant_id: Attribute `tenant_id` is required.\n\
         0 passed, 1 failed"
    );
}

#[tokio::test]
async fn a_key_that_the_policy_cannot_honour_grants_nothing() {
    let text = "keys: {bad: {fixed_attributes: {nothing: x}}}\n\
                cases: [{name: a, key: bad, user: {roles: [viewer]}, expect: refused, because: [policy_unusable]}]";
    assert!(run(text).await.is_success());
}

#[test]
fn a_file_that_checks_less_than_it_seems_is_refused() {
    let case = |rest: &str| format!("cases: [{{name: a, user: {{roles: [x]}}, {rest}}}]");
    let table = [
        ("cases: []".to_owned(), "there are no cases"),
        ("{}".to_owned(), "missing field `cases`"),
        (case("key: k, expect: granted"), "there is no key `k`"),
        (case("expect: granted, because: []"), "`because` is for cases"),
        (case("expect: refused, token: {roles: []}"), "are for cases that expect `granted`"),
        (
            case("expect: refused, access: [{resource: a, action: b, allowed: true}]"),
            "are for cases that expect `granted`",
        ),
        (case("expect: refused, rows: [{table: a, sql: b}]"), "are for cases that expect `granted`"),
        (case("expect: refused, because: [unknown_rol]"), "no such code"),
        (case("expect: maybe"), "maybe"),
        (case("expect: granted, scope: []"), "unknown field `scope`"),
        (case("expect: granted, access: [{resource: A, action: b, allowed: true}]"), "a resource is"),
        (
            "cases:\n  - {name: a, user: {roles: [x]}, expect: refused}\n  - {name: a, user: {roles: [x]}, expect: refused}"
                .to_owned(),
            "two cases are called `a`",
        ),
    ];
    for (text, expected) in table {
        let fault = PolicyCases::from_yaml(&text).unwrap_err().to_string();
        assert!(fault.contains(expected), "{text}: {fault}");
    }
}
