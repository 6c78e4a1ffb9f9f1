use serde::{Deserialize, Serialize};

use super::UserError;

/// An e-mail address, as far as it can be checked without sending to it. Compared in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

impl Email {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Self, UserError> {
        let text = text.trim().to_lowercase();
        let bad = |c: char| c.is_whitespace() || c.is_control();
        // A domain has two labels or more, none of them empty.
        let is_domain = |domain: &str| {
            domain.contains('.')
                && !domain.contains('@')
                && domain.split('.').all(|label| !label.is_empty())
        };
        match text.split_once('@') {
            Some((local, domain))
                if !local.is_empty()
                    && is_domain(domain)
                    && text.len() <= 254
                    && !text.contains(bad) =>
            {
                Ok(Self(text))
            }
            _ => Err(UserError::InvalidEmail),
        }
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands behind the `@`.
    pub(crate) fn domain(&self) -> &str {
        self.0.rsplit('@').next().unwrap_or_default()
    }

    /// What stands before the `@`.
    pub(super) fn local_part(&self) -> &str {
        self.0.split('@').next().unwrap_or_default()
    }
}

impl std::fmt::Display for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Email {
    type Error = UserError;

    fn try_from(text: String) -> Result<Self, UserError> {
        Self::parse(&text)
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_folded_to_lower_case_and_checked() {
        assert_eq!(
            Email::parse(" Ada@Example.COM ").unwrap().as_str(),
            "ada@example.com"
        );
        for bad in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@localhost",
            "a b@example.com",
            "a@b@example.com",
            "a@.",
            "a@.example.com",
            "a@example..com",
            "a@example.com.",
        ] {
            assert!(Email::parse(bad).is_err(), "{bad}");
        }
    }
}
