//! What the outputs say, word for word.

use super::*;
use crate::row_rules::{
    FragmentStyle, IdentifierQuote, Placeholder, SqlName, postgres_ddl, superset_rls,
    where_fragment,
};

const DOLLAR: FragmentStyle = FragmentStyle {
    placeholder: Placeholder::Dollar { first: 1 },
    quote: IdentifierQuote::Ansi,
    alias: None,
};

fn fragment(condition: Value, claims: &TokenClaims) -> (String, Value) {
    let fragment = where_fragment(&compiled(rule(condition)), &orders(), claims, &DOLLAR);
    (fragment.sql, serde_json::to_value(fragment.binds).unwrap())
}

fn clause(condition: Value, claims: &TokenClaims) -> String {
    let [clause] = superset_rls(&compiled(rule(condition)), claims)
        .try_into()
        .unwrap();
    assert_eq!(clause.table, orders());
    clause.clause
}

fn policy(condition: Value) -> String {
    let ddl = postgres_ddl(&compiled(rule(condition)));
    let (_, policy) = ddl.split_once("for select using (\n  ").unwrap();
    let policy = policy.strip_suffix("\n);\n").unwrap();
    policy.to_owned()
}

/// A condition, its fragment, its binds and its Superset clause for a viewer with every attribute.
fn cases() -> Vec<(Value, &'static str, Value, &'static str)> {
    vec![
        (
            json!({"column": "c", "operator": "=", "attribute": "tenant_id"}),
            r#""orders"."c" = $1"#,
            json!(["t-1"]),
            "c = 't-1'",
        ),
        (
            json!({"column": "c", "operator": "in", "attribute": "regions"}),
            r#""orders"."c" in ($1, $2)"#,
            json!(["eu", "d'Oc"]),
            "c in ('eu', 'd''Oc')",
        ),
        (
            json!({"column": "c", "operator": "<=", "attribute": "level"}),
            r#""orders"."c" <= $1"#,
            json!([-3]),
            "c <= -3",
        ),
        (
            json!({"all": [
                {"column": "c", "operator": ">", "value": 1e-7},
                {"any": [
                    {"column": "d", "operator": ">=", "attribute": "since"},
                    {"column": "d", "operator": "is null"},
                    {"all": [{"column": "e", "operator": "=", "value": true}]},
                ]},
            ]}),
            r#"("orders"."c" > $1 and ("orders"."d" >= $2 or "orders"."d" is null or "orders"."e" = $3))"#,
            json!([1e-7, "2026-01-31", true]),
            "(c > 0.0000001 and (d >= '2026-01-31' or d is null or e = true))",
        ),
    ]
}

#[test]
fn conditions_are_written_as_meant() {
    let claims = viewer(json!({
        "tenant_id": "t-1", "regions": ["eu", "d'Oc"], "level": -3, "since": "2026-01-31",
    }));
    for (condition, sql, binds, expected_clause) in cases() {
        assert_eq!(
            fragment(condition.clone(), &claims),
            (sql.to_owned(), binds)
        );
        assert_eq!(clause(condition, &claims), expected_clause);
    }
}

#[test]
fn a_policy_reads_the_claims_in_sub_selects() {
    let has_role = "(select jeton.has_role(array['editor', 'viewer']::text[]))";
    let table = [
        (
            json!({"column": "c", "operator": "=", "attribute": "tenant_id"}),
            "(select jeton.attribute_text('tenant_id')) is not null and \
             \"c\" = (select jeton.attribute_text('tenant_id'))",
        ),
        (
            json!({"column": "c", "operator": "in", "attribute": "levels"}),
            "(select jeton.attribute_bigint_list('levels')) is not null and \
             \"c\" = any ((select jeton.attribute_bigint_list('levels'))::bigint[])",
        ),
        (
            json!({"column": "c", "operator": "in", "value": [-1, 2.5]}),
            "\"c\" = any (array['-1', '2.5']::numeric[])",
        ),
        (
            json!({"column": "c", "operator": "<", "value": "2026-01-31"}),
            "\"c\" < '2026-01-31'::date",
        ),
        (
            json!({"column": "c", "operator": "=", "value": r"it's \' or true --"}),
            r#""c" = E'it''s \\'' or true --'::text"#,
        ),
        (
            json!({"column": "c", "operator": "=", "value": false}),
            "\"c\" = 'false'::boolean",
        ),
    ];
    for (condition, expected) in table {
        assert_eq!(policy(condition), format!("({has_role} and {expected})"));
    }
}

#[test]
fn what_does_not_count_leaves_no_rows() {
    let any = json!({"any": [
        {"column": "a", "operator": "is null"},
        {"column": "b", "operator": "=", "attribute": "tenant_id"},
        {"column": "c", "operator": "in", "attribute": "regions"},
    ]});
    let unusable = [
        json!({"regions": ["eu"]}),
        json!({"tenant_id": "t"}),
        json!({"tenant_id": "t", "regions": "eu"}),
        json!({"tenant_id": "t", "regions": []}),
        json!({"tenant_id": "t", "regions": ["eu", null]}),
        json!({"tenant_id": "t", "regions": ["eu", 1]}),
        json!({"tenant_id": null, "regions": ["eu"]}),
        json!({"tenant_id": "", "regions": ["eu"]}),
        json!({"tenant_id": "\u{a0}", "regions": ["eu"]}),
        json!({"tenant_id": ["t"], "regions": ["eu"]}),
        json!({"tenant_id": "t\u{0}", "regions": ["eu"]}),
        json!({"tenant_id": 1, "regions": ["eu"]}),
    ];
    for attributes in unusable {
        let claims = viewer(attributes);
        assert_eq!(fragment(any.clone(), &claims), ("1 = 0".into(), json!([])));
        assert_eq!(clause(any.clone(), &claims), "1 = 0");
    }
    let attributes = json!({"tenant_id": "t", "regions": ["eu"]});
    let ghost = json!({"roles": ["auditor", "ghost"], "attributes": attributes});
    for payload in [
        ghost,
        json!({"attributes": attributes}),
        json!({"roles": "viewer", "attributes": attributes}),
        json!({"roles": ["viewer", 1], "attributes": attributes}),
        json!(null),
    ] {
        let claims = TokenClaims::from_json(&payload);
        assert_eq!(clause(any.clone(), &claims), "1 = 0", "{payload}");
    }
    let heir = TokenClaims::from_json(&json!({"roles": ["editor"], "attributes": attributes}));
    assert_ne!(clause(any, &heir), "1 = 0");
}

#[test]
fn rules_of_a_table_are_alternatives() {
    let rules = compiled(json!([
        {"name": "own", "table": "orders", "roles": ["viewer"],
         "where": {"column": "tenant", "operator": "=", "attribute": "tenant_id"}},
        {"name": "open", "table": "orders", "roles": ["auditor"],
         "where": {"column": "state", "operator": "=", "value": "open"}},
        {"name": "other", "schema": "s", "table": "items", "roles": ["auditor"],
         "where": {"column": "a", "operator": "is null"}},
    ]));
    let both = json!({"roles": ["viewer", "auditor"], "attributes": {"tenant_id": "t"}});
    let clauses: Vec<_> = superset_rls(&rules, &TokenClaims::from_json(&both))
        .into_iter()
        .map(|clause| (clause.table.to_string(), clause.clause))
        .collect();
    let expected = [
        ("orders", "(tenant = 't' or state = 'open')"),
        ("s.items", "a is null"),
    ];
    assert_eq!(
        clauses,
        expected.map(|(table, clause)| (table.to_owned(), clause.to_owned()))
    );
    // A table without rules is no table to open.
    let items = TableName::parse(None, "items").unwrap();
    let fragment = where_fragment(&rules, &items, &TokenClaims::from_json(&both), &DOLLAR);
    assert_eq!(fragment.sql, "1 = 0");
}

#[test]
fn placeholders_and_quotes_follow_the_style() {
    let rules = compiled(rule(
        json!({"column": "c", "operator": "in", "attribute": "regions"}),
    ));
    let claims = viewer(json!({"regions": ["eu", "us"]}));
    let alias = Some(SqlName::parse("o").unwrap());
    let table = [
        (Placeholder::Dollar { first: 4 }, r#""o"."c" in ($4, $5)"#),
        (Placeholder::Question, r#""o"."c" in (?, ?)"#),
        (Placeholder::Colon, r#""o"."c" in (:jeton_1, :jeton_2)"#),
    ];
    for (placeholder, expected) in table {
        let mut style = FragmentStyle {
            placeholder,
            quote: IdentifierQuote::Ansi,
            alias: alias.clone(),
        };
        assert_eq!(
            where_fragment(&rules, &orders(), &claims, &style).sql,
            expected
        );
        style.quote = IdentifierQuote::Backtick;
        assert_eq!(
            where_fragment(&rules, &orders(), &claims, &style).sql,
            expected.replace('"', "`")
        );
    }
}

#[test]
fn superset_gets_no_text_that_a_dialect_reads_otherwise() {
    let condition = json!({"column": "c", "operator": "=", "attribute": "tenant_id"});
    for good in [
        "t-1",
        "O'Brien",
        "urn:tenant:1",
        "a@b.example",
        "Île-de-France",
        "日本",
    ] {
        let quoted = format!("c = '{}'", good.replace('\'', "''"));
        assert_eq!(
            clause(condition.clone(), &viewer(json!({"tenant_id": good}))),
            quoted
        );
    }
    for bad in [
        r"\",
        r"\' or 1=1 -- ",
        "{{ 1 }}",
        "{% if %}",
        "100%",
        "%(a)s",
        "a :b",
        ":b",
        "a\"b",
        "a`b",
        "a;b",
        "a?",
        "$1",
        "\u{2bc} or 1=1",
        "\u{ff07}",
        "\u{2019}",
        "a\u{200b}b",
        "🙂",
    ] {
        let claims = viewer(json!({"tenant_id": bad}));
        assert_eq!(clause(condition.clone(), &claims), "1 = 0", "{bad}");
        let literal = json!({"column": "c", "operator": "=", "value": bad});
        assert_eq!(clause(literal, &claims), "1 = 0", "{bad}");
        // Bound values need no such care.
        assert_eq!(fragment(condition.clone(), &claims).1, json!([bad]));
    }
    for column in ["user", "CURRENT_USER", "true", "a$1"] {
        let condition = json!({"column": column, "operator": "=", "value": "a"});
        assert_eq!(clause(condition, &viewer(json!({}))), "1 = 0", "{column}");
    }
}
