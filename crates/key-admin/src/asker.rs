use storage::PrincipalId;

use crate::{ApiKeyContext, ApiKeyId, SignedIn};

/// Who asks for something to be done to an API key.
#[derive(Clone, Copy, Debug)]
pub enum Asker<'a> {
    /// Whoever holds this API key.
    Key(&'a ApiKeyContext),
    /// A person in the console.
    Person(&'a SignedIn),
    /// The server itself, or somebody with access to the machine and its database: nothing is out of reach.
    Machine,
}

impl Asker<'_> {
    /// The user or service account for whom is asked.
    pub(crate) fn principal(self) -> Option<PrincipalId> {
        match self {
            Self::Key(key) => Some(key.owner()),
            Self::Person(person) => Some(person.user().id),
            Self::Machine => None,
        }
    }

    /// The key that asks.
    pub(crate) fn key(self) -> Option<ApiKeyId> {
        match self {
            Self::Key(key) => Some(key.key_id()),
            Self::Person(_) | Self::Machine => None,
        }
    }
}

impl<'a> From<&'a ApiKeyContext> for Asker<'a> {
    fn from(key: &'a ApiKeyContext) -> Self {
        Self::Key(key)
    }
}

impl<'a> From<&'a SignedIn> for Asker<'a> {
    fn from(person: &'a SignedIn) -> Self {
        Self::Person(person)
    }
}
