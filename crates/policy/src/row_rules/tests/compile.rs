//! What is refused before anything is rendered.

use super::*;
use crate::row_rules::{
    Condition, ConditionFault, MAX_CONDITION_DEPTH, MAX_LITERAL_ITEMS, MAX_ROW_RULES, MAX_TESTS,
    Operator, RowRuleFault,
};

fn faults(json: Value) -> Vec<RowRuleFault> {
    CompiledRowRules::compile(&rules(json), &declarations())
        .err()
        .unwrap_or_default()
}

/// The fault of a rule whose whole condition is `condition`.
fn fault_of(condition: Value) -> Option<ConditionFault> {
    match faults(rule(condition)).as_slice() {
        [] => None,
        [RowRuleFault::Condition { at, fault, .. }] if at.starts_with("where") => {
            Some(fault.clone())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_condition_has_one_of_three_forms() {
    for good in [
        json!({"all": [{"column": "a", "operator": "is null"}]}),
        json!({"any": []}),
        json!({"column": "a", "operator": "=", "attribute": "tenant_id"}),
        json!({"column": "a", "operator": "in", "value": [1, 2]}),
        json!({"column": "a", "operator": "=", "value": null}),
    ] {
        let condition: Condition = serde_json::from_value(good.clone()).unwrap();
        assert_eq!(serde_json::to_value(condition).unwrap(), good);
    }
    for bad in [
        json!({}),
        json!([]),
        json!({"all": [], "any": []}),
        json!({"all": [], "column": "a"}),
        json!({"all": [], "value": null}),
        json!({"column": "a"}),
        json!({"column": "a", "operator": "!="}),
        json!({"column": "a", "operator": "IN", "value": [1]}),
        json!({"column": "a", "operator": "=", "attribute": "Tenant"}),
        json!({"column": "a", "operator": "=", "attribute": "tenant_id", "cast": "text"}),
        json!({"not": {"column": "a", "operator": "is null"}}),
    ] {
        assert!(
            serde_json::from_value::<Condition>(bad.clone()).is_err(),
            "{bad}"
        );
    }
}

/// Checks each operator with each operand, on some column.
fn check(table: impl IntoIterator<Item = (&'static str, Value, Option<ConditionFault>)>) {
    for (operator, mut test, expected) in table {
        test["column"] = json!("c");
        test["operator"] = json!(operator);
        assert_eq!(fault_of(test.clone()), expected, "{test}");
    }
}

fn single(operator: Operator) -> ConditionFault {
    ConditionFault::SingleValueNeeded { operator }
}

fn not_ordered(operator: Operator) -> ConditionFault {
    ConditionFault::NotOrdered { operator }
}

fn one_needed(operator: Operator) -> ConditionFault {
    ConditionFault::OneOperandNeeded { operator }
}

#[test]
fn an_attribute_fits_its_operator() {
    use Operator::{Equal, Greater, GreaterOrEqual, In, Less};
    let both = json!({"attribute": "regions", "value": ["a"]});
    let not_taken = Some(ConditionFault::NoOperandTaken);
    check([
        ("=", json!({"attribute": "tenant_id"}), None),
        ("=", json!({"attribute": "since"}), None),
        ("=", json!({"attribute": "regions"}), Some(single(Equal))),
        ("in", json!({"attribute": "regions"}), None),
        (
            "in",
            json!({"attribute": "tenant_id"}),
            Some(ConditionFault::ListNeeded),
        ),
        ("<", json!({"attribute": "level"}), None),
        ("<=", json!({"attribute": "score"}), None),
        (">", json!({"attribute": "since"}), None),
        (
            ">=",
            json!({"attribute": "tenant_id"}),
            Some(not_ordered(GreaterOrEqual)),
        ),
        (
            ">",
            json!({"attribute": "active"}),
            Some(not_ordered(Greater)),
        ),
        ("<", json!({"attribute": "levels"}), Some(single(Less))),
        ("is null", json!({}), None),
        ("is null", json!({"value": null}), not_taken.clone()),
        ("is null", json!({"attribute": "level"}), not_taken),
        ("=", json!({}), Some(one_needed(Equal))),
        ("in", both, Some(one_needed(In))),
    ]);
}

#[test]
fn a_literal_fits_its_operator() {
    let literal_type = Some(ConditionFault::LiteralType);
    let characters = Some(ConditionFault::LiteralCharacters);
    check([
        ("=", json!({"value": ["a"]}), Some(single(Operator::Equal))),
        (
            "in",
            json!({"value": "a"}),
            Some(ConditionFault::ListNeeded),
        ),
        ("in", json!({"value": [1, 2.5]}), None),
        ("in", json!({"value": [true]}), None),
        ("in", json!({"value": []}), Some(ConditionFault::EmptyList)),
        ("in", json!({"value": [1, "a"]}), literal_type.clone()),
        ("in", json!({"value": [["a"]]}), literal_type.clone()),
        ("<", json!({"value": "2026-01-31"}), None),
        (
            "<",
            json!({"value": "2026-02-30"}),
            Some(not_ordered(Operator::Less)),
        ),
        (
            "<",
            json!({"value": "b"}),
            Some(not_ordered(Operator::Less)),
        ),
        (
            "<",
            json!({"value": true}),
            Some(not_ordered(Operator::Less)),
        ),
        ("<", json!({"value": 2.5}), None),
        ("=", json!({"value": ""}), None),
        ("=", json!({"value": null}), literal_type.clone()),
        ("=", json!({"value": {"a": 1}}), literal_type.clone()),
        (
            "=",
            json!({"value": 9_007_199_254_740_992_i64}),
            literal_type,
        ),
        ("=", json!({"value": "a\u{0}"}), characters.clone()),
        ("in", json!({"value": ["a", "\u{202e}b"]}), characters),
    ]);
}

#[test]
fn every_fault_is_told_at_once() {
    let found = faults(json!([
        {"name": "a", "table": "t", "roles": [], "where": {"any": [
            {"all": []},
            {"column": "x y", "operator": "=", "attribute": "ghost"},
        ]}},
        {"name": "a", "schema": "s", "table": "t", "roles": ["viewer", "nobody"],
         "where": {"column": "c", "operator": "is null"}},
        {"name": "b", "table": "t; drop table t", "roles": ["viewer"],
         "where": {"column": "c", "operator": "in", "attribute": "level"}},
    ]));
    let told: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "row rule `a` is declared twice",
            "row rule `a`: table `t` stands with a schema here and without one there",
            "row rule `a` has no roles",
            "row rule `a`, `where.any[0].all`: a group needs at least one condition",
            "row rule `a`, `where.any[1]`: `column` must be a SQL name: a letter or `_`, then letters, digits, `_` \
             and `$`, 63 at most",
            "row rule `a`, `where.any[1]`: attribute `ghost` is not declared",
            "row rule `a` is for role `nobody`, which is not declared",
            "row rule `b`: `schema` and `table` must be SQL names: a letter or `_`, then letters, digits, `_` and \
             `$`, 63 at most",
            "row rule `b`, `where`: `in` needs a list",
        ]
    );
}

#[test]
fn a_sql_name_holds_nothing_that_ends_it() {
    let longest = "a".repeat(63);
    for good in ["a", "_", "A$1", "orders_2026", longest.as_str()] {
        assert!(TableName::parse(Some(good), good).is_ok(), "{good}");
    }
    let too_long = "a".repeat(64);
    for bad in [
        "",
        "1a",
        "$a",
        "a b",
        "a.b",
        "a\"b",
        "a`b",
        "a'b",
        "a;b",
        "a--",
        "a\0",
        "a\n",
        "é",
        "а",
        too_long.as_str(),
    ] {
        assert!(TableName::parse(None, bad).is_err(), "{bad:?}");
        assert!(TableName::parse(Some(bad), "t").is_err(), "{bad:?}");
        let condition = json!({"column": bad, "operator": "is null"});
        assert_eq!(fault_of(condition), Some(ConditionFault::ColumnName));
    }
}

#[test]
fn there_are_limits() {
    let test = json!({"column": "c", "operator": "is null"});
    let nested = |levels| (0..levels).fold(test.clone(), |inner, _| json!({"all": [inner]}));
    assert_eq!(fault_of(nested(MAX_CONDITION_DEPTH)), None);
    let found = faults(rule(nested(MAX_CONDITION_DEPTH + 1)));
    assert!(matches!(found[..], [RowRuleFault::TooDeep { .. }]));

    let many = |count| json!({"any": vec![test.clone(); count]});
    assert_eq!(fault_of(many(MAX_TESTS)), None);
    let found = faults(rule(many(MAX_TESTS + 1)));
    assert!(matches!(
        found[..],
        [RowRuleFault::TooManyTests { count: 101, .. }]
    ));

    let list = |count| json!({"column": "c", "operator": "in", "value": vec![1; count]});
    assert_eq!(fault_of(list(MAX_LITERAL_ITEMS)), None);
    assert_eq!(
        fault_of(list(MAX_LITERAL_ITEMS + 1)),
        Some(ConditionFault::TooManyItems)
    );

    let rules = |count: usize| {
        let rule = |index| {
            json!({"name": format!("r{index}"), "table": "t", "roles": ["viewer"],
                "where": {"column": "c", "operator": "is null"}})
        };
        Value::Array((0..count).map(rule).collect())
    };
    assert_eq!(faults(rules(MAX_ROW_RULES)), []);
    let found = faults(rules(MAX_ROW_RULES + 1));
    assert_eq!(found, [RowRuleFault::TooManyRules { count: 1001 }]);
}
