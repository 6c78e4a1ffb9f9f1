//! Which web pages may read answers at all: browsers ask about an origin before they say whose token they have.

use std::time::Duration;

use quick_cache::sync::Cache;
use storage::{Database, StorageError};

use super::store;
use crate::issuance::TokenIssuer;

/// A database that takes longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(1);
const MAX_ORIGINS: usize = 10_000;

/// The origins that were authorized when they were last asked for. The database decides; this is for when it cannot: a
/// page that may not read the error would not learn when to try again.
#[derive(Debug)]
pub(crate) struct KnownOrigins(Cache<String, ()>);

impl KnownOrigins {
    pub(crate) fn new() -> Self {
        Self(Cache::new(MAX_ORIGINS))
    }

    async fn contains(&self, database: &Database, origin: &str) -> bool {
        match tokio::time::timeout(PATIENCE, ask(database, origin)).await {
            Ok(Ok(true)) => {
                self.0.insert(origin.to_owned(), ());
                true
            }
            Ok(Ok(false)) => {
                self.0.remove(origin);
                false
            }
            Ok(Err(_)) | Err(_) => self.0.get(origin).is_some(),
        }
    }
}

async fn ask(database: &Database, origin: &str) -> Result<bool, StorageError> {
    let mut read = database.read().await?;
    store::is_authorized_origin(read.conn(), origin).await
}

impl TokenIssuer {
    /// May pages of this origin renew tokens of any audience at all? While the database cannot answer: could they when it
    /// was last asked? Nothing is granted by it; it only tells browsers whether the page may read what is answered.
    pub async fn is_authorized_origin(&self, origin: &str) -> bool {
        self.known_origins.contains(&self.database, origin).await
    }
}
