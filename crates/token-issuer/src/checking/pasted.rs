//! What a pasted text is, as far as that can be seen without the organization's keys.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use key_admin::PresentedKey;
use serde_json::{Map, Value};

use super::PresentedKind;
use crate::claims::OPAQUE_PREFIX;
use crate::signing_keys::VerifyingKey;

/// What every API key begins with.
const KEY_PREFIX: &str = "jtn_";

/// The token of a pasted header line, or the text itself.
pub(super) fn unwrapped(text: &str) -> &str {
    let text = text.trim();
    let text = after(text, "authorization:").unwrap_or(text);
    let schemes = ["bearer ", "apikey "];
    let bare = schemes.iter().find_map(|scheme| after(text, scheme));
    bare.unwrap_or(text).trim_matches(['"', '\'', ',', ';'])
}

fn after<'t>(text: &'t str, beginning: &str) -> Option<&'t str> {
    let (start, rest) = text.split_at_checked(beginning.len())?;
    start.eq_ignore_ascii_case(beginning).then(|| rest.trim())
}

pub(super) fn kind_of(text: &str) -> PresentedKind {
    if text.starts_with(KEY_PREFIX) {
        let key = PresentedKey::parse(text);
        return PresentedKind::ApiKey(key.ok().map(|key| key.id()));
    }
    if text.starts_with(OPAQUE_PREFIX) {
        return PresentedKind::Opaque;
    }
    let mut parts = text.split('.');
    let is_object = parts.next().and_then(object).is_some();
    match (is_object, parts.count()) {
        (true, 2) => PresentedKind::Signed,
        (true, 4) => PresentedKind::Encrypted,
        _ => PresentedKind::Other,
    }
}

/// A part's bytes, and what they say.
pub(super) fn object(part: &str) -> Option<(Vec<u8>, Map<String, Value>)> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).ok()?;
    let object = serde_json::from_slice(&bytes).ok()?;
    Some((bytes, object))
}

/// By the key's own algorithm, whatever the header says.
pub(super) fn signature_is_right(token: &str, key: &VerifyingKey) -> bool {
    let Some((signed, signature)) = token.rsplit_once('.') else {
        return false;
    };
    let algorithm = key.algorithm.into();
    let verified =
        jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &key.decoding, algorithm);
    verified.unwrap_or(false)
}
