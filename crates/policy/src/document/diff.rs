//! What changes from one policy to another, field by field.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use super::PolicyDocument;

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Where: `roles/viewer` for a role that comes or goes, `roles/viewer/permissions` for a field.
    pub path: String,
    /// What it was; absent for what is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What it becomes; absent for what goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// Everything that differs, in the order of its path.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct PolicyDiff(Vec<Change>);

impl PolicyDiff {
    /// What turns `before` into `after`. Order and fields that only say the default make no difference.
    pub fn between(before: &PolicyDocument, after: &PolicyDocument) -> Self {
        let mut changes = Vec::new();
        let sections = [
            ("roles", by_name(&before.roles), by_name(&after.roles)),
            (
                "attributes",
                by_name(&before.attributes),
                by_name(&after.attributes),
            ),
            (
                "row_rules",
                by_name(&before.row_rules),
                by_name(&after.row_rules),
            ),
        ];
        for (section, before, after) in sections {
            compare(
                section,
                &before,
                &after,
                &mut |path, before, after| match (before, after) {
                    (Some(Value::Object(before)), Some(Value::Object(after))) => {
                        compare(&path, before, after, &mut |path, before, after| {
                            changes.push(change(path, before, after));
                        });
                    }
                    (before, after) => changes.push(change(path, before, after)),
                },
            );
        }
        Self(changes)
    }

    /// Is nothing different?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The changes.
    pub fn changes(&self) -> &[Change] {
        &self.0
    }
}

fn change(path: String, before: Option<&Value>, after: Option<&Value>) -> Change {
    Change {
        path,
        before: before.cloned(),
        after: after.cloned(),
    }
}

/// Each thing of a section as JSON. What cannot become JSON does not exist: names are its only keys.
fn by_name<T: Serialize>(things: &[T]) -> Map<String, Value> {
    let values = things.iter().filter_map(|it| serde_json::to_value(it).ok());
    let named = values.filter_map(|mut value| {
        let name = value.as_object_mut()?.remove("name")?;
        Some((name.as_str()?.to_owned(), value))
    });
    let sorted: BTreeMap<_, _> = named.collect();
    sorted.into_iter().collect()
}

/// Takes a path, and what is there on each side.
type Tell<'a> = dyn FnMut(String, Option<&Value>, Option<&Value>) + 'a;

/// Tells each name that is on one side only, or differs.
fn compare(
    path: &str,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    tell: &mut Tell<'_>,
) {
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let (old, new) = (before.get(name), after.get(name));
        if old != new {
            tell(format!("{path}/{name}"), old, new);
        }
    }
}

impl fmt::Display for PolicyDiff {
    /// A line each: `+` comes, `-` goes, `~` becomes.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for change in &self.0 {
            let path = &change.path;
            match (&change.before, &change.after) {
                (None, Some(after)) => writeln!(formatter, "+ {path}: {after}")?,
                (Some(before), None) => writeln!(formatter, "- {path}: {before}")?,
                (Some(before), Some(after)) => {
                    writeln!(formatter, "~ {path}: {before} -> {after}")?;
                }
                (None, None) => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(json: Value) -> PolicyDocument {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_diff_names_what_comes_goes_and_becomes() {
        let before = document(json!({
            "roles": [{"name": "viewer", "max_ttl_seconds": 900}, {"name": "old"}],
            "attributes": [{"name": "tenant_id", "type": "string"}],
        }));
        let after = document(json!({
            "roles": [{"name": "new"}, {"name": "viewer", "max_ttl_seconds": 60, "inherits": ["new"]}],
            "attributes": [{"name": "tenant_id", "type": "string", "required": false, "max_length": 256}],
        }));
        let lines = PolicyDiff::between(&before, &after).to_string();
        assert_eq!(
            lines,
            "+ roles/new: {}\n- roles/old: {}\n+ roles/viewer/inherits: [\"new\"]\n\
             ~ roles/viewer/max_ttl_seconds: 900 -> 60\n"
        );
        assert!(PolicyDiff::between(&after, &after).is_empty());
    }
}
