//! What an event says about before and after, as rows that people can read.

use serde_json::Value;

/// One thing that is different afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Where, with dots: `ceiling.roles`.
    pub(super) place: String,
    /// `None`: it was not there.
    pub(super) before: Option<String>,
    /// `None`: it is gone.
    pub(super) after: Option<String>,
}

/// What else an event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) place: String,
    pub(super) value: String,
}

/// What changed, and what else the detail of an event says.
pub(super) fn read(detail: &Value) -> (Vec<Change>, Vec<Fact>) {
    let side = |name| {
        let mut leaves = Vec::new();
        if let Some(value) = detail.get(name) {
            gather(String::new(), value, &mut leaves);
        }
        leaves
    };
    let changes = compare(side("before"), side("after"));
    let mut facts = Vec::new();
    if let Value::Object(members) = detail {
        for (name, value) in members {
            if name != "before" && name != "after" {
                gather(name.clone(), value, &mut facts);
            }
        }
    } else if !detail.is_null() {
        gather("detail".to_owned(), detail, &mut facts);
    }
    let facts = facts
        .into_iter()
        .map(|(place, value)| Fact { place, value });
    (changes, facts.collect())
}

/// The leaves of a value. A list of plain values is one.
fn gather(place: String, value: &Value, leaves: &mut Vec<(String, String)>) {
    let below = |name: &str| {
        if place.is_empty() {
            name.to_owned()
        } else {
            format!("{place}.{name}")
        }
    };
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (name, value) in members {
                gather(below(name), value, leaves);
            }
        }
        Value::Array(items) if items.iter().any(|it| it.is_object() || it.is_array()) => {
            for (number, item) in items.iter().enumerate() {
                gather(below(&(number + 1).to_string()), item, leaves);
            }
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            let text = if items.is_empty() {
                "none".to_owned()
            } else {
                items.join(", ")
            };
            leaves.push((place, text));
        }
        value => leaves.push((place, plain(value))),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// Only what differs, in the order of what was before, and then of what is new.
fn compare(before: Vec<(String, String)>, after: Vec<(String, String)>) -> Vec<Change> {
    let mut after: Vec<Option<(String, String)>> = after.into_iter().map(Some).collect();
    let mut changes = Vec::new();
    for (place, old) in before {
        let same_place = after
            .iter_mut()
            .find(|it| it.as_ref().is_some_and(|(at, _)| *at == place));
        let new = same_place.and_then(Option::take).map(|(_, new)| new);
        if new.as_ref() != Some(&old) {
            changes.push(Change {
                place,
                before: Some(old),
                after: new,
            });
        }
    }
    let added = after.into_iter().flatten().map(|(place, new)| Change {
        place,
        before: None,
        after: Some(new),
    });
    changes.extend(added);
    changes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows(detail: &Value) -> Vec<(String, String, String)> {
        let (changes, _) = read(detail);
        let text = |side: Option<String>| side.unwrap_or_else(|| "-".to_owned());
        let rows = changes.into_iter();
        rows.map(|it| (it.place, text(it.before), text(it.after)))
            .collect()
    }

    fn row(place: &str, before: &str, after: &str) -> (String, String, String) {
        (place.into(), before.into(), after.into())
    }

    #[test]
    fn only_what_differs_is_told() {
        let detail = json!({
            "before": { "name": "ci", "limits": { "roles": ["viewer"], "ttl": 60 }, "gone": true },
            "after": { "name": "ci", "limits": { "roles": ["viewer", "editor"], "ttl": 60, "from": [] } },
        });
        assert_eq!(
            rows(&detail),
            [
                row("gone", "true", "-"),
                row("limits.roles", "viewer", "viewer, editor"),
                row("limits.from", "-", "none"),
            ]
        );
    }

    #[test]
    fn what_is_made_or_removed_is_told_as_a_whole() {
        assert_eq!(
            rows(&json!({ "after": { "name": "ci" } })),
            [row("name", "-", "ci")]
        );
        assert_eq!(
            rows(&json!({ "before": { "name": "ci" } })),
            [row("name", "ci", "-")]
        );
    }

    #[test]
    fn the_rest_are_facts() {
        let detail = json!({ "reasons": [{ "code": "unknown_role", "pointer": "/user/roles/0" }], "revoked_keys": 2 });
        let (changes, facts) = read(&detail);
        assert!(changes.is_empty());
        let facts: Vec<_> = facts
            .iter()
            .map(|it| (it.place.as_str(), it.value.as_str()))
            .collect();
        let expected = [
            ("reasons.1.code", "unknown_role"),
            ("reasons.1.pointer", "/user/roles/0"),
            ("revoked_keys", "2"),
        ];
        assert_eq!(facts, expected);
        assert_eq!(read(&json!(null)), (Vec::new(), Vec::new()));
        assert_eq!(read(&json!("text")).1[0].value, "text");
    }
}
