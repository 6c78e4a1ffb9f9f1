//! Documents read from YAML.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Deserializer, Track};
use serde_saphyr::{DuplicateKeyPolicy, Error, MergeKeyPolicy, Options, budget::BudgetBreach};

use super::{
    PolicyDocument,
    fault::{DocumentFault, MAX_DEPTH, MAX_DOCUMENT_BYTES, Position, check_length, known_path},
};

/// The most scalars, lists and objects of one text: 32 MiB of the shortest permissions have fewer.
const MAX_NODES: usize = 8_000_000;

impl PolicyDocument {
    /// Reads YAML 1.2: one document without anchors, aliases, merge keys and tags of its own. Unknown fields, fields
    /// given twice and fields without a value are refused. `yes`, `no`, `on` and `off` are texts.
    pub fn from_yaml(text: &str) -> Result<Self, DocumentFault> {
        let document = read(text);
        // What has no value is told so, and not as a value of the wrong type.
        if let Ok(values) = read(text) {
            refuse_nulls(&values)?;
        }
        document
    }
}

/// Reads any type from one YAML document, within the limits of a policy.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, DocumentFault> {
    check_length(text)?;
    let mut track = Track::new();
    let read = serde_saphyr::with_deserializer_from_str_with_options(text, options(), |yaml| {
        T::deserialize(Deserializer::new(yaml, &mut track))
    });
    read.map_err(|error| fault(&error, known_path(&track.path())))
}

pub(super) fn options() -> Options {
    let limits = serde_saphyr::budget! {
        max_anchors: 0,
        max_aliases: 0,
        max_merge_keys: 0,
        max_documents: 1,
        max_depth: MAX_DEPTH,
        flow_nesting_limit: MAX_DEPTH,
        max_nodes: MAX_NODES,
        max_events: 2 * MAX_NODES,
        max_total_scalar_bytes: MAX_DOCUMENT_BYTES,
    };
    serde_saphyr::options! {
        budget: limits,
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        reject_tagged_field_names: true,
        with_snippet: false,
    }
}

fn fault(error: &Error, path: String) -> DocumentFault {
    let error = error.without_snippet();
    let location = error.location();
    let at = Position {
        line: location.map_or(1, |it| it.line()),
        column: location.map_or(1, |it| it.column()),
    };
    match error {
        Error::Budget { breach, .. } => match breach {
            BudgetBreach::Anchors { .. }
            | BudgetBreach::Aliases { .. }
            | BudgetBreach::MergeKeys { .. } => DocumentFault::Shorthand { at },
            _ => DocumentFault::TooMuch { at },
        },
        error => DocumentFault::Unreadable {
            at,
            path,
            detail: one_line(&error.to_string(), at),
        },
    }
}

/// What the reader says, without the place, which stands before it.
fn one_line(text: &str, at: Position) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let place = format!(" at line {}, column {}", at.line, at.column);
    text.replace(&place, "")
}

/// Refuses what has no value. As a Rust `Option` it would be "no limit".
fn refuse_nulls(document: &Value) -> Result<(), DocumentFault> {
    match null_in(document) {
        None => Ok(()),
        Some(path) if path.is_empty() => Err(DocumentFault::NoValue {
            path: "the document".into(),
        }),
        Some(path) => Err(DocumentFault::NoValue {
            path: path.trim_start_matches('.').to_owned(),
        }),
    }
}

/// No deeper than [`MAX_DEPTH`], for the text was no deeper.
fn null_in(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| Some(format!("[{index}]{}", null_in(item)?))),
        Value::Object(fields) => fields
            .iter()
            .find_map(|(name, field)| Some(format!(".{name}{}", null_in(field)?))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str) -> String {
        PolicyDocument::from_yaml(text).unwrap_err().to_string()
    }

    #[test]
    fn a_fault_says_where_it_is() {
        let table = [
            (
                "roles:\n  - name: a\n    requierd: true\n",
                "line 3, column 5, `roles[0].requierd`: unknown field `requierd`",
            ),
            ("roles:\n  - name: a\n    name: b\n", "line 3, column 5"),
            ("roles: []\nroles: []\n", "line 2, column 1"),
            ("roles:\n  - name: A\n", "a role name must be"),
            ("roles:\n\t- name: a\n", "line 2"),
            ("roles: [\n", "line 1, column 8"),
            ("a: 1\n", "unknown field `a`"),
            ("roles: []\n---\nroles: []\n", "line 2"),
        ];
        for (text, expected) in table {
            let fault = refused(text);
            assert!(fault.contains(expected), "{text}: {fault}");
            assert_eq!(fault.lines().count(), 1, "{fault}");
        }
    }

    #[test]
    fn shorthands_are_refused() {
        let bomb = "roles: []\nattributes:\n  - name: a\n    type: string\n    allowed_values: &a [x, x]\n\
                    \x20   from_role: {r: [*a, *a, *a]}\n";
        for text in [
            bomb,
            "roles: &a []\n",
            "roles: *a\n",
            "roles:\n  - <<: {name: a}\n",
        ] {
            let fault = refused(text);
            assert!(fault.contains("line"), "{text}: {fault}");
        }
        assert!(refused(bomb).contains("anchors, aliases and merge keys"));
        for text in [
            "roles: !roles []\n",
            "row_rules: !!binary aGVsbG8=\n",
            "!x roles: []\n",
        ] {
            refused(text);
        }
    }

    #[test]
    fn a_text_that_is_too_much_is_refused_and_not_read() {
        let open = "row_rules: [{name: a, table: t, roles: [], where: ";
        let deep = format!("{open}{}", "{all: [".repeat(100_000));
        let fault = refused(&deep);
        assert!(fault.contains("recursion limit"), "{fault}");
        let blocks = (0..1000_usize).fold(String::from("roles:\n"), |text, level| {
            text + " ".repeat(level).as_str() + "- \n"
        });
        refused(&blocks);
        let long = " ".repeat(MAX_DOCUMENT_BYTES + 1);
        assert_eq!(
            PolicyDocument::from_yaml(&long),
            Err(DocumentFault::TooLarge)
        );
    }

    #[test]
    fn a_field_without_a_value_is_no_limit_left_out() {
        let text = "attributes:\n  - name: region\n    type: string\n    allowed_values:\n";
        let fault = refused(text);
        assert!(
            fault.contains("`attributes[0].allowed_values` has no value"),
            "{fault}"
        );
        refused("roles:\n  - name: a\n    max_ttl_seconds: ~\n");
        refused("");
        refused("# nothing yet\n");
    }

    #[test]
    fn words_are_texts_and_numbers_are_numbers() {
        let text = "attributes:\n  - name: a\n    type: string\n    allowed_values: [no, on, y, 007, 1_000, 7, 0.5, true]\n";
        let document = PolicyDocument::from_yaml(text).unwrap();
        let expected = serde_json::json!(["no", "on", "y", "007", "1_000", 7, 0.5, true]);
        let found = serde_json::json!(document.attributes[0].allowed_values);
        assert_eq!(found, expected);
        refused("attributes:\n  - {name: a, type: string, required: yes}\n");
    }
}
