//! What users and service accounts have in common on their pages: the keys they own, and what stops when they go.

use key_admin::{ApiKeyId, KeyFilter, KeyState, ListedKey, PrincipalPage};
use storage::{OrganizationId, PrincipalId, StorageError, Timestamp};

use crate::pages::api_keys;
use crate::state::ConsoleState;
use crate::when::When;

/// Owners on one page of a list.
pub(crate) const PAGE: u32 = 25;
/// Keys that a page names.
const KEYS: u32 = 100;

/// The keys of a user or service account.
#[derive(Debug)]
pub(crate) struct OwnedKeys {
    pub(crate) keys: Vec<OwnedKey>,
    /// How many are neither revoked nor expired: they stop working when the owner goes.
    pub(crate) live: usize,
    /// How many of those have been used in the last 24 hours.
    pub(crate) in_use: usize,
}

/// A key, as its owner's page shows it.
#[derive(Debug)]
pub(crate) struct OwnedKey {
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) prefix: String,
    pub(crate) state: &'static str,
    pub(crate) class: &'static str,
    pub(crate) live: bool,
    pub(crate) last_used: Option<When>,
}

impl OwnedKeys {
    pub(crate) async fn of(
        state: &ConsoleState,
        organization: OrganizationId,
        owner: PrincipalId,
    ) -> Result<Self, StorageError> {
        let filter = KeyFilter {
            owner: Some(owner),
            ..KeyFilter::default()
        };
        let (keys, now) = (&state.services.keys, state.services.clock.now());
        let found = keys.list_keys(organization, &filter, None, KEYS).await?;
        let live = found.iter().filter(|listed| listed.key.is_live(now));
        let day_ago = now.plus_seconds(-86_400);
        let lately = |listed: &&ListedKey| listed.last_used_at.is_some_and(|at| at > day_ago);
        let (live, in_use) = (live.clone().count(), live.filter(lately).count());
        let keys = found.into_iter().map(|listed| OwnedKey::new(listed, now));
        Ok(Self {
            keys: keys.collect(),
            live,
            in_use,
        })
    }
}

impl OwnedKey {
    fn new(listed: ListedKey, now: Timestamp) -> Self {
        let class = match listed.state {
            KeyState::Active => "good",
            KeyState::Disabled => "warn",
            KeyState::Expired => "",
            KeyState::Revoked => "bad",
        };
        Self {
            path: path(listed.key.id),
            prefix: listed.key.prefix(),
            state: listed.state.as_str(),
            class,
            live: listed.key.is_live(now),
            last_used: listed.last_used_at.map(|at| When::new(at, now)),
            name: listed.key.name,
        }
    }
}

fn path(id: ApiKeyId) -> String {
    format!("{}/{id}", api_keys::PATH)
}

/// The page of a list that begins after an owner.
pub(crate) fn after(text: &str) -> PrincipalPage {
    PrincipalPage {
        after: text.parse().ok(),
        limit: PAGE + 1,
    }
}
