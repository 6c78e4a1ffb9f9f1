//! The error answers of each operation: what follows from its form, and what its handler says beyond that.
//!
//! A handler names a status of its own with the codes that the answer can carry, between backticks in the description. All
//! codes of an answer become named examples, which programs can list.

use std::collections::BTreeMap;

use http::StatusCode;
use policy::{ReasonCode, ReasonKind};

use super::catalogue::Catalogue;
use super::node::{Members, Node};
use crate::errors::sentence;

/// Codes by status.
type Codes = BTreeMap<u16, Vec<&'static str>>;

/// Who presents an API key.
const CALLER: &[(u16, &[&str])] = &[
    (400, &["ambiguous_credential"]),
    (
        401,
        &[
            "missing_credential",
            "invalid_api_key",
            "key_expired",
            "key_disabled",
            "key_revoked",
            "owner_suspended",
        ],
    ),
    (403, &["address_not_allowed"]),
    (429, &["rate_limited", "too_many_failed_attempts"]),
    (500, &["internal"]),
    (503, &["unavailable", "overloaded", "timeout"]),
];

/// What has a JSON body.
const BODY: &[(u16, &[&str])] = &[
    (
        400,
        &[
            "invalid_json",
            "invalid_utf8",
            "duplicate_json_key",
            "json_too_deep",
            "body_incomplete",
        ],
    ),
    (408, &["request_timeout"]),
    (413, &["body_too_large"]),
    (415, &["unsupported_media_type"]),
    (422, &["invalid_field", "missing_field", "unknown_field"]),
];

/// What reads the database for anybody.
const PUBLIC: &[(u16, &[&str])] = &[(500, &["internal"]), (503, &["unavailable", "timeout"])];

/// Operations that end in a token.
const ISSUING: &[&str] = &["issueSessionToken", "generateEmbedToken", RENEWING];
/// The one that is asked by pages: what is forbidden to the API key is not theirs to know.
const RENEWING: &str = "renewSessionToken";

/// Where in a request something of this kind goes wrong, for examples.
const PLACES: &[(&str, &str)] = &[
    ("invalid_field", "/ttl_seconds"),
    ("missing_field", "/user"),
    ("unknown_field", "/usr"),
    ("missing_attribute", "/user/attributes/tenant_id"),
    ("attribute_type", "/user/attributes/tenant_id"),
    ("undeclared_attribute", "/user/attributes/tenant"),
    ("unknown_role", "/user/roles/0"),
    ("roles_empty", "/user/roles"),
    ("role_not_allowed", "/user/roles/0"),
    ("unknown_audience", "/audience"),
    ("ttl_out_of_range", "/ttl_seconds"),
    ("invalid_subject", "/user/id"),
    ("invalid_name", "/name"),
    ("invalid_limit", "/limit"),
    ("invalid_cursor", "/cursor"),
    ("unknown_permission", "/permissions/0"),
];

/// The error answers of all operations, and the examples that they share.
pub(super) struct Problems {
    catalogue: Catalogue,
    examples: Members,
}

impl Problems {
    pub(super) fn new() -> Self {
        Self {
            catalogue: Catalogue::read(),
            examples: Members::new(),
        }
    }

    /// Completes the error answers of an operation.
    pub(super) fn complete(&mut self, path: &str, operation: &mut Node) {
        // Errors of OAuth have a form of their own, and their handlers say all about them.
        if path.starts_with("/oauth2/") {
            return;
        }
        let mut all = implied(path, operation);
        let Some(responses) = operation.get_mut("responses").and_then(Node::members_mut) else {
            return;
        };
        for status in responses.keys().filter_map(|status| status.parse().ok()) {
            if status >= 400 {
                all.entry(status).or_default();
            }
        }
        for (status, codes) in all {
            let own = responses.shift_remove(&status.to_string());
            let own = own.as_ref().and_then(|it| it.get("description"));
            let answer = self.answer(status, own.map_or("", Node::text), codes);
            responses.insert(status.to_string(), answer);
        }
        responses.sort_keys();
    }

    /// The examples that answers refer to, for `components`.
    pub(super) fn into_examples(mut self) -> Node {
        self.examples.sort_keys();
        Node::Map(self.examples)
    }

    /// One answer. What the handler says comes first; if that is nothing but codes, only their meanings are told.
    fn answer(&mut self, status: u16, own: &str, implied: Vec<&'static str>) -> Node {
        let named = |text: &&str| self.catalogue.meaning(text, status).is_some();
        let only_codes = own.split([' ', ',']).all(|word| {
            let code = word.strip_prefix('`').and_then(|it| it.strip_suffix('`'));
            word.is_empty() || code.is_some_and(|code| named(&code))
        });
        let mut codes: Vec<&str> = quoted(own).filter(named).collect();
        let told = if only_codes { 0 } else { codes.len() };
        for code in implied {
            if !codes.contains(&code) {
                codes.push(code);
            }
        }
        let meanings = codes.iter().skip(told).map(|code| {
            let meaning = self.catalogue.meaning_anywhere(code, status);
            format!("`{code}`: {meaning}")
        });
        let own = (!only_codes).then(|| own.to_owned());
        let paragraphs: Vec<String> = own.into_iter().chain(meanings).collect();
        let examples = codes.iter().map(|code| self.example(code, status));
        problem(status, paragraphs.join("\n\n"), examples.collect())
    }

    /// A reference to the example of a code.
    fn example(&mut self, code: &str, status: u16) -> (String, Node) {
        // A few codes have more than one status.
        let name = format!("{code}_{status}");
        let reference = format!("#/components/examples/{name}");
        let meaning = self.catalogue.meaning_anywhere(code, status);
        let example = || Node::map([("value", example(code, status, meaning))]);
        self.examples.entry(name).or_insert_with(example);
        (code.to_owned(), Node::map([("$ref", reference.into())]))
    }
}

/// The codes that follow from who may call the operation and what it reads.
fn implied(path: &str, operation: &Node) -> Codes {
    let mut codes = Codes::new();
    let mut add = |further: &[(u16, &[&'static str])]| {
        for (status, further) in further {
            codes.entry(*status).or_default().extend_from_slice(further);
        }
    };
    let part = |name| operation.get(name);
    let security = part("security").map_or(&[][..], Node::items);
    if security.iter().any(|way| way.get("ApiKeyHeader").is_some()) {
        add(CALLER);
    } else if path.starts_with("/v1/") || path.contains("/orgs/") {
        add(PUBLIC);
    }
    if part("x-permission").is_some() {
        add(&[(403, &["permission_denied"])]);
    }
    if reads_json(operation) {
        add(BODY);
    }
    for parameter in part("parameters").map_or(&[][..], Node::items) {
        let part = |name| parameter.get(name).map_or("", Node::text);
        match (part("in"), part("name")) {
            ("path", _) => add(&[(404, &["not_found"])]),
            ("query", "limit") => add(&[(422, &["invalid_query", "invalid_limit"])]),
            ("query", "cursor") => add(&[(422, &["invalid_query", "invalid_cursor"])]),
            ("query", _) => add(&[(422, &["invalid_query"])]),
            _ => {}
        }
    }
    let id = part("operationId").map_or("", Node::text);
    if ISSUING.contains(&id) {
        for code in ReasonCode::ALL {
            let status = match code.kind() {
                ReasonKind::Forbidden if id == RENEWING => 422,
                kind => status_of(kind),
            };
            add(&[(status, &[code.as_str()])]);
        }
        add(&[(422, &["token_too_large", "claim_template_refused"])]);
    }
    codes
}

fn status_of(kind: ReasonKind) -> u16 {
    match kind {
        ReasonKind::Invalid => 422,
        ReasonKind::Forbidden => 403,
        ReasonKind::Internal => 500,
    }
}

fn reads_json(operation: &Node) -> bool {
    let body = operation.get("requestBody");
    let content = body.and_then(|body| body.get("content"));
    content.is_some_and(|content| content.get("application/json").is_some())
}

fn problem(status: u16, description: String, examples: Members) -> Node {
    let schema = Node::map([("$ref", "#/components/schemas/Problem".into())]);
    let content = Node::map([("schema", schema), ("examples", Node::Map(examples))]);
    let mut answer = Members::from_iter([("description".to_owned(), description.into())]);
    if let Some(headers) = headers(status) {
        answer.insert("headers".to_owned(), headers);
    }
    let content = Node::map([("application/problem+json", content)]);
    answer.insert("content".to_owned(), content);
    Node::Map(answer)
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn example(code: &str, status: u16, meaning: &str) -> Node {
    let title = StatusCode::from_u16(status).ok();
    let title = title.and_then(|status| status.canonical_reason());
    let detail = sentence(&meaning);
    let mut problem = Members::from_iter([
        (
            "type".to_owned(),
            format!("urn:jeton:problem:{code}").into(),
        ),
        ("title".to_owned(), title.unwrap_or_default().into()),
        ("status".to_owned(), status.into()),
        ("detail".to_owned(), detail.as_str().into()),
        ("code".to_owned(), code.into()),
        (
            "request_id".to_owned(),
            "req_019a1b2c3d4e7f8091a2b3c4d5e6f708".into(),
        ),
    ]);
    if let Some((_, pointer)) = PLACES.iter().find(|(it, _)| *it == code) {
        let field = Node::map([
            ("pointer", (*pointer).into()),
            ("code", code.into()),
            ("detail", detail.into()),
        ]);
        problem.insert("errors".to_owned(), Node::List(vec![field]));
    }
    Node::Map(problem)
}

/// The headers that an answer of this status has beside those that all have.
fn headers(status: u16) -> Option<Node> {
    let (name, description, schema) = match status {
        401 => (
            "WWW-Authenticate",
            "How a credential is presented (RFC 9110 section 11.6.1)",
            Node::map([("type", "string".into())]),
        ),
        429 | 503 => (
            "Retry-After",
            "After how many seconds a try can succeed (RFC 9110 section 10.2.3)",
            Node::map([("type", "integer".into()), ("minimum", 1_u16.into())]),
        ),
        _ => return None,
    };
    let header = Node::map([("description", description.into()), ("schema", schema)]);
    Some(Node::map([(name, header)]))
}
