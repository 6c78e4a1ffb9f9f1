//! What tokens would say after a change of their audience that nobody has made.

use key_admin::Edit;
use policy::operations::markers::UpdateAudience;
use serde_json::json;
use storage::testing::on_both_engines;

use super::{App, request, signed_in};
use crate::audiences::{AudienceError, AudiencePatch, TokenFormat};
use crate::signing_keys::KeyState;
use crate::{Sample, SampleError};

async fn sample(app: &App, change: AudiencePatch, subject: &str) -> Result<Sample, SampleError> {
    let person = signed_in(&app.services, "ada@example.com").await;
    let person = app
        .services
        .authorizer
        .permit_person::<UpdateAudience>(person);
    let audience = app.default().await.id;
    let issuer = &app.services.issuer;
    issuer
        .sample(&person.unwrap(), audience, change, request(subject))
        .await
}

#[tokio::test]
async fn a_sample_says_what_a_token_would_and_changes_nothing() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let before = app.default().await;
        let mut change = AudiencePatch {
            aud: Some("bi".to_owned()),
            ..AudiencePatch::default()
        };
        let template = json!({ "who": "{{ user.id }}", "groups": "{{ roles }}" });
        change.settings.claims.template = Edit::Set(Some(template));
        let Sample::Claims(sampled) = sample(&app, change.clone(), "user-42").await.unwrap() else {
            panic!("refused")
        };
        assert_eq!(sampled.claims["aud"], "bi");
        assert_eq!(sampled.claims["who"], "user-42");
        let after = app.default().await;
        assert_eq!(
            (&after.aud, &after.settings),
            (&before.aud, &before.settings)
        );

        // Once the change is made, a token says the same, and is as long.
        let act = key_admin::Act::on_command_line();
        let issuer = &app.services.issuer;
        let updated = issuer.update_audience(&act, app.organization.id, before.id, change);
        updated.await.unwrap();
        let issued = app.issues("user-42").await.unwrap();
        let mut claims = issued.claims().payload().unwrap();
        assert_eq!(issued.claims().token_bytes(), sampled.token_bytes);
        for name in ["jti", "client_id"] {
            claims.insert(name.to_owned(), sampled.claims[name].clone());
        }
        assert_eq!(claims, sampled.claims);
    })
    .await;
}

#[tokio::test]
async fn a_sample_that_no_token_could_be_says_why() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let with = |template: serde_json::Value| {
            let mut change = AudiencePatch::default();
            change.settings.claims.template = Edit::Set(Some(template));
            change
        };
        let missing = with(json!({ "x": "{{ attributes.nothing }}" }));
        let Sample::Refused(reasons) = sample(&app, missing, "u").await.unwrap() else {
            panic!("granted")
        };
        assert_eq!(reasons[0].code, "claim_template_refused");
        let Sample::Refused(reasons) = sample(&app, AudiencePatch::default(), "").await.unwrap()
        else {
            panic!("granted")
        };
        assert_eq!(reasons[0].pointer, "/user/id");
        let wrong = sample(&app, with(json!({ "iss": "me" })), "u").await;
        let Err(SampleError::Audience(AudienceError::Invalid(faults))) = wrong else {
            panic!("{wrong:?}")
        };
        assert_eq!(faults[0].pointer(), "/claims/template/iss");
        let mut long = with(json!({ "x": "x".repeat(600) }));
        long.settings.max_token_bytes = Some(512);
        let Sample::Claims(long) = sample(&app, long, "u").await.unwrap() else {
            panic!("refused")
        };
        assert!(long.token_bytes > long.max_token_bytes && long.max_token_bytes == 512);
        let mut opaque = AudiencePatch::default();
        opaque.settings.format = Some(TokenFormat::Opaque);
        let Sample::Claims(opaque) = sample(&app, opaque, "u").await.unwrap() else {
            panic!("refused")
        };
        assert!(opaque.token_bytes < 64 && opaque.bytes > 100, "{opaque:?}");
    })
    .await;
}

#[tokio::test]
async fn a_key_that_has_signed_says_how_long_its_tokens_can_live() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let (act, audience) = (key_admin::Act::on_command_line(), app.default().await.id);
        let issuer = &app.services.issuer;
        app.clock.advance_seconds(301);
        issuer
            .rotate_signing_key(&act, app.organization.id, audience)
            .await
            .unwrap();
        let all = issuer
            .signing_keys_of_all(app.organization.id)
            .await
            .unwrap();
        let told: Vec<_> = all[&audience]
            .iter()
            .map(|key| (key.state, key.published_until))
            .collect();
        let until = super::NOW.plus_seconds(301 + 86_400 + 60);
        assert_eq!(
            told,
            [
                (KeyState::Active, None),
                (KeyState::Next, None),
                (KeyState::Previous, Some(until)),
            ]
        );
    })
    .await;
}
