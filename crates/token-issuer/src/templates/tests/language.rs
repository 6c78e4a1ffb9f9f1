//! What templates make of a token, rule by rule.

use super::*;

fn rendered(template: &Value) -> Value {
    Token::viewer().renders(template).unwrap()
}

fn refused(token: &Token, expression: &str) -> String {
    let template = json!({ "claim": expression });
    token.renders(&template).unwrap_err().to_string()
}

#[test]
fn a_string_that_is_one_reference_becomes_the_value_with_its_type() {
    let token = Token::viewer().with_resources(&[("dashboard", "sales")]);
    for (reference, value) in [
        ("user.id", json!("user-42")),
        ("role", json!("viewer")),
        ("roles.first", json!("viewer")),
        ("roles", json!(["viewer"])),
        (
            "attributes",
            token
                .grant
                .attributes()
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_json()))
                .collect(),
        ),
        ("attributes.tenant_id", json!("t-1")),
        ("attributes.regions", json!(["eu", "us"])),
        ("attributes.levels", json!([1, 2])),
        ("attributes.level", json!(3)),
        ("attributes.score", json!(0.5)),
        ("attributes.active", json!(true)),
        ("attributes.since", json!("2026-01-31")),
        ("resources", json!([{ "type": "dashboard", "id": "sales" }])),
        ("resource.dashboard", json!("sales")),
        ("scope", json!("dashboard:view")),
        ("session.id", json!(SESSION)),
        ("audience", json!("analytics")),
        (
            "organization.id",
            json!("org_01a203acc3637c44b2d3af39a2eae215"),
        ),
        ("organization.slug", json!("acme")),
        ("client_id", json!("key_0Hq3VbN8tRzA")),
        ("issued_at", json!(1_767_225_600)),
        ("expires_at", json!(1_767_226_200)),
    ] {
        for template in [
            format!("{{{{ {reference} }}}}"),
            format!("{{{{{reference}?}}}}"),
        ] {
            let claims = token.renders(&json!({ "claim": template })).unwrap();
            assert_eq!(claims["claim"], value, "{template}");
        }
    }
}

#[test]
fn filters_make_of_a_value_what_the_consumer_reads() {
    let mut token = Token::new(
        &["viewer", "editor"],
        &json!({ "tenant_id": "A1B2C3D4-0000-4000-8000-00000000000F", "level": 3, "active": true, "score": 0.5,
                 "regions": ["eu", "a\"b\\c", "NULL", "{x,y}"], "levels": [1, -2], "since": "2026-01-31" }),
    );
    token = token.with_resources(&[("dashboard", "17")]);
    for (expression, value) in [
        ("attributes.level | string", json!("3")),
        ("attributes.active | string", json!("true")),
        ("attributes.score | string", json!("0.5")),
        ("attributes.since | string", json!("2026-01-31")),
        ("resource.dashboard | integer", json!(17)),
        ("attributes.level | integer", json!(3)),
        ("attributes.levels | json", json!("[1,-2]")),
        (
            "attributes.tenant_id | json",
            json!("\"A1B2C3D4-0000-4000-8000-00000000000F\""),
        ),
        (
            "attributes.regions | pg_array",
            json!(r#"{"eu","a\"b\\c","NULL","{x,y}"}"#),
        ),
        ("attributes.levels|pg_array", json!(r#"{"1","-2"}"#)),
        ("roles | join(\",\")", json!("viewer,editor")),
        ("roles | join(\"|\")", json!("viewer|editor")),
        ("attributes.levels | join(\" \")", json!("1 -2")),
        (
            "attributes.tenant_id | uuid",
            json!("a1b2c3d4-0000-4000-8000-00000000000f"),
        ),
        // Python: hmac.new(b"key of the organization acme", b"user-42", "sha256").hexdigest()
        (
            "user.id | hash",
            json!("31b40d6da1f7fd0bea3af437ca9bea6072aa4b3cfb904fb23d1051ca93111118"),
        ),
        ("attributes.level | string | json", json!("\"3\"")),
    ] {
        let claims = token
            .renders(&json!({ "claim": format!("{{{{ {expression} }}}}") }))
            .unwrap();
        assert_eq!(claims["claim"], value, "{expression}");
    }
}

#[test]
fn texts_take_scalars_in_and_everything_else_is_literal() {
    let template = json!({
        "path": "/{{ organization.slug }}/{{ attributes.level }}/{{ attributes.active }}",
        "list": ["a", "{{ user.id }}", { "https://example.com/x.y": "{{ roles | join(\",\") }}" }],
        "roles": "{{ roles | join(\";\") }}",
        "number": 1, "nothing": null, "empty": {}, "brace": "{ user.id } $x %s",
    });
    let expected = json!({
        "path": "/acme/3/true",
        "list": ["a", "user-42", { "https://example.com/x.y": "viewer" }],
        "roles": "viewer",
        "number": 1, "nothing": null, "empty": {}, "brace": "{ user.id } $x %s",
    });
    assert_eq!(rendered(&template), expected);
}

#[test]
fn only_what_is_marked_may_be_missing() {
    let token = Token::new(&["viewer"], &json!({}));
    let template = json!({ "a": "{{ attributes.regions? | pg_array }}", "b": { "c": "{{ resources? }}", "d": 1 },
                           "e": "{{ resource.dashboard? | integer }}", "f": "{{ row_filters.superset? }}" });
    assert_eq!(token.renders(&template), Ok(json!({ "b": { "d": 1 } })));
    for reference in [
        "attributes.regions",
        "resources",
        "resource.dashboard",
        "row_filters.superset",
    ] {
        for template in [
            json!({ "b": [{ "c": format!("{{{{{reference}}}}}") }] }),
            json!({ "c": format!("{{{{ {reference} | json }}}}") }),
        ] {
            let missing = TemplateError::Missing {
                reference: reference.to_owned(),
            };
            assert_eq!(token.renders(&template), Err(missing));
        }
    }
    assert!(refused(&token, "of {{ attributes.tenant_id }}").contains("`attributes.tenant_id`"));
    // No permission, no scope.
    assert!(refused(&Token::new(&["guest"], &json!({})), "{{ scope }}").contains("`scope`"));
}

#[test]
fn row_filters_that_filter_nothing_are_missing() {
    let mut token = Token::viewer();
    let template = json!({ "rls_rules": "{{ row_filters.superset }}" });
    let rule = |clause: &str| SupersetRule {
        dataset: Some(41),
        clause: clause.to_owned(),
    };
    for rules in [None, Some(vec![]), Some(vec![rule("a = 1"), rule(" ")])] {
        token.rules = rules;
        assert!(matches!(
            token.renders(&template),
            Err(TemplateError::Missing { .. })
        ));
    }
    token.rules = Some(vec![
        rule("tenant_id = 't-1'"),
        SupersetRule {
            dataset: None,
            clause: "x".to_owned(),
        },
    ]);
    let expected = json!({ "rls_rules": [{ "dataset": 41, "clause": "tenant_id = 't-1'" }, { "clause": "x" }] });
    assert_eq!(token.renders(&template), Ok(expected));
}

#[test]
fn one_role_or_resource_is_never_picked_out_of_several() {
    let token = Token::new(&["editor", "viewer"], &json!({}))
        .with_resources(&[("dashboard", "1"), ("question", "2")]);
    for reference in ["role", "resource.dashboard"] {
        for optional in ["", "?"] {
            let text = refused(&token, &format!("{{{{ {reference}{optional} }}}}"));
            assert!(
                text.contains(&format!("exactly one `{reference}`")),
                "{text}"
            );
        }
    }
    let first = token
        .renders(&json!({ "first": "{{ roles.first }}" }))
        .unwrap();
    assert_eq!(first["first"], "editor");
    let other = Token::viewer().with_resources(&[("question", "2")]);
    assert!(refused(&other, "{{ resource.dashboard }}").contains("does not have"));
}

#[test]
fn a_value_that_does_not_pass_a_filter_refuses_and_is_not_repeated() {
    let attributes = json!({ "tenant_id": "SECRET,a1b2", "regions": ["SECRET", "x,y"], "level": 7, "score": 0.5 });
    let token = Token::new(&["viewer"], &attributes).with_resources(&[("dashboard", "SECRET")]);
    for (expression, filter) in [
        ("attributes.regions | string", "string"),
        ("attributes.regions | uuid", "uuid"),
        ("attributes.tenant_id | uuid", "uuid"),
        ("attributes.level | uuid", "uuid"),
        ("attributes.tenant_id | pg_array", "pg_array"),
        ("attributes.tenant_id | join(\";\")", "join"),
        ("attributes.regions | join(\",\")", "join"),
        ("attributes.regions | hash", "hash"),
        ("attributes.regions | integer", "integer"),
        ("attributes.score | integer", "integer"),
        ("resource.dashboard | integer", "integer"),
    ] {
        let text = refused(&token, &format!("{{{{ {expression} }}}}"));
        let reference = expression.split(' ').next().unwrap();
        assert!(
            text.contains(&format!(
                "`{reference}` does not pass the filter `{filter}`"
            )),
            "{text}"
        );
        assert!(!text.contains("SECRET"), "{text}");
    }
    let text = refused(&token, "in {{ attributes.regions }}");
    assert!(
        text.contains("`attributes.regions` is a list") && !text.contains("SECRET"),
        "{text}"
    );
}

#[test]
fn integers_are_read_in_one_spelling_only() {
    let accepts = |id: &str| {
        let token = Token::viewer().with_resources(&[("dashboard", id)]);
        token
            .renders(&json!({ "id": "{{ resource.dashboard | integer }}" }))
            .is_ok()
    };
    assert!(
        ["0", "7", "-7", "9007199254740991", "-9007199254740991"]
            .into_iter()
            .all(accepts)
    );
    let others = [
        "",
        "-",
        "+7",
        "07",
        "-07",
        " 7",
        "7 ",
        "7.0",
        "7e1",
        "0x7",
        "٧",
        "9007199254740992",
        "99999999999999999999",
    ];
    assert!(!others.into_iter().any(accepts));
}
