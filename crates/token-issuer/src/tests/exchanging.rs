//! Tokens that are exchanged for narrower ones, and what voids those.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use key_admin::MasterSecret;
use key_admin::cutoffs::CutoffKind;
use policy::Permitted;
use policy::operations::markers::IssueSessionToken;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use storage::testing::on_both_engines;
use storage::{Clock, ManualClock, SessionId, Timestamp};

use super::renewing::origin;
use super::{App, MASTER, caller, start_at};
use crate::sessions::{RevocationTarget, RevokedBy, SessionFilter, SessionState};
use crate::{Exchange, ExchangeSubject, IssuedToken, TokenIssuer};

/// A narrower token for this one, with these attributes.
async fn part(
    issuer: &TokenIssuer,
    caller: &Permitted<IssueSessionToken>,
    token: &IssuedToken,
    attributes: Value,
) -> IssuedToken {
    let Value::Object(attributes) = attributes else {
        unreachable!("an object")
    };
    let exchange = Exchange {
        subject: ExchangeSubject::Token(token.token().expose_secret().to_owned().into()),
        roles: None,
        attributes,
        resources: None,
        ttl_seconds: Some(60),
        audience: None,
        scope: None,
    };
    let exchanged = issuer.exchange(caller, exchange, origin("192.0.2.1"));
    exchanged.await.unwrap()
}

/// Makes an id when somebody reads it for the second time after it was armed.
#[derive(Debug)]
struct Marking {
    clock: Arc<ManualClock>,
    armed: OnceLock<()>,
    readings: AtomicUsize,
    mark: OnceLock<SessionId>,
}

impl Clock for Marking {
    fn now(&self) -> Timestamp {
        if self.armed.get().is_some() && self.readings.fetch_add(1, Ordering::SeqCst) == 1 {
            self.mark.set(SessionId::new(&*self.clock)).unwrap();
        }
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }
}

/// Verifiers that stay offline compare a cutoff with the time in the id: one that is set while the token is looked at must
/// not be earlier.
#[tokio::test]
async fn the_id_of_a_narrower_token_is_made_before_anything_is_checked() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let token = app.issues("u").await.unwrap();
        let clock = Arc::new(Marking {
            clock: app.clock.clone(),
            armed: OnceLock::new(),
            readings: AtomicUsize::new(0),
            mark: OnceLock::new(),
        });
        let master = MasterSecret::parse(MASTER).unwrap();
        let node = start_at(&app.database, master, clock.clone())
            .await
            .unwrap();
        clock.armed.set(()).unwrap();
        let narrower = part(&node.issuer, &app.caller, &token, json!({})).await;
        assert!(narrower.claims().session_id() < *clock.mark.get().unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_narrower_token_is_listed_as_void_by_what_voids_the_one_it_goes_back_to() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        app.declares(|policy| {
            let pins = json!({ "name": "pins", "type": "string", "list": true, "sensitive": true });
            policy["attributes"].as_array_mut().unwrap().push(pins);
        })
        .await;
        let other = caller(&app.services, &app.organization, app.owner).await;
        let other = app.services.authorizer.permit(other).unwrap();
        let pin = |value: &str| RevocationTarget::Attribute {
            name: "pins".to_owned(),
            value: value.into(),
        };
        let key = RevocationTarget::ApiKey(app.caller.key_id());
        for (target, by) in [
            (key, RevokedBy::Cutoff(CutoffKind::ApiKey)),
            (pin("2"), RevokedBy::Session),
        ] {
            let token = app.issues_with("u", json!({ "pins": ["1", "2"] })).await;
            let issuer = &app.services.issuer;
            let narrower = part(issuer, &other, &token, json!({ "pins": ["1"] })).await;
            assert_eq!(app.state(&narrower).await, SessionState::Active);
            app.revokes(target).await;
            assert!(!app.passes(&narrower).await);
            assert_eq!(app.state(&narrower).await, SessionState::Revoked(by));
            let active = |active| SessionFilter {
                active: Some(active),
                subject: Some("u".to_owned()),
                ..SessionFilter::default()
            };
            assert!(app.finds(active(true)).await.is_empty());
        }
        assert_eq!(
            app.finds(SessionFilter {
                active: Some(false),
                ..SessionFilter::default()
            })
            .await
            .len(),
            4
        );
    })
    .await;
}
