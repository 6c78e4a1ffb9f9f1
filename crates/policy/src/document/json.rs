//! Documents read from JSON.

use super::{
    PolicyDocument,
    fault::{DocumentFault, Position, check_length, known_path},
};

impl PolicyDocument {
    /// Reads JSON. Unknown fields, fields given twice and anything after the document are refused.
    pub fn from_json(text: &str) -> Result<Self, DocumentFault> {
        check_length(text)?;
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let document = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            let path = known_path(error.path());
            unreadable(path, error.inner())
        })?;
        deserializer
            .end()
            .map_err(|error| unreadable(String::new(), &error))?;
        Ok(document)
    }
}

fn unreadable(path: String, error: &serde_json::Error) -> DocumentFault {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    DocumentFault::Unreadable {
        at: Position {
            line: u64::try_from(error.line()).unwrap_or(u64::MAX),
            column: u64::try_from(error.column()).unwrap_or(u64::MAX),
        },
        path,
        detail: text.strip_suffix(&place).unwrap_or(&text).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_says_where_it_is() {
        let table = [
            (
                "{\"roles\": [\n  {\"name\": \"a\", \"requierd\": 1}]}",
                "line 2, column 26, `roles[0].requierd`: unknown field `requierd`",
            ),
            (
                r#"{"roles": [{"name": "a", "name": "b"}]}"#,
                "`roles[0]`: duplicate field `name`",
            ),
            (r#"{"roles": [], "roles": []}"#, "duplicate field `roles`"),
            (
                r#"{"attributes": [{"name": "a", "type": "string", "from_role": {"x": "1", "x": "2"}}]}"#,
                "`x` is given twice",
            ),
            (
                r#"{"row_rules": [{"name": "a", "table": "t", "roles": [], "where": {"any": [{"colum": 1}]}}]}"#,
                "`row_rules[0].where.any[0].colum`: unknown field `colum`",
            ),
            ("{}{}", "line 1, column 3: trailing characters"),
            ("[", "line 1, column 1"),
            ("", "line 1, column 0: EOF"),
        ];
        for (text, expected) in table {
            let fault = PolicyDocument::from_json(text).unwrap_err().to_string();
            assert!(fault.contains(expected), "{text}: {fault}");
        }
    }

    #[test]
    fn null_is_no_field_left_out() {
        for text in [
            r#"{"roles": [{"name": "a", "audiences": null}]}"#,
            r#"{"roles": [{"name": "a", "default_ttl_seconds": null}]}"#,
            r#"{"roles": [{"name": "a", "max_ttl_seconds": null}]}"#,
            r#"{"attributes": [{"name": "a", "type": "string", "allowed_values": null}]}"#,
            r#"{"attributes": [{"name": "a", "type": "string", "pattern": null}]}"#,
            r#"{"row_rules": [{"name": "a", "table": "t", "schema": null, "roles": [], "where": {"all": []}}]}"#,
            r#"{"row_rules": [{"name": "a", "table": "t", "roles": [], "where": {"all": [], "any": null}}]}"#,
        ] {
            let fault = PolicyDocument::from_json(text).unwrap_err().to_string();
            assert!(fault.contains("null"), "{text}: {fault}");
        }
    }

    #[test]
    fn a_text_that_is_too_much_is_refused_and_not_read() {
        let long = " ".repeat(super::super::MAX_DOCUMENT_BYTES + 1);
        assert_eq!(
            PolicyDocument::from_json(&long),
            Err(DocumentFault::TooLarge)
        );
        let deep = format!(
            r#"{{"row_rules": [{{"name": "a", "table": "t", "roles": [], "where": {}"#,
            r#"{"all": ["#.repeat(100_000)
        );
        let fault = PolicyDocument::from_json(&deep).unwrap_err().to_string();
        assert!(fault.contains("recursion limit"), "{fault}");
    }
}
