//! The example of docs/row-filters.md is what the code gives.

use super::*;
use crate::row_rules::{
    FragmentStyle, IdentifierQuote, Placeholder, SqlName, postgres_ddl, superset_rls,
    where_fragment,
};

const DOCUMENT: &str = include_str!("../../../../../docs/row-filters.md");

/// The only fenced block whose opening fence says `info`.
fn block(info: &str) -> &'static str {
    let fence = format!("\n```{info}\n");
    let [_, after] = DOCUMENT
        .split(&fence)
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    after.split("\n```\n").next().unwrap()
}

fn json_block(info: &str) -> Value {
    serde_json::from_str(block(info)).unwrap()
}

/// The declarations that the document's text gives.
fn documented() -> CompiledRowRules {
    let kinds: BTreeMap<AttributeName, (crate::ValueType, bool)> = serde_json::from_value(json!({
        "tenant_id": ["string", false], "regions": ["string", true], "clearance": ["integer", false],
    }))
    .unwrap();
    let declarations = RowRuleDeclarations {
        attributes: kinds
            .into_iter()
            .map(|(name, (value_type, list))| (name, AttributeKind { value_type, list }))
            .collect(),
        ..declarations()
    };
    let rules: Vec<RowRule> =
        serde_json::from_value(json_block("json rules")["row_rules"].clone()).unwrap();
    CompiledRowRules::compile(&rules, &declarations).unwrap()
}

fn claims() -> TokenClaims {
    TokenClaims::from_json(&json_block("json token"))
}

#[test]
fn the_documented_policies_are_those_of_the_script() {
    let ddl = postgres_ddl(&documented());
    assert!(
        ddl.ends_with(&format!("\n{}\n", block("sql policies"))),
        "{ddl}"
    );
}

#[test]
fn the_documented_clauses_are_those_for_superset() {
    let clauses: Vec<_> = superset_rls(&documented(), &claims())
        .into_iter()
        .map(|clause| json!({"table": clause.table.to_string(), "clause": clause.clause}))
        .collect();
    let clauses = Value::Array(clauses);
    assert_eq!(clauses, json_block("json superset"), "{clauses:#}");
}

#[test]
fn the_documented_condition_is_the_fragment() {
    let style = FragmentStyle {
        placeholder: Placeholder::Dollar { first: 2 },
        quote: IdentifierQuote::Ansi,
        alias: Some(SqlName::parse("o").unwrap()),
    };
    let fragment = where_fragment(&documented(), &orders(), &claims(), &style);
    assert!(
        block("sql query").contains(&fragment.sql),
        "{}",
        fragment.sql
    );
    let binds = serde_json::to_value(&fragment.binds).unwrap();
    assert_eq!(binds, json_block("json binds"), "{binds}");
}
