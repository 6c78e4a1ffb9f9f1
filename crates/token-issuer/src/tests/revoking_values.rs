//! Tokens that are taken back, and found, by a value of an attribute: as somebody writes it, and as tokens carry it.

use serde_json::{Value, json};
use storage::testing::on_both_engines;

use super::App;
use super::revoking::{act, with_attribute};
use crate::sessions::{RevocationTarget, RevokeError};

fn value_of(name: &str, value: Value) -> RevocationTarget {
    RevocationTarget::Attribute {
        name: name.to_owned(),
        value,
    }
}

impl App {
    async fn declares_more(&self, more: Value) {
        self.declares(|policy| {
            let declared = policy["attributes"].as_array_mut().unwrap();
            declared.extend(more.as_array().unwrap().clone());
        })
        .await;
    }
}

const STORE: &str = "936DA01F9ABD4D9D80C702AF85C822A8";

/// Attributes whose values are not carried as they are written.
fn normalized() -> Value {
    json!([
        { "name": "customer", "type": "string", "normalize": ["trim", "case_fold"] },
        { "name": "store", "type": "string", "normalize": ["uuid"] },
        { "name": "teams", "type": "string", "list": true, "normalize": ["case_fold"] },
        { "name": "pin", "type": "string", "normalize": ["case_fold"], "sensitive": true },
        { "name": "level", "type": "integer" },
    ])
}

#[tokio::test]
async fn a_value_voids_and_finds_what_carries_it_however_it_is_written() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        app.declares_more(normalized()).await;
        let attributes = json!({
            "customer": "Acme", "store": STORE, "teams": ["Red", "Blue"], "pin": "A1", "level": 42,
        });
        let hyphenated = "936da01f-9abd-4d9d-80c7-02af85c822a8";
        for (name, written) in [
            ("customer", json!(" ACME ")),
            ("store", json!(STORE)),
            ("store", json!(hyphenated)),
            ("teams", json!("BLUE")),
            ("pin", json!("a1")),
            ("pin", json!("A1")),
            ("level", json!(42)),
        ] {
            let token = app
                .issues_with(&format!("{name} {written}"), attributes.clone())
                .await;
            let bystander = app
                .issues_with("bystander", json!({ "customer": "Globex" }))
                .await;
            let text = written
                .as_str()
                .map_or(written.to_string(), ToOwned::to_owned);
            let found = app.finds(with_attribute(name, &text)).await;
            assert_eq!(found.first(), Some(&format!("{name} {written}")));
            assert!(!found.contains(&"bystander".to_owned()), "{name} {written}");
            app.revokes(value_of(name, written.clone())).await;
            assert!(!app.passes(&token).await, "{name} {written}");
            assert!(app.passes(&bystander).await, "{name} {written}");
        }
        let cutoffs = app.snapshot().await["cutoffs"].clone();
        let values = cutoffs
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["value"].clone());
        let mut values: Vec<Value> = values.collect();
        values.sort_by_key(ToString::to_string);
        assert_eq!(
            values,
            [json!(hyphenated), json!("acme"), json!("blue"), json!(42)],
            "verifiers compare with what tokens carry; hashes are not published"
        );
    })
    .await;
}

#[tokio::test]
async fn what_no_token_can_carry_is_refused_and_not_taken_for_done() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        app.declares_more(normalized()).await;
        let token = app.issues("u").await.unwrap();
        for (name, value) in [
            ("planet", json!("mars")),
            ("level", json!("42")),
            ("customer", json!(42)),
            ("customer", json!("  ")),
            ("store", json!("acme")),
        ] {
            let target = value_of(name, value.clone());
            let issuer = &app.services.issuer;
            let refused = issuer.revoke_sessions(act(), app.organization.id, target, None);
            let refused = refused.await.unwrap_err();
            assert!(
                matches!(refused, RevokeError::NotCarried),
                "{name} {value}: {refused}"
            );
        }
        assert!(app.passes(&token).await);
        assert_eq!(app.snapshot().await["cutoffs"], json!([]));
    })
    .await;
}

/// The row has the value as it was declared when the token was issued.
#[tokio::test]
async fn a_value_voids_also_what_was_issued_while_it_was_declared_otherwise() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let pins = |sensitive: bool| json!([{ "name": "pin", "type": "string", "list": true, "sensitive": sensitive }]);
        for was_sensitive in [true, false] {
            app.declares_more(pins(was_sensitive)).await;
            let token = app.issues_with("a", json!({ "pin": ["x", "\"1234\""] })).await;
            let other = app.issues_with("b", json!({ "pin": ["12345"] })).await;
            app.declares_more(pins(!was_sensitive)).await;
            let new = app.issues_with("c", json!({ "pin": ["\"1234\""] })).await;
            assert_eq!(app.finds(with_attribute("pin", "\"1234\"")).await[..2], ["c", "a"]);
            app.revokes(value_of("pin", json!("\"1234\""))).await;
            for void in [&token, &new] {
                assert!(!app.passes(void).await, "was sensitive: {was_sensitive}");
            }
            assert!(app.passes(&other).await);
            let snapshot = app.snapshot().await;
            let text = snapshot.to_string();
            assert_eq!(text.contains("1234"), was_sensitive, "published only where it is not sensitive");
            let listed = snapshot["sessions"].as_array().unwrap();
            for session in [&token, &new] {
                let id = json!(session.claims().session_id());
                assert_eq!(listed.contains(&id), !was_sensitive);
            }
            app.clock.advance_seconds(3 * 86_400);
        }
    })
    .await;
}
