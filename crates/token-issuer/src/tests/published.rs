//! The snapshot of revocations that verifiers read.

use serde_json::json;
use storage::fetch_one;
use storage::testing::on_both_engines;

use super::revoking::act;
use super::{App, NOW};
use crate::sessions::RevocationTarget;

#[tokio::test]
async fn hashes_are_not_published_and_their_sessions_are() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        app.declares(|policy| {
            let pin = json!({ "name": "pin", "type": "string", "sensitive": true });
            policy["attributes"].as_array_mut().unwrap().push(pin);
        })
        .await;
        let hit = app.issues_with("a", json!({ "pin": "1234" })).await;
        let other = app.issues_with("b", json!({ "pin": "9999" })).await;
        app.clock.advance_seconds(1);
        app.revokes(RevocationTarget::Attribute { name: "pin".into(), value: json!("1234") }).await;
        let later = app.issues_with("a", json!({ "pin": "1234" })).await;
        assert!(!app.passes(&hit).await && app.passes(&other).await && app.passes(&later).await);
        let snapshot = app.snapshot().await;
        assert_eq!(snapshot["cutoffs"], json!([]));
        assert_eq!(snapshot["sessions"], json!([hit.claims().session_id()]));
        let mut read = app.database.read().await.unwrap();
        let sql = "select count(*) from audit_events where cast(detail as text) like '%1234%' or target_id like '%1234%'";
        assert_eq!(fetch_one!(read.conn(), (i64,), sql).unwrap(), (0,));
    })
    .await;
}

#[tokio::test]
async fn the_snapshot_is_kept_for_a_while_and_grows_with_each_revocation() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let issuer = &app.services.issuer;
        let slug = &app.organization.slug;
        let get = async || issuer.revocation_snapshot(slug).await.unwrap().unwrap();
        let token = app.issues("u").await.unwrap();
        let first = get().await;
        assert_eq!(get().await.etag, first.etag);
        let empty = app.snapshot().await;
        assert_eq!(
            (&empty["sessions"], &empty["cutoffs"]),
            (&json!([]), &json!([]))
        );
        assert_eq!(
            empty["exp"].as_i64().unwrap() - empty["iat"].as_i64().unwrap(),
            600
        );

        app.revokes(RevocationTarget::Subject("u".into())).await;
        let second = app.snapshot().await;
        assert!(second["version"].as_i64() > empty["version"].as_i64());
        let before_ms = NOW.unix_micros() / 1_000;
        assert_eq!(
            second["cutoffs"],
            json!([{ "kind": "subject", "value": "u", "before_ms": before_ms }])
        );

        let id = token.claims().session_id();
        issuer
            .revoke_session(act(), app.organization.id, id)
            .await
            .unwrap();
        let third = app.snapshot().await;
        assert!(third["version"].as_i64() > second["version"].as_i64());
        assert_eq!(third["sessions"], json!([id]));

        // Signed again before it is a minute old, at the same version.
        let held = get().await;
        app.clock.advance_seconds(55);
        let again = get().await;
        assert_ne!(again.etag, held.etag);
        let again = app.snapshot().await;
        assert_eq!(again["version"], third["version"]);
        assert!(again["iat"].as_i64() > third["iat"].as_i64());

        // What has ended is not listed any more.
        app.clock.advance_seconds(900);
        assert_eq!(app.snapshot().await["sessions"], json!([]));
        app.clock.advance_seconds(2 * 86_400);
        assert_eq!(app.snapshot().await["cutoffs"], json!([]));
    })
    .await;
}
