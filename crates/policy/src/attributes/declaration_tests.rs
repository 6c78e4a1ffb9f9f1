//! Declarations: what they mean when short, how they are written, what is wrong with them.

use serde_json::json;

use super::*;
use crate::testing::attribute;

fn check(json: Value) -> Vec<DeclarationFault> {
    attribute(json).check()
}

#[test]
fn a_short_declaration_gets_the_defaults() {
    let declaration = attribute(json!({"name": "tenant_id", "type": "string"}));
    assert_eq!((declaration.max_length, declaration.max_items), (256, 100));
    assert!(!declaration.list && !declaration.required);
    assert_eq!(declaration.check(), []);
    assert!(
        serde_json::from_value::<AttributeDeclaration>(
            json!({"name": "a", "type": "string", "requierd": true})
        )
        .is_err()
    );
}

#[test]
fn faults_are_found_all_at_once() {
    let faults = check(json!({
        "name": "level", "type": "integer", "pattern": "[", "max_length": 0, "max_items": 101,
        "allowed_values": [],
    }));
    assert_eq!(
        faults,
        [
            DeclarationFault::MaxLengthOutOfRange,
            DeclarationFault::MaxItemsOutOfRange,
            DeclarationFault::PatternNotForType,
            DeclarationFault::AllowedValuesEmpty,
        ]
    );
}

#[test]
fn a_pattern_must_be_usable_by_itself() {
    // The second would leave the anchors on one branch each; the third needs far too large an automaton.
    for pattern in ["(", "a)|(?:b", r"\w{1,255}", r"(a)\1"] {
        let faults = check(json!({"name": "a", "type": "string", "pattern": pattern}));
        assert!(
            matches!(faults[..], [DeclarationFault::PatternInvalid { .. }]),
            "{pattern}"
        );
    }
    let long = "a".repeat(MAX_PATTERN_LENGTH + 1);
    let faults = check(json!({"name": "a", "type": "string", "pattern": long}));
    assert_eq!(faults, [DeclarationFault::PatternTooLong]);
    for pattern in ["[a-z0-9-]{1,255}", r"[\w-]+", "t-[0-9]+", "(?i)eu|us"] {
        assert_eq!(
            check(json!({"name": "a", "type": "string", "pattern": pattern})),
            [],
            "{pattern}"
        );
    }
}

#[test]
fn an_allowed_value_must_be_one_that_can_be_granted() {
    let faults = check(json!({
        "name": "region", "type": "string", "pattern": "[a-z]+", "max_length": 3,
        "allowed_values": ["eu", 1, "", null, "EU", "asia", ["eu"]],
    }));
    let codes: Vec<_> = faults
        .iter()
        .map(|fault| match fault {
            DeclarationFault::AllowedValueUnusable { index, code } => (*index, *code),
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(
        codes,
        [
            (1, ReasonCode::AttributeType),
            (2, ReasonCode::AttributeEmpty),
            (3, ReasonCode::AttributeNull),
            (4, ReasonCode::AttributePattern),
            (5, ReasonCode::AttributeTooLong),
            (6, ReasonCode::AttributeType),
        ]
    );
    let many: Vec<_> = (0..=MAX_ALLOWED_VALUES).collect();
    let faults = check(json!({"name": "a", "type": "integer", "allowed_values": many}));
    assert_eq!(faults, [DeclarationFault::AllowedValuesTooMany]);
}

#[test]
fn the_limits_themselves_are_usable() {
    let values: Vec<_> = (0..MAX_ALLOWED_VALUES).collect();
    let pattern = "a".repeat(MAX_PATTERN_LENGTH);
    for json in [
        json!({"name": "a", "type": "integer", "allowed_values": values}),
        json!({"name": "a", "type": "string", "pattern": pattern}),
        json!({"name": "a", "type": "string", "max_length": 1, "max_items": 1}),
        json!({"name": "a", "type": "string", "max_length": MAX_LENGTH, "max_items": MAX_ITEMS}),
    ] {
        assert_eq!(check(json), []);
    }
}

/// The store keeps what is written: what is left out must be what is read when it is not there.
#[test]
fn a_declaration_is_written_with_all_that_is_not_the_default() {
    let plain = json!({"name": "a", "type": "string"});
    let table = [
        ("list", json!(false), json!(true)),
        ("required", json!(false), json!(true)),
        ("sensitive", json!(false), json!(true)),
        ("normalize", json!([]), json!(["trim"])),
        ("requires", json!([]), json!(["b"])),
        ("from_role", json!({}), json!({"viewer": "x"})),
        ("max_length", json!(256), json!(255)),
        ("max_items", json!(100), json!(99)),
        ("description", json!(""), json!("The tenant.")),
    ];
    for (field, default, other) in table {
        let written = |value| {
            let mut json = plain.clone();
            json[field] = value;
            (json.clone(), serde_json::to_value(attribute(json)).unwrap())
        };
        assert_eq!(written(default).1, plain, "{field}");
        let (given, found) = written(other);
        assert_eq!(found, given, "{field}");
    }
}

#[test]
fn values_of_roles_are_an_object_that_names_each_role_once() {
    let table = [
        (
            r#"{"name": "a", "type": "string", "from_role": ["x"]}"#,
            "expected an object with a value for each role",
        ),
        (
            r#"{"name": "a", "type": "string", "from_role": {"r": "x", "r": "y"}}"#,
            "role `r` is given twice",
        ),
    ];
    for (json, expected) in table {
        let error = serde_json::from_str::<AttributeDeclaration>(json).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}
