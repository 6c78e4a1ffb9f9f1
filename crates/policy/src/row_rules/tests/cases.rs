//! Random rules, rows and tokens.

use proptest::{prelude::*, sample::select};

use super::{naive::Row, *};

/// A type with the column that has it, its attributes, and few values, so that they often meet.
pub(super) struct Kind {
    pub(super) column: &'static str,
    single: &'static str,
    list: &'static str,
    ordered: bool,
    /// Whether a literal of `=` and `in` has the type.
    literal: bool,
    values: fn() -> Vec<Value>,
}

/// One kind for each type.
pub(super) const KINDS: [Kind; 5] = [
    Kind {
        column: "c_text",
        single: "tenant_id",
        list: "regions",
        ordered: false,
        literal: true,
        values: || {
            let plain = ["t-1", "t-1", "t-2", "t-2", "O'Brien", "é"];
            let special = [r"\' or true --", "x\"y", "$1"];
            plain.into_iter().chain(special).map(Value::from).collect()
        },
    },
    Kind {
        column: "c_int",
        single: "level",
        list: "levels",
        ordered: true,
        literal: true,
        values: || [-1, 0, 1, 2].map(Value::from).to_vec(),
    },
    Kind {
        column: "c_num",
        single: "score",
        list: "scores",
        ordered: true,
        literal: true,
        values: || vec![json!(-0.5), json!(0), json!(1.0), json!(2.5)],
    },
    Kind {
        column: "c_bool",
        single: "active",
        list: "flags",
        ordered: false,
        literal: true,
        values: || [false, true].map(Value::from).to_vec(),
    },
    Kind {
        column: "c_date",
        single: "since",
        list: "days",
        ordered: true,
        literal: false,
        values: || {
            ["2026-01-31", "2026-02-01", "2026-12-31"]
                .map(Value::from)
                .to_vec()
        },
    },
];

fn value(kind: usize) -> impl Strategy<Value = Value> {
    select((KINDS[kind].values)())
}

fn values(kind: usize) -> impl Strategy<Value = Value> {
    proptest::collection::vec(value(kind), 1..4).prop_map(Value::Array)
}

fn test() -> impl Strategy<Value = Value> {
    (0..KINDS.len()).prop_flat_map(|index| {
        let kind = &KINDS[index];
        let column = kind.column;
        let operators = if kind.ordered {
            vec!["=", "in", "<", "<=", ">", ">=", "is null"]
        } else {
            vec!["=", "=", "in", "in", "is null"]
        };
        (
            select(operators),
            any::<bool>(),
            value(index),
            values(index),
        )
            .prop_map(move |(operator, literal, value, values)| match operator {
                "is null" => json!({"column": column, "operator": operator}),
                "in" if literal && kind.literal => {
                    json!({"column": column, "operator": "in", "value": values})
                }
                "in" => json!({"column": column, "operator": "in", "attribute": kind.list}),
                _ if literal && (kind.literal || operator != "=") => {
                    json!({"column": column, "operator": operator, "value": value})
                }
                _ => json!({"column": column, "operator": operator, "attribute": kind.single}),
            })
    })
}

fn condition() -> impl Strategy<Value = Value> {
    test().prop_recursive(3, 8, 3, |inner| {
        let group = proptest::collection::vec(inner, 1..4);
        (any::<bool>(), group).prop_map(|(all, parts)| {
            let word = if all { "all" } else { "any" };
            json!({word: parts})
        })
    })
}

/// Rules for the table `orders`.
pub(super) fn row_rules() -> impl Strategy<Value = Vec<RowRule>> {
    let roles = proptest::collection::btree_set(select(vec!["viewer", "editor", "auditor"]), 1..3);
    proptest::collection::vec((roles, condition()), 1..4).prop_map(|found| {
        let found = found.into_iter().enumerate().map(|(index, (roles, condition))| {
            json!({"name": format!("r{index}"), "table": "orders", "roles": roles, "where": condition})
        });
        rules(found.collect())
    })
}

/// A row, with nulls.
pub(super) fn row() -> impl Strategy<Value = Row> {
    let cell = |index| proptest::option::weighted(0.8, value(index));
    (cell(0), cell(1), cell(2), cell(3), cell(4)).prop_map(|(a, b, c, d, e)| {
        let cells = [a, b, c, d, e].into_iter().zip(&KINDS);
        cells
            .filter_map(|(cell, kind)| cell.map(|value| (kind.column.to_owned(), value)))
            .collect()
    })
}

/// What no attribute, or only one of another type, should have.
fn odd() -> impl Strategy<Value = Value> {
    select(vec![
        json!(null),
        json!(""),
        json!(" \u{3000}"),
        json!("t-1\n"),
        json!([]),
        json!([null]),
        json!(["t-1", 1]),
        json!([[1]]),
        json!({"t-1": 1}),
        json!(5),
        json!(0.5),
        json!(true),
        json!("2026-02-29"),
        json!("2026-02-01"),
    ])
}

/// The payload of a token: most often regular, with some attributes missing or odd.
pub(super) fn payload() -> impl Strategy<Value = Value> {
    let attributes: Vec<_> = (0..KINDS.len())
        .flat_map(|index| {
            let single = (Just(KINDS[index].single), or_odd(value(index).boxed()));
            let list = (Just(KINDS[index].list), or_odd(values(index).boxed()));
            [single.boxed(), list.boxed()]
        })
        .collect();
    let names = vec!["viewer", "viewer", "editor", "auditor", "ghost"];
    let roles = proptest::collection::vec(select(names), 0..4).prop_map(|roles| json!(roles));
    let odd_roles = select(vec![
        json!("viewer"),
        json!({"viewer": 1}),
        json!(["viewer", 1]),
        json!(null),
    ]);
    let roles = prop_oneof![9 => roles, 1 => odd_roles];
    let regular = (roles, attributes).prop_map(|(roles, attributes)| {
        let attributes: BTreeMap<_, _> = attributes
            .into_iter()
            .filter_map(|(name, value)| value.map(|value| (name, value)))
            .collect();
        json!({"roles": roles, "attributes": attributes})
    });
    let irregular = select(vec![
        json!(null),
        json!([]),
        json!({"roles": ["viewer"], "attributes": ["tenant_id"]}),
    ]);
    prop_oneof![15 => regular, 1 => irregular]
}

fn or_odd(good: BoxedStrategy<Value>) -> impl Strategy<Value = Option<Value>> {
    prop_oneof![16 => good.prop_map(Some), 1 => Just(None), 2 => odd().prop_map(Some)]
}
