//! Makes sure that limit program and product do the same work: a ratio of different answers would mean nothing.

use anyhow::{Context, ensure};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use serde_json::Value;

/// Members that differ from token to token or from server to server. They must be there, and be of one type.
const VARYING: [&str; 10] = [
    "token",
    "expires_at",
    "session_id",
    "iss",
    "client_id",
    "jti",
    "iat",
    "nbf",
    "exp",
    "kid",
];

/// Two bodies, which may differ by what base64 and a shorter port number make of them.
const MAX_DIFFERENCE: usize = 8;

/// Compares two answers to the same request: members, claims, the token's header.
pub(crate) fn check(limit: &[u8], product: &[u8]) -> anyhow::Result<()> {
    for (limit, product) in parts(limit)?.into_iter().zip(parts(product)?) {
        ensure!(
            limit == product,
            "limit program and product do not answer the same:\n{limit}\n{product}"
        );
    }
    ensure!(
        limit.len().abs_diff(product.len()) <= MAX_DIFFERENCE,
        "limit program and product do not answer the same: {} and {} bytes",
        limit.len(),
        product.len()
    );
    Ok(())
}

/// The answer, the token's header and its claims.
fn parts(body: &[u8]) -> anyhow::Result<[Value; 3]> {
    let answer: Value = serde_json::from_slice(body)?;
    let token = answer["token"].as_str().context("there is no token")?;
    let mut segments = token.split('.').map(|segment| BASE64URL.decode(segment));
    let mut decoded = || -> anyhow::Result<Value> {
        let segment = segments.next().context("the token is not a JWS")??;
        Ok(serde_json::from_slice(&segment)?)
    };
    let (header, claims) = (decoded()?, decoded()?);
    Ok([answer, header, claims].map(comparable))
}

fn comparable(mut value: Value) -> Value {
    for name in VARYING {
        if let Some(member) = value.get_mut(name) {
            *member = match member {
                Value::String(_) => "a string".into(),
                Value::Number(_) => "a number".into(),
                _ => "something else".into(),
            };
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body(claims: &Value) -> Vec<u8> {
        let header = BASE64URL.encode(r#"{"alg":"ES256"}"#);
        let payload = BASE64URL.encode(claims.to_string());
        json!({ "token": format!("{header}.{payload}.c2ln"), "expires_in": 900 })
            .to_string()
            .into_bytes()
    }

    #[test]
    fn only_what_varies_may_differ() {
        let one = body(&json!({ "jti": "a", "exp": 1, "roles": ["viewer"] }));
        let same = body(&json!({ "jti": "b", "exp": 2, "roles": ["viewer"] }));
        check(&one, &same).unwrap();
        for other in [
            json!({ "jti": "a", "exp": 1, "roles": ["editor"] }),
            json!({ "jti": "a", "exp": "1", "roles": ["viewer"] }),
            json!({ "exp": 1, "roles": ["viewer"] }),
            json!({ "jti": "a long identifier", "exp": 1, "roles": ["viewer"] }),
        ] {
            assert!(check(&one, &body(&other)).is_err(), "{other}");
        }
    }
}
