//! Whatever the values hold: rendering does not panic, and values stay values.

use proptest::prelude::*;

use super::*;

/// Fragments that mean something to JSON, to templates, to PostgreSQL or to a terminal.
const FRAGMENTS: &[&str] = &[
    "{{",
    "}}",
    "{{ user.id }}",
    "{{ attributes",
    "?",
    "|",
    "\"",
    "\\",
    "'",
    ",",
    ":",
    "{",
    "}",
    "[",
    "]",
    "\"aud\":\"x\"",
    "\\u0022",
    "NULL",
    "--",
    "$1",
    "a",
    "Z",
    "0",
    " ",
    "é",
    "🦀",
    "__proto__",
    "exp",
];
/// Refused in attributes before a template sees them; not in every text of the context.
const CONTROLS: &[&str] = &["\n", "\r", "\t", "\0", "\u{1b}", "\u{2028}"];

fn fragments(pool: Vec<&'static str>) -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(pool), 1..8).prop_map(|parts| parts.concat())
}

fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![fragments(FRAGMENTS.to_vec()), "\\PC{1,12}"]
}

fn more_hostile() -> impl Strategy<Value = String> {
    prop_oneof![fragments([FRAGMENTS, CONTROLS].concat()), any::<String>()]
}

fn everything() -> Template {
    let template = json!({
        "user": "{{ user.id }}", "text": "a {{ user.id }} b {{ attributes.tenant_id }} c",
        "roles": "{{ roles }}", "all": "{{ attributes }}", "tenant": "{{ attributes.tenant_id }}",
        "regions": "{{ attributes.regions }}", "array": "{{ attributes.regions | pg_array }}",
        "json": "{{ attributes.regions | json }}", "hash": "{{ attributes.tenant_id | hash }}",
        "twice": "{{ attributes.tenant_id | json | json }}", "resources": "{{ resources }}",
        "deep": { "https://example.com/claims": [{ "id": "{{ resource.dashboard }}" }] },
        "rules": "{{ row_filters.superset }}", "audience": "{{ audience }}",
    });
    Template::compile(&template).unwrap()
}

/// The names, types and lengths, without the texts.
fn shape(value: &Value) -> Value {
    match value {
        Value::String(_) => json!("text"),
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(name, value)| (name.clone(), shape(value)));
            Value::Object(members.collect())
        }
        scalar => scalar.clone(),
    }
}

struct Texts {
    user: String,
    tenant: String,
    regions: Vec<String>,
    resource: String,
    clause: String,
}

impl Texts {
    fn harmless(regions: usize) -> Self {
        Self {
            user: "u".to_owned(),
            tenant: "t".to_owned(),
            regions: vec!["r".to_owned(); regions],
            resource: "d".to_owned(),
            clause: "c".to_owned(),
        }
    }

    fn token(&self) -> Option<Token> {
        let attributes = json!({ "tenant_id": self.tenant, "regions": self.regions });
        let mut token = Token::granted(&["viewer"], &attributes)?
            .with_resources(&[("dashboard", &self.resource)]);
        token.user_id.clone_from(&self.user);
        token.aud.clone_from(&self.user);
        token.rules = Some(vec![SupersetRule {
            dataset: Some(1),
            clause: format!("x{}", self.clause),
        }]);
        Some(token)
    }
}

proptest! {
    #[test]
    fn values_never_change_the_shape_of_the_claims(
        (user, tenant, resource, clause) in (more_hostile(), hostile(), more_hostile(), more_hostile()),
        regions in proptest::collection::vec(hostile(), 1..4),
    ) {
        let texts = Texts { user, tenant, regions, resource, clause };
        // Blank texts, for one, are refused by the policy.
        let Some(token) = texts.token() else { return Ok(()) };
        let template = everything();
        let payload = template.payload(&RegisteredClaims::ALL, &token.context()).unwrap();

        let harmless = Texts::harmless(texts.regions.len()).token().unwrap();
        let expected = template.payload(&RegisteredClaims::ALL, &harmless.context()).unwrap();
        prop_assert_eq!(shape(&Value::Object(payload.clone())), shape(&Value::Object(expected)));

        // The way to the consumer and back changes nothing either.
        let read: Map<String, Value> = serde_json::from_slice(&serde_json::to_vec(&payload).unwrap()).unwrap();
        prop_assert_eq!(&read, &payload);
        prop_assert_eq!(&read["user"], &json!(texts.user));
        prop_assert_eq!(&read["sub"], &json!(texts.user));
        prop_assert_eq!(&read["iss"], ISSUER);
        prop_assert_eq!(&read["tenant"], &json!(texts.tenant));
        prop_assert_eq!(&read["all"]["tenant_id"], &json!(texts.tenant));
        prop_assert_eq!(&read["regions"], &json!(texts.regions));
        prop_assert_eq!(&read["text"], &json!(format!("a {} b {} c", texts.user, texts.tenant)));
        let inner: Vec<String> = serde_json::from_str(read["json"].as_str().unwrap()).unwrap();
        prop_assert_eq!(&inner, &texts.regions);
    }

    #[test]
    fn joined_lists_come_apart_again(regions in proptest::collection::vec(hostile(), 1..5)) {
        let Some(token) = Token::granted(&["viewer"], &json!({ "regions": regions })) else { return Ok(()) };
        match token.renders(&json!({ "joined": "{{ attributes.regions | join(\",\") }}" })) {
            Ok(claims) => {
                let parts: Vec<_> = claims["joined"].as_str().unwrap().split(',').collect();
                prop_assert_eq!(parts, regions);
            }
            Err(_) => prop_assert!(regions.iter().any(|region| region.contains(','))),
        }
    }

    #[test]
    fn any_text_compiles_or_is_refused_and_renders_without_panic(texts in proptest::collection::vec(more_hostile(), 1..6)) {
        let template = json!({ "a": texts[0], "b": texts, texts[0].as_str(): { "c": texts[0] } });
        if let Ok(template) = Template::compile(&template) {
            let _ = template.render(&Token::viewer().context());
        }
    }

    #[test]
    fn near_misses_of_the_language_do_not_panic(
        parts in proptest::collection::vec(proptest::sample::select(vec![
            "{{", "}}", " ", "|", "?", "\"", "user.id", "attributes.regions", "attributes.", "roles", "join(", "\",\"", ")",
            "pg_array", "json", "string", "é", "",
        ]), 1..10),
    ) {
        if let Ok(template) = Template::compile(&json!({ "a": parts.concat() })) {
            let _ = template.render(&Token::viewer().context());
        }
    }
}
