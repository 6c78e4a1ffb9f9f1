//! The OpenAPI 3.1 document, and the same for tools that read 3.0. It is collected from the routes themselves: an operation
//! that is not in it does not exist. What follows from the form of an operation is added here: the permission that it needs,
//! and the errors that it can answer.

mod catalogue;
mod node;
mod problems;
mod security;
mod v3_0;

use std::sync::LazyLock;

use utoipa::OpenApi as _;

use self::node::{Members, Node};
use self::problems::Problems;
use self::security::SecuritySchemes;
use crate::problem::ProblemBody;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Jeton",
        description = include_str!("introduction.md"),
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    servers((url = "/", description = "This server")),
    tags(
        (name = "Session tokens", description = "The exchange: an API key for a session token"),
        (name = "Sessions", description = "What was issued: find, read, revoke"),
        (name = "OAuth", description = "Endpoints for standard clients; their errors are those of RFC 6749"),
        (name = "API keys", description = "Make, watch, rotate and take back API keys"),
        (name = "Policy", description = "Roles, attributes and row rules: what may be granted, and what it means"),
        (name = "Audiences", description = "Who tokens are for: what they look like, how long they live, and the keys that sign them"),
        (name = "Users", description = "People: who may log in, and what they may do"),
        (name = "Service accounts", description = "Programs that own API keys"),
        (name = "Organization", description = "The organization of the calling key, and its settings"),
        (name = "Audit", description = "What was changed, by whom, and when"),
        (name = "Account", description = "Who is asking"),
        (name = "Verifiers", description = "Public keys and metadata for those who verify tokens"),
        (name = "Operation", description = "For load balancers, supervisors and monitoring"),
    ),
    components(schemas(ProblemBody)),
    modifiers(&SecuritySchemes),
)]
pub(crate) struct ApiDocument;

/// The document of this version of Jeton, as indented JSON, as it is committed and served.
pub fn json() -> &'static str {
    static JSON: LazyLock<String> = LazyLock::new(|| written(&document()));
    &JSON
}

/// The same in OpenAPI 3.0.
pub fn json_3_0() -> &'static str {
    static JSON: LazyLock<String> = LazyLock::new(|| written(&v3_0::of(document())));
    &JSON
}

fn written(document: &Node) -> String {
    serde_json::to_string_pretty(document).unwrap_or_default()
}

fn document() -> Node {
    let mut collected = ApiDocument::openapi();
    collected.merge(crate::router::routes().into_openapi());
    let read = collected
        .to_json()
        .and_then(|text| serde_json::from_str(&text));
    let mut document = read.unwrap_or(Node::Null);
    complete(&mut document);
    document
}

fn complete(document: &mut Node) {
    let mut problems = Problems::new();
    let paths = document.get_mut("paths").and_then(Node::members_mut);
    for (path, item) in paths.into_iter().flatten() {
        let operations = item.members_mut().into_iter().flat_map(Members::values_mut);
        for operation in operations {
            never_null(operation);
            security::name_permission(operation);
            problems.complete(path, operation);
        }
    }
    let components = document.get_mut("components").and_then(Node::members_mut);
    if let Some(components) = components {
        components.insert("examples".to_owned(), problems.into_examples());
    }
}

/// A parameter is there or it is not.
fn never_null(operation: &mut Node) {
    let Some(Node::List(parameters)) = operation.get_mut("parameters") else {
        return;
    };
    for schema in parameters.iter_mut().filter_map(|it| it.get_mut("schema")) {
        if let Some(Node::List(types)) = schema.get_mut("type") {
            types.retain(|it| it.text() != "null");
            if let [only] = &types[..] {
                let only = only.clone();
                schema
                    .members_mut()
                    .map(|it| it.insert("type".to_owned(), only));
            }
        }
    }
}
