//! The stored policy: one row per role, attribute and row rule.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::types::Json;
use storage::{
    Conn, OrganizationId, StorageError, Transaction, execute, fetch_all, fetch_optional,
};

use crate::{AttributeDeclaration, AttributeName, PolicyDocument, Role, RoleName};

/// The version that the organization is at, and the one that its policy is at.
pub(crate) async fn versions(
    conn: Conn<'_>,
    organization: OrganizationId,
) -> Result<Option<(i64, i64)>, StorageError> {
    let sql = "select version, policy_version from organizations where id = $1";
    fetch_optional!(conn, (i64, i64), sql, organization)
}

/// Counts the policy's version on, if it is still the one that was read.
pub(crate) async fn advance(
    conn: Conn<'_>,
    organization: OrganizationId,
    from: i64,
    to: i64,
) -> Result<bool, StorageError> {
    let sql = "update organizations set policy_version = $3 where id = $1 and policy_version = $2";
    Ok(execute!(conn, sql, organization, from, to)? == 1)
}

/// A table with one row per named part of a policy.
struct Table {
    select: &'static str,
    page: &'static str,
    one: &'static str,
    delete: &'static str,
    upsert: &'static str,
}

const ROLES: Table = Table {
    select: "select definition from roles where organization_id = $1 order by name",
    page: "select definition from roles where organization_id = $1 and name > $2
           order by name limit $3",
    one: "select definition from roles where organization_id = $1 and name = $2",
    delete: "delete from roles where organization_id = $1 and name = $2",
    upsert: "insert into roles (organization_id, name, definition) values ($1, $2, $3)
             on conflict (organization_id, name) do update set definition = excluded.definition",
};

const ATTRIBUTES: Table = Table {
    select: "select declaration from attributes where organization_id = $1 order by name",
    page: "select declaration from attributes where organization_id = $1 and name > $2
           order by name limit $3",
    one: "select declaration from attributes where organization_id = $1 and name = $2",
    delete: "delete from attributes where organization_id = $1 and name = $2",
    upsert: "insert into attributes (organization_id, name, declaration) values ($1, $2, $3)
             on conflict (organization_id, name) do update set declaration = excluded.declaration",
};

const ROW_RULES: Table = Table {
    select: "select definition from row_rules where organization_id = $1 order by name",
    page: "select definition from row_rules where organization_id = $1 and name > $2
           order by name limit $3",
    one: "select definition from row_rules where organization_id = $1 and name = $2",
    delete: "delete from row_rules where organization_id = $1 and name = $2",
    upsert: "insert into row_rules (organization_id, name, definition) values ($1, $2, $3)
             on conflict (organization_id, name) do update set definition = excluded.definition",
};

/// The whole policy.
pub(crate) async fn document(
    tx: &mut Transaction,
    organization: OrganizationId,
) -> Result<PolicyDocument, StorageError> {
    Ok(PolicyDocument {
        roles: ROLES.all(tx.conn(), organization).await?,
        attributes: ATTRIBUTES.all(tx.conn(), organization).await?,
        row_rules: ROW_RULES.all(tx.conn(), organization).await?,
    })
}

/// Roles in the order of their names, at most `limit`, behind `after`.
pub(crate) async fn roles(
    conn: Conn<'_>,
    organization: OrganizationId,
    after: Option<&RoleName>,
    limit: u32,
) -> Result<Vec<Role>, StorageError> {
    let after = after.map_or("", RoleName::as_str);
    ROLES.page(conn, organization, after, limit).await
}

/// Attributes in the order of their names, at most `limit`, behind `after`.
pub(crate) async fn attributes(
    conn: Conn<'_>,
    organization: OrganizationId,
    after: Option<&AttributeName>,
    limit: u32,
) -> Result<Vec<AttributeDeclaration>, StorageError> {
    let after = after.map_or("", AttributeName::as_str);
    ATTRIBUTES.page(conn, organization, after, limit).await
}

/// The role of this name.
pub(crate) async fn role(
    conn: Conn<'_>,
    organization: OrganizationId,
    name: &RoleName,
) -> Result<Option<Role>, StorageError> {
    ROLES.one(conn, organization, name.as_str()).await
}

/// The attribute of this name.
pub(crate) async fn attribute(
    conn: Conn<'_>,
    organization: OrganizationId,
    name: &AttributeName,
) -> Result<Option<AttributeDeclaration>, StorageError> {
    ATTRIBUTES.one(conn, organization, name.as_str()).await
}

/// Turns the stored policy `before` into `after`, touching only rows that differ.
pub(crate) async fn write(
    tx: &mut Transaction,
    organization: OrganizationId,
    before: &PolicyDocument,
    after: &PolicyDocument,
) -> Result<(), StorageError> {
    let named = |it: &Role| it.name.to_string();
    ROLES
        .write(tx, organization, (&before.roles, &after.roles), named)
        .await?;
    let named = |it: &AttributeDeclaration| it.name.to_string();
    let sides = (&before.attributes[..], &after.attributes[..]);
    ATTRIBUTES.write(tx, organization, sides, named).await?;
    let named = |it: &crate::RowRule| it.name.to_string();
    let sides = (&before.row_rules[..], &after.row_rules[..]);
    ROW_RULES.write(tx, organization, sides, named).await
}

impl Table {
    async fn all<T: DeserializeOwned + Send + Unpin + 'static>(
        &self,
        conn: Conn<'_>,
        organization: OrganizationId,
    ) -> Result<Vec<T>, StorageError> {
        let rows = fetch_all!(conn, (Json<T>,), self.select, organization)?;
        Ok(rows.into_iter().map(|(Json(it),)| it).collect())
    }

    async fn page<T: DeserializeOwned + Send + Unpin + 'static>(
        &self,
        conn: Conn<'_>,
        organization: OrganizationId,
        after: &str,
        limit: u32,
    ) -> Result<Vec<T>, StorageError> {
        let limit = i64::from(limit);
        let rows = fetch_all!(conn, (Json<T>,), self.page, organization, after, limit)?;
        Ok(rows.into_iter().map(|(Json(it),)| it).collect())
    }

    async fn one<T: DeserializeOwned + Send + Unpin + 'static>(
        &self,
        conn: Conn<'_>,
        organization: OrganizationId,
        name: &str,
    ) -> Result<Option<T>, StorageError> {
        let row = fetch_optional!(conn, (Json<T>,), self.one, organization, name)?;
        Ok(row.map(|(Json(it),)| it))
    }

    async fn write<T: Serialize + PartialEq + Sync>(
        &self,
        tx: &mut Transaction,
        organization: OrganizationId,
        (before, after): (&[T], &[T]),
        named: impl Fn(&T) -> String,
    ) -> Result<(), StorageError> {
        let mut old: BTreeMap<String, &T> = before.iter().map(|it| (named(it), it)).collect();
        for it in after {
            let name = named(it);
            if old.remove(&name) != Some(it) {
                execute!(tx.conn(), self.upsert, organization, name, Json(it))?;
            }
        }
        for name in old.into_keys() {
            execute!(tx.conn(), self.delete, organization, name)?;
        }
        Ok(())
    }
}
