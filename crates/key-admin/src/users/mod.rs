//! Users: people with a console login. For now only what an organization's first owner needs.

mod store;

use secrecy::{ExposeSecret, SecretString};
use storage::{Clock, OrganizationId, PrincipalId, StorageError, Transaction};

use crate::hashing::{HashCost, HashError, Hasher};

/// What a user may do in the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserRole {
    /// Everything, other owners included.
    Owner,
}

impl UserRole {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
        }
    }
}

/// An e-mail address, as far as it can be checked without sending to it. Compared in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email(String);

/// Why a login could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateUserError {
    /// No `@`, white space, control characters, or over 254 characters.
    #[error("this is not an e-mail address")]
    InvalidEmail,
    /// Fewer than 12 or more than 128 characters.
    #[error("a password has 12 to 128 characters")]
    PasswordLength,
    /// Another user has the address.
    #[error("a user with this e-mail address exists already")]
    EmailTaken,
    /// The password could not be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Email {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Self, CreateUserError> {
        let text = text.trim().to_lowercase();
        let bad = |c: char| c.is_whitespace() || c.is_control();
        match text.split_once('@') {
            Some((local, domain))
                if !local.is_empty()
                    && domain.contains('.')
                    && !domain.contains('@')
                    && text.len() <= 254
                    && !text.contains(bad) =>
            {
                Ok(Self(text))
            }
            _ => Err(CreateUserError::InvalidEmail),
        }
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A password that fits the rules and is hashed already: hashing takes longer than a transaction should.
pub struct HashedPassword(String);

impl std::fmt::Debug for HashedPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HashedPassword([REDACTED])")
    }
}

impl HashedPassword {
    /// Checks the length (12 to 128 characters, NIST SP 800-63B) and hashes with the OWASP profile.
    pub async fn new(hasher: &Hasher, password: SecretString) -> Result<Self, CreateUserError> {
        if !(12..=128).contains(&password.expose_secret().chars().count()) {
            return Err(CreateUserError::PasswordLength);
        }
        Ok(Self(hasher.hash(password, HashCost::PASSWORD).await?))
    }
}

/// Adds a user within `tx`.
pub async fn create_user(
    tx: &mut Transaction,
    clock: &dyn Clock,
    organization: OrganizationId,
    (email, password): (&Email, &HashedPassword),
    role: UserRole,
) -> Result<PrincipalId, CreateUserError> {
    let id = PrincipalId::new(clock);
    store::insert_principal(tx.conn(), id, organization, email.as_str(), clock.now()).await?;
    match store::insert_user(tx.conn(), id, organization, email, &password.0, role).await {
        Ok(()) => Ok(id),
        Err(error) if error.is_unique_violation() => Err(CreateUserError::EmailTaken),
        Err(error) => Err(error.into()),
    }
}

/// The first owner of the organization; every organization has one.
pub async fn first_owner(
    database: &storage::Database,
    organization: OrganizationId,
) -> Result<Option<PrincipalId>, StorageError> {
    let mut read = database.read().await?;
    store::first_owner(read.conn(), organization).await
}

/// Gives a user another password. `false`: the organization has no such user.
pub async fn set_password(
    database: &storage::Database,
    organization: OrganizationId,
    user: PrincipalId,
    password: &HashedPassword,
) -> Result<bool, StorageError> {
    let mut tx = database.write().await?;
    let changed = store::set_password(tx.conn(), organization, user, &password.0).await?;
    tx.commit().await?;
    Ok(changed)
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
        ] {
            assert!(Email::parse(bad).is_err(), "{bad}");
        }
    }
}
