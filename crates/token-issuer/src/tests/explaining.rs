//! What an explanation shows of sensitive values.

use serde_json::{Map, Value, json};
use storage::testing::on_both_engines;

use super::App;
use crate::explain::Mask;
use crate::templates::RESERVED_CLAIMS;

/// Whatever adds a sensitive value, a template can have changed it beyond recognition.
#[tokio::test]
async fn claims_of_a_template_are_masked_as_soon_as_one_sensitive_value_was_not_sent() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        app.declares(|policy| {
            let pin = json!({ "name": "pin", "type": "string", "sensitive": true });
            policy["attributes"].as_array_mut().unwrap().push(pin);
        })
        .await;
        let template =
            json!({ "who": "{{ user.id }}", "short": "{{ attributes.pin | hash }}", "fixed": 1 });
        app.sets(&serde_json::from_value(json!({ "claims": { "template": template } })).unwrap())
            .await;
        let issued = app
            .issues_with("user-42", json!({ "pin": "pin-canary" }))
            .await;
        let policy = app.services.policy.snapshot(app.organization.id).await;
        let policy = policy.unwrap();
        let payload = issued.claims().payload().unwrap();
        let masked = |sent: Value| {
            let Value::Object(sent) = sent else {
                unreachable!("an object")
            };
            let mut claims = payload.clone();
            let mask = Mask {
                policy: &policy,
                sent: &sent,
            };
            mask.hide_templated(issued.claims(), &mut claims);
            claims
        };
        assert_eq!(masked(json!({ "pin": "pin-canary" })), payload);
        let hidden: Map<String, Value> = masked(json!({ "tenant_id": "t-1" }));
        assert_eq!(hidden.len(), payload.len());
        for (name, value) in &payload {
            let is_reserved = RESERVED_CLAIMS.contains(&name.as_str());
            assert_eq!(&hidden[name] == value, is_reserved, "{name}");
            assert!(is_reserved || hidden[name] == "[hidden]", "{name}");
        }
        for own in ["who", "short", "fixed"] {
            assert!(payload.contains_key(own), "{payload:?}");
        }
    })
    .await;
}
