use storage::{Conn, OrganizationId, StorageError, Timestamp, execute, fetch_all, fetch_optional};

use super::{Organization, Slug};

type Row = (OrganizationId, String, String, Timestamp);

fn read((id, slug, name, created_at): Row) -> Result<Organization, StorageError> {
    let slug = Slug::parse(&slug).map_err(|error| StorageError::corrupt("slug", error))?;
    Ok(Organization {
        id,
        slug,
        name,
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

pub(super) async fn find_by_slug(
    conn: Conn<'_>,
    slug: &Slug,
) -> Result<Option<Organization>, StorageError> {
    let sql = "select id, slug, name, created_at from organizations where slug = $1";
    fetch_optional!(conn, Row, sql, slug.as_str())?
        .map(read)
        .transpose()
}

pub(super) async fn list(conn: Conn<'_>) -> Result<Vec<Organization>, StorageError> {
    let sql = "select id, slug, name, created_at from organizations order by id";
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
