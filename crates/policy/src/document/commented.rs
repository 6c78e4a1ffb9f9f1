//! A document as YAML that explains itself to whoever opens the file.
//!
//! The fields come from the document's serialized form, so that none can be forgotten; [`SECTIONS`] gives their order
//! and what is said about them. Every text that YAML could take for something else stands between quotes.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::PolicyDocument;

/// A list or object stays on its line up to here, in characters.
const WIDTH: usize = 100;

/// A part of the document, and its fields with what each means.
struct Section {
    name: &'static str,
    about: &'static str,
    fields: &'static [(&'static str, &'static str)],
}

const SECTIONS: &[Section] = &[
    Section {
        name: "roles",
        about: "Roles: what tokens can carry, and what that allows.",
        fields: &[
            (
                "name",
                "unique; a lower-case letter, then letters, digits, _ and -",
            ),
            ("description", "what the role is for"),
            (
                "inherits",
                "roles whose permissions, required attributes and limits this one includes",
            ),
            (
                "permissions",
                "actions on resources; * is all of them, `effect: deny` wins over every other permission",
            ),
            (
                "required_attributes",
                "attributes that a token with this role must carry",
            ),
            (
                "audiences",
                "the only audiences that a token with this role may be for",
            ),
            (
                "default_ttl_seconds",
                "the life of a token that asks for none",
            ),
            (
                "max_ttl_seconds",
                "the longest life of a token with this role",
            ),
        ],
    },
    Section {
        name: "attributes",
        about: "Attributes: values that tokens carry and databases filter rows by.",
        fields: &[
            (
                "name",
                "unique; a lower-case letter, then letters, digits and _",
            ),
            ("description", "what the attribute restricts"),
            (
                "type",
                "string, integer, number, boolean or date, of each item where `list` is true",
            ),
            ("list", "whether the value is a list"),
            ("required", "whether every token must carry it"),
            (
                "sensitive",
                "whether its values are kept out of logs, lists and the audit trail",
            ),
            (
                "normalize",
                "what is done to a text first: trim, case_fold, uuid",
            ),
            (
                "requires",
                "attributes that a token with this one must carry as well",
            ),
            (
                "from_role",
                "the value for tokens with a role, where the request names none",
            ),
            ("allowed_values", "the only values, or items of a list"),
            (
                "pattern",
                "a regular expression for the whole text, or each item",
            ),
            (
                "max_length",
                "the longest text, in characters; 256 when left out",
            ),
            ("max_items", "the longest list; 100 when left out"),
        ],
    },
    Section {
        name: "row_rules",
        about: "Row rules: which rows of which tables a token may see. Tables without rules are not filtered.",
        fields: &[
            ("name", "unique"),
            ("schema", "the table's schema, where it is needed"),
            ("table", "the table"),
            (
                "roles",
                "tokens with one of these roles, or one that inherits one of them",
            ),
            (
                "where",
                "`all` or `any` of several, or a column, an operator, and an attribute or a value",
            ),
        ],
    },
];

/// The order of fields further down. What is not named here follows in its own order.
const INNER_FIELDS: &[&str] = &[
    "resource",
    "action",
    "effect",
    "column",
    "operator",
    "attribute",
    "value",
    "all",
    "any",
];

impl PolicyDocument {
    /// The document as YAML with a header for each section and a line about each field in use. Fields that say the
    /// default are left out. [`PolicyDocument::from_yaml`] reads the equal document back, unless a value in it is null,
    /// which no valid policy has.
    pub fn to_commented_yaml(&self) -> String {
        let document = serde_json::to_value(self).unwrap_or_default();
        let mut yaml = String::from(
            "# A policy of Jeton: what session tokens may say, and which rows they show.\n\
             # The order of roles, attributes and rules means nothing. What is left out has its default.\n",
        );
        for section in SECTIONS {
            let things = document.get(section.name).and_then(Value::as_array);
            section.write(things.map_or(&[], Vec::as_slice), &mut yaml);
        }
        yaml
    }
}

impl Section {
    fn write(&self, things: &[Value], yaml: &mut String) {
        let _ = write!(yaml, "\n# {}\n", self.about);
        if things.is_empty() {
            let _ = writeln!(yaml, "{}: []", self.name);
            return;
        }
        for (field, meaning) in self.fields {
            if things.iter().any(|thing| thing.get(field).is_some()) {
                let _ = writeln!(yaml, "#   {field}: {meaning}");
            }
        }
        let _ = writeln!(yaml, "{}:", self.name);
        let order: Vec<&str> = self.fields.iter().map(|(field, _)| *field).collect();
        for (index, thing) in things.iter().enumerate() {
            if index > 0 {
                yaml.push('\n');
            }
            yaml.push_str("  - ");
            write_block(thing, &order, 4, yaml);
        }
    }
}

/// An object or list of which each part has its own line. The first line is already indented.
fn write_block(value: &Value, order: &[&str], indent: usize, yaml: &mut String) {
    match value {
        Value::Object(fields) => {
            for (index, (name, field)) in sorted(fields, order).into_iter().enumerate() {
                if index > 0 {
                    let _ = write!(yaml, "{:indent$}", "");
                }
                let _ = write!(yaml, "{}:", text(name));
                write_after(name, field, indent, yaml);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    let _ = write!(yaml, "{:indent$}", "");
                }
                yaml.push_str("- ");
                match inline(item, "") {
                    line if is_short(&line, indent + 2) || !has_parts(item) => {
                        let _ = writeln!(yaml, "{line}");
                    }
                    _ => write_block(item, INNER_FIELDS, indent + 2, yaml),
                }
            }
        }
        single => {
            let _ = writeln!(yaml, "{}", inline(single, ""));
        }
    }
}

/// What follows the colon after a field's name.
fn write_after(name: &str, value: &Value, indent: usize, yaml: &mut String) {
    let line = inline(value, name);
    // Each permission on a line of its own: that is what differs from one version of a file to the next.
    let listed = name == "permissions";
    if !has_parts(value) || (is_short(&line, indent + name.len()) && !listed) {
        let _ = writeln!(yaml, " {line}");
    } else {
        let _ = write!(yaml, "\n{:width$}", "", width = indent + 2);
        write_block(value, INNER_FIELDS, indent + 2, yaml);
    }
}

fn has_parts(value: &Value) -> bool {
    match value {
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => false,
    }
}

fn is_short(line: &str, before: usize) -> bool {
    before + line.chars().count() <= WIDTH
}

fn sorted<'a>(fields: &'a Map<String, Value>, order: &[&str]) -> Vec<(&'a str, &'a Value)> {
    let rank = |name: &str| order.iter().position(|it| *it == name);
    let mut fields: Vec<_> = fields
        .iter()
        .map(|(name, it)| (name.as_str(), it))
        .collect();
    fields.sort_by_key(|(name, _)| (rank(name).unwrap_or(order.len()), *name));
    fields
}

/// The value on one line, as it stands in the field `name`.
fn inline(value: &Value, name: &str) -> String {
    match value {
        // An operator is quoted even where it need not be, so that all look the same.
        Value::String(word) if name == "operator" => quoted(word),
        Value::String(word) => text(word),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| inline(item, "")).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let fields = sorted(fields, INNER_FIELDS).into_iter();
            let fields: Vec<_> = fields
                .map(|(name, field)| format!("{}: {}", text(name), inline(field, name)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        plain => plain.to_string(),
    }
}

/// Words that some version of YAML takes for a truth value or for nothing.
const NO_TEXTS: &[&str] = &[
    "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf",
];

/// A text, without quotes where it is a plain word.
fn text(text: &str) -> String {
    let mut bytes = text.bytes();
    let begins = bytes.next().is_some_and(|first| first.is_ascii_lowercase());
    let plain = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-')
    };
    if begins && bytes.all(plain) && !NO_TEXTS.contains(&text) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// Between double quotes, with what cannot be seen written as its number.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        let _ = match c {
            '"' => write!(quoted, "\\\""),
            '\\' => write!(quoted, "\\\\"),
            '\n' => write!(quoted, "\\n"),
            '\t' => write!(quoted, "\\t"),
            c if c.is_control() || is_unseen(c) => write!(quoted, "\\U{:08X}", u32::from(c)),
            c => write!(quoted, "{c}"),
        };
    }
    quoted.push('"');
    quoted
}

/// Line breaks of Unicode, marks that change how a line is shown, and what is no character at all.
fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff0}'..='\u{ffff}'
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(json: Value) -> PolicyDocument {
        serde_json::from_value(json).unwrap()
    }

    /// Written by hand, so that a change of the form is seen.
    #[test]
    fn a_document_explains_itself() {
        let document = document(json!({
            "roles": [
                {"name": "viewer", "description": "Looks: at all.", "permissions": [
                    {"resource": "dashboard", "action": "view"},
                    {"resource": "dashboard/pay*", "action": "*", "effect": "deny"},
                ]},
                {"name": "no", "inherits": ["viewer"], "max_ttl_seconds": 60},
            ],
            "attributes": [{
                "name": "since", "type": "date", "max_length": 256, "from_role": {"no": "2026-01-31", "viewer": "2026-01-01"},
            }],
            "row_rules": [{
                "name": "recent", "table": "orders", "roles": ["viewer"],
                "where": {"all": [
                    {"column": "created_on", "operator": ">=", "attribute": "since"},
                    {"any": [{"column": "note", "operator": "in", "value": ["a: b", "1", 1]}, {"column": "note", "operator": "is null"}]},
                ]},
            }],
        }));
        let expected = r#"# A policy of Jeton: what session tokens may say, and which rows they show.
# The order of roles, attributes and rules means nothing. What is left out has its default.

# Roles: what tokens can carry, and what that allows.
#   name: unique; a lower-case letter, then letters, digits, _ and -
#   description: what the role is for
#   inherits: roles whose permissions, required attributes and limits this one includes
#   permissions: actions on resources; * is all of them, `effect: deny` wins over every other permission
#   max_ttl_seconds: the longest life of a token with this role
roles:
  - name: viewer
    description: "Looks: at all."
    permissions:
      - {resource: dashboard, action: view}
      - {resource: "dashboard/pay*", action: "*", effect: deny}

  - name: "no"
    inherits: [viewer]
    max_ttl_seconds: 60

# Attributes: values that tokens carry and databases filter rows by.
#   name: unique; a lower-case letter, then letters, digits and _
#   type: string, integer, number, boolean or date, of each item where `list` is true
#   from_role: the value for tokens with a role, where the request names none
attributes:
  - name: since
    type: date
    from_role: {"no": "2026-01-31", viewer: "2026-01-01"}

# Row rules: which rows of which tables a token may see. Tables without rules are not filtered.
#   name: unique
#   table: the table
#   roles: tokens with one of these roles, or one that inherits one of them
#   where: `all` or `any` of several, or a column, an operator, and an attribute or a value
row_rules:
  - name: recent
    table: orders
    roles: [viewer]
    where:
      all:
        - {column: created_on, operator: ">=", attribute: since}
        - any:
            - {column: note, operator: "in", value: ["a: b", "1", 1]}
            - {column: note, operator: "is null"}
"#;
        let yaml = document.to_commented_yaml();
        assert_eq!(yaml, expected, "{yaml}");
        assert_eq!(PolicyDocument::from_yaml(&yaml).unwrap(), document);
        let empty = PolicyDocument::default().to_commented_yaml();
        assert_eq!(
            PolicyDocument::from_yaml(&empty).unwrap(),
            PolicyDocument::default()
        );
    }

    /// A field that nobody has explained would come last and without a word.
    #[test]
    fn every_field_is_explained() {
        let all = json!({
            "roles": [{"name": "a", "description": "d", "inherits": ["b"], "required_attributes": ["c"],
                "permissions": [{"resource": "r", "action": "a"}], "audiences": ["x"],
                "default_ttl_seconds": 1, "max_ttl_seconds": 1}],
            "attributes": [{"name": "a", "type": "string", "list": true, "required": true, "sensitive": true,
                "normalize": ["trim"], "requires": ["b"], "from_role": {"a": "x"}, "allowed_values": ["x"],
                "pattern": "x", "max_length": 1, "max_items": 1, "description": "d"}],
            "row_rules": [{"name": "a", "schema": "s", "table": "t", "roles": ["a"],
                "where": {"column": "c", "operator": "=", "attribute": "a"}}],
        });
        let written = serde_json::to_value(document(all)).unwrap();
        for section in SECTIONS {
            let fields = written[section.name][0].as_object().unwrap();
            let explained: Vec<_> = section.fields.iter().map(|(field, _)| *field).collect();
            for field in fields.keys() {
                assert!(explained.contains(&field.as_str()), "{field}");
            }
            assert_eq!(fields.len(), explained.len(), "{}", section.name);
        }
        assert_eq!(written.as_object().unwrap().len(), SECTIONS.len());
    }
}
