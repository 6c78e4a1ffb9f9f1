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
