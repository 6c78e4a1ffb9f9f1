//! Signs the presets' claims as their consumers ask for it, and asks the consumers.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};

use super::*;

pub(super) const KEY_ID: &str = "key-1";

/// A signing key as the consumer of a preset asks for it.
pub(super) struct Signer {
    pub(super) preset: &'static Preset,
    registered: RegisteredClaims,
    key: EncodingKey,
    jwk: Value,
}

impl Signer {
    pub(super) fn new(preset: &str) -> Self {
        let preset = Preset::named(preset).unwrap();
        let mut registered = preset.registered.clone();
        if preset.given.contains(&Given::Issuer) {
            registered.issuer = IssuerClaim::Given("client-1".into());
        }
        let algorithm = preset.algorithms[0];
        let key = match algorithm {
            Algorithm::HS256 => EncodingKey::from_secret(b"a shared secret of at least 32 bytes"),
            Algorithm::ES256 => {
                let document = EcdsaKeyPair::generate_pkcs8(
                    &ECDSA_P256_SHA256_FIXED_SIGNING,
                    &aws_lc_rs::rand::SystemRandom::new(),
                );
                EncodingKey::from_ec_der(document.unwrap().as_ref())
            }
            _ => rsa_key(),
        };
        let jwk = Jwk::from_encoding_key(&key, algorithm).unwrap();
        Self {
            preset,
            registered,
            key,
            jwk: serde_json::to_value(jwk).unwrap(),
        }
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.preset.algorithms[0]
    }

    pub(super) fn jwk(&self) -> Jwk {
        serde_json::from_value(self.jwk.clone()).unwrap()
    }

    pub(super) fn payload(&self, token: &Token) -> Map<String, Value> {
        let template = self.preset.template().unwrap();
        template
            .payload(&self.registered, &token.context())
            .unwrap()
    }

    pub(super) fn sign(&self, payload: &Map<String, Value>) -> String {
        let rules = self.preset.header;
        let mut header = json!({ "alg": self.algorithm(), "typ": rules.typ, "kid": KEY_ID });
        if rules.repeats_issuer {
            header["iss"] = payload["iss"].clone();
        }
        self.sign_with(&header, payload)
    }

    pub(super) fn sign_with(&self, header: &Value, payload: &Map<String, Value>) -> String {
        let encode = |json: String| URL_SAFE_NO_PAD.encode(json);
        let signed = format!(
            "{}.{}",
            encode(header.to_string()),
            encode(json!(payload).to_string())
        );
        let signature =
            jsonwebtoken::crypto::sign(signed.as_bytes(), &self.key, self.algorithm()).unwrap();
        format!("{signed}.{signature}")
    }

    /// What the consumer makes of the tokens: `Ok` with what it reads in one, or `Err`.
    pub(super) fn judge(&self, aud: &str, tokens: &[String]) -> Vec<Result<Value, String>> {
        let (program, script) = match self.preset.name {
            "cube" => (tool("JETON_TEST_NODE"), "cube.mjs"),
            _ => (tool("JETON_TEST_PYTHON"), "consumers.py"),
        };
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/verifiers");
        let mut child = Command::new(program)
            .arg(scripts.join(script))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let issuer = match &self.registered.issuer {
            IssuerClaim::Organization => ISSUER,
            IssuerClaim::Given(issuer) => issuer,
        };
        let job = json!({ "consumer": self.preset.name, "jwk": self.jwk, "issuer": issuer, "audience": aud,
                          "key_id": KEY_ID, "tokens": tokens });
        child
            .stdin
            .take()
            .unwrap()
            .write_all(job.to_string().as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{script} failed");
        let results: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(results.len(), tokens.len());
        let judged = results.into_iter().map(|mut result| {
            if result["ok"].as_bool().unwrap() {
                Ok(result["seen"].take())
            } else {
                Err(result["error"].to_string())
            }
        });
        judged.collect()
    }

    pub(super) fn with_another_key(mut self) -> Self {
        if self.algorithm() == Algorithm::HS256 {
            self.key = EncodingKey::from_secret(b"another secret of at least 32 bytes!");
        }
        self
    }
}

fn rsa_key() -> EncodingKey {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(der.as_ref())
    );
    EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests/run hands the tools over in the environment"
)]
fn tool(variable: &str) -> std::ffi::OsString {
    std::env::var_os(variable)
        .unwrap_or_else(|| panic!("{variable} is not set: run `tests/run NAME`"))
}
