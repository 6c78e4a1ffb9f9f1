//! Attributes that cannot be read as "no filter".

use proptest::prelude::*;
use serde_json::{Value, json};

use super::support::{NOW, Signer, verifier_of, with};
use crate::{AttributeError, Attributes};

fn attributes(value: Value) -> Attributes {
    let signer = Signer::es256();
    let token = signer.sign(&with("attributes", value));
    let claims = verifier_of(&signer).verify(&token, NOW).unwrap();
    claims.attributes().clone()
}

#[test]
fn every_type_is_read_as_itself() {
    let attributes = attributes(json!({
        "tenant_id": "t-1", "level": -3, "ratio": 0.5, "beta": false, "since": "2026-01-31",
        "regions": ["eu", "us"], "levels": [1, 2], "ratios": [1, 2.5], "days": ["2026-01-31"],
    }));
    assert_eq!(attributes.string("tenant_id"), Ok("t-1"));
    assert_eq!(attributes.integer("level"), Ok(-3));
    assert_eq!(attributes.number("ratio"), Ok(0.5));
    assert_eq!(attributes.number("level"), Ok(-3.0));
    assert_eq!(attributes.boolean("beta"), Ok(false));
    assert_eq!(attributes.date("since"), Ok("2026-01-31"));
    assert_eq!(attributes.strings("regions"), Ok(vec!["eu", "us"]));
    assert_eq!(attributes.integers("levels"), Ok(vec![1, 2]));
    assert_eq!(attributes.numbers("ratios"), Ok(vec![1.0, 2.5]));
    assert_eq!(attributes.dates("days"), Ok(vec!["2026-01-31"]));
}

/// What each reader makes of an attribute `a`.
fn readings(attributes: &Attributes) -> [Result<(), AttributeError>; 9] {
    [
        attributes.string("a").map(drop),
        attributes.integer("a").map(drop),
        attributes.number("a").map(drop),
        attributes.boolean("a").map(drop),
        attributes.date("a").map(drop),
        attributes.strings("a").map(drop),
        attributes.integers("a").map(drop),
        attributes.numbers("a").map(drop),
        attributes.dates("a").map(drop),
    ]
}

#[test]
fn what_is_absent_empty_or_of_no_type_is_an_error_for_every_reader() {
    for value in [
        json!({}),
        json!({ "b": "x" }),
        json!({ "A": "x" }),
        json!({ "a": null }),
        json!({ "a": "" }),
        json!({ "a": " \t\u{a0}" }),
        json!({ "a": [] }),
        json!({ "a": [""] }),
        json!({ "a": ["eu", ""] }),
        json!({ "a": [null] }),
        json!({ "a": ["eu", 1] }),
        json!({ "a": [["eu"]] }),
        json!({ "a": {} }),
        json!({ "a": 9_007_199_254_740_992_u64 }),
        json!({ "a": u64::MAX }),
    ] {
        for reading in readings(&attributes(value.clone())) {
            assert!(reading.is_err(), "{value}");
        }
    }
    let absent = attributes(json!({ "a": null }));
    assert_eq!(absent.string("a"), Err(AttributeError::Absent("a".into())));
    let empty = attributes(json!({ "a": [] }));
    assert_eq!(empty.strings("a"), Err(AttributeError::Empty("a".into())));
}

#[test]
fn a_date_is_a_day_of_the_calendar() {
    for date in [
        "2026-02-30",
        "2026-1-31",
        "20260131",
        "2026-01-31T00:00:00Z",
        "2026-W05-6",
        "+2026-01-31",
        "2026-031",
        "31-01-2026",
        " 2026-01-31",
        "2026-01-3१",
    ] {
        let read = attributes(json!({ "a": date }));
        assert_eq!(
            read.date("a"),
            Err(AttributeError::Type("a".into())),
            "{date}"
        );
    }
    assert!(attributes(json!({ "a": "2024-02-29" })).date("a").is_ok());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,3}", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Whatever the value, a list that is read is never empty, a text never blank, and at most one shape fits (numbers
    /// and dates also fit the wider type).
    #[test]
    fn no_value_reads_as_nothing(value in any_json()) {
        let read = Attributes::new([("a".to_owned(), value)].into_iter().collect());
        prop_assert!(read.string("a").map_or(true, |text| !text.trim().is_empty()));
        if let Ok(items) = read.strings("a") {
            prop_assert!(!items.is_empty() && items.iter().all(|item| !item.trim().is_empty()));
        }
        if let Ok(items) = read.numbers("a") {
            prop_assert!(!items.is_empty() && items.iter().all(|item| item.is_finite()));
        }
        let shapes = [
            read.string("a").is_ok(),
            read.number("a").is_ok(),
            read.boolean("a").is_ok(),
            read.strings("a").is_ok(),
            read.numbers("a").is_ok(),
        ];
        prop_assert!(shapes.iter().filter(|fits| **fits).count() <= 1);
    }
}
