//! Cached rows that are never used past a change the node has seen.

use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;

use quick_cache::sync::Cache;

use crate::metrics::CacheUse;
use crate::{ChangeFeed, OrganizationId, StorageError};

/// A value with the organization it belongs to and the organization's version at the time it was read.
#[derive(Debug)]
pub struct Versioned<V> {
    /// Whose change makes it stale.
    pub organization: OrganizationId,
    /// The organization's version, read in the same query or before the value.
    pub version: i64,
    /// The value.
    pub value: V,
}

/// A bounded cache in front of the database.
#[derive(Debug)]
pub struct VersionedCache<K, V> {
    feed: Arc<ChangeFeed>,
    entries: Cache<K, Arc<Versioned<V>>>,
}

impl<K: Eq + Hash + Clone, V> VersionedCache<K, V> {
    /// A cache of at most `capacity` entries.
    pub fn new(feed: Arc<ChangeFeed>, capacity: usize) -> Self {
        Self {
            feed,
            entries: Cache::new(capacity),
        }
    }

    /// The current value: cached if still true, else loaded, once however many callers wait. `None` from `load` is
    /// answered and not remembered.
    pub async fn get<E, F>(
        &self,
        key: &K,
        load: impl Fn() -> F,
    ) -> Result<Option<Arc<Versioned<V>>>, E>
    where
        E: From<StorageError>,
        F: Future<Output = Result<Option<Versioned<V>>, E>>,
    {
        self.feed.confirm().await?;
        if let Some(entry) = self.entries.get(key)
            && self.is_current(&entry)
        {
            return Ok(Some(entry));
        }
        // Boxed: loads are rare and their futures large, and this one is part of every caller's.
        Box::pin(self.load_current(key, load)).await
    }

    async fn load_current<E, F>(
        &self,
        key: &K,
        load: impl Fn() -> F,
    ) -> Result<Option<Arc<Versioned<V>>>, E>
    where
        E: From<StorageError>,
        F: Future<Output = Result<Option<Versioned<V>>, E>>,
    {
        // A second round is needed when this call joined a load that began before the change it must see.
        for _ in 0..MAX_ROUNDS {
            let entry = match self.entries.get_or_insert_async(key, fill(&load)).await {
                Ok(entry) => entry,
                Err(None) => return Ok(None),
                Err(Some(error)) => return Err(error),
            };
            if self.is_current(&entry) {
                return Ok(Some(entry));
            }
            self.entries
                .remove_if(key, |cached| !self.is_current(cached));
        }
        Err(StorageError::Stale.into())
    }

    /// How it is used.
    pub fn usage(&self) -> CacheUse {
        CacheUse::of(&self.entries)
    }

    fn is_current(&self, entry: &Versioned<V>) -> bool {
        entry.version >= self.feed.version_of(entry.organization)
    }
}

/// More rounds than this mean that the organization changes faster than it can be read.
const MAX_ROUNDS: usize = 8;

/// An absent value is an error to the cache, so that it is not kept.
async fn fill<V, E, F>(load: impl Fn() -> F) -> Result<Arc<Versioned<V>>, Option<E>>
where
    F: Future<Output = Result<Option<Versioned<V>>, E>>,
{
    match load().await {
        Ok(Some(entry)) => Ok(Arc::new(entry)),
        Ok(None) => Err(None),
        Err(error) => Err(Some(error)),
    }
}

#[cfg(test)]
mod tests;
