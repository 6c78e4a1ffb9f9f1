//! OpenAPI 3.0 from 3.1, for tools that read nothing newer. What 3.0 cannot say is left out, and no schema becomes narrower.
//! The one thing more that is left out is the dry run of an issuance: most generators for 3.0 know one success per
//! operation, and would take the preview for it.

use super::node::{Members, Node};

/// Where the licence is; 3.1 has its identifier.
const LICENSE: &str = "https://www.apache.org/licenses/LICENSE-2.0";

/// The document in OpenAPI 3.0.
pub(super) fn of(mut document: Node) -> Node {
    let Some(members) = document.members_mut() else {
        return document;
    };
    members.insert("openapi".to_owned(), "3.0.3".into());
    let license = members.get_mut("info").and_then(|it| it.get_mut("license"));
    if let Some(license) = license.and_then(Node::members_mut) {
        license.shift_remove("identifier");
        license.insert("url".to_owned(), LICENSE.into());
    }
    for item in children(members.get_mut("paths")) {
        for operation in children(Some(item)) {
            convert_operation(operation);
        }
    }
    let components = members.get_mut("components");
    let mut schemas = components.and_then(|it| it.get_mut("schemas"));
    if let Some(schemas) = schemas.as_deref_mut() {
        leave_out_dry_run(schemas);
    }
    for named in children(schemas) {
        convert(named);
    }
    document
}

fn leave_out_dry_run(schemas: &mut Node) {
    if let Some(schemas) = schemas.members_mut() {
        schemas.shift_remove("SessionTokenPreview");
    }
    let request = schemas.get_mut("IssueSessionTokenRequest");
    let fields = request.and_then(|it| it.get_mut("properties"));
    if let Some(fields) = fields.and_then(Node::members_mut) {
        fields.shift_remove("dry_run");
    }
}

fn convert_operation(operation: &mut Node) {
    for parameter in children(operation.get_mut("parameters")) {
        convert_member(parameter, "schema");
    }
    if let Some(body) = operation.get_mut("requestBody") {
        convert_contents(body);
    }
    if let Some(responses) = operation.get_mut("responses").and_then(Node::members_mut)
        && responses.contains_key("201")
    {
        responses.shift_remove("200");
    }
    for response in children(operation.get_mut("responses")) {
        convert_contents(response);
        for header in children(response.get_mut("headers")) {
            convert_member(header, "schema");
        }
    }
    // Only OAuth's scopes are told there.
    for way in children(operation.get_mut("security")) {
        for roles in children(Some(way)) {
            *roles = Node::List(Vec::new());
        }
    }
}

fn convert_contents(of: &mut Node) {
    for content in children(of.get_mut("content")) {
        convert_member(content, "schema");
    }
}

fn convert_member(node: &mut Node, name: &str) {
    if let Some(schema) = node.get_mut(name) {
        convert(schema);
    }
}

fn children(node: Option<&mut Node>) -> Vec<&mut Node> {
    node.map(Node::children_mut).unwrap_or_default()
}

/// Converts a schema and all in it.
fn convert(schema: &mut Node) {
    for name in ["items", "additionalProperties", "not"] {
        convert_member(schema, name);
    }
    for name in ["properties", "oneOf", "anyOf", "allOf"] {
        for inner in children(schema.get_mut(name)) {
            convert(inner);
        }
    }
    let Some(members) = schema.members_mut() else {
        return;
    };
    for unknown in ["propertyNames", "contentMediaType", "contentEncoding"] {
        members.shift_remove(unknown);
    }
    example(members);
    constant(members);
    bounds(members);
    types(members);
    alternatives(members);
    reference(members);
}

/// A schema has one example there.
fn example(schema: &mut Members) {
    if let Some(place) = schema.get_index_of("examples")
        && let Some(Node::List(examples)) = schema.shift_remove("examples")
        && let Some(first) = examples.into_iter().next()
    {
        schema.shift_insert(place, "example".to_owned(), first);
    }
}

fn constant(schema: &mut Members) {
    if let Some(only) = schema.shift_remove("const") {
        schema.insert("enum".to_owned(), Node::List(vec![only]));
    }
}

/// An exclusive bound is a number, and there a word beside the bound.
fn bounds(schema: &mut Members) {
    for (exclusive, bound) in [
        ("exclusiveMinimum", "minimum"),
        ("exclusiveMaximum", "maximum"),
    ] {
        if let Some(number @ Node::Number(_)) = schema.get(exclusive).cloned() {
            schema.insert(bound.to_owned(), number);
            schema.insert(exclusive.to_owned(), Node::Bool(true));
        }
    }
}

/// A type is one word; `null` is said by `nullable`.
fn types(schema: &mut Members) {
    let Some(Node::List(types)) = schema.get("type").cloned() else {
        return;
    };
    let (null, others): (Vec<_>, Vec<_>) = types.into_iter().partition(|it| it.text() == "null");
    if let [only] = &others[..] {
        schema.insert("type".to_owned(), only.clone());
    } else {
        schema.shift_remove("type");
        let any = others.into_iter().map(|it| Node::map([("type", it)]));
        schema.insert("anyOf".to_owned(), Node::List(any.collect()));
    }
    if !null.is_empty() {
        schema.insert("nullable".to_owned(), Node::Bool(true));
    }
}

/// Alternatives of which one is `null`.
fn alternatives(schema: &mut Members) {
    for name in ["oneOf", "anyOf"] {
        let Some(Node::List(alternatives)) = schema.get(name) else {
            continue;
        };
        let is_null = |it: &Node| it.get("type").map_or("", Node::text) == "null";
        let others: Vec<Node> = alternatives
            .iter()
            .filter(|it| !is_null(it))
            .cloned()
            .collect();
        if others.len() == alternatives.len() {
            continue;
        }
        schema.shift_remove(name);
        if others.len() == 1 {
            // `nullable` counts only beside a type, and all that is named here are objects.
            schema.insert("type".to_owned(), "object".into());
            schema.insert("allOf".to_owned(), Node::List(others));
        } else {
            schema.insert(name.to_owned(), Node::List(others));
        }
        schema.insert("nullable".to_owned(), Node::Bool(true));
    }
}

/// Nothing may stand beside a reference.
fn reference(schema: &mut Members) {
    if schema.len() > 1
        && let Some(reference) = schema.shift_remove("$ref")
    {
        let reference = Node::map([("$ref", reference)]);
        schema.shift_insert(0, "allOf".to_owned(), Node::List(vec![reference]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(from: &str, to: &str) {
        let mut schema: Node = serde_json::from_str(from).unwrap();
        convert(&mut schema);
        assert_eq!(serde_json::to_string(&schema).unwrap(), to, "{from}");
    }

    #[test]
    fn null_becomes_nullable() {
        check(
            r#"{"type":["string","null"],"maxLength":3}"#,
            r#"{"type":"string","maxLength":3,"nullable":true}"#,
        );
        check(
            r##"{"oneOf":[{"type":"null"},{"$ref":"#/a"}]}"##,
            r##"{"type":"object","allOf":[{"$ref":"#/a"}],"nullable":true}"##,
        );
        check(
            r#"{"properties":{"type":{"type":["integer","string"]}}}"#,
            r#"{"properties":{"type":{"anyOf":[{"type":"integer"},{"type":"string"}]}}}"#,
        );
    }

    #[test]
    fn what_3_0_does_not_know_has_its_form_or_goes() {
        check(
            r##"{"$ref":"#/a","description":"b"}"##,
            r##"{"allOf":[{"$ref":"#/a"}],"description":"b"}"##,
        );
        check(
            r#"{"type":"object","propertyNames":{},"additionalProperties":{"const":1,"examples":[1,2]}}"#,
            r#"{"type":"object","additionalProperties":{"example":1,"enum":[1]}}"#,
        );
        check(
            r#"{"exclusiveMinimum":0}"#,
            r#"{"exclusiveMinimum":true,"minimum":0}"#,
        );
    }
}
