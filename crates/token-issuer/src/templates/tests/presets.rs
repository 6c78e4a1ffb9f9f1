//! The table of presets.

use super::*;

#[test]
fn every_preset_compiles_and_is_documented() {
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/claim-templates.md");
    let document = std::fs::read_to_string(document).unwrap();
    for preset in PRESETS {
        assert!(preset.template_json().is_object(), "{}", preset.name);
        preset.template().unwrap();
        assert!(std::ptr::eq(Preset::named(preset.name).unwrap(), preset));
        assert!(!preset.algorithms.is_empty(), "{}", preset.name);
        let row = document
            .lines()
            .find(|line| line.starts_with(&format!("| `{}` | ", preset.name)));
        let row = row.unwrap_or_else(|| panic!("no row for {}", preset.name));
        assert!(row.contains(preset.documentation), "{row}");
        assert!(
            row.contains(&format!("| {:?}", preset.algorithms[0])),
            "{row}"
        );
        assert!(
            document.contains(preset.json.trim_end()),
            "the template of {}",
            preset.name
        );
    }
    assert!(Preset::named("nothing").is_none());
}

#[test]
fn every_reference_and_filter_is_documented() {
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/claim-templates.md");
    let document = std::fs::read_to_string(document).unwrap();
    for name in [
        "user.id",
        "role",
        "roles",
        "roles.first",
        "attributes",
        "attributes.NAME",
        "resources",
        "resource.TYPE",
        "scope",
        "session.id",
        "audience",
        "organization.id",
        "organization.slug",
        "client_id",
        "issued_at",
        "expires_at",
        "row_filters.superset",
        "string",
        "integer",
        "json",
        "pg_array",
        "join(\",\")",
        "uuid",
        "hash",
    ] {
        assert!(document.contains(&format!("| `{name}` | ")), "{name}");
    }
    for claim in RESERVED_CLAIMS {
        assert!(document.contains(&format!("`{claim}`")), "{claim}");
    }
}

/// What `claims::Claims` writes: a token of an audience without a template.
#[test]
fn the_standard_preset_is_the_standard_token() {
    let token = Token::viewer().with_resources(&[("dashboard", "sales")]);
    let expected = json!({
        "iss": ISSUER, "aud": "analytics", "sub": "user-42", "client_id": "key_0Hq3VbN8tRzA", "jti": SESSION,
        "iat": 1_767_225_600, "nbf": 1_767_225_590, "exp": 1_767_226_200,
        "roles": ["viewer"], "attributes": token.renders(&json!({ "a": "{{ attributes }}" })).unwrap()["a"],
        "resources": [{ "type": "dashboard", "id": "sales" }], "scope": "dashboard:view",
    });
    assert_eq!(Value::Object(token.payload("standard").unwrap()), expected);
    let bare = Token::new(&["guest"], &json!({}))
        .payload("standard")
        .unwrap();
    assert!(!bare.contains_key("resources") && !bare.contains_key("scope"));
    assert_eq!(
        (&bare["roles"], &bare["attributes"]),
        (&json!(["guest"]), &json!({}))
    );
}

#[test]
fn expiry_issue_time_token_id_issuer_and_audience_are_in_every_token() {
    let attributes = json!({ "tenant_id": "t-1", "workspace_id": "w-1" });
    let mut token = Token::new(&["viewer"], &attributes).with_resources(&[("dashboard", "17")]);
    token.user_id = "0190a000-0000-7000-8000-000000000001".to_owned();
    token.rules = Some(vec![SupersetRule {
        dataset: None,
        clause: "a = 1".to_owned(),
    }]);
    for preset in PRESETS {
        let payload = token.payload(preset.name).unwrap();
        assert_eq!(payload["exp"], 1_767_226_200);
        assert_eq!(payload["iat"], 1_767_225_600);
        assert_eq!(
            (&payload["jti"], &payload["aud"]),
            (&json!(SESSION), &json!("analytics"))
        );
        assert!(payload.contains_key("iss"));
        let at_jwt = ["sub", "client_id", "nbf"]
            .iter()
            .all(|claim| payload.contains_key(*claim));
        let keeps_the_user = preset.registered.subject == SubjectClaim::User;
        assert_eq!(
            preset.header.typ == "at+jwt",
            at_jwt && keeps_the_user,
            "{}",
            preset.name
        );
    }
}

#[test]
fn registered_claims_change_only_as_far_as_their_rules_go() {
    let mut token = Token::viewer();
    let mut rules = RegisteredClaims {
        issuer: IssuerClaim::Given("client-1".into()),
        subject: SubjectClaim::Given("embed-client".into()),
        client_id: false,
        not_before: false,
    };
    let claims = Value::Object(rules.render(&token.context()).unwrap());
    let expected = json!({ "iss": "client-1", "aud": "analytics", "sub": "embed-client", "jti": SESSION,
                           "iat": 1_767_225_600, "exp": 1_767_226_200 });
    assert_eq!(claims, expected);

    rules.subject = SubjectClaim::UserUuid;
    for (user, passes) in [
        ("user-42", false),
        ("0190A000-0000-7000-8000-000000000001", false),
        ("0190a00000007000800000000000000001", false),
        ("0190a000-0000-7000-8000-000000000001", true),
    ] {
        token.user_id = user.to_owned();
        assert_eq!(rules.render(&token.context()).is_ok(), passes, "{user}");
    }
    let stored = serde_json::to_value(&rules).unwrap();
    assert_eq!(
        serde_json::from_value::<RegisteredClaims>(stored.clone()).unwrap(),
        rules
    );
    let mut unknown = stored;
    unknown["expires"] = json!(false);
    assert!(serde_json::from_value::<RegisteredClaims>(unknown).is_err());
}

#[test]
fn given_claims_say_something() {
    let check = |issuer: &str, subject: &str| {
        let rules = RegisteredClaims {
            issuer: IssuerClaim::Given(issuer.to_owned().into()),
            subject: SubjectClaim::Given(subject.to_owned().into()),
            ..RegisteredClaims::ALL
        };
        rules.check().map_err(|invalid| invalid.claim)
    };
    let long = "x".repeat(MAX_GIVEN_BYTES);
    assert_eq!(check("client-1", &long), Ok(()));
    for bad in ["", " ", "a ", "a\nb", &format!("{long}x")] {
        assert_eq!(check(bad, "s"), Err("iss"), "{bad:?}");
        assert_eq!(check("i", bad), Err("sub"), "{bad:?}");
    }
    for preset in PRESETS {
        assert_eq!(preset.registered.check(), Ok(()), "{}", preset.name);
    }
}
