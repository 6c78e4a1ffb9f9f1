//! The presets' claims, signed, before their consumers' own libraries and rules: `tests/verifiers/consumers.py` and
//! `cube.mjs`. Every consumer is also shown tokens that it must refuse, so that one who accepts everything is found out.

use storage::{Clock, SystemClock};

use super::signer::{KEY_ID, Signer};
use super::*;

impl Signer {
    /// Shows the consumer the token, and asserts what it sees in it; then the same with each claim of `without` taken
    /// out, with another signature, after its end, and with each change: all of these it must refuse.
    fn consumer_sees(
        &self,
        token: &Token,
        seen: &Value,
        without: &[&str],
        changes: &[(&str, Value)],
    ) {
        let payload = self.payload(token);
        let mut bad = vec![changed(&payload, "/exp", json!(token.issued_at - 100))];
        bad.extend(without.iter().map(|pointer| removed(&payload, pointer)));
        bad.extend(
            changes
                .iter()
                .map(|(pointer, value)| changed(&payload, pointer, value.clone())),
        );
        let mut tokens: Vec<_> = bad.iter().map(|payload| self.sign(payload)).collect();
        tokens.push(
            Self::new(self.preset.name)
                .with_another_key()
                .sign(&payload),
        );
        tokens.push(self.sign(&payload));
        let mut judged = self.judge(&token.aud, &tokens);
        assert_eq!(
            judged.pop().unwrap().as_ref(),
            Ok(seen),
            "{}",
            self.preset.name
        );
        for (at, judgement) in judged.iter().enumerate() {
            assert!(
                judgement.is_err(),
                "{} accepts {:?}",
                self.preset.name,
                bad.get(at)
            );
        }
    }
}

fn removed(payload: &Map<String, Value>, pointer: &str) -> Map<String, Value> {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let mut payload = Value::Object(payload.clone());
    let parent = payload
        .pointer_mut(parent)
        .unwrap()
        .as_object_mut()
        .unwrap();
    let name = name.replace("~1", "/");
    parent
        .remove(&name)
        .unwrap_or_else(|| panic!("{pointer} is not there"));
    payload.as_object().cloned().unwrap()
}

fn changed(payload: &Map<String, Value>, pointer: &str, value: Value) -> Map<String, Value> {
    let mut payload = Value::Object(payload.clone());
    *payload.pointer_mut(pointer).unwrap() = value;
    payload.as_object().cloned().unwrap()
}

/// A token issued now: consumers look at their clocks.
pub(super) fn issued_now(attributes: &Value, aud: &str) -> Token {
    let mut token = Token::new(&["editor", "viewer"], attributes);
    token.issued_at = SystemClock.now().unix_seconds();
    aud.clone_into(&mut token.aud);
    token
}

/// Quotes, braces and backslashes, which the consumer must see unchanged.
const TENANT: &str = r#"t"1\{{ user.id }},x'"#;

#[test]
fn superset_takes_the_guest_token_and_filters_by_its_rules() {
    let mut token = issued_now(&json!({}), "https://superset.test")
        .with_resources(&[("dashboard", "b5f4a0d2-6c6c-4b8e-9f38-111111111111")]);
    let rule = |dataset, clause: &str| SupersetRule {
        dataset,
        clause: clause.to_owned(),
    };
    token.rules = Some(vec![
        rule(Some(41), "tenant_id = 't-1'"),
        rule(None, "region IN ('eu')"),
    ]);
    let seen = json!({
        "username": "user-42", "dashboards": ["b5f4a0d2-6c6c-4b8e-9f38-111111111111"],
        "clauses": { "41": ["tenant_id = 't-1'", "region IN ('eu')"], "42": ["region IN ('eu')"] },
    });
    let changes = [
        ("/type", json!("access")),
        ("/aud", json!("https://other.test")),
    ];
    let without = ["/user", "/resources", "/rls_rules", "/type", "/aud"];
    Signer::new("superset-guest").consumer_sees(&token, &seen, &without, &changes);
}

#[test]
fn metabase_gets_a_dashboard_and_its_locked_parameter() {
    let attributes = json!({ "tenant_id": TENANT });
    let token = issued_now(&attributes, "metabase").with_resources(&[("dashboard", "17")]);
    let seen = json!({ "dashboard": 17, "tenant_id": TENANT });
    let changes = [
        ("/resource/dashboard", json!("17")),
        ("/params/tenant_id", json!([])),
    ];
    let without = ["/resource", "/params/tenant_id", "/exp"];
    Signer::new("metabase").consumer_sees(&token, &seen, &without, &changes);
}

#[test]
fn hasura_gets_strings() {
    let attributes = json!({ "tenant_id": TENANT, "regions": ["eu", "a\"b"] });
    let token = issued_now(&attributes, "hasura");
    let seen = json!({
        "role": "editor", "allowed": ["editor", "viewer"],
        "variables": { "x-hasura-default-role": "editor", "x-hasura-user-id": "user-42", "x-hasura-tenant-id": TENANT,
                       "x-hasura-regions": r#"{"eu","a\"b"}"# },
    });
    let claims = "/https:~1~1hasura.io~1jwt~1claims";
    let default = format!("{claims}/x-hasura-default-role");
    let regions = format!("{claims}/x-hasura-regions");
    let changes = [
        (default.as_str(), json!("admin")),
        (regions.as_str(), json!(["eu"])),
        ("/iss", json!("other")),
    ];
    Signer::new("hasura").consumer_sees(&token, &seen, &[&default, claims], &changes);
}

#[test]
fn cube_makes_the_claims_its_security_context() {
    let token = issued_now(&json!({ "tenant_id": TENANT }), "cube");
    let signer = Signer::new("cube");
    let seen = Value::Object(signer.payload(&token));
    assert_eq!(
        (&seen["tenant_id"], &seen["groups"]),
        (&json!(TENANT), &json!(["editor", "viewer"]))
    );
    let changes = [
        ("/iss", json!("https://other.test")),
        ("/aud", json!("other")),
    ];
    signer.consumer_sees(&token, &seen, &["/iss", "/aud"], &changes);
}

#[test]
fn clickhouse_gets_its_required_claims_and_roles() {
    let token = issued_now(&json!({}), "clickhouse");
    let seen = json!({ "user": "user-42", "roles": ["editor", "viewer"], "grants": [] });
    let without = ["/exp", "/iat", "/iss", "/sub", "/aud", "/clickhouse:roles"];
    let changes = [("/clickhouse:roles", json!("viewer"))];
    Signer::new("clickhouse").consumer_sees(&token, &seen, &without, &changes);
}

#[test]
fn tableau_gets_its_client_its_scope_and_ten_minutes() {
    let token = issued_now(&json!({ "tenant_id": TENANT }), "tableau");
    let seen = json!({ "user": "user-42", "tenant_id": TENANT });
    let signer = Signer::new("tableau");
    let preset = signer.preset;
    assert_eq!(preset.aud, Some("tableau"));
    assert_eq!(preset.max_lifetime_seconds, Some(600));
    let too_late = token.issued_at + 900;
    let changes = [
        ("/exp", json!(too_late)),
        ("/iss", json!(ISSUER)),
        ("/scp", json!([])),
    ];
    signer.consumer_sees(&token, &seen, &["/sub", "/jti", "/scp", "/aud"], &changes);
    let payload = signer.payload(&token);
    let headers = [
        json!({ "alg": "HS256", "kid": KEY_ID }),
        json!({ "alg": "HS256", "iss": "client-1" }),
    ];
    let tokens = headers.map(|header| signer.sign_with(&header, &payload));
    assert!(signer.judge("tableau", &tokens).iter().all(Result::is_err));
}

#[test]
fn toucan_gets_its_embed_context() {
    let attributes = json!({ "tenant_id": TENANT, "workspace_id": "w-1" });
    let token = issued_now(&attributes, "https://toucan.test/acme/oauth/oauth-token");
    let seen = json!({ "user": "user-42", "workspace": "w-1", "attributes": attributes });
    let changes = [
        ("/sub", json!("user-42")),
        ("/embed_context/roles", json!(["editor"])),
    ];
    let without = ["/jti", "/embed_context", "/embed_context/workspace_id"];
    Signer::new("toucan-embed").consumer_sees(&token, &seen, &without, &changes);
}
