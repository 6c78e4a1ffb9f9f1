//! What verifiers read.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;

use crate::support::on_both_engines;

#[tokio::test]
async fn the_jwks_holds_the_active_and_the_next_key_and_nothing_private() {
    on_both_engines(|app| async move {
        let answer = app.get("/orgs/acme/.well-known/jwks.json").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), "application/jwk-set+json");
        assert_eq!(answer.header("cache-control"), "public, max-age=300");
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        let keys = answer.json()["keys"].as_array().unwrap().clone();
        assert_eq!(keys.len(), 2);
        for key in keys {
            let members: Vec<_> = key
                .as_object()
                .unwrap()
                .keys()
                .map(String::as_str)
                .collect();
            let mut sorted = members.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
            assert_eq!(
                (&key["kty"], &key["crv"], &key["alg"], &key["use"]),
                (
                    &json!("EC"),
                    &json!("P-256"),
                    &json!("ES256"),
                    &json!("sig")
                )
            );
            for coordinate in ["x", "y"] {
                let bytes = BASE64_URL_SAFE_NO_PAD
                    .decode(key[coordinate].as_str().unwrap())
                    .unwrap();
                assert_eq!(bytes.len(), 32, "full length, RFC 7518 section 6.2.1.2");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_unchanged_jwks_is_not_sent_again() {
    on_both_engines(|app| async move {
        let first = app.get("/orgs/acme/.well-known/jwks.json").await;
        let etag = first.header("etag").to_owned();
        for (known, status) in [
            (etag.clone(), 304),
            (format!("W/{etag}"), 304),
            (format!("\"other\", {etag}"), 304),
            ("*".to_owned(), 304),
            ("\"other\"".to_owned(), 200),
        ] {
            let answer = app
                .send(app.http.get(app.jwks_url()).header("if-none-match", &known))
                .await;
            assert_eq!(answer.status, status, "{known}");
            assert_eq!(answer.header("etag"), etag);
            assert_eq!(answer.header("cache-control"), "public, max-age=300");
            assert_eq!(answer.text.is_empty(), status == 304);
        }
    })
    .await;
}

#[tokio::test]
async fn discovery_tells_the_truth() {
    on_both_engines(|app| async move {
        let documents = [
            "/orgs/acme/.well-known/openid-configuration",
            "/orgs/acme/.well-known/oauth-authorization-server",
            "/.well-known/oauth-authorization-server/orgs/acme",
        ];
        for path in documents {
            let answer = app.get(path).await;
            assert_eq!(
                answer.header("cache-control"),
                "public, max-age=300",
                "{path}"
            );
            let document = answer.json();
            assert_eq!(document["issuer"], app.issuer(), "{path}");
            assert_eq!(
                document["jwks_uri"],
                format!("{}/.well-known/jwks.json", app.issuer())
            );
            assert_eq!(document["response_types_supported"], json!([]));
            let exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
            assert_eq!(document["grant_types_supported"], json!([exchange]));
            for (member, end) in [
                ("token_endpoint", "token"),
                ("introspection_endpoint", "introspect"),
                ("revocation_endpoint", "revoke"),
            ] {
                assert_eq!(
                    document[member],
                    format!("https://tokens.test/oauth2/{end}")
                );
                let methods = format!("{member}_auth_methods_supported");
                assert_eq!(document[&methods], json!(["client_secret_basic"]));
            }
            let types = &document["authorization_details_types_supported"];
            assert_eq!(*types, json!(["jeton_session"]));
            assert_eq!(
                document["id_token_signing_alg_values_supported"],
                json!(["ES256"])
            );
        }
    })
    .await;
}
