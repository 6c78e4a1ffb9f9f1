//! Organizations: the unit of isolation. Every finder in Jeton takes one.
//!
//! | file | what it gives |
//! |---|---|
//! | `service` | reading and changing the settings, on [`KeyAdmin`](crate::KeyAdmin) |
//! | `store` | the SQL |

mod service;
pub(crate) mod store;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_json::json;
use storage::{Clock, Conn, Database, OrganizationId, StorageError, Timestamp, Transaction};

pub use service::{MAX_KEY_LIFETIME_SECONDS, OrganizationError, OrganizationPatch};

use crate::audit::{self, Act, Deed};
use crate::principals::checked_name;

/// An organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Organization {
    /// Its identifier.
    pub id: OrganizationId,
    /// Its name in URLs; the issuer of its tokens is `{public_url}/orgs/{slug}`.
    pub slug: Slug,
    /// Its name for people.
    pub name: String,
    /// How long its API keys may live, in seconds from their creation; `None` for no limit.
    pub max_key_lifetime_seconds: Option<u32>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// An organization's name in URLs: 1 to 63 of `a-z`, `0-9` and `-`, beginning and ending with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

/// The text is no [`Slug`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an organization's slug is 1 to 63 of a-z, 0-9 and -, beginning and ending with a letter or digit"
)]
pub struct InvalidSlug;

impl Slug {
    /// Reads a slug.
    pub fn parse(text: &str) -> Result<Self, InvalidSlug> {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let fits = (1..=63).contains(&text.len()) && text.chars().all(inner);
        if fits && !text.starts_with('-') && !text.ends_with('-') {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidSlug)
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Slug {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Slug {
    type Error = InvalidSlug;

    fn try_from(text: String) -> Result<Self, InvalidSlug> {
        Self::parse(&text)
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

/// Why no organization was made.
#[derive(Debug, thiserror::Error)]
pub enum CreateOrganizationError {
    /// Another one has the slug.
    #[error("an organization with this slug exists already")]
    SlugTaken,
    /// The name is empty, blank, longer than 100 characters, or has control characters.
    #[error("an organization's name has 1 to 100 characters, none of them control characters")]
    InvalidName,
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Organization {
    /// Adds an organization within `tx`, with its audit event.
    pub async fn create(
        tx: &mut Transaction,
        clock: &dyn Clock,
        act: &Act,
        slug: Slug,
        name: &str,
    ) -> Result<Self, CreateOrganizationError> {
        let organization = Self {
            id: OrganizationId::new(clock),
            slug,
            name: checked_name(name).ok_or(CreateOrganizationError::InvalidName)?,
            max_key_lifetime_seconds: None,
            created_at: clock.now(),
        };
        match store::insert(tx.conn(), &organization).await {
            Ok(()) => {}
            Err(error) if error.is_unique_violation() => {
                return Err(CreateOrganizationError::SlugTaken);
            }
            Err(error) => return Err(error.into()),
        }
        let deed = Deed {
            action: "organization.create",
            target_kind: "organization",
            target_id: organization.id.to_string(),
            detail: json!({ "after": { "slug": organization.slug, "name": organization.name } }),
        };
        audit::record(tx, clock, organization.id, act, deed).await?;
        Ok(organization)
    }

    /// Finds one by its slug.
    pub async fn find(database: &Database, slug: &Slug) -> Result<Option<Self>, StorageError> {
        let mut read = database.read().await?;
        store::find_by_slug(read.conn(), slug).await
    }

    /// Which organization has this slug, and the version it is at; for caches of what belongs to it.
    pub async fn version_by_slug(
        conn: Conn<'_>,
        slug: &Slug,
    ) -> Result<Option<(OrganizationId, i64)>, StorageError> {
        store::version_by_slug(conn, slug).await
    }

    /// The version the organization is at; `None` when there is no such organization.
    pub async fn version(conn: Conn<'_>, id: OrganizationId) -> Result<Option<i64>, StorageError> {
        store::version(conn, id).await
    }

    /// All organizations, oldest first.
    pub async fn list(database: &Database) -> Result<Vec<Self>, StorageError> {
        let mut read = database.read().await?;
        store::list(read.conn()).await
    }
}
