//! What a proven key is refused is in the audit trail, some of it; what nobody proved is not.

use std::time::Instant;

use secrecy::ExposeSecret;
use serde_json::json;
use storage::testing::on_both_engines;
use storage::{Clock, Conn, execute, fetch_one};

use super::{format, guess};
use crate::KeyRevocation;
use crate::audit::{self, AuditEvent, AuditFilter};
use crate::rate_limit::RateLimit;
use crate::testing::{App, CLIENT, act};
use crate::{Asker, AuthenticateError, CreatedKey, NewApiKey};

/// Kept at once per key and address, and per key.
const BURST: i64 = 20;
const BURST_OF_A_KEY: i64 = 200;

impl App {
    async fn refusals(&self) -> Vec<AuditEvent> {
        let filter = AuditFilter {
            action: Some("api_key.refuse".to_owned()),
            ..AuditFilter::default()
        };
        audit::list(&self.database, self.organization, &filter, None, 100)
            .await
            .unwrap()
    }

    async fn count_refusals(&self) -> i64 {
        let mut read = self.database.read().await.unwrap();
        let sql = "select count(*) from audit_events where action = 'api_key.refuse'";
        fetch_one!(read.conn(), (i64,), sql).unwrap().0
    }

    /// A key that is refused wherever it comes from.
    async fn disabled_key(&self) -> CreatedKey {
        let key = self.creates_key("off").await;
        self.disables(&key).await;
        key
    }

    async fn is_refused(&self, key: &CreatedKey, client: &str) -> AuthenticateError {
        let told = self.node.presents(&key.secret, client).await.unwrap_err();
        assert!(told.refusal().is_some(), "{told:?}");
        told
    }
}

/// What came back in the meantime, rounded up: tokens of the bucket are put back by the real clock.
fn refilled(since: Instant, per_minute: u64) -> i64 {
    i64::try_from(since.elapsed().as_secs() * per_minute / 60 + 1).unwrap()
}

#[tokio::test]
async fn each_reason_leaves_an_event_that_says_who_and_why() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let new = |name| app.new_key(name);
        let disabled = app.disabled_key().await;
        let revoked = app.creates_key("revoked").await;
        let keys = &app.node.keys;
        keys.revoke_key(
            act(),
            Asker::Machine,
            app.organization,
            revoked.key.id,
            KeyRevocation::default(),
        )
        .await
        .unwrap();
        let elsewhere = NewApiKey {
            allowed_networks: vec!["10.0.0.0/8".parse().unwrap()],
            ..new("elsewhere")
        };
        let elsewhere = app.creates(elsewhere).await;
        let once = NewApiKey {
            rate_limit: Some(RateLimit {
                per_minute: 1,
                burst: 1,
            }),
            ..new("once a minute")
        };
        let once = app.creates(once).await;
        app.authenticates(&once).await.unwrap();
        let short = NewApiKey {
            expires_at: Some(app.clock.now().plus_seconds(1)),
            ..new("short")
        };
        let short = app.creates(short).await;
        app.clock.advance_seconds(1);
        let suspended = app.creates_key("of a suspended owner").await;

        let mut refused = vec![
            (disabled, "key_disabled"),
            (revoked, "key_revoked"),
            (elsewhere, "address_not_allowed"),
            (once, "rate_limited"),
            (short, "key_expired"),
        ];
        for (key, code) in &refused {
            assert_eq!(app.is_refused(key, CLIENT).await.refusal(), Some(*code));
        }
        app.suspends_owner().await;
        let told = app.is_refused(&suspended, CLIENT).await;
        assert_eq!(told.refusal(), Some("owner_suspended"));
        refused.push((suspended, "owner_suspended"));

        let events = app.refusals().await;
        assert_eq!(events.len(), refused.len());
        for (key, code) in &refused {
            let id = key.key.id.to_string();
            let about: Vec<_> = events.iter().filter(|it| it.target_id == id).collect();
            let [event] = about.as_slice() else {
                panic!("{code}: {events:?}");
            };
            assert_eq!(
                (event.actor_kind.as_str(), &event.actor_id),
                ("api_key", &id)
            );
            assert_eq!(event.target_kind, "api_key");
            assert_eq!(event.detail, json!({ "reasons": [{ "code": code }] }));
            assert_eq!(event.client_address.as_deref(), Some(CLIENT));
            assert_eq!(event.request_id.as_deref(), Some("req_test"));
            let secret = &key.secret.expose_secret()[17..];
            assert!(!format!("{event:?}").contains(secret));
        }
    })
    .await;
}

#[tokio::test]
async fn who_proves_nothing_writes_nothing() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let key = app.disabled_key().await;
        for _ in 0..100 {
            let told = app.node.presents(&guess(key.key.id), CLIENT).await;
            assert_eq!(told.unwrap_err().refusal(), None);
            let (_, unknown) = format::generate().unwrap();
            let told = app.node.presents(&unknown, CLIENT).await;
            assert_eq!(told.unwrap_err().refusal(), None);
        }
        assert_eq!(app.count_refusals().await, 0);
        app.is_refused(&key, "192.0.2.2").await;
        assert_eq!(app.count_refusals().await, 1, "it would have been seen");
    })
    .await;
}

#[tokio::test]
async fn a_thousand_refused_calls_from_one_address_write_the_sample() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let key = app.disabled_key().await;
        let begun = Instant::now();
        for call in 0..1_000 {
            // Whoever has an IPv6 address has all of its /64.
            let client = format!("2001:db8:0:1::{call:x}");
            app.is_refused(&key, &client).await;
        }
        let kept = app.count_refusals().await;
        let most = BURST + refilled(begun, 6);
        assert!((BURST..=most).contains(&kept), "{kept} of {most}");

        app.is_refused(&key, "192.0.2.7").await;
        let other = app.disabled_key().await;
        app.is_refused(&other, "2001:db8:0:1::1").await;
        assert!(
            app.count_refusals().await >= kept + 2,
            "others have their own"
        );
    })
    .await;
}

#[tokio::test]
async fn a_thousand_addresses_of_one_key_write_no_more_than_the_key_may() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let key = app.disabled_key().await;
        let begun = Instant::now();
        for call in 0..1_000 {
            let client = format!("10.0.{}.{}", call / 250, call % 250);
            app.is_refused(&key, &client).await;
        }
        let kept = app.count_refusals().await;
        let most = BURST_OF_A_KEY + refilled(begun, 60);
        assert!((BURST_OF_A_KEY..=most).contains(&kept), "{kept} of {most}");
    })
    .await;
}

#[tokio::test]
async fn a_refusal_is_answered_whatever_becomes_of_its_event() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let key = app.disabled_key().await;
        let rename = "alter table audit_events rename to hidden";
        let mut tx = app.database.write().await.unwrap();
        execute!(tx.conn(), rename).unwrap();
        tx.commit().await.unwrap();
        let told = app.is_refused(&key, CLIENT).await;
        assert!(matches!(told, AuthenticateError::KeyDisabled), "{told:?}");

        let back = "alter table hidden rename to audit_events";
        let mut tx = app.database.write().await.unwrap();
        execute!(tx.conn(), back).unwrap();
        tx.commit().await.unwrap();
        // Somebody writes and does not come to an end.
        let mut busy = app.database.write().await.unwrap();
        if matches!(busy.conn(), Conn::Postgres(_)) {
            execute!(
                busy.conn(),
                "lock table audit_events in access exclusive mode"
            )
            .unwrap();
        }
        let told = app.is_refused(&key, CLIENT).await;
        assert!(matches!(told, AuthenticateError::KeyDisabled), "{told:?}");
        drop(busy);
        assert_eq!(app.count_refusals().await, 0);
        app.is_refused(&key, CLIENT).await;
        assert_eq!(app.count_refusals().await, 1, "and the log works again");
    })
    .await;
}
