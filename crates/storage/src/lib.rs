//! Jeton's database access: two engines behind one SQL text.
//!
//! | module | what it gives |
//! |---|---|
//! | [`database`] | [`Database`]: the pools of one engine, read connections, snapshots, write transactions |
//! | [`connection`] | [`Conn`], the borrowed connection every store function takes, and the four query macros |
//! | [`durability`] | whether the database keeps what it has committed |
//! | [`migrations`] | the schema, embedded from the top-level `migrations/` folder |
//! | [`batch`] | many rows in one statement |
//! | [`group_writer`] | [`GroupWriter`]: one small transaction after the other |
//! | [`intake`] | [`Intake`]: rows of the embedded engine that are committed first and sorted later |
//! | [`arrivals`] | [`Arrivals`]: which rows are on their way, for readers to wait for |
//! | [`changes`] | [`ChangeFeed`]: which organizations changed, and since when this node knows |
//! | [`versioned_cache`] | [`VersionedCache`]: cached rows that are never older than the feed allows |
//! | [`nodes`] | [`Heartbeat`], [`list_nodes`]: the servers on this database, and how far each has caught up |
//! | [`metrics`] | counters and histograms, and how caches and pools are used |
//! | [`clock`], [`timestamp`], [`ids`] | time and identifiers, passed in so that tests own them |
//! | [`error`] | [`StorageError`] |
//!
//! SQLite is the embedded default: WAL, `synchronous = FULL` (an acknowledged row survives a power cut), foreign
//! keys on, one writer. PostgreSQL is for more than one node. Queries are written once with `$1` placeholders:
//!
//! ```text
//! pub(crate) async fn rename(conn: Conn<'_>, id: OrganizationId, name: &str) -> Result<bool, StorageError> {
//!     let changed = execute!(conn, "update organizations set name = $2 where id = $1", id, name)?;
//!     Ok(changed == 1)
//! }
//! ```
//!
//! Only where the engines truly differ (locks, batches from JSON) is there a branch, and it lives in this crate.

pub mod arrivals;
pub mod batch;
pub mod changes;
pub mod clock;
pub mod connection;
pub mod database;
pub mod durability;
pub mod error;
pub mod group_writer;
pub mod ids;
pub mod intake;
pub mod metrics;
pub mod migrations;
pub mod nodes;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
pub mod timestamp;
pub mod versioned_cache;

pub use arrivals::Arrivals;
pub use batch::{BatchSql, execute_batch};
pub use changes::{ChangeFeed, ChangeProgress, hold_changes, record_change};
pub use clock::{Clock, ManualClock, SystemClock};
pub use connection::Conn;
pub use database::{Database, Engine, ReadConn, Transaction};
pub use error::StorageError;
pub use group_writer::{GroupTransaction, GroupWriter};
pub use ids::{
    AudienceId, AuditEventId, ConsoleSessionId, NodeId, OrganizationId, PrincipalId, RequestId,
    SessionId,
};
pub use intake::{Intake, IntakeGroup};
pub use nodes::{Heartbeat, Node, list_nodes};
pub use timestamp::Timestamp;
pub use versioned_cache::{Versioned, VersionedCache};

// The query macros name these from other crates.
#[doc(hidden)]
pub use sqlx;
