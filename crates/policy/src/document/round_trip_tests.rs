//! Whatever a document says: written and read again, it says the same.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::PolicyDocument;

/// Texts that formats like to read as something else, and texts of any characters.
fn text() -> impl Strategy<Value = String> {
    let tricky: &[&str] = &[
        "",
        " ",
        "no",
        "null",
        "~",
        "true",
        "1",
        "1.0",
        "0x1F",
        "0o7",
        "007",
        "1e3",
        ".inf",
        ".nan",
        "1_000",
        "-",
        "- a",
        "? a",
        "a: b",
        "a:",
        "#",
        " # a",
        "[a]",
        "{a: b}",
        "&a",
        "*a",
        "!a",
        "|",
        ">",
        "%a",
        "@a",
        "`a`",
        "'",
        "\"",
        "\\",
        "\\n",
        "\n",
        "\r\n",
        "\t",
        "\u{0}",
        "\u{7f}",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\u{ffff}",
        "🦀",
        "---",
        "...",
        "2026-01-31",
        "2026-01-31T00:00:00Z",
        "<<",
        "=",
        "a\n\nb\n",
        "  a  ",
        "é",
    ];
    prop_oneof![
        proptest::sample::select(tricky).prop_map(ToOwned::to_owned),
        any::<String>(),
        "[ -~]{0,120}",
    ]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(&["a", "no", "null", "y", "true", "x1", "e1", "tenant_id"][..])
            .prop_map(ToOwned::to_owned),
        "b[a-z0-9_]{0,20}",
    ]
}

fn names() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(name(), 0..4)
}

/// No null, which YAML's reader refuses and no valid policy has.
fn value() -> impl Strategy<Value = Value> {
    let single = prop_oneof![
        text().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        // As people write them: serde_json rounds longer ones when it reads them.
        any::<i32>().prop_map(|it| json!(f64::from(it) / 8.0)),
        any::<bool>().prop_map(Value::from),
    ];
    single.prop_recursive(2, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(text(), inner, 0..3).prop_map(|it| json!(it)),
        ]
    })
}

/// An object with some of these fields.
fn some_of(fields: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    let fields: Vec<_> = fields
        .into_iter()
        .map(|(name, value)| (Just(name), proptest::option::of(value)))
        .collect();
    fields
        .prop_map(|fields| {
            let given = fields.into_iter();
            given
                .filter_map(|(name, value)| Some((name.to_owned(), value?)))
                .collect()
        })
        .boxed()
}

/// The same with fields that are always there.
fn with(some: BoxedStrategy<Value>, all: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    (some, all)
        .prop_map(|(mut some, all)| {
            if let (Value::Object(some), Value::Object(all)) = (&mut some, all) {
                some.extend(all);
            }
            some
        })
        .boxed()
}

fn json<T: serde::Serialize + std::fmt::Debug>(
    of: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<Value> {
    of.prop_map(|it| json!(it)).boxed()
}

fn role() -> BoxedStrategy<Value> {
    let patterns: &[&str] = &[
        "*",
        "dashboard",
        "dashboard/sales",
        "dashboard/eu-*",
        "file/a: #b",
        "file/é \"x\"",
    ];
    let effects: &[&str] = &["allow", "deny"];
    let permission = (
        proptest::sample::select(patterns),
        proptest::sample::select(&["*", "view", "no"][..]),
        proptest::sample::select(effects),
    );
    let permission = permission.prop_map(
        |(resource, action, effect)| json!({"resource": resource, "action": action, "effect": effect}),
    );
    let some = some_of(vec![
        ("description", json(text())),
        ("inherits", json(names())),
        (
            "permissions",
            json(proptest::collection::vec(permission, 0..4)),
        ),
        ("required_attributes", json(names())),
        ("audiences", json(names())),
        ("default_ttl_seconds", json(any::<u32>())),
        ("max_ttl_seconds", json(any::<u32>())),
    ]);
    with(some, name().prop_map(|it| json!({"name": it})).boxed())
}

fn attribute() -> BoxedStrategy<Value> {
    let some = some_of(vec![
        ("description", json(text())),
        ("list", json(any::<bool>())),
        ("required", json(any::<bool>())),
        ("sensitive", json(any::<bool>())),
        (
            "normalize",
            json(proptest::collection::vec(
                proptest::sample::select(&["trim", "case_fold", "uuid"][..]),
                0..4,
            )),
        ),
        ("requires", json(names())),
        (
            "from_role",
            json(proptest::collection::btree_map(name(), value(), 0..3)),
        ),
        (
            "allowed_values",
            json(proptest::collection::vec(value(), 0..20)),
        ),
        ("pattern", json(text())),
        ("max_length", json(prop_oneof![Just(256), any::<u32>()])),
        ("max_items", json(prop_oneof![Just(100), any::<u32>()])),
    ]);
    let types: &[&str] = &["string", "integer", "number", "boolean", "date"];
    let all = (name(), proptest::sample::select(types));
    with(
        some,
        all.prop_map(|(name, value_type)| json!({"name": name, "type": value_type}))
            .boxed(),
    )
}

fn condition() -> impl Strategy<Value = Value> {
    let operators: &[&str] = &["=", "in", "<", "<=", ">", ">=", "is null"];
    let test = (
        text(),
        proptest::sample::select(operators),
        some_of(vec![("attribute", json(name())), ("value", json(value()))]),
    );
    let test = test.prop_map(|(column, operator, mut operand)| {
        operand["column"] = column.into();
        operand["operator"] = operator.into();
        operand
    });
    test.prop_recursive(4, 12, 3, |inner| {
        let group = proptest::collection::vec(inner, 0..4);
        (any::<bool>(), group).prop_map(|(all, group)| {
            if all {
                json!({"all": group})
            } else {
                json!({"any": group})
            }
        })
    })
}

fn row_rule() -> BoxedStrategy<Value> {
    let some = some_of(vec![("schema", json(text()))]);
    let all = (name(), text(), names(), condition()).prop_map(|(name, table, roles, condition)| {
        json!({"name": name, "table": table, "roles": roles, "where": condition})
    });
    with(some, all.boxed())
}

fn document() -> impl Strategy<Value = PolicyDocument> {
    let list = |of| proptest::collection::vec(of, 0..4);
    (list(role()), list(attribute()), list(row_rule())).prop_map(
        |(roles, attributes, row_rules)| {
            let document =
                json!({"roles": roles, "attributes": attributes, "row_rules": row_rules});
            serde_json::from_value(document).unwrap()
        },
    )
}

proptest! {
    #[test]
    fn a_document_survives_yaml_and_json(document in document()) {
        let yaml = document.to_commented_yaml();
        let read = PolicyDocument::from_yaml(&yaml);
        prop_assert_eq!(read.as_ref(), Ok(&document), "{}", yaml);
        let json = serde_json::to_string(&document).unwrap();
        prop_assert_eq!(PolicyDocument::from_json(&json), Ok(document));
    }

    #[test]
    fn no_text_is_too_strange_to_refuse(text in any::<String>(), rules in "[pg, a-z\"\n#*/-]{0,80}") {
        let _ = PolicyDocument::from_yaml(&text);
        let _ = PolicyDocument::from_json(&text);
        let document = PolicyDocument::default().with_casbin_csv(&rules);
        if let Ok(document) = document {
            prop_assert!(document.roles.iter().all(|role| !role.inherits.contains(&role.name)));
        }
    }
}
