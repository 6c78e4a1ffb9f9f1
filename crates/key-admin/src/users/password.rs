//! What makes a password acceptable: [NIST SP 800-63B](https://pages.nist.gov/800-63-4/sp800-63b.html#passwordver)
//! wants length and a list of those that are tried first, and no rules about which characters it is made of.

use std::collections::HashSet;
use std::sync::LazyLock;

use secrecy::{ExposeSecret, SecretString};

use super::{Email, UserError};
use crate::Slug;
use crate::hashing::Hasher;
use crate::random::{self, NoRandomness};

/// In the place of a hash: this user has no password. It is no PHC string, so nothing ever verifies against it.
pub(crate) const NO_PASSWORD: &str = "!";

/// A password that fits the rules and is hashed already: hashing takes longer than a transaction should.
pub struct HashedPassword(String);

impl std::fmt::Debug for HashedPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HashedPassword([REDACTED])")
    }
}

impl HashedPassword {
    /// Checks the password (12 to 128 characters, not a common one, without the address's local part and the
    /// organization's slug) and hashes it with the OWASP profile.
    pub async fn for_login(
        hasher: &Hasher,
        password: SecretString,
        email: &Email,
        organization: &Slug,
    ) -> Result<Self, UserError> {
        check(&password)?;
        check_personal(&password, [email.local_part(), organization.as_str()])?;
        Ok(Self(hasher.hash_password(password).await?))
    }

    /// For a user who has none and comes through a provider. What is stored is [`NO_PASSWORD`].
    pub(crate) fn none() -> Self {
        Self(NO_PASSWORD.to_owned())
    }

    /// The PHC string, for the database.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

static COMMON: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    include_str!("common_passwords.txt")
        .lines()
        .filter(|line| !line.starts_with("# "))
        .collect()
});

fn check(password: &SecretString) -> Result<(), UserError> {
    if !(12..=128).contains(&password.expose_secret().chars().count()) {
        return Err(UserError::PasswordLength);
    }
    if COMMON.contains(lower_case(password).expose_secret()) {
        return Err(UserError::CommonPassword);
    }
    Ok(())
}

/// Shorter words than four characters are in too many good passwords by chance.
fn check_personal(password: &SecretString, words: [&str; 2]) -> Result<(), UserError> {
    let password = lower_case(password);
    let found = |word: &&str| word.chars().count() >= 4 && password.expose_secret().contains(*word);
    if words.iter().any(found) {
        return Err(UserError::PersonalPassword);
    }
    Ok(())
}

fn lower_case(password: &SecretString) -> SecretString {
    password.expose_secret().to_lowercase().into()
}

/// Letters and digits that are not mistaken for each other; 32 of them, so that each stands for 5 bits.
const GENERATED: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A password of 100 random bits in four groups, for somebody who is told it once and then chooses another.
pub fn generated_password() -> Result<SecretString, NoRandomness> {
    let mut password = String::with_capacity(23);
    for (place, byte) in random::bytes::<20>()?.into_iter().enumerate() {
        if place > 0 && place % 5 == 0 {
            password.push('-');
        }
        password.push(char::from(GENERATED[usize::from(byte % 32)]));
    }
    Ok(password.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(password: &str) -> Result<(), UserError> {
        check(&password.into())
    }

    #[test]
    fn passwords_have_12_to_128_characters_whichever_they_are() {
        for good in ["x1 \u{e9}\u{1f511}-kv7m.".repeat(2), "Zb4é".repeat(32)] {
            assert!(checked(&good).is_ok(), "{good}");
        }
        for bad in [
            String::new(),
            "hm4!kv7m.qu".into(),
            "ééééééééééé".into(),
            "Zb4é".repeat(32) + "x",
        ] {
            let refused = checked(&bad);
            assert!(matches!(refused, Err(UserError::PasswordLength)), "{bad}");
        }
    }

    #[test]
    fn common_passwords_are_refused_in_any_case() {
        for bad in [
            "password1234",
            "PassWord1234!",
            "P@ssw0rd2025",
            "passwordpassword",
            "1qaz2wsx3edc",
            "QWERTYUIOPAS",
            "qwerty123456",
            "mnbvcxzlkjhg",
            "aaaaaaaaaaaa",
            "123456789012",
            "123123123123",
            "CorrectHorseBatteryStaple",
            "september2025",
            "Alexander1990",
            "motdepasse123",
            "!@#$%^&*()_+",
            "changeme1234",
        ] {
            let refused = checked(bad);
            assert!(matches!(refused, Err(UserError::CommonPassword)), "{bad}");
        }
        checked("correct horse battery staple").unwrap();
    }

    #[test]
    fn the_bundled_list_is_what_its_header_says() {
        let text = include_str!("common_passwords.txt");
        assert!(text.len() < 64 * 1024);
        let entries: Vec<_> = text
            .lines()
            .filter(|line| !line.starts_with("# "))
            .collect();
        assert!(entries.len() >= 4_000 && COMMON.len() == entries.len());
        assert!(entries.is_sorted());
        for entry in entries {
            assert!((12..=128).contains(&entry.chars().count()), "{entry}");
            assert_eq!(entry, entry.trim().to_lowercase());
        }
    }

    #[test]
    fn a_password_does_not_contain_what_the_login_page_shows() {
        let check = |password: &str, email: &str, slug: &str| {
            let email = Email::parse(email).unwrap();
            let slug = Slug::parse(slug).unwrap();
            check_personal(&password.into(), [email.local_part(), slug.as_str()])
        };
        for (password, email, slug) in [
            ("Ada.Lovelace", "ada.lovelace@example.com", "x"),
            ("my name is ADAM!", "adam@example.com", "x"),
            ("we all love Acme", "x@example.com", "acme"),
        ] {
            let refused = check(password, email, slug);
            assert!(
                matches!(refused, Err(UserError::PersonalPassword)),
                "{password}"
            );
        }
        check("readable adage", "ada@example.com", "rea").unwrap();
    }
}
