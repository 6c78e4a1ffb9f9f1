//! Values against declarations.

use serde_json::json;

use super::*;
use crate::testing::attribute;

fn codes(declaration: Value, json: &Value) -> Vec<(Option<usize>, ReasonCode)> {
    let compiled = CompiledAttribute::new(attribute(declaration)).unwrap();
    let faults = compiled.read(json).err().unwrap_or_default();
    faults
        .into_iter()
        .map(|fault| (fault.item, fault.code))
        .collect()
}

#[test]
fn what_restricts_nothing_is_refused_for_every_type() {
    for value_type in ["string", "integer", "number", "boolean", "date"] {
        for list in [false, true] {
            let declaration = json!({"name": "a", "type": value_type, "list": list});
            let table = [
                (json!(null), ReasonCode::AttributeNull),
                (json!(""), ReasonCode::AttributeEmpty),
                (json!(" \u{3000}"), ReasonCode::AttributeEmpty),
                (json!([]), ReasonCode::AttributeEmpty),
            ];
            for (json, code) in table {
                assert_eq!(codes(declaration.clone(), &json), [(None, code)], "{json}");
            }
        }
    }
    let list = json!({"name": "regions", "type": "string", "list": true});
    let expected = [
        (Some(0), ReasonCode::AttributeEmpty),
        (Some(2), ReasonCode::AttributeNull),
    ];
    assert_eq!(codes(list, &json!(["", "eu", null])), expected);
}

#[test]
fn a_text_is_held_to_its_declaration() {
    let declaration = json!({
        "name": "tenant", "type": "string", "max_length": 4, "pattern": "t-[0-9]|é+",
        "allowed_values": ["t-1", "éééé"],
    });
    let table = [
        (json!("t-1"), vec![]),
        (json!("éééé"), vec![]),
        (json!("t-2"), vec![ReasonCode::AttributeValueNotAllowed]),
        (
            json!("t-12"),
            vec![
                ReasonCode::AttributePattern,
                ReasonCode::AttributeValueNotAllowed,
            ],
        ),
        (
            json!("ééééé"),
            vec![
                ReasonCode::AttributeTooLong,
                ReasonCode::AttributeValueNotAllowed,
            ],
        ),
        (json!(1), vec![ReasonCode::AttributeType]),
        (json!(["t-1"]), vec![ReasonCode::AttributeType]),
    ];
    for (json, expected) in table {
        let found: Vec<_> = codes(declaration.clone(), &json)
            .into_iter()
            .map(|(_, code)| code)
            .collect();
        assert_eq!(found, expected, "{json}");
    }
}

#[test]
fn control_characters_are_refused() {
    let declaration = json!({"name": "a", "type": "string"});
    for text in ["a\0", "a\nb", "\u{1f}x", "x\u{7f}", "x\u{9f}"] {
        assert_eq!(
            codes(declaration.clone(), &json!(text)),
            [(None, ReasonCode::AttributeCharacters)]
        );
    }
    assert_eq!(codes(declaration, &json!("é 日本 🙂")), []);
}

#[test]
fn a_pattern_covers_the_whole_value() {
    let declaration = json!({"name": "a", "type": "string", "pattern": "(?m)a|b"});
    for text in ["ab", "xa", "bx"] {
        assert_eq!(
            codes(declaration.clone(), &json!(text)),
            [(None, ReasonCode::AttributePattern)]
        );
    }
    assert_eq!(codes(declaration, &json!("b")), []);
}

#[test]
fn a_list_is_judged_item_by_item() {
    let declaration = json!({"name": "a", "type": "integer", "list": true, "max_items": 2});
    assert_eq!(codes(declaration.clone(), &json!([1, 2])), []);
    assert_eq!(
        codes(declaration.clone(), &json!(1)),
        [(None, ReasonCode::AttributeType)]
    );
    assert_eq!(
        codes(declaration, &json!([1, [2], 3])),
        [
            (None, ReasonCode::AttributeTooManyItems),
            (Some(1), ReasonCode::AttributeType)
        ]
    );
}

#[test]
fn a_fault_never_repeats_the_value() {
    let declaration = json!({"name": "a", "type": "string", "pattern": "b", "max_length": 10});
    let compiled = CompiledAttribute::new(attribute(declaration)).unwrap();
    for text in ["secret", "secret\0", "secret-secret"] {
        let faults = compiled.read(&json!(text)).unwrap_err();
        assert!(
            faults.iter().all(|fault| !fault.detail.contains("secret")),
            "{faults:?}"
        );
    }
}

#[test]
fn a_list_within_a_list_restricts_nothing_when_it_is_empty() {
    let declaration = json!({"name": "a", "type": "string", "list": true});
    let expected = [
        (Some(0), ReasonCode::AttributeEmpty),
        (Some(1), ReasonCode::AttributeType),
    ];
    assert_eq!(codes(declaration, &json!([[], ["eu"]])), expected);
}

#[test]
fn a_fault_says_what_a_value_must_be() {
    let text = json!({"name": "a", "type": "string", "max_length": 3, "pattern": "[a-z]+"});
    let list = json!({"name": "a", "type": "integer", "list": true, "max_items": 1});
    let uuid = json!({"name": "a", "type": "string", "normalize": ["uuid"]});
    let uuids = json!({"name": "a", "type": "string", "list": true, "normalize": ["uuid"]});
    let typed = |value_type: &str| json!({"name": "a", "type": value_type});
    let table = [
        (
            &text,
            json!(null),
            "`a` is null, which would restrict nothing.",
        ),
        (
            &text,
            json!(" "),
            "`a` is empty, which would restrict nothing.",
        ),
        (&text, json!(1), "`a` must be a string."),
        (
            &typed("string"),
            json!("\0"),
            "`a` must not contain control characters.",
        ),
        (&text, json!("abcd"), "`a` must have at most 3 characters."),
        (
            &text,
            json!("A"),
            "`a` does not match the declared pattern.",
        ),
        (&typed("boolean"), json!(1), "`a` must be a boolean."),
        (
            &typed("number"),
            json!("1"),
            "`a` must be a number that every JSON reader keeps exactly.",
        ),
        (
            &typed("date"),
            json!("1"),
            "`a` must be a calendar date written YYYY-MM-DD.",
        ),
        (
            &list,
            json!(1),
            "`a` must be a list; each item an integer between -9007199254740991 and 9007199254740991.",
        ),
        (&list, json!([1, 2]), "`a` must have at most 1 items."),
        (
            &list,
            json!(["x"]),
            "This item of attribute `a` must be an integer between -9007199254740991 and 9007199254740991.",
        ),
        (&uuid, json!("x"), "`a` must be a UUID."),
        (
            &uuids,
            json!("x"),
            "`a` must be a list; each item a string.",
        ),
        (
            &json!({"name": "a", "type": "integer", "allowed_values": [1]}),
            json!(2),
            "`a` is not one of the declared allowed values.",
        ),
    ];
    for (declaration, json, expected) in table {
        let compiled = CompiledAttribute::new(attribute(declaration.clone())).unwrap();
        let faults = compiled.read(&json).unwrap_err();
        let details: Vec<_> = faults.iter().map(|fault| fault.detail.as_str()).collect();
        assert_eq!(details.len(), 1, "{declaration} {json}: {details:?}");
        let expected = match expected.strip_prefix('`') {
            Some(_) => format!("Attribute {expected}"),
            None => expected.to_owned(),
        };
        assert_eq!(details[0], expected);
    }
}

#[test]
fn declarations_judge_alike_when_they_take_the_same_values() {
    let plain = json!({"name": "a", "type": "string"});
    let table = [
        ("required", json!(true), true),
        ("sensitive", json!(true), true),
        ("requires", json!(["b"]), true),
        ("from_role", json!({"viewer": "x"}), true),
        ("description", json!("The tenant."), true),
        ("type", json!("date"), false),
        ("list", json!(true), false),
        ("normalize", json!(["trim"]), false),
        ("allowed_values", json!(["x"]), false),
        ("pattern", json!("x"), false),
        ("max_length", json!(1), false),
        ("max_items", json!(1), false),
    ];
    let compiled = |json: &Value| CompiledAttribute::new(attribute(json.clone())).unwrap();
    for (field, value, expected) in table {
        let mut changed = plain.clone();
        changed[field] = value;
        let (one, other) = (compiled(&plain), compiled(&changed));
        assert_eq!(one.judges_like(&other), expected, "{field}");
        assert_eq!(other.judges_like(&one), expected, "{field}");
    }
}

#[test]
fn allowed_values_and_those_of_roles_are_named() {
    let table = [
        (json!({"name": "a", "type": "integer"}), json!([])),
        (
            json!({"name": "a", "type": "integer", "allowed_values": [1, 2]}),
            json!([1, 2]),
        ),
        (
            json!({"name": "a", "type": "integer", "list": true, "allowed_values": [1, 2, 3],
                   "from_role": {"editor": [1, 2], "viewer": [3]}}),
            json!([1, 2, 3, 1, 2, 3]),
        ),
        (
            json!({"name": "a", "type": "integer", "from_role": {"viewer": 3}}),
            json!([3]),
        ),
    ];
    for (declaration, expected) in table {
        let compiled = CompiledAttribute::new(attribute(declaration)).unwrap();
        let named: Vec<_> = compiled
            .named_values()
            .iter()
            .map(Scalar::to_json)
            .collect();
        assert_eq!(json!(named), expected);
    }
}

#[test]
fn no_normalization_leaves_nothing_to_see_of_a_text() {
    for c in '\0'..=char::MAX {
        let text = c.to_string();
        let nothing = is_blank(&text);
        assert_eq!(is_blank(&text.to_lowercase()), nothing, "{text:?}");
        assert_eq!(is_blank(text.trim()), nothing, "{text:?}");
    }
}
