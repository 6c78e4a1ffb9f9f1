//! What does not compile.

use super::*;

/// Each fault as `pointer: problem`.
fn faults(template: &Value) -> Vec<String> {
    let faults = Template::compile(template).unwrap_err();
    let lines = faults
        .iter()
        .map(|fault| format!("{}: {fault}", fault.pointer));
    lines.collect()
}

#[test]
fn the_issuers_claims_are_not_a_templates() {
    for claim in RESERVED_CLAIMS {
        let found = faults(&json!({ *claim: "x", "ok": { *claim: "x" } }));
        assert_eq!(
            found,
            [format!(
                "/{claim}: `{claim}` is set by the issuer, never by a template"
            )]
        );
    }
}

#[test]
fn mistakes_are_all_told_at_once_with_their_places() {
    let template = json!({
        "a": "{{ nothing }}", "b/c~d": ["ok", "{{ user.id | shout }}"], "e": "{{ roles }} and more",
        "f": { "{{ user.id }}": 1 }, "g": "{{ user.id", "exp": 1,
    });
    let mut found = faults(&template);
    found.sort();
    assert_eq!(
        found,
        [
            "/a: there is no `nothing`",
            "/b~1c~0d/1: there is no filter `shout`",
            "/e: `roles` is not a scalar; in a text it needs a filter that makes one of it",
            "/exp: `exp` is set by the issuer, never by a template",
            "/f/{{ user.id }}: names of members are literal and cannot have references in them",
            "/g: `{{` and `}}` come in pairs",
        ]
    );
}

#[test]
fn what_is_not_of_the_language_does_not_compile() {
    for (text, problem) in [
        ("{{}}", "not of the form"),
        ("{{ }}", "not of the form"),
        ("{{ user.id | }}", "not of the form"),
        ("{{ | string }}", "not of the form"),
        ("{{ user.id || string }}", "not of the form"),
        ("user.id }}", "come in pairs"),
        ("{{ user.id }} }}", "come in pairs"),
        ("{{ user.id } }", "come in pairs"),
        ("{{ roles | join(\",) }}", "come in pairs"),
        ("{{ {{ user.id }} }}", "come in pairs"),
        ("{{ {{ user.id }}", "there is no `{{ user.id`"),
        ("{{ user.id string }}", "there is no `user.id string`"),
        ("{{ user.ID }}", "there is no `user.ID`"),
        ("{{ user }}", "there is no `user`"),
        ("{{ user.id?? }}", "there is no `user.id?`"),
        ("{{ user.id ? }}", "there is no `user.id `"),
        ("{{ attributes. }}", "`attributes.`: "),
        ("{{ attributes.exp }}", "reserved"),
        ("{{ attributes.a.b }}", "`attributes.a.b`: "),
        ("{{ resource.A }}", "`resource.A`: "),
        ("{{ roles[0] }}", "there is no `roles[0]`"),
        ("{{ if roles }}", "there is no `if roles`"),
        ("{{ user.id | string() }}", "there is no filter `string()`"),
        ("{{ roles | join }}", "one character"),
        ("{{ roles | join() }}", "one character"),
        ("{{ roles | join(\"\") }}", "one character"),
        ("{{ roles | join(\", \") }}", "one character"),
        ("{{ roles | join(\"}\") }}", "one character"),
        ("{{ roles | join(',') }}", "one character"),
        ("{{ roles | uuid }}", "`uuid` cannot be applied to `roles`"),
        (
            "{{ attributes | string }}",
            "`string` cannot be applied to `attributes`",
        ),
        (
            "{{ resources | pg_array }}",
            "`pg_array` cannot be applied to `resources`",
        ),
        (
            "{{ user.id | join(\",\") }}",
            "`join` cannot be applied to `user.id`",
        ),
        (
            "{{ attributes.regions | pg_array | join(\",\") }}",
            "`join` cannot be applied",
        ),
        ("{{ issued_at | uuid }}", "`uuid` cannot be applied"),
        (
            "{{ user.id | json | json | json | json | json }}",
            "at most 4 filters",
        ),
        ("x {{ attributes }}", "not a scalar"),
        ("x {{ attributes.regions? }}", "only a member of an object"),
    ] {
        let found = faults(&json!({ "claim": text }));
        assert!(
            found.len() == 1 && found[0].contains(problem),
            "{text}: {found:?}"
        );
    }
    let found = faults(&json!({ "list": ["{{ attributes.regions? }}"] }));
    assert!(
        found[0].starts_with("/list/0: ") && found[0].contains("only a member"),
        "{found:?}"
    );
    for other in [json!([]), json!("{{ attributes }}"), json!(null)] {
        assert_eq!(faults(&other), [": a claim template is a JSON object"]);
    }
}

fn nested(levels: usize) -> Value {
    (1..levels).fold(
        json!({ "leaf": "{{ user.id }}" }),
        |inner, _| json!({ "in": inner }),
    )
}

#[test]
fn templates_are_small() {
    let long = |bytes: usize| json!({ "a": "x".repeat(bytes - r#"{"a":""}"#.len()) });
    assert!(Template::compile(&long(MAX_TEMPLATE_BYTES)).is_ok());
    assert_eq!(
        faults(&long(MAX_TEMPLATE_BYTES + 1)),
        [": a claim template has at most 16384 bytes"]
    );

    // The leaf is a level too.
    assert!(Template::compile(&nested(MAX_DEPTH - 1)).is_ok());
    let found = faults(&nested(MAX_DEPTH));
    assert!(
        found[0].ends_with("at most 8 levels") && found.len() == 1,
        "{found:?}"
    );

    let wide = |values: usize| json!({ "a": vec![1; values - 2] });
    assert!(Template::compile(&wide(MAX_NODES)).is_ok());
    assert_eq!(
        faults(&wide(MAX_NODES + 1)),
        [": a claim template has at most 200 values and references"]
    );
    let text = "{{ user.id }} ".repeat(MAX_NODES - 1);
    assert_eq!(
        faults(&json!({ "a": text })),
        [": a claim template has at most 200 values and references"]
    );
}

#[test]
fn a_template_tells_which_attributes_it_needs() {
    let template = json!({ "a": "{{ attributes.tenant_id }}", "b": [{ "c": "{{ attributes.regions? }}" }, "x {{ attributes.level }}"] });
    let template = Template::compile(&template).unwrap();
    let needed: Vec<_> = template
        .attributes()
        .map(|(name, required)| (name.as_str(), required))
        .collect();
    assert_eq!(
        needed,
        [("tenant_id", true), ("regions", false), ("level", true)]
    );
    assert!(!template.names_superset_rules());
    let superset = Preset::named("superset-guest").unwrap().template().unwrap();
    assert!(superset.names_superset_rules() && superset.attributes().next().is_none());
}
