use storage::StorageError;

use crate::hashing::HashError;
use crate::principals::Kept;

/// Why nothing was done about a user.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The organization has no such user.
    #[error("the organization has no such user")]
    NotFound,
    /// The organization that the user should belong to does not exist.
    #[error("there is no such organization")]
    NoSuchOrganization,
    /// No `@`, a domain without two labels or with an empty one, white space, control characters, or over 254 characters.
    #[error("this is not an e-mail address")]
    InvalidEmail,
    /// Another user, of this or another organization, has the address.
    #[error("a user with this e-mail address exists already")]
    EmailTaken,
    /// Empty, blank, longer than 100 characters, or with control characters.
    #[error("a user's name has 1 to 100 characters, none of them control characters")]
    InvalidName,
    /// Fewer than 12 or more than 128 characters.
    #[error("a password has 12 to 128 characters")]
    PasswordLength,
    /// It is on the list of those that attackers try first.
    #[error("this password is one of those that are tried first: choose one that nobody else has")]
    CommonPassword,
    /// It contains the e-mail address's local part, or the organization's slug.
    #[error("a password does not contain the e-mail address or the organization's name")]
    PersonalPassword,
    /// Who is no owner tries to make, change or remove one.
    #[error("only an owner may make, change or remove owners")]
    OwnersOnly,
    /// Somebody tries to give a role stronger than their own, or to change or remove who has one.
    #[error("you can neither give a role stronger than your own, nor change who has one")]
    StrongerRole,
    /// The organization would be left without an active owner.
    #[error("this is the organization's last active owner: make another one first")]
    LastOwner,
    /// Live keys keep the user from being removed.
    #[error("the user has {count} live API keys: revoke them first, or together with the user")]
    LiveKeys {
        /// How many.
        count: usize,
    },
    /// The password could not be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<Kept> for UserError {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::LiveKeys(count) => Self::LiveKeys { count },
            Kept::Storage(error) => Self::Storage(error),
        }
    }
}
