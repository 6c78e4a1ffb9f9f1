use storage::StorageError;

use crate::UserError;
use crate::hashing::HashError;
use crate::random::NoRandomness;
use crate::rate_limit::Limited;
use crate::sealing::{CannotOpen, CannotSeal};

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Unknown address, wrong password, suspended user, user without a password; wrong or used code, sign-in that
    /// waited too long. Nobody is told which.
    #[error("this is not right, or it is too late: try again")]
    Wrong,
    /// Too many failures, of this client or for this account.
    #[error("too many failed sign-ins: try again later")]
    Limited(#[from] Limited),
    /// The password could not be checked.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// No session could be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The stored second factor does not open: another master secret, or an altered row.
    #[error(transparent)]
    Sealed(#[from] CannotOpen),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why somebody whom a provider has proven was not signed in.
#[derive(Debug, thiserror::Error)]
pub enum ProviderSignInError {
    /// The rules let this identity not in. The reason is in the audit trail, and told to nobody.
    #[error("this account may not sign in here: ask an administrator")]
    Refused,
    /// Too many refused sign-ins, or too many begun, of this client.
    #[error("too many sign-ins: try again later")]
    Limited(#[from] Limited),
    /// No session or round trip could be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The round trip could not be kept.
    #[error(transparent)]
    Seal(#[from] CannotSeal),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why a session was not ended.
#[derive(Debug, thiserror::Error)]
pub enum EndSessionError {
    /// The person has no such session.
    #[error("you have no such session")]
    NotFound,
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why a person's own password stays.
#[derive(Debug, thiserror::Error)]
pub enum ChangePasswordError {
    /// The present password is another one.
    #[error("the present password is not right")]
    Wrong,
    /// The person signs in through a provider only.
    #[error("you have no password: you sign in through a provider")]
    NoPassword,
    /// Too many wrong passwords.
    #[error("too many wrong passwords: try again later")]
    Limited(#[from] Limited),
    /// The new password does not fit the rules, or the user is gone.
    #[error(transparent)]
    User(#[from] UserError),
    /// A password could not be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why a second factor was neither set up, nor used, nor removed.
#[derive(Debug, thiserror::Error)]
pub enum SecondFactorError {
    /// The code is wrong, too old, or was used before.
    #[error("the code is not right")]
    WrongCode,
    /// There is one already: remove it first.
    #[error("you have a second factor already: remove it first")]
    AlreadyOn,
    /// There is none, or its set-up was not begun.
    #[error("there is no second factor")]
    Off,
    /// Too many wrong codes.
    #[error("too many wrong codes: try again later")]
    Limited(#[from] Limited),
    /// There is no such user, or whoever asks may not change it.
    #[error(transparent)]
    User(#[from] UserError),
    /// No secret could be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The secret could not be sealed.
    #[error(transparent)]
    Seal(#[from] CannotSeal),
    /// The stored secret does not open: another master secret, or an altered row.
    #[error(transparent)]
    Sealed(#[from] CannotOpen),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
