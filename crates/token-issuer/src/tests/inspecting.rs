//! What a person is told about a pasted text.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use key_admin::Act;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use storage::testing::on_both_engines;

use super::checking::{claims_in, sign, signer};
use super::{App, found, signed_in};
use crate::checking::{PresentedKind, SignatureCheck};
use crate::sessions::{RevocationTarget, SessionState};
use crate::{Inspection, TokenProblem};

async fn inspect(app: &App, text: &str) -> Inspection {
    let person = signed_in(&app.services, "ada@example.com").await;
    let inspection = app.services.issuer.inspect_token(&person, text).await;
    inspection.unwrap()
}

fn problems(inspection: &Inspection) -> Vec<String> {
    let problems = inspection.problems.iter();
    problems.map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_token_that_passes_is_shown_with_its_key_and_session() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let issued = app.issues("user-42").await.unwrap();
        let token = issued.token().expose_secret();
        let line = format!(" Authorization: Bearer {token}\n");
        for text in [token, &line] {
            let seen = inspect(&app, text).await;
            assert!(seen.passes(), "{:?}", problems(&seen));
            assert_eq!(seen.kind, PresentedKind::Signed);
            assert_eq!(
                Value::Object(seen.claims.clone().unwrap()),
                claims_in(token)
            );
            let SignatureCheck::Right(key) = &seen.signature else {
                panic!("{seen:?}")
            };
            assert_eq!(
                (Some(&key.kid), key.audience.as_str(), key.is_public),
                (seen.kid.as_ref(), "default", true)
            );
            let session = seen.session.clone().unwrap();
            assert_eq!(session.session.id, issued.claims().session_id());
            assert_eq!(session.session.api_key, app.caller.key_id());
            assert_eq!(session.state, SessionState::Active);
            let printed = format!("{seen:?}");
            assert!(
                !printed.contains("user-42") && !printed.contains("t-1"),
                "{printed}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn everything_that_is_wrong_is_told_at_once() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let issued = app.issues("user-42").await.unwrap();
        let token = issued.token().expose_secret();
        let (key, header) = signer(&app).await;
        let mut claims = claims_in(token);
        claims["iss"] = json!("https://evil.example.com");
        claims["aud"] = json!("other");
        claims["exp"] = json!(1_000);
        claims["nbf"] = json!(4_000_000_000_u64);
        claims.as_object_mut().unwrap().remove("jti");
        let head = json!({ "alg": "ES256", "typ": "JWT", "kid": header.kid }).to_string();
        let forged = sign(&key, &head, &claims.to_string());
        let seen = inspect(&app, &forged).await;
        assert!(!seen.passes());
        assert!(
            matches!(seen.signature, SignatureCheck::Right(_)),
            "{seen:?}"
        );
        let wrong = problems(&seen);
        for expected in [
            "`typ` of the header is not `at+jwt`",
            "The claim `jti` is missing",
            "The issuer `iss` is not `https://tokens.example.com/orgs/acme`",
            "The audience `aud` is not `default`",
            "It has expired: it ended at 1970-01-01T00:16:40Z",
            "It is not valid before 2096-10-02T07:06:40Z",
        ] {
            assert!(
                wrong.iter().any(|it| it.contains(expected)),
                "{expected}: {wrong:#?}"
            );
        }
        assert_eq!(wrong.len(), 6, "{wrong:#?}");
        assert!(seen.session.is_none());
    })
    .await;
}

#[tokio::test]
async fn a_changed_token_is_decoded_and_said_to_be_changed() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let issued = app.issues("user-42").await.unwrap();
        let token = issued.token().expose_secret();
        let mut claims = claims_in(token);
        claims["roles"] = json!(["admin"]);
        let parts: Vec<&str> = token.split('.').collect();
        let body = BASE64.encode(claims.to_string());
        let changed = format!("{}.{body}.{}", parts[0], parts[2]);
        let seen = inspect(&app, &changed).await;
        assert_eq!(Value::Object(seen.claims.clone().unwrap()), claims);
        assert_eq!(seen.problems, [TokenProblem::Signature]);
        assert!(
            matches!(seen.signature, SignatureCheck::Wrong(_)),
            "{seen:?}"
        );
        assert!(seen.session.is_none());

        let none = BASE64.encode(r#"{"alg":"none","typ":"at+jwt","kid":"x"}"#);
        let unsigned = format!("{none}.{}.", parts[1]);
        let seen = inspect(&app, &unsigned).await;
        assert_eq!(seen.problems, [TokenProblem::UnknownKey]);
        let kid = seen_kid(token);
        let none = json!({ "alg": "none", "typ": "at+jwt", "kid": kid }).to_string();
        let unsigned = format!("{}.{}.", BASE64.encode(none), parts[1]);
        let seen = inspect(&app, &unsigned).await;
        assert!(
            matches!(seen.signature, SignatureCheck::Wrong(_)),
            "{seen:?}"
        );
        assert!(seen.problems.contains(&TokenProblem::Signature), "{seen:?}");
        let twice = BASE64.encode(format!(r#"{{"alg":"ES256","kid":"{kid}","kid":"{kid}"}}"#));
        let seen = inspect(&app, &format!("{twice}.{}.{}", parts[1], parts[2])).await;
        assert!(
            seen.problems.contains(&TokenProblem::Repeated("header")),
            "{:?}",
            problems(&seen)
        );
    })
    .await;
}

fn seen_kid(token: &str) -> String {
    super::signing_kid(token)
}

#[tokio::test]
async fn what_has_ended_or_was_revoked_says_how() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let (act, organization) = (Act::on_command_line(), app.organization.id);
        let issuer = &app.services.issuer;

        let first = app.issues("user-1").await.unwrap();
        let id = first.claims().session_id();
        issuer.revoke_session(&act, organization, id).await.unwrap();
        let seen = inspect(&app, first.token().expose_secret()).await;
        assert_eq!(problems(&seen), ["It has been revoked: somebody revoked its session."]);
        assert_eq!(seen.session.unwrap().state.as_str(), "revoked");

        let second = app.issues("user-2").await.unwrap();
        let target = RevocationTarget::Subject("user-2".to_owned());
        issuer
            .revoke_sessions(&act, organization, target, None)
            .await
            .unwrap();
        let seen = inspect(&app, second.token().expose_secret()).await;
        assert_eq!(
            problems(&seen),
            ["It has been revoked, together with everything issued up to a moment for its subject."]
        );

        let third = app.issues("user-3").await.unwrap();
        app.clock.advance_seconds(900);
        let seen = inspect(&app, third.token().expose_secret()).await;
        let since = third.claims().expires_at();
        assert_eq!(seen.problems, [TokenProblem::Expired { since }]);
        assert_eq!(seen.session.unwrap().state, SessionState::Expired);
    })
    .await;
}

#[tokio::test]
async fn a_token_of_another_organization_shows_what_it_says_and_nothing_else() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let services = &app.services;
        found(services, "globex", "hank@example.com").await.unwrap();
        let issued = app.issues("user-42").await.unwrap();
        let token = issued.token().expose_secret();
        let stranger = signed_in(services, "hank@example.com").await;
        let seen = services.issuer.inspect_token(&stranger, token).await;
        let seen = seen.unwrap();
        assert!(!seen.passes() && seen.session.is_none());
        assert_eq!(seen.signature, SignatureCheck::UnknownKey);
        assert_eq!(
            Value::Object(seen.claims.clone().unwrap()),
            claims_in(token)
        );
        assert_eq!(
            seen.problems,
            [
                TokenProblem::UnknownKey,
                TokenProblem::Issuer {
                    expected: "https://tokens.example.com/orgs/globex".to_owned()
                }
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn who_may_not_read_sessions_learns_what_the_token_tells() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let issued = app.issues("user-42").await.unwrap();
        let token = issued.token().expose_secret();
        let person = signed_in(&app.services, "ada@example.com")
            .await
            .holding(&[]);
        let issuer = &app.services.issuer;
        let seen = issuer.inspect_token(&person, token).await.unwrap();
        assert!(seen.passes() && seen.session.is_none() && !seen.session_was_checked);
        let shorter = &token[..token.len() - 2];
        let seen = issuer.inspect_token(&person, shorter).await.unwrap();
        assert_eq!(seen.problems, [TokenProblem::Signature]);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_token_is_told_as_what_it_is() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let key = "jtn_0Hq3VbN8tRzA_abc";
        let seen = inspect(&app, key).await;
        assert_eq!(seen.kind, PresentedKind::ApiKey(None));
        for text in ["", "rubbish", "a.b.c", "...", "eyJ.x.y", "\u{1f600}.\0.x"] {
            let seen = inspect(&app, text).await;
            assert_eq!(seen.kind, PresentedKind::Other, "{text:?}");
            assert!(!seen.passes() && seen.problems.is_empty());
        }
        let seen = inspect(&app, "jts_nothing").await;
        assert_eq!(
            (seen.kind, seen.problems.as_slice()),
            (PresentedKind::Opaque, [TokenProblem::NoSession].as_slice())
        );
        let header = BASE64.encode(r#"{"alg":"ECDH-ES","enc":"A256GCM"}"#);
        let seen = inspect(&app, &format!("{header}..a.b.c")).await;
        assert_eq!(seen.kind, PresentedKind::Encrypted);
        assert_eq!(seen.problems, [TokenProblem::NoSession]);
        let long = format!("{}.{}.x", BASE64.encode("{}"), "a".repeat(9_000));
        let seen = inspect(&app, &long).await;
        assert!(
            seen.problems
                .contains(&TokenProblem::TooLong { bytes: long.len() }),
            "{seen:?}"
        );
    })
    .await;
}
