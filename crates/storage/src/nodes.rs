//! The servers that run on this database.
//!
//! Each keeps one row, under an identifier of this run, and writes every [`BEAT_SECONDS`] that it lives and how far it has
//! caught up with changes. How far it was behind is found out in the same statement: between two beats, every change
//! would make all nodes look late. A row of which nothing was heard for [`FORGET_SECONDS`] is removed by another node.

use std::sync::Arc;

use crate::{
    ChangeFeed, Clock, Conn, Database, NodeId, StorageError, Timestamp, execute, fetch_all,
};

/// How often a node says that it lives, in seconds.
pub const BEAT_SECONDS: i64 = 5;
/// A node that has not said so for this many seconds does not answer.
pub const SILENT_SECONDS: i64 = 3 * BEAT_SECONDS;
/// A node that has not said so for this many seconds is forgotten.
pub const FORGET_SECONDS: i64 = 60 * 60;

/// A server, as its row tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// This run of it.
    pub id: NodeId,
    /// Its name for people.
    pub name: String,
    /// The version of its binary.
    pub version: String,
    /// When it started.
    pub started_at: Timestamp,
    /// When it last said that it lives.
    pub seen_at: Timestamp,
    /// Has it been silent for longer than [`SILENT_SECONDS`]?
    pub is_silent: bool,
    /// The newest version of the database's changes that it has seen.
    pub change_version: i64,
    /// How many versions it was behind when it last said so; for a silent one, how many it is by now.
    pub versions_behind: i64,
    /// For how many seconds it had not known that it was up to date: 0 for a node that was.
    pub seconds_behind: i64,
}

/// What a server writes about itself.
#[derive(Debug)]
pub struct Heartbeat {
    database: Database,
    feed: Arc<ChangeFeed>,
    clock: Arc<dyn Clock>,
    id: NodeId,
    name: String,
    version: &'static str,
    started_at: Timestamp,
}

impl Heartbeat {
    /// Of a server that starts now. Nothing is written yet.
    pub fn new(
        database: Database,
        feed: Arc<ChangeFeed>,
        clock: Arc<dyn Clock>,
        name: String,
        version: &'static str,
    ) -> Self {
        Self {
            id: NodeId::new(&*clock),
            started_at: clock.now(),
            database,
            feed,
            clock,
            name,
            version,
        }
    }

    /// The identifier of this run.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Says that this server lives, and forgets those that have not for long.
    pub async fn beat(&self) -> Result<(), StorageError> {
        let now = self.clock.now();
        let mut tx = self.database.write().await?;
        self.write(tx.conn(), now).await?;
        let forgotten = "delete from nodes where seen_at < $1";
        execute!(tx.conn(), forgotten, now.plus_seconds(-FORGET_SECONDS))?;
        tx.commit().await
    }

    /// Takes the row away: a server that stops on purpose is not missed.
    pub async fn leave(&self) -> Result<(), StorageError> {
        let mut tx = self.database.write().await?;
        execute!(tx.conn(), "delete from nodes where id = $1", self.id)?;
        tx.commit().await
    }

    async fn write(&self, conn: Conn<'_>, now: Timestamp) -> Result<(), StorageError> {
        let progress = self.feed.progress();
        let micros = i64::try_from(progress.confirmed_ago.as_micros()).unwrap_or(i64::MAX);
        let confirmed = Timestamp::from_unix_micros(now.unix_micros().saturating_sub(micros));
        execute!(
            conn,
            "insert into nodes (id, name, version, started_at, seen_at, confirmed_at, change_version,
                                versions_behind)
             select $1, $2, $3, $4, $5, $6, $7, case when version > $7 then version - $7 else 0 end
             from change_counter where id = 1
             on conflict (id) do update set
                 seen_at = excluded.seen_at, confirmed_at = excluded.confirmed_at,
                 change_version = excluded.change_version, versions_behind = excluded.versions_behind",
            self.id,
            &self.name,
            self.version,
            self.started_at,
            now,
            confirmed,
            progress.version,
        )?;
        Ok(())
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: NodeId,
    name: String,
    version: String,
    started_at: Timestamp,
    seen_at: Timestamp,
    confirmed_at: Timestamp,
    change_version: i64,
    versions_behind: i64,
    database_version: i64,
}

/// The servers on this database, by name.
pub async fn list_nodes(database: &Database, now: Timestamp) -> Result<Vec<Node>, StorageError> {
    let mut read = database.read().await?;
    let rows = fetch_all!(
        read.conn(),
        Row,
        "select n.id, n.name, n.version, n.started_at, n.seen_at, n.confirmed_at, n.change_version,
                n.versions_behind, c.version as database_version
         from nodes n join change_counter c on c.id = 1
         where n.seen_at >= $1
         order by n.name, n.id",
        now.plus_seconds(-FORGET_SECONDS),
    )?;
    Ok(rows.into_iter().map(|row| row.node(now)).collect())
}

impl Row {
    fn node(self, now: Timestamp) -> Node {
        let is_silent = self.seen_at < now.plus_seconds(-SILENT_SECONDS);
        let (versions_behind, until) = if is_silent {
            (self.database_version - self.change_version, now)
        } else {
            (self.versions_behind, self.seen_at)
        };
        let seconds = until.unix_seconds() - self.confirmed_at.unix_seconds();
        Node {
            id: self.id,
            name: self.name,
            version: self.version,
            started_at: self.started_at,
            seen_at: self.seen_at,
            is_silent,
            change_version: self.change_version,
            versions_behind: versions_behind.max(0),
            seconds_behind: if versions_behind > 0 {
                seconds.max(0)
            } else {
                0
            },
        }
    }
}

#[cfg(test)]
mod tests;
