use storage::testing::on_both_engines;

use super::*;
use crate::Slug;
use crate::testing::add_organization;

const GOOGLE: &str = "https://accounts.google.com";

fn rules() -> ProviderRules {
    ProviderRules {
        name: "okta".into(),
        organization: Slug::parse("acme").unwrap(),
        create_users: true,
        allowed_domains: vec!["Example.com".into()],
        allowed_groups: vec!["platform".into()],
        role_mapping: std::collections::BTreeMap::new(),
        default_role: None,
        second_factor: false,
    }
}

fn identity(subject: &str, email: &str) -> ProvenIdentity {
    ProvenIdentity {
        issuer: "https://okta.example".into(),
        subject: subject.into(),
        email: Some(email.into()),
        email_verified: true,
        name: Some("Ada Lovelace".into()),
        groups: Vec::new(),
        hosted_domain: None,
    }
}

async fn comes(
    app: &App,
    rules: &ProviderRules,
    identity: ProvenIdentity,
) -> Result<PasswordSignIn, ProviderSignInError> {
    let keys = &app.node.keys;
    keys.sign_in_through_provider(&browser(), rules, identity)
        .await
}

/// Refused, with this reason in the audit trail.
async fn refused(app: &App, rules: &ProviderRules, identity: ProvenIdentity, reason: &str) {
    app.clock.advance_seconds(60);
    let answer = comes(app, rules, identity).await;
    assert!(
        matches!(answer, Err(ProviderSignInError::Refused)),
        "{reason}: {answer:?}"
    );
    let told = events(app, "console.sign_in.refuse").await;
    assert_eq!(reasons(&told)[0], reason);
    assert_eq!(told[0].detail["provider"], "okta");
}

async fn user_count(app: &App) -> usize {
    let page = crate::PrincipalPage {
        after: None,
        limit: 100,
    };
    let users = app.node.keys.list_users(app.organization, page).await;
    users.unwrap().len()
}

#[tokio::test]
async fn a_new_person_of_an_allowed_domain_or_group_gets_a_user() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let session = done(comes(&app, &rules(), identity("1", ADA)).await.unwrap());
        let ada = session.person.user().clone();
        assert_eq!(
            (ada.role, ada.name.as_str()),
            (UserRole::Viewer, "Ada Lovelace")
        );
        assert!(!app.node.keys.has_password(&session.person).await.unwrap());
        assert!(person(&app, &session).await.is_some());
        for password in ["!", "", PASSWORD] {
            assert!(tries(&app, ADA, password).await.is_err());
        }
        // The address may change, the subject does not.
        let again = identity("1", "countess@example.com");
        let again = done(comes(&app, &rules(), again).await.unwrap());
        assert_eq!(again.person.user(), &ada);

        let mut guest = identity("2", "guest@elsewhere.example");
        guest.groups = vec!["platform".into()];
        let with_role = ProviderRules {
            default_role: Some(UserRole::Member),
            ..rules()
        };
        let guest = done(comes(&app, &with_role, guest).await.unwrap());
        assert_eq!(guest.person.user().role, UserRole::Member);
        assert_eq!(events(&app, "user.create").await.len(), 2);
        assert_eq!(events(&app, "user.identity.link").await.len(), 2);
        assert_eq!(
            events(&app, "console.sign_in").await[0].detail["provider"],
            "okta"
        );
    })
    .await;
}

#[tokio::test]
async fn nobody_else_gets_in() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let globex = add_organization(&app.database, &*app.clock, "globex").await;
        adds(&app, ADA, UserRole::Owner).await;
        let unverified = |email: &str| ProvenIdentity {
            email_verified: false,
            groups: vec!["platform".into()],
            ..identity("9", email)
        };
        refused(&app, &rules(), unverified(ADA), "email_not_verified").await;
        refused(
            &app,
            &rules(),
            unverified("new@example.com"),
            "email_not_verified",
        )
        .await;
        let nameless = ProvenIdentity {
            email: None,
            ..identity("9", ADA)
        };
        refused(&app, &rules(), nameless, "email_not_verified").await;
        for email in [
            "a@elsewhere.example",
            "a@sub.example.com",
            "a@badexample.com",
        ] {
            refused(&app, &rules(), identity("9", email), "not_allowed").await;
        }
        let closed = ProviderRules {
            allowed_domains: Vec::new(),
            allowed_groups: Vec::new(),
            ..rules()
        };
        refused(&app, &closed, identity("9", ADA), "not_allowed").await;
        let known_only = ProviderRules {
            create_users: false,
            ..rules()
        };
        refused(
            &app,
            &known_only,
            identity("9", "new@example.com"),
            "no_such_user",
        )
        .await;

        let google = |hosted: Option<&str>| ProvenIdentity {
            issuer: GOOGLE.into(),
            hosted_domain: hosted.map(str::to_owned),
            ..identity("9", ADA)
        };
        refused(&app, &rules(), google(None), "not_allowed").await;
        refused(
            &app,
            &rules(),
            google(Some("elsewhere.example")),
            "not_allowed",
        )
        .await;
        assert_eq!(user_count(&app).await, 1);
        done(
            comes(&app, &rules(), google(Some("example.com")))
                .await
                .unwrap(),
        );

        let elsewhere = ProviderRules {
            organization: Slug::parse("globex").unwrap(),
            ..rules()
        };
        for known in [google(Some("example.com")), identity("1", ADA)] {
            let answer = comes(&app, &elsewhere, known).await;
            assert!(matches!(answer, Err(ProviderSignInError::Refused)));
        }
        let nowhere = ProviderRules {
            organization: Slug::parse("nowhere").unwrap(),
            ..rules()
        };
        let answer = comes(&app, &nowhere, identity("1", ADA)).await;
        assert!(matches!(answer, Err(ProviderSignInError::Refused)));
        app.node.keys.throttle.settled().await;
        let filter = AuditFilter::default();
        let trail = audit::list(&app.database, globex, &filter, None, 10)
            .await
            .unwrap();
        assert_eq!(reasons(&trail[..2]), ["other_organization"; 2]);
    })
    .await;
}

#[tokio::test]
async fn a_verified_address_links_once_and_not_a_second_identity() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let ada = adds(&app, ADA, UserRole::Owner).await;
        let known_only = ProviderRules {
            create_users: false,
            ..rules()
        };
        let session = done(comes(&app, &known_only, identity("1", ADA)).await.unwrap());
        assert_eq!(session.person.user(), &ada);
        refused(&app, &rules(), identity("2", ADA), "other_identity").await;
        // Who leaves the domain is out, although the identity is known.
        refused(
            &app,
            &rules(),
            identity("1", "ada@elsewhere.example"),
            "not_allowed",
        )
        .await;

        adds(&app, "bob@example.com", UserRole::Owner).await;
        changes(&app, ada.id, suspended()).await;
        assert!(person(&app, &session).await.is_none());
        refused(&app, &rules(), identity("1", ADA), "suspended").await;
    })
    .await;
}

#[tokio::test]
async fn groups_map_to_roles_and_the_strongest_counts() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let mapped = ProviderRules {
            role_mapping: [
                ("staff".to_owned(), UserRole::Member),
                ("ops".to_owned(), UserRole::Admin),
                ("readers".to_owned(), UserRole::Viewer),
            ]
            .into(),
            ..rules()
        };
        let of = |groups: &[&str]| ProvenIdentity {
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            ..identity("1", ADA)
        };
        for (groups, role) in [
            (&["readers", "ops", "staff"][..], UserRole::Admin),
            (&["staff", "unknown"], UserRole::Member),
            (&["unknown"], UserRole::Member),
            (&[], UserRole::Member),
            (&["readers"], UserRole::Viewer),
        ] {
            let session = done(comes(&app, &mapped, of(groups)).await.unwrap());
            assert_eq!(session.person.user().role, role, "{groups:?}");
        }
        assert_eq!(events(&app, "user.update").await.len(), 2);
        let session = done(comes(&app, &rules(), of(&["ops"])).await.unwrap());
        assert_eq!(
            session.person.user().role,
            UserRole::Viewer,
            "nothing is mapped"
        );

        adds(&app, "owner@example.com", UserRole::Owner).await;
        let owner = || ProvenIdentity {
            email: Some("owner@example.com".into()),
            subject: "2".into(),
            ..of(&["readers"])
        };
        let session = done(comes(&app, &mapped, owner()).await.unwrap());
        assert_eq!(session.person.user().role, UserRole::Owner, "the last one");
        let session = person(&app, &session).await.unwrap();
        assert_eq!(session.user().role, UserRole::Owner);
        adds(&app, "second@example.com", UserRole::Owner).await;
        let session = done(comes(&app, &mapped, owner()).await.unwrap());
        assert_eq!(session.person.user().role, UserRole::Viewer);
    })
    .await;
}

#[tokio::test]
async fn jetons_own_second_factor_is_asked_for_where_the_rules_say_so() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let session = done(comes(&app, &rules(), identity("1", ADA)).await.unwrap());
        let (_, codes) = enables(&app, &session.person).await;
        done(comes(&app, &rules(), identity("1", ADA)).await.unwrap());
        let strict = ProviderRules {
            second_factor: true,
            ..rules()
        };
        let waits = pending(comes(&app, &strict, identity("1", ADA)).await.unwrap());
        let keys = &app.node.keys;
        keys.sign_in_with_code(&browser(), &waits, &codes[0])
            .await
            .unwrap();
        let event = &events(&app, "console.sign_in").await[0];
        assert_eq!(event.detail["method"], "provider_and_code");
        assert_eq!(event.detail["provider"], "okta");
    })
    .await;
}

fn attempt() -> ProviderAttempt {
    ProviderAttempt {
        provider: "okta".into(),
        nonce: "n-0S6_WzA2Mj".into(),
        pkce_verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into(),
        next: "/console/keys".into(),
    }
}

#[tokio::test]
async fn a_round_trip_is_taken_once_within_ten_minutes() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let keys = &app.node.keys;
        let begin = async || {
            let begun = keys.begin_provider_sign_in(&browser(), &attempt()).await;
            begun.unwrap()
        };
        let state = begin().await;
        let mut read = app.database.read().await.unwrap();
        let sql = "select state_hash, contents from provider_attempts";
        let rows = storage::fetch_all!(read.conn(), (Vec<u8>, Vec<u8>), sql).unwrap();
        drop(read);
        let stored = String::from_utf8_lossy(&rows[0].1).into_owned();
        assert!(!stored.contains("dBjft") && !stored.contains("n-0S6"));

        let taken = keys.take_provider_attempt(&state).await.unwrap().unwrap();
        assert_eq!(
            (taken.provider.as_str(), taken.next.as_str()),
            ("okta", "/console/keys")
        );
        assert_eq!(taken.nonce.expose_secret(), attempt().nonce.expose_secret());
        let verifier = taken.pkce_verifier.expose_secret();
        assert_eq!(verifier, attempt().pkce_verifier.expose_secret());
        assert!(keys.take_provider_attempt(&state).await.unwrap().is_none());

        let late = begin().await;
        app.clock.advance_seconds(PROVIDER_ATTEMPT_SECONDS);
        assert!(keys.take_provider_attempt(&late).await.unwrap().is_none());
        begin().await;
        app.clock.advance_seconds(PROVIDER_ATTEMPT_SECONDS);
        assert_eq!(keys.forget_sign_ins().await.unwrap(), 1);

        for _ in 0..30 {
            begin().await;
        }
        let limited = keys.begin_provider_sign_in(&browser(), &attempt()).await;
        assert!(matches!(limited, Err(ProviderSignInError::Limited(_))));
    })
    .await;
}
