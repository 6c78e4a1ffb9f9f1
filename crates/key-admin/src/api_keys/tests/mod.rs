//! Keys on both engines, through the service that API, console and command line call.

mod authenticating;
mod changing;
mod covering;
mod creating;
mod guessing;
mod hashes;
mod listing;
mod members;
mod model;
mod refusing;
mod rotating;

use secrecy::{ExposeSecret, SecretString};

use super::{ApiKeyId, format};

/// A well-formed key with the id of one key and the secret of another.
pub(crate) fn with_secret_of(id: ApiKeyId, other: &SecretString) -> SecretString {
    let other = other.expose_secret();
    let secret = &other[other.rfind('_').unwrap()..other.len() - 6];
    let mut key = format!("{}{secret}", id.key_prefix());
    let checksum = format::checksum_of(&key);
    key.extend(checksum.iter().copied().map(char::from));
    key.into()
}

/// A well-formed key with this id and a secret that nobody was given.
fn guess(id: ApiKeyId) -> SecretString {
    let (_, other) = format::generate().unwrap();
    with_secret_of(id, &other)
}
