//! Codes: [RFC 6238](https://www.rfc-editor.org/rfc/rfc6238) with SHA-1, six digits and steps of 30 seconds, which is
//! what every authenticator app knows; and recovery codes.

use secrecy::{ExposeSecret, SecretSlice, SecretString};
use storage::{PrincipalId, Timestamp};
use totp_rs::{Builder, Secret, Totp};
use zeroize::Zeroize;

use crate::random::{self, NoRandomness};
use crate::sealing::CannotOpen;
use crate::users::Email;

/// The recovery codes that somebody gets at once.
pub(super) const RECOVERY_CODES: usize = 10;
/// The issuer that apps show.
const ISSUER: &str = "Jeton";
/// Steps of clock error that are forgiven, either way.
const SKEW: u16 = 1;
/// Crockford's base 32 (no i, l, o, u): each character is 5 bits, so a code of 12 is 60.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const RECOVERY_CODE_LENGTH: usize = 12;

/// What the sealed secret is bound to.
pub(super) fn identity(user: PrincipalId) -> String {
    format!("second_factors/{user}")
}

/// A code as somebody typed it.
pub(super) enum Code {
    /// Six digits of an app.
    Totp(SecretString),
    /// A recovery code, in its one spelling.
    Recovery(SecretString),
}

impl Code {
    /// Reads a code; white space and hyphens do not count. `None`: it is neither.
    pub(super) fn parse(typed: &SecretString) -> Option<Self> {
        let typed = typed.expose_secret();
        if typed.len() > 64 {
            return None;
        }
        let plain: String = typed
            .chars()
            .filter(|c| !c.is_whitespace() && *c != '-')
            .map(|c| c.to_ascii_lowercase())
            .collect();
        if plain.len() == 6 && plain.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Self::Totp(plain.into()));
        }
        let spelled = |c| match c {
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        };
        let plain: SecretString = plain.chars().map(spelled).collect::<String>().into();
        let fits = plain.expose_secret().len() == RECOVERY_CODE_LENGTH
            && plain
                .expose_secret()
                .bytes()
                .all(|byte| ALPHABET.contains(&byte));
        fits.then_some(Self::Recovery(plain))
    }
}

/// 160 random bits, the length of the hash (RFC 4226, section 4).
pub(super) fn fresh_secret() -> Result<SecretSlice<u8>, NoRandomness> {
    let mut bytes: [u8; 20] = random::bytes()?;
    let secret = bytes.to_vec().into();
    bytes.zeroize();
    Ok(secret)
}

/// The secret in base 32, and the `otpauth:` URI that apps read from a picture.
pub(super) fn shown(
    secret: &SecretSlice<u8>,
    email: &Email,
) -> Result<(SecretString, SecretString), CannotOpen> {
    // A colon would end the issuer's name.
    let account = email.as_str().replace(':', "_");
    let totp = builder(secret)
        .with_account_name(account)
        .with_issuer(Some(ISSUER))
        .build()
        .map_err(|_| CannotOpen)?;
    let uri = totp.to_url().map_err(|_| CannotOpen)?;
    Ok((totp.secret().to_base32().into(), uri.into()))
}

/// The step whose code this is, if it is one of those around `now`.
pub(super) fn step_of(
    secret: &SecretSlice<u8>,
    code: &SecretString,
    now: Timestamp,
) -> Result<Option<i64>, CannotOpen> {
    let totp: Totp = builder(secret).build().map_err(|_| CannotOpen)?;
    let seconds = now.unix_seconds().max(0).unsigned_abs();
    let step = totp.check(code.expose_secret(), seconds);
    Ok(step.and_then(|step| i64::try_from(step).ok()))
}

fn builder(secret: &SecretSlice<u8>) -> Builder {
    Builder::new()
        .with_secret(Secret::from(secret.expose_secret().to_vec()))
        .with_skew(SKEW)
}

/// A recovery code as it is shown, `xxxx-xxxx-xxxx`: 60 random bits.
pub(super) fn fresh_recovery_code() -> Result<SecretString, NoRandomness> {
    let mut random: [u8; RECOVERY_CODE_LENGTH] = random::bytes()?;
    let mut code = String::with_capacity(RECOVERY_CODE_LENGTH + 2);
    for (place, byte) in random.iter().enumerate() {
        if place > 0 && place % 4 == 0 {
            code.push('-');
        }
        // 32 divides 256: every character is as likely as the others.
        code.push(char::from(ALPHABET[usize::from(byte % 32)]));
    }
    random.zeroize();
    Ok(code.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of RFC 6238, appendix B, for SHA-1.
    fn rfc_secret() -> SecretSlice<u8> {
        b"12345678901234567890".to_vec().into()
    }

    #[test]
    fn the_codes_are_those_of_the_rfc() {
        // The last six of the eight digits in appendix B.
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let at = Timestamp::from_unix_seconds(seconds);
            let step = step_of(&rfc_secret(), &code.into(), at).unwrap();
            assert_eq!(step, Some(seconds / 30), "{seconds}");
        }
    }

    #[test]
    fn one_step_of_clock_error_is_forgiven_either_way() {
        let step = 1_234_567_890 / 30;
        for (away, found) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
            let at = Timestamp::from_unix_seconds((step + away) * 30);
            let checked = step_of(&rfc_secret(), &"005924".into(), at).unwrap();
            assert_eq!(checked, found.then_some(step), "{away}");
        }
    }

    #[test]
    fn apps_get_an_uri_that_they_know() {
        let email = Email::parse("a:da+x@example.com").unwrap();
        let (base32, uri) = shown(&rfc_secret(), &email).unwrap();
        assert_eq!(base32.expose_secret(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        let uri = uri.expose_secret();
        assert!(uri.starts_with("otpauth://totp/Jeton:a_da"), "{uri}");
        assert!(
            uri.contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"),
            "{uri}"
        );
        assert!(uri.contains("issuer=Jeton"), "{uri}");
    }

    #[test]
    fn codes_are_read_as_people_type_them() {
        let read = |typed: &str| match Code::parse(&typed.into()) {
            Some(Code::Totp(code)) => format!("totp {}", code.expose_secret()),
            Some(Code::Recovery(code)) => format!("recovery {}", code.expose_secret()),
            None => "none".to_owned(),
        };
        assert_eq!(read(" 123 456 "), "totp 123456");
        assert_eq!(read("ABCD-2345-OiL9"), "recovery abcd23450119");
        for neither in [
            "",
            "12345",
            "1234567",
            "abcd-2345",
            "abcd-2345-uuuu",
            &"1".repeat(65),
        ] {
            assert_eq!(read(neither), "none", "{neither}");
        }
    }

    #[test]
    fn recovery_codes_read_back_and_use_the_whole_alphabet() {
        let mut used = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let code = fresh_recovery_code().unwrap();
            let shown = code.expose_secret();
            assert_eq!(
                shown.split('-').map(str::len).collect::<Vec<_>>(),
                [4, 4, 4]
            );
            let Some(Code::Recovery(read)) = Code::parse(&code) else {
                panic!("{shown}")
            };
            assert_eq!(read.expose_secret(), shown.replace('-', ""));
            used.extend(read.expose_secret().bytes());
        }
        assert_eq!(used.into_iter().collect::<Vec<_>>(), ALPHABET);
    }
}
