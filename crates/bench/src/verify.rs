//! What a resource server spends on one token: `jeton-verifier` beside a plain `jsonwebtoken::decode` with the same key, in
//! this process.

use std::hint::black_box;

use anyhow::{Context, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use jeton_verifier::{Algorithm, Revocations, Rules, Verifier};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{DecodingKey, Validation};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use storage::{Clock, SessionId, SystemClock};

use crate::report::{aligned, cells, median_of, spread};
use crate::{output, usage};

const ISSUER: &str = "https://tokens.example.com/orgs/acme";
const AUDIENCE: &str = "default";
/// Different tokens that take turns.
const TOKENS: usize = 64;
/// Revoked sessions in a snapshot; each snapshot also has a tenth as many cutoffs.
const SNAPSHOTS: [usize; 3] = [0, 1_000, 50_000];
/// Longer than any run takes.
const LIFE_SECONDS: i64 = 24 * 60 * 60;

/// What a program that checks nothing but the signature and the registered claims reads of a token.
#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "read, as a resource server would")]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    exp: i64,
    roles: Vec<String>,
    attributes: Map<String, Value>,
    scope: String,
}

enum Pair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

/// An issuer with one key.
struct Issuer {
    pair: Pair,
    jwk: Value,
    now: i64,
}

/// One way to verify, round by round.
struct Case {
    algorithm: &'static str,
    name: String,
    verify: Box<dyn Fn(usize) -> bool>,
    nanos: Vec<f64>,
}

/// Measures and returns the table.
pub(crate) fn measure(rounds: u32) -> anyhow::Result<String> {
    let mut cases = Vec::new();
    for pair in [Pair::es256()?, Pair::eddsa()?] {
        cases.extend(cases_of(&Issuer::new(pair)?)?);
    }
    for case in &mut cases {
        case.round()?;
        case.nanos.clear();
    }
    for round in 1..=rounds {
        for case in &mut cases {
            case.round()?;
        }
        output::talk(&format!("round {round}"));
    }
    Ok(format!(
        "{rounds} rounds of {} s for each figure; µs of CPU per token: median (lowest to highest)\n\n{}",
        usage::REPEAT.as_secs(),
        table(&cases),
    ))
}

/// Ratios are to the first case of the same algorithm, of medians and of single rounds.
fn table(cases: &[Case]) -> String {
    let mut lines = vec![cells(["", "CPU µs/token", "ratio", "ratio of rounds"])];
    for case in cases {
        let limit = cases.iter().find(|it| it.algorithm == case.algorithm);
        let limit: &[f64] = limit.map_or(&[], |it| &it.nanos);
        let rounds = case.nanos.iter().zip(limit);
        let rounds: Vec<f64> = rounds.map(|(own, limit)| own / limit).collect();
        let micros: Vec<f64> = case.nanos.iter().map(|nanos| nanos / 1e3).collect();
        let of_medians = median_of(case.nanos.iter().copied()) / median_of(limit.iter().copied());
        lines.push(vec![
            format!("{}: {}", case.algorithm, case.name),
            spread(&micros, 2),
            format!("{of_medians:.2}"),
            spread(&rounds, 2),
        ]);
    }
    aligned(&lines)
}

impl Case {
    fn round(&mut self) -> anyhow::Result<()> {
        let nanos = usage::nanos_each(|number| (self.verify)(number))?;
        self.nanos.push(nanos);
        Ok(())
    }
}

fn cases_of(issuer: &Issuer) -> anyhow::Result<Vec<Case>> {
    let tokens = (0..TOKENS).map(|number| issuer.token(number));
    let tokens: Vec<String> = tokens.collect::<anyhow::Result<_>>()?;
    let jwks = json!({ "keys": [issuer.jwk] }).to_string();
    let now = u64::try_from(issuer.now)?;
    let verifier = || Verifier::from_jwks(Rules::new(ISSUER, AUDIENCE), issuer.algorithm(), &jwks);
    let (mut cases, name) = (Vec::new(), issuer.algorithm().name());
    let mut add = |what: String, verify: Box<dyn Fn(usize) -> bool>| {
        cases.push(Case {
            algorithm: name,
            name: what,
            verify,
            nanos: Vec::new(),
        });
    };

    let plain = tokens.clone();
    let jwk: Jwk = serde_json::from_value(issuer.jwk.clone())?;
    let key = DecodingKey::from_jwk(&jwk)?;
    let mut validation = Validation::new(name.parse()?);
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[ISSUER]);
    validation.validate_nbf = true;
    add(
        "jsonwebtoken::decode".to_owned(),
        Box::new(move |number| {
            let token = &plain[number % TOKENS];
            black_box(jsonwebtoken::decode::<Claims>(token, &key, &validation)).is_ok()
        }),
    );

    let (own, plain) = (verifier()?, tokens.clone());
    add(
        "jeton-verifier".to_owned(),
        Box::new(move |number| black_box(own.verify(&plain[number % TOKENS], now)).is_ok()),
    );
    for sessions in SNAPSHOTS {
        let (own, plain) = (verifier()?, tokens.clone());
        let revocations: Revocations = own
            .read_revocations(&issuer.snapshot(sessions)?, now)
            .context("a snapshot")?;
        ensure!(
            revocations.sessions() == sessions,
            "a snapshot lost sessions"
        );
        add(
            format!(
                "jeton-verifier, {sessions} sessions and {} cutoffs void",
                sessions / 10
            ),
            Box::new(move |number| {
                let token = &plain[number % TOKENS];
                black_box(own.verify_unrevoked(token, &revocations, now)).is_ok()
            }),
        );
    }
    Ok(cases)
}

impl Pair {
    fn es256() -> anyhow::Result<Self> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        Ok(Self::Es256(pair?))
    }

    fn eddsa() -> anyhow::Result<Self> {
        Ok(Self::EdDsa(Ed25519KeyPair::generate()?))
    }

    fn jwk(&self) -> anyhow::Result<Value> {
        Ok(match self {
            Self::Es256(pair) => {
                // SEC 1, section 2.3.3: one byte, then both coordinates.
                let point = pair.public_key().as_ref().get(1..65).context("a point")?;
                let (x, y) = (
                    BASE64URL.encode(&point[..32]),
                    BASE64URL.encode(&point[32..]),
                );
                json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "alg": "ES256" })
            }
            Self::EdDsa(pair) => {
                let x = BASE64URL.encode(pair.public_key());
                json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "alg": "EdDSA" })
            }
        })
    }

    fn sign(&self, input: &[u8]) -> anyhow::Result<Vec<u8>> {
        Ok(match self {
            Self::Es256(pair) => pair.sign(&SystemRandom::new(), input)?.as_ref().to_vec(),
            Self::EdDsa(pair) => pair.sign(input).as_ref().to_vec(),
        })
    }
}

impl Issuer {
    fn new(pair: Pair) -> anyhow::Result<Self> {
        let mut jwk = pair.jwk()?;
        // As long as a thumbprint of RFC 7638, which is all that counts here.
        jwk["kid"] = BASE64URL
            .encode(digest(&SHA256, jwk.to_string().as_bytes()))
            .into();
        jwk["use"] = "sig".into();
        Ok(Self {
            pair,
            jwk,
            now: SystemClock.now().unix_seconds(),
        })
    }

    fn algorithm(&self) -> Algorithm {
        match self.pair {
            Pair::Es256(_) => Algorithm::Es256,
            Pair::EdDsa(_) => Algorithm::EdDsa,
        }
    }

    /// A token as the main exchange issues it.
    fn token(&self, number: usize) -> anyhow::Result<String> {
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": format!("user-{number}"),
            "client_id": "key_000000000000", "jti": SessionId::new(&SystemClock),
            "iat": self.now, "nbf": self.now - 10, "exp": self.now + LIFE_SECONDS,
            "roles": ["viewer"], "attributes": { "tenant_id": "t-1" },
            "resources": [{ "type": "dashboard", "id": "sales" }], "scope": "dashboard:view",
        });
        self.signed("at+jwt", &claims)
    }

    /// A snapshot of other sessions, and of cutoffs for other subjects.
    fn snapshot(&self, sessions: usize) -> anyhow::Result<String> {
        let void = (0..sessions).map(|_| json!(SessionId::new(&SystemClock)));
        let cutoffs = (0..sessions / 10).map(|number| {
            let before = (self.now + LIFE_SECONDS) * 1_000;
            json!({ "kind": "subject", "value": format!("gone-{number}"), "before_ms": before })
        });
        let claims = json!({
            "iss": ISSUER, "iat": self.now, "exp": self.now + LIFE_SECONDS, "version": 1,
            "sessions": void.collect::<Vec<_>>(), "cutoffs": cutoffs.collect::<Vec<_>>(),
        });
        self.signed("revocations+jwt", &claims)
    }

    /// A compact JWS (RFC 7515 section 7.1).
    fn signed(&self, typ: &str, claims: &Value) -> anyhow::Result<String> {
        let algorithm = self.algorithm().name();
        let header = json!({ "alg": algorithm, "typ": typ, "kid": self.jwk["kid"] });
        let encoded = |json: &Value| BASE64URL.encode(json.to_string());
        let input = format!("{}.{}", encoded(&header), encoded(claims));
        let signature = BASE64URL.encode(self.pair.sign(input.as_bytes())?);
        Ok(format!("{input}.{signature}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_accepts_every_token() {
        for pair in [Pair::es256().unwrap(), Pair::eddsa().unwrap()] {
            let cases = cases_of(&Issuer::new(pair).unwrap()).unwrap();
            assert_eq!(cases.len(), 5);
            for case in &cases {
                let accepted = (0..TOKENS).all(|number| (case.verify)(number));
                assert!(accepted, "{} {}", case.algorithm, case.name);
            }
        }
    }

    #[test]
    fn ratios_are_to_the_first_of_the_algorithm() {
        let case = |algorithm, nanos: f64| Case {
            algorithm,
            name: "a way".to_owned(),
            verify: Box::new(|_| true),
            nanos: vec![nanos],
        };
        let table = table(&[
            case("ES256", 100_000.0),
            case("ES256", 150_000.0),
            case("EdDSA", 50_000.0),
        ]);
        let ratio = |line: usize| {
            let cells = table.lines().nth(line).unwrap().split("  ");
            let cells: Vec<&str> = cells.map(str::trim).filter(|it| !it.is_empty()).collect();
            cells[2]
        };
        assert_eq!(
            [ratio(1), ratio(2), ratio(3)],
            ["1.00", "1.50", "1.00"],
            "{table}"
        );
    }
}
