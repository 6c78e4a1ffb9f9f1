use storage::{
    Conn, OrganizationId, PrincipalId, StorageError, Timestamp, execute, fetch_optional,
};

use crate::sign_in::ProvenIdentity;

/// Whose identity it is.
pub(in crate::sign_in) async fn find(
    conn: Conn<'_>,
    identity: &ProvenIdentity,
) -> Result<Option<(OrganizationId, PrincipalId)>, StorageError> {
    fetch_optional!(
        conn,
        (OrganizationId, PrincipalId),
        "select organization_id, user_id from user_identities where issuer = $1 and subject = $2",
        &identity.issuer,
        &identity.subject,
    )
}

/// Does the user have another identity of the same issuer?
pub(in crate::sign_in) async fn has_other(
    conn: Conn<'_>,
    user: PrincipalId,
    identity: &ProvenIdentity,
) -> Result<bool, StorageError> {
    let (issuer, subject) = (&identity.issuer, &identity.subject);
    let sql =
        "select subject from user_identities where user_id = $1 and issuer = $2 and subject <> $3";
    Ok(fetch_optional!(conn, (String,), sql, user, issuer, subject)?.is_some())
}

pub(in crate::sign_in) async fn insert(
    conn: Conn<'_>,
    identity: &ProvenIdentity,
    (organization, user): (OrganizationId, PrincipalId),
    now: Timestamp,
) -> Result<(), StorageError> {
    execute!(
        conn,
        "insert into user_identities (issuer, subject, organization_id, user_id, created_at)
         values ($1, $2, $3, $4, $5)",
        &identity.issuer,
        &identity.subject,
        organization,
        user,
        now,
    )?;
    Ok(())
}

pub(in crate::sign_in) async fn delete_of(
    conn: Conn<'_>,
    user: PrincipalId,
) -> Result<(), StorageError> {
    execute!(conn, "delete from user_identities where user_id = $1", user)?;
    Ok(())
}
