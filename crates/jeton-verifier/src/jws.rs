//! Compact JWS ([RFC 7515](https://www.rfc-editor.org/rfc/rfc7515)), strictly: session tokens and revocation snapshots
//! are read by the same code.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::json;
use crate::keys::Key;

/// The text is no JWS that this verifier reads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The three segments of a compact JWS, decoded; nothing in them is trusted yet.
pub(crate) struct Jws<'a> {
    header: Vec<u8>,
    payload: Vec<u8>,
    signature: Vec<u8>,
    signing_input: &'a str,
}

impl<'a> Jws<'a> {
    /// Takes a text of at most `max_bytes` apart: three segments of base64url without padding, spaces or spare bits.
    pub(crate) fn split(text: &'a str, max_bytes: usize) -> Result<Self, Malformed> {
        if text.len() > max_bytes {
            return Err(Malformed);
        }
        // Bounded: a text of nothing but dots costs no more than any other (CVE-2025-30204).
        let mut segments = text.splitn(4, '.');
        let (Some(header), Some(payload), Some(signature), None) = (
            segments.next(),
            segments.next(),
            segments.next(),
            segments.next(),
        ) else {
            return Err(Malformed);
        };
        Ok(Self {
            header: decode(header)?,
            payload: decode(payload)?,
            signature: decode(signature)?,
            signing_input: &text[..text.len() - signature.len() - 1],
        })
    }

    /// The `kid` of a header that has `alg`, `typ` and `kid` and no other member, with `alg` the pinned algorithm and
    /// `typ` the media type `application/{typ}`, short or in full (RFC 7515 section 4.1.9), in any case.
    ///
    /// Members that would change how the rest is read (`crit`, `b64`, `zip`, `cty`) or bring their own key (`jwk`,
    /// `jku`, `x5c`, `x5u`) are refused like any other that a Jeton token does not have.
    pub(crate) fn kid(&self, algorithm: Algorithm, typ: &str) -> Result<String, Malformed> {
        let Ok(Value::Object(mut header)) = json::parse(&self.header) else {
            return Err(Malformed);
        };
        let mut take = |name| match header.remove(name) {
            Some(Value::String(value)) => Ok(value),
            _ => Err(Malformed),
        };
        let (alg, named_typ, kid) = (take("alg")?, take("typ")?, take("kid")?);
        if alg == algorithm.name() && is_media_type(&named_typ, typ) && header.is_empty() {
            Ok(kid)
        } else {
            Err(Malformed)
        }
    }

    /// The payload, if the signature over header and payload is this key's.
    pub(crate) fn verified_payload(&self, key: &Key) -> Option<&[u8]> {
        key.verifies(self.signing_input.as_bytes(), &self.signature)
            .then_some(self.payload.as_slice())
    }
}

fn is_media_type(named: &str, typ: &str) -> bool {
    let short = match named.split_at_checked("application/".len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") => rest,
        _ => named,
    };
    short.eq_ignore_ascii_case(typ)
}

pub(crate) fn decode(segment: &str) -> Result<Vec<u8>, Malformed> {
    BASE64_URL_SAFE_NO_PAD
        .decode(segment)
        .map_err(|_| Malformed)
}
