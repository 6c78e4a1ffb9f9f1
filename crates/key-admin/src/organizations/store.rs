use storage::{Conn, OrganizationId, StorageError, Timestamp, execute, fetch_all, fetch_optional};

use super::{Organization, Slug};

type Row = (OrganizationId, String, String, Option<i32>, Timestamp);

fn read(
    (id, slug, name, max_key_lifetime_seconds, created_at): Row,
) -> Result<Organization, StorageError> {
    let seconds = max_key_lifetime_seconds.map(u32::try_from).transpose();
    Ok(Organization {
        id,
        slug: Slug::parse(&slug).map_err(|error| StorageError::corrupt("slug", error))?,
        name,
        max_key_lifetime_seconds: seconds
            .map_err(|error| StorageError::corrupt("maximum lifetime", error))?,
        created_at,
    })
}

pub(super) async fn insert(
    conn: Conn<'_>,
    organization: &Organization,
) -> Result<(), StorageError> {
    execute!(
        conn,
        "insert into organizations (id, slug, name, created_at) values ($1, $2, $3, $4)",
        organization.id,
        organization.slug.as_str(),
        &organization.name,
        organization.created_at,
    )?;
    Ok(())
}

pub(crate) async fn find_by_slug(
    conn: Conn<'_>,
    slug: &Slug,
) -> Result<Option<Organization>, StorageError> {
    let sql = "select id, slug, name, max_key_lifetime_seconds, created_at from organizations
               where slug = $1";
    fetch_optional!(conn, Row, sql, slug.as_str())?
        .map(read)
        .transpose()
}

pub(crate) async fn find(
    conn: Conn<'_>,
    id: OrganizationId,
) -> Result<Option<Organization>, StorageError> {
    let sql = "select id, slug, name, max_key_lifetime_seconds, created_at from organizations
               where id = $1";
    fetch_optional!(conn, Row, sql, id)?.map(read).transpose()
}

/// Writes the settings, unless they are not `before` any more.
pub(super) async fn save(
    conn: Conn<'_>,
    (before, after): (&Organization, &Organization),
) -> Result<bool, StorageError> {
    let changed = execute!(
        conn,
        "update organizations set name = $2, max_key_lifetime_seconds = $3
         where id = $1 and name = $4 and coalesce(max_key_lifetime_seconds, 0) = $5",
        after.id,
        &after.name,
        stored(after.max_key_lifetime_seconds),
        &before.name,
        stored(before.max_key_lifetime_seconds).unwrap_or(0),
    )?;
    Ok(changed == 1)
}

/// As the column has it; the service lets no greater value through.
fn stored(seconds: Option<u32>) -> Option<i32> {
    seconds.map(|seconds| i32::try_from(seconds).unwrap_or(i32::MAX))
}

pub(super) async fn list(conn: Conn<'_>) -> Result<Vec<Organization>, StorageError> {
    let sql = "select id, slug, name, max_key_lifetime_seconds, created_at from organizations
               order by id";
    fetch_all!(conn, Row, sql)?.into_iter().map(read).collect()
}

pub(super) async fn version_by_slug(
    conn: Conn<'_>,
    slug: &Slug,
) -> Result<Option<(OrganizationId, i64)>, StorageError> {
    let sql = "select id, version from organizations where slug = $1";
    fetch_optional!(conn, (OrganizationId, i64), sql, slug.as_str())
}

pub(super) async fn version(
    conn: Conn<'_>,
    id: OrganizationId,
) -> Result<Option<i64>, StorageError> {
    let sql = "select version from organizations where id = $1";
    Ok(fetch_optional!(conn, (i64,), sql, id)?.map(|(version,)| version))
}
