//! Forms prove that a page of ours made them: each holds a token that is derived from the browser's cookie, which no other
//! site can read. Nothing is stored.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::{HeaderMap, header};
use secrecy::{ExposeSecret, SecretString};

/// The name of the hidden field.
pub(crate) const FIELD: &str = "_csrf";

const LABEL: &[u8] = b"jeton/console/form/v1";

/// The token for the forms of this browser.
pub(crate) fn token(cookie: &SecretString) -> String {
    let tag = hmac::sign(&key(cookie), LABEL);
    BASE64_URL_SAFE_NO_PAD.encode(tag)
}

/// Was this token made for this browser? In constant time.
pub(crate) fn is_ours(cookie: &SecretString, token: &str) -> bool {
    let Ok(tag) = BASE64_URL_SAFE_NO_PAD.decode(token) else {
        return false;
    };
    hmac::verify(&key(cookie), LABEL, &tag).is_ok()
}

fn key(cookie: &SecretString) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, cookie.expose_secret().as_bytes())
}

/// Does the browser itself say that another site sent the request (W3C Fetch Metadata, RFC 6454)? Browsers that say nothing
/// are judged by the token alone.
pub(crate) fn is_foreign(headers: &HeaderMap, own_origin: &str) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let site = text(header::HeaderName::from_static("sec-fetch-site"));
    if site.is_some_and(|site| site != "same-origin" && site != "none") {
        return true;
    }
    text(header::ORIGIN).is_some_and(|origin| origin != own_origin)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_token_is_of_one_cookie() {
        let (mine, other) = (SecretString::from("m".repeat(43)), "o".repeat(43).into());
        let token = token(&mine);
        assert!(is_ours(&mine, &token));
        assert!(!is_ours(&other, &token));
        for wrong in ["", "AAAA", &token[1..], &format!("{token}A"), "ü"] {
            assert!(!is_ours(&mine, wrong), "{wrong}");
        }
    }

    #[test]
    fn what_the_browser_says_of_another_site_counts() {
        let own = "https://jeton.example.com";
        let foreign = |name: &'static str, value: &'static str| {
            let headers = HeaderMap::from_iter([(
                header::HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )]);
            is_foreign(&headers, own)
        };
        assert!(!foreign("origin", own) && !foreign("sec-fetch-site", "same-origin"));
        assert!(!foreign("sec-fetch-site", "none") && !is_foreign(&HeaderMap::new(), own));
        for origin in ["null", "https://evil.example", "http://jeton.example.com"] {
            assert!(foreign("origin", origin), "{origin}");
        }
        for site in ["cross-site", "same-site"] {
            assert!(foreign("sec-fetch-site", site), "{site}");
        }
    }
}
