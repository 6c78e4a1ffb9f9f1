//! The stored policy: one row per role and attribute.

use sqlx::types::Json;
use storage::{Conn, OrganizationId, StorageError, execute, fetch_all};

use crate::{AttributeDeclaration, Role};

pub(crate) async fn roles(
    conn: Conn<'_>,
    organization: OrganizationId,
) -> Result<Vec<Role>, StorageError> {
    let sql = "select definition from roles where organization_id = $1 order by name";
    let rows = fetch_all!(conn, (Json<Role>,), sql, organization)?;
    Ok(rows.into_iter().map(|(role,)| role.0).collect())
}

pub(crate) async fn attributes(
    conn: Conn<'_>,
    organization: OrganizationId,
) -> Result<Vec<AttributeDeclaration>, StorageError> {
    let sql = "select declaration from attributes where organization_id = $1 order by name";
    let rows = fetch_all!(conn, (Json<AttributeDeclaration>,), sql, organization)?;
    Ok(rows.into_iter().map(|(attribute,)| attribute.0).collect())
}

pub(crate) async fn clear_roles(
    conn: Conn<'_>,
    organization: OrganizationId,
) -> Result<(), StorageError> {
    execute!(
        conn,
        "delete from roles where organization_id = $1",
        organization
    )?;
    Ok(())
}

pub(crate) async fn clear_attributes(
    conn: Conn<'_>,
    organization: OrganizationId,
) -> Result<(), StorageError> {
    execute!(
        conn,
        "delete from attributes where organization_id = $1",
        organization
    )?;
    Ok(())
}

pub(crate) async fn insert_role(
    conn: Conn<'_>,
    organization: OrganizationId,
    role: &Role,
) -> Result<(), StorageError> {
    let sql = "insert into roles (organization_id, name, definition) values ($1, $2, $3)";
    execute!(conn, sql, organization, role.name.as_str(), Json(role))?;
    Ok(())
}

pub(crate) async fn insert_attribute(
    conn: Conn<'_>,
    organization: OrganizationId,
    attribute: &AttributeDeclaration,
) -> Result<(), StorageError> {
    let sql = "insert into attributes (organization_id, name, declaration) values ($1, $2, $3)";
    execute!(
        conn,
        sql,
        organization,
        attribute.name.as_str(),
        Json(attribute)
    )?;
    Ok(())
}
