//! What every test of this crate starts with, and the values that cross the border to a column.

use crate::testing::on_both_engines;
use crate::{
    AudienceId, Clock, Conn, Database, ManualClock, OrganizationId, PrincipalId, SessionId,
    StorageError, SystemClock, Timestamp, execute, fetch_all, fetch_one, record_change,
};

/// An organization of the database, committed.
pub(crate) async fn organization(database: &Database, slug: &str) -> OrganizationId {
    let mut tx = database.write().await.unwrap();
    let organization = insert_organization(tx.conn(), slug).await.unwrap();
    tx.commit().await.unwrap();
    organization
}

pub(crate) async fn insert_organization(
    conn: Conn<'_>,
    slug: &str,
) -> Result<OrganizationId, StorageError> {
    let id = OrganizationId::new(&SystemClock);
    execute!(
        conn,
        "insert into organizations (id, slug, name, created_at) values ($1, $2, $2, $3)",
        id,
        slug,
        SystemClock.now(),
    )?;
    Ok(id)
}

/// A committed change of the organization; the answer is its version.
pub(crate) async fn change(database: &Database, organization: OrganizationId) -> i64 {
    let mut tx = database.write().await.unwrap();
    let version = record_change(&mut tx, organization).await.unwrap();
    tx.commit().await.unwrap();
    version
}

pub(crate) async fn count_organizations(database: &Database) -> i64 {
    let mut read = database.read().await.unwrap();
    let sql = "select count(*) from organizations";
    fetch_one!(read.conn(), (i64,), sql).unwrap().0
}

#[tokio::test]
async fn a_time_keeps_its_microseconds_and_its_century() {
    on_both_engines(|database| async move {
        let times = [
            Timestamp::from_unix_micros(0),
            Timestamp::from_unix_micros(-1),
            Timestamp::from_unix_micros(1_767_225_600_123_456),
            Timestamp::parse("0001-01-01T00:00:00.000001Z").unwrap(),
            Timestamp::parse("9999-12-31T23:59:59.999999Z").unwrap(),
        ];
        for (index, time) in times.into_iter().enumerate() {
            let id = organization(&database, &format!("org-{index}")).await;
            let mut tx = database.write().await.unwrap();
            let sql = "update organizations set created_at = $2 where id = $1 and created_at <> $2";
            assert_eq!(execute!(tx.conn(), sql, id, time).unwrap(), 1);
            tx.commit().await.unwrap();

            let mut read = database.read().await.unwrap();
            let sql = "select created_at from organizations where id = $1 and created_at = $2";
            let (stored,) = fetch_one!(read.conn(), (Timestamp,), sql, id, time).unwrap();
            assert_eq!(stored, time);
        }
    })
    .await;
}

#[tokio::test]
async fn times_sort_as_they_do_in_memory() {
    on_both_engines(|database| async move {
        let times = [
            "0001-01-01T00:00:00Z",
            "1969-12-31T23:59:59.999999Z",
            "1970-01-01T00:00:00.000001Z",
            "9999-12-31T23:59:59.999999Z",
        ]
        .map(|text| Timestamp::parse(text).unwrap());
        let mut tx = database.write().await.unwrap();
        for time in times.into_iter().rev() {
            let id = insert_organization(tx.conn(), &time.to_string())
                .await
                .unwrap();
            let sql = "update organizations set created_at = $2 where id = $1";
            execute!(tx.conn(), sql, id, time).unwrap();
        }
        let sql = "select created_at from organizations order by created_at";
        let sorted = fetch_all!(tx.conn(), (Timestamp,), sql).unwrap();
        assert_eq!(sorted, times.map(|time| (time,)));
    })
    .await;
}

#[tokio::test]
async fn identifiers_read_back_and_sort_by_their_time() {
    on_both_engines(|database| async move {
        let clock = ManualClock::at(Timestamp::from_unix_seconds(1_767_225_600));
        let mut written = Vec::new();
        for slug in ["first", "second", "third"] {
            let id = OrganizationId::new(&clock);
            let mut tx = database.write().await.unwrap();
            execute!(
                tx.conn(),
                "insert into organizations (id, slug, name, created_at) values ($1, $2, $2, $3)",
                id,
                slug,
                clock.now(),
            )
            .unwrap();
            tx.commit().await.unwrap();
            written.push((id,));
            clock.advance_seconds(1);
        }
        let mut read = database.read().await.unwrap();
        let sql = "select id from organizations order by id";
        let stored = fetch_all!(read.conn(), (OrganizationId,), sql).unwrap();
        assert_eq!(stored, written);
    })
    .await;
}

#[tokio::test]
async fn every_kind_of_identifier_fits_its_column() {
    on_both_engines(|database| async move {
        let organization = organization(&database, "acme").await;
        let (principal, audience) = (
            PrincipalId::new(&SystemClock),
            AudienceId::new(&SystemClock),
        );
        let session = SessionId::new(&SystemClock);
        let now = SystemClock.now();
        let mut tx = database.write().await.unwrap();
        execute!(
            tx.conn(),
            "insert into principals (id, organization_id, kind, name, state, created_at)
             values ($1, $2, 'service_account', 'ci', 'active', $3)",
            principal,
            organization,
            now
        )
        .unwrap();
        execute!(
            tx.conn(),
            "insert into audiences (id, organization_id, name, aud, algorithm, default_ttl_seconds,
                                    max_ttl_seconds, created_at)
             values ($1, $2, 'default', 'default', 'ES256', 1, 1, $3)",
            audience,
            organization,
            now
        )
        .unwrap();
        execute!(
            tx.conn(),
            "insert into sessions (id, organization_id, api_key_id, audience_id, kid, subject, roles, attributes,
                                   resources, request_id, client_address, issued_at, expires_at)
             values ($1, $2, 'k', $3, 'kid', 'user-42', '[]', '{}', '[]', 'req', '::1', $4, $4)",
            session,
            organization,
            audience,
            now
        )
        .unwrap();
        let stored = fetch_one!(
            tx.conn(),
            (PrincipalId, AudienceId, SessionId),
            "select p.id, a.id, s.id from principals p, audiences a, sessions s
             where p.id = $1 and a.id = $2 and s.id = $3",
            principal,
            audience,
            session
        )
        .unwrap();
        assert_eq!(stored, (principal, audience, session));
    })
    .await;
}
